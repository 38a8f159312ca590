//! Whether this thread has a client's lock, which debug builds know: code of the application may not run then.

#[cfg(debug_assertions)]
crate::sync::thread_local! {
    // The checker of interleavings takes no `const`.
    #[allow(clippy::missing_const_for_thread_local)]
    static COUNT: std::cell::Cell<usize> = std::cell::Cell::new(0);
}

/// This thread has a lock, until this is dropped.
pub(super) struct Held(());

impl Held {
    pub(super) fn new() -> Self {
        #[cfg(debug_assertions)]
        COUNT.with(|count| count.set(count.get() + 1));
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        COUNT.with(|count| count.set(count.get() - 1));
    }
}

/// Whether this thread has the lock of a client. Always `false` in builds without debug assertions.
pub fn holds_lock() -> bool {
    #[cfg(debug_assertions)]
    return COUNT.with(|count| count.get()) > 0;
    #[cfg(not(debug_assertions))]
    false
}
