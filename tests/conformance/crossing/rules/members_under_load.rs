//! Groups of our members and Java's, each a process, that come, go and are killed while messages keep coming.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient_tests::{Bench, within};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::bench;
use crate::java::{Consumer, Line};

/// Two more than there are members.
const QUEUES: usize = 7;
/// Between two messages.
const PACE: Duration = Duration::from_millis(2);
/// A dead member's queue locks last a minute (`RebalanceLockManager.REBALANCE_LOCK_MAX_LIVE_TIME`).
const PATIENCE: Duration = Duration::from_secs(120);

/// A message that a member was given.
#[derive(Clone, Copy, Debug)]
struct Delivered {
    member: usize,
    queue_id: i64,
    queue_offset: i64,
    number: u64,
}

/// What all members were given, in the order we heard of it.
type Book = Arc<Mutex<Vec<Delivered>>>;

/// A member whose output is read.
struct Member {
    process: Child,
    reader: JoinHandle<()>,
}

impl Member {
    async fn kill(mut self) {
        self.process.kill().await.expect("the process is ours");
        self.reader.await.expect("its lines are well formed");
    }

    async fn end(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().await.expect("the process is ours").success());
        self.reader.await.expect("its lines are well formed");
    }
}

#[derive(Clone, Copy)]
enum By {
    Us,
    Java,
}

/// A group whose members consume what a producer keeps sending.
struct Crowd {
    bench: Arc<Bench>,
    group: String,
    options: &'static [&'static str],
    book: Book,
    joined: usize,
    stop: Arc<AtomicBool>,
    producer: JoinHandle<u64>,
}

impl Crowd {
    async fn new(options: &'static [&'static str]) -> Self {
        let bench = Arc::new(bench(QUEUES as u32).await);
        let (group, stop) = (bench.unique("crowd"), Arc::default());
        let producer = tokio::spawn(keep_sending(Arc::clone(&bench), Arc::clone(&stop)));
        Self { bench, group, options, book: Book::default(), joined: 0, stop, producer }
    }

    async fn join(&mut self, by: By) -> Member {
        let (name_server, topic) = (self.bench.cluster.name_server(), &*self.bench.topic);
        let consumer = match by {
            By::Us => Consumer::start_ours(name_server, topic, &self.group, self.options).await,
            By::Java => Consumer::start(name_server, topic, &self.group, self.options).await,
        };
        let (member, book) = (self.joined, Arc::clone(&self.book));
        self.joined += 1;
        let Consumer { process, mut lines, .. } = consumer;
        let reader = tokio::spawn(async move {
            // The last line of one that is killed may be cut.
            while let Ok(Some(line)) = lines.next_line().await
                && line.ends_with('}')
            {
                book.lock().unwrap().push(delivered(member, &Line::from(&line)));
            }
        });
        Member { process, reader }
    }

    /// Waits until each of these members, and nobody else, has been given something, and every queue has gone on.
    async fn settle(&self, members: &[usize]) {
        let from = self.book.lock().unwrap().len();
        within(PATIENCE, "all queues are consumed by the members that are left", async || {
            let book = self.book.lock().unwrap();
            let owners: BTreeMap<i64, usize> = book[from..].iter().map(|one| (one.queue_id, one.member)).collect();
            let owning: BTreeSet<usize> = owners.values().copied().collect();
            (owners.len() == QUEUES && owning.iter().eq(members)).then_some(())
        })
        .await;
    }

    /// No more messages are sent, and all that were have been consumed. Returns how many, and by whom.
    async fn finish(self) -> (u64, Vec<Delivered>) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.producer.await.expect("no send fails");
        within(PATIENCE, "every message is consumed", async || {
            let consumed: BTreeSet<u64> = self.book.lock().unwrap().iter().map(|one| one.number).collect();
            (consumed.len() as u64 == sent).then_some(())
        })
        .await;
        let book = self.book.lock().unwrap().clone();
        (sent, book)
    }
}

fn delivered(member: usize, line: &Line) -> Delivered {
    let body = String::from_utf8(line.body()).expect("a text of ours");
    let number = body.parse().expect("a number of ours");
    Delivered { member, queue_id: line.number("queueId"), queue_offset: line.number("queueOffset"), number }
}

/// Sends numbers to the queues in turn. Returns how many.
async fn keep_sending(bench: Arc<Bench>, stop: Arc<AtomicBool>) -> u64 {
    let (queues, mut pace, mut number) = (bench.queues().await, tokio::time::interval(PACE), 0);
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        bench.send_to(&queues[number as usize % QUEUES], bench.message(number.to_string())).await;
        number += 1;
    }
    number
}

/// Three of ours and two of Java's; one of each is killed, one of each leaves, one of each joins.
async fn a_life(crowd: &mut Crowd) -> Vec<Member> {
    let first = crowd.join(By::Us).await;
    let second = crowd.join(By::Us).await;
    let third = crowd.join(By::Us).await;
    let javas_first = crowd.join(By::Java).await;
    let javas_second = crowd.join(By::Java).await;
    crowd.settle(&[0, 1, 2, 3, 4]).await;
    first.kill().await;
    javas_first.kill().await;
    crowd.settle(&[1, 2, 4]).await;
    second.end().await;
    let fourth = crowd.join(By::Us).await;
    let javas_third = crowd.join(By::Java).await;
    crowd.settle(&[2, 4, 5, 6]).await;
    javas_second.end().await;
    crowd.settle(&[2, 5, 6]).await;
    vec![third, fourth, javas_third]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_consumed_while_members_of_both_kinds_come_go_and_are_killed() {
    let mut crowd = Crowd::new(&[]).await;
    let members = a_life(&mut crowd).await;
    let (sent, book) = crowd.finish().await;
    println!("{sent} messages were delivered {} times", book.len());
    for member in members {
        member.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_queue_stays_in_order_and_skips_nothing_while_members_of_both_kinds_come_go_and_are_killed() {
    let mut crowd = Crowd::new(&["--orderly"]).await;
    let members = a_life(&mut crowd).await;
    let (sent, book) = crowd.finish().await;
    println!("{sent} messages were delivered {} times", book.len());
    assert_in_order(&book);
    for member in members {
        member.end().await;
    }
}

/// A member is given a queue's messages one after the other. It goes on elsewhere only where somebody has been: forwards
/// when the queue was another's meanwhile, backwards when its last commit was lost.
fn assert_in_order(book: &[Delivered]) {
    let mut by_member: BTreeMap<(i64, usize), Vec<i64>> = BTreeMap::new();
    for one in book {
        by_member.entry((one.queue_id, one.member)).or_default().push(one.queue_offset);
    }
    for ((queue, member), offsets) in &by_member {
        let others: BTreeSet<i64> = book
            .iter()
            .filter(|one| one.queue_id == *queue && one.member != *member)
            .map(|one| one.queue_offset)
            .collect();
        let mut seen = BTreeSet::new();
        for pair in offsets.windows(2) {
            let [before, next] = *pair else { continue };
            seen.insert(before);
            let is_covered = |offset: i64| others.contains(&offset);
            let fits = if next > before {
                (before + 1..next).all(is_covered)
            } else {
                seen.contains(&next) || is_covered(next)
            };
            assert!(fits, "member {member} was given {next} after {before} of queue {queue}: {offsets:?}");
        }
    }
}
