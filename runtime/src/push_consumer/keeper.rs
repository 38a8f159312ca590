//! What has to be done for a consumer beside its messages: offsets are stored, a broker's wish is fulfilled.

use std::future::poll_fn;
use std::sync::Arc;

use stgclient_core::client::{BrokerQuestion, PushConsumerId};
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{Outcome, RetryDelay};
use stgclient_core::wire::body::{DirectConsumption, DirectResult};

use crate::bounds::BoxFuture;
use crate::consumer_place::{Chore, ConsumerPlace};
use crate::offset_store::OpenStore;
use crate::shared::Shared;

/// Consumes a message at once, apart from all others.
#[cfg(not(target_family = "wasm"))]
pub(super) type Directly = Box<dyn Fn(ReceivedMessage) -> BoxFuture<(Outcome, Option<String>)> + Send + Sync>;
/// Consumes a message at once, apart from all others.
#[cfg(target_family = "wasm")]
pub(super) type Directly = Box<dyn Fn(ReceivedMessage) -> BoxFuture<(Outcome, Option<String>)>>;

/// A consumer's keeper.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) id: PushConsumerId,
    pub(super) place: Arc<ConsumerPlace>,
    pub(super) store: Option<OpenStore>,
    pub(super) directly: Option<Directly>,
    pub(super) is_orderly: bool,
}

impl Keeper {
    /// Runs until the consumer is closed.
    pub(super) async fn run(self) {
        loop {
            match poll_fn(|context| self.place.poll_chore(context)).await {
                Chore::Store(offsets) => {
                    let stored = match &self.store {
                        Some(store) => store.store(offsets).await,
                        None => Ok(()),
                    };
                    if let Err(error) = &stored {
                        tracing::warn!(%error, "offsets were not stored; they are with the next ones");
                    }
                    let is_stored = stored.is_ok();
                    self.shared.with(|state, now| state.core.offsets_stored(now, self.id, is_stored));
                }
                Chore::ConsumeDirectly { question, queue, message } => {
                    let limit = self.shared.settings.max_body_length;
                    let task = match (ReceivedMessage::open(*message, queue, 0, limit), &self.directly) {
                        (Ok(message), Some(directly)) => directly(message),
                        (Err(error), _) => failed(error.to_string()),
                        (Ok(_), None) => failed("this consumer is read as a stream".to_owned()),
                    };
                    let (shared, is_orderly) = (Arc::clone(&self.shared), self.is_orderly);
                    self.shared.host.spawn(Box::pin(answer(shared, question, is_orderly, task)));
                }
                Chore::End => break,
            }
        }
    }
}

/// It cannot be consumed here.
fn failed(why: String) -> BoxFuture<(Outcome, Option<String>)> {
    Box::pin(std::future::ready((Outcome::ReconsumeLater(RetryDelay::Broker), Some(why))))
}

/// Waits for the outcome of a message that was consumed at once, and lets the broker know.
async fn answer(
    shared: Arc<Shared>,
    question: BrokerQuestion,
    is_orderly: bool,
    task: BoxFuture<(Outcome, Option<String>)>,
) {
    let begin = shared.host.now().mono;
    let (outcome, why) = task.await;
    let spent = shared.host.now().mono.since(begin).as_millis();
    let result = DirectConsumption {
        auto_commit: true,
        consume_result: Some(match outcome {
            Outcome::Success | Outcome::Commit => DirectResult::Success,
            Outcome::Rollback => DirectResult::Rollback,
            _ => DirectResult::Later,
        }),
        order: is_orderly,
        remark: why,
        spent_time_mills: i64::try_from(spent).unwrap_or(i64::MAX),
    };
    shared.with(|state, now| state.core.consumed_directly(now, question, &result));
}
