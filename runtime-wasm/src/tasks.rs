//! Tasks: what goes on beside everything else, in micro-tasks of JavaScript's.
//!
//! All that is ready runs in one turn, which is entered as every other call of JavaScript's is; so a task that fails is known there.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use wasm_bindgen::prelude::wasm_bindgen;

use crate::js;
use crate::slots::Slots;

type Work = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    /// Taken while it is polled.
    work: Option<Work>,
    call: Arc<Call>,
}

/// Calls a task. It knows the task by its number, since wakers are for all threads and tasks are not.
struct Call {
    number: u32,
    is_ready: AtomicBool,
}

#[derive(Default)]
struct Tasks {
    all: Slots<Task>,
    ready: VecDeque<u32>,
    /// JavaScript knows that something is ready.
    is_due: bool,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Relaxed) {
            TASKS.with_borrow_mut(|tasks| tasks.call(self.number));
        }
    }
}

impl Tasks {
    fn call(&mut self, number: u32) {
        self.ready.push_back(number);
        if !std::mem::replace(&mut self.is_due, true) {
            js::run_tasks_soon();
        }
    }

    fn next(&mut self) -> Option<(u32, Work, Arc<Call>)> {
        while let Some(number) = self.ready.pop_front() {
            // A task that is over may have been called once more.
            if let Some(task) = self.all.get_mut(number)
                && let Some(work) = task.work.take()
            {
                task.call.is_ready.store(false, Relaxed);
                return Some((number, work, Arc::clone(&task.call)));
            }
        }
        self.is_due = false;
        None
    }
}

/// Runs a task as long as it takes.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    spawn_boxed(Box::pin(work));
}

pub(crate) fn spawn_boxed(work: Work) {
    TASKS.with_borrow_mut(|tasks| {
        let number = tasks.all.insert_with(|number| Task {
            work: Some(work),
            call: Arc::new(Call { number, is_ready: AtomicBool::new(true) }),
        });
        tasks.call(number);
    });
}

/// Runs what is ready.
#[inline(never)]
#[wasm_bindgen(js_name = runTasks)]
pub fn run_tasks() {
    while let Some((number, mut work, call)) = TASKS.with_borrow_mut(Tasks::next) {
        let waker = Waker::from(call);
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            TASKS.with_borrow_mut(|tasks| {
                if let Some(task) = tasks.all.get_mut(number) {
                    task.work = Some(work);
                }
            });
        } else {
            let over = TASKS.with_borrow_mut(|tasks| tasks.all.remove(number));
            drop((work, over));
        }
    }
}
