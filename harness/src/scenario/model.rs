//! What a scenario says.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::application::{Stores, Subject};
use super::fault::{Fault, FaultKind};
use super::quantity::PartsPerMillion;
use super::settings::{Bursts, Deployment, LedgerSize};
use crate::digest::digest64;
use crate::worlds::WorldKind;

/// What a drill does and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Name, kebab-case.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Releases.
    pub release: ReleaseChange,
    /// Load by the clients.
    pub load: Load,
    /// What the ledger holds already.
    pub ledger: LedgerSize,
    /// The Deployments that are not as their manifests have them.
    pub deployments: Vec<Deployment>,
    /// When what happens.
    pub timing: Timing,
    /// The executor's death in the middle of its work, if it is to die.
    pub crash: Option<Crash>,
    /// What else goes wrong.
    pub faults: Vec<Fault>,
    /// What must come of it.
    pub expect: Expect,
    /// What is drilled.
    pub application: Subject,
    /// The text it was read from: a replay token carries it, or its digest.
    pub text: String,
}

/// The deployment that the drill makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseChange {
    /// Release that runs at first, and must run again in the end.
    pub from: String,
    /// Release that is deployed.
    pub to: String,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests a second, all clients together; 1 to 10,000.
    pub rate_per_s: u32,
    /// Trading accounts; 2 to 100,000.
    pub accounts: u32,
    /// Markets; 1 to 64.
    pub markets: u32,
    /// Times at which the clients send at another rate, if there are any.
    pub bursts: Option<Bursts>,
}

/// When what happens, from the drill's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the steady state must hold before anything is touched.
    pub warm_up: Duration,
    /// When the release is deployed.
    pub deploy_at: Duration,
    /// When the drill ends.
    pub duration: Duration,
    /// How long what has recovered must stay recovered, at least.
    pub hold: Duration,
    /// How often Prometheus scrapes each pod; 1 s to 30 s.
    pub scrape_interval: Duration,
    /// How often the executor evaluates the triggers; 1 s to 60 s.
    pub poll_interval: Duration,
}

impl Timing {
    /// How long the steady state must hold where a scenario does not say.
    pub const WARM_UP: Duration = Duration::from_secs(60);
    /// When the release is deployed where a scenario does not say.
    pub const DEPLOY_AT: Duration = Duration::from_secs(90);
    /// When the drill ends where a scenario does not say.
    pub const DURATION: Duration = Duration::from_secs(900);
    /// How often Prometheus scrapes where a scenario does not say.
    pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(2);
    /// How often triggers are evaluated where a scenario does not say.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

    /// How much longer the warm-up of a described application is than what passes of it before the clients begin:
    /// until then, pods are pulled and started.
    pub const WARM_UP_PER_START: u32 = 3;

    /// When the clients of a described application begin.
    #[must_use]
    pub fn clients_begin(self) -> Duration {
        self.warm_up / Self::WARM_UP_PER_START
    }

    /// When the release that runs is looked at first, and when the next one is deployed.
    #[must_use]
    pub fn instants(self) -> (Duration, Duration) {
        (self.warm_up, self.deploy_at)
    }

    /// The same with as little time before the deployment as shows a steady state (clients begin after 10 s) and takes
    /// a baseline.
    #[must_use]
    pub fn hurried(self) -> Self {
        let warm_up = self.warm_up.min(Duration::from_secs(30));
        Self {
            warm_up,
            deploy_at: self.deploy_at.min(warm_up + Duration::from_secs(10)),
            ..self
        }
    }
}

/// The executor is killed at a request of its own, and another host resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Which request, counted from 1 at the trigger.
    pub request: u64,
    /// Whether that request still takes effect.
    pub side: CrashSide,
    /// How long until the other host resumes.
    pub resume_after: Duration,
}

/// On which side of its last request's effect an executor dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashSide {
    /// The request never takes effect.
    Before,
    /// The request takes effect; the executor does not live to know.
    After,
}

impl CrashSide {
    /// The word in scenario files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What must come of the drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Name of the runbook's trigger that must fire; `None`: none may fire.
    pub trigger: Option<String>,
    /// How the recovery goes.
    pub path: Path,
    /// How the executor ends.
    pub outcome: Expected,
    /// First harm to trigger, at most; by default [`Expect::DETECT_MAX`].
    pub detect_max: Duration,
    /// First harm to recovered, at most; by default `detect_max` and `rto_max` together.
    pub impact_max: Duration,
    /// Trigger to recovered, at most.
    pub rto_max: Duration,
    /// Clients' error rate after recovery stays below this.
    pub error_rate_max: PartsPerMillion,
    /// Clients' p99 latency after recovery stays within this.
    pub p99_max: Duration,
    /// Acknowledged trades that may be absent afterwards.
    pub trades_lost_max: u64,
    /// The ledger keeps what the bad engine made of its orders, since clients were told so: it is not compared with
    /// what the prior engine would have made of them. Only where the application alone is rolled back.
    pub ledger_kept: bool,
}

impl Expect {
    /// How long harm may go unnoticed where a scenario does not say: a window of a minute that has to fill with bad
    /// samples, a debounce of half a minute, and as much again.
    pub const DETECT_MAX: Duration = Duration::from_secs(180);
}

/// What a scenario asks for and a world can't do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// A fault of this kind.
    Fault(FaultKind),
    /// A value of this key, or of this table, other than its default.
    Key(&'static str),
    /// Something of an application of somebody's own.
    OfApplication(OfApplication),
}

/// What a cluster can't do so far for an application of somebody's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfApplication {
    /// It is implemented in Rust, for the simulation alone.
    Images,
    /// Its store is simulated: no real database stands for it.
    Store,
}

impl fmt::Display for OfApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images => f.write_str(
                "an application that is implemented in Rust for the simulation has no images",
            ),
            Self::Store => f.write_str(
                "`[store]` of an application of your own is simulated, and no real database stands for it",
            ),
        }
    }
}

/// How an executor should end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// With the exchange recovered; where nothing is to be rolled back, with nothing done.
    #[default]
    Recovered,
    /// By paging a person within the RTO, with trading halted if the ledger needs it:
    /// the drill's faults leave no way back.
    Escalated,
}

impl Expected {
    /// The word in scenario files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Escalated => "escalated",
        }
    }
}

/// How a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// Nothing is rolled back.
    None,
    /// The application alone.
    Application,
    /// Trading halted, undo scripts, then the application.
    Undo,
    /// Trading halted, snapshot restored and the order log replayed, then the application.
    Restore,
}

impl Path {
    /// The word in scenario files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Application => "application",
            Self::Undo => "undo",
            Self::Restore => "restore",
        }
    }
}

impl Scenario {
    /// The first of what it asks for that `world` can't do: a fault, else a key.
    #[must_use]
    pub fn lacking_in(&self, world: WorldKind) -> Option<Lacking> {
        let of_application = self.of_application_lacking_in(world);
        if let Some(lacking) = of_application.map(Lacking::OfApplication) {
            return Some(lacking);
        }
        let mut kinds = self.faults.iter().map(|fault| fault.kind);
        let fault = kinds.find(|kind| !kind.spec().worlds.contains(&world));
        fault
            .map(Lacking::Fault)
            .or_else(|| self.key_lacking_in(world).map(Lacking::Key))
    }

    /// What a cluster lacks for an application of somebody's own.
    fn of_application_lacking_in(&self, world: WorldKind) -> Option<OfApplication> {
        if self.application.is_the_exchange() {
            return None;
        }
        match world {
            WorldKind::Sim => None,
            WorldKind::Kind if self.application.described().is_none() => {
                Some(OfApplication::Images)
            }
            WorldKind::Kind if self.application.stores() == Stores::Rows => {
                Some(OfApplication::Store)
            }
            WorldKind::Kind => None,
        }
    }

    /// The first key of which `world` can't do what this scenario says.
    fn key_lacking_in(&self, world: WorldKind) -> Option<&'static str> {
        // A cluster's Prometheus is configured by its manifest, its executor takes no interval,
        // and its ledger begins empty.
        let said = [
            ("ledger", self.ledger != LedgerSize::default()),
            (
                "timing.scrape_interval",
                self.timing.scrape_interval != Timing::SCRAPE_INTERVAL,
            ),
            (
                "timing.poll_interval",
                self.timing.poll_interval != Timing::POLL_INTERVAL,
            ),
        ];
        let key = said.into_iter().find(|(_, said)| *said);
        key.filter(|_| world == WorldKind::Kind).map(|(key, _)| key)
    }

    /// Digest of the text: which scenario this is, to the letter.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest64(self.text.as_bytes())
    }
}
