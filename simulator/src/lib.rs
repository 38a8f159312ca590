//! A world in virtual time: clusters, a network with faults, tasks and clients, all determined by one seed.
//!
//! ```
//! use stgclient_core::time::Duration;
//! use stgclient_servers::ClusterConfig;
//! use stgclient_simulator::World;
//!
//! let world = World::new(7);
//! let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
//! let machine = world.machine();
//! let address = world.block_on(async {
//!     machine.sleep(Duration::from_secs(60)).await; // takes no time
//!     let stream = machine.open(&cluster.name_servers()[0]).await?;
//!     Ok::<_, &str>(stream.address().to_owned())
//! })?;
//! assert_eq!(address, "10.0.0.1:9876");
//! # Ok::<(), &str>(())
//! ```
//!
//! One thread does everything. Time stands while a task can run; when none can, it moves on to the next event. The same
//! program with the same seed does the same things in the same order, which [`World::trace_hash`] shows.
#![forbid(unsafe_code)]

mod cluster;
mod course;
mod events;
mod host;
mod machine;
mod net;
mod network;
#[cfg(feature = "tokio")]
mod on_tokio;
mod script;
mod servers;
mod state;
mod tasks;
mod trace;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use stgclient_core::time::{Duration, Instant, Now};

pub use cluster::ClusterHandle;
use events::Event;
pub use machine::{Machine, Sleep};
pub use net::NetworkHandle;
pub use net::{Opening, Stream};
pub use network::{Direction, Faults};
pub use script::{Reaction, Script};
use state::{State, Step};
pub use stgclient_servers::{ClusterConfig, Memory, RequestFaults, ServerId};
use tasks::{ROOT, Tasks};

/// A world of its own.
///
/// Dropping it drops every task in it.
pub struct World {
    shared: Arc<Shared>,
    seed: u64,
}

/// What a world and everything in it look at.
pub(crate) struct Shared {
    state: Mutex<State>,
    tasks: Tasks,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.follow();
        state
    }

    /// Changes the state, and wakes whom that concerns when nobody looks at it any more.
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakers = state.course.take_wakers();
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
        result
    }
}

/// How long a world may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Virtual time.
    pub time: Duration,
    /// Steps: events, and turns of tasks.
    pub steps: u64,
}

impl Default for Patience {
    /// One virtual hour, and 20 million steps.
    fn default() -> Self {
        Self { time: Duration::from_secs(3600), steps: 20_000_000 }
    }
}

/// Why a world was waited for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The world's seed.
    pub seed: u64,
    /// What the clocks say.
    pub now: Now,
    /// Why.
    pub reason: StuckReason,
    /// What has happened last, a line each.
    pub journal: String,
}

/// Why a world was waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StuckReason {
    /// Every task waits, and nothing will ever happen.
    Nothing,
    /// The virtual time is up.
    Time,
    /// The steps are used up, by something that goes round in circles.
    Steps,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            StuckReason::Nothing => "every task waits, and nothing will ever happen",
            StuckReason::Time => "the virtual time is up",
            StuckReason::Steps => "the steps are used up",
        };
        let micros = self.now.mono.as_micros();
        write!(
            f,
            "seed {}: {why}, at {}.{:06} s; the last of what happened:\n{}",
            self.seed,
            micros / 1_000_000,
            micros % 1_000_000,
            self.journal
        )
    }
}

impl std::error::Error for Stuck {}

impl World {
    /// The world that `seed` determines.
    pub fn new(seed: u64) -> Self {
        let shared = Shared { state: Mutex::new(State::new(seed)), tasks: Tasks::default() };
        Self { shared: Arc::new(shared), seed }
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        self.shared.lock().course.now()
    }

    /// Adds a cluster, whose servers listen at their addresses from now on.
    pub fn cluster(&self, config: ClusterConfig) -> ClusterHandle {
        ClusterHandle::new(&self.shared, config)
    }

    /// Adds a server that a test writes, in place of whoever listened at `address`, `host:port`.
    pub fn serve(&self, address: &str, script: impl Script + 'static) {
        self.shared.lock().servers.add_script(address, Box::new(script));
    }

    /// The network.
    pub fn network(&self) -> NetworkHandle {
        NetworkHandle::new(&self.shared)
    }

    /// Adds a machine with an address of its own, for clients to run on.
    pub fn machine(&self) -> Arc<Machine> {
        Machine::new(&self.shared, self.seed)
    }

    /// Runs a task beside all others.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.tasks.spawn(None, Box::pin(task));
    }

    /// From now on a task of a machine that panics ends alone, as a task on tokio does; otherwise it ends the test. What
    /// runs by [`World::spawn`] and [`World::block_on`] is the test's own, and never caught.
    pub fn catch_panics(&self) {
        self.shared.tasks.catch_panics();
    }

    /// What the tasks have said that were caught so; an empty text for a panic whose payload is none.
    pub fn panics(&self) -> Vec<String> {
        self.shared.tasks.panics()
    }

    /// Does something after some time.
    pub fn after(&self, duration: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        self.shared.lock().course.plan_after(duration, Event::Acts(Box::new(act)));
    }

    /// Lets everything run until `future` is ready.
    ///
    /// # Errors
    /// It never is, or not within `patience`.
    pub fn try_block_on<T>(&self, patience: Patience, future: impl Future<Output = T>) -> Result<T, Box<Stuck>> {
        let mut future = pin!(future);
        let waker = self.shared.tasks.root_waker();
        waker.wake_by_ref();
        let mut context = Context::from_waker(&waker);
        let end = self.now().mono + patience.time;
        for _ in 0..patience.steps {
            match self.shared.tasks.next() {
                Some(ROOT) => {
                    if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                        return Ok(value);
                    }
                }
                Some(task) => self.shared.tasks.run(task),
                None => self.step(end).map_err(|reason| self.stuck(reason))?,
            }
        }
        Err(self.stuck(StuckReason::Steps))
    }

    /// The same with the usual patience.
    ///
    /// # Panics
    /// When `future` is not ready in time; the message names the seed and the last of what happened.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        match self.try_block_on(Patience::default(), future) {
            Ok(value) => value,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// Lets everything run for some virtual time.
    ///
    /// # Panics
    /// When more than 20 million steps were needed.
    pub fn run_for(&self, duration: Duration) {
        let machine = Machine::new(&self.shared, self.seed);
        let patience = Patience { time: duration, ..Patience::default() };
        if let Err(stuck) = self.try_block_on(patience, machine.sleep(duration)) {
            panic!("{stuck}");
        }
    }

    /// How many tasks have not ended.
    pub fn tasks(&self) -> usize {
        self.shared.tasks.len()
    }

    /// A hash of everything that has happened: every byte, event and deadline. The same for the same program and seed.
    pub fn trace_hash(&self) -> u64 {
        self.shared.lock().course.trace.hash()
    }

    /// What has happened last, a line each: when, what, to whom, with how many bytes.
    pub fn journal(&self) -> String {
        self.shared.lock().course.trace.journal()
    }

    fn step(&self, end: Instant) -> Result<(), StuckReason> {
        let step = self.shared.lock().step(end);
        match step {
            Step::Done(wakers, act) => {
                wakers.into_iter().for_each(std::task::Waker::wake);
                act.into_iter().for_each(|act| act(self));
                Ok(())
            }
            Step::Later => Err(StuckReason::Time),
            Step::Never => Err(StuckReason::Nothing),
        }
    }

    fn stuck(&self, reason: StuckReason) -> Box<Stuck> {
        Box::new(Stuck { seed: self.seed, now: self.now(), reason, journal: self.journal() })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks hold machines, which hold what the tasks are kept in.
        self.shared.tasks.clear();
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.seed).field("now", &self.now()).finish_non_exhaustive()
    }
}
