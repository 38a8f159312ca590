//! Credentials that change while a client runs, and the task that asks for them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use stgclient_core::credentials::Credentials;
use stgclient_core::notice::Notice;
use stgclient_core::time::Duration;

use crate::guard;
use crate::log;
use crate::shared::Shared;
use stgclient_host::{BoxFuture, MaybeSend};

/// How long after an answer the provider is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where credentials come from.
pub(crate) trait Provider: MaybeSend {
    fn next(&mut self) -> BoxFuture<Credentials>;
}

impl<P, F> Provider for P
where
    P: FnMut() -> F + MaybeSend,
    F: Future<Output = Credentials> + MaybeSend + 'static,
{
    fn next(&mut self) -> BoxFuture<Credentials> {
        Box::pin(self())
    }
}

/// Runs until the client is closed, or the provider panics.
pub(crate) async fn run(shared: Arc<Shared>, mut provider: Box<dyn Provider>, mut current: Credentials) {
    let task = Task(shared);
    loop {
        let again = task.0.host.sleep_until(task.0.host.now().mono + PAUSE);
        if task.until_closed(again).await.is_none() {
            return;
        }
        let next = match task.until_closed(guard::poll(|| provider.next())).await {
            None => return,
            Some(Ok(next)) => next,
            Some(Err(panic)) => {
                guard::log(|| tracing::error!(%panic, "the credentials provider panicked; it is not asked again"));
                return;
            }
        };
        if next != current {
            log::write(&*task.0.host, &Notice::info("new credentials").about("access_key", next.access_key()));
            current = next.clone();
            task.0.with(|state, _| state.core.set_credentials(Some(next)));
        }
    }
}

/// The task.
struct Task(Arc<Shared>);

impl Task {
    /// What comes of a future, unless the client is closed first.
    async fn until_closed<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| {
            let is_closed = self.0.peek(|state| {
                state.rotation = Some(context.waker().clone());
                state.is_closed
            });
            if is_closed {
                return Poll::Ready(None);
            }
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}
