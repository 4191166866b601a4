//! A process from start to end: settings, role, server, signals.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::clock;
use super::log::Log;
use super::roles::{Role, role};
use super::settings::{Settings, SettingsError};
use super::status::Status;
use crate::causes::with_causes;
use crate::gateway::ConfigError;

/// A pod has 10 s from SIGTERM to SIGKILL; draining may take this much of them.
const DRAIN: Duration = Duration::from_secs(5);
/// What is under way when the server stops may take this long.
const LAST_ANSWERS: Duration = Duration::from_secs(4);

/// Why a process ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServiceFailure {
    /// A variable of the environment.
    #[error("settings")]
    Settings(#[from] SettingsError),
    /// The release's configuration.
    #[error("configuration")]
    Config(#[from] ConfigError),
    /// No socket, thread or signal handler to be had.
    #[error("cannot start")]
    Listen(#[source] std::io::Error),
    /// The ledger's rows or its log cannot be read by this build.
    #[error("cannot load the ledger: {0}")]
    Ledger(String),
    /// The build crashes by a defect of its own ([`Defect::CrashLoop`](crate::release::Defect::CrashLoop)).
    #[error("index out of bounds: the len is 64 but the index is 64")]
    Crashed,
    /// The service's task ended by itself.
    #[error("the service has ended")]
    Ended,
}

/// Runs the service that the environment describes until SIGTERM or SIGINT.
///
/// | variable | of | default |
/// |---|---|---|
/// | `DEX_BUILD` | all | the image: `dex/SERVICE:VERSION` |
/// | `DEX_LISTEN` | all | `0.0.0.0:8080` |
/// | `DATABASE_URL` | matching, risk | |
/// | `POD_IP` | matching | the listening address |
/// | `POD_NAME` | matching, gateway | `-` |
/// | `LOG_BATCH` | matching | 64 commands in one write |
/// | `RECONCILE_SECONDS` | risk | 5 |
/// | `MATCHING_ADDR`, or `MATCHING_SERVICE_HOST` and `…_PORT` | gateway | port 8080 |
/// | `DEX_TRADING_MODE_FILE` | gateway | `/etc/dex/trading/mode` |
/// | `DEX_ACCOUNTS`, `DEX_MARKETS` | gateway | 1000, 4 |
/// | `RATE_LIMIT_PER_ACCOUNT`, `MAX_NOTIONAL`, `QUEUE_MAX` | gateway | see [`crate::gateway::GatewayConfig`] |
/// | `DEX_UNIT_NANOS`, `DEX_LAME_DUCK_MS` | gateway | 1000, 3000 |
///
/// # Errors
/// Why the process cannot run; it is in the log too.
pub async fn run(env: BTreeMap<String, String>) -> Result<(), ServiceFailure> {
    let log = Arc::new(Log::default());
    let ended = run_logged(Settings { env }, &log).await;
    if let Err(error) = &ended {
        log.error(&with_causes(error));
    }
    ended
}

async fn run_logged(settings: Settings, log: &Arc<Log>) -> Result<(), ServiceFailure> {
    let build = settings.build()?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ServiceFailure::Listen)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServiceFailure::Listen)?;
    log.info(&format!(
        "starting {} {}",
        build.service.name(),
        build.version
    ));
    let listener = TcpListener::bind(settings.listen()?)
        .await
        .map_err(ServiceFailure::Listen)?;
    let address = listener.local_addr().map_err(ServiceFailure::Listen)?;
    let reached = match settings.pod_ip()? {
        Some(ip) => SocketAddr::new(ip, address.port()),
        None => address,
    };
    let status = Arc::new(Status::default());
    let Role {
        router,
        work,
        drain,
    } = role(&settings, build, reached, log, &status)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(super::http::serve(listener, router, async move {
        // Sent, or its sender is gone: it ends either way.
        let _ = stopped.await;
    }));
    log.info(&format!("listening on {address}"));

    let work = tokio::spawn(work);
    let signals = select(Box::pin(terminate.recv()), Box::pin(interrupt.recv()));
    let (rest, server) = match select(select(signals, work), server).await {
        Either::Left((Either::Left((_, work)), server)) => (work, server),
        Either::Left((Either::Right((fatal, _)), _)) => {
            return Err(fatal.unwrap_or(ServiceFailure::Ended));
        }
        Either::Right((Ok(Err(error)), _)) => return Err(ServiceFailure::Listen(error)),
        Either::Right(_) => return Err(ServiceFailure::Ended),
    };
    log.info("SIGTERM: draining");
    status.set_draining();
    if clock::by(clock::now() + DRAIN, drain).await.is_none() {
        log.warn("could not drain in time");
    }
    drop(stop);
    let in_time = clock::by(clock::now() + LAST_ANSWERS, server).await;
    rest.abort();
    log.info(if in_time.is_some() {
        "all answered, ending"
    } else {
        "ending with requests under way"
    });
    Ok(())
}
