//! Ctrl-C and a polite `kill` while a drill runs, and the runtime that it runs on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{Either, select};

use super::clock::sleep;
use crate::worlds::WorldError;

/// What to call it if there was no world, or none until the end, because of `why`.
pub(super) fn no_world(interrupted: &AtomicBool, why: String) -> WorldError {
    if interrupted.load(Ordering::Acquire) {
        WorldError::Interrupted
    } else {
        WorldError::SetUp(why)
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, WorldError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| WorldError::SetUp(format!("no runtime: {error}")))
}

/// The flag that Ctrl-C and a polite `kill` set. One for the process: a signal between two drills is for the next.
pub(super) fn interrupts() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Without it the signal ends the process, and the next drill clears up.
            let _ = signal_hook::flag::register(signal, flag.clone());
        }
        flag
    });
    Arc::clone(flag)
}

/// Completes once the flag is set.
async fn set(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        sleep(Duration::from_millis(100)).await;
    }
}

/// What comes of `work`, or an error once the flag is set.
pub(super) async fn or_interrupted<T>(
    work: impl Future<Output = Result<T, String>>,
    flag: &AtomicBool,
) -> Result<T, String> {
    match select(Box::pin(work), Box::pin(set(flag))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err("interrupted".to_owned()),
    }
}
