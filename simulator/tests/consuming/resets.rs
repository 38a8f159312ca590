//! An administrator has the group go on elsewhere: while members are there, and while none is; at brokers that set offsets
//! themselves, and at those that leave it to the members.

use stgclient::{Beginning, ErrorKind};
use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::queue::MessageQueue;
use stgclient_servers::ClusterConfig;
use stgclient_simulator::World;

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member};
use stgclient_core::wire::dialect::Dialect;

/// Two brokers, with a topic of two queues at each.
fn stage(sets_itself: bool) -> Stage {
    let world = World::new(11);
    let mut config = ClusterConfig::with_servers(1, 2);
    config.brokers.iter_mut().for_each(|broker| broker.server_side_reset_offset = sets_itself);
    let cluster = world.cluster(config);
    cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, 2).unwrap()));
    let machine = world.machine();
    Stage { world, cluster, machine, dialect: Dialect::Apache }
}

/// Resets the group, and gives the new offsets in the order of the queues.
async fn reset(stage: &Stage, to: impl Beginning) -> Vec<u64> {
    let client = stage.client().await;
    let offsets = client.admin().reset_offsets(GROUP, TOPIC, to).await.unwrap();
    client.close().await;
    let queues: Vec<MessageQueue> = offsets.keys().cloned().collect();
    assert_eq!(queues.len(), 4, "{queues:?}");
    offsets.into_values().collect()
}

#[test]
fn members_that_are_there_consume_again_from_where_they_were_reset_to() {
    for sets_itself in [true, false] {
        let stage = stage(sets_itself);
        stage.play(async {
            stage.send(0..20).await;
            let client = stage.client().await;
            let book = Book::default();
            let _consumer = book.consume(member(&client)).await;
            stage.until(30 * SECOND, "all is consumed", || book.len() == 20).await;
            assert_eq!(reset(&stage, ConsumeFrom::FirstOffset).await, [0; 4]);
            stage.until(60 * SECOND, "all is consumed again", || book.len() == 40).await;
            stage.sleep(60 * SECOND).await;
            assert!(book.times().values().all(|times| *times == 2), "{sets_itself}: {:?}", book.times());
            let lag = client.admin().lag(GROUP).await.unwrap();
            assert_eq!(lag.of_topic(TOPIC), 0, "{lag:?}");
        });
    }
}

#[test]
fn a_group_at_rest_goes_on_where_it_was_reset_to() {
    for sets_itself in [true, false] {
        let stage = stage(sets_itself);
        stage.play(async {
            stage.send(0..20).await;
            let client = stage.client().await;
            let book = Book::default();
            let consumer = book.consume(member(&client)).await;
            stage.until(30 * SECOND, "all is consumed", || book.len() == 20).await;
            consumer.close().await;
            client.close().await;
            stage.sleep(5 * SECOND).await;
            let between = stage.world.now().unix_ms;
            stage.sleep(5 * SECOND).await;
            stage.send(20..30).await;

            assert_eq!(reset(&stage, ConsumeFrom::FirstOffset).await, [0; 4]);
            let since = reset(&stage, ConsumeFrom::Timestamp(between)).await;
            assert_eq!(since.iter().sum::<u64>(), 20, "{since:?}");
            let ends = reset(&stage, ConsumeFrom::LastOffset).await;
            assert_eq!(ends.iter().sum::<u64>(), 30, "{ends:?}");
            let client = stage.client().await;
            assert_eq!(client.admin().lag(GROUP).await.unwrap().of_topic(TOPIC), 0);
            assert_eq!(reset(&stage, ConsumeFrom::Timestamp(between)).await, since);

            let again = Book::default();
            let _consumer = again.consume(member(&client)).await;
            stage.sleep(60 * SECOND).await;
            assert_eq!((again.len(), again.missing(20..30)), (10, vec![]), "{sets_itself}: {:?}", again.times());
        });
    }
}

#[test]
fn a_group_that_nobody_knows_cannot_be_reset() {
    for sets_itself in [true, false] {
        let stage = stage(sets_itself);
        stage.play(async {
            let client = stage.client().await;
            let unknown = client.admin().reset_offsets(GROUP, TOPIC, ConsumeFrom::FirstOffset).await.unwrap_err();
            let expected = if sets_itself { ErrorKind::GroupNotFound } else { ErrorKind::Refused };
            assert_eq!(unknown.kind(), expected, "{unknown}");
        });
    }
}

#[test]
fn smartgos_brokers_reset_members_that_are_there_and_groups_at_rest() {
    let stage = Stage::of_smartgo(2, 2);
    stage.play(async {
        stage.send(0..20).await;
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume(member(&client)).await;
        stage.until(60 * SECOND, "all is consumed", || book.len() == 20).await;
        stage.sleep(10 * SECOND).await;
        assert_eq!(reset(&stage, ConsumeFrom::FirstOffset).await, [0; 4]);
        stage.until(90 * SECOND, "all is consumed again", || book.len() == 40).await;
        consumer.close().await;
        stage.sleep(60 * SECOND).await;
        assert_eq!(reset(&stage, ConsumeFrom::FirstOffset).await, [0; 4]);
        let again = Book::default();
        let _consumer = again.consume(member(&client)).await;
        stage.until(90 * SECOND, "all is consumed once more", || again.len() == 20).await;
    });
}
