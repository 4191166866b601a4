//! The tripwire: `clock_gettime` and `getrandom` of this process, interposed.
//!
//! The linker takes a symbol that the executable itself defines before the C library's, so every
//! caller in the process, `std` included, comes through here. A call made while its thread is inside
//! the simulated world is a leak of determinism: it is counted, and the first leaves its backtrace.

#![expect(
    unsafe_code,
    reason = "symbols that replace the C library's can only be defined and served this way"
)]

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};

thread_local! {
    static TRIPS: Cell<u64> = const { Cell::new(0) };
    static FIRST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// How often this thread tripped, and where it did first. Resets both.
#[must_use]
pub fn take_trips() -> (u64, Option<String>) {
    (TRIPS.replace(0), FIRST.take())
}

fn note(what: &str) {
    if !sim::guard::inside() {
        return;
    }
    sim::guard::outside(|| {
        TRIPS.set(TRIPS.get() + 1);
        FIRST.with_borrow_mut(|first| {
            if first.is_none() {
                *first = Some(format!(
                    "{what} called inside the simulated world:\n{}",
                    Backtrace::force_capture()
                ));
            }
        });
    });
}

/// Replaces the C library's `clock_gettime`.
///
/// # Safety
/// As the C library's: `time` must point to a writable `timespec`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    note("clock_gettime");
    // SAFETY: the arguments are passed on to the kernel as they came.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int }
}

/// Replaces the C library's `getrandom`.
///
/// # Safety
/// As the C library's: `buffer` must point to `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    note("getrandom");
    // SAFETY: the arguments are passed on to the kernel as they came.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as libc::ssize_t }
}
