//! What the executor costs on top of bare kubectl: the same rollback of the same Deployment by both, in turns.
//!
//! ```text
//! bad release deployed, settled ─▶ A  kubectl rollout undo --to-revision=N; kubectl rollout status    (subprocesses)
//! bad release deployed, settled ─▶ B  the executor: lease, plan, journal, `undo-app`, `rollout-status`
//! ```
//!
//! B is timed from the journaled plan (the next thing is the first intent) to the instant at which the rollout is
//! complete by counts, where `kubectl rollout status` ends too. The executor then waits for the bad release's pods to
//! end, which kubectl doesn't; that is shown apart. Clients send orders all the while. Which of the two goes first
//! changes from round to round.
//!
//! How long the rollout itself takes depends on when the kubelet looks at its containers, not on who asked for it, and
//! differs by seconds. So the harness watches it too: what either takes beyond its rollout is its own, and is set over
//! one and the same rollout.

mod ratio;
mod rollout;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dex::release::{Release, Service};
use executor::clock::Clock as _;
use executor::live::{Layout, PostgresDatabase, SystemClock, http_client};
use executor::ports::{EvidenceStore, Ports};
use executor::runbook::{Phase, Runbook, TriggerClass};
use executor::{Event, Executor, Observer, Options, Outcome, TriggerEvent, WAITS_FOR_OLD_PODS};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

pub use self::ratio::Ratio;
use self::rollout::Follower;
use super::clock::sleep;
use super::ledger::LedgerServer;
use super::perform::release;
use super::place::Place;
use super::server::Server;
use super::{measuring, objects};
use crate::runbooks::LoadedRunbook;
use crate::worlds::WorldError;
use crate::worlds::common::deployer;
use crate::worlds::common::manifests::{NAMESPACE, selector};

/// The service in which the two releases differ.
const SERVICE: Service = Service::Gateway;
/// No benchmark takes as long as that.
const LONGEST: Duration = Duration::from_secs(7_200);
/// After a rollout, before the next one: what is still going on ends.
const SETTLE: Duration = Duration::from_secs(8);
/// Before the whole recovery: rates of the good release for the baseline.
const BASELINE: Duration = Duration::from_secs(70);
/// A rollout may take this many looks, half a second apart.
const LOOKS: u32 = 120;

/// One round, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// `kubectl rollout undo` and `rollout status`.
    pub kubectl_ms: u64,
    /// Its rollout, as the harness saw it.
    pub kubectl_rollout_ms: u64,
    /// The executor, from intent to rolled out.
    pub executor_ms: u64,
    /// Its rollout, as the harness saw it.
    pub executor_rollout_ms: u64,
    /// The executor, until the bad release's pods have ended and the step is in the journal.
    pub settled_ms: u64,
    /// Whether kubectl went first.
    pub kubectl_first: bool,
}

/// One step of a whole recovery, in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTook {
    /// Name and service.
    pub step: String,
    /// From its start to its end.
    pub took_ms: u64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benchmark {
    /// Every round.
    pub pairs: Vec<Pair>,
    /// Executor over kubectl, as they took.
    pub ratio: Ratio,
    /// Executor over kubectl, what is their own over the same rollout.
    pub same_rollout: Ratio,
    /// The steps of one whole, verified recovery.
    pub steps: Vec<StepTook>,
    /// All of it, in ms.
    pub whole_ms: u64,
}

/// Instants of one rollback, ms since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Instants {
    planned: Option<i64>,
    rolled_out: Option<i64>,
    finished: Option<i64>,
}

/// Notes the instants.
#[derive(Default)]
struct Stopwatch(Mutex<Instants>);

impl Observer for Stopwatch {
    fn event(&self, at: Timestamp, event: &Event) {
        let mut instants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Some(at.as_millisecond());
        match event {
            Event::Planned { .. } => instants.planned = at,
            Event::StepWaiting { why, .. } if why.contains(WAITS_FOR_OLD_PODS) => {
                instants.rolled_out = instants.rolled_out.or(at);
            }
            Event::StepFinished { name, .. } if name == "rollout-status" => {
                instants.finished = at;
                // Nothing was left to wait for.
                instants.rolled_out = instants.rolled_out.or(at);
            }
            _ => {}
        }
    }
}

/// Keeps nothing.
struct Shredder;

#[async_trait::async_trait]
impl EvidenceStore for Shredder {
    async fn put(&self, _: &str, _: bytes::Bytes) -> Result<(), String> {
        Ok(())
    }
}

struct Stage<'a> {
    place: &'a Place,
    client: kube::Client,
    ledger: &'a LedgerServer,
    good: Release,
    bad: Release,
    runbook: Runbook,
    say: &'a (dyn Fn(&str) + Sync),
}

fn now_ms() -> i64 {
    SystemClock.now().as_millisecond()
}

/// Measures `rounds` pairs. `say` hears what is going on.
///
/// # Errors
/// [`WorldError::SetUp`] if there is no cluster, no kubectl, or a rollback failed.
pub fn benchmark(rounds: u32, say: &(dyn Fn(&str) + Sync)) -> Result<Benchmark, WorldError> {
    measuring::on_cluster("a benchmark", async |place, client, server| {
        measure(place, client, server, rounds, say).await
    })
}

async fn measure(
    place: &Place,
    client: &kube::Client,
    server: &Server,
    rounds: u32,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Benchmark, String> {
    let loaded = LoadedRunbook::built_in().map_err(|error| error.to_string())?;
    let scenario = measuring::scenario(&loaded, LONGEST)?;
    say("setting the exchange up");
    let (ledger, load) = measuring::exchange(place, client, server, &scenario).await?;
    let good = release(&scenario.release.from)?;
    let mut runbook = Runbook::clone(&loaded.runbook);
    runbook.prometheus.clone_from(&place.prometheus);
    runbook.loki = None;
    let stage = Stage {
        place,
        client: client.clone(),
        ledger: &ledger,
        bad: release(&scenario.release.to)?,
        good,
        runbook,
        say,
    };
    say("a minute of rates for the baseline");
    sleep(BASELINE).await;
    // The baseline is what all rollbacks go back to.
    let prepared = executor(&stage, stage.runbook.clone(), &Arc::default()).await?;
    prepared.prepare().await.map_err(|error| error.chain())?;
    let (mut pairs, mut ratios) = (Vec::new(), None);
    for round in 0..rounds {
        let kubectl_first = round % 2 == 0;
        let mut pair = Pair {
            kubectl_first,
            ..Pair::default()
        };
        for kubectl in [kubectl_first, !kubectl_first] {
            deploy(&stage).await?;
            let follower = Follower::of(client, SERVICE.name()).await?;
            if kubectl {
                pair.kubectl_ms = by_kubectl(&stage).await?;
                pair.kubectl_rollout_ms = follower.took().await?;
            } else {
                (pair.executor_ms, pair.settled_ms) = by_executor(&stage).await?;
                pair.executor_rollout_ms = follower.took().await?;
            }
            settle(&stage, &stage.good).await?;
        }
        say(&format!(
            "round {} of {rounds}: kubectl {} ms, of which the rollout {}; executor {} ms, of which the rollout {}, and {} ms until the bad pods had ended",
            round + 1,
            pair.kubectl_ms,
            pair.kubectl_rollout_ms,
            pair.executor_ms,
            pair.executor_rollout_ms,
            pair.settled_ms
        ));
        pairs.push(pair);
        // Whoever interrupts it keeps what was measured so far.
        ratios = Ratio::of(&pairs).zip(Ratio::over_the_same_rollout(&pairs));
        if let Some((ratio, same_rollout)) = ratios {
            say(&format!("so far: {ratio}"));
            say(&format!("so far, over the same rollout: {same_rollout}"));
        }
    }
    say("a whole recovery");
    deploy(&stage).await?;
    let executor = executor(&stage, stage.runbook.clone(), &Arc::default()).await?;
    let report = executor
        .run(decision())
        .await
        .map_err(|error| error.chain())?;
    drop(load);
    if report.outcome != Outcome::Recovered {
        return Err(format!("the whole recovery: {:?}", report.outcome));
    }
    let took = |from: Timestamp, to: Timestamp| {
        u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
    };
    let steps: Vec<StepTook> = report
        .steps
        .iter()
        .map(|step| StepTook {
            step: match &step.service {
                Some(service) => format!("{} {service}", step.name),
                None => step.name.clone(),
            },
            took_ms: took(step.started_at, step.finished_at),
        })
        .collect();
    let ended = report
        .steps
        .last()
        .map_or(report.started_at, |it| it.finished_at);
    let (ratio, same_rollout) = ratios.ok_or("no round was measured")?;
    Ok(Benchmark {
        pairs,
        ratio,
        same_rollout,
        steps,
        whole_ms: took(report.started_at, ended),
    })
}

/// A person decided so, now.
fn decision() -> TriggerEvent {
    TriggerEvent::manual(TriggerClass::Sla, SystemClock.now(), "a benchmark")
}

async fn executor(
    stage: &Stage<'_>,
    runbook: Runbook,
    observer: &Arc<Stopwatch>,
) -> Result<Executor, String> {
    let database = PostgresDatabase::from_url(&stage.ledger.executor_url(), Layout::default())
        .map_err(|error| error.to_string())?;
    let ports = Ports {
        kube: stage.place.executor().await?,
        http: http_client().map_err(|error| error.to_string())?,
        database: Arc::new(database),
        clock: Arc::new(SystemClock),
        evidence: Arc::new(Shredder),
    };
    let observer: Arc<dyn Observer> = Arc::clone(observer) as Arc<dyn Observer>;
    let options = Options::new("firedrill").with_observer(observer);
    Ok(Executor::new(ports, Arc::new(runbook), options))
}

/// Deploys the bad release and waits until nothing else is left.
async fn deploy(stage: &Stage<'_>) -> Result<(), String> {
    (stage.say)("deploying the bad release");
    let migrated = async { Ok(()) };
    deployer::deploy(&stage.client, &stage.good, &stage.bad, migrated).await?;
    settle(stage, &stage.bad).await
}

/// Waits until every pod of the service runs the release's image, and for a while more.
async fn settle(stage: &Stage<'_>, to: &Release) -> Result<(), String> {
    let pods = Api::<Pod>::namespaced(stage.client.clone(), NAMESPACE);
    let of_service = ListParams::default().labels(&selector(SERVICE));
    let image = to.build(SERVICE).image();
    for _ in 0..LOOKS {
        sleep(Duration::from_millis(500)).await;
        let list = pods
            .list(&of_service)
            .await
            .map_err(|error| format!("list pods: {error}"))?;
        let all = list.items.iter().all(|pod| {
            let spec = pod.spec.as_ref();
            spec.and_then(|spec| spec.containers.first()?.image.clone()) == Some(image.clone())
        });
        if all && !list.items.is_empty() {
            objects::ready(&stage.client).await?;
            sleep(SETTLE).await;
            return Ok(());
        }
    }
    Err(format!("{} does not settle on {image}", SERVICE.name()))
}

/// The bare commands; ms.
async fn by_kubectl(stage: &Stage<'_>) -> Result<u64, String> {
    let revision = revision(stage).await?;
    let target = format!("deployment/{}", SERVICE.name());
    let to = format!("--to-revision={revision}");
    let way = stage.place.kubectl_arguments().await;
    let begun = now_ms();
    kubectl(&way, &["rollout", "undo", &target, &to])?;
    kubectl(&way, &["rollout", "status", &target])?;
    Ok(u64::try_from(now_ms() - begun).unwrap_or(0))
}

fn kubectl(way: &[OsString], arguments: &[&str]) -> Result<(), String> {
    let program =
        std::env::var_os("FIREDRILL_KUBECTL").map_or_else(|| "kubectl".into(), PathBuf::from);
    let output = Command::new(&program)
        .args(way)
        .args(["--namespace", NAMESPACE])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("kubectl {}: {}", arguments.join(" "), said.trim()))
}

/// The good release's revision as it is numbered now.
async fn revision(stage: &Stage<'_>) -> Result<String, String> {
    let image = stage.good.build(SERVICE).image();
    let sets = Api::<ReplicaSet>::namespaced(stage.client.clone(), NAMESPACE);
    let of_service = ListParams::default().labels(&selector(SERVICE));
    let list = sets
        .list(&of_service)
        .await
        .map_err(|error| format!("list replicasets: {error}"))?;
    list.items
        .iter()
        .find(|set| {
            let template = set
                .spec
                .as_ref()
                .and_then(|spec| spec.template.as_ref()?.spec.as_ref());
            template.and_then(|spec| spec.containers.first()?.image.clone()) == Some(image.clone())
        })
        .and_then(|set| {
            set.annotations()
                .get("deployment.kubernetes.io/revision")
                .cloned()
        })
        .ok_or_else(|| format!("no ReplicaSet of {} has {image}", SERVICE.name()))
}

/// The executor's application rollback and nothing else; ms until rolled out, and until the step was done.
async fn by_executor(stage: &Stage<'_>) -> Result<(u64, u64), String> {
    let mut runbook = stage.runbook.clone();
    runbook
        .steps
        .retain(|step| step.phase == Phase::Prepare || is_rollback(&step.name));
    let stopwatch = Arc::new(Stopwatch::default());
    let report = executor(stage, runbook, &stopwatch)
        .await?
        .run(decision())
        .await
        .map_err(|error| error.chain())?;
    if report.outcome != Outcome::Recovered {
        return Err(format!("the executor's rollback: {:?}", report.outcome));
    }
    let instants = *stopwatch.0.lock().unwrap_or_else(PoisonError::into_inner);
    let since = |at: Option<i64>| {
        let took = at? - instants.planned?;
        u64::try_from(took).ok()
    };
    match (since(instants.rolled_out), since(instants.finished)) {
        (Some(rolled_out), Some(finished)) => Ok((rolled_out, finished)),
        _ => Err("the executor's rollback did not say when it was rolled out".to_owned()),
    }
}

fn is_rollback(step: &str) -> bool {
    matches!(step, "undo-app" | "rollout-status")
}
