//! What has to be so: some of it all the time, the rest once all is well again.

use std::collections::BTreeMap;
use std::sync::Arc;

use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::{Duration, Instant};

use super::following;
use super::ledger::{Entries, Sent, Work};
use super::member::{CONSUME_TIMEOUT, Stored};
use super::options::{Kind, Options, Pace};
use super::scene::Scene;
use super::{GROUP, SECOND, SECOND_TOPIC, TOPIC};

/// A consumer hears of another subscription at once, and the broker by the next heartbeat, which follows it.
const SUBSCRIBING: Duration = Duration::from_secs(1);
/// A topic that is made anew is found by the next refresh of the routes.
const FINDING: Duration = Duration::from_secs(35);

/// After a seek back what has been consumed comes again, which takes time where handlers do.
const CATCHING_UP: Duration = Duration::from_secs(60);

/// For so many looks an older commit that lands after a reset may stand: a broker tells of the reset when it answers a pull
/// (`PullMessageProcessor`, `queryThenEraseResetOffset`), which it may hold for long, and then another commit is under way.
const UNDONE: u32 = 60;

/// What brokers have of the group: its offset of a queue.
pub(super) fn committed(scene: &Scene, queue: &MessageQueue) -> Option<u64> {
    let offset =
        scene.cluster.broker(&queue.broker_name, |broker| broker.committed(GROUP, &queue.topic, queue.queue_id));
    offset.and_then(|offset| u64::try_from(offset).ok())
}

/// All the time: nothing is committed that is not settled.
pub(super) fn watch(scene: &Scene) {
    following::look_for_left(scene);
    if scene.options.is_broadcasting() {
        return;
    }
    let now = scene.now();
    let queues = scene.queues(TOPIC).into_iter().chain(scene.queues(SECOND_TOPIC));
    let offsets: BTreeMap<MessageQueue, u64> =
        queues.filter_map(|queue| Some((queue.clone(), committed(scene, &queue)?))).collect();
    let mut entries = scene.ledger.lock();
    for queue in offsets.keys() {
        entries.first_commits.entry(queue.clone()).or_insert(now);
    }
    let undone = entries.reset_undone(&offsets);
    entries.undone_for = if undone.is_some() { entries.undone_for + 1 } else { 0 };
    if let Some(wrong) = undone.filter(|_| entries.undone_for > UNDONE) {
        drop(entries);
        return scene.ledger.found("a-reset-of-offsets-wins", wrong);
    }
    // Where a broker says that offsets have moved, what was fetched before may be passed over, as Java does.
    if scene.options.has_any(&[Kind::AdminResets, Kind::OffsetMoved]) {
        return;
    }
    let is_settled =
        |work: &Work| work.end.is_some() || scene.options.has(Kind::Hangs) && work.begin + CONSUME_TIMEOUT <= now;
    let wrong = entries.sent.iter().find_map(|(body, sent)| {
        let (_, place) = sent.receipt.as_ref().filter(|_| sent.topic == TOPIC || !scene.options.has(Kind::Vanishes))?;
        let committed = *offsets.get(&place.0)?;
        let is_open = place.1 < committed && entries.must_be_consumed(&scene.options, None, sent);
        let works = entries.work.get(place);
        (is_open && !works.is_some_and(|works| works.iter().any(is_settled)))
            .then(|| format!("{committed} is committed of {}, and {} ({body}) was never settled", place.0, place.1))
    });
    drop(entries);
    if let Some(wrong) = wrong {
        scene.ledger.found("nothing-unsettled-is-committed", wrong);
    }
}

/// Once all is well: what was acknowledged is consumed, in order, and everything has an owner.
pub(super) fn check(scene: &Scene) {
    let found = |rule: &'static str, wrong: Option<String>| {
        wrong.into_iter().for_each(|what| scene.ledger.found(rule, what));
    };
    let entries = scene.ledger.lock();
    let consumed = entries.lost(scene);
    let (order, overlap, overtaken) = (entries.order(scene), entries.overlap(scene), entries.overtaken(scene));
    let (sought, waits) = (entries.seek_that_lost(&scene.options), entries.who_waits());
    let (reset, late, unsent) = (entries.reset_that_lost(), entries.late(scene), entries.gave_up(scene));
    let uncalled =
        entries.callbacks.first().map(|body| format!("{} of them, such as that of {body}", entries.callbacks.len()));
    drop(entries);
    found("what-is-acknowledged-is-consumed", consumed);
    found("an-orderly-queue-is-in-order", order);
    found("an-orderly-queue-has-one-delivery-at-a-time", overlap);
    found("what-failed-is-not-overtaken", overtaken);
    found("a-reset-of-offsets-wins", reset);
    found("a-seek-wins", sought);
    found("ready-ends-with-the-consumer-or-in-time", waits);
    found("what-a-listener-heard-is-so", following::misheard(scene));
    found("what-comes-is-delivered-soon", late);
    found("a-send-rides-out", unsent);
    found("every-callback-is-called", uncalled);
    found("every-queue-has-one-owner", unowned(scene));
    found("all-is-committed-in-the-end", uncommitted(scene));
}

fn unowned(scene: &Scene) -> Option<String> {
    let members = scene.members();
    let mut owners: BTreeMap<MessageQueue, Vec<u32>> = BTreeMap::new();
    for (number, member) in members.iter() {
        let status = member.consumer.status();
        if status.lag() != Some(0) {
            return Some(format!("member {number} lags by {:?}", status.lag()));
        }
        for queue in status.queues.iter().filter(|queue| queue.is_consuming && !queue.is_paused) {
            owners.entry(queue.queue.clone()).or_default().push(*number);
        }
    }
    let expected = if scene.options.is_broadcasting() { members.len() } else { 1 };
    let topics: &[&str] = if scene.second_exists() { &[TOPIC, SECOND_TOPIC] } else { &[TOPIC] };
    let mut queues = topics.iter().flat_map(|topic| scene.queues(topic));
    let wrong = queues.find(|queue| owners.get(queue).map_or(0, Vec::len) != expected)?;
    Some(format!("{wrong} belongs to {:?}, of {} members", owners.get(&wrong), members.len()))
}

fn uncommitted(scene: &Scene) -> Option<String> {
    let members: Vec<(u32, Stored)> =
        scene.members().iter().map(|(number, member)| (*number, Arc::clone(&member.stored))).collect();
    scene.queues(TOPIC).into_iter().find_map(|queue| {
        let stored = scene.cluster.broker(&queue.broker_name, |broker| broker.offsets(TOPIC, queue.queue_id));
        let stored = stored.map_or(0, |(_, max)| max as u64);
        let wrong = |by: Option<u32>, committed: Option<u64>| {
            let is_wrong = committed.unwrap_or(0) != stored;
            is_wrong.then(|| format!("{committed:?} of {queue}, which has {stored}, member {by:?}"))
        };
        if !scene.options.is_broadcasting() {
            return wrong(None, committed(scene, &queue));
        }
        let offset = |stored: &Stored| stored.lock().unwrap().get(&queue).copied();
        members.iter().find_map(|(number, stored)| wrong(Some(*number), offset(stored)))
    })
}

/// What was delivered of one queue, or of it to one member, with the offsets, in the order it began.
struct Lane<'a> {
    queue: &'a MessageQueue,
    member: Option<u32>,
    works: Vec<(u64, &'a Work)>,
}

/// The works of each queue, or of each member's where each gets everything.
fn lanes<'a>(entries: &'a Entries, options: &Options) -> Vec<Lane<'a>> {
    let mut lanes: BTreeMap<_, Vec<(u64, &Work)>> = BTreeMap::new();
    for ((queue, offset), works) in entries.work.iter().filter(|((queue, _), _)| &*queue.topic == TOPIC) {
        for work in works {
            let member = options.is_broadcasting().then_some(work.member);
            lanes.entry((queue, member)).or_default().push((*offset, work));
        }
    }
    let in_order = |((queue, member), mut works): (_, Vec<(u64, &'a Work)>)| {
        works.sort_by_key(|(offset, work)| (work.begin, *offset));
        Lane { queue, member, works }
    };
    lanes.into_iter().map(in_order).collect()
}

impl Entries {
    /// Whether a message has to be consumed, by the group or by this member of it.
    pub(super) fn must_be_consumed(&self, options: &Options, member: Option<u32>, sent: &Sent) -> bool {
        let Some((acknowledged, (queue, offset))) = &sent.receipt else {
            return false;
        };
        if sent.topic == SECOND_TOPIC {
            let made = self.second_made.filter(|_| options.has_any(&[Kind::Appears, Kind::Vanishes]));
            let wait = if options.has(Kind::Vanishes) { FINDING } else { Duration::ZERO };
            let began = options.from == ConsumeFrom::FirstOffset
                || self.newest_start(member, queue).is_some_and(|start| sent.begin >= start);
            return began && made.is_some_and(|made| sent.begin >= made + wait);
        }
        if self.is_sought_past(queue, *offset, member) {
            return false;
        }
        if options.has(Kind::OffsetMoved) && self.healed.is_none_or(|healed| sent.begin < healed) {
            return false;
        }
        if options.has(Kind::Subscriptions) && sent.tag == "b" {
            return self.widened.is_some_and(|widened| sent.begin >= widened + SUBSCRIBING);
        }
        let is_passed = |(at, of, to): &(Instant, MessageQueue, u64)| of == queue && offset < to && *at >= sent.begin;
        if self.resets.iter().any(is_passed) || acknowledged < &sent.begin {
            return false;
        }
        options.from == ConsumeFrom::FirstOffset
            || self.has_begun(options, member, queue).is_some_and(|begun| sent.begin >= begun)
    }

    /// From when on nothing of a queue may be missed by a group that begins with the last offset: its start. Where members
    /// end while other things go wrong too, perhaps before any broker has heard of them: its first commit.
    fn has_begun(&self, options: &Options, member: Option<u32>, queue: &MessageQueue) -> Option<Instant> {
        use Kind as K;
        let ends = options.has_any(&[K::Deaths, K::ComeAndGo, K::EarlyEnd]);
        let is_unsafe = ends && options.count() > 1;
        if is_unsafe && options.is_broadcasting() {
            // Where it would have begun is nowhere if the broker was away for as long as the member was there.
            self.newest_start(member, queue)
        } else if is_unsafe {
            self.first_commits.get(queue).copied()
        } else if queue.queue_id >= options.queues || options.has_any(&[K::Strategies, K::Requests]) {
            // Where strategies fail, or questions are lost, whoever was there first may not get to begin it.
            self.newest_start(member, queue)
        } else {
            self.start_of(member)
        }
    }

    /// A queue that appears is newer than whoever was there before it. Of several members any may be the first that has it.
    fn newest_start(&self, member: Option<u32>, queue: &MessageQueue) -> Option<Instant> {
        // Nor has whoever was away then stored anything of it.
        if let Some(member) = member {
            return self.last_starts.get(&member).copied();
        }
        let first_commit = self.first_commits.get(queue);
        self.starts.values().filter(|start| first_commit.is_none_or(|at| *start <= at)).max().copied()
    }

    fn lost(&self, scene: &Scene) -> Option<String> {
        let options = &scene.options;
        let members: Vec<Option<u32>> =
            if options.is_broadcasting() { scene.members().keys().copied().map(Some).collect() } else { vec![None] };
        let mut lost = Vec::new();
        for member in members {
            for (body, sent) in self.sent.iter().filter(|(_, sent)| self.must_be_consumed(options, member, sent)) {
                let is_there = match member {
                    // What fails there is not brought again.
                    Some(member) => self.deliveries.get(body).is_some_and(|to| to.contains_key(&member)),
                    None => self.consumed.contains_key(body),
                };
                if !is_there {
                    lost.push((member, body, sent));
                }
            }
        }
        let (member, body, sent) = lost.first()?;
        Some(format!("{} are not, such as {body} {sent:?}, member {member:?}, starts {:?}", lost.len(), self.starts))
    }

    /// First deliveries come in the order of the offsets, as long as nobody seeks.
    fn order(&self, scene: &Scene) -> Option<String> {
        // What was not wanted at first may be fetched again, and is then delivered for the first time.
        if !scene.options.is_orderly() || scene.options.has_any(&[Kind::AdminResets, Kind::Subscriptions]) {
            return None;
        }
        lanes(self, &scene.options).into_iter().find_map(|Lane { queue, member, works }| {
            let seeks: Vec<Instant> = self.seeks_in(queue, member).map(|seek| seek.at).collect();
            let (mut seen, mut last, mut sought) = (std::collections::BTreeSet::new(), None, 0);
            works.iter().find_map(|(offset, work)| {
                let before = seeks.iter().filter(|at| **at < work.begin).count();
                // Who goes before the broker knows of a seek has the next one begin where it was.
                if before > 0 && scene.options.may_lose_locks() {
                    return None;
                }
                if std::mem::replace(&mut sought, before) != before {
                    last = None;
                }
                let is_late = seen.insert(*offset) && last.is_some_and(|last| last > *offset);
                let wrong = is_late.then(|| format!("{offset} comes after {last:?}: {work:?}"));
                last = last.max(Some(*offset));
                wrong
            })
        })
    }

    /// One delivery of a queue has ended before the next one begins.
    fn overlap(&self, scene: &Scene) -> Option<String> {
        if !scene.options.is_orderly() || scene.options.may_lose_locks() {
            return None;
        }
        lanes(self, &scene.options).into_iter().find_map(|Lane { works, .. }| {
            works.windows(2).find_map(|pair| {
                let [(first, one), (second, other)] = pair else {
                    return None;
                };
                let overlaps = one.end.is_none_or(|end| end > other.begin);
                overlaps.then(|| format!("{first} {one:?} and {second} {other:?}"))
            })
        })
    }

    /// What follows a failure is the same message, or an earlier one, unless somebody seeks.
    fn overtaken(&self, scene: &Scene) -> Option<String> {
        if !scene.options.is_orderly() || scene.options.may_lose_locks() || scene.options.is_broadcasting() {
            return None;
        }
        lanes(self, &scene.options).into_iter().find_map(|Lane { queue, member, works }| {
            works.windows(2).find_map(|pair| {
                let [(first, one), (second, other)] = pair else {
                    return None;
                };
                let is_overtaken = one.end.is_some() && !one.is_consumed && second > first;
                let is_sought = self.seeks_in(queue, member).any(|seek| (one.begin..=other.begin).contains(&seek.at));
                (is_overtaken && !is_sought).then(|| format!("{first} {one:?} by {second} {other:?}"))
            })
        })
    }

    /// After an administrator has set a group back to the beginning of a queue it is delivered again.
    fn reset_that_lost(&self) -> Option<String> {
        let last_of = |queue: &MessageQueue| self.resets.iter().rev().find(|(_, of, _)| of == queue);
        self.sent.iter().find_map(|(body, sent)| {
            let (acknowledged, place) = sent.receipt.as_ref()?;
            let (at, _, to) = last_of(&place.0)?;
            let is_back = place.1 >= *to && acknowledged < at;
            let works = self.work.get(place);
            let is_there = works.is_some_and(|works| works.iter().any(|work| work.begin >= *at));
            (is_back && !is_there).then(|| format!("{body} at {place:?} after {to} was set at {at:?}"))
        })
    }

    /// What the group commits after that is what it has settled since.
    fn reset_undone(&self, committed: &BTreeMap<MessageQueue, u64>) -> Option<String> {
        let mut last: BTreeMap<&MessageQueue, (Instant, u64)> = BTreeMap::new();
        for (at, queue, to) in &self.resets {
            last.insert(queue, (*at, *to));
        }
        self.sent.iter().find_map(|(body, sent)| {
            let (acknowledged, place) = sent.receipt.as_ref()?;
            let (at, to) = *last.get(&place.0)?;
            let committed = *committed.get(&place.0)?;
            let is_passed = acknowledged < &at && (to..committed).contains(&place.1);
            let works = self.work.get(place);
            let is_there = works.is_some_and(|works| works.iter().any(|work| work.begin >= at));
            (is_passed && !is_there).then(|| {
                format!(
                    "{to} was set at {at:?}, {committed} is committed of {}, and {body} did not come again",
                    place.0
                )
            })
        })
    }

    /// In a history in which nothing that concerns it goes wrong, a message is delivered at once.
    fn late(&self, scene: &Scene) -> Option<String> {
        let options = &scene.options;
        let limit = match options.only() {
            // What is in work may fill the queue until it is given up.
            Some(Kind::Hangs) if !options.is_orderly() && options.pace == Pace::Sparse => CONSUME_TIMEOUT + 30 * SECOND,
            // A lock is asked for again before it lapses.
            Some(Kind::RefusedLocks | Kind::Nothing) if options.work < SECOND / 10 || options.pace == Pace::Sparse => {
                3 * SECOND
            }
            _ => return None,
        };
        let started = self.start_of(None)?;
        self.sent.iter().find_map(|(body, sent)| {
            let (acknowledged, place) = sent.receipt.as_ref().filter(|(at, _)| *at >= started)?;
            // What was passed over may come much later, and what comes again comes first.
            let is_sought = self
                .seeks_in(&place.0, None)
                .any(|seek| place.1 < seek.to || (seek.at..seek.at + CATCHING_UP).contains(acknowledged));
            if is_sought {
                return None;
            }
            let first = self.work.get(place)?.iter().map(|work| work.begin).min()?;
            let took = first.since(*acknowledged);
            (sent.topic == TOPIC && took > limit + options.following.rest()).then(|| format!("{body} took {took:?}"))
        })
    }

    /// A send with 15 s for it succeeds if all is well for 8 of them; one with 3 s if all was well for long before, too.
    fn gave_up(&self, scene: &Scene) -> Option<String> {
        let timeout = scene.options.send_timeout;
        let is_long = timeout > 10 * SECOND;
        self.failed.iter().find_map(|(body, begin, why)| {
            let (from, peace) =
                if is_long { (*begin, 8 * SECOND) } else { (*begin - 40 * SECOND, 40 * SECOND + timeout) };
            let is_calm = self.longest_peace(from, *begin + timeout) >= peace;
            is_calm.then(|| format!("{body}, sent at {begin:?} with {timeout:?}: {why}"))
        })
    }
}
