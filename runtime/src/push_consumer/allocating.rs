//! Which queues are a consumer's: its strategy is asked, which may be the application's.

use std::sync::Arc;

use stgclient_core::client::PushConsumerId;
use stgclient_core::consumer::allocation::Allocation;
use stgclient_core::consumer::push::AllocationQuestion;
use stgclient_core::error::{Error, ErrorKind};

use crate::guard;
use crate::shared::Shared;

/// A strategy that is to be asked, once nobody holds the client's lock.
pub(crate) struct Allocating {
    pub(super) consumer: PushConsumerId,
    pub(super) strategy: Arc<dyn Allocation>,
    pub(super) question: AllocationQuestion,
}

impl Allocating {
    /// Asks the strategy, and tells the consumer.
    pub(crate) fn ask(self, shared: &Arc<Shared>) {
        let Self { consumer, strategy, question } = self;
        let ours = guard::call(|| strategy.allocate(&question.request()));
        let ours = ours.map_err(|panic| {
            Error::new(ErrorKind::InvalidArgument, format!("the allocation strategy panicked: {panic}"))
        });
        shared.with(|state, now| state.core.allocated(now, consumer, &question, ours));
    }
}
