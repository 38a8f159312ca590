//! A push consumer: its group's queues are shared, fetched, delivered and committed; all of it decisions over inputs.
//!
//! What it wants of the cluster it says as `Wish`s; what came of them it is told by `take_*`. What the application has to
//! know are [`PushEvent`]s; what it takes and gives back are deliveries and settlements. Each queue is a state machine of
//! its own (`queue`).

pub(crate) mod asked;
mod attending;
mod beginning;
mod checking;
mod claiming;
mod closing;
mod committing;
mod config;
mod count;
mod delivering;
mod ends;
mod fetching;
pub(crate) mod giving_up;
mod leaving;
mod listening;
mod locking;
mod opening;
mod places;
pub(crate) mod queue;
mod queues;
mod rate;
mod readiness;
mod rebalance;
mod settling;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
pub(crate) mod wish;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use closing::Unfinished;
pub use config::{ConsumeFrom, ConsumeOrder, MessageModel, PushConfig, RetryDelay};
pub use delivering::{Delivery, Settlement};
pub use listening::Rebalanced;
pub use opening::{Opened, Unopened};
pub use rebalance::AllocationQuestion;
pub use settling::ConsumeOutcome;
pub use status::{ConsumerStatus, QueueStatus};
use subscriptions::{Former, Subscription};

use crate::error::Error;
use crate::notice::{Notice, Notices};
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Deadline, Deadlines, Duration, Instant, Now, Reason};
use crate::wire::dialect::Dialect;
use asked::Ticket;
use claiming::Claims;
use closing::{Abandoned, ConsumerClosing};
use places::Places;
use queue::QueueId;
use queues::Queues;
use rate::Rate;
use status::Totals;
use wish::Wish;

/// The retry topic of a group, which is subscribed to with all others (`MixAll.getRetryTopic`).
pub(crate) const RETRY_PREFIX: &str = "%RETRY%";

/// What the application has to know of a push consumer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PushEvent {
    /// It knows where its group begins on every topic that it subscribed to at first, or that this cannot be had now: a
    /// message that is sent from now on is consumed, also by a new group that begins with
    /// [`ConsumeFrom::LastOffset`].
    Started,
    /// It has begun with all queues that are its share, or none are there for it: told once for each
    /// [`Client::await_ready`](crate::client::Client::await_ready).
    Ready,
    /// There may be something to deliver.
    Readable,
    /// Queues are ours now, and begin once [`Client::rebalanced`](crate::client::Client::rebalanced) says that the application has
    /// taken them over, or after 20 s. Told only if [`PushConfig::follows_queues`] is set.
    Assigned(Rebalanced),
    /// Queues leave. They are handed over once [`Client::rebalanced`](crate::client::Client::rebalanced) says that the application
    /// is done with them, or after 20 s; when the consumer closes, at the end of its time.
    Revoked(Rebalanced),
    /// Which queues are ours? The answer is given by
    /// [`Client::allocated`](crate::client::Client::allocated).
    Allocate(Box<AllocationQuestion>),
    /// What a pull brought has batches in it, which are to be opened where nobody waits for it. What is found is given to
    /// [`Client::opened`](crate::client::Client::opened).
    Open(Box<Unopened>),
    /// A broadcasting consumer's offsets are to be stored where its application keeps them. What came of it is told by
    /// [`Client::offsets_stored`](crate::client::Client::offsets_stored).
    StoreOffsets(BTreeMap<MessageQueue, u64>),
    /// It is closed. What was in work then and never ended is delivered again, to whoever consumes next.
    Closed(Vec<Unfinished>),
}

/// What a timer of a consumer is for; those of queues come behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Rebalance,
    Commit,
    Expire,
    Rate,
    Ends,
    Close,
}

const TIMERS: [Timer; 6] = [Timer::Rebalance, Timer::Commit, Timer::Expire, Timer::Rate, Timer::Ends, Timer::Close];

/// The key of a queue's timer, which says when to look after it again.
const fn queue_timer(queue: QueueId) -> u32 {
    TIMERS.len() as u32 + queue.key()
}

/// A push consumer, without I/O: see the [module](self).
#[derive(Debug)]
#[doc(hidden)]
pub struct PushConsumer {
    pub(crate) group: Arc<str>,
    client_id: String,
    dialect: Dialect,
    /// Brokers lock the queues of orderly consumers.
    grants_locks: bool,
    /// An inner batch that would be longer than this when decompressed is refused, in bytes.
    max_body_length: usize,
    config: PushConfig,
    subscriptions: SortedMap<Arc<str>, Subscription>,
    former: Former,
    /// When the queues of topics are to be shared anew; a topic may be in it more than once, and then the first counts.
    due_topics: SortedSet<(Instant, Arc<str>)>,
    queues: Queues,
    /// How far the consumer is on queues: where it goes on when nobody else knows.
    places: Places,
    last_ticket: Ticket,
    /// Orderly queues that are ours although nobody has locked them.
    claims: Claims,
    /// Questions for locks: closing waits for their answers, since what they grant has to go back.
    owed: SortedSet<Ticket>,
    /// Queues with something to deliver, in turn.
    line: VecDeque<QueueId>,
    /// How many messages the application has, those of queues that have left too.
    in_work: usize,
    last_delivery: u64,
    abandoned: Abandoned,
    /// The application has been told that there is something, and has not yet found nothing.
    is_told: bool,
    is_paused: bool,
    /// The application has been told that it has started.
    is_started: bool,
    /// The application waits until it is ready.
    is_ready_awaited: bool,
    /// A topic that this waits for.
    starting: Option<Arc<str>>,
    /// How long this waits for the store of a broadcasting consumer.
    stored_until: Option<Instant>,
    /// There are other members, as far as a broker said last.
    has_others: bool,
    rate: Option<Rate>,
    /// How many messages are being sent back.
    sending_back: usize,
    /// How many messages the application consumes at once, apart from all others, because a broker wants it.
    directly: usize,
    closing: ConsumerClosing,
    timers: Deadlines,
    wishes: VecDeque<Wish>,
    events: VecDeque<PushEvent>,
    /// Each is about its group too, which whoever takes it adds.
    notices: Notices,
    started_unix_ms: u64,
    totals: Totals,
}

impl PushConsumer {
    /// A consumer of `group` that subscribes to nothing yet. `stored_offsets` is where a broadcasting one goes on.
    ///
    /// # Errors
    /// A number of the configuration is out of its range.
    pub(crate) fn new(
        now: Now,
        group: &str,
        client_id: String,
        (dialect, max_body_length): (Dialect, usize),
        config: PushConfig,
        stored_offsets: BTreeMap<MessageQueue, u64>,
    ) -> Result<Self, Error> {
        config.check()?;
        let mut consumer = Self {
            group: group.into(),
            client_id,
            dialect,
            grants_locks: dialect.grants_locks(),
            max_body_length,
            rate: config.max_rate.map(|most| Rate::new(now.mono, most)),
            config,
            subscriptions: SortedMap::new(),
            former: Former::default(),
            due_topics: SortedSet::new(),
            queues: Queues::default(),
            places: Places::new(now.mono, stored_offsets),
            last_ticket: 0,
            claims: Claims::default(),
            owed: SortedSet::new(),
            line: VecDeque::new(),
            in_work: 0,
            last_delivery: 0,
            abandoned: Abandoned::default(),
            is_told: false,
            is_paused: false,
            is_started: false,
            is_ready_awaited: false,
            starting: None,
            stored_until: None,
            has_others: false,
            sending_back: 0,
            directly: 0,
            closing: ConsumerClosing::No,
            timers: Deadlines::default(),
            wishes: VecDeque::new(),
            events: VecDeque::new(),
            notices: Notices::default(),
            started_unix_ms: now.unix_ms,
            totals: Totals::default(),
        };
        consumer.set(Timer::Commit, now.mono + consumer.config.commit_interval);
        if !consumer.config.is_orderly() {
            consumer.set(Timer::Expire, now.mono + consumer.config.consume_timeout);
        }
        if consumer.claims_queues() {
            let what = "these brokers grant no locks: a queue in order is consumed by whom it is allocated to, and rests for 35 s when that changes";
            consumer.notices.push(Notice::info(what));
        }
        if !consumer.config.is_broadcasting() {
            let retry_topic: Arc<str> = format!("{RETRY_PREFIX}{group}").into();
            consumer.subscriptions.insert(retry_topic, Subscription::retry(now));
        }
        Ok(consumer)
    }

    pub(crate) const fn config(&self) -> &PushConfig {
        &self.config
    }

    /// The next thing that is wanted of the cluster.
    pub(crate) fn poll_wish(&mut self) -> Option<Wish> {
        self.wishes.pop_front()
    }

    /// The next thing that the application has to know.
    pub(crate) fn poll_event(&mut self) -> Option<PushEvent> {
        self.events.pop_front()
    }

    /// The next thing worth a line in a log.
    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop().map(|notice| notice.about("group", &self.group))
    }

    /// When [`PushConsumer::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.next().map(|at| Deadline { at, reason: Reason::Consumer })
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        while let Some(key) = self.timers.pop_due(now.mono) {
            match TIMERS.get(key as usize) {
                Some(Timer::Rebalance) => self.ask_due_topics(now.mono),
                Some(Timer::Commit) => {
                    self.set(Timer::Commit, now.mono + self.config.commit_interval);
                    self.places.prune(now.mono);
                    self.former.prune(now.mono);
                    self.claims.prune(now.mono);
                    self.commit_all(now.mono);
                }
                Some(Timer::Expire) => self.expire(now),
                // Whether there is room for a delivery now is looked at in any case.
                Some(Timer::Rate) => {}
                Some(Timer::Ends) => self.compare_again(now.mono),
                Some(Timer::Close) => self.close_in_time(now),
                None => self.queue_is_due(key - TIMERS.len() as u32),
            }
        }
        self.attend(now);
        #[cfg(debug_assertions)]
        self.check_reasons(now.mono);
    }

    fn queue_is_due(&mut self, slot: u32) {
        if let Some(id) = self.queues.id_of(slot) {
            self.queues.touch(id);
        }
    }

    fn set(&mut self, timer: Timer, at: Instant) {
        self.timers.set(timer as u32, at);
    }

    /// As [`PushConsumer::set`], unless the timer is due earlier anyway.
    fn set_not_later(&mut self, timer: Timer, at: Instant) {
        let key = timer as u32;
        if self.timers.at(key).is_none_or(|known| at < known) {
            self.timers.set(key, at);
        }
    }

    fn wish(&mut self, wish: Wish) {
        self.wishes.push_back(wish);
    }

    const fn next_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Whether a queue has to be locked at its broker before it is consumed.
    fn needs_locks(&self) -> bool {
        self.config.is_orderly() && !self.config.is_broadcasting()
    }
}

/// A request about a queue that failed is put off for so long.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
