//! Tasks in virtual time: one thread, first woken first run. Those of a machine stand still and die with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use stgclient_core::time::Instant;

/// A task's number, given out in order. 0 is the future that a test blocks on.
type TaskId = u64;

/// The future that a test blocks on.
pub(super) const ROOT: TaskId = 0;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The machine that a task runs on; `None` for what a test does from outside.
pub(super) type Owner = Option<u32>;

/// The tasks of a world.
#[derive(Default)]
pub(super) struct Tasks {
    table: Mutex<Table>,
    ready: Arc<Ready>,
    /// Whether a machine's task that panics ends alone, and what those have said that did.
    panics: Mutex<Option<Vec<String>>>,
}

#[derive(Default)]
struct Table {
    tasks: BTreeMap<TaskId, Entry>,
    last: TaskId,
    /// Machines without power.
    dead: BTreeSet<u32>,
}

struct Entry {
    task: Task,
    waker: Waker,
    owner: Owner,
}

/// Who is to run next.
#[derive(Default)]
struct Ready(Mutex<Line>);

#[derive(Default)]
struct Line {
    queue: VecDeque<Arc<TaskWaker>>,
    /// Machines that stand still: until when, and who would run meanwhile.
    frozen: BTreeMap<u32, (Instant, Vec<Arc<TaskWaker>>)>,
    /// Whoever runs the tasks, if that one sleeps meanwhile.
    driver: Option<Waker>,
}

struct TaskWaker {
    id: TaskId,
    owner: Owner,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        // One thread: the order of memory operations is that of the program.
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            let ready = Arc::clone(&self.ready);
            let driver = {
                let mut line = lock(&ready.0);
                line.queue.push_back(self);
                line.driver.clone()
            };
            driver.into_iter().for_each(Waker::wake);
        }
    }
}

impl Tasks {
    /// Runs a task from now on; one of a machine without power is dropped.
    pub(super) fn spawn(&self, owner: Owner, task: Task) {
        let waker = {
            let mut table = lock(&self.table);
            if owner.is_some_and(|owner| table.dead.contains(&owner)) {
                drop(table);
                return drop(task);
            }
            table.last += 1;
            let id = table.last;
            let waker = self.waker(id, owner);
            table.tasks.insert(id, Entry { task, waker: waker.clone(), owner });
            waker
        };
        waker.wake();
    }

    /// Has this one woken when a task can run.
    #[cfg(feature = "tokio")]
    pub(super) fn wakes(&self, driver: &Waker) {
        lock(&self.ready.0).driver = Some(driver.clone());
    }

    #[cfg(feature = "tokio")]
    pub(super) fn forget_driver(&self) {
        lock(&self.ready.0).driver = None;
    }

    /// A machine stands still until then: none of its tasks runs, whoever wakes it.
    pub(super) fn freeze(&self, machine: u32, until: Instant) {
        let mut line = lock(&self.ready.0);
        let (end, _) = line.frozen.entry(machine).or_insert((until, Vec::new()));
        *end = until.max(*end);
    }

    /// A machine goes on, if it has stood still for long enough: everybody who woke meanwhile, in that order.
    pub(super) fn thaw(&self, machine: u32, now: Instant) {
        let mut line = lock(&self.ready.0);
        if line.frozen.get(&machine).is_some_and(|(until, _)| *until <= now)
            && let Some((_, woken)) = line.frozen.remove(&machine)
        {
            line.queue.extend(woken);
        }
    }

    /// A machine has no power any more: its tasks are gone, without a word.
    pub(super) fn kill(&self, machine: u32) {
        let gone: Vec<Entry> = {
            let mut table = lock(&self.table);
            table.dead.insert(machine);
            let of_machine = |(_, entry): &(&TaskId, &Entry)| entry.owner == Some(machine);
            let ids: Vec<TaskId> = table.tasks.iter().filter(of_machine).map(|(id, _)| *id).collect();
            ids.into_iter().filter_map(|id| table.tasks.remove(&id)).collect()
        };
        lock(&self.ready.0).frozen.remove(&machine);
        drop(gone);
    }

    /// From now on a machine's task that panics ends alone, as on tokio.
    pub(super) fn catch_panics(&self) {
        lock(&self.panics).get_or_insert_default();
    }

    /// What tasks have said that panicked.
    pub(super) fn panics(&self) -> Vec<String> {
        lock(&self.panics).clone().unwrap_or_default()
    }

    /// The waker of the future that a test blocks on.
    pub(super) fn root_waker(&self) -> Waker {
        self.waker(ROOT, None)
    }

    /// Takes out whoever is to run next.
    pub(super) fn next(&self) -> Option<TaskId> {
        let mut line = lock(&self.ready.0);
        let Line { queue, frozen, .. } = &mut *line;
        loop {
            let waker = queue.pop_front()?;
            if let Some((_, woken)) = waker.owner.and_then(|owner| frozen.get_mut(&owner)) {
                woken.push(waker);
                continue;
            }
            waker.is_queued.store(false, Ordering::Relaxed);
            return Some(waker.id);
        }
    }

    /// Whether one is to run.
    #[cfg(feature = "tokio")]
    pub(super) fn has_ready(&self) -> bool {
        !lock(&self.ready.0).queue.is_empty()
    }

    /// Runs a task until it waits.
    pub(super) fn run(&self, id: TaskId) {
        // Out of the table while it runs: a task may spawn others, and may end in code that looks at the world.
        let Some(mut entry) = lock(&self.table).tasks.remove(&id) else {
            return;
        };
        if self.poll(&mut entry).is_pending() {
            let mut table = lock(&self.table);
            if entry.owner.is_none_or(|owner| !table.dead.contains(&owner)) {
                table.tasks.insert(id, entry);
            }
        }
    }

    fn poll(&self, Entry { task, waker, owner }: &mut Entry) -> Poll<()> {
        let mut context = Context::from_waker(waker);
        if owner.is_none() || lock(&self.panics).is_none() {
            return task.as_mut().poll(&mut context);
        }
        catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut context))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            lock(&self.panics).get_or_insert_default().push(text);
            Poll::Ready(())
        })
    }

    /// How many tasks have not ended.
    pub(super) fn len(&self) -> usize {
        lock(&self.table).tasks.len()
    }

    /// How many of a machine have not ended.
    pub(super) fn len_of(&self, machine: u32) -> usize {
        lock(&self.table).tasks.values().filter(|entry| entry.owner == Some(machine)).count()
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

    fn waker(&self, id: TaskId, owner: Owner) -> Waker {
        let ready = Arc::clone(&self.ready);
        Waker::from(Arc::new(TaskWaker { id, owner, is_queued: AtomicBool::new(false), ready }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
