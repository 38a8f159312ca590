//! Fetching: one pull of a queue after the other, as long as there is room for what comes
//! (`DefaultMQPushConsumerImpl.pullMessage`).

use super::asked::{self, Ticket};
use super::queue::{AssignedQueue, Fetch, QueueId};
use super::wish::Wish;
use super::{AFTER_FAILURE, PushConsumer};
use crate::consumer::{MessageSelector, PullStatus, Pulled};
use crate::error::{Error, ErrorKind};
use crate::notice::{Notice, Notices};
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::message::{StoredMessage, StoredMessages, property};

/// A broker that refuses is asked again after this time (`pullTimeDelayMillsWhenException`).
const AFTER_REFUSAL: Duration = Duration::from_secs(3);
/// A broker that wants less is asked again after this time (`PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL`).
const AFTER_FLOW_CONTROL: Duration = Duration::from_millis(20);
/// A broker that has nothing is expected to hold the pull; one that answers sooner than this is given a pause as long.
pub(super) const TOO_SOON: Duration = Duration::from_millis(20);

impl PushConsumer {
    /// Pulls from a queue.
    pub(super) fn pull(&mut self, now: Now, id: QueueId) {
        let ticket = self.next_ticket();
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get(&known.queue.topic) else {
            // It is about to leave.
            known.fetch = Fetch::Delayed { until: now.mono + AFTER_FAILURE };
            return;
        };
        known.fetch = Fetch::UnderWay { ticket, since: now.mono };
        known.last_pull_unix_ms = now.unix_ms;
        let ask = Wish::Pull {
            asked: asked::Pull(id, ticket),
            queue: known.queue.clone(),
            selector: subscription.selector.clone(),
            offset: known.messages.fetch_offset(),
            // The first one is answered at once, so that the lag is known of a queue that has nothing new.
            wait: known.max_offset.map_or(Duration::ZERO, |_| self.config.pull_wait),
        };
        self.wish(ask);
    }

    /// Whether more of a queue may be cached. Messages that are consumed and not committed count by their bytes only: the application
    /// can commit them with a further message alone, and may do so once in many thousands. (Java's consumer waits for ever then.)
    pub(super) fn has_room(&self, known: &AssignedQueue) -> bool {
        let config = &self.config;
        let of_topic = |limit: Option<usize>, of_queue: usize| match limit {
            None => of_queue,
            Some(limit) => {
                let owned = self.subscriptions.get(&known.queue.topic).map_or(1, |subscription| subscription.owned);
                (limit / owned.max(1)).max(1)
            }
        };
        let messages = &known.messages;
        messages.len() - messages.uncommitted()
            < of_topic(config.max_cached_messages_of_topic, config.max_cached_messages)
            && messages.bytes() < of_topic(config.max_cached_bytes_of_topic, config.max_cached_bytes)
            && (config.is_orderly() || messages.span() <= config.max_span)
    }

    /// A pull under way is not wanted any more.
    pub(super) fn cancel_pull(&mut self, id: QueueId) {
        if let Some(known) = self.queues.touch(id)
            && let Fetch::UnderWay { ticket, .. } = core::mem::replace(&mut known.fetch, Fetch::Idle)
        {
            self.wish(Wish::CancelPull { asked: asked::Pull(id, ticket) });
        }
    }

    /// What is pulled is not what is wanted by now.
    pub(super) fn overtake_pull(&mut self, id: QueueId) {
        if let Some(known) = self.queues.touch(id)
            && let Fetch::UnderWay { ticket, .. } = core::mem::replace(&mut known.fetch, Fetch::Idle)
        {
            let from_now_on = asked::OvertakenPull(id, known.begun);
            self.wish(Wish::OvertakePull { asked: asked::Pull(id, ticket), from_now_on });
        }
    }

    /// Takes what came of a pull that another one has taken the place of. Its messages are those that are not wanted any more.
    pub(crate) fn take_overtaken(&mut self, now: Now, id: QueueId, begun: Ticket, pulled: Result<Pulled, Error>) {
        if let Ok(pulled) = pulled
            && pulled.status == PullStatus::OffsetIllegal
            && self.queues.get(id).is_some_and(|known| known.is_consuming() && known.begun == begun)
        {
            self.move_to(now, id, pulled.next_offset);
        }
        self.attend(now);
    }

    /// Takes what came of a pull.
    pub(crate) fn take_pulled(&mut self, now: Now, id: QueueId, ticket: Ticket, pulled: Result<Pulled, Error>) {
        let under_way = self.queues.get(id).map(|known| known.fetch);
        if let Some(Fetch::UnderWay { ticket: known, since }) = under_way
            && known == ticket
        {
            match pulled {
                Ok(pulled) => self.pull_succeeded(now, id, since, &pulled),
                Err(error) => self.pull_failed(now.mono, id, &error),
            }
        }
        self.attend(now);
    }

    /// What a broker says of the next offset counts, whatever else it says and however soon.
    fn pull_succeeded(&mut self, now: Now, id: QueueId, since: Instant, pulled: &Pulled) {
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        known.fetch = Fetch::Idle;
        let was_held = known.max_offset.replace(pulled.max_offset).is_some();
        let asked = known.messages.fetch_offset();
        let next_offset = match pulled.status {
            PullStatus::OffsetIllegal => {
                self.move_to(now, id, pulled.next_offset);
                // A broker that does not have that one either would be asked without end.
                return self.pull_later(id, now.mono + AFTER_FAILURE);
            }
            PullStatus::Found => match self.take_messages(now, id, pulled) {
                Some(next_offset) => next_offset,
                None => return,
            },
            PullStatus::NoNewMessage | PullStatus::NoMatchedMessage => pulled.next_offset,
        };
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        known.messages.advance(next_offset);
        if was_held && known.messages.fetch_offset() == asked && now.mono.since(since) < TOO_SOON {
            self.pull_later(id, now.mono + TOO_SOON);
        }
        self.count_if_full(id);
    }

    /// A pull is over: whether another one waits for room from now on.
    pub(super) fn count_if_full(&mut self, id: QueueId) {
        let is_full = self.queues.get(id).is_some_and(|known| !self.has_room(known));
        self.totals.metrics.flow_controlled += u64::from(is_full);
    }

    /// Takes the messages in that are wanted, by their exact tag. Returns where to go on: behind all of them, or behind
    /// one after which nobody can say where the next one begins. `None` when the rest has to be opened first.
    fn take_messages(&mut self, now: Now, id: QueueId, pulled: &Pulled) -> Option<u64> {
        let Self { queues, totals, notices, dialect, .. } = self;
        let known = queues.touch(id)?;
        let before = known.messages.len();
        let mut next_offset = pulled.next_offset;
        let mut following = known.messages.fetch_offset();
        let mut stored_messages = StoredMessages::new(pulled.body.clone(), *dialect);
        let mut rest = None;
        loop {
            let at = stored_messages.position();
            let Some(stored) = stored_messages.next() else {
                break;
            };
            match stored {
                Ok(stored) if stored.is_inner_batch() => {
                    rest = Some((pulled.body.slice(at..), following));
                    break;
                }
                Ok(stored) => {
                    following = offset_after(&stored);
                    take_wanted(known, &pulled.expression, stored);
                }
                Err(error) => match error.queue_offset.and_then(|offset| u64::try_from(offset).ok()) {
                    Some(offset) => {
                        following = offset + 1;
                        totals.pass_over(known, offset, &error, notices);
                    }
                    // Its length is impossible: those behind it are fetched again, without it.
                    None => {
                        totals.pass_over(known, following, &error, notices);
                        next_offset = next_offset.min(following + 1);
                    }
                },
            }
        }
        let count = known.messages.len() - before;
        totals.pulled(now.mono, &known.queue.topic, count);
        let Some(rest) = rest else { return Some(next_offset) };
        self.open_outside(id, rest, next_offset, pulled.expression.clone());
        None
    }

    fn pull_failed(&mut self, now: Instant, id: QueueId, error: &Error) {
        if let Some(known) = self.queues.get(id) {
            let notice = Notice::debug("the pull failed");
            self.notices.push(notice.about("queue", &known.queue).about("error", error));
            if error.code() == Some(ResponseCode::NO_PERMISSION) {
                let (topic, broker) = (&known.queue.topic, &known.queue.broker_name);
                let notice = Notice::warn("nothing is consumed of a topic: a broker refuses it");
                warn_of_refusal(&mut self.notices, notice, topic, broker, error);
            }
        }
        let pause = match error.code() {
            Some(ResponseCode::FLOW_CONTROL) => AFTER_FLOW_CONTROL,
            _ if error.kind() == ErrorKind::Refused => AFTER_REFUSAL,
            _ => AFTER_FAILURE,
        };
        if error.kind() == ErrorKind::BrokerNotFound {
            self.rebalance_soon(now);
        }
        self.pull_later(id, now + pause);
    }

    fn pull_later(&mut self, id: QueueId, until: Instant) {
        if let Some(known) = self.queues.touch(id) {
            known.fetch = Fetch::Delayed { until };
        }
    }

    /// Delivers nothing, and fetches no more than what is under way, until it is resumed; what is in work goes on.
    pub(crate) fn pause(&mut self, now: Now) {
        self.is_paused = true;
        self.queues.touch_all();
        self.attend(now);
    }

    /// Goes on after a pause.
    pub(crate) fn resume(&mut self, now: Now) {
        self.is_paused = false;
        self.queues.touch_all();
        self.attend(now);
    }

    /// Pauses or resumes one queue. Returns whether it is ours; a queue that comes later is not paused.
    pub(crate) fn set_paused(&mut self, now: Now, queue: &MessageQueue, is_paused: bool) -> bool {
        let known = self.queues.find(queue).and_then(|id| self.queues.touch(id)).filter(|known| !known.is_leaving());
        let is_ours = known.map(|known| known.is_paused = is_paused).is_some();
        self.attend(now);
        is_ours
    }
}

/// Takes a message in if it is wanted.
pub(super) fn take_wanted(known: &mut AssignedQueue, expression: &MessageSelector, stored: StoredMessage) {
    if expression.is_everything() || expression.matches(stored.properties().get(property::TAGS)) {
        known.messages.push(stored);
    }
}

pub(super) fn offset_after(stored: &StoredMessage) -> u64 {
    u64::try_from(stored.fields.queue_offset).map_or(0, |offset| offset.saturating_add(1))
}

/// Says once for each `whose` that nobody may consume of a topic.
#[cold]
pub(super) fn warn_of_refusal(notices: &mut Notices, notice: Notice, topic: &str, whose: &str, error: &Error) {
    let about = format_args!("refused {topic} {whose}");
    notices.push_once(about, || notice.about("topic", topic).about("error", error));
}
