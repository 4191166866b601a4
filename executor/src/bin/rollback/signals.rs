//! Ctrl-C and SIGTERM: the first asks for a stop at the next safe point, the second ends the program at once.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use executor::clock::Clock as _;
use executor::live::SystemClock;
use futures::future::select;
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
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let clock = Arc::clone(&screen);
    tokio::spawn(async move {
        loop {
            clock.tick();
            SystemClock.sleep(TICK).await;
        }
    });
    tokio::spawn(async move {
        let name = next(&mut interrupt, &mut terminate).await;
        screen.stopping(name);
        stop.cancel();
        next(&mut interrupt, &mut terminate).await;
        screen.ended_at_once();
        std::process::exit(INTERRUPTED.into());
    });
    Ok(())
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    match select(pin!(interrupt.recv()), pin!(terminate.recv())).await {
        futures::future::Either::Left(_) => "SIGINT",
        futures::future::Either::Right(_) => "SIGTERM",
    }
}
