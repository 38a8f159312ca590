//! What a peer says, and what it does not say.

use super::*;

#[test]
fn an_answer_finds_its_request_in_whatever_order_it_comes() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(10, 1, 3000, "first");
    peer.request(20, 2, 3000, "second");
    assert_eq!(peer.answer(100, 2), Some(("second", ms(80))));
    assert_eq!(peer.answer(150, 1), Some(("first", ms(140))));
    assert_eq!(peer.connection.counters().unexpected_answers, 0);
}

#[test]
fn an_answer_that_comes_twice_late_or_unasked_is_counted_and_tells_nobody() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 3000, "answered");
    peer.request(0, 2, 100, "late");
    assert!(peer.answer(10, 1).is_some());
    assert!(matches!(peer.receive(20, &answer(1, ResponseCode::SUCCESS)), Received::Unexpected));
    assert_eq!(peer.pass(100).0, ["late"]);
    assert!(matches!(peer.receive(101, &answer(2, ResponseCode::SUCCESS)), Received::Unexpected));
    for opaque in [0, 3, i32::MAX] {
        assert!(matches!(peer.receive(102, &answer(opaque, ResponseCode::SYSTEM_BUSY)), Received::Unexpected));
    }
    assert_eq!(peer.connection.counters().unexpected_answers, 5);
    assert_eq!(peer.connection.counters().busy_oneways, 0);
}

#[test]
fn a_busy_answer_to_a_oneway_is_counted_apart() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    assert!(matches!(peer.receive(1, &answer(-1, ResponseCode::SYSTEM_BUSY)), Received::BusyOneway));
    assert!(matches!(peer.receive(2, &answer(-2, ResponseCode::SYSTEM_ERROR)), Received::Unexpected));
    let counters = peer.connection.counters();
    assert_eq!((counters.busy_oneways, counters.unexpected_answers), (1, 1));
}

#[test]
fn requests_without_an_answer_end_at_their_deadlines_and_in_their_order() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    for (opaque, deadline, owner) in [(1, 300, "c"), (2, 100, "a"), (3, 200, "b"), (4, 200, "b2"), (5, 900, "d")] {
        peer.request(0, opaque, deadline, owner);
    }
    assert_eq!(peer.connection.poll_timeout(), due(100, Reason::Answer));
    assert_eq!(peer.pass(99).0, [""; 0]);
    assert_eq!(peer.pass(200).0, ["a", "b", "b2"]);
    assert_eq!(peer.connection.poll_timeout(), due(300, Reason::Answer));
    assert!(peer.answer(250, 5).is_some());
    assert_eq!(peer.pass(300).0, ["c"]);
}

#[test]
fn a_silent_server_closes_the_connection_and_fails_everything_on_it() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(100, 1, 1100, "asked");
    peer.request(200, 2, 9000, "other");
    assert_eq!(peer.pass(1099), (vec![], None));
    let (late, ended) = peer.pass(1100);
    assert_eq!(late, ["asked"]);
    assert_eq!(ended, Some((Ended::Closed, vec!["other"])));
    assert_eq!(peer.wishes().close, Some(peer.connection.attempt()));
    assert!(!peer.connection.is_connected());
    assert!(peer.connection.failure().contains("silent"));
}

#[test]
fn what_was_heard_before_the_request_does_not_make_a_silent_server_alive() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 3000, "answered");
    assert!(peer.answer(100, 1).is_some());
    peer.request(100, 2, 1100, "asked");
    assert!(peer.pass(1100).1.is_some());
}

#[test]
fn a_server_that_is_merely_slow_keeps_its_connection() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 2000, "slow");
    peer.request(0, 2, 9000, "pull");
    // Anything that comes is a sign of life: an answer to somebody else, or a request of its own.
    peer.receive(1500, &answer(77, ResponseCode::SUCCESS));
    assert_eq!(peer.pass(2000), (vec!["slow"], None));
    assert!(peer.connection.is_connected());
    assert_eq!(peer.answer(2500, 2), Some(("pull", ms(2500))));
}

#[test]
fn an_impatient_request_says_nothing_about_the_server() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 999, "impatient");
    assert_eq!(peer.pass(999), (vec!["impatient"], None));
    assert!(peer.connection.is_connected());
}

#[test]
fn a_request_of_the_peer_is_refused_in_its_own_type() {
    for (own, theirs) in [(HeaderCodec::Json, HeaderCodec::Binary), (HeaderCodec::Binary, HeaderCodec::Json)] {
        let mut peer = Peer::connected(0, ConnectionConfig { codec: own, ..ConnectionConfig::default() });
        let request = received(theirs, &Head::request(APACHE, RequestCode::CHECK_TRANSACTION_STATE, 99));
        assert!(matches!(peer.receive(1, &request), Received::Request));
        peer.connection.refuse_unknown(at(1), &request);
        peer.request(2, 1, 3000, "ours");
        let (written, ..) = peer.take();
        assert_eq!(written.iter().map(|command| command.codec).collect::<Vec<_>>(), [theirs, own]);
        let refusal = &written[0];
        assert!(refusal.is_response() && !refusal.is_oneway());
        assert_eq!((refusal.opaque, ResponseCode(refusal.code)), (99, ResponseCode::REQUEST_CODE_NOT_SUPPORTED));
        assert_eq!(refusal.remark.as_deref(), Some("request type 39 not supported"));
        assert_eq!(peer.connection.counters().unknown_requests, 1);
    }
}

#[test]
fn a_oneway_request_of_the_peer_is_counted_and_not_answered() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    let request = received(HeaderCodec::Json, &Head::oneway(APACHE, RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, 99));
    assert!(matches!(peer.receive(1, &request), Received::Request));
    peer.connection.refuse_unknown(at(1), &request);
    assert!(peer.take().0.is_empty());
    assert_eq!(peer.connection.counters().unknown_requests, 1);
}
