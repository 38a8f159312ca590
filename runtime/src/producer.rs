//! Producers: messages out, receipts in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::client::{OperationId, Outcome, ProducerId, SendError, Value};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::{Backlog, Message, ProducerConfig, Receipt, SendOptions};
use stgclient_core::time::Duration;
use stgclient_core::wire::compression::{self, Compression};

use crate::client::Handle;
use crate::operation::Operation;
use crate::shared::{Blocked, State, Waiter};

/// Sets a [`Producer`] up.
#[must_use = "a builder does nothing until `start`"]
pub struct ProducerBuilder {
    handle: Arc<Handle>,
    group: String,
    config: ProducerConfig,
    compression: Option<Compression>,
    threshold: usize,
}

impl ProducerBuilder {
    pub(crate) fn new(handle: Arc<Handle>, group: &str) -> Self {
        Self {
            handle,
            group: group.to_owned(),
            config: ProducerConfig::default(),
            compression: Some(Compression::Zlib { level: compression::DEFAULT_ZLIB_LEVEL }),
            threshold: compression::DEFAULT_THRESHOLD,
        }
    }

    /// The time for one send with all its tries. 3 s by default.
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.config.send_timeout = timeout;
        self
    }

    /// How often a send is tried at the most. 3 by default.
    pub const fn max_tries(mut self, tries: u32) -> Self {
        self.config.max_tries = tries;
        self
    }

    /// How bodies are compressed, if at all. zlib of level 5 by default, which every client reads.
    pub const fn compression(mut self, compression: Option<Compression>) -> Self {
        self.compression = compression;
        self
    }

    /// From which length on bodies are compressed, in bytes. 4096 by default.
    pub const fn compression_threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How many messages, and how many bytes of bodies, may wait for answers. 2,048 and 64 MiB by default: at a
    /// thousand messages a second the last of them is still answered within its time.
    pub const fn max_waiting(mut self, messages: usize, bytes: usize) -> Self {
        self.config.max_waiting_messages = messages;
        self.config.max_waiting_bytes = bytes;
        self
    }

    /// Everything else.
    pub fn configure(mut self, change: impl FnOnce(&mut ProducerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the producer. Brokers hear of its group when it connects to them.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub async fn start(self) -> Result<Producer, Error> {
        let Self { handle, group, config, compression, threshold } = self;
        let id = handle.shared.with(|state, now| state.core.start_producer(now, &group, config))?;
        Ok(Producer { inner: Arc::new(Inner { handle, id, compression, threshold }) })
    }
}

/// Sends messages. Cheap to clone; the last clone that is dropped closes it.
#[derive(Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Arc<Handle>,
    id: ProducerId,
    compression: Option<Compression>,
    threshold: usize,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handle.shared.with(|state, now| state.core.close_producer(now, self.id));
    }
}

impl Producer {
    /// Sends a message: it is queued now, in the order of the calls, and the future gives the broker's receipt.
    ///
    /// The receipt's status says how safely the broker has it; only an error says that it may not have it at all.
    /// Dropped before it is written, a message is withdrawn; dropped later, only its receipt is ignored. When too much
    /// waits already, the message waits its turn in the future.
    pub fn send(&self, message: Message) -> Sending {
        self.send_to(message, SendOptions::default())
    }

    /// As [`Producer::send`], to a queue of one's choice or with a time of its own.
    pub fn send_to(&self, message: Message, options: impl Into<SendOptions>) -> Sending {
        Sending(self.submit(message, options.into(), Kind::Awaited))
    }

    /// As [`Producer::send_to`], but gives the message back when too much waits already.
    ///
    /// # Errors
    /// [`ErrorKind::Full`], or the message cannot be sent at all.
    pub fn try_send(&self, message: Message, options: impl Into<SendOptions>) -> Result<Sending, SendError> {
        let mut submission = self.submit(message, options.into(), Kind::Awaited);
        match std::mem::replace(&mut submission.stage, Stage::Refused(None)) {
            Stage::Blocked { error, request, .. } => Err(SendError { error, message: request.message }),
            Stage::Refused(Some(refused)) => Err(*refused),
            stage => {
                submission.stage = stage;
                Ok(Sending(submission))
            }
        }
    }

    /// Sends a message and calls `callback` with the receipt or the error, on the task that reads the broker's answer:
    /// a callback that takes long holds up that connection.
    ///
    /// # Errors
    /// The message is given back when too much waits already or when it cannot be sent at all; the callback is not
    /// called then.
    pub fn send_with(
        &self,
        mut message: Message,
        options: impl Into<SendOptions>,
        callback: impl FnOnce(Result<Receipt, Error>) + Send + 'static,
    ) -> Result<(), SendError> {
        self.compress(&mut message);
        let callback = Box::new(|outcome| callback(receipt(outcome)));
        let options = options.into();
        self.inner.handle.shared.with(|state, now| {
            let id = state.core.send(now, self.inner.id, message, options)?;
            state.register(id, Waiter::Callback(callback));
            Ok(())
        })
    }

    /// Sends a message that no broker answers: the future ends when it has been written, or could not be. A broker
    /// that is too busy throws such messages away; [`Client::counters`](crate::Client::counters) counts what it says
    /// of that.
    pub fn send_oneway(&self, message: Message) -> SendingOneway {
        self.send_oneway_to(message, SendOptions::default())
    }

    /// As [`Producer::send_oneway`], to a queue of one's choice.
    pub fn send_oneway_to(&self, message: Message, options: impl Into<SendOptions>) -> SendingOneway {
        SendingOneway(self.submit(message, options.into(), Kind::Oneway))
    }

    /// What waits for answers.
    pub fn backlog(&self) -> Backlog {
        self.inner.handle.shared.lock().core.backlog(self.inner.id).unwrap_or_default()
    }

    /// Closes the producer: what it has under way goes on, nothing new is taken.
    pub async fn close(&self) {
        self.inner.handle.shared.with(|state, now| state.core.close_producer(now, self.inner.id));
    }

    fn compress(&self, message: &mut Message) {
        if let Some(compression) = self.inner.compression {
            message.compress(self.inner.threshold, compression);
        }
    }

    fn submit(&self, mut message: Message, options: SendOptions, kind: Kind) -> Submission {
        self.compress(&mut message);
        let request = Request { message, options, kind };
        let result = self.inner.handle.shared.with(|state, now| {
            // Those in line were first.
            if state.blocked.is_empty() {
                return request.begin(state, now, self.inner.id);
            }
            let Request { message, options, kind } = request;
            let error = Error::new(ErrorKind::Full, "other messages wait for room");
            Err((SendError { error, message }, options, kind))
        });
        let stage = match result {
            Ok(waiting) => Stage::Begun(Operation::begun(&self.inner.handle, waiting)),
            Err((SendError { error, message }, options, kind)) if error.kind() == ErrorKind::Full => {
                Stage::Blocked { ticket: None, error, request: Box::new(Request { message, options, kind }) }
            }
            Err((refused, ..)) => Stage::Refused(Some(Box::new(refused))),
        };
        Submission { producer: Arc::clone(&self.inner), stage }
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("backlog", &self.backlog()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Awaited,
    Oneway,
}

/// A message that is to be sent.
struct Request {
    message: Message,
    options: SendOptions,
    kind: Kind,
}

type Refused = (SendError, SendOptions, Kind);

impl Request {
    fn begin(
        self,
        state: &mut State,
        now: stgclient_core::time::Now,
        producer: ProducerId,
    ) -> Result<(OperationId, u32), Refused> {
        let Self { message, options, kind } = self;
        let begun = match kind {
            Kind::Awaited => state.core.send(now, producer, message, options.clone()),
            Kind::Oneway => state.core.send_oneway(now, producer, message, options.clone()),
        };
        match begun {
            Ok(id) => Ok((id, state.register(id, Waiter::Nobody))),
            Err(refused) => Err((refused, options, kind)),
        }
    }
}

/// How far a message is.
enum Stage {
    Begun(Operation),
    /// It waits for room; `ticket` is its place in line, once it has been polled.
    Blocked {
        ticket: Option<u64>,
        error: Error,
        request: Box<Request>,
    },
    /// It cannot be sent at all.
    Refused(Option<Box<SendError>>),
}

struct Submission {
    producer: Arc<Inner>,
    stage: Stage,
}

impl Submission {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        if matches!(self.stage, Stage::Blocked { .. }) {
            self.poll_room(context);
        }
        match &mut self.stage {
            Stage::Begun(operation) => Pin::new(operation).poll(context),
            Stage::Blocked { .. } => Poll::Pending,
            Stage::Refused(refused) => match refused.take() {
                Some(refused) => Poll::Ready(Err(refused.error)),
                None => Poll::Pending,
            },
        }
    }

    /// Begins when there is room and it is this message's turn; else waits in line.
    fn poll_room(&mut self, context: &Context<'_>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Refused(None));
        let Stage::Blocked { ticket, request, .. } = stage else {
            self.stage = stage;
            return;
        };
        let producer = self.producer.id;
        let handle = &self.producer.handle;
        self.stage = handle.shared.with(|state, now| {
            let is_next = state.blocked.front().is_none_or(|front| Some(front.ticket) == ticket);
            let refused = if is_next {
                match request.begin(state, now, producer) {
                    Ok(waiting) => {
                        leave_line(state, ticket);
                        return Stage::Begun(Operation::begun(handle, waiting));
                    }
                    Err(refused) => refused,
                }
            } else {
                let Request { message, options, kind } = *request;
                (SendError { error: Error::new(ErrorKind::Full, ""), message }, options, kind)
            };
            let (SendError { error, message }, options, kind) = refused;
            if error.kind() != ErrorKind::Full {
                leave_line(state, ticket);
                return Stage::Refused(Some(Box::new(SendError { error, message })));
            }
            let ticket = Some(stand_in_line(state, ticket, context));
            Stage::Blocked { ticket, error, request: Box::new(Request { message, options, kind }) }
        });
    }
}

fn stand_in_line(state: &mut State, ticket: Option<u64>, context: &Context<'_>) -> u64 {
    let waker = context.waker().clone();
    if let Some(known) = state.blocked.iter_mut().find(|blocked| Some(blocked.ticket) == ticket) {
        known.waker = waker;
        return known.ticket;
    }
    let ticket = state.take_ticket();
    state.blocked.push_back(Blocked { ticket, waker });
    ticket
}

/// Leaves the line, and lets the next one try.
fn leave_line(state: &mut State, ticket: Option<u64>) {
    let Some(place) = state.blocked.iter().position(|blocked| Some(blocked.ticket) == ticket) else {
        return;
    };
    state.blocked.remove(place);
    if place == 0 {
        state.wake_next_in_line = true;
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        if let Stage::Blocked { ticket: Some(ticket), .. } = self.stage {
            self.producer.handle.shared.with(|state, _| leave_line(state, Some(ticket)));
        }
    }
}

/// A send under way: a future of the broker's [`Receipt`].
#[must_use = "a send that is dropped is withdrawn, or its receipt is ignored"]
pub struct Sending(Submission);

impl Future for Sending {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context).map(receipt)
    }
}

/// A send that no broker answers: a future that ends when the message is written.
#[must_use = "a send that is dropped before it is written is withdrawn"]
pub struct SendingOneway(Submission);

impl Future for SendingOneway {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context).map_ok(|_| ())
    }
}

fn receipt(outcome: Outcome) -> Result<Receipt, Error> {
    match outcome? {
        Value::Sent(receipt) => Ok(receipt),
        other => Err(Error::new(ErrorKind::MalformedAnswer, format!("a send gave {other:?}"))),
    }
}
