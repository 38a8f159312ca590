//! Opening, closing, trying again, and whom each end fails.

use super::*;

#[test]
fn a_connection_is_made_once_for_all_who_wait() {
    let mut peer = Peer::new(ConnectionConfig::default());
    assert_eq!((peer.connection.poll_timeout(), peer.wishes()), (None, Wishes::default()));
    peer.connection.wait(at(0), "first");
    let attempt = peer.connection.attempt();
    assert_eq!(peer.wishes(), Wishes { connect: Some(attempt), ..Wishes::default() });
    peer.connection.wait(at(1), "second");
    assert_eq!(peer.wishes(), Wishes::default());
    assert!(peer.connection.is_open() && !peer.connection.is_connected());
    assert_eq!(peer.connection.handle_connected(at(2), attempt), ["first", "second"]);
    assert!(peer.connection.is_connected());
    assert_eq!(peer.connection.handle_connected(at(3), attempt), [""; 0]);
    assert_eq!(peer.connection.counters().connects, 1);
}

#[test]
fn opening_that_takes_too_long_is_given_up() {
    let mut peer = Peer::new(ConnectionConfig { connect_timeout: ms(500), ..ConnectionConfig::default() });
    peer.connection.wait(at(0), "waits");
    let attempt = peer.wishes().connect.unwrap();
    assert_eq!(peer.connection.poll_timeout(), due(500, Reason::Connect));
    assert_eq!(peer.pass(499), (vec![], None));
    assert_eq!(peer.pass(500), (vec![], Some((Ended::NotConnected, vec!["waits"]))));
    assert_eq!(peer.wishes().close, Some(attempt));
    assert_eq!(peer.connection.failure(), "not connected within 500 ms");
    // The host's socket stood just then: it has been told to close it.
    assert_eq!(peer.connection.handle_connected(at(500), attempt), [""; 0]);
    assert!(peer.connection.is_paused());
}

#[test]
fn what_a_host_says_of_an_earlier_try_is_void() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    let first = peer.connection.attempt();
    assert!(peer.end(1, "reset").is_some());
    assert_eq!(peer.end(2, "again"), None);
    assert_eq!(peer.connection.failure(), "reset");
    peer.connection.wait(at(2), "waits");
    peer.pass(1000);
    let second = peer.wishes().connect.unwrap();
    assert_ne!(first, second);
    assert_eq!(peer.connection.handle_connected(at(1001), first), [""; 0]);
    assert_eq!(peer.connection.handle_closed(at(1001), first, "late".into(), &mut peer.random), None);
    assert_eq!(peer.connection.handle_connected(at(1001), second), ["waits"]);
    assert_eq!(peer.connection.handle_closed(at(1002), first, "late".into(), &mut peer.random), None);
    assert!(peer.connection.is_connected());
}

#[test]
fn an_end_fails_those_whom_it_finds() {
    let mut waiting = Peer::new(ConnectionConfig::default());
    waiting.connection.wait(at(0), "waits");
    assert_eq!(waiting.end(1, "refused"), Some((Ended::NotConnected, vec!["waits"])));
    assert_eq!(waiting.connection.failure(), "refused");

    let mut standing = Peer::connected(0, ConnectionConfig::default());
    standing.oneway(0, "leaving", b"");
    standing.take();
    standing.oneway(0, "unwritten", b"");
    standing.request(0, 1, 900, "later");
    standing.request(0, 2, 100, "sooner");
    let (ended, owners) = standing.end(1, "reset").unwrap();
    assert_eq!(ended, Ended::Closed);
    assert_eq!(owners, ["sooner", "later", "leaving", "unwritten"]);
    assert!(!standing.connection.is_owing());
    assert_eq!(standing.answer(2, 1), None);
}

#[test]
fn our_own_end_gives_the_owners_back_and_lets_the_next_try_begin_at_once() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 900, "asked");
    peer.oneway(0, "unwritten", b"");
    let attempt = peer.connection.attempt();
    peer.wishes();
    assert_eq!(peer.connection.close("it is a test"), ["asked", "unwritten"]);
    assert_eq!(peer.wishes().close, Some(attempt));
    assert_eq!(peer.connection.poll_timeout(), None);
    assert_eq!(peer.connection.close("it is a test"), [""; 0]);
    assert_eq!(peer.wishes(), Wishes::default());
    peer.connect(1);
}

#[test]
fn after_a_failure_there_is_a_pause_and_then_whoever_waits_is_served() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.end(1000, "reset");
    assert!(peer.wishes().ended);
    let until = peer.connection.poll_timeout().unwrap();
    assert_eq!(until.reason, Reason::Reconnect);
    assert!((at(1050)..=at(1100)).contains(&until.at), "{until:?}");
    peer.connection.wait(at(1001), "waits");
    assert_eq!((peer.pass(1049), peer.wishes()), ((vec![], None), Wishes::default()));
    peer.pass(1100);
    assert_eq!(peer.wishes().connect, Some(peer.connection.attempt()));
    assert_eq!(peer.connection.handle_connected(at(1101), peer.connection.attempt()), ["waits"]);
}

#[test]
fn nobody_waits_nothing_is_tried() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.end(0, "reset");
    assert!(peer.wishes().ended);
    peer.pass(100);
    assert_eq!((peer.wishes(), peer.connection.poll_timeout()), (Wishes::default(), None));
    // The pause is over, so the next one who waits need not wait for it.
    peer.connect(101);
}

#[test]
fn pauses_double_until_something_was_received() {
    let config = ConnectionConfig { least_pause: ms(100), most_pause: ms(1000), ..ConnectionConfig::default() };
    let mut peer = Peer::new(config);
    let mut now = 0;
    let mut pause = |peer: &mut Peer, hears: bool| {
        peer.connect(now);
        if hears {
            peer.receive(now, &answer(1, ResponseCode::SUCCESS));
        }
        peer.end(now, "reset");
        let until = peer.connection.poll_timeout().unwrap().at;
        let pause = until.since(at(now)).as_millis();
        now += 10_000;
        peer.pass(now);
        pause
    };
    for full in [100, 200, 400, 800, 1000, 1000] {
        let took = pause(&mut peer, false);
        assert!((full / 2..=full).contains(&took), "{took} for {full}");
    }
    // Standing alone proves nothing; a server that says something is back.
    for full in [100, 200] {
        let took = pause(&mut peer, full == 100);
        assert!((full / 2..=full).contains(&took), "{took} for {full}");
    }
}

#[test]
fn a_connection_on_which_nothing_is_said_is_closed() {
    let mut peer = Peer::connected(0, ConnectionConfig { idle_timeout: ms(5000), ..ConnectionConfig::default() });
    let attempt = peer.connection.attempt();
    assert_eq!(peer.connection.poll_timeout(), due(5000, Reason::Idle));
    peer.oneway(1000, "told", b"");
    assert_eq!(peer.connection.poll_timeout(), due(6000, Reason::Idle));
    peer.request(2000, 1, 4000, "asked");
    peer.take();
    peer.take();
    assert!(peer.answer(3000, 1).is_some());
    assert_eq!(peer.connection.poll_timeout(), due(8000, Reason::Idle));
    peer.wishes();
    assert_eq!((peer.pass(7999), peer.wishes()), ((vec![], None), Wishes::default()));
    peer.pass(8000);
    assert_eq!(peer.wishes().close, Some(attempt));
    assert_eq!(peer.connection.poll_timeout(), None);
    // Nothing has failed, so there is no pause.
    peer.connect(8001);
    assert_eq!(peer.connection.poll_timeout(), due(13_001, Reason::Idle));
}

#[test]
fn a_connection_on_which_an_answer_is_awaited_is_not_idle() {
    let mut peer = Peer::connected(0, ConnectionConfig { idle_timeout: ms(5000), ..ConnectionConfig::default() });
    peer.request(0, 1, 30_000, "pull");
    assert_eq!(peer.connection.poll_timeout(), due(30_000, Reason::Answer));
    assert_eq!(peer.pass(29_999), (vec![], None));
    assert!(peer.connection.is_connected());
}

#[test]
fn an_idle_end_fails_the_oneways_that_the_peer_never_took() {
    let mut peer = Peer::connected(0, ConnectionConfig { idle_timeout: ms(5000), ..ConnectionConfig::default() });
    peer.oneway(0, "leaving", b"");
    peer.take();
    peer.oneway(0, "unwritten", b"");
    assert_eq!(peer.pass(5000), (vec![], Some((Ended::Closed, vec!["leaving", "unwritten"]))));
    assert!(peer.connection.failure().contains("idle"), "{}", peer.connection.failure());
    // The next socket starts with nothing of the last one, and its host is asked to write.
    peer.connect(5001);
    peer.wishes();
    peer.request(5001, 1, 9000, "asked");
    assert!(peer.wishes().flush);
    assert_eq!(peer.take().0.len(), 1);
}

#[test]
fn a_server_that_is_about_to_stop_gets_nothing_more_and_may_answer_what_it_owes() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 900, "told to go");
    peer.request(0, 2, 900, "owed");
    peer.take();
    peer.take();
    let first = peer.connection.attempt();
    let go_away = answer(1, ResponseCode::GO_AWAY);
    assert!(matches!(peer.connection.handle_command(at(1), &go_away), Received::Answer { owner: "told to go", .. }));
    assert!(!peer.connection.is_connected() && peer.connection.is_standing());
    peer.connection.wait(at(2), "asks anew");
    assert_eq!(peer.wishes().connect, None, "one socket at a time");
    assert_eq!(peer.answer(3, 2), Some(("owed", ms(3))));
    let wishes = peer.wishes();
    assert_eq!(wishes.close, Some(first));
    let second = wishes.connect.expect("somebody waits");
    assert_eq!(peer.connection.handle_connected(at(4), second), ["asks anew"]);
    assert!(peer.connection.is_connected());
}

#[test]
fn a_server_that_is_about_to_stop_has_half_a_second_for_what_it_owes() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 900, "told to go");
    peer.request(0, 2, 30_000, "held");
    peer.take();
    peer.take();
    peer.connection.handle_command(at(1), &answer(1, ResponseCode::GO_AWAY));
    assert_eq!(peer.connection.poll_timeout(), due(501, Reason::Reconnect));
    assert_eq!(peer.pass(500), (vec![], None));
    assert_eq!(peer.pass(501), (vec![], Some((Ended::Closed, vec!["held"]))));
    assert!(!peer.connection.is_standing());
}

#[test]
fn what_a_rebuff_may_mean_is_said_only_of_a_peer_that_never_said_anything() {
    let ends = |hears_before: bool, after: u64| {
        let mut peer = Peer::connected(0, ConnectionConfig::default());
        if hears_before {
            peer.request(0, 1, 3000, "asked");
            peer.answer(1, 1);
            peer.end(2, "reset");
            peer.pass(1000);
            peer.connect(1000);
        }
        let reason = CloseReason::from("closed by the server").or_perhaps("; perhaps it demands TLS");
        let closed_at = at(if hears_before { 1000 + after } else { after });
        let attempt = peer.connection.attempt();
        peer.connection.handle_closed(closed_at, attempt, reason, &mut peer.random);
        peer.connection.failure().to_owned()
    };
    assert_eq!(ends(false, 5), "closed by the server; perhaps it demands TLS");
    assert_eq!(ends(false, 1000), "closed by the server", "it has taken its time");
    assert_eq!(ends(true, 5), "closed by the server", "it has spoken to us before");
}
