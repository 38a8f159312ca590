//! Bytes on their way out: who is asked to take them, how many may wait, and what is known of those that left.

use super::*;

/// Marks so low that two messages reach them.
fn low_marks() -> ConnectionConfig {
    ConnectionConfig { high_water: 2000, low_water: 1000, ..ConnectionConfig::default() }
}

#[test]
fn a_host_is_asked_once_until_it_has_found_nothing_to_write() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 9000, "a");
    assert!(peer.wishes().flush);
    peer.request(0, 2, 9000, "b");
    assert!(!peer.wishes().flush);
    assert_eq!(peer.take().0.iter().map(|command| command.opaque).collect::<Vec<_>>(), [1, 2]);
    // The host is writing, and looks here again by itself.
    peer.request(1, 3, 9000, "c");
    assert!(!peer.wishes().flush);
    assert_eq!(peer.take().0.len(), 1);
    assert_eq!(peer.take().0.len(), 0);
    peer.request(2, 4, 9000, "d");
    assert!(peer.wishes().flush);
}

#[test]
fn a_new_socket_is_asked_to_write_whatever_the_old_one_was_doing() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.request(0, 1, 9000, "taken");
    peer.take();
    peer.request(0, 2, 9000, "not taken");
    peer.end(1, "reset");
    peer.pass(1000);
    peer.connect(1000);
    peer.wishes();
    peer.request(1000, 3, 9000, "new");
    assert!(peer.wishes().flush);
    assert_eq!(peer.take().0.iter().map(|command| command.opaque).collect::<Vec<_>>(), [3]);
}

#[test]
fn above_the_high_water_mark_nothing_more_is_taken_until_below_the_low_one() {
    let mut peer = Peer::connected(0, low_marks());
    peer.oneway(0, "a", &[0; 900]);
    assert!(peer.connection.has_room());
    peer.oneway(0, "b", &[0; 900]);
    assert!(!peer.connection.has_room());
    // Taken is not written.
    assert!(!peer.take().2);
    assert!(!peer.connection.has_room());
    peer.oneway(0, "c", &[0; 1000]);
    assert!(!peer.take().2, "more than the low mark is leaving");
    peer.oneway(0, "d", &[]);
    assert!(peer.take().2);
    assert!(peer.connection.has_room());
    assert!(!peer.take().2, "there was room already");
}

#[test]
fn what_the_host_has_taken_counts_until_it_asks_again() {
    let mut peer = Peer::connected(0, low_marks());
    peer.oneway(0, "a", &[0; 1000]);
    peer.take();
    peer.oneway(0, "b", &[0; 900]);
    assert!(!peer.connection.has_room());
    peer.take();
    assert!(peer.take().1.contains(&"b"));
    peer.oneway(0, "c", &[0; 1000]);
    assert!(peer.connection.has_room());
}

#[test]
fn requests_without_answers_fill_a_connection_too() {
    let mut peer = Peer::connected(0, ConnectionConfig { max_in_flight: 2, ..ConnectionConfig::default() });
    peer.request(0, 1, 9000, "a");
    assert!(peer.connection.has_room());
    peer.request(0, 2, 9000, "b");
    assert!(!peer.connection.has_room());
    assert!(peer.answer(1, 1).is_some());
    assert!(peer.connection.has_room());
}

#[test]
fn a_connection_that_ends_has_room() {
    let mut peer = Peer::connected(0, low_marks());
    peer.oneway(0, "a", &[0; 3000]);
    assert!(!peer.connection.has_room());
    peer.end(1, "reset");
    assert!(peer.connection.has_room());
}

#[test]
fn a_oneway_is_written_when_the_host_asks_again() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    peer.oneway(0, "a", b"");
    peer.oneway(0, "b", b"");
    assert_eq!(peer.take().1, [""; 0]);
    peer.oneway(0, "c", b"");
    assert_eq!(peer.take().1, ["a", "b"]);
    assert_eq!(peer.take().1, ["c"]);
    assert_eq!(peer.take().1, [""; 0]);
}

#[test]
fn a_connection_owes_as_long_as_anybody_waits_for_anything_on_it() {
    let mut waiting = Peer::new(ConnectionConfig::default());
    waiting.connection.wait(at(0), "waits");
    assert!(waiting.connection.is_owing());

    let mut peer = Peer::connected(0, ConnectionConfig::default());
    assert!(!peer.connection.is_owing());
    peer.request(0, 1, 9000, "asked");
    assert!(peer.connection.is_owing());
    peer.take();
    peer.take();
    assert!(peer.connection.is_owing());
    assert!(peer.answer(1, 1).is_some());
    assert!(!peer.connection.is_owing());
    peer.oneway(2, "unwritten", b"");
    assert!(peer.connection.is_owing());
    peer.take();
    assert!(peer.connection.is_owing(), "the oneway is on its way");
    peer.take();
    assert!(!peer.connection.is_owing());
}

#[test]
fn a_large_body_goes_behind_its_header_and_before_the_next_frame() {
    let mut peer = Peer::connected(0, ConnectionConfig::default());
    for length in [10, 100_000, 0, 5000] {
        peer.oneway(0, "a", &vec![7; length]);
    }
    let (commands, ..) = peer.take();
    assert_eq!(commands.iter().map(|command| command.body.len()).collect::<Vec<_>>(), [10, 100_000, 0, 5000]);
}
