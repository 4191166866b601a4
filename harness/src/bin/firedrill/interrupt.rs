//! Ctrl-C and SIGTERM: answered at once, and what was done is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use firedrill::worlds::in_flight;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::iterator::Signals;

use crate::exit::INTERRUPTED;
use crate::terminal;

/// Whether drills should go on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    stop: Arc<AtomicBool>,
    happened: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to Ctrl-C and SIGTERM. The first one says so at once, and abandons the drills in flight.
    /// A second one ends the program.
    pub(crate) fn listen() -> Self {
        let it = Self::default();
        if let Err(error) = it.register() {
            terminal::complain(&format!(
                "warning: Ctrl-C will end the run without results: {error}"
            ));
        }
        it
    }

    fn register(&self) -> std::io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order, so that the first signal only sets the flag.
            let code = i32::from(INTERRUPTED);
            register_conditional_shutdown(signal, code, Arc::clone(&self.happened))?;
            register(signal, Arc::clone(&self.happened))?;
            register(signal, Arc::clone(&self.stop))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                in_flight::abandon();
                terminal::complain(
                    "interrupted: the drills in flight are abandoned, and what was done is reported. Once more ends at once.",
                );
            }
        });
        Ok(())
    }

    /// The flag that keeps further drills from beginning.
    pub(crate) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// Keeps further drills from beginning, without an interruption.
    pub(crate) fn enough(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether there was an interruption.
    pub(crate) fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    /// What a drill on a cluster found out by itself: its own handler ended it.
    pub(crate) fn note(&self) {
        self.happened.store(true, Ordering::Relaxed);
    }
}
