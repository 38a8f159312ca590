//! How far groups have consumed, and setting them elsewhere.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{
    self, ConsumeStats, ConsumedOffsets, ConsumerData, HeartbeatData, ResetOffsets, SubscriptionData,
};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    GetConsumeStats, GetGroup, Heartbeat, InvokeResetOffset, OffsetAnswer, PULL_FLAG_COMMIT_OFFSET,
    PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage, QueryConsumerOffset, UpdateConsumerOffset,
};
use stgclient_servers::Peer;

use super::client::{BEGINNING, Bench, Pulled, code, pull, remark};

/// A topic `t` of two queues, the first one with four messages, a second apart.
fn filled() -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    // The group comes into being.
    bench.ask(peer, &GetGroup { group: "consumers".into() });
    for body in ["a", "b", "c", "d"] {
        bench.send(peer, "t", 0, "", body.as_bytes());
        bench.pass(Duration::from_secs(1));
    }
    (bench, peer)
}

fn commit(bench: &mut Bench, peer: Peer, topic: &str, queue_id: i32, commit_offset: i64) -> Command {
    let request = UpdateConsumerOffset {
        consumer_group: "consumers".into(),
        topic: topic.into(),
        queue_id,
        commit_offset,
        broker_name: None,
    };
    let answer = bench.ask(peer, &request);
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
    answer
}

fn pulled(bench: &mut Bench, peer: Peer, offset: i64) -> Pulled {
    let request =
        PullMessage { subscription: Some("*".into()), sys_flag: PULL_FLAG_SUBSCRIPTION, ..pull("t", 0, offset) };
    Pulled::new(bench.ask(peer, &request))
}

fn stats(bench: &mut Bench, peer: Peer, topic: Option<&str>, list: Option<&str>) -> ConsumeStats {
    let request = GetConsumeStats {
        consumer_group: "consumers".into(),
        topic: topic.map(Into::into),
        topic_list: list.map(Into::into),
    };
    body::from_slice(&bench.ask(peer, &request).body).unwrap()
}

fn topics(stats: &ConsumeStats) -> Vec<(&str, i32)> {
    stats.offset_table.keys().map(|queue| (queue.topic.as_str(), queue.queue_id)).collect()
}

#[test]
fn statistics_say_how_far_a_group_has_consumed_and_pulled() {
    let (mut bench, peer) = filled();
    assert!(stats(&mut bench, peer, None, None).offset_table.is_empty(), "nothing is consumed");
    pulled(&mut bench, peer, 0);
    commit(&mut bench, peer, "t", 0, 2);
    let told = stats(&mut bench, peer, None, None);
    let last_timestamp = BEGINNING as i64 + 1000;
    let first = ConsumedOffsets { broker_offset: 4, consumer_offset: 2, last_timestamp, pull_offset: 4 };
    assert_eq!(told.offset_table.values().copied().collect::<Vec<_>>(), [first, ConsumedOffsets::default()]);
}

#[test]
fn statistics_are_of_topics_that_are_named_or_else_consumed_and_subscribed_to() {
    let (mut bench, peer) = filled();
    bench.create_topic(peer, "u", 1);
    commit(&mut bench, peer, "t", 0, 2);
    commit(&mut bench, peer, "u", 0, 0);
    let all = [("t", 0), ("t", 1), ("u", 0)];
    assert_eq!(topics(&stats(&mut bench, peer, None, None)), all);
    assert_eq!(topics(&stats(&mut bench, peer, Some("u"), None)), [("u", 0)]);
    let group = ConsumerData {
        group_name: "consumers".into(),
        subscription_data_set: vec![SubscriptionData::by_tags("t", "*").unwrap()],
        ..ConsumerData::default()
    };
    let data = HeartbeatData { client_id: "c".into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
    bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data));
    assert_eq!(topics(&stats(&mut bench, peer, None, None)), [("t", 0), ("t", 1)]);
    assert_eq!(topics(&stats(&mut bench, peer, Some("u"), None)), []);
    assert_eq!(topics(&stats(&mut bench, peer, Some("t"), Some("u;none;"))), [("u", 0)]);
}

fn reset(queue_id: Option<i32>, offset: Option<i64>, timestamp: i64) -> InvokeResetOffset<'static> {
    InvokeResetOffset { topic: "t".into(), group: "consumers".into(), queue_id, offset, timestamp, is_force: true }
}

/// The new offsets.
fn set(bench: &mut Bench, peer: Peer, request: &InvokeResetOffset<'_>) -> Vec<(i32, i64)> {
    let answer = bench.ask(peer, request);
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
    let offsets: ResetOffsets = body::from_slice(&answer.body).unwrap();
    offsets.offset_table.into_iter().map(|(queue, offset)| (queue.queue_id, offset)).collect()
}

#[test]
fn offsets_are_set_by_time_to_the_end_or_by_number() {
    let (mut bench, peer) = filled();
    commit(&mut bench, peer, "t", 0, 2);
    let third = BEGINNING as i64 + 2000;
    for (request, expected) in [
        (reset(Some(-1), None, 0), vec![(0, 0), (1, 0)]),
        (reset(None, Some(-1), third), vec![(0, 2), (1, 0)]),
        (reset(Some(-1), Some(3), -1), vec![(0, 4), (1, 0)]),
        (reset(Some(0), None, third - 1), vec![(0, 2)]),
        (reset(Some(0), Some(3), 0), vec![(0, 3)]),
        (reset(Some(0), Some(5), 0), vec![(0, 5)]),
    ] {
        assert_eq!(set(&mut bench, peer, &request), expected, "{request:?}");
    }
    let refused = bench.ask(peer, &reset(Some(0), Some(6), 0));
    assert_eq!(code(&refused), Code::SYSTEM_ERROR);
    assert_eq!(remark(&refused), "Target offset 6 not in consume queue range [0-4]");
    let refused = bench.ask(peer, &InvokeResetOffset { topic: "none".into(), ..reset(None, None, 0) });
    assert_eq!((code(&refused), remark(&refused)), (Code::TOPIC_NOT_EXIST, "Topic none does not exist"));
    let refused = bench.ask(peer, &InvokeResetOffset { group: "none".into(), ..reset(None, None, 0) });
    assert_eq!((code(&refused), remark(&refused)), (Code::SUBSCRIPTION_GROUP_NOT_EXIST, "Group none does not exist"));
}

#[test]
fn a_consumer_hears_at_its_next_pull_that_its_offset_was_set_and_until_then_commits_nothing() {
    let (mut bench, peer) = filled();
    bench.create_topic(peer, "u", 1);
    commit(&mut bench, peer, "u", 0, 0);
    set(&mut bench, peer, &reset(Some(0), Some(1), 0));
    assert_eq!(remark(&commit(&mut bench, peer, "t", 0, 4)), "Offset has been previously reset");
    let query = QueryConsumerOffset {
        consumer_group: "consumers".into(),
        topic: "t".into(),
        queue_id: 0,
        set_zero_if_not_found: None,
        broker_name: None,
    };
    assert_eq!(bench.ask(peer, &query).header(), Ok(OffsetAnswer { offset: 1 }));
    let moved = pulled(&mut bench, peer, 4);
    assert_eq!((moved.code(), remark(&moved.command)), (Code::PULL_OFFSET_MOVED, "OFFSET_RESET"));
    assert_eq!((moved.next(), moved.header().min_offset, moved.header().max_offset), (1, 0, 4));
    assert_eq!(pulled(&mut bench, peer, 1).offsets(), [1, 2, 3], "it hears of it once");
    assert_eq!(remark(&commit(&mut bench, peer, "t", 0, 4)), "");
    assert_eq!(bench.broker().committed("consumers", "t", 0), Some(4));
}

#[test]
fn a_pull_that_waits_hears_of_a_new_offset_when_it_waits_no_longer() {
    let (mut bench, peer) = filled();
    let request = PullMessage {
        subscription: Some("*".into()),
        sys_flag: PULL_FLAG_SUBSCRIPTION | PULL_FLAG_SUSPEND | PULL_FLAG_COMMIT_OFFSET,
        commit_offset: 4,
        ..pull("t", 0, 4)
    };
    let waiting = bench.request(peer, &request, &[]);
    set(&mut bench, peer, &reset(Some(0), Some(1), 0));
    assert!(bench.answer(peer, waiting).is_none());
    bench.pass(Duration::from_secs(15));
    let moved = Pulled::new(bench.answer(peer, waiting).unwrap());
    assert_eq!((moved.code(), moved.next()), (Code::PULL_OFFSET_MOVED, 1));
    assert_eq!(bench.broker().committed("consumers", "t", 0), Some(1), "it has committed before it waited");
}
