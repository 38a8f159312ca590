//! What an application does with messages, and what it says of failures.

use std::error::Error as StdError;
use std::future::Future;

use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{ConsumeOutcome, RetryDelay};
use stgclient_core::time::Duration;

use stgclient_host::{MaybeSend, MaybeSync};

/// A message failed and is to be consumed again later, by any member of the group; after the most retries it goes to the
/// group's dead letters.
///
/// Every error becomes one by `?`, those of `anyhow`, boxed ones and texts too:
///
/// ```
/// use stgclient::{ReconsumeLater, RetryDelay};
///
/// fn handle(body: &str) -> Result<(), ReconsumeLater> {
///     let amount: u32 = body.parse()?;
///     match amount {
///         0 => Err(ReconsumeLater::after(RetryDelay::Never).because("nothing was ordered")), // to the dead letters at once
///         1..1000 => Ok(()),
///         _ => Err("too much was ordered")?,
///     }
/// }
/// assert!(handle("x").is_err() && handle("0").is_err() && handle("1000").is_err() && handle("1").is_ok());
/// ```
#[derive(Debug, Default)]
pub struct ReconsumeLater {
    delay: RetryDelay,
    why: Option<Reason>,
}

/// Why a message failed, for the log.
type Reason = Box<dyn StdError + Send + Sync>;

impl ReconsumeLater {
    /// After the delay that the broker gives: longer each time, from 10 s to 2 h. Smartgo's brokers give none: it comes within a
    /// second.
    pub fn new() -> Self {
        Self::default()
    }

    /// After a delay of one's choice.
    pub const fn after(delay: RetryDelay) -> Self {
        Self { delay, why: None }
    }

    /// Says why, in the log.
    #[must_use]
    pub fn because(mut self, why: impl Into<Reason>) -> Self {
        self.why = Some(why.into());
        self
    }
}

impl<E: Into<Reason>> From<E> for ReconsumeLater {
    fn from(error: E) -> Self {
        Self::new().because(error)
    }
}

/// A message of an orderly consumer failed: its queue rests, and then the message is delivered again, before all that
/// follow it. Every error becomes one by `?`, as of [`ReconsumeLater`].
#[derive(Debug, Default)]
pub struct SuspendCurrentQueue {
    pause: Option<Duration>,
    why: Option<Reason>,
}

impl SuspendCurrentQueue {
    /// For as long as the consumer is set up to.
    pub fn new() -> Self {
        Self::default()
    }

    /// To be delivered again after a time of one's choice.
    pub const fn after(pause: Duration) -> Self {
        Self { pause: Some(pause), why: None }
    }

    /// Says why, in the log.
    #[must_use]
    pub fn because(mut self, why: impl Into<Reason>) -> Self {
        self.why = Some(why.into());
        self
    }
}

impl<E: Into<Reason>> From<E> for SuspendCurrentQueue {
    fn from(error: E) -> Self {
        Self::new().because(error)
    }
}

/// What an orderly consumer that commits itself says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committing {
    /// It is consumed, and committed by a later [`Committing::Commit`].
    NotYet,
    /// It is consumed, and with it everything before it is committed.
    Commit,
    /// It and what is not committed before it are delivered again.
    Rollback,
}

/// What a handler's result means.
pub(crate) trait IntoOutcome {
    /// The outcome, and what is to be said of a failure.
    fn into_outcome(self) -> (ConsumeOutcome, Option<String>);
}

impl IntoOutcome for Result<(), ReconsumeLater> {
    fn into_outcome(self) -> (ConsumeOutcome, Option<String>) {
        match self {
            Ok(()) => (ConsumeOutcome::Success, None),
            Err(ReconsumeLater { delay, why }) => (ConsumeOutcome::ReconsumeLater(delay), Some(words(why.as_deref()))),
        }
    }
}

impl IntoOutcome for Result<(), SuspendCurrentQueue> {
    fn into_outcome(self) -> (ConsumeOutcome, Option<String>) {
        self.map(|()| ConsumeOutcome::Success).into_outcome()
    }
}

impl IntoOutcome for Result<Committing, SuspendCurrentQueue> {
    fn into_outcome(self) -> (ConsumeOutcome, Option<String>) {
        let outcome = self.map(|done| match done {
            Committing::NotYet => ConsumeOutcome::Success,
            Committing::Commit => ConsumeOutcome::Commit,
            Committing::Rollback => ConsumeOutcome::Rollback,
        });
        outcome.into_outcome()
    }
}

impl IntoOutcome for Result<ConsumeOutcome, SuspendCurrentQueue> {
    fn into_outcome(self) -> (ConsumeOutcome, Option<String>) {
        match self {
            Ok(outcome) => (outcome, None),
            Err(SuspendCurrentQueue { pause, why }) => {
                (ConsumeOutcome::SuspendCurrentQueue(pause), Some(words(why.as_deref())))
            }
        }
    }
}

fn words(why: Option<&(dyn StdError + Send + Sync)>) -> String {
    why.map_or_else(|| "the handler said so".to_owned(), |why| format!("{why}"))
}

/// What an application does with messages.
pub(crate) trait Handler: MaybeSend + MaybeSync + 'static {
    type Result: IntoOutcome;
    type Future: Future<Output = Self::Result> + MaybeSend;

    /// How many messages one call takes at the most.
    fn consume_batch_size(&self) -> usize;

    /// Handles the messages that `batch` has.
    fn handle(&self, batch: &mut Vec<ReceivedMessage>) -> Self::Future;
}

/// One message after the other.
pub(crate) struct Each<F>(pub(crate) F);

impl<F, R, T> Handler for Each<F>
where
    F: Fn(ReceivedMessage) -> R + MaybeSend + MaybeSync + 'static,
    R: Future<Output = T> + MaybeSend + 'static,
    T: IntoOutcome,
{
    type Result = T;
    type Future = R;

    fn consume_batch_size(&self) -> usize {
        1
    }

    fn handle(&self, batch: &mut Vec<ReceivedMessage>) -> R {
        let message = batch.pop().expect("a batch has a message");
        (self.0)(message)
    }
}

/// Several messages of a queue at once.
pub(crate) struct Batches<F> {
    pub(crate) handler: F,
    pub(crate) size: usize,
}

impl<F, R, T> Handler for Batches<F>
where
    F: Fn(Vec<ReceivedMessage>) -> R + MaybeSend + MaybeSync + 'static,
    R: Future<Output = T> + MaybeSend + 'static,
    T: IntoOutcome,
{
    type Result = T;
    type Future = R;

    fn consume_batch_size(&self) -> usize {
        self.size
    }

    fn handle(&self, batch: &mut Vec<ReceivedMessage>) -> R {
        (self.handler)(std::mem::take(batch))
    }
}
