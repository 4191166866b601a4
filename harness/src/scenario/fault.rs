//! Faults: what else goes wrong in a drill, beside the bad release.
//!
//! ```toml
//! [[faults]]
//! kind = "api-slow"            # one of `FAULTS`
//! when = "trigger"             # start, deployment, trigger, or `step NAME`; default: trigger
//! at = "2s"                    # after that; default: at once
//! jitter = "3s"                # each seed draws a further delay up to this; default: none
//! lasts = "20s"
//! delay = "800ms"
//! chance = "25%"
//! ```
//!
//! Each fault draws from a stream of its own, so that another one beside it changes nothing about it.

use std::time::Duration;

use super::quantity::PartsPerMillion;
use crate::worlds::WorldKind;

/// A fault of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// From when on `at` counts.
    pub when: Anchor,
    /// How long after that.
    pub at: Duration,
    /// Each seed draws up to this much more.
    pub jitter: Duration,
    /// For how long; `None`: until the drill's end, or at one instant.
    pub lasts: Option<Duration>,
    /// Whom it hits, where the kind leaves a choice.
    pub target: Option<String>,
    /// How much later something happens, for kinds that slow something down.
    pub delay: Option<Duration>,
    /// How likely each message is hit, for kinds that hit messages; `None`: each one.
    pub chance: Option<PartsPerMillion>,
}

/// An instant of the drill that is known only when it comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anchor {
    /// The drill's beginning.
    Start,
    /// The deployer begins.
    Deployment,
    /// The watch reports a trigger.
    Trigger,
    /// The executor says that it begins this step of the runbook, for the first time.
    Step(String),
}

impl Anchor {
    /// Reads `start`, `deployment`, `trigger`, `step NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "deployment" => Some(Self::Deployment),
            "trigger" => Some(Self::Trigger),
            _ => {
                let step = text.strip_prefix("step ")?.trim();
                (!step.is_empty()).then(|| Self::Step(step.to_owned()))
            }
        }
    }

    /// The words that [`Anchor::parse`] reads back.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::Deployment => "deployment".to_owned(),
            Self::Trigger => "trigger".to_owned(),
            Self::Step(step) => format!("step {step}"),
        }
    }
}

/// Whether a field of a fault must, may or must not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has no meaning for this kind.
    No,
    /// It may be left out.
    May,
    /// It must be given.
    Must,
}

/// A kind of fault, and what scenario files may say about it.
#[derive(Clone, Copy, Debug)]
pub struct FaultSpec {
    /// Which.
    pub kind: FaultKind,
    /// The word in scenario files.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub what: &'static str,
    /// Whom it can hit; empty: there is no choice.
    pub targets: &'static [&'static str],
    /// Whether `lasts` is given.
    pub lasts: Need,
    /// Whether `delay` is given.
    pub delay: Need,
    /// Whether `chance` is given.
    pub chance: Need,
    /// Whether nothing that an executor does can bring the exchange back while it lasts.
    pub blocks: bool,
    /// The worlds that can do it.
    pub worlds: &'static [WorldKind],
}

const SERVERS: &[&str] = &["kubernetes", "prometheus", "loki", "database"];
const SERVICES: &[&str] = &["gateway", "matching", "risk"];
const SIM: &[WorldKind] = &[WorldKind::Sim];
const BOTH: &[WorldKind] = &[WorldKind::Sim, WorldKind::Kind];

/// Declares kinds and their table in one place, so that neither lacks what the other has.
macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, {
        targets: $targets:expr, lasts: $lasts:ident, delay: $delay:ident, chance: $chance:ident, blocks: $blocks:literal, worlds: $worlds:expr $(,)?
    };)*) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultKind {
            $(#[doc = $what] $(#[$doc])* $kind,)*
        }

        /// All kinds of faults, in the order of their names' families.
        pub const FAULTS: &[FaultSpec] = &[$(FaultSpec {
            kind: FaultKind::$kind,
            name: $name,
            what: $what,
            targets: $targets,
            lasts: Need::$lasts,
            delay: Need::$delay,
            chance: Need::$chance,
            blocks: $blocks,
            worlds: $worlds,
        },)*];
    };
}

faults! {
    ApiSlow = "api-slow", "Requests of the executor reach the API server late.", {
        targets: &[], lasts: May, delay: Must, chance: May, blocks: false, worlds: SIM,
    };
    ApiThrottling = "api-throttling", "The API server answers the executor 429 with Retry-After.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, worlds: SIM,
    };
    ApiFailing = "api-failing", "The API server answers the executor 500, before anything takes effect.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, worlds: SIM,
    };
    ApiCut = "api-cut", "The executor's connection is cut after the API server applied a write.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, worlds: SIM,
    };
    ApiDuplicated = "api-duplicated", "A write of the executor to the API server takes effect twice.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, worlds: SIM,
    };
    ExecutorKilled = "executor-killed", "The executor's host dies at once; `delay` later another one resumes.", {
        targets: &[], lasts: No, delay: Must, chance: No, blocks: false, worlds: BOTH,
    };
    UndoScriptMissing = "undo-script-missing", "The undo scripts of the release's migrations are gone.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    UndoScriptLossy = "undo-script-lossy", "The undo scripts of the release's migrations say that they lose data.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    UndoScriptFailing = "undo-script-failing", "Undo scripts fail inside their transaction, which is rolled back.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    LedgerBusy = "ledger-busy", "Somebody's long transaction holds locks on the ledger's tables.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    SessionsReconnect = "sessions-reconnect", "Sessions on the ledger that were ended are there again at once, so that nothing gets it to itself.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, worlds: SIM,
    };
    DatabaseRestarted = "database-restarted", "The database server restarts: sessions are cut, connections refused, what ran is rolled back.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: true, worlds: BOTH,
    };
    DatabaseSlow = "database-slow", "Requests of the executor reach the database late.", {
        targets: &[], lasts: May, delay: Must, chance: May, blocks: false, worlds: SIM,
    };
    FlagMissed = "flag-missed", "Gateways that run notice a change of the halt flag `delay` later, or never.", {
        targets: &[], lasts: May, delay: May, chance: No, blocks: false, worlds: SIM,
    };
    MetricsMissing = "metrics-missing", "Prometheus can't scrape the pods of a service.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    MetricsStale = "metrics-stale", "Prometheus shows samples late.", {
        targets: &[], lasts: May, delay: Must, chance: No, blocks: false, worlds: SIM,
    };
    LogsMissing = "logs-missing", "Lines that are written meanwhile are in Loki `delay` later, or never.", {
        targets: &[], lasts: May, delay: May, chance: No, blocks: false, worlds: SIM,
    };
    SecondExecutor = "second-executor", "Another host begins to roll back, too.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    ExecutorPaused = "executor-paused", "The executor's host stands still and then goes on; `delay` after the beginning another one resumes.", {
        targets: &[], lasts: Must, delay: Must, chance: No, blocks: false, worlds: SIM,
    };
    Unreachable = "unreachable", "The executor reaches a server no more; its connections break.", {
        targets: SERVERS, lasts: May, delay: No, chance: May, blocks: true, worlds: SIM,
    };
    WatchGone = "watch-gone", "Every watch ends each second and can't be taken up again: 410 Gone.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    ImageGone = "image-gone", "The service's prior image can't be pulled any more.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: true, worlds: SIM,
    };
    PodsSlow = "pods-slow", "Pods of the service's prior version take `delay` longer to become ready.", {
        targets: SERVICES, lasts: May, delay: Must, chance: No, blocks: false, worlds: SIM,
    };
    PodsStuck = "pods-stuck", "Pods of the service's prior version don't become ready.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: true, worlds: SIM,
    };
    PodsKilled = "pods-killed", "Every pod of the service is killed, without grace.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: BOTH,
    };
    TerminatingSlow = "terminating-slow", "Pods of the service's bad version ignore SIGTERM and serve on until they are killed.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    Quota = "quota", "The namespace's quota of pods is used up.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, worlds: SIM,
    };
    NodeFull = "node-full", "The node takes no more pods.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, worlds: SIM,
    };
    HistoryPruned = "history-pruned", "The ReplicaSets of the service that have no pods are deleted.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    DeploymentPaused = "deployment-paused", "Somebody pauses the service's Deployment.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    ReplicasScaled = "replicas-scaled", "Somebody scales the service down to one replica.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    SecondUndo = "second-undo", "Somebody undoes the service's rollout, without naming a revision.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    SelfHeal = "self-heal", "A GitOps controller puts the bad release back, `delay` after it was rolled back.", {
        targets: &[], lasts: May, delay: Must, chance: No, blocks: false, worlds: SIM,
    };
    ApiServerRestarted = "api-server-restarted", "The API server's process dies at once, and the node starts it again.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, worlds: BOTH,
    };
    ConnectionsDropped = "connections-dropped", "Connections break and none can be made: the pods' to the ledger, or everybody's to the API server from outside.", {
        targets: &["database", "kubernetes"], lasts: Must, delay: No, chance: No, blocks: true, worlds: BOTH,
    };
    NodePaused = "node-paused", "Everything on the node stands still.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: true, worlds: BOTH,
    };
    LatencySpike = "latency-spike", "The gateways stand still for a moment, and what is sent meanwhile is answered late.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    BooksAlarm = "books-alarm", "The reconciliation shows an anomaly that the books don't have.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, worlds: SIM,
    };
    SecondRelease = "second-release", "Somebody deploys another release of the service, 1.4.3.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, worlds: SIM,
    };
}

impl FaultKind {
    /// What scenario files may say about it.
    #[must_use]
    pub fn spec(self) -> &'static FaultSpec {
        FAULTS
            .iter()
            .find(|spec| spec.kind == self)
            .unwrap_or(&FAULTS[0])
    }

    /// The word in scenario files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// The kind that `word` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        FAULTS
            .iter()
            .find(|spec| spec.name == word)
            .map(|spec| spec.kind)
    }
}

impl Fault {
    /// The fault in a few words, for timelines: kind, target, and what its numbers are.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = self.kind.as_str().to_owned();
        if let Some(target) = &self.target {
            words.push_str(&format!(" of {target}"));
        }
        if let Some(delay) = self.delay {
            words.push_str(&format!(", delay {}", super::format_duration(delay)));
        }
        if let Some(chance) = self.chance {
            words.push_str(&format!(", chance {chance}"));
        }
        if let Some(lasts) = self.lasts {
            words.push_str(&format!(", for {}", super::format_duration(lasts)));
        }
        words
    }

    /// The fault as `[[faults]]` in a scenario file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        use std::fmt::Write as _;
        let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
        let span = |d: Duration| quoted(&super::format_duration(d));
        let mut out = format!(
            "\n[[faults]]\nkind = {}\nwhen = {}\n",
            quoted(self.kind.as_str()),
            quoted(&self.when.to_text())
        );
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(out, "{key} = {value}");
            }
        };
        line("at", (!self.at.is_zero()).then(|| span(self.at)));
        line(
            "jitter",
            (!self.jitter.is_zero()).then(|| span(self.jitter)),
        );
        line("lasts", self.lasts.map(span));
        line("target", self.target.as_deref().map(quoted));
        line("delay", self.delay.map(span));
        line("chance", self.chance.map(|c| quoted(&c.to_string())));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Anchor, FAULTS, FaultKind};

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_world() {
        let names: BTreeSet<&str> = FAULTS.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        for fault in FAULTS {
            assert_eq!(FaultKind::named(fault.name), Some(fault.kind));
            assert!(!fault.worlds.is_empty(), "{}", fault.name);
            assert!(fault.what.ends_with('.'), "{}", fault.name);
        }
    }

    #[test]
    fn anchors_read_back() {
        for text in ["start", "deployment", "trigger", "step undo-app"] {
            let anchor = Anchor::parse(text).expect(text);
            assert_eq!(anchor.to_text(), text);
        }
        for text in ["", "step", "step ", "undo-app"] {
            assert_eq!(Anchor::parse(text), None, "{text}");
        }
    }
}
