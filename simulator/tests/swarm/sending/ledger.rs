//! What was begun, what was acknowledged, what failed, and whether that adds up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Receipt;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;

/// A message's body, which no other has.
pub(super) type Body = String;

/// What everybody in a history has done.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    sent: BTreeSet<Body>,
    acknowledged: BTreeMap<Body, Receipt>,
    /// What readers got, by place.
    read: BTreeMap<(MessageQueue, u64), Body>,
    /// The offsets that a group has tried to commit.
    committed: BTreeMap<(String, MessageQueue), BTreeSet<u64>>,
    failures: BTreeMap<(&'static str, ErrorKind), u64>,
    at_work: u32,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }

    pub(super) fn begins(&self) {
        self.lock().at_work += 1;
    }

    pub(super) fn ends(&self) {
        self.lock().at_work -= 1;
    }

    /// How many have begun their work and not ended it.
    pub(super) fn at_work(&self) -> u32 {
        self.lock().at_work
    }

    pub(super) fn sent(&self, body: &Body) {
        assert!(self.lock().sent.insert(body.clone()), "{body} is sent once");
    }

    pub(super) fn answered(&self, call: &'static str, body: &Body, result: Result<Receipt, Error>) {
        match result {
            Ok(receipt) => assert!(
                self.lock().acknowledged.insert(body.clone(), receipt).is_none(),
                "[an-answer-comes-once] {body}"
            ),
            Err(error) => self.failed(call, &error),
        }
    }

    pub(super) fn read(&self, message: &ReceivedMessage) {
        let body = String::from_utf8(message.body().to_vec()).expect("a text");
        let mut entries = self.lock();
        assert!(entries.sent.contains(&body), "[nothing-comes-that-was-not-sent] {body}");
        let place = (message.queue().clone(), message.queue_offset());
        let known = entries.read.insert(place, body.clone());
        assert!(known.is_none_or(|known| known == body), "[one-place-has-one-message]");
    }

    pub(super) fn commits(&self, group: &str, queue: &MessageQueue, offset: u64) {
        self.lock().committed.entry((group.to_owned(), queue.clone())).or_default().insert(offset);
    }

    /// Whether an offset is one that the group has tried to commit.
    pub(super) fn has_committed(&self, group: &str, queue: &MessageQueue, offset: u64) -> bool {
        let key = (group.to_owned(), queue.clone());
        self.lock().committed.get(&key).is_some_and(|offsets| offsets.contains(&offset))
    }

    /// A call has failed, for a reason that these troubles explain.
    pub(super) fn failed(&self, call: &'static str, error: &Error) {
        let is_explained = match error.kind() {
            ErrorKind::Timeout
            | ErrorKind::ConnectFailed
            | ErrorKind::ConnectionClosed
            | ErrorKind::NameServersUnavailable
            // Name servers forget a broker that stops, and with the last one its topics.
            | ErrorKind::NoQueueAvailable
            | ErrorKind::BrokerNotFound
            | ErrorKind::TopicNotFound => true,
            // A callback holds no handle of its client, which may be dropped before its turn.
            ErrorKind::Closed => call == "callback",
            ErrorKind::Refused => {
                matches!(error.code(), Some(ResponseCode::SYSTEM_BUSY | ResponseCode::SYSTEM_ERROR | ResponseCode::GO_AWAY))
            }
            // Some answers cannot be read.
            ErrorKind::MalformedAnswer => true,
            _ => false,
        };
        assert!(is_explained, "[what-is-said-is-true] {call}: {error:?}");
        *self.lock().failures.entry((call, error.kind())).or_default() += 1;
    }

    /// A call has taken so long, of so much that it may take.
    pub(super) fn took(&self, call: &str, took: Duration, limit: Duration) {
        assert!(took <= limit, "[a-call-ends-in-its-time] {call} took {took:?}");
    }

    /// Everything that is stored, against everything that was said.
    pub(super) fn check(&self, dialect: Dialect, stored: &[ReceivedMessage]) {
        stored.iter().for_each(|message| self.read(message));
        let entries = self.lock();
        for (body, receipt) in &entries.acknowledged {
            let there = entries.read.get(&(receipt.queue.clone(), receipt.queue_offset));
            assert_eq!(there, Some(body), "[what-is-acknowledged-is-where-its-receipt-says]");
        }
        let mut ids: BTreeMap<&[u8], (usize, BTreeSet<String>)> = BTreeMap::new();
        for message in stored {
            let (times, ids) = ids.entry(message.body()).or_default();
            *times += 1;
            ids.insert(message.message_id());
        }
        for (body, (times, ids)) in ids {
            // A unique id is its producer's, any other says where a message lies.
            let expected = if dialect.has_unique_ids() { 1 } else { times };
            assert_eq!(
                ids.len(),
                expected,
                "[a-message-keeps-its-id] {} is there {times} times",
                String::from_utf8_lossy(body)
            );
        }
        assert_eq!(entries.read.len(), stored.len(), "[nothing-comes-that-was-not-sent] readers saw what is not there");
    }
}

/// What all histories together did, to see that they did something.
#[derive(Debug, Default)]
pub(super) struct Totals {
    sent: u64,
    acknowledged: u64,
    stored: u64,
    committed: u64,
    failures: BTreeMap<(&'static str, ErrorKind), u64>,
}

impl Totals {
    pub(super) fn add(&mut self, ledger: &Ledger) {
        let entries = ledger.lock();
        self.sent += entries.sent.len() as u64;
        self.acknowledged += entries.acknowledged.len() as u64;
        self.stored += entries.read.len() as u64;
        self.committed += entries.committed.values().map(|offsets| offsets.len() as u64).sum::<u64>();
        for (failure, count) in &entries.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
    }

    /// Histories in which nothing succeeds, or nothing fails, would show nothing.
    pub(super) fn check(&self, histories: u64) {
        assert!(self.acknowledged > 200 * histories && self.committed > 50 * histories, "{self:?}");
        assert!(self.stored > self.acknowledged && self.failures.len() > 5, "{self:?}");
    }
}
