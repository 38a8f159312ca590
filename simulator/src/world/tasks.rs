//! Tasks in virtual time: one thread, first woken first run.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// A task's number, given out in order. 0 is the future that a test blocks on.
type TaskId = u64;

/// The future that a test blocks on.
pub(super) const ROOT: TaskId = 0;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of a world.
#[derive(Default)]
pub(super) struct Tasks {
    table: Mutex<Table>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Table {
    tasks: BTreeMap<TaskId, (Task, Waker)>,
    last: TaskId,
}

/// Who is to run next.
#[derive(Default)]
struct Ready(Mutex<VecDeque<(TaskId, Arc<TaskWaker>)>>);

struct TaskWaker {
    id: TaskId,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        // One thread: the order of memory operations is that of the program.
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            let ready = Arc::clone(&self.ready);
            lock(&ready.0).push_back((self.id, self));
        }
    }
}

impl Tasks {
    pub(super) fn spawn(&self, task: Task) {
        let waker = {
            let mut table = lock(&self.table);
            table.last += 1;
            let id = table.last;
            let waker = self.waker(id);
            table.tasks.insert(id, (task, waker.clone()));
            waker
        };
        waker.wake();
    }

    /// The waker of the future that a test blocks on.
    pub(super) fn root_waker(&self) -> Waker {
        self.waker(ROOT)
    }

    /// Takes out whoever is to run next.
    pub(super) fn next(&self) -> Option<TaskId> {
        let (id, waker) = lock(&self.ready.0).pop_front()?;
        waker.is_queued.store(false, Ordering::Relaxed);
        Some(id)
    }

    /// Runs a task until it waits.
    pub(super) fn run(&self, id: TaskId) {
        // Out of the table while it runs: a task may spawn others, and may end in code that looks at the world.
        let Some((mut task, waker)) = lock(&self.table).tasks.remove(&id) else {
            return;
        };
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            lock(&self.table).tasks.insert(id, (task, waker));
        }
    }

    /// How many tasks have not ended.
    pub(super) fn len(&self) -> usize {
        lock(&self.table).tasks.len()
    }

    /// Drops every task, and those that are spawned thereby.
    pub(super) fn clear(&self) {
        loop {
            let tasks = std::mem::take(&mut lock(&self.table).tasks);
            if tasks.is_empty() {
                return;
            }
        }
    }

    fn waker(&self, id: TaskId) -> Waker {
        let ready = Arc::clone(&self.ready);
        Waker::from(Arc::new(TaskWaker { id, is_queued: AtomicBool::new(false), ready }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
