//! Finding messages by their keys.

use stgclient_core::time::Duration;
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::request::{DeleteTopicInBroker, QueryMessage, QueryMessageAnswer};
use stgclient_servers::Peer;

use super::client::{BEGINNING, Bench, Pulled, code, properties, remark};

fn query<'a>(topic: &'a str, key: &'a str) -> QueryMessage<'a> {
    QueryMessage {
        topic: topic.into(),
        key: key.into(),
        max_num: 64,
        begin_timestamp: 0,
        end_timestamp: i64::MAX,
        index_type: Some("K".into()),
        last_key: None,
        is_unique_key: Some(false),
    }
}

/// What is found, by bodies.
fn found(bench: &mut Bench, peer: Peer, request: &QueryMessage<'_>) -> Vec<String> {
    let answer = bench.ask(peer, request);
    if code(&answer) == Code::QUERY_NOT_FOUND {
        assert_eq!(remark(&answer), "can not find message, maybe time range not correct");
        let nothing = QueryMessageAnswer { index_last_update_timestamp: 0, index_last_update_phyoffset: 0 };
        assert_eq!(answer.header(), Ok(nothing));
        return Vec::new();
    }
    let messages = Pulled::new(answer).messages;
    messages.iter().map(|message| String::from_utf8(message.body().to_vec()).unwrap()).collect()
}

fn send(bench: &mut Bench, peer: Peer, sent: &[(&str, &str)], body: &str) {
    assert_eq!(code(&bench.send(peer, "t", 0, &properties(sent), body.as_bytes())), Code::SUCCESS);
    bench.pass(Duration::from_secs(1));
}

fn filled() -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    send(&mut bench, peer, &[("KEYS", "k l"), ("UNIQ_KEY", "1")], "one");
    send(&mut bench, peer, &[("KEYS", "k"), ("UNIQ_KEY", "2"), ("TAGS", "m")], "two");
    send(&mut bench, peer, &[("UNIQ_KEY", "3")], "three");
    (bench, peer)
}

#[test]
fn messages_are_found_by_each_of_their_keys_and_by_their_unique_ids() {
    let (mut bench, peer) = filled();
    for (key, expected) in
        [("k", vec!["one", "two"]), ("l", vec!["one"]), ("2", vec!["two"]), ("k l", vec![]), ("m", vec![])]
    {
        assert_eq!(found(&mut bench, peer, &query("t", key)), expected, "{key}");
    }
    assert_eq!(found(&mut bench, peer, &query("u", "k")), Vec::<String>::new());
    let unique = QueryMessage { is_unique_key: Some(true), max_num: 0, index_type: None, ..query("t", "3") };
    assert_eq!(found(&mut bench, peer, &unique), ["three"]);
    assert_eq!(found(&mut bench, peer, &QueryMessage { index_type: Some("T".into()), ..query("t", "m") }), ["two"]);
}

#[test]
fn the_newest_of_too_many_messages_are_found_and_only_those_of_the_time() {
    let (mut bench, peer) = filled();
    assert_eq!(found(&mut bench, peer, &QueryMessage { max_num: 1, ..query("t", "k") }), ["two"]);
    let begin = BEGINNING as i64;
    let until = QueryMessage { begin_timestamp: begin, end_timestamp: begin + 999, ..query("t", "k") };
    assert_eq!(found(&mut bench, peer, &until), ["one"]);
    assert_eq!(found(&mut bench, peer, &QueryMessage { begin_timestamp: begin + 1000, ..query("t", "k") }), ["two"]);
    let answer: QueryMessageAnswer = bench.ask(peer, &query("t", "k")).header().unwrap();
    assert_eq!(answer.index_last_update_timestamp, begin + 2000);
    let last = bench.pull(peer, "t", 0, 2, "*").messages.remove(0);
    assert_eq!(answer.index_last_update_phyoffset, last.fields.physical_offset);
}

#[test]
fn messages_that_have_given_way_are_not_found_and_those_of_a_deleted_topic_are() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 4300);
    bench.create_topic(peer, "t", 1);
    send(&mut bench, peer, &[("KEYS", "k")], "one");
    send(&mut bench, peer, &[("KEYS", "k")], &"x".repeat(3000));
    send(&mut bench, peer, &[("KEYS", "k")], "three");
    assert_eq!(found(&mut bench, peer, &query("t", "k")), ["x".repeat(3000), "three".to_owned()]);
    bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() });
    assert_eq!(found(&mut bench, peer, &query("t", "k")).len(), 2);
}
