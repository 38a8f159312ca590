//! What has to be done for a consumer beside its messages: offsets are stored, a broker's wish is fulfilled.

use std::future::poll_fn;
use std::sync::Arc;

use stgclient_core::client::{BrokerQuestion, PushConsumerId};
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{ConsumeOutcome, RetryDelay};
use stgclient_core::notice::Notice;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{DirectConsumption, DirectResult};

use super::task::ConsumerTask;
use crate::consumer_place::{Chore, ConsumerPlace};
use crate::log;
use crate::offset_store::OpenStore;
use crate::shared::Shared;
use crate::tasks::{Tasks, unless};
use stgclient_host::{BoxFn, BoxFuture};

/// Consumes a message at once, apart from all others.
pub(super) type Directly = BoxFn<ReceivedMessage, BoxFuture<(ConsumeOutcome, Option<String>)>>;

/// A consumer's keeper.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) id: PushConsumerId,
    pub(super) place: Arc<ConsumerPlace>,
    pub(super) store: Option<OpenStore>,
    pub(super) directly: Option<Directly>,
    pub(super) is_orderly: bool,
    pub(super) tasks: Arc<Tasks>,
    pub(super) group: String,
}

/// How long a store may take for what is stored last.
const FAREWELL: Duration = Duration::from_secs(3);

impl Keeper {
    /// Runs until the consumer is closed, and has stored its last offsets or has had the time for it.
    pub(super) async fn run(self) {
        let time_is_up = async {
            self.place.closed().await;
            self.shared.host.sleep_until(self.shared.host.now().mono + FAREWELL).await;
        };
        if unless(time_is_up, self.keep()).await.is_none() {
            let what = "the offset store takes too long to close: what was to be stored last may be lost";
            log::write(&*self.shared.host, &Notice::error(what).about("group", &self.group));
        }
    }

    async fn keep(&self) {
        loop {
            match poll_fn(|context| self.place.poll_chore(context)).await {
                Chore::Store(offsets) => {
                    let stored = match &self.store {
                        Some(store) => store.store(offsets).await,
                        None => Ok(()),
                    };
                    self.shared.with(|state, now| state.core.offsets_stored(now, self.id, &self.group, stored));
                }
                Chore::ConsumeDirectly { question, queue, message } => {
                    let limit = self.shared.settings.max_body_length;
                    let handling = match (ReceivedMessage::open(*message, queue, 0, limit), &self.directly) {
                        (Ok(message), Some(directly)) => directly(message),
                        (Err(error), _) => failed(error.to_string()),
                        (Ok(_), None) => failed("this consumer is read as a stream".to_owned()),
                    };
                    self.answer(question, handling);
                }
                Chore::End => break,
            }
        }
    }

    /// Waits for the outcome of a message that was consumed at once, and lets the broker know.
    fn answer(&self, question: BrokerQuestion, handling: BoxFuture<(ConsumeOutcome, Option<String>)>) {
        let (shared, tasks, id, is_orderly) =
            (Arc::clone(&self.shared), Arc::clone(&self.tasks), self.id, self.is_orderly);
        self.shared.host.spawn(Box::pin(async move {
            let begin = shared.host.now().mono;
            let (outcome, why) = handling.await;
            // Until here it is the application's, which closing waits for no longer than it was given.
            let ours = ConsumerTask::new(&shared, &tasks);
            let spent = shared.host.now().mono.since(begin).as_millis();
            let result = DirectConsumption {
                auto_commit: true,
                consume_result: Some(match outcome {
                    ConsumeOutcome::Success | ConsumeOutcome::Commit => DirectResult::Success,
                    ConsumeOutcome::Rollback => DirectResult::Rollback,
                    _ => DirectResult::Later,
                }),
                order: is_orderly,
                remark: why,
                spent_time_mills: i64::try_from(spent).unwrap_or(i64::MAX),
            };
            shared.with(|state, now| state.core.consumed_directly(now, id, question, &result));
            drop((shared, tasks));
            drop(ours);
        }));
    }
}

/// It cannot be consumed here.
fn failed(why: String) -> BoxFuture<(ConsumeOutcome, Option<String>)> {
    Box::pin(std::future::ready((ConsumeOutcome::ReconsumeLater(RetryDelay::Broker), Some(why))))
}
