//! The whole calibration, and on which machine it was made.

use std::sync::Arc;
use std::time::Duration;

use executor::clock::Clock as _;
use executor::live::SystemClock;
use sim::measured::{Machine, Measured, Sampled, Store};
use sim_exchange::measured;

use super::{api, database, pods, traffic};
use crate::runbooks::LoadedRunbook;
use crate::scenario::Scenario;
use crate::worlds::WorldError;
use crate::worlds::kind::clock;
use crate::worlds::kind::ledger::LedgerServer;
use crate::worlds::kind::measuring;
use crate::worlds::kind::place::Place;
use crate::worlds::kind::server::Server;

/// No calibration takes as long as that.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Before the first measurement: the exchange and its clients settle.
const SETTLE: Duration = Duration::from_secs(10);

/// Microseconds since 1970, on the clock that this host's containers share.
pub(super) fn now_us() -> u64 {
    u64::try_from(SystemClock.now().as_microsecond()).unwrap_or(0)
}

/// Where it is measured.
pub(super) struct Stage<'a> {
    pub(super) place: &'a Place,
    /// All rights.
    pub(super) admin: kube::Client,
    /// The executor's rights.
    pub(super) executor: kube::Client,
    pub(super) ledger: &'a LedgerServer,
    pub(super) rounds: u32,
    pub(super) say: &'a (dyn Fn(&str) + Sync),
}

/// Samples in µs, or the complaint that there are none.
pub(super) fn sampled(what: &str, samples: &[u64]) -> Result<Sampled, String> {
    Sampled::of(samples).ok_or_else(|| format!("{what}: nothing was measured"))
}

/// Measures the cluster that is there and the exchange on it, over `rounds` rollouts of each service. `say` hears what
/// is going on.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster to measure, or something could not be measured.
pub fn calibrate(
    rounds: u32,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(Measured, measured::Measured), WorldError> {
    measuring::on_cluster("a calibration", async |place, admin, server| {
        measure(place, admin, server, rounds, say).await
    })
}

async fn measure(
    place: &Place,
    admin: &kube::Client,
    server: &Server,
    rounds: u32,
    say: &(dyn Fn(&str) + Sync),
) -> Result<(Measured, measured::Measured), String> {
    let runbook = LoadedRunbook::built_in().map_err(|error| error.to_string())?;
    let scenario = measuring::scenario(&runbook, LONGEST)?;
    say("setting the exchange up");
    let (ledger, load) = measuring::exchange(place, admin, server, &scenario).await?;
    clock::sleep(SETTLE).await;
    let stage = Stage {
        place,
        admin: admin.clone(),
        executor: place.executor().await?,
        ledger: &ledger,
        rounds,
        say,
    };
    let api = api::measure(&stage).await?;
    let monitoring = api::monitoring(&stage).await?;
    let seen = pods::measure(&stage).await?;
    let (traffic, config) = traffic::measure(&stage, seen.endpoints).await?;
    let (statement, database) = database::measure(&stage).await?;
    drop(load);
    let cluster = Measured {
        machine: machine(&stage, &scenario).await?,
        api,
        pods: seen.pods,
        traffic,
        monitoring,
        store: Store { statement },
    };
    let exchange = measured::Measured {
        process: seen.process,
        config,
        database,
    };
    Ok((cluster, exchange))
}

/// What kind of machine this is.
async fn machine(stage: &Stage<'_>, scenario: &Scenario) -> Result<Machine, String> {
    let read =
        |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let memory_kib: u64 = read("/proc/meminfo")?
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or("/proc/meminfo names no MemTotal")?;
    let kubernetes = stage
        .admin
        .apiserver_version()
        .await
        .map_err(|error| format!("the API server's version: {error}"))?
        .git_version;
    Ok(Machine {
        date: SystemClock.now().to_string().chars().take(10).collect(),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        memory_mib: memory_kib / 1_024,
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        kubernetes,
        postgresql: database::version(stage.ledger).await?,
        rounds: u64::from(stage.rounds),
        load_per_s: u64::from(scenario.load.rate_per_s),
    })
}

/// A flag for a watch's task to end with the measurement.
pub(super) struct Following(
    pub(super) Arc<std::sync::Mutex<Vec<pods::Seen>>>,
    pub(super) Vec<tokio::task::JoinHandle<()>>,
);

impl Drop for Following {
    fn drop(&mut self) {
        for task in &self.1 {
            task.abort();
        }
    }
}
