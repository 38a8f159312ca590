//! Offsets that one client commits the other reads.

use super::bench;
use crate::java;

#[tokio::test]
async fn java_reads_the_offsets_that_we_commit_and_we_read_javas() {
    let bench = bench(3).await;
    let queues = bench.queues().await;
    for (queue, count) in queues.iter().zip([5, 2, 0]) {
        for number in 0..count {
            bench.send_to(queue, bench.message(number.to_string())).await;
        }
        bench.await_messages(queue, count).await;
    }
    bench.consumer.commit_offset(&queues[0], 3).await.unwrap();

    let lines = java::crossing(&["offset", bench.cluster.name_server(), &bench.topic, &bench.group]).await;
    let before: Vec<_> = lines.iter().map(|line| line.number("before")).collect();
    // We have committed nothing for the second queue, which still has its first message, nor for the third.
    assert_eq!(before, [3, 0, -1]);

    let mut committed = Vec::new();
    for queue in &queues {
        committed.push(bench.consumer.committed_offset(queue).await.unwrap());
    }
    assert_eq!(committed, [Some(5), Some(2), Some(0)], "Java has committed what the queues have");
}
