//! What one request may cost: no more than it is worth, and nobody else.

use std::time::Duration;

use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::{Command, Head, HeaderCodec};
use stgclient_core::wire::request::PullMessage;
use stgclient_servers::{Peer, ServerId};

use super::client::{Bench, DIALECT, Named, code, encoded, pull, remark};

/// How long it takes at the least of three times.
#[expect(clippy::disallowed_types, reason = "what is asked is how long it really takes")]
fn least(mut act: impl FnMut()) -> Duration {
    let once = |()| {
        let began = std::time::Instant::now();
        act();
        began.elapsed()
    };
    [(), (), ()].map(once).into_iter().min().unwrap_or_default()
}

fn statistics(bench: &mut Bench, peer: Peer, topics: &str) -> Command {
    let fields = [("consumerGroup", "g"), ("topicList", topics)];
    bench.ask_fields(peer, RequestCode::GET_CONSUME_STATS, &fields, "")
}

#[test]
fn members_hear_of_a_heartbeat_once_however_often_it_names_their_group() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let member = bench.connect(ServerId::Broker(0));
    bench.beat(member, "one", "g", "");
    bench.answers(member);
    let entry = |topic| format!(r#"{{"groupName":"g","subscriptionDataSet":[{{"topic":"{topic}"}}]}}"#);
    let entries: Vec<String> = (0..100).map(|number| entry(["a", "b"][number % 2])).collect();
    let body = format!(r#"{{"clientID":"two","consumerDataSet":[{}]}}"#, entries.join(","));
    bench.ask_fields(peer, RequestCode::HEART_BEAT, &[], &body);
    assert_eq!(bench.answers(member).len(), 1);
}

#[test]
fn of_a_topic_that_is_named_many_times_statistics_are_made_once() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 4000);
    let [once, often] = [1, 500].map(|times| {
        let topics = "t;".repeat(times);
        assert_eq!(code(&statistics(&mut bench, peer, &topics)), Code::SUCCESS);
        least(|| _ = statistics(&mut bench, peer, &topics))
    });
    assert!(often < 20 * once, "{once:?}, and {often:?} of 500");
}

#[test]
fn an_expression_of_many_tags_costs_no_more_in_another_order() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    let mut tags: Vec<String> = (0..40_000).map(|number| format!("{number:05}")).collect();
    let ascending = tags.join("||");
    tags.reverse();
    let [ascending, descending] =
        [ascending, tags.join("||")].map(|tags| least(|| _ = bench.pull(peer, "t", 0, 0, &tags)));
    assert!(descending < 4 * ascending, "{ascending:?}, and {descending:?} in the other order");
}

#[test]
fn an_answer_does_not_tell_of_more_queues_than_clients_could_read() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let topics: Vec<String> = (0..5).map(|number| format!("t{number}")).collect();
    topics.iter().for_each(|topic| bench.create_topic(peer, topic, 16_384));
    assert_eq!(code(&statistics(&mut bench, peer, &topics[..4].join(";"))), Code::SUCCESS);
    let refused = statistics(&mut bench, peer, &topics.join(";"));
    assert_eq!(remark(&refused), "this broker keeps at most 65536 queues in an answer");
}

#[test]
fn a_heartbeat_without_subscriptions_does_not_look_at_those_of_its_groups() {
    let entries = vec![r#"{"groupName":"g"}"#; 100].join(",");
    let body =
        format!(r#"{{"clientID":"c","heartbeatFingerprint":7,"withoutSub":true,"consumerDataSet":[{entries}]}}"#);
    let [few, many] = [1, 5000].map(|topics| {
        let (mut bench, peer) = Bench::with_broker(|_| {});
        let topics: Vec<String> = (0..topics).map(|number| format!(r#"{{"topic":"t{number}"}}"#)).collect();
        assert_eq!(code(&bench.beat(peer, "c", "g", &topics.join(","))), Code::SUCCESS);
        least(|| _ = bench.ask_fields(peer, RequestCode::HEART_BEAT, &[], &body))
    });
    assert!(many < 20 * few, "{few:?} of one topic, {many:?} of 5000");
}

#[test]
fn a_message_is_looked_at_once_for_all_who_wait_by_the_same_expression() {
    let send = |pulls| {
        let (mut bench, peer) = Bench::with_broker(|broker| broker.property_filter = true);
        bench.create_topic(peer, "t", 1);
        let expression = vec!["a = 1"; 3000].join(" OR ");
        let kind = r#""expressionType":"SQL92","subVersion":1"#;
        bench.beat(peer, "c", "g", &format!(r#"{{"topic":"t","subString":"{expression}",{kind}}}"#));
        for _ in 0..pulls {
            let by_group = PullMessage { consumer_group: "g".into(), sys_flag: 2, sub_version: 1, ..pull("t", 0, 0) };
            bench.request(peer, &PullMessage { expression_type: Some("SQL92".into()), ..by_group }, b"");
        }
        assert_eq!(bench.broker().usage().held_pulls, pulls);
        least(|| _ = bench.send(peer, "t", 0, "a\u{1}5\u{2}", b"x"))
    };
    let [one, many] = [1, 300].map(send);
    assert!(many < 20 * one, "{one:?} for one, {many:?} for 300");
}

#[test]
fn what_all_members_are_told_is_kept_once() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.server_side_reset_offset = false);
    bench.create_topic(peer, "t", 1000);
    for queue_id in (0..1000).map(|queue_id: i32| queue_id.to_string()) {
        let fields =
            [("consumerGroup", "TOOLS_CONSUMER"), ("topic", "t"), ("queueId", &*queue_id), ("commitOffset", "1")];
        bench.ask_fields(peer, RequestCode::UPDATE_CONSUMER_OFFSET, &fields, "");
    }
    for number in 0..3 {
        let member = bench.connect(ServerId::Broker(0));
        bench.beat(member, &format!("c{number}"), "TOOLS_CONSUMER", "");
    }
    let fields = [("topic", "t"), ("group", "TOOLS_CONSUMER"), ("timestamp", "0"), ("isForce", "true")];
    let head = Head::request(DIALECT, RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, 1);
    let request = encoded(&head, HeaderCodec::Json, &Named(&fields), b"");
    bench.cluster.receive(bench.now, peer, &request);
    let pieces = std::iter::from_fn(|| bench.cluster.poll_output()).filter(|(to, _)| *to != peer);
    let large: Vec<_> = pieces.map(|(_, piece)| piece).filter(|piece| piece.len() > 16 * 1024).collect();
    assert_eq!(large.len(), 3);
    assert!(large.iter().all(|piece| piece.as_ptr() == large[0].as_ptr()));
}
