//! Where a group begins when not all of it can be had at once.

use std::collections::BTreeMap;

use super::super::asked::Asked;
use super::super::wish::Wish;
use super::super::{ConsumeFrom, MessageModel, PushConfig, PushConsumer, PushEvent};
use super::scene::{ME, SECOND, Scene, TOPIC, failed};
use crate::consumer::MessageSelector;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::{Instant, Now};
use crate::wire::dialect::Dialect;

fn queue(topic: &str, broker: &str, id: u32) -> MessageQueue {
    MessageQueue::new(topic, broker, id)
}

const START_UNIX_MS: u64 = 1_700_000_000_000;

/// What brokers have: where queues end, the group's offsets, and what cannot be had now.
#[derive(Default)]
struct World {
    queues: Vec<MessageQueue>,
    ends: BTreeMap<MessageQueue, u64>,
    offsets: BTreeMap<MessageQueue, u64>,
    /// Brokers that answer nothing.
    away: Vec<&'static str>,
    /// Nothing of the group's offsets can be had, nor of the routes.
    no_offsets: bool,
    no_routes: bool,
    /// What was pulled first of each queue.
    begun: BTreeMap<MessageQueue, u64>,
    /// Where the first message of each queue is that is younger than half an hour, unless that is its end.
    recent: BTreeMap<MessageQueue, u64>,
    /// Questions for the ends of these topics are not answered.
    held: Vec<&'static str>,
    kept: Vec<Wish>,
    is_started: bool,
}

fn scene(topics: &[&str], stored: BTreeMap<MessageQueue, u64>, change: impl FnOnce(&mut PushConfig)) -> Scene {
    let now = Now { mono: Instant::from_micros(1), unix_ms: START_UNIX_MS };
    let mut config = PushConfig { consume_from: ConsumeFrom::LastOffset, ..PushConfig::default() };
    change(&mut config);
    let reading = (Dialect::Apache, 1 << 20);
    let mut consumer = PushConsumer::new(now, "G", ME.to_owned(), reading, config, stored).unwrap();
    consumer.subscriptions.clear();
    for topic in topics {
        consumer.subscribe(now, topic, MessageSelector::all()).unwrap();
    }
    Scene { consumer, now }
}

impl World {
    fn go(&mut self, scene: &mut Scene) {
        scene.pass(crate::time::Duration::ZERO);
        for _ in 0..12 {
            for ask in std::mem::take(&mut self.kept).into_iter().chain(scene.wishes()).collect::<Vec<_>>() {
                self.answer(scene, ask);
                scene.allocate();
            }
            if scene.consumer.events.iter().any(|event| matches!(event, PushEvent::StoreOffsets(_))) {
                scene.consumer.offsets_stored(scene.now, true);
            }
            self.is_started |= scene.consumer.events.iter().any(|event| matches!(event, PushEvent::Started));
        }
    }

    fn is_there(&self, queue: &MessageQueue) -> Result<(), Error> {
        if self.away.contains(&&*queue.broker_name) { Err(failed()) } else { Ok(()) }
    }

    fn answer(&mut self, scene: &mut Scene, ask: Wish) {
        let (now, consumer) = (scene.now, &mut scene.consumer);
        match ask {
            Wish::Queues { asked, topic } => {
                let queues = self.queues.iter().filter(|queue| queue.topic == topic).cloned().collect();
                asked.take(consumer, now, if self.no_routes { Err(failed()) } else { Ok(queues) });
            }
            Wish::Members { asked, .. } => {
                consumer.take_members(now, (&asked.0, asked.1, asked.2), Ok(vec![ME.to_owned()]));
            }
            // It is answered later.
            Wish::MaxOffset { ref queue, .. } if self.held.contains(&&*queue.topic) => self.kept.push(ask),
            Wish::MaxOffset { asked, queue } => {
                let end = self.ends.get(&queue).copied().unwrap_or(0);
                asked.take(consumer, now, self.is_there(&queue).map(|()| Some(end)));
            }
            Wish::EndOffset { asked, queue } => {
                let known = if self.no_offsets { Err(failed()) } else { self.is_there(&queue) };
                asked.take(consumer, now, known.map(|()| self.offsets.get(&queue).copied()));
            }
            Wish::GroupOffset { asked, queue } => {
                let known = if self.no_offsets { Err(failed()) } else { self.is_there(&queue) };
                asked.take(consumer, now, known.map(|()| self.offsets.get(&queue).copied()));
            }
            Wish::CommitEnd { asked, queue, offset } => {
                let result = self.is_there(&queue);
                if result.is_ok() {
                    self.offsets.insert(queue, offset);
                }
                asked.take(consumer, now, result);
            }
            Wish::Commit { asked, queue, offset, .. } => {
                let result = self.is_there(&queue);
                if result.is_ok() {
                    self.offsets.insert(queue, offset);
                }
                asked.take(consumer, now, result);
            }
            Wish::MinOffset { asked, queue } => asked.take(consumer, now, self.is_there(&queue).map(|()| Some(0))),
            Wish::OffsetAt { asked, queue, unix_ms } => {
                let recent = self.recent.get(&queue).filter(|_| unix_ms + 60_000 < START_UNIX_MS);
                let first = recent.or_else(|| self.ends.get(&queue)).copied().unwrap_or(0);
                asked.take(consumer, now, self.is_there(&queue).map(|()| Some(first)));
            }
            Wish::Pull { queue, offset, .. } => _ = self.begun.entry(queue).or_insert(offset),
            _ => {}
        }
    }
}

/// The group has consumed queue 0 up to its end; queue 1 came while nobody of it was there, and 5 messages were sent to it.
fn with_newer_queue() -> World {
    let (old, new) = (queue(TOPIC, "a", 0), queue(TOPIC, "b", 1));
    World {
        queues: vec![old.clone(), new.clone()],
        ends: BTreeMap::from([(old.clone(), 7), (new.clone(), 5)]),
        recent: BTreeMap::from([(new, 0)]),
        offsets: BTreeMap::from([(old, 7)]),
        ..World::default()
    }
}

/// The same after a start in trouble.
fn check_newer_after(mut trouble: World, mut scene: Scene) {
    trouble.go(&mut scene);
    check_newer(World { away: Vec::new(), no_offsets: false, no_routes: false, ..trouble }, scene);
}

/// All is well for ten seconds: then the newer queue has begun with its first message.
fn check_newer(mut world: World, mut scene: Scene) {
    for _ in 0..10 {
        scene.pass(SECOND);
        world.go(&mut scene);
    }
    let begun = world.begun.get(&queue(TOPIC, "b", 1));
    assert_eq!(begun, Some(&0), "the queue is newer than its group, and begins with its first message");
}

#[test]
fn a_queue_that_is_newer_than_its_group_begins_with_its_first_message() {
    check_newer(with_newer_queue(), scene(&[TOPIC], BTreeMap::new(), |_| {}));
}

#[test]
fn a_queue_that_is_newer_than_its_group_begins_with_its_first_message_though_its_broker_was_away_at_the_start() {
    let trouble = World { away: vec!["b"], ..with_newer_queue() };
    check_newer_after(trouble, scene(&[TOPIC], BTreeMap::new(), |_| {}));
}

#[test]
fn a_queue_that_is_newer_than_its_group_begins_with_its_first_message_though_offsets_could_not_be_had_at_the_start() {
    let trouble = World { no_offsets: true, ..with_newer_queue() };
    check_newer_after(trouble, scene(&[TOPIC], BTreeMap::new(), |_| {}));
}

#[test]
fn a_queue_that_is_newer_than_its_group_begins_with_its_first_message_though_name_servers_were_away_at_the_start() {
    let trouble = World { no_routes: true, ..with_newer_queue() };
    check_newer_after(trouble, scene(&[TOPIC], BTreeMap::new(), |_| {}));
}

#[test]
fn a_queue_that_is_newer_than_its_group_begins_with_its_first_message_though_its_topic_was_left_in_between() {
    let (mut world, mut scene) = (with_newer_queue(), scene(&[TOPIC], BTreeMap::new(), |_| {}));
    world.go(&mut scene);
    scene.pass(SECOND / 2);
    scene.consumer.unsubscribe(scene.now, TOPIC);
    world.go(&mut scene);
    scene.consumer.subscribe(scene.now, TOPIC, MessageSelector::all()).unwrap();
    check_newer(world, scene);
}

#[test]
fn a_queue_that_is_newer_than_what_a_broadcasting_consumer_stored_begins_with_its_first_message_though_its_broker_was_away()
 {
    let stored = BTreeMap::from([(queue(TOPIC, "a", 0), 7)]);
    let trouble = World { away: vec!["b"], ..with_newer_queue() };
    check_newer_after(trouble, scene(&[TOPIC], stored, |config| config.message_model = MessageModel::Broadcasting));
}

#[test]
fn a_consumer_without_a_queue_is_not_ready_before_it_has_started() {
    let mut scene = scene(&[TOPIC], BTreeMap::new(), |_| {});
    let mut world = World { queues: vec![queue(TOPIC, "a", 0)], held: vec![TOPIC], ..World::default() };
    scene.consumer.await_ready(scene.now);
    world.go(&mut scene);
    // Another member got it.
    scene.share(&[]);
    let events = scene.events();
    assert!(!events.iter().any(|event| matches!(event, PushEvent::Ready)), "where the group begins is not known yet");
    world.held.clear();
    world.go(&mut scene);
    assert!(world.is_started);
    let events = scene.events();
    assert!(events.iter().any(|event| matches!(event, PushEvent::Ready)), "{events:?}");
}

#[test]
fn a_new_group_whose_consumer_is_started_anew_while_a_broker_is_away_does_not_begin_with_what_was_there_long_before() {
    let (one, other) = (queue(TOPIC, "a", 0), queue(TOPIC, "b", 1));
    let mut world = World {
        queues: vec![one.clone(), other.clone()],
        ends: BTreeMap::from([(one, 7), (other.clone(), 1_000_000)]),
        away: vec!["b"],
        ..World::default()
    };
    let mut first = scene(&[TOPIC], BTreeMap::new(), |_| {});
    world.go(&mut first);
    assert!(world.is_started);
    world.away.clear();
    let mut second = scene(&[TOPIC], BTreeMap::new(), |_| {});
    for _ in 0..10 {
        second.pass(SECOND);
        world.go(&mut second);
    }
    assert_eq!(world.begun.get(&other), Some(&1_000_000), "all that there is");
}

#[test]
fn a_broadcasting_consumer_that_is_started_anew_after_a_broker_was_away_does_not_begin_with_what_was_there_long_before()
{
    let (one, other) = (queue(TOPIC, "a", 0), queue(TOPIC, "b", 1));
    let mut world = World {
        queues: vec![one.clone(), other.clone()],
        ends: BTreeMap::from([(one, 7), (other.clone(), 1_000_000)]),
        away: vec!["b"],
        ..World::default()
    };
    let mut first = scene(&[TOPIC], BTreeMap::new(), |config| config.message_model = MessageModel::Broadcasting);
    world.go(&mut first);
    assert!(world.is_started);
    let stored = first.events().into_iter().rev().find_map(|event| match event {
        PushEvent::StoreOffsets(offsets) => Some(offsets),
        _ => None,
    });
    world.away.clear();
    let mut second =
        scene(&[TOPIC], stored.expect("something"), |config| config.message_model = MessageModel::Broadcasting);
    for _ in 0..10 {
        second.pass(SECOND);
        world.go(&mut second);
    }
    assert_eq!(world.begun.get(&other), Some(&1_000_000), "all that there is");
}

#[test]
fn what_another_member_is_about_to_commit_is_waited_for_also_when_another_topic_is_doubted_already() {
    let (other, one, two) = (queue("U", "a", 1), queue(TOPIC, "a", 0), queue(TOPIC, "a", 1));
    let mut world = World {
        // Of U the group has queue 0, and queue 1 is newer.
        queues: vec![queue("U", "a", 0), other, one.clone(), two.clone()],
        offsets: BTreeMap::from([(queue("U", "a", 0), 3)]),
        ends: BTreeMap::from([(one.clone(), 1_000), (two.clone(), 1_000)]),
        held: vec![TOPIC],
        ..World::default()
    };
    let mut scene = scene(&[TOPIC, "U"], BTreeMap::new(), |_| {});
    world.go(&mut scene);
    // 950 ms later the brokers answer for T; another member of the group has just committed one of two queues there.
    scene.pass(SECOND * 95 / 100);
    world.offsets.insert(one, 1_000);
    world.held.clear();
    world.go(&mut scene);
    scene.pass(SECOND / 10);
    world.go(&mut scene);
    // 100 ms after that the other is committed as well.
    world.offsets.entry(two.clone()).or_insert(1_000);
    for _ in 0..10 {
        scene.pass(SECOND);
        world.go(&mut scene);
    }
    assert_eq!(world.begun.get(&two), Some(&1_000), "all that there is");
}

#[test]
fn a_new_group_begins_where_queues_end_though_a_broker_before_5_says_0_of_a_young_queue() {
    // Brokers before 5 do not know `setZeroIfNotFound`, and say 0 of a group without an offset while a queue has its first
    // message in memory; of a queue whose messages are on disk they say that there is none.
    let (young, old) = (queue(TOPIC, "a", 0), queue(TOPIC, "a", 1));
    let mut world = World {
        queues: vec![young.clone(), old.clone()],
        ends: BTreeMap::from([(young.clone(), 3), (old.clone(), 1_000_000)]),
        offsets: BTreeMap::from([(young, 0)]),
        ..World::default()
    };
    let mut scene = scene(&[TOPIC], BTreeMap::new(), |_| {});
    for _ in 0..10 {
        world.go(&mut scene);
        scene.pass(SECOND);
    }
    assert_eq!(world.begun.get(&old), Some(&1_000_000), "Java begins at its end; this is all that there is");
}
