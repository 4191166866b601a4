//! Ctrl-C, SIGTERM, and SIGHUP of a terminal that is gone: the first asks for a stop at the next safe point, the second
//! ends the program at once.

use std::sync::Arc;
use std::time::Duration;

use executor::clock::Clock as _;
use executor::live::SystemClock;
use futures::future::{FutureExt as _, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::commands::Failure;
use crate::show::Screen;

/// Exit code of a program that a signal stopped: 128 + SIGINT, as people's scripts expect it.
pub(crate) const INTERRUPTED: u8 = 130;

/// How often the live view's clocks are drawn.
const TICK: Duration = Duration::from_millis(250);

/// Listens from now on, and keeps the live view's clocks going.
pub(crate) fn listen(screen: Arc<Screen>, stop: CancellationToken) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("can't catch signals: {error}"));
    let mut signals = vec![
        ("SIGINT", signal(SignalKind::interrupt()).map_err(failed)?),
        ("SIGTERM", signal(SignalKind::terminate()).map_err(failed)?),
    ];
    // `nohup` means that it is to go on.
    if !hangups_are_ignored() {
        signals.push(("SIGHUP", signal(SignalKind::hangup()).map_err(failed)?));
    }
    let clock = Arc::clone(&screen);
    tokio::spawn(async move {
        loop {
            clock.tick();
            SystemClock.sleep(TICK).await;
        }
    });
    tokio::spawn(async move {
        let name = next(&mut signals).await;
        screen.stopping(name);
        stop.cancel();
        next(&mut signals).await;
        screen.ended_at_once();
        std::process::exit(INTERRUPTED.into());
    });
    Ok(())
}

async fn next(signals: &mut [(&'static str, Signal)]) -> &'static str {
    let each = signals.iter_mut().map(|(name, signal)| {
        let name = *name;
        async move {
            signal.recv().await;
            name
        }
        .boxed()
    });
    select_all(each).await.0
}

/// Whether whoever started the program had SIGHUP ignored, as the kernel tells it; where it doesn't, no.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1, which is SIGHUP.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}
