//! What is done once the client's lock is released: tasks are woken, connections opened, and code of the application runs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use stgclient_core::address::Address;
use stgclient_core::client::{Client as Core, ConnectionId, OperationId, PushConsumerId};
use stgclient_core::consumer::allocation::Allocation;
use stgclient_core::consumer::push::{AllocationQuestion, Opened, Unopened};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::notice::Notice;
use stgclient_core::producer::{Choice, Message, Spent};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Now;
use stgclient_host::Host;

use crate::guard::{self, Panic};
use crate::log;

/// What is done once the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    /// Nearly always there is one task to wake at the most; a vector would be an allocation for each send.
    first: Option<Waker>,
    more: Vec<Waker>,
    spent: Spent,
    /// What is seldom, so that the rest costs little.
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    callbacks: Vec<Box<dyn FnOnce() + Send>>,
    connects: Vec<(ConnectionId, Address)>,
    messages: Vec<Message>,
    strategies: Vec<Arc<dyn Allocation>>,
    notices: Vec<Notice>,
    questions: VecDeque<Question>,
}

/// What is asked outside of the lock for the core, mostly of the application's code.
enum Question {
    /// Which queue a message goes to.
    Queue(OperationId, Box<Choice>),
    /// Which queues are a consumer's.
    Queues(PushConsumerId, Arc<dyn Allocation>, Box<AllocationQuestion>),
    /// What is in batches that came; none of the application's code, but too much work for the lock.
    Messages(PushConsumerId, Box<Unopened>),
}

/// What it says.
pub(crate) enum Answer {
    Queue(OperationId, Message, Result<MessageQueue, Error>),
    Queues(PushConsumerId, Box<AllocationQuestion>, Result<Vec<MessageQueue>, Error>),
    Messages(PushConsumerId, Opened),
}

impl Effects {
    pub(crate) fn wake(&mut self, wakers: impl IntoIterator<Item = Waker>) {
        for waker in wakers {
            match &self.first {
                None => self.first = Some(waker),
                Some(_) => self.more.push(waker),
            }
        }
    }

    pub(crate) fn connect(&mut self, connection: ConnectionId, address: Address) {
        self.rare().connects.push((connection, address));
    }

    pub(crate) fn call_back(&mut self, callback: impl FnOnce() + Send + 'static) {
        self.rare().callbacks.push(Box::new(callback));
    }

    pub(crate) fn log(&mut self, notice: Notice) {
        self.rare().notices.push(notice);
    }

    /// Has a message dropped.
    pub(crate) fn discard_message(&mut self, message: Message) {
        self.rare().messages.push(message);
    }

    /// Has a strategy dropped.
    pub(crate) fn discard_strategy(&mut self, strategy: Arc<dyn Allocation>) {
        self.rare().strategies.push(strategy);
    }

    pub(crate) fn take_spent(&mut self, core: &mut Core) {
        core.take_spent(&mut self.spent);
    }

    pub(crate) fn choose(&mut self, operation: OperationId, choice: Box<Choice>) {
        self.rare().questions.push_back(Question::Queue(operation, choice));
    }

    pub(crate) fn allocate(
        &mut self,
        consumer: PushConsumerId,
        allocation: Arc<dyn Allocation>,
        question: Box<AllocationQuestion>,
    ) {
        self.rare().questions.push_back(Question::Queues(consumer, allocation, question));
    }

    pub(crate) fn open(&mut self, consumer: PushConsumerId, unopened: Box<Unopened>) {
        self.rare().questions.push_back(Question::Messages(consumer, unopened));
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Wakes tasks; `connect` opens connections.
    pub(crate) fn wake_and_connect(&mut self, mut connect: impl FnMut(ConnectionId, Address)) {
        if let Some(rare) = &mut self.rare {
            rare.connects.drain(..).for_each(|(connection, address)| connect(connection, address));
        }
        self.first.take().into_iter().chain(self.more.drain(..)).for_each(guard::wake);
    }

    /// Calls and drops what is the application's.
    pub(crate) fn call(&mut self, host: &dyn Host) {
        if let Some(rare) = &mut self.rare {
            rare.notices.drain(..).for_each(|notice| log::write(host, &notice));
            for callback in rare.callbacks.drain(..) {
                if let Err(panic) = guard::call(callback) {
                    guard::log(|| tracing::error!(%panic, "the callback of a send panicked"));
                }
            }
            rare.messages.drain(..).for_each(guard::discard);
            rare.strategies.drain(..).for_each(guard::discard);
        }
        if !self.spent.is_empty() {
            self.spent.drain(|drop_it| {
                if let Err(panic) = guard::call(drop_it) {
                    guard::log(|| tracing::error!(%panic, "a body panicked as it was dropped"));
                }
            });
        }
    }

    /// Asks the application's code the next question.
    pub(crate) fn ask_next(&mut self) -> Option<Answer> {
        Some(match self.rare.as_mut()?.questions.pop_front()? {
            Question::Queue(operation, choice) => {
                let queue = guard::call(|| choice.ask()).unwrap_or_else(|panic| Err(panicked("selector", &panic)));
                let Choice { selector, message, .. } = *choice;
                guard::discard(selector);
                Answer::Queue(operation, message, queue)
            }
            Question::Queues(consumer, allocation, question) => {
                let queues = guard::call(|| allocation.allocate(&question.request()));
                guard::discard(allocation);
                Answer::Queues(consumer, question, queues.map_err(|panic| panicked("allocation strategy", &panic)))
            }
            Question::Messages(consumer, unopened) => Answer::Messages(consumer, unopened.open()),
        })
    }
}

fn panicked(what: &str, panic: &Panic) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the {what} panicked: {panic}"))
}

impl Answer {
    /// Tells the core. A message that it does not want any more is given back.
    pub(crate) fn tell(self, core: &mut Core, now: Now) -> Option<Message> {
        match self {
            Self::Queue(operation, message, queue) => core.chosen(now, operation, message, queue),
            Self::Queues(consumer, question, queues) => {
                core.allocated(now, consumer, &question, queues);
                None
            }
            Self::Messages(consumer, opened) => {
                core.opened(now, consumer, opened);
                None
            }
        }
    }
}
