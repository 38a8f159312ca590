//! Applications that follow their queues: what their listeners do and may rely on, who waits until a consumer is ready, and
//! who seeks. The seed decides, by a chance of its own: what else it decides is the same as without them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stgclient::Rebalanced;
use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_simulator::{Machine, World};

use super::ledger::{Entries, Seek};
use super::options::{Kind, Options};
use super::scene::{Member, Scene, between};
use super::{SECOND, TOPIC, drawn_panic, rules};

/// How long a queue waits for a listener at the most (`rebalance_listener`).
pub(super) const TAKE_OVER: Duration = Duration::from_secs(20);

/// How a member's listener takes what it is told, until all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    Quick,
    /// It takes seconds, sometimes longer than anybody waits for it, and sometimes it waits until the consumer is ready itself.
    Slow,
    Panics,
}

/// What the members of a history follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Following {
    pub(super) listener: Option<Listener>,
    pub(super) awaits_ready: bool,
    pub(super) seeks: bool,
}

impl Following {
    /// Two of three histories are as they were without.
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x00F0_1103);
        if random.below(3) > 0 {
            return Self::default();
        }
        let listeners = [None, Some(Listener::Quick), Some(Listener::Slow), Some(Listener::Panics)];
        let listener = listeners[random.below(4) as usize];
        Self { listener, awaits_ready: random.below(2) == 0, seeks: random.below(2) == 0 }
    }

    /// How much later than otherwise a queue may begin that goes from one member to another.
    pub(super) fn rest(&self) -> Duration {
        if self.listener == Some(Listener::Slow) { 2 * TAKE_OVER } else { Duration::ZERO }
    }
}

/// A member's listener, from one start to the next.
pub(super) struct Ear {
    pub(super) number: u32,
    how: Listener,
    machine: Arc<Machine>,
    scene: Arc<Scene>,
    at_it: Arc<AtomicUsize>,
    heard: Mutex<Heard>,
}

struct Heard {
    random: Random,
    /// Which queues are the member's by what it was told.
    ours: BTreeSet<MessageQueue>,
    /// What it is at.
    current: Option<Vec<MessageQueue>>,
    /// Since when it is or was at something without a break, and when that ended last.
    at_it: (Instant, Instant),
}

impl Ear {
    /// `at_it` counts the listeners of the same machine that are at it, earlier ones too.
    pub(super) fn new(
        (number, how): (u32, Listener),
        machine: &Arc<Machine>,
        scene: &Arc<Scene>,
        random: Random,
        at_it: Arc<AtomicUsize>,
    ) -> Arc<Self> {
        let heard = Heard { random, ours: BTreeSet::new(), current: None, at_it: Default::default() };
        let (machine, scene) = (Arc::clone(machine), Arc::clone(scene));
        Arc::new(Self { number, how, machine, scene, at_it, heard: Mutex::new(heard) })
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is told of queues that came or go.
    pub(super) fn hears(self: Arc<Self>, change: &Rebalanced) -> impl Future<Output = ()> + Send + use<> {
        let now = self.machine.clock().mono;
        let mut heard = self.heard();
        if heard.at_it.1 != now {
            heard.at_it.0 = now;
        }
        let (Rebalanced::Assigned(queues) | Rebalanced::Revoked(queues)) = change;
        let is_alone = heard.current.replace(queues.clone()).is_none();
        let is_new = queues.iter().all(|queue| match change {
            Rebalanced::Assigned(_) => heard.ours.insert(queue.clone()),
            Rebalanced::Revoked(_) => heard.ours.remove(queue),
        });
        if !is_alone || !is_new {
            let what = format!("member {}: {change:?}, and it has {:?}; alone: {is_alone}", self.number, heard.ours);
            self.scene.ledger.found("a-listener-hears-of-each-change-once", what);
        }
        let is_calm = self.scene.ledger.lock().healed.is_some();
        let drawn = if is_calm { 9 } else { heard.random.below(9) };
        let takes = between(&mut heard.random, Duration::ZERO, 3 * SECOND);
        let mut random = Random::new(heard.random.next_u64());
        drop(heard);
        self.at_it.fetch_add(1, Ordering::Relaxed);
        async move {
            match (self.how, drawn) {
                (Listener::Slow, 0) => self.machine.sleep(TAKE_OVER + 2 * takes).await,
                (Listener::Slow, 1) => {
                    let member = self.scene.members().get(&self.number).cloned();
                    if let Some(member) = member {
                        // Closing ends it, too.
                        let _ = member.consumer.ready().await;
                    }
                }
                // Where it is told of a queue it is known where to go on.
                (_, 3 | 4) if self.scene.options.following.seeks => {
                    let member = self.scene.members().get(&self.number).cloned();
                    if let Some(member) = member {
                        seek_all(&self.scene, self.number, &member, &mut random);
                    }
                }
                (Listener::Slow, 2..9) => self.machine.sleep(takes).await,
                _ => {}
            }
            let mut heard = self.heard();
            (heard.current, heard.at_it.1) = (None, self.machine.clock().mono);
            drop(heard);
            self.at_it.fetch_sub(1, Ordering::Relaxed);
            if self.how == Listener::Panics && drawn < 3 {
                drawn_panic();
            }
        }
    }

    /// A handler is given a message: of a queue that its application knows to be its own and is done with, unless that has been
    /// at changes for longer than anybody waits.
    pub(super) fn is_handed(&self, queue: &MessageQueue, now: Instant) {
        let heard = self.heard();
        let is_given_up = heard.current.is_some() && now >= heard.at_it.0 + TAKE_OVER;
        let is_at_it = heard.current.as_ref().is_some_and(|queues| queues.contains(queue));
        if !is_given_up && (is_at_it || !heard.ours.contains(queue)) {
            let (ours, current) = (&heard.ours, &heard.current);
            let what = format!("member {} has {ours:?}, is at {current:?} and handles {queue} at {now:?}", self.number);
            self.scene.ledger.found("a-queue-waits-for-who-follows-it", what);
        }
    }

    /// How many listeners of its machine are at it: each is a task.
    pub(super) fn at_it_there(&self) -> usize {
        self.at_it.load(Ordering::Relaxed)
    }

    /// Its consumer is closed: it has been told of all queues that left, unless it is still at something.
    pub(super) fn is_closed(&self) {
        let heard = self.heard();
        if heard.current.is_none() && !heard.ours.is_empty() {
            let what = format!("member {} is closed and was not told that {:?} have left", self.number, heard.ours);
            self.scene.ledger.found("a-listener-hears-of-each-change-once", what);
        }
    }
}

/// Once all is well, what listeners were told is how it is.
pub(super) fn misheard(scene: &Scene) -> Option<String> {
    let members = scene.members();
    members.iter().find_map(|(number, member)| {
        let ear = member.ear.as_ref()?;
        let queues = member.consumer.status().queues.into_iter().map(|known| known.queue);
        let (is, told) = (queues.collect::<BTreeSet<_>>(), ear.heard().ours.clone());
        (is != told).then(|| format!("member {number} was told of {told:?} and has {is:?}"))
    })
}

/// While consumers are paused, and all is well, brokers have what was sought.
pub(super) fn uncommitted(scene: &Scene) -> Option<String> {
    let entries = scene.ledger.lock();
    let last: BTreeMap<_, _> = entries.seeks.iter().map(|seek| (&seek.queue, seek)).collect();
    let mut last = last.into_iter().filter(|(_, seek)| entries.calm.is_some_and(|calm| seek.at >= calm));
    last.find_map(|(queue, seek)| {
        let committed = rules::committed(scene, queue);
        (committed != Some(seek.to)).then(|| format!("{committed:?} is committed after {seek:?}"))
    })
}

/// Begins what users of those members do meanwhile.
pub(super) fn begin(world: &World, scene: &Arc<Scene>) {
    let mut random = Random::new(world.seed() ^ 0x5EEC_0DE5);
    if scene.options.following.awaits_ready {
        for _ in 0..3 {
            world.spawn(await_ready(Arc::clone(scene), Random::new(random.next_u64())));
        }
    }
    if scene.options.following.seeks {
        world.spawn(seek_about(Arc::clone(scene), Random::new(random.next_u64())));
    }
}

/// Waits until one member or another is ready, again and again.
async fn await_ready(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, Duration::ZERO, 10 * SECOND).await {
        if let Some((number, member)) = scene.any_member(&mut random) {
            ready(&scene, number, &member).await;
        }
    }
}

/// Waits until a member is ready. That fails only where it has gone.
async fn ready(scene: &Scene, number: u32, member: &Member) {
    let start = scene.ledger.lock().last_starts.get(&number).copied();
    *scene.ledger.lock().waiting.entry(number).or_default() += 1;
    let result = member.consumer.ready().await;
    let mut entries = scene.ledger.lock();
    entries.waiting.entry(number).and_modify(|count| *count -= 1);
    let is_same = entries.last_starts.get(&number).copied() == start;
    drop(entries);
    if let Err(error) = result
        && is_same
        && scene.members().contains_key(&number)
    {
        scene.ledger.found("ready-ends-with-the-consumer-or-in-time", format!("member {number}: {error:?}"));
    }
}

/// A member has started.
pub(super) fn has_started(scene: &Arc<Scene>, number: u32, member: &Member, random: &mut Random) {
    scene.ears().extend(member.ear.clone());
    if scene.options.following.awaits_ready {
        // It is no task of the member's machine, which may be gone before.
        let (machine, scene, member) = (Arc::clone(&scene.clock), Arc::clone(scene), member.clone());
        machine.spawn(async move { ready(&scene, number, &member).await });
    }
    // Most of its queues have not begun yet.
    if scene.options.following.seeks && !scene.is_over() && random.below(2) == 0 {
        seek_all(scene, number, member, random);
    }
}

/// Members seek in their queues, now and then.
async fn seek_about(scene: Arc<Scene>, mut random: Random) {
    while scene.pause(&mut random, 2 * SECOND, 25 * SECOND).await {
        let Some((number, member)) = scene.any_member(&mut random) else {
            continue;
        };
        let queues = queues_of(&scene, &member);
        if let Some(queue) = queues.get(random.below(queues.len().max(1) as u64) as usize) {
            let beyond = random.below(4) == 0;
            seek(&scene, (number, &member), queue, beyond, &mut random);
        }
    }
}

/// The queues that a member may seek in. What passes over the retry topic passes over what nobody else brings again.
fn queues_of(scene: &Scene, member: &Member) -> Vec<MessageQueue> {
    // Where routes are odd a member may have queues that no broker has.
    let known = scene.queues(TOPIC);
    let queues = member.consumer.status().queues.into_iter().map(|known| known.queue);
    queues.filter(|queue| known.contains(queue)).collect()
}

/// A member seeks in each of its queues.
pub(super) fn seek_all(scene: &Scene, number: u32, member: &Member, random: &mut Random) {
    for queue in queues_of(scene, member) {
        seek(scene, (number, member), &queue, false, random);
    }
}

/// A member seeks in one of its queues: to the beginning, anywhere, or where `beyond` says so to the end and perhaps a little on.
fn seek(scene: &Scene, (number, member): (u32, &Member), queue: &MessageQueue, beyond: bool, random: &mut Random) {
    let end = scene.cluster.broker(&queue.broker_name, |broker| broker.offsets(TOPIC, queue.queue_id));
    let end = end.map_or(0, |(_, max)| max as u64);
    let to = match random.below(3) {
        _ if beyond => end + random.below(4),
        0 => 0,
        _ => random.below(end + 1),
    };
    let at = scene.now();
    if member.consumer.seek(queue, to) {
        scene.ledger.lock().seeks.push(Seek { at, member: number, queue: queue.clone(), to, has_left: false });
    }
}

/// Notes the seeks whose queues have left.
pub(super) fn look_for_left(scene: &Scene) {
    let queues_of = |member: &Member| member.consumer.status().queues.into_iter().map(|known| known.queue).collect();
    let owned: BTreeMap<u32, BTreeSet<MessageQueue>> = match scene.options.following.seeks {
        true => scene.members().iter().map(|(number, member)| (*number, queues_of(member))).collect(),
        false => return,
    };
    for seek in scene.ledger.lock().seeks.iter_mut() {
        seek.has_left |= owned.get(&seek.member).is_none_or(|queues| !queues.contains(&seek.queue));
    }
}

impl Options {
    /// Whether a seek stands until the next one: its member stays and keeps the queue, and nobody else moves or passes over what
    /// is in it.
    fn keeps_seeks(&self) -> bool {
        use Kind as K;
        let goes = self.has_any(&[K::Deaths, K::ComeAndGo, K::EarlyEnd, K::StoreFails]);
        let moves = self.has_any(&[K::OffsetMoved, K::Subscriptions]);
        !goes && !moves && (self.is_broadcasting() || self.members == 1)
    }
}

impl Entries {
    /// The seeks in a queue, of one member where each gets everything.
    pub(super) fn seeks_in(&self, queue: &MessageQueue, member: Option<u32>) -> impl Iterator<Item = &Seek> {
        let is_of = move |seek: &&Seek| member.is_none_or(|member| seek.member == member);
        self.seeks.iter().filter(move |seek| seek.queue == *queue).filter(is_of)
    }

    /// Whether somebody has sought beyond a message, who wants it no more.
    pub(super) fn is_sought_past(&self, queue: &MessageQueue, offset: u64, member: Option<u32>) -> bool {
        self.seeks_in(queue, member).any(|seek| offset < seek.to)
    }

    /// What lies behind the offset that a member sought last is delivered after that.
    pub(super) fn seek_that_lost(&self, options: &Options) -> Option<String> {
        let of_member = |seek: &Seek| options.is_broadcasting().then_some(seek.member);
        // Where no broker had it before the queue left, since they were away, nobody knows of it any more.
        let is_known = |seek: &Seek| !seek.has_left || !options.may_lose_locks();
        let is_calm = |seek: &Seek| self.calm.is_some_and(|calm| seek.at >= calm);
        let stands = |seek: &Seek| is_calm(seek) || options.keeps_seeks() && is_known(seek);
        let mut last: BTreeMap<_, &Seek> = BTreeMap::new();
        for seek in &self.seeks {
            last.insert((&seek.queue, of_member(seek)), seek);
        }
        last.into_iter().filter(|(_, seek)| stands(seek)).find_map(|((queue, member), seek)| {
            let first = self.first_after(seek, member);
            if is_calm(seek) && first.is_some_and(|offset| offset != seek.to) {
                return Some(format!("{first:?} is the first that came after {seek:?}"));
            }
            self.sent.iter().find_map(|(body, sent)| {
                let (acknowledged, place) = sent.receipt.as_ref()?;
                let is_wanted = place.0 == *queue && place.1 >= seek.to && *acknowledged < seek.at;
                let came = |work: &super::ledger::Work| {
                    work.begin >= seek.at && member.is_none_or(|member| work.member == member)
                };
                let is_there = self.work.get(place).is_some_and(|works| works.iter().any(came));
                (is_wanted && !is_there).then(|| format!("{body} at {place:?} did not come after {seek:?}"))
            })
        })
    }

    /// What was delivered first after a seek.
    fn first_after(&self, seek: &Seek, member: Option<u32>) -> Option<u64> {
        let of_queue = self.work.iter().filter(|((queue, _), _)| *queue == seek.queue);
        let all = of_queue.flat_map(|((_, offset), works)| works.iter().map(|work| (work.begin, *offset, work.member)));
        let after = all.filter(|(begin, _, by)| *begin >= seek.at && member.is_none_or(|member| member == *by));
        after.min().map(|(_, offset, _)| offset)
    }

    /// Who still waits until a member is ready.
    pub(super) fn who_waits(&self) -> Option<String> {
        let (number, count) = self.waiting.iter().find(|(_, count)| **count > 0)?;
        Some(format!("{count} wait for member {number}"))
    }
}
