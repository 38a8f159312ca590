//! Producers: messages out, receipts in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use stgclient_core::client::{Client as Core, Given, Pending, ProducerId, SendError};
use stgclient_core::error::Error;
use stgclient_core::producer::{Backlog, CommunicationMode, Message, ProducerConfig, Receipt, SendOptions};
use stgclient_core::time::{Duration, Now};
use stgclient_core::wire::compression::{self, Compression};

use crate::callbacks::{self, Callbacks};
use crate::guard;
use crate::handle::Handle;
use crate::operation::Operation;
use crate::waiting::{Completion, Request, Waiter};

/// Sets a [`Producer`] up.
#[derive(Debug)]
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
            compression: handle.shared.settings.dialect.compression(),
            handle,
            group: group.to_owned(),
            config: ProducerConfig::default(),
            threshold: compression::DEFAULT_THRESHOLD,
        }
    }

    /// The time for one send with all its tries, and with waiting for routes, connections and room. 3 s by default.
    /// [`SendOptions::timeout`] sets that of one message.
    pub const fn send_timeout(mut self, timeout: Duration) -> Self {
        self.config.send_timeout = timeout;
        self
    }

    /// How often a message is handed to a broker at the most: how many copies there can be. 3 by default; 0 counts as 1.
    pub const fn max_tries(mut self, tries: u32) -> Self {
        self.config.max_tries = tries;
        self
    }

    /// How bodies are compressed, if at all. zlib of level 5 by default, which every client of
    /// Apache's reads; towards smartgo's servers not at all.
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
    /// thousand messages a second the last of them is still answered within its time. One message may wait whatever its length.
    pub const fn max_waiting(mut self, messages: usize, bytes: usize) -> Self {
        self.config.max_waiting_messages = messages;
        self.config.max_waiting_bytes = bytes;
        self
    }

    /// Everything else: the time of one try, the largest body, how topics are created.
    ///
    /// ```no_run
    /// # fn set_up(client: &stgclient::Client) -> stgclient::ProducerBuilder {
    /// client.producer("shop").configure(|config| config.max_body_size = Some(1024 * 1024))
    /// # }
    /// ```
    pub fn configure(mut self, change: impl FnOnce(&mut ProducerConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the producer. Brokers hear of its group when it connects to them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) when the group's name is not 1 to 120 letters, digits and
    /// `%|_-`, or a number is out of its range; [`ErrorKind::Closed`](crate::ErrorKind::Closed) when the client is closed.
    pub async fn start(self) -> Result<Producer, Error> {
        let Self { handle, group, config, compression, threshold } = self;
        let id = handle.shared.with(|state, now| state.core.start_producer(now, &group, config))?;
        Ok(Producer { inner: Arc::new(Inner { handle, id, compression, threshold, callbacks: Arc::default() }) })
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
    callbacks: Arc<Callbacks>,
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
    /// Dropping the future withdraws a message that still waits: in line, for a route or for a connection. Where a connection stands
    /// the message is handed to it within the call, so mostly only its receipt is ignored. When too much waits already, the message
    /// stands in line, and is sent in its turn whether the future is polled or not.
    ///
    /// ```no_run
    /// # use stgclient::{Error, Message, Producer};
    /// # async fn run(producer: Producer) -> Result<(), Error> {
    /// let receipt = producer.send(Message::new("orders", "hello").tag("paid").key("42")).await?;
    /// println!("{} at offset {} of {}", receipt.status, receipt.queue_offset, receipt.queue);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of the future: [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a message that cannot be sent (its topic, an
    /// empty body or one that is too long, properties); what the last try met, such as
    /// [`Refused`](crate::ErrorKind::Refused), [`Timeout`](crate::ErrorKind::Timeout) or
    /// [`ConnectionClosed`](crate::ErrorKind::ConnectionClosed); [`Closed`](crate::ErrorKind::Closed). What may pass has been tried again
    /// within the send's time by then. See [`Error::is_retryable`] and [`Error::attempts`].
    pub fn send(&self, message: Message) -> Sending {
        self.send_to(message, SendOptions::default())
    }

    /// As [`Producer::send`], to a queue of one's choice or with a time of its own: `options` are [`SendOptions`], a
    /// [`QueueChoice`](crate::QueueChoice) or a [`MessageQueue`](crate::MessageQueue).
    pub fn send_to(&self, message: Message, options: impl Into<SendOptions>) -> Sending {
        Sending(self.submit(message, options.into()))
    }

    /// As [`Producer::send_to`], but gives the message back when too much waits already.
    ///
    /// # Errors
    /// [`ErrorKind::Full`](stgclient_core::error::ErrorKind::Full), or the message cannot be sent at all.
    pub fn try_send(&self, mut message: Message, options: impl Into<SendOptions>) -> Result<Sending, SendError> {
        self.compress(&mut message);
        let request = self.request(message, options.into(), CommunicationMode::Awaited);
        let place = Completion::new(Waiter::Nobody);
        self.inner.handle.shared.with(|state, now| state.try_send(now, request, &place))?;
        Ok(Sending(Operation::at(&self.inner.handle, place)))
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
        let request = self.request(message, options.into(), CommunicationMode::Awaited);
        let pending = self.inner.callbacks.begin();
        let place = Completion::new(Waiter::Callback(Box::new(|outcome| {
            // Given back also when the callback panics.
            let _pending = pending;
            let _within = callbacks::enter();
            callback(Receipt::read(outcome));
        })));
        self.inner.handle.shared.with(|state, now| state.try_send(now, request, &place))
    }

    /// Sends a message that no broker answers: the future ends when it has been written, or could not be. A broker
    /// that is too busy throws such messages away; [`Client::counters`](crate::Client::counters) counts what it says
    /// of that.
    pub fn send_oneway(&self, message: Message) -> SendingOneway {
        self.send_oneway_to(message, SendOptions::default())
    }

    /// As [`Producer::send_oneway`], to a queue of one's choice.
    pub fn send_oneway_to(&self, message: Message, options: impl Into<SendOptions>) -> SendingOneway {
        SendingOneway(self.submit(message, options.into()))
    }

    /// How many messages, and how many bytes of bodies, wait for answers now; without those that stand in line.
    pub fn backlog(&self) -> Backlog {
        // With what was handed in.
        self.inner.handle.shared.with(|state, _| state.core.backlog(self.inner.id)).unwrap_or_default()
    }

    /// Waits until all that was sent before this call is over, however it went, and its callbacks have returned. Receipts and errors go
    /// to whoever sent. Each send has its time, so this ends after the longest of them. What is sent meanwhile is not waited for.
    ///
    /// A callback must not wait for this, nor for anything else of its client: it would wait for itself. Within one this only logs an error.
    ///
    /// ```no_run
    /// # use stgclient::{Message, Producer, SendOptions};
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// for line in ["one", "two"] {
    ///     producer.send_with(Message::new("lines", line), SendOptions::new(), |sent| {
    ///         if let Err(error) = sent {
    ///             eprintln!("{error}");
    ///         }
    ///     })?;
    /// }
    /// producer.flush().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn flush(&self) {
        self.end(|core, now| core.flush(now, self.inner.id)).await;
    }

    /// Closes the producer: nothing new is taken, what it has under way goes on, and when this returns all of that is over, as with
    /// [`flush`](Self::flush). Brokers hear that it leaves.
    pub async fn close(&self) {
        let close = |core: &mut Core, now| {
            core.close_producer(now, self.inner.id);
            core.flush(now, self.inner.id)
        };
        self.end(close).await;
    }

    async fn end(&self, flush: impl FnOnce(&mut Core, Now) -> Pending<()>) {
        let Inner { handle, callbacks, .. } = &*self.inner;
        let last = callbacks.last();
        let sends = Operation::begin(handle, flush);
        if callbacks::is_within() {
            return guard::log(|| {
                tracing::error!("a callback of a send waits for sends, and so for itself: they are not waited for")
            });
        }
        // It fails only when the client is closed, with which all its sends have ended.
        _ = sends.await;
        callbacks.returned(last).await;
    }

    fn compress(&self, message: &mut Message) {
        if let Some(compression) = self.inner.compression {
            message.compress(self.inner.threshold, compression);
        }
    }

    fn request(&self, message: Message, options: SendOptions, mode: CommunicationMode) -> Request {
        Request { producer: self.inner.id, message, options, mode }
    }

    fn submit<T: Sent>(&self, mut message: Message, options: SendOptions) -> Operation<T> {
        let span = guard::span(|| tracing::trace_span!("send", topic = message.topic()));
        let _inside = guard::enter(&span);
        self.compress(&mut message);
        let request = self.request(message, options, T::MODE);
        let place = self.inner.handle.shared.send(request);
        Operation::at(&self.inner.handle, place)
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("backlog", &self.backlog()).finish_non_exhaustive()
    }
}

/// What a send gives, and so how its message is delivered.
trait Sent: Given {
    const MODE: CommunicationMode;
}

impl Sent for Receipt {
    const MODE: CommunicationMode = CommunicationMode::Awaited;
}

impl Sent for () {
    const MODE: CommunicationMode = CommunicationMode::Oneway;
}

/// A send under way: a future of the broker's [`Receipt`].
#[derive(Debug)]
#[must_use = "a send that is dropped is withdrawn while it waits, or its receipt is ignored"]
pub struct Sending(Operation<Receipt>);

impl Future for Sending {
    type Output = Result<Receipt, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

/// A send that no broker answers: a future that ends when the message is written.
#[derive(Debug)]
#[must_use = "a send that is dropped while it waits is withdrawn"]
pub struct SendingOneway(Operation<()>);

impl Future for SendingOneway {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}
