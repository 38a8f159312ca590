//! Which member of a group may consume which queue in order.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, LockedQueues, QueueKey, QueueLockRequest};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::request::{LockQueues, UnlockQueues};
use stgclient_servers::{Memory, Peer, ServerId};

use super::client::{Bench, code};

/// Nothing is granted.
const NONE: [i32; 0] = [];

fn request(group: &str, client: &str, queues: &[i32]) -> Vec<u8> {
    let queue = |queue_id: &i32| QueueKey { broker_name: "broker-a".into(), queue_id: *queue_id, topic: "t".into() };
    body::to_vec(&QueueLockRequest {
        client_id: client.into(),
        consumer_group: group.into(),
        mq_set: queues.iter().map(queue).collect(),
        only_this_broker: false,
    })
}

/// Which of the queues are granted.
fn lock(bench: &mut Bench, peer: Peer, group: &str, client: &str, queues: &[i32]) -> Vec<i32> {
    let answer = bench.ask_with(peer, &LockQueues {}, &request(group, client, queues));
    assert_eq!(code(&answer), Code::SUCCESS);
    let granted: LockedQueues = body::from_slice(&answer.body).expect("queues");
    granted.lock_ok_mq_set.iter().map(|queue| queue.queue_id).collect()
}

/// Who has a queue of the group `g`, as the broker says.
fn owner(bench: &mut Bench, queue_id: u32) -> Option<String> {
    let now = bench.now.mono;
    bench.broker().lock_owner(now, "g", "t", queue_id).map(str::to_owned)
}

fn unlock(bench: &mut Bench, peer: Peer, client: &str, queues: &[i32]) {
    let answer = bench.ask_with(peer, &UnlockQueues {}, &request("g", client, queues));
    assert_eq!(code(&answer), Code::SUCCESS);
}

#[test]
fn a_queue_is_locked_by_one_member_of_each_group() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    assert_eq!(lock(&mut bench, peer, "g", "one", &[0, 1]), [0, 1]);
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0, 1, 2]), [2]);
    assert_eq!(lock(&mut bench, peer, "g", "one", &[0, 1, 2]), [0, 1]);
    assert_eq!(lock(&mut bench, peer, "h", "two", &[0, 1, 2]), [0, 1, 2]);
}

#[test]
fn a_lock_is_given_back_by_its_owner_only() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    lock(&mut bench, peer, "g", "one", &[0, 1]);
    unlock(&mut bench, peer, "two", &[0, 1]);
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0, 1]), NONE);
    unlock(&mut bench, peer, "one", &[1, 2]);
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0, 1]), [1]);
}

#[test]
fn a_lock_ends_after_60_seconds_unless_it_is_asked_for_again() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    lock(&mut bench, peer, "g", "one", &[0, 1]);
    bench.pass(Duration::from_secs(30));
    lock(&mut bench, peer, "g", "one", &[1]);
    bench.pass(Duration::from_secs(30));
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0, 1]), NONE);
    assert_eq!(owner(&mut bench, 0).as_deref(), Some("one"));
    bench.pass(Duration::from_millis(1));
    assert_eq!((owner(&mut bench, 0), owner(&mut bench, 1).as_deref()), (None, Some("one")));
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0, 1]), [0]);
    assert_eq!(owner(&mut bench, 0).as_deref(), Some("two"));
    assert_eq!(lock(&mut bench, peer, "g", "one", &[0, 1]), [1]);
}

#[test]
fn a_broker_that_was_stopped_knows_of_no_lock() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    lock(&mut bench, peer, "g", "one", &[0]);
    let server = ServerId::Broker(0);
    bench.cluster.stop(bench.now, server);
    bench.cluster.start(bench.now, server, Memory::Kept);
    let peer = bench.connect(server);
    assert_eq!(lock(&mut bench, peer, "g", "two", &[0]), [0]);
}

#[test]
fn locks_end_with_their_time_and_not_with_the_connection() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let second = bench.connect(ServerId::Broker(0));
    lock(&mut bench, first, "g", "one", &[0]);
    bench.close(first);
    assert_eq!(lock(&mut bench, second, "g", "two", &[0]), NONE);
}

#[test]
fn only_so_many_queues_are_locked_and_expired_locks_make_room() {
    let (mut bench, peer) = Bench::with_config(|config| config.state_bytes = 8_400);
    let all: Vec<i32> = (0..100).collect();
    let locked = lock(&mut bench, peer, "g", "one", &all);
    assert!((2..50).contains(&locked.len()), "{locked:?}");
    assert_eq!(lock(&mut bench, peer, "h", "one", &[0]), NONE);
    bench.pass(Duration::from_secs(61));
    assert_eq!(lock(&mut bench, peer, "h", "one", &[0]), [0]);
    assert_eq!(lock(&mut bench, peer, "g", "one", &[0, 1]), [0, 1]);
}
