//! What is measured: only what runs inside [`Meter::measure`], after a warm-up.

use std::alloc::System;
use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Counts operations and their allocations.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    is_warm: bool,
    operations: u64,
    allocations: usize,
}

impl Meter {
    /// Measures `steps` calls of `step`, after half as many that are not measured, in which tables and buffers grow.
    pub(crate) fn repeat(&mut self, steps: u32, mut step: impl FnMut(&mut Self)) {
        for _ in 0..steps / 2 {
            step(self);
        }
        self.is_warm = true;
        for _ in 0..steps {
            step(self);
        }
    }

    /// Measures `act`, which belongs to `operations` operations; zero when others have counted them.
    pub(crate) fn measure<R>(&mut self, operations: u64, act: impl FnOnce() -> R) -> R {
        if !self.is_warm {
            return act();
        }
        let region = Region::new(ALLOCATOR);
        let result = measured(act);
        let change = region.change();
        self.operations += operations;
        self.allocations += change.allocations + change.reallocations;
        result
    }

    /// How many operations were measured.
    pub(crate) const fn operations(&self) -> u64 {
        self.operations
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
