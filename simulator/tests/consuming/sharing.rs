//! Members that share queues: who owns what, when somebody comes, leaves or dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stgclient::simulator::Clients as _;
use stgclient::{Client, MemoryOffsets, PushConsumer, ReconsumeLater};
use stgclient_core::consumer::push::{ConsumeFrom, MessageModel};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_simulator::Machine;

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member, shares};

/// A member that notes what it consumes.
async fn join(stage: &Stage, number: u32, book: &Book) -> (Client, PushConsumer) {
    let client = stage.client().await;
    let book = book.clone();
    let consumer = member(&client).concurrently(move |message| {
        book.note(number, &message);
        async { Ok::<_, ReconsumeLater>(()) }
    });
    let consumer = consumer.start().await.unwrap();
    (client, consumer)
}

#[test]
fn members_share_the_queues_evenly_and_take_over_from_one_that_leaves() {
    let stage = Stage::new(2, 4);
    stage.play(async {
        let book = Book::default();
        let (one, first) = join(&stage, 1, &book).await;
        stage.until(2 * SECOND, "all queues", || shares(&[&first]) == [8]).await;
        let (_two, second) = join(&stage, 2, &book).await;
        // The broker says that members have changed, so nobody waits for the next rebalance.
        stage.until(3 * SECOND, "half of the queues", || shares(&[&first, &second]) == [4, 4]).await;
        stage.send(0..100).await;
        stage.until(3 * SECOND, "100 messages", || book.len() == 100).await;
        assert!([1, 2].iter().all(|number| book.entries().iter().any(|entry| entry.member == *number)));
        first.close().await;
        one.close().await;
        stage.until(3 * SECOND, "the queues of the one who left", || shares(&[&second]) == [8]).await;
        stage.send(100..200).await;
        stage.until(3 * SECOND, "200 messages", || book.len() == 200).await;
        assert!(book.times().values().all(|times| *times == 1), "nothing twice where nobody died");
    });
}

#[test]
fn the_queues_of_a_member_that_dies_without_a_word_are_taken_over_within_150_seconds() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        let book = Book::default();
        let (_one, first) = join(&stage, 1, &book).await;
        // The second is a machine of its own: it is cut off.
        let machine = stage.world.machine();
        let client = machine.client(&stage.cluster).connect().await.unwrap();
        let second = member(&client).concurrently(|_| async { Ok::<_, ReconsumeLater>(()) }).start().await.unwrap();
        stage.until(5 * SECOND, "half of the queues", || shares(&[&first, &second]) == [2, 2]).await;
        stage.world.network().partition(&machine.ip().to_string(), true);
        stage.until(150 * SECOND, "all queues", || shares(&[&first]) == [4]).await;
        drop((second, client));
    });
}

#[test]
fn a_topic_that_comes_later_is_consumed_when_it_is_there() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let consumer = client.push_consumer(GROUP).subscribe("later", "*").consume_from(ConsumeFrom::FirstOffset);
        let _consumer = book.consume(consumer).await;
        stage.sleep(10 * SECOND).await;
        client.admin().create_topic("later").queues(2).await.unwrap();
        let producer = client.producer("shop").start().await.unwrap();
        producer.send(stgclient_core::producer::Message::new("later", "x")).await.unwrap();
        stage.until(3 * SECOND, "the message", || book.len() == 1).await;
    });
}

#[test]
fn topics_can_be_subscribed_to_and_left_while_the_consumer_runs() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        let client = stage.client().await;
        let consumer = client.push_consumer(GROUP).consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(|_| async { Ok::<_, ReconsumeLater>(()) }).start().await.unwrap();
        assert_eq!(shares(&[&consumer]), [0]);
        consumer.subscribe(TOPIC, "*").unwrap();
        stage.until(3 * SECOND, "its queues", || shares(&[&consumer]) == [4]).await;
        consumer.unsubscribe(TOPIC);
        assert_eq!(shares(&[&consumer]), [0]);
    });
}

#[test]
fn in_broadcasting_every_member_gets_all_and_goes_on_where_it_was() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        let book = Book::default();
        let stores: Vec<MemoryOffsets> = vec![MemoryOffsets::default(), MemoryOffsets::default()];
        let start = |number: u32, store: MemoryOffsets, client: Arc<Client>| {
            let noted = book.clone();
            member(&client)
                .message_model(MessageModel::Broadcasting)
                .offset_store(store)
                .concurrently(move |message| {
                    noted.note(number, &message);
                    async { Ok::<_, ReconsumeLater>(()) }
                })
                .start()
        };
        let mut members = Vec::new();
        for (number, store) in (0..).zip(&stores) {
            let client = Arc::new(stage.client().await);
            members.push((start(number, store.clone(), Arc::clone(&client)).await.unwrap(), client));
        }
        stage.send(0..20).await;
        stage.until(3 * SECOND, "20 messages, twice", || book.len() == 40).await;
        assert!(book.times().values().all(|times| *times == 2));
        let (consumer, client) = members.pop().unwrap();
        consumer.close().await;
        stage.send(20..30).await;
        stage.until(3 * SECOND, "10 more", || book.len() == 50).await;
        let _again = start(1, stores[1].clone(), client).await.unwrap();
        stage.until(3 * SECOND, "what came meanwhile", || book.len() == 60).await;
        stage.sleep(2 * SECOND).await;
        assert_eq!(book.len(), 60);
    });
}

#[test]
fn a_new_group_begins_where_it_is_set_up_to() {
    for (from, expected) in [
        (ConsumeFrom::FirstOffset, 30),
        (ConsumeFrom::LastOffset, 10),
        // The clock of the world begins later; nothing is older than its first second.
        (ConsumeFrom::Timestamp(u64::MAX / 2), 10),
        (ConsumeFrom::Timestamp(0), 30),
    ] {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let client = stage.client().await;
            stage.send(0..20).await;
            let book = Book::default();
            let consumer = client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(from);
            let _consumer = book.consume(consumer).await;
            stage.sleep(5 * SECOND).await;
            stage.send(20..30).await;
            stage.sleep(5 * SECOND).await;
            assert_eq!(book.len(), expected, "{from:?}");
        });
    }
}

#[test]
fn rebalances_are_merged_and_at_least_a_second_apart() {
    let stage = Stage::new(1, 4);
    stage.play(async {
        let book = Book::default();
        let (_one, first) = join(&stage, 1, &book).await;
        stage.until(2 * SECOND, "all queues", || shares(&[&first]) == [4]).await;
        let mut others = Vec::new();
        for number in 2..=4 {
            others.push(join(&stage, number, &book).await);
        }
        // Three came within an instant; the first has shared once and shares again a second later at the earliest.
        stage
            .until(Duration::from_millis(2500), "a queue each", || {
                shares(&[&first, &others[0].1, &others[1].1, &others[2].1]) == [1, 1, 1, 1]
            })
            .await;
    });
}

type Member = (Arc<Machine>, Client, PushConsumer);

/// Who owns which queue of the topic, by client ids, and how often somebody came to own it.
#[derive(Default)]
struct Owners {
    now: BTreeMap<MessageQueue, BTreeSet<String>>,
    moves: BTreeMap<MessageQueue, usize>,
}

impl Owners {
    /// Looks who owns what now. Whether every queue has exactly one owner.
    fn look(&mut self, members: &[Member]) -> bool {
        let mut now: BTreeMap<MessageQueue, BTreeSet<String>> = BTreeMap::new();
        for (_, client, consumer) in members {
            let queues = consumer.status().queues.into_iter();
            for queue in queues.filter(|queue| &*queue.queue.topic == TOPIC && queue.is_consuming) {
                now.entry(queue.queue).or_default().insert(client.client_id().to_owned());
            }
        }
        for (queue, owners) in &now {
            let come = owners.iter().filter(|owner| !self.now.get(queue).is_some_and(|known| known.contains(*owner)));
            *self.moves.entry(queue.clone()).or_default() += come.count();
        }
        self.now = now;
        self.now.len() == 256 && self.now.values().all(|owners| owners.len() == 1)
    }

    /// Waits until every queue has one owner. A queue that has another one than before has moved once, all others not at
    /// all.
    async fn converge(&mut self, stage: &Stage, seconds: u32, members: &[Member]) {
        let before = self.now.clone();
        self.moves.clear();
        for _ in 0..4 * seconds {
            stage.sleep(SECOND / 4).await;
            if self.look(members) {
                for (queue, owner) in self.now.iter().filter(|_| !before.is_empty()) {
                    let (moves, has_moved) = (self.moves.get(queue), before.get(queue) != Some(owner));
                    assert_eq!(moves.copied().unwrap_or(0), usize::from(has_moved), "{queue} moved in vain");
                }
                return;
            }
        }
        panic!("{} members have not shared 256 queues within {seconds} s", members.len());
    }
}

#[test]
fn sixty_four_members_share_256_queues_within_10_seconds_of_a_clean_change_and_150_of_a_death_and_move_none_in_vain() {
    let stage = Stage::new(4, 64);
    stage.play(async {
        let (mut members, mut owners): (Vec<Member>, Owners) = Default::default();
        let join = async || {
            let machine = stage.world.machine();
            let client = machine.client(&stage.cluster).connect().await.unwrap();
            let consumer = member(&client).concurrently(|_| async { Ok::<_, ReconsumeLater>(()) });
            (machine, client, consumer.start().await.unwrap())
        };
        for _ in 0..64 {
            members.push(join().await);
        }
        owners.converge(&stage, 10, &members).await;
        let (_, client, consumer) = members.pop().unwrap();
        consumer.close().await;
        client.close().await;
        owners.converge(&stage, 10, &members).await;
        let (machine, _client, _consumer) = members.pop().unwrap();
        stage.world.network().partition(&machine.ip().to_string(), true);
        owners.converge(&stage, 150, &members).await;
        members.push(join().await);
        owners.converge(&stage, 10, &members).await;
    });
}
