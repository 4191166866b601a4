//! What a process knows of its own state: the answers to the probes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Flags that the probes read.
#[derive(Default)]
pub(super) struct Status {
    ready: AtomicBool,
    draining: AtomicBool,
    /// It needs a session to the database and has none.
    cut_off: AtomicBool,
    failed: Mutex<Option<String>>,
}

impl Status {
    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(super) fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.cut_off.store(!connected, Ordering::Release);
    }

    /// The process cannot go on: it stays up, unhealthy, until its liveness probe fails.
    pub(super) fn fail(&self, reason: String) {
        if let Ok(mut failed) = self.failed.lock() {
            *failed = Some(reason);
        }
    }

    /// Why the process cannot go on.
    pub(super) fn failed(&self) -> Option<String> {
        self.failed.lock().ok()?.clone()
    }

    /// Why the process is not ready; `None` if it is.
    pub(super) fn unhealthy(&self) -> Option<String> {
        if let Some(reason) = self.failed() {
            return Some(format!("cannot load the ledger: {reason}"));
        }
        if !self.is_ready() {
            return Some("loading".to_owned());
        }
        if self.is_draining() {
            return Some("draining".to_owned());
        }
        self.cut_off
            .load(Ordering::Acquire)
            .then(|| "no session to the ledger database".to_owned())
    }
}
