//! Warnings that an application follows: each is told once to each who follows, and about each queue.

use std::collections::BTreeSet;

use stgclient::{ClientEvent, Events};
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member};

/// The warnings that an offset was not committed, until the client is closed.
async fn uncommitted(mut events: Events) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        if let ClientEvent::Warned(notice) = event
            && notice.what == "offset not committed"
        {
            all.push(notice.get("queue").unwrap_or_default().to_owned());
        }
    }
    all
}

/// Refuses all commits of the group.
fn refuse_commits(stage: &Stage) {
    let refused = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], Forced::no_permission()).of_group(GROUP);
    stage.cluster.broker("broker-a", |broker| broker.force(refused));
}

#[test]
fn a_warning_is_told_to_who_follows_though_it_came_while_nobody_did() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        let consumer = book.consume(member(&client)).await;
        consumer.ready().await.unwrap();
        drop(client.events());
        stage.sleep(10 * SECOND).await;
        refuse_commits(&stage);
        stage.send(0..10).await;
        stage.sleep(20 * SECOND).await;
        // Somebody follows now, and the same goes on.
        let events = client.events();
        stage.sleep(60 * SECOND).await;
        consumer.close().await;
        client.close().await;
        assert!(!uncommitted(events).await.is_empty(), "nobody has ever been told");
    });
}

#[test]
fn warnings_about_two_queues_are_two() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        let events = client.events();
        let consumer = book.consume(member(&client)).await;
        consumer.ready().await.unwrap();
        stage.sleep(10 * SECOND).await;
        refuse_commits(&stage);
        stage.send(0..10).await;
        stage.sleep(60 * SECOND).await;
        consumer.close().await;
        client.close().await;
        let queues: BTreeSet<String> =
            uncommitted(events).await.into_iter().filter(|queue| queue.starts_with(TOPIC)).collect();
        assert_eq!(queues.len(), 2, "each is told once: {queues:?}");
    });
}
