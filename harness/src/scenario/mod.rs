//! Scenarios: a bad release, a load, timings and expectations, in a TOML file.
//!
//! ```text
//! text ──serde──▶ raw (with spans) ──check──▶ Scenario
//!                      │                 │
//!                      └── ScenarioError: file, line, column, help; all mistakes at once
//! ```

mod application;
pub mod catalogue;
mod check;
mod check_application;
mod check_faults;
mod check_program;
mod check_runbook;
mod check_settings;
mod error;
pub mod fault;
pub mod keys;
mod quantity;
mod raw;
mod settings;

pub use application::Described;
pub use catalogue::{BUILT_IN, BuiltIn, built_in, find, known_releases};
pub use check_program::ProgramRefusal;
pub use error::{Mistake, ScenarioError};
pub use fault::{Anchor, FAULTS, Fault, FaultKind, FaultSpec, HeldUp, UndoScripts};
pub use quantity::{PartsPerMillion, format_duration, parse_duration};
pub use settings::{Bursts, Deployment, LedgerSize, Share, Strategy};

use std::time::Duration;

use executor::runbook::Runbook;
use serde::{Deserialize, Serialize};

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
    /// What is drilled, where it is not the exchange.
    pub application: Option<Described>,
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
    /// How often Prometheus scrapes where a scenario does not say.
    pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(2);
    /// How often triggers are evaluated where a scenario does not say.
    pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

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
        let mut kinds = self.faults.iter().map(|fault| fault.kind);
        let fault = kinds.find(|kind| !kind.spec().worlds.contains(&world));
        fault
            .map(Lacking::Fault)
            .or_else(|| self.key_lacking_in(world).map(Lacking::Key))
    }

    /// The first key of which `world` can't do what this scenario says.
    fn key_lacking_in(&self, world: WorldKind) -> Option<&'static str> {
        // A cluster has the exchange, its Prometheus is configured by its manifest, its executor takes no interval,
        // and its ledger begins empty.
        let said = [
            ("application", self.application.is_some()),
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

    /// Reads a scenario. `file` names it in messages; `triggers` are the names that the runbook knows
    /// (empty: not checked).
    ///
    /// # Errors
    /// Every mistake in the text, with its place and a remedy.
    pub fn parse(file: &str, text: &str, triggers: &[String]) -> Result<Self, ScenarioError> {
        let mut raw = raw::parse(file, text)?;
        let application = check_application::read(file, text, raw.application.take())?;
        check::check(file, text, raw, triggers, application)
    }

    /// Reads a scenario of an application that is not the exchange. The scenario's own text has the application's files
    /// in it from then on, so that whoever has the scenario has all that is drilled.
    ///
    /// # Errors
    /// As [`Scenario::parse`].
    pub fn parse_of(
        app: &Described,
        file: &str,
        text: &str,
        triggers: &[String],
    ) -> Result<Self, ScenarioError> {
        let raw = raw::parse(file, text)?;
        let mut scenario = check::check(file, text, raw, triggers, Some(app.clone()))?;
        if scenario
            .text
            .parse::<toml::Table>()
            .is_ok_and(|table| !table.contains_key("application"))
        {
            scenario.text.push_str(&check_application::section(app));
        }
        Ok(scenario)
    }

    /// Whether it can be drilled by `runbook`. `file` names it in messages.
    ///
    /// # Errors
    /// Every fault that could never begin, with its place and a remedy.
    pub fn fits(&self, file: &str, runbook: &Runbook) -> Result<(), ScenarioError> {
        check_runbook::check(self, file, runbook)
    }

    /// Digest of the text: which scenario this is, to the letter.
    #[must_use]
    pub fn digest(&self) -> u64 {
        digest64(self.text.as_bytes())
    }

    /// The scenario as a file's text that reads back as the same scenario: for drawn scenarios.
    #[must_use]
    pub fn to_toml(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
        let d = |d: Duration| quoted(&format_duration(d));
        let _ = write!(
            out,
            "name = {}\ndescription = {}\n\n[release]\nfrom = {}\nto = {}\n",
            quoted(&self.name),
            quoted(&self.description),
            quoted(&self.release.from),
            quoted(&self.release.to),
        );
        let _ = writeln!(out, "\n[load]\nrate_per_s = {}", self.load.rate_per_s);
        if self.application.is_none() {
            let Load {
                accounts, markets, ..
            } = self.load;
            let _ = writeln!(out, "accounts = {accounts}\nmarkets = {markets}");
        }
        if let Some(bursts) = self.load.bursts {
            out.push_str(&bursts.to_toml());
        }
        out.push_str(&self.ledger.to_toml());
        for deployment in &self.deployments {
            out.push_str(&deployment.to_toml());
        }
        let t = &self.timing;
        let _ = write!(
            out,
            "\n[timing]\nwarm_up = {}\ndeploy_at = {}\nduration = {}\nhold = {}\n",
            d(t.warm_up),
            d(t.deploy_at),
            d(t.duration),
            d(t.hold)
        );
        for (key, value, default) in [
            (
                "scrape_interval",
                t.scrape_interval,
                Timing::SCRAPE_INTERVAL,
            ),
            ("poll_interval", t.poll_interval, Timing::POLL_INTERVAL),
        ] {
            if value != default {
                let _ = writeln!(out, "{key} = {}", d(value));
            }
        }
        if let Some(crash) = &self.crash {
            let _ = write!(
                out,
                "\n[crash]\nrequest = {}\nside = {}\nresume_after = {}\n",
                crash.request,
                quoted(crash.side.as_str()),
                d(crash.resume_after)
            );
        }
        for fault in &self.faults {
            out.push_str(&fault.to_toml());
        }
        let e = &self.expect;
        let outcome = match e.outcome {
            Expected::Recovered => String::new(),
            Expected::Escalated => format!("outcome = {}\n", quoted(e.outcome.as_str())),
        };
        let mut spans = String::new();
        if e.detect_max != Expect::DETECT_MAX {
            let _ = writeln!(spans, "detect_max = {}", d(e.detect_max));
        }
        if e.impact_max != e.detect_max + e.rto_max {
            let _ = writeln!(spans, "impact_max = {}", d(e.impact_max));
        }
        let _ = write!(
            out,
            "\n[expect]\ntrigger = {}\npath = {}\n{outcome}{spans}rto_max = {}\nerror_rate_max = {}\np99_max = {}\ntrades_lost_max = {}\n",
            quoted(e.trigger.as_deref().unwrap_or("none")),
            quoted(e.path.as_str()),
            d(e.rto_max),
            quoted(&e.error_rate_max.to_string()),
            d(e.p99_max),
            e.trades_lost_max
        );
        if e.ledger_kept {
            out.push_str("ledger_kept = true\n");
        }
        if let Some(app) = &self.application {
            out.push_str(&check_application::section(app));
        }
        out
    }

    /// The same scenario after a change by `edit`, with the text that says so.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self.text = self.to_toml();
        self
    }
}

#[cfg(test)]
mod tests;
