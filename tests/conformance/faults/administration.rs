//! What administrators ask of brokers that leave resets to the members, and of those that give groups by pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient::{ConsumeFrom, ErrorKind, PushConsumer};
use stgclient_tests::{Bench, PATIENCE, eventually, within};

use super::{bench, create_topic};

async fn member(bench: &Bench, group: &str) -> (PushConsumer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let consumer = bench.client.push_consumer(group).subscribe(&bench.topic, "*");
    let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).concurrently(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    });
    (consumer.start().await.unwrap(), count)
}

/// A group that brokers of this kind have to tell of its reset is reset while it runs, and while it rests.
async fn reset(version: &str, settings: &[&str]) {
    let bench = bench(version, settings).await;
    let queues = create_topic(&bench, 2, 1).await;
    let (admin, group) = (bench.admin(), bench.unique("told"));
    let unknown = admin.reset_offsets(&group, &bench.topic, ConsumeFrom::FirstOffset).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Refused, "{unknown}");
    for number in 0..6 {
        bench.send_to(&queues[number % 2], bench.message(number.to_string())).await;
    }
    let (consumer, count) = member(&bench, &group).await;
    let consumed = async |expected: usize| {
        within(2 * PATIENCE, "all is consumed", async || (count.load(Ordering::SeqCst) == expected).then_some(()))
            .await;
    };
    consumed(6).await;
    // Its offsets are those of both queues once it has committed them.
    within(2 * PATIENCE, "the group is at the end", async || {
        let lag = admin.lag(&group).await.ok()?;
        queues.iter().all(|queue| lag.queues.get(queue).is_some_and(|at| at.consumer_offset == 3)).then_some(())
    })
    .await;
    let offsets = admin.reset_offsets(&group, &bench.topic, ConsumeFrom::FirstOffset).await.unwrap();
    assert_eq!(offsets.into_values().collect::<Vec<_>>(), [0, 0]);
    consumed(12).await;
    consumer.close().await;

    // A broker notices after a moment that nobody is there, and tells nobody: so the offsets are looked at, too.
    let reset_to = async |to: ConsumeFrom, expected: u64| {
        within(2 * PATIENCE, "nobody is there, and the offsets are set", async || {
            let offsets = admin.reset_offsets(&group, &bench.topic, to).await.ok()?;
            let lag = admin.lag(&group).await.ok()?;
            let is_at = |offset: u64| offset == expected;
            let all_said = offsets.values().copied().all(is_at) && offsets.len() == 2;
            (all_said && queues.iter().all(|queue| is_at(lag.queues[queue].consumer_offset))).then_some(())
        })
        .await;
    };
    reset_to(ConsumeFrom::FirstOffset, 0).await;
    reset_to(ConsumeFrom::LastOffset, 3).await;
    reset_to(ConsumeFrom::Timestamp(1_000_000_000_000), 0).await;
    let (_consumer, count) = member(&bench, &group).await;
    within(2 * PATIENCE, "all once more", async || (count.load(Ordering::SeqCst) == 6).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_leaves_resets_to_the_members_resets_groups_that_run_and_that_rest() {
    reset(stgclient_tests::CURRENT, &["useServerSideResetOffset=false"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_broker_resets_groups_that_run_and_that_rest() {
    reset("4.9.7", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_listed_that_come_by_pages() {
    let bench = bench(stgclient_tests::CURRENT, &["enableSplitMetadata=true", "splitMetadataSize=3"]).await;
    create_topic(&bench, 1, 1).await;
    let mut members = Vec::new();
    let mut names: Vec<String> = (0..5).map(|number| bench.unique(&format!("paged{number}"))).collect();
    for name in &names {
        members.push(member(&bench, name).await);
        // So that each page but the last is full, and the last has one to three.
        eventually("the group is listed", async || {
            let groups = bench.admin().groups().await.unwrap();
            assert!(groups.is_sorted_by(|one, other| one < other), "{groups:?}");
            groups.contains(name).then_some(())
        })
        .await;
    }
    names.push("TOOLS_CONSUMER".to_owned());
    let groups = bench.admin().groups().await.unwrap();
    assert!(names.iter().all(|name| groups.contains(name)), "{groups:?}");
}
