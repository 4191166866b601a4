//! Says whether this thread is inside the simulated world.
//!
//! A tripwire (interposed `clock_gettime` and `getrandom` in a test binary) asks it, so that it can
//! tell a leak of the real world into a drill from the legitimate calls around it.

use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Whether a world is being driven on this thread right now.
#[must_use]
pub fn inside() -> bool {
    INSIDE.get() > 0
}

/// Runs `f` as a part of the real world, from within a drill. For the tripwire's own report.
pub fn outside<T>(f: impl FnOnce() -> T) -> T {
    let depth = INSIDE.replace(0);
    let result = f();
    INSIDE.set(depth);
    result
}

/// While it lives, this thread is inside the world.
pub(crate) struct Inside(());

impl Inside {
    pub(crate) fn enter() -> Self {
        INSIDE.set(INSIDE.get() + 1);
        Self(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(INSIDE.get().saturating_sub(1));
    }
}
