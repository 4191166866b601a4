//! What a drill leaves behind to be judged: plain data, gathered by the world from outside the
//! executor. Oracles are pure functions of it, so doctored evidence can show that each one bites.
//!
//! Instants are milliseconds since the drill began.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scenario::{Expect, Path, Scenario};

/// Milliseconds since the drill began, or a span of them.
pub type Ms = u64;

/// Requests without which a rate below 0.01 % is not shown: with none failed of 30,000, the rate is
/// below 0.01 % at 95 % confidence (rule of three).
pub const REQUESTS_MIN: u64 = 30_000;

/// Everything that the oracles look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What must come of the drill.
    pub expect: Expect,
    /// End of the warm-up.
    pub warm_up_ms: Ms,
    /// How long what has recovered must stay recovered.
    pub hold_ms: Ms,
    /// When the deployer began; `None`: it never did.
    pub deployed_ms: Option<Ms>,
    /// When the drill ended.
    pub end_ms: Ms,
    /// What the clients saw, second by second from the drill's beginning; whole seconds only.
    pub seconds: Vec<Second>,
    /// Looks at the ledger's invariants, in the order of time.
    pub probes: Vec<Probe>,
    /// Acknowledged orders against those present at the end.
    pub orders: Books,
    /// Acknowledged trades against those present at the end.
    pub trades: Books,
    /// What the ledger in use lacks at the end and a person can bring back; `None`: nobody looked.
    pub recoverable: Option<Recoverable>,
    /// Every live pod at the end, read from the cluster's state.
    pub pods: Vec<PodSeen>,
    /// Version that each service ran before the deployment.
    pub versions_before: BTreeMap<String, String>,
    /// Version that each service of the deployed release has.
    pub versions_deployed: BTreeMap<String, String>,
    /// The executor's death, where the scenario wants it; `Some(None)`: it ended before it could die.
    pub crash_ms: Option<Option<Ms>>,
    /// The scenario's faults, in its order.
    pub faults: Vec<FaultSeen>,
    /// How far the host held the clients up; `None` in a world where nothing can.
    pub host: Option<HostSeen>,
    /// Whether a pod of the deployed release was ever seen live.
    pub deployed_build_seen: bool,
    /// What halts trading, at the end.
    pub maintenance: MaintenanceSeen,
    /// The lasting state before the deployment, flattened: path to value.
    pub state_before: BTreeMap<String, String>,
    /// The same at the end.
    pub state_after: BTreeMap<String, String>,
    /// What the executor put by for the post-mortem, by file name.
    pub files: BTreeMap<String, String>,
    /// What the executor says. It is compared with the rest, never believed.
    pub executor: ExecutorSaid,
}

/// A fault of the scenario, as the world carried it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSeen {
    /// What it is, in words.
    pub what: String,
    /// Whether nothing can bring the exchange back while it lasts.
    pub blocks: bool,
    /// When it began; `None`: its instant never came.
    pub began_ms: Option<Ms>,
    /// When it was over; `None`: it never began.
    pub ended_ms: Option<Ms>,
    /// How often it hit: messages, objects, or 1 for what happens once.
    pub hits: u64,
}

/// One second of the clients' experience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests answered properly, business rejections among them.
    pub answered: u32,
    /// Requests refused with the mark of maintenance.
    pub maintenance: u32,
    /// Errors: 5xx without that mark, timeouts, failed connections.
    pub errors: u32,
    /// Requests that took longer than the latency target.
    pub slow: u32,
}

impl Second {
    /// Requests that count for the error rate.
    #[must_use]
    pub fn counted(&self) -> u64 {
        u64::from(self.answered) + u64::from(self.errors)
    }
}

/// One look at the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When.
    pub at_ms: Ms,
    /// Invariants that did not hold; empty is good.
    pub violations: Vec<String>,
}

/// What was acknowledged, against what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// What clients hold an acknowledgement for.
    pub acknowledged: Vec<Entry>,
    /// What the database holds at the end.
    pub present: Vec<Entry>,
}

/// What the database still keeps of what the ledger in use lacks. It is found as a person would bring it back: the longest order log of
/// any database that is there, replayed by the prior release's own engine on the ledger's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recoverable {
    /// Orders that only the log of a ledger that was set aside holds.
    pub orders: Vec<Entry>,
    /// Trades that the replay makes.
    pub trades: Vec<Entry>,
}

/// An order or a trade: its id and a hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Id.
    pub id: u64,
    /// Hash of the content.
    pub content: u64,
}

/// A live pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Name.
    pub name: String,
    /// Service.
    pub app: String,
    /// Version of the build that it runs; `None`: its process does not run.
    pub version: Option<String>,
    /// Whether it is Ready.
    pub ready: bool,
}

/// What halts trading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceSeen {
    /// Value of the halt flag; `None`: the flag is gone.
    pub flag: Option<String>,
    /// Token of the fence, if it is up.
    pub fence_token: Option<u64>,
}

/// What the executor says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSaid {
    /// The trigger that its watch reported.
    pub trigger: Option<TriggerSaid>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it says the exchange had recovered.
    pub recovered_ms: Option<Ms>,
    /// When it ended, by the harness's clock; `None`: it had not.
    pub ended_ms: Option<Ms>,
    /// The way it took.
    pub path: Path,
    /// Its steps.
    pub steps: Vec<StepSaid>,
}

impl ExecutorSaid {
    /// Whether it called a person.
    #[must_use]
    pub fn called(&self) -> bool {
        matches!(self.outcome, Outcome::Escalated(_))
    }

    /// It called a person while nothing is rolled back.
    pub(crate) fn calls(&mut self, why: String, at_ms: Ms) {
        self.outcome = Outcome::Escalated(why);
        self.ended_ms = Some(at_ms);
    }

    /// It watches no longer, and no trigger has fired.
    pub(crate) fn saw_nothing(&mut self, why: &str) {
        if !self.called() {
            self.outcome = Outcome::NothingToDo(why.to_owned());
        }
    }

    /// A trigger fired, so that whoever was called before was not the end.
    pub(crate) fn fired(&mut self, trigger: &str, at_ms: Ms) {
        self.ended_ms = None;
        self.trigger = Some(TriggerSaid {
            name: trigger.to_owned(),
            at_ms,
        });
    }
}

/// A trigger that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSaid {
    /// Its name in the runbook.
    pub name: String,
    /// When the harness saw it fire.
    pub at_ms: Ms,
}

/// How punctual the clients were, who are part of the harness: a host that is too busy for them makes an exchange look slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostSeen {
    /// Requests sent.
    pub sent: u64,
    /// Those that were sent later than they were due by more than [`LATE_MS`].
    pub late: u64,
    /// By how much at most, ms.
    pub worst_ms: Ms,
    /// When last, ms of the drill.
    pub last_ms: Ms,
    /// CPU time that it did not get.
    pub contention: Contention,
}

/// CPU time that the drill wanted and did not get; `None` where the machine does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contention {
    /// What the hypervisor of a virtual machine gave to other machines while this one wanted it: the share of all CPU time.
    pub stolen: Option<Share>,
    /// The share of the time in which at least one process of this machine was ready and waited for a CPU.
    pub waited: Option<Share>,
}

/// A share, over the whole drill and in its worst second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Over the whole drill, in thousandths.
    pub permille: u64,
    /// The same in the worst second.
    pub worst_permille: u64,
    /// When that ended, ms of the drill.
    pub worst_ms: Ms,
}

/// A request that is sent later than it is due by more than this says more about the host than about the exchange: its clients give
/// up after 2 s, and the slowest hundredth may take 100 ms.
pub const LATE_MS: Ms = 250;

/// How the executor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It claims recovery.
    Recovered,
    /// It called a person.
    Escalated(String),
    /// It saw nothing to do: no trigger fired, or the state was the target already.
    NothingToDo(String),
    /// It failed with an error.
    Failed(String),
    /// It was still at work when the drill ended.
    StillRunning,
}

/// A step that the executor reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSaid {
    /// Name in the runbook.
    pub name: String,
    /// Heading in the runbook.
    pub title: String,
    /// Service, if it is a step for one.
    pub service: Option<String>,
    /// When it began.
    pub started_ms: Ms,
    /// When it ended.
    pub finished_ms: Option<Ms>,
    /// Its budget.
    pub budget_ms: Ms,
    /// How it ended, in the executor's word.
    pub outcome: String,
    /// What it found.
    pub detail: String,
}

impl StepSaid {
    /// Whether the executor says that it ended well.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.outcome.as_str(), "done" | "already so")
    }
}

impl Evidence {
    /// Evidence of a drill of `scenario` in which nothing has happened yet.
    #[must_use]
    pub fn empty(scenario: &Scenario) -> Self {
        Self {
            expect: scenario.expect.clone(),
            warm_up_ms: ms(scenario.timing.warm_up),
            hold_ms: ms(scenario.timing.hold),
            deployed_ms: None,
            end_ms: 0,
            seconds: Vec::new(),
            probes: Vec::new(),
            orders: Books::default(),
            trades: Books::default(),
            recoverable: None,
            pods: Vec::new(),
            versions_before: BTreeMap::new(),
            versions_deployed: BTreeMap::new(),
            crash_ms: scenario.crash.map(|_| None),
            faults: scenario
                .faults
                .iter()
                .map(|fault| FaultSeen {
                    what: fault.in_words(),
                    blocks: fault.kind.spec().blocks,
                    began_ms: None,
                    ended_ms: None,
                    hits: 0,
                })
                .collect(),
            host: None,
            deployed_build_seen: false,
            maintenance: MaintenanceSeen {
                flag: None,
                fence_token: None,
            },
            state_before: BTreeMap::new(),
            state_after: BTreeMap::new(),
            files: BTreeMap::new(),
            executor: ExecutorSaid {
                trigger: None,
                outcome: Outcome::NothingToDo("it was never started".to_owned()),
                recovered_ms: None,
                ended_ms: None,
                path: Path::None,
                steps: Vec::new(),
            },
        }
    }

    /// The instant from which recovery counts: the trigger, or without one the deployment.
    #[must_use]
    pub fn anchor_ms(&self) -> Option<Ms> {
        self.executor
            .trigger
            .as_ref()
            .map(|t| t.at_ms)
            .or(self.deployed_ms)
    }

    /// Sum over the seconds `from..to`.
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> Total {
        let mut total = Total::default();
        for second in self.seconds.iter().take(to).skip(from) {
            total.answered += u64::from(second.answered);
            total.maintenance += u64::from(second.maintenance);
            total.errors += u64::from(second.errors);
            total.slow += u64::from(second.slow);
        }
        total
    }
}

/// A sum of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// See [`Second::answered`].
    pub answered: u64,
    /// See [`Second::maintenance`].
    pub maintenance: u64,
    /// See [`Second::errors`].
    pub errors: u64,
    /// See [`Second::slow`].
    pub slow: u64,
}

impl Total {
    /// Requests that count for the error rate.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.answered + self.errors
    }
}

/// A duration in whole milliseconds.
#[must_use]
pub fn ms(duration: Duration) -> Ms {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The first whole second at or after `at`.
#[must_use]
pub fn second_from(at: Ms) -> usize {
    usize::try_from(at.div_ceil(1_000)).unwrap_or(usize::MAX)
}
