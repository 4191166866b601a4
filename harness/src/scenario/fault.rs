//! Faults: what else goes wrong in a drill, beside the bad release.
//!
//! ```toml
//! [[faults]]
//! kind = "api-slow"            # one of `FAULTS`
//! when = "trigger"             # start, deployment, `ready NUMBER` (of pods), trigger, `step NAME`; default: trigger
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
    /// So many pods of the deployed release are ready.
    Ready(u32),
    /// The watch reports a trigger.
    Trigger,
    /// The executor says that it begins this step of the runbook, for the first time.
    Step(String),
}

impl Anchor {
    /// Reads `start`, `deployment`, `ready NUMBER`, `trigger`, `step NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "deployment" => Some(Self::Deployment),
            "trigger" => Some(Self::Trigger),
            _ => {
                if let Some(pods) = text.strip_prefix("ready ") {
                    let pods = pods.trim().parse().ok()?;
                    return (pods > 0).then_some(Self::Ready(pods));
                }
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
            Self::Ready(pods) => format!("ready {pods}"),
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
    /// Whether it strikes what serves the clients, not the executor or its sight.
    pub strikes: bool,
    /// How a cluster does it; `None`: only the simulation can.
    pub live: Option<Live>,
    /// The field of the target's Deployment that somebody else sets, and that is theirs to take back, not the
    /// executor's.
    pub theirs: Option<&'static str>,
    /// The worlds that can do it.
    pub worlds: &'static [WorldKind],
}

const SERVERS: &[&str] = &["kubernetes", "prometheus", "loki", "database"];
const SERVICES: &[&str] = &["gateway", "matching", "risk"];

/// What a cluster can do. The live world matches over these, so that no kind that it is said to do is forgotten
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Kills the executor's process.
    ExecutorKilled,
    /// Kills the ledger's server and starts it again.
    DatabaseRestarted,
    /// Kills the processes of a service's pods.
    PodsKilled,
    /// Kills the API server's processes.
    ApiServerRestarted,
    /// Drops packets.
    ConnectionsDropped,
    /// Pauses the node's container.
    NodePaused,
}

const fn worlds(live: Option<Live>) -> &'static [WorldKind] {
    match live {
        Some(_) => &[WorldKind::Sim, WorldKind::Kind],
        None => &[WorldKind::Sim],
    }
}

const fn theirs(field: &'static [&'static str]) -> Option<&'static str> {
    match field {
        [field] => Some(field),
        _ => None,
    }
}

/// Declares kinds and their table in one place, so that neither lacks what the other has.
macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $what:literal, {
        targets: $targets:expr, lasts: $lasts:ident, delay: $delay:ident, chance: $chance:ident, blocks: $blocks:literal,
        strikes: $strikes:literal, live: $live:expr $(, theirs: $theirs:literal)? $(,)?
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
            strikes: $strikes,
            live: $live,
            theirs: theirs(&[$($theirs)?]),
            worlds: worlds($live),
        },)*];
    };
}

faults! {
    ApiSlow = "api-slow", "Requests of the executor reach the API server late.", {
        targets: &[], lasts: May, delay: Must, chance: May, blocks: false, strikes: false, live: None,
    };
    ApiThrottling = "api-throttling", "The API server answers the executor 429 with Retry-After.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, strikes: false, live: None,
    };
    ApiFailing = "api-failing", "The API server answers the executor 500, before anything takes effect.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, strikes: false, live: None,
    };
    /// The webhook stands for one kind of objects only, so that everything else of a rollback goes on, its journal too.
    WritesRefused = "writes-refused", "The webhook that admits changes of some objects is away: the API server answers the executor's writes of them 500.", {
        targets: &["trading-flag", "configuration", "deployments", "evictions"], lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    ApiCut = "api-cut", "The executor's connection is cut after the API server applied a write.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, strikes: false, live: None,
    };
    ApiDuplicated = "api-duplicated", "A write of the executor to the API server takes effect twice.", {
        targets: &[], lasts: May, delay: No, chance: May, blocks: false, strikes: false, live: None,
    };
    ExecutorKilled = "executor-killed", "The executor's host dies at once; `delay` later another one resumes.", {
        targets: &[], lasts: No, delay: Must, chance: No, blocks: false, strikes: false, live: Some(Live::ExecutorKilled),
    };
    UndoScriptMissing = "undo-script-missing", "The undo scripts of the release's migrations are gone.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    UndoScriptLossy = "undo-script-lossy", "The undo scripts of the release's migrations say that they lose data.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    UndoScriptFailing = "undo-script-failing", "Undo scripts fail inside their transaction, which is rolled back.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    LedgerBusy = "ledger-busy", "Somebody's long transaction holds locks on the ledger's tables.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    SessionsReconnect = "sessions-reconnect", "Sessions on the ledger that were ended are there again at once, so that nothing gets it to itself.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    DatabaseRestarted = "database-restarted", "The database server restarts: sessions are cut, connections refused, what ran is rolled back.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: true, strikes: true, live: Some(Live::DatabaseRestarted),
    };
    DatabaseSlow = "database-slow", "Requests of the executor reach the database late.", {
        targets: &[], lasts: May, delay: Must, chance: May, blocks: false, strikes: false, live: None,
    };
    FlagMissed = "flag-missed", "Gateways that run notice a change of the halt flag `delay` later, or never.", {
        targets: &[], lasts: May, delay: May, chance: No, blocks: false, strikes: false, live: None,
    };
    MetricsMissing = "metrics-missing", "Prometheus can't scrape the pods of a service.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    MetricsStale = "metrics-stale", "Prometheus shows samples late.", {
        targets: &[], lasts: May, delay: Must, chance: No, blocks: false, strikes: false, live: None,
    };
    LogsMissing = "logs-missing", "Lines that are written meanwhile are in Loki `delay` later, or never.", {
        targets: &[], lasts: May, delay: May, chance: No, blocks: false, strikes: false, live: None,
    };
    SecondExecutor = "second-executor", "Another host begins to roll back, too.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    ExecutorPaused = "executor-paused", "The executor's host stands still and then goes on; `delay` after the beginning another one resumes.", {
        targets: &[], lasts: Must, delay: Must, chance: No, blocks: false, strikes: false, live: None,
    };
    Unreachable = "unreachable", "The executor reaches a server no more; its connections break.", {
        targets: SERVERS, lasts: May, delay: No, chance: May, blocks: true, strikes: false, live: None,
    };
    WatchGone = "watch-gone", "Every watch ends each second and can't be taken up again: 410 Gone.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    ImageGone = "image-gone", "The service's prior image can't be pulled any more.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    PodsSlow = "pods-slow", "Pods of the service's prior version take `delay` longer to become ready.", {
        targets: SERVICES, lasts: May, delay: Must, chance: No, blocks: false, strikes: false, live: None,
    };
    PodsStuck = "pods-stuck", "Pods of the service's prior version don't become ready.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    PodsKilled = "pods-killed", "Every pod of the service is killed, without grace.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: true, live: Some(Live::PodsKilled),
    };
    TerminatingSlow = "terminating-slow", "Pods of the service's bad version ignore SIGTERM and serve on until they are killed.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    Quota = "quota", "The namespace's quota of pods is used up.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    NodeFull = "node-full", "The node takes no more pods.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: true, strikes: false, live: None,
    };
    HistoryPruned = "history-pruned", "The ReplicaSets of the service that have no pods are deleted.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    DeploymentPaused = "deployment-paused", "Somebody pauses the service's Deployment.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None, theirs: "paused",
    };
    ReplicasScaled = "replicas-scaled", "Somebody scales the service down to one replica.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: true, live: None,
    };
    SecondUndo = "second-undo", "Somebody undoes the service's rollout, without naming a revision.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: true, live: None,
    };
    SelfHeal = "self-heal", "A GitOps controller puts the bad release back, `delay` after it was rolled back.", {
        targets: &[], lasts: May, delay: Must, chance: No, blocks: false, strikes: true, live: None,
    };
    ApiServerRestarted = "api-server-restarted", "The API server's process dies at once, and the node starts it again.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: Some(Live::ApiServerRestarted),
    };
    ConnectionsDropped = "connections-dropped", "Connections break and none can be made: the pods' to the ledger, or everybody's to the API server from outside.", {
        targets: &["database", "kubernetes"], lasts: Must, delay: No, chance: No, blocks: true, strikes: true, live: Some(Live::ConnectionsDropped),
    };
    NodePaused = "node-paused", "Everything on the node stands still.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: true, strikes: true, live: Some(Live::NodePaused),
    };
    LatencySpike = "latency-spike", "The gateways stand still for a moment, and what is sent meanwhile is answered late.", {
        targets: &[], lasts: Must, delay: No, chance: No, blocks: false, strikes: true, live: None,
    };
    BooksAlarm = "books-alarm", "The reconciliation shows an anomaly that the books don't have.", {
        targets: &[], lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    HashAlarm = "hash-alarm", "The reconciliation counts one state hash mismatch that there is not.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    MatchingAlarm = "matching-alarm", "The reconciliation counts one irregular trade that there is not.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    ClientsQuiet = "clients-quiet", "The clients leave out a share (`chance`) of the requests that they would send.", {
        targets: &[], lasts: May, delay: No, chance: Must, blocks: false, strikes: false, live: None,
    };
    RequestsFailing = "requests-failing", "A share (`chance`) of the requests fails at the gateways, or at the one that came up last; it shows in their metrics, their logs, or both.", {
        targets: &["both", "metrics", "logs", "last-gateway"], lasts: May, delay: No, chance: Must, blocks: false, strikes: true, live: None,
    };
    ConnectionsUneven = "connections-uneven", "The gateway that came up last keeps one connection; all others go to the other gateways.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    PodsSick = "pods-sick", "Pods of the service answer their health check with 503, whatever they do otherwise.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, strikes: true, live: None,
    };
    TagMoved = "tag-moved", "The tag of the service's prior image names another build, 1.4.3.", {
        targets: SERVICES, lasts: May, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    BooksBroken = "books-broken", "Somebody books an amount without a counter-entry.", {
        targets: &[], lasts: No, delay: No, chance: No, blocks: false, strikes: false, live: None,
    };
    SecondRelease = "second-release", "Somebody deploys another release of the service, 1.4.3.", {
        targets: SERVICES, lasts: No, delay: No, chance: No, blocks: false, strikes: true, live: None,
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
            // It is a Deployment's, so that there must be one that it is about.
            assert!(fault.theirs.is_none() || fault.targets == super::SERVICES);
        }
    }

    #[test]
    fn anchors_read_back() {
        for text in ["start", "deployment", "ready 2", "trigger", "step undo-app"] {
            let anchor = Anchor::parse(text).expect(text);
            assert_eq!(anchor.to_text(), text);
        }
        for text in [
            "",
            "step",
            "step ",
            "undo-app",
            "ready",
            "ready 0",
            "ready two",
        ] {
            assert_eq!(Anchor::parse(text), None, "{text}");
        }
    }
}
