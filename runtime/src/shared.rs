//! What all handles of one client share: the core under one lock, and who waits for what.
//!
//! Under the lock there are only decisions. Frames are parsed, bodies compressed, sockets written, tasks woken and
//! callbacks called outside of it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stgclient_core::address::Address;
use stgclient_core::client::{Client as Core, ConnectionId};
use stgclient_core::time::{Duration, Instant, Now};

use crate::effects::Effects;
use crate::guard;
use crate::lock::{Guard, Lock};
use crate::state::State;
use crate::sync::{AtomicU64, Mutex, MutexGuard, lock};
use crate::tasks::{Ended, Tasks, counted};
use crate::waiting::{Completion, Request, Waiter};
use stgclient_host::Host;
use stgclient_host::Link;
use stgclient_host::MaybeSend;

pub(crate) struct Shared {
    state: Lock<State>,
    /// Messages that were to be sent while somebody else had the lock, in the order of the calls.
    handed_in: Mutex<Vec<(Arc<Completion>, Request)>>,
    /// Links and the client's other tasks: what has to end until it is gone.
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) ended: Arc<Ended>,
    /// When the timer task should have done something next, in microseconds.
    due: AtomicU64,
    pub(crate) host: Arc<dyn Host>,
    /// What the host drives a connection with.
    link: MakeLink,
    pub(crate) settings: Settings,
}

/// Makes what a host drives a connection of this client with.
pub(crate) type MakeLink = fn(&Arc<Shared>, ConnectionId, Address) -> Box<dyn Link>;

/// What the runtime itself has to know of a client's configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: stgclient_core::wire::dialect::Dialect,
    pub(crate) max_frame_length: usize,
    pub(crate) max_body_length: usize,
    pub(crate) close_timeout: Duration,
    /// What the application calls the client, if it does.
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
}

impl Shared {
    pub(crate) fn new(mut core: Core, host: Arc<dyn Host>, settings: Settings, link: MakeLink) -> Arc<Self> {
        core.keep_spent();
        let ended = Arc::<Ended>::default();
        let observer = host.is_observing().then(|| Arc::clone(&host));
        Arc::new(Self {
            state: Lock::new(State::new(core, observer, Arc::clone(&ended))),
            handed_in: Mutex::default(),
            tasks: Arc::default(),
            ended,
            due: AtomicU64::new(u64::MAX),
            host,
            link,
            settings,
        })
    }

    /// Runs a task of the client.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + MaybeSend + 'static) {
        self.host.spawn(Box::pin(counted(task, self.tasks.guard())));
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    #[cfg(feature = "measure-lock")]
    pub(crate) fn lock_times(&self) -> crate::lock::LockTimes {
        self.state.times()
    }

    /// Does something with the core, and everything that follows from it.
    pub(crate) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut State, Now) -> R) -> R {
        self.with_buffers(&mut Effects::default(), act)
    }

    /// As [`Shared::with`], with buffers that are used again.
    pub(crate) fn with_buffers<R>(
        self: &Arc<Self>,
        effects: &mut Effects,
        act: impl FnOnce(&mut State, Now) -> R,
    ) -> R {
        let (mut state, now) = self.enter(effects);
        let result = act(&mut state, now);
        self.leave(state, effects);
        result
    }

    /// The lock, after what was handed in before.
    fn enter(&self, effects: &mut Effects) -> (Guard<'_, State>, Now) {
        let now = self.host.now();
        let mut state = self.lock();
        self.send_handed_in(&mut state, now, effects);
        (state, now)
    }

    /// Releases the lock, and does outside of it what followed.
    fn leave(self: &Arc<Self>, mut state: Guard<'_, State>, effects: &mut Effects) {
        self.drain(&mut state, effects);
        drop(state);
        self.carry_out(effects);
        self.take_in(effects);
    }

    /// The core has something to do at this moment, perhaps earlier than what is known of.
    fn note_deadline(&self, at: Instant) {
        // Under the client's lock, so that nobody else changes it between the two.
        if at.as_micros() < self.due.load(Relaxed) {
            self.due.store(at.as_micros(), Relaxed);
        }
    }

    /// The timer task is about to sleep until this moment.
    pub(crate) fn note_armed(&self, at: Instant) {
        self.due.store(at.as_micros(), Relaxed);
    }

    /// Does what the timer task should have done long ago: it does not run when nobody drives the host's tasks, and whoever
    /// waits still has to hear in time.
    pub(crate) fn stand_in_for_timers(self: &Arc<Self>) {
        let due = self.due.load(Relaxed);
        if due != u64::MAX && self.host.now().mono >= Instant::from_micros(due) + LATE {
            self.with(|state, now| {
                state.core.handle_timeout(now);
                self.due.store(state.core.poll_timeout().map_or(u64::MAX, |next| next.at.as_micros()), Relaxed);
            });
        }
    }

    /// Waits for a future that does not stand in for the timers by itself.
    pub(crate) async fn standing_in<T>(self: &Arc<Self>, future: impl Future<Output = T>) -> T {
        let (mut future, mut is_polled) = (pin!(future), false);
        poll_fn(|context| {
            let polled = future.as_mut().poll(context);
            // One that is polled again in vain may have been let down by the timers.
            if polled.is_pending() && std::mem::replace(&mut is_polled, true) {
                self.stand_in_for_timers();
            }
            polled
        })
        .await
    }

    /// Nobody runs the client's tasks any more: what is under way fails, and all that is asked from now on.
    pub(crate) fn host_is_gone(self: &Arc<Self>) {
        guard::log(|| tracing::debug!("the client is closed: its host is gone"));
        self.with(|state, now| state.core.abort(now));
    }

    /// Looks at something that the core has no part in.
    pub(crate) fn peek<R>(self: &Arc<Self>, look: impl FnOnce(&mut State) -> R) -> R {
        let result = look(&mut self.lock());
        self.take_in(&mut Effects::default());
        result
    }

    /// Sends a message, or puts it in line. Gives the place of its future.
    ///
    /// Nobody waits for the lock to do so: when another thread has it, the message is handed in, and that thread takes
    /// it in before it goes on. So many senders do not stand at the lock one behind the other, each with a core that
    /// lies in another's cache.
    pub(crate) fn send(self: &Arc<Self>, request: Request) -> Arc<Completion> {
        let place = Completion::new(Waiter::Nobody);
        let sent = Arc::clone(&place);
        let mut effects = Effects::default();
        let Some(state) = self.state.try_lock() else {
            let many = self.hand_in(sent, request);
            if many {
                self.with_buffers(&mut effects, |_, _| ());
            } else {
                self.take_in(&mut effects);
            }
            return place;
        };
        let now = self.host.now();
        self.act(state, now, &mut effects, |state, effects| state.send(now, sent, request, effects));
        self.take_in(&mut effects);
        place
    }

    /// Leaves a message for whoever has the lock. Returns whether too many wait there for the sender to go on.
    fn hand_in(&self, place: Arc<Completion>, request: Request) -> bool {
        let mut handed_in = self.handed_in();
        handed_in.push((place, request));
        handed_in.len() >= MAX_HANDED_IN
    }

    fn handed_in(&self) -> MutexGuard<'_, Vec<(Arc<Completion>, Request)>> {
        lock(&self.handed_in)
    }

    /// Takes in what was handed in while somebody had the lock. Everybody looks here after having released it; so
    /// whoever hands something in and then does not get the lock may leave it to the one who has it.
    fn take_in(self: &Arc<Self>, effects: &mut Effects) {
        while !self.handed_in().is_empty() {
            let Some(state) = self.state.try_lock() else {
                return;
            };
            self.act(state, self.host.now(), effects, |_, _| ());
        }
    }

    /// Wakes who is to be woken, and takes in what was handed in while we had the lock: before any code of the application is
    /// called, which may take its time.
    fn wake_and_take_in(self: &Arc<Self>, effects: &mut Effects) {
        for _ in 0..ROUNDS {
            effects.wake_and_connect(|connection, address| self.host.connect((self.link)(self, connection, address)));
            if self.handed_in().is_empty() {
                return;
            }
            let Some(state) = self.state.try_lock() else {
                return;
            };
            self.act_locked(state, self.host.now(), effects, |_, _| ());
        }
        effects.wake_and_connect(|connection, address| self.host.connect((self.link)(self, connection, address)));
    }

    /// Does something under the lock, after what was handed in before, and outside of it what follows.
    fn act<R>(
        self: &Arc<Self>,
        state: Guard<'_, State>,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut State, &mut Effects) -> R,
    ) -> R {
        let result = self.act_locked(state, now, effects, act);
        self.carry_out(effects);
        result
    }

    /// Does something under the lock, which is released at the end.
    fn act_locked<R>(
        self: &Arc<Self>,
        mut state: Guard<'_, State>,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut State, &mut Effects) -> R,
    ) -> R {
        self.send_handed_in(&mut state, now, effects);
        let result = act(&mut state, effects);
        self.drain(&mut state, effects);
        result
    }

    fn send_handed_in(&self, state: &mut State, now: Now, effects: &mut Effects) {
        let mut earlier = std::mem::take(&mut state.taken_in);
        std::mem::swap(&mut *self.handed_in(), &mut earlier);
        for (place, request) in earlier.drain(..) {
            state.send(now, place, request, effects);
            // What ends at once is told before its slot is used again.
            state.deliver_events(effects);
        }
        state.taken_in = earlier;
    }

    fn drain(&self, state: &mut State, effects: &mut Effects) {
        if let Some(deadline) = state.drain(effects) {
            self.note_deadline(deadline.at);
        }
    }

    /// Does outside of the lock what followed under it, and what follows from that.
    fn carry_out(self: &Arc<Self>, effects: &mut Effects) {
        loop {
            self.wake_and_take_in(effects);
            effects.call(&*self.host);
            let Some(answer) = effects.ask_next() else {
                return;
            };
            let now = self.host.now();
            self.act_locked(self.lock(), now, effects, |state, effects| {
                if let Some(message) = answer.tell(&mut state.core, now) {
                    effects.discard_message(message);
                }
            });
        }
    }
}

/// How often whoever had the lock takes in what was handed in meanwhile before it goes on. Where more keeps coming, others
/// keep getting the lock, who take it in.
const ROUNDS: usize = 16;

/// How many messages may wait for the one who has the lock; who hands in more waits for the lock itself.
const MAX_HANDED_IN: usize = 256;

/// How late the timer task may be before others do its work.
const LATE: Duration = Duration::from_millis(10);
