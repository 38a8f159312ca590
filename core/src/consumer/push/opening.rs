//! Inner batches of a pull: each may be 64 MiB when it is decompressed, so they are opened outside of the client's lock, and
//! taken in then.

use bytes::Bytes;

use super::asked::Ticket;
use super::fetching::{TOO_SOON, offset_after, take_wanted};
use super::queue::{Fetch, QueueId};
use super::{PushConsumer, PushEvent};
use crate::consumer::MessageSelector;
use crate::consumer::inner_batches::Room;
use crate::time::Now;
use crate::wire::dialect::Dialect;
use crate::wire::message::{StoredMessage, StoredMessages};

/// The rest of what a pull brought, from its first inner batch on, to be opened by [`Unopened::open`].
#[derive(Clone, Debug)]
pub struct Unopened {
    queue: QueueId,
    pub(super) ticket: Ticket,
    dialect: Dialect,
    max_body_length: usize,
    /// Stored messages, one after the other.
    body: Bytes,
    /// Where its first message is, if its own place cannot be read.
    following: u64,
    /// Where the queue goes on behind all of it.
    next_offset: u64,
    expression: MessageSelector,
}

/// What [`Unopened::open`] found.
#[derive(Clone, Debug)]
pub struct Opened {
    queue: QueueId,
    ticket: Ticket,
    expression: MessageSelector,
    messages: Vec<StoredMessage>,
    /// What cannot be read, by its offset, and why.
    passed_over: Vec<(u64, String)>,
    next_offset: u64,
}

impl Unopened {
    /// Reads the messages, those in batches too. It may take long, and needs nothing of the client.
    pub fn open(self) -> Opened {
        let Self { queue, ticket, expression, next_offset, .. } = self;
        let mut opened =
            Opened { queue, ticket, expression, messages: Vec::new(), passed_over: Vec::new(), next_offset };
        let mut following = self.following;
        let mut room = Room::new(self.max_body_length);
        for stored in StoredMessages::new(self.body, self.dialect) {
            match stored {
                Ok(stored) if stored.is_inner_batch() => match opened.open_batch(&stored, &mut room) {
                    Some(end) => following = end.max(offset_after(&stored)),
                    None => {
                        opened.next_offset = u64::try_from(stored.fields.queue_offset).unwrap_or(following);
                        break;
                    }
                },
                Ok(stored) => {
                    following = offset_after(&stored);
                    opened.messages.push(stored);
                }
                Err(error) => {
                    let offset = error.queue_offset.and_then(|offset| u64::try_from(offset).ok());
                    if offset.is_none() {
                        // Its length is impossible: those behind it are fetched again, without it.
                        opened.next_offset = opened.next_offset.min(following + 1);
                    }
                    let offset = offset.unwrap_or(following);
                    following = offset + 1;
                    opened.passed_over.push((offset, error.to_string()));
                }
            }
        }
        opened
    }
}

impl Opened {
    /// Gives the offset after the last message of a batch, as far as it can be read; `None` if there is no room for it beside those
    /// before it.
    fn open_batch(&mut self, batch: &StoredMessage, room: &mut Room) -> Option<u64> {
        let of_batch = u64::try_from(batch.fields.queue_offset).unwrap_or(0);
        let messages = match room.open(batch)? {
            Ok(messages) => messages,
            Err(error) => {
                self.passed_over.push((of_batch, error.to_string()));
                return Some(of_batch);
            }
        };
        let mut end = of_batch;
        for inner in messages {
            match inner {
                Ok(inner) => {
                    end = offset_after(&inner);
                    self.messages.push(inner);
                }
                Err(error) => {
                    let offset = error.queue_offset.and_then(|offset| u64::try_from(offset).ok());
                    self.passed_over.push((offset.unwrap_or(of_batch), error.to_string()));
                }
            }
        }
        Some(end)
    }
}

impl PushConsumer {
    /// Has the rest of a pull opened outside, from its first inner batch on.
    pub(super) fn open_outside(
        &mut self,
        id: QueueId,
        rest: (Bytes, u64),
        next_offset: u64,
        expression: MessageSelector,
    ) {
        let ticket = self.next_ticket();
        let (body, following) = rest;
        if let Some(known) = self.queues.touch(id) {
            known.fetch = Fetch::Opening { ticket };
            let (dialect, max_body_length) = (self.dialect, self.max_body_length);
            let unopened =
                Unopened { queue: id, ticket, dialect, max_body_length, body, following, next_offset, expression };
            self.events.push_back(PushEvent::Open(Box::new(unopened)));
        }
    }

    /// Takes in what was opened, if it is still wanted: the queue may be elsewhere by now.
    pub(crate) fn take_opened(&mut self, now: Now, opened: Opened) {
        let Self { queues, totals, notices, .. } = self;
        let Opened { queue: id, ticket, expression, messages, passed_over, next_offset } = opened;
        let is_awaited = queues.get(id).is_some_and(|known| known.fetch == Fetch::Opening { ticket });
        if let Some(known) = queues.touch(id).filter(|_| is_awaited) {
            known.fetch = Fetch::Idle;
            let (before, asked) = (known.messages.len(), known.messages.fetch_offset());
            messages.into_iter().for_each(|message| take_wanted(known, &expression, message));
            for (offset, why) in passed_over {
                totals.pass_over(known, offset, &why, notices);
            }
            known.messages.advance(next_offset);
            let count = known.messages.len() - before;
            totals.pulled(now.mono, &known.queue.topic, count);
            if known.messages.fetch_offset() == asked {
                // A broker that gives the same again is not asked without end.
                known.fetch = Fetch::Delayed { until: now.mono + TOO_SOON };
            }
            self.count_if_full(id);
        }
        self.attend(now);
    }
}
