//! Messages that are held back by levels, of which the first is a second long.

use super::bench;
use crate::java;

#[tokio::test]
async fn delayed_messages_cross_in_both_directions_when_their_time_has_come() {
    let bench = bench(1).await;
    let message = bench.message("ours").tag("delayed").key("k1").key("k2").property("größe", "klein 小 🚀");
    let receipt = bench.send(message.delay_level(1)).await;
    let java = java::crossing(&["produce", bench.cluster.name_server(), &bench.topic, "1", "java", "--delay=1"]).await;
    let messages = bench.pull_all(2).await;
    for message in &messages {
        let held_back = message.store_timestamp() - message.born_timestamp();
        assert!(held_back >= 900, "delivered after {held_back} ms");
    }
    let theirs = messages.iter().find(|message| message.tag() == Some("java")).expect("Java's message");
    assert_eq!(Some(&*theirs.message_id()), java[0].text("messageId"));
    assert_eq!((theirs.body().to_vec(), theirs.property("size")), (java[0].body(), Some("small")));

    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "delayed"]).await;
    let [ours] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(ours.text("messageId"), Some(&*receipt.message_id.to_string()));
    assert_eq!((ours.body(), ours.text("keys")), (b"ours".to_vec(), Some("k1 k2")));
    assert!(ours.properties().any(|property| property == ("größe", "klein 小 🚀")), "{ours:?}");
}
