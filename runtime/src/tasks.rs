//! The tasks of a client, counted by guards: it is gone when the last of them is.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Poll, Waker};

use crate::guard;
use crate::sync::{AtomicU64, Mutex, Seated, Wakers, lock};

/// How many tasks of a kind there are, and who waits until there is none.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    alive: AtomicU64,
    /// Whoever waits looks at the number, and sits down, under this lock; so the last task, which takes it to wake, finds who
    /// saw it alive.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting(Wakers);

impl Tasks {
    /// A guard for one more task, which counts as alive until the guard is dropped.
    pub(crate) fn guard(self: &Arc<Self>) -> TaskGuard {
        self.alive.fetch_add(1, SeqCst);
        TaskGuard(Arc::clone(self))
    }

    /// Ends when no task is alive.
    pub(crate) async fn gone(&self) {
        let is_gone = |_: &mut Waiting| (self.alive.load(SeqCst) == 0).then_some(());
        Seated::new(&self.waiting, |waiting| &mut waiting.0, is_gone).await;
    }
}

/// Whether a client has ended, and who waits for that.
#[derive(Debug, Default)]
pub(crate) struct Ended(Mutex<End>);

#[derive(Debug, Default)]
struct End {
    is_there: bool,
    waiting: Wakers,
}

impl Ended {
    /// It has. Gives who waits for that.
    pub(crate) fn note(&self) -> Vec<Waker> {
        let mut end = lock(&self.0);
        end.is_there = true;
        end.waiting.take().collect()
    }

    pub(crate) async fn wait(&self) {
        Seated::new(&self.0, |end| &mut end.waiting, |end| end.is_there.then_some(())).await;
    }
}

/// What a task gives, unless `end` comes first: then `None`, and the task is dropped.
pub(crate) async fn unless<T>(end: impl Future<Output = ()>, task: impl Future<Output = T>) -> Option<T> {
    let (mut end, mut task) = (pin!(end), Box::pin(task));
    let done = poll_fn(|context| match task.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    });
    let done = done.await;
    // What the application gave is in it.
    guard::discard(task);
    done
}

/// A task counts as alive as long as it holds this. It has to be dropped last of all that the task has.
#[derive(Debug)]
pub(crate) struct TaskGuard(Arc<Tasks>);

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if self.0.alive.fetch_sub(1, SeqCst) == 1 {
            let waiting: Vec<Waker> = lock(&self.0.waiting).0.take().collect();
            waiting.into_iter().for_each(guard::wake);
        }
    }
}

/// The task, counted until it is dropped, and everything that it has with it: before it runs, arguments are dropped first
/// to last, and while it runs, what is awaited is dropped first.
pub(crate) async fn counted(task: impl Future<Output = ()>, guard: TaskGuard) {
    task.await;
    drop(guard);
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    /// Notes how many tasks are alive when it is dropped.
    struct Notes(Arc<Tasks>, Arc<Mutex<Vec<u64>>>);

    impl Drop for Notes {
        fn drop(&mut self) {
            lock(&self.1).push(self.0.alive.load(SeqCst));
        }
    }

    #[test]
    fn a_task_counts_until_everything_of_it_is_dropped() {
        let mut context = Context::from_waker(Waker::noop());
        for polls in 0..3 {
            let (tasks, noted) = (Arc::<Tasks>::default(), Arc::default());
            let (first, second) = (Notes(tasks.clone(), Arc::clone(&noted)), Notes(tasks.clone(), Arc::clone(&noted)));
            let mut is_first = true;
            let task = async move {
                let _local = second;
                poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
                drop(first);
            };
            let mut task = Box::pin(counted(task, tasks.guard()));
            let mut gone = Box::pin(tasks.gone());
            assert!(gone.as_mut().poll(&mut context).is_pending());
            for poll in 1..=polls {
                assert_eq!(task.as_mut().poll(&mut context).is_ready(), poll == 2);
            }
            drop(task);
            assert_eq!(*lock(&noted), [1, 1], "after {polls} polls");
            assert!(gone.as_mut().poll(&mut context).is_ready());
        }
    }

    #[test]
    fn whoever_gives_waiting_up_leaves_nothing_behind() {
        let tasks = Arc::<Tasks>::default();
        let _alive = tasks.guard();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            let mut gone = pin!(tasks.gone());
            let mut beside = pin!(tasks.gone());
            assert!(gone.as_mut().poll(&mut context).is_pending());
            assert!(beside.as_mut().poll(&mut context).is_pending());
        }
        assert!(lock(&tasks.waiting).0.len() <= 2);
    }
}
