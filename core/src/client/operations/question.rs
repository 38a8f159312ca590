//! What is asked about a queue, or of its broker: to which member of the broker, in which words, and what its answer means.

use crate::address::Address;
use crate::client::base::event::{Outcome, Value};
use crate::client::base::ids::{Owner, PeerId};
use crate::client::presence::first_commits::OffsetTable;
use crate::client::presence::groups::Puller;
use crate::client::session::{EMPTY, Session};
use crate::connection::Connection;
use crate::consumer::push::ask::SendingBack;
use crate::consumer::{MessageSelector, PullOptions, pull};
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::routes::brokers::Broker;
use crate::routes::route::MASTER_ID;
use crate::time::{Instant, Now};
use crate::wire::body::{self, CheckClientConfig, CommittedOffsets, ConsumerList, LockedQueues, QueueLockRequest};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::request::{
    CheckSubscription, GetCommittedOffsets, GetConsumerList, GetMaxOffset, GetMinOffset, LockQueues, OffsetAnswer,
    QueryConsumerOffset, Request, SearchOffset, SendBack, UnlockQueues, UpdateConsumerOffset,
};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// What is asked about a queue, or of its broker.
#[derive(Debug)]
pub(crate) enum Question {
    Pull(Pull),
    MinOffset,
    MaxOffset,
    OffsetAt {
        unix_ms: u64,
    },
    GroupOffset {
        group: Arc<str>,
    },
    /// The same, of a broker that says 0 where a group has committed nothing: all that it keeps.
    AmongCommitted {
        group: Arc<str>,
    },
    Commit {
        group: Arc<str>,
        offset: u64,
        /// It counts on a lock, which its broker's master has granted on the connection of now, and which ends with that.
        needs_lock: bool,
    },
    Members {
        group: Arc<str>,
    },
    CheckSubscription {
        group: Arc<str>,
        selector: MessageSelector,
    },
    Lock {
        group: Arc<str>,
        queues: Vec<MessageQueue>,
    },
    Unlock {
        group: Arc<str>,
        queues: Vec<MessageQueue>,
    },
    SendBack {
        group: Arc<str>,
        message: SendingBack,
    },
}

/// What is wanted of a pull.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) puller: Puller,
    pub(crate) group: Arc<str>,
    pub(crate) selector: MessageSelector,
    pub(crate) offset: u64,
    pub(crate) options: PullOptions,
}

impl Question {
    /// Where the queue's broker listens: the member that it suggested for pulls unless that is away, else the master.
    pub(crate) fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        let broker = session.brokers.find(&queue.broker_name)?;
        match self {
            Self::Pull(pull) => {
                let member = broker.readable(session.groups.suggested(pull.puller, queue));
                let is_away = |address: &&Address| session.network.find(address).is_some_and(Connection::is_paused);
                member.filter(|address| !is_away(address)).or_else(|| broker.readable(MASTER_ID))
            }
            Self::Lock { .. } | Self::Unlock { .. } | Self::SendBack { .. } | Self::Commit { needs_lock: true, .. } => {
                broker.master()
            }
            // Whoever else reads it there would get it again: slaves keep offsets too, which their master takes over
            // (`RemoteBrokerOffsetStore.updateConsumeOffsetToBroker`).
            Self::Commit { needs_lock: false, .. } => broker.master().or_else(|| broker.readable(MASTER_ID)),
            _ => broker.readable(MASTER_ID),
        }
    }

    /// Writes the request. Returns whether its connection stands.
    pub(crate) fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let topic = || Cow::Borrowed(&*queue.topic);
        let broker_name = || Some(Cow::Borrowed(&*queue.broker_name));
        let queue_id = queue.queue_id as i32;
        let offset_of = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
        match self {
            Self::Pull(Pull { group, selector, offset, options, .. }) => {
                let header = pull::request(group, queue, selector, *offset, options);
                exchange.request(session, now, &header)
            }
            Self::MinOffset => {
                let header = GetMinOffset { topic: topic(), queue_id, broker_name: broker_name() };
                exchange.request(session, now, &header)
            }
            Self::MaxOffset => {
                let header = GetMaxOffset { topic: topic(), queue_id, broker_name: broker_name() };
                exchange.request(session, now, &header)
            }
            Self::OffsetAt { unix_ms } => {
                let header = SearchOffset {
                    topic: topic(),
                    queue_id,
                    timestamp: offset_of(*unix_ms),
                    boundary_type: None,
                    broker_name: broker_name(),
                };
                exchange.request(session, now, &header)
            }
            Self::GroupOffset { group } => {
                let header = QueryConsumerOffset {
                    consumer_group: Cow::Borrowed(group),
                    topic: topic(),
                    queue_id,
                    set_zero_if_not_found: Some(false),
                    broker_name: broker_name(),
                };
                exchange.request(session, now, &header)
            }
            Self::AmongCommitted { .. } => exchange.request(session, now, &GetCommittedOffsets {}),
            Self::Commit { group, offset, .. } => {
                let header = UpdateConsumerOffset {
                    consumer_group: Cow::Borrowed(group),
                    topic: topic(),
                    queue_id,
                    commit_offset: offset_of(*offset),
                    broker_name: broker_name(),
                };
                exchange.request(session, now, &header)
            }
            Self::Members { group } => {
                exchange.request(session, now, &GetConsumerList { consumer_group: Cow::Borrowed(group) })
            }
            Self::CheckSubscription { group, selector } => {
                let body = CheckClientConfig {
                    client_id: session.config.identity.client_id(),
                    group: group.to_string(),
                    namespace: String::new(),
                    subscription_data: selector.subscription(&queue.topic, now.unix_ms),
                };
                exchange.request_with(session, now, &CheckSubscription {}, &to_body(&body))
            }
            Self::Lock { group, queues } => {
                let body = lock_request(session, group, queues);
                exchange.request_with(session, now, &LockQueues {}, &body)
            }
            Self::Unlock { group, queues } => {
                let body = lock_request(session, group, queues);
                exchange.request_with(session, now, &UnlockQueues {}, &body)
            }
            Self::SendBack { group, message } => {
                let header = SendBack {
                    offset: message.physical_offset,
                    group: Cow::Borrowed(group),
                    delay_level: message.delay_level,
                    origin_msg_id: Some(Cow::Borrowed(&message.message_id)),
                    origin_topic: Some(topic()),
                    unit_mode: Some(false),
                    max_reconsume_times: Some(message.max_reconsume_times),
                    broker_name: broker_name(),
                };
                exchange.request(session, now, &header)
            }
        }
    }

    /// What the answer of a broker's member means.
    pub(crate) fn judge(
        &self,
        session: &mut Session,
        queue: &MessageQueue,
        peer: Option<PeerId>,
        answer: &Command,
    ) -> Outcome {
        let refused = || Error::refused(ResponseCode(answer.code), answer.remark.as_deref());
        let code = ResponseCode(answer.code);
        match self {
            Self::Pull(pull) => pull::judge(queue, &pull.selector, answer).map(|pulled| {
                session.groups.note_suggestion(pull.puller, queue, pulled.suggested_broker_id);
                Value::Pulled(pulled)
            }),
            Self::GroupOffset { .. } if code == ResponseCode::QUERY_NOT_FOUND => no_offset(session, queue, peer),
            // Then it is what the broker has said first.
            Self::AmongCommitted { .. } if code != ResponseCode::SUCCESS => Ok(Value::Offset(Some(0))),
            _ if code != ResponseCode::SUCCESS => Err(refused()),
            Self::AmongCommitted { group } => read_body::<CommittedOffsets>(answer)
                .map(|offsets| {
                    let offset = offsets.get(group, &queue.topic, queue.queue_id as i32);
                    offset.and_then(|offset| u64::try_from(offset).ok())
                })
                .and_then(|offset| match offset {
                    Some(offset) => Ok(Value::Offset(Some(offset))),
                    None => no_offset(session, queue, peer),
                }),
            Self::Commit { group, .. } => {
                session.note_committed(OffsetTable::of(group, queue));
                Ok(Value::Done)
            }
            Self::CheckSubscription { .. } | Self::Unlock { .. } | Self::SendBack { .. } => Ok(Value::Done),
            Self::Members { .. } => read_body::<ConsumerList>(answer).map(|list| Value::Members(list.consumer_id_list)),
            Self::Lock { .. } => read_body::<LockedQueues>(answer).map(|locked| {
                Value::Locked(locked.lock_ok_mq_set.into_iter().filter_map(MessageQueue::of_key).collect())
            }),
            _ => match answer.header::<OffsetAnswer>() {
                Ok(OffsetAnswer { offset }) => Ok(Value::Offset(u64::try_from(offset).ok())),
                Err(error) => Err(Error::new(ErrorKind::MalformedAnswer, error.to_string())),
            },
        }
    }

    /// What has to be asked instead, because the answer may mean that there is none.
    pub(crate) fn doubtful(&self, session: &Session, answer: &Command) -> Option<Self> {
        let is_zero = || answer.header::<OffsetAnswer>().is_ok_and(|answer| answer.offset == 0);
        match self {
            Self::GroupOffset { group } if session.config.dialect().has_doubtful_zeros() => {
                (answer.code == ResponseCode::SUCCESS.0 && is_zero())
                    .then(|| Self::AmongCommitted { group: group.clone() })
            }
            _ => None,
        }
    }

    /// The question in words, for errors.
    pub(crate) const fn words(&self) -> &'static str {
        match self {
            Self::Pull(_) => "pull from",
            Self::MinOffset => "minimum offset of",
            Self::MaxOffset => "maximum offset of",
            Self::OffsetAt { .. } => "offset by timestamp of",
            Self::GroupOffset { .. } | Self::AmongCommitted { .. } => "committed offset of",
            Self::Commit { .. } => "commit offset of",
            Self::Members { .. } => "members of the group at the broker of",
            Self::CheckSubscription { .. } => "subscription at the broker of",
            Self::Lock { .. } => "locks at the broker of",
            Self::Unlock { .. } => "giving locks back to the broker of",
            Self::SendBack { .. } => "sending back a message of",
        }
    }
}

/// Where a request goes, who waits for its answer, and until when.
pub(crate) struct Exchange {
    pub(crate) peer: PeerId,
    pub(crate) owner: Owner,
    pub(crate) deadline: Instant,
}

/// A group has no offset of a queue. That is believed of its broker's master only: a slave that has started a moment ago
/// has not taken the offsets over yet, and the group would begin anew.
fn no_offset(session: &Session, queue: &MessageQueue, peer: Option<PeerId>) -> Outcome {
    let master = session.brokers.find(&queue.broker_name).and_then(Broker::master);
    let asked = peer.and_then(|peer| session.network.get(peer)).map(Connection::address);
    if master.is_some() && master == asked {
        return Ok(Value::Offset(None));
    }
    Err(Error::new(
        ErrorKind::BrokerNotFound,
        "the master is away, and its slave has no offset of the group, perhaps not yet",
    ))
}

impl Exchange {
    fn request<'h, R: Request<'h>>(&self, session: &mut Session, now: Now, header: &R) -> bool {
        self.request_with(session, now, header, &EMPTY)
    }

    fn request_with<'h, R: Request<'h>>(&self, session: &mut Session, now: Now, header: &R, body: &Bytes) -> bool {
        session.ask(now, self.peer, (header, body), self.deadline, self.owner)
    }
}

fn to_body(body: &impl serde::Serialize) -> Bytes {
    Bytes::from(body::to_vec(body))
}

fn read_body<T: serde::de::DeserializeOwned>(answer: &Command) -> Result<T, Error> {
    body::from_slice(&answer.body).map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))
}

fn lock_request(session: &Session, group: &str, queues: &[MessageQueue]) -> Bytes {
    to_body(&QueueLockRequest {
        client_id: session.config.identity.client_id(),
        consumer_group: group.to_owned(),
        mq_set: queues.iter().map(MessageQueue::key).collect(),
        only_this_broker: false,
    })
}
