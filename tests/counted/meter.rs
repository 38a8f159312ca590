//! What is measured: only what runs inside [`Meter::measure`], after a warm-up.

// Nothing that is measured sees this clock.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts operations and their allocations.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    is_warm: bool,
    operations: u64,
    allocations: usize,
    /// The time of the step that is under way, and of the quickest one.
    step: Duration,
    quickest: Option<Duration>,
    steps: u64,
}

impl Meter {
    /// Measures `steps` calls of `step`, after half as many that are not measured, in which tables and buffers grow.
    pub(crate) fn repeat(&mut self, steps: u32, mut step: impl FnMut(&mut Self)) {
        for _ in 0..steps / 2 {
            step(self);
        }
        self.is_warm = true;
        for _ in 0..steps {
            self.step = Duration::ZERO;
            step(self);
            self.quickest = Some(self.quickest.map_or(self.step, |quickest| quickest.min(self.step)));
        }
        self.steps = u64::from(steps);
    }

    /// Measures `act`, which belongs to `operations` operations; zero when others have counted them.
    pub(crate) fn measure<R>(&mut self, operations: u64, act: impl FnOnce() -> R) -> R {
        if !self.is_warm {
            return act();
        }
        let region = Region::new(ALLOCATOR);
        let start = Instant::now();
        let result = measured(act);
        self.step += start.elapsed();
        let change = region.change();
        self.operations += operations;
        self.allocations += change.allocations + change.reallocations;
        result
    }

    /// How many operations were measured.
    pub(crate) const fn operations(&self) -> u64 {
        self.operations
    }

    /// How long an operation took, in nanoseconds, in the quickest step: for people, no gate.
    pub(crate) fn nanoseconds(&self) -> u64 {
        let step = u64::try_from(self.quickest.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX);
        step * self.steps / self.operations.max(1)
    }

    /// How often they asked for memory.
    pub(crate) const fn allocations(&self) -> usize {
        self.allocations
    }
}

/// What callgrind collects, by this name.
#[inline(never)]
fn measured<R>(act: impl FnOnce() -> R) -> R {
    black_box(act())
}
