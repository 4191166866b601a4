//! What a drill leaves behind to be judged: plain data, gathered by the world from outside the
//! executor. Oracles are pure functions of it, so doctored evidence can show that each one bites.
//!
//! Instants are milliseconds since the drill began.

mod host;
mod ledger;
mod reading;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use executor::runbook::Trigger;
use executor::{Standing, StepOutcome};

pub use self::host::{Contention, HostSeen, LATE_MS, STILL_MS, STOLEN_PERMILLE, Share};
pub use self::ledger::{LedgerState, Reckoning, Slot};
pub use self::reading::Reading;
pub use self::writes::{LedgerWrite, WriteSeen, Wrote};

use crate::scenario::{Expect, FaultKind, HeldUp, PartsPerMillion, Path, Scenario, Subject};

/// Milliseconds since the drill began, or a span of them.
pub type Ms = u64;

/// Requests without which a rate below 0.01 % is not shown: with none failed of 30,000, the rate is
/// below 0.01 % at 95 % confidence (rule of three).
pub const REQUESTS_MIN: u64 = 30_000;

/// Requests without which a rate below `limit` is not shown at 95 % confidence, if none of them failed (rule of three);
/// [`REQUESTS_MIN`] of them for 0.01 %.
#[must_use]
pub fn requests_that_show(limit: PartsPerMillion) -> u64 {
    3_000_000_u64.div_ceil(u64::from(limit.0.max(1)))
}

/// Everything that the oracles look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What must come of the drill.
    pub expect: Expect,
    /// What was drilled.
    pub application: Subject,
    /// End of the warm-up.
    pub warm_up_ms: Ms,
    /// How long what has recovered must stay recovered.
    pub hold_ms: Ms,
    /// For how long each trigger of the runbook may still fire, or begin to, once what it asks about is over
    /// (`Trigger::echoes`), by its name.
    pub echoes_ms: BTreeMap<String, Ms>,
    /// When the deployer began; `None`: it never did.
    pub deployed_ms: Option<Ms>,
    /// When the drill ended.
    pub end_ms: Ms,
    /// What the clients saw, second by second from the drill's beginning; whole seconds only.
    pub seconds: Vec<Second>,
    /// Looks at the ledger's invariants, in the order of time.
    pub probes: Vec<Probe>,
    /// Acknowledged orders against those present at the end.
    pub orders: Acknowledgements,
    /// Acknowledged trades against those present at the end.
    pub trades: Acknowledgements,
    /// Acknowledged writes of an application of somebody's own, against those in its store at the end; `None`: its
    /// clients write nothing.
    pub stored: Option<Acknowledgements>,
    /// Orders at the end that no client holds an acknowledgement for.
    pub unclaimed: Unclaimed,
    /// The ledger at the end, beside what the prior release's engine makes of the order log; `None`:
    /// it could not be read.
    pub reckoning: Option<Reckoning>,
    /// What executors' hosts wrote from the trigger on, in the order of its effects;
    /// `None` in a world that keeps no such record.
    pub writes: Option<Vec<WriteSeen>>,
    /// What the deployed release's pods had logged when the trigger fired.
    pub bad_logs: Vec<PodLog>,
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
    /// How long after it another host resumes.
    pub resume_after_ms: Ms,
    /// The scenario's faults, in its order.
    pub faults: Vec<InjectedFault>,
    /// How far the host held the clients up; `None` in a world where nothing can.
    pub host: Option<HostSeen>,
    /// What of the harness itself failed first, if anything did: whose fault the rest is, nobody knows then.
    pub harness_failed: Option<String>,
    /// What could not be read at the end, and why: it is not there in this evidence, which says nothing of what is
    /// there in the world.
    pub unread: BTreeMap<Reading, String>,
    /// Whether a pod of the deployed release was ever seen live.
    pub deployed_build_seen: bool,
    /// From when to when the deployed release served: a pod of a build that came with it was Ready and not being
    /// deleted, or the configuration was in place where that is all that it changes. In the order of time; each span
    /// is from the first look that saw it to the last.
    pub deployed_served: Vec<(Ms, Ms)>,
    /// What halts trading, at the end.
    pub maintenance: MaintenanceSeen,
    /// The lasting state before the deployment, flattened: path to value.
    pub state_before: BTreeMap<String, String>,
    /// The same at the end.
    pub state_after: BTreeMap<String, String>,
    /// What the executor saved for the post-mortem, by file name.
    pub files: BTreeMap<String, String>,
    /// What the executor says. It is compared with the rest, never believed.
    pub executor: ExecutorSaid,
}

/// A fault of the scenario, as the world carried it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedFault {
    /// What it is, in words.
    pub what: String,
    /// Its kind.
    pub kind: FaultKind,
    /// What it is aimed at, where its kind asks.
    pub target: Option<String>,
    /// Whether it hits everything in its way, not only a share.
    pub certain: bool,
    /// How much later something happens because of it, for kinds that slow something down.
    pub delay_ms: Ms,
    /// How long a host is away because of it, beyond its own time.
    pub away_ms: Ms,
    /// When it began; `None`: its instant never came.
    pub began_ms: Option<Ms>,
    /// When it was over; `None`: it never began.
    pub ended_ms: Option<Ms>,
    /// How often it hit: messages, objects, or 1 for what happens once.
    pub hits: u64,
}

impl InjectedFault {
    /// From when to when it lasted, without end if none was seen; `None`: it never began.
    #[must_use]
    pub fn lasted(&self) -> Option<(Ms, Ms)> {
        Some((self.began_ms?, self.ended_ms.unwrap_or(Ms::MAX)))
    }

    /// When what comes of it is over, where that is known: so long after its end as its kind
    /// [takes](crate::scenario::fault::FaultSpec::outlasts) to take effect; `None`: it never began, or is not over.
    #[must_use]
    pub fn effect_ended_ms(&self) -> Option<Ms> {
        let late_ms = if self.kind.spec().outlasts() {
            self.delay_ms
        } else {
            0
        };
        Some(self.ended_ms?.saturating_add(late_ms))
    }

    /// For how long of the time between `from` and `to` it lasted.
    #[must_use]
    pub fn lasted_within(&self, from: Ms, to: Ms) -> Ms {
        let lasted = self.lasted();
        lasted.map_or(0, |(began, ended)| {
            ended.min(to).saturating_sub(began.max(from))
        })
    }
}

/// How much of the time between `from` and `to` is within one of `spans`, each from when to when.
#[must_use]
pub fn union_ms(spans: impl IntoIterator<Item = (Ms, Ms)>, from: Ms, to: Ms) -> Ms {
    let mut spans: Vec<(Ms, Ms)> = spans.into_iter().collect();
    spans.sort_unstable();
    let (mut seen_to, mut sum) = (from, 0);
    for (began, ended) in spans {
        let (began, ended) = (began.max(seen_to), ended.min(to));
        sum += ended.saturating_sub(began);
        seen_to = seen_to.max(ended);
    }
    sum
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
pub struct Acknowledgements {
    /// What clients hold an acknowledgement for.
    pub acknowledged: Vec<BookEntry>,
    /// What the database holds at the end.
    pub present: Vec<BookEntry>,
}

/// Orders in the order log that no client holds an acknowledgement for, against those that one may have sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unclaimed {
    /// Orders in the log whose acknowledgement no client holds.
    pub present: Vec<BookEntry>,
    /// Content of each order that a client sent without learning whether it was taken or refused.
    pub unanswered: Vec<u64>,
}

/// What a pod of the deployed release had logged when the trigger fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLog {
    /// Its service.
    pub service: String,
    /// Its name.
    pub pod: String,
    /// Its UID: another pod may take its name.
    pub uid: String,
    /// Until when the pod was seen to be there.
    pub seen_until_ms: Ms,
    /// Its lines, oldest first, without a timestamp.
    pub lines: Vec<String>,
}

/// What the database still keeps of what the ledger in use lacks. It is found as a person would bring it back:
/// the longest order log of any database that is there, replayed by the prior release's own engine on the ledger's
/// rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recoverable {
    /// Orders that only the log of a ledger that was set aside holds.
    pub orders: Vec<BookEntry>,
    /// Trades that the replay makes.
    pub trades: Vec<BookEntry>,
    /// Writes of an application that is not the exchange, which only the log beside its store holds.
    pub writes: Vec<BookEntry>,
}

/// An order or a trade: its id and a hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BookEntry {
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
    pub outcome: ExecutorOutcome,
    /// When it says the exchange had recovered.
    pub recovered_ms: Option<Ms>,
    /// What it says of the fence and of the halt that it leaves behind.
    pub standing: Option<Standing>,
    /// When it ended, by the harness's clock; `None`: it had not.
    pub ended_ms: Option<Ms>,
    /// The way it took.
    pub path: Path,
    /// Its steps.
    pub steps: Vec<StepSaid>,
    /// It is somebody else's program, which need neither take our executor's lease nor say which way it took.
    pub is_program: bool,
}

impl ExecutorSaid {
    /// Whether it paged a person.
    #[must_use]
    pub fn called(&self) -> bool {
        matches!(self.outcome, ExecutorOutcome::Escalated(_))
    }

    /// It paged a person while nothing is rolled back.
    pub(crate) fn calls(&mut self, why: String, at_ms: Ms) {
        self.outcome = ExecutorOutcome::Escalated(why);
        self.ended_ms = Some(at_ms);
    }

    /// It watches no longer, and no trigger has fired.
    pub(crate) fn saw_nothing(&mut self, why: &str) {
        if !self.called() {
            self.outcome = ExecutorOutcome::NothingToDo(why.to_owned());
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

/// How the executor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutorOutcome {
    /// It claims recovery.
    Recovered,
    /// It paged a person.
    Escalated(String),
    /// It saw nothing to do: no trigger fired, or the state was the target already.
    NothingToDo(String),
    /// It was refused before it did anything: what it met was not fit for a deployment, or another host was at work.
    Refused(String),
    /// It failed with an error.
    Failed(String),
    /// It, or the world around it, panicked.
    Panicked(String),
    /// It was still at work when the drill ended.
    StillRunning,
    /// The harness failed while it was at work, so that nobody knows how it would have ended.
    CutShort(String),
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
    /// How it ended, as the executor says.
    pub outcome: StepOutcome,
    /// What it found.
    pub detail: String,
}

impl Evidence {
    /// Whether the pod runs a build that came with the deployed release.
    #[must_use]
    pub fn runs_deployed(&self, pod: &PodSeen) -> bool {
        let deployed = self.versions_deployed.get(&pod.app);
        pod.version.is_some()
            && pod.version.as_ref() == deployed
            && deployed != self.versions_before.get(&pod.app)
    }

    /// How many of `pods` run such a build and are ready.
    #[must_use]
    pub fn ready_of_deployed(&self, pods: &[PodSeen]) -> u32 {
        let ready = pods
            .iter()
            .filter(|pod| pod.ready && self.runs_deployed(pod));
        u32::try_from(ready.count()).unwrap_or(u32::MAX)
    }

    /// A look at `at_ms` saw the deployed release serve, as the look at `before_ms` did if it was right after another
    /// such one.
    pub(crate) fn deployed_serves(&mut self, before_ms: Ms, at_ms: Ms) {
        match self.deployed_served.last_mut() {
            Some((_, to)) if *to >= before_ms => *to = at_ms,
            _ => self.deployed_served.push((at_ms, at_ms)),
        }
    }

    /// When faults began that struck the exchange itself, whether its clients saw it or not.
    pub fn strikes(&self) -> impl Iterator<Item = Ms> + '_ {
        let faults = self.faults.iter();
        let strikes = faults.filter(|fault| fault.hits > 0 && fault.kind.spec().strikes.servers());
        strikes.filter_map(|fault| fault.began_ms)
    }

    /// Evidence of a drill of `scenario` in which nothing has happened yet.
    #[must_use]
    pub fn empty(scenario: &Scenario) -> Self {
        Self {
            expect: scenario.expect.clone(),
            application: scenario.application.clone(),
            warm_up_ms: ms(scenario.timing.warm_up),
            hold_ms: ms(scenario.timing.hold),
            echoes_ms: BTreeMap::new(),
            deployed_ms: None,
            end_ms: 0,
            seconds: Vec::new(),
            probes: Vec::new(),
            orders: Acknowledgements::default(),
            trades: Acknowledgements::default(),
            stored: scenario
                .application
                .described()
                .filter(|app| app.writes())
                .map(|_| Acknowledgements::default()),
            unclaimed: Unclaimed::default(),
            reckoning: None,
            writes: None,
            bad_logs: Vec::new(),
            recoverable: None,
            pods: Vec::new(),
            versions_before: BTreeMap::new(),
            versions_deployed: BTreeMap::new(),
            crash_ms: scenario.crash.map(|_| None),
            resume_after_ms: scenario.crash.map_or(0, |crash| ms(crash.resume_after)),
            faults: scenario
                .faults
                .iter()
                .map(|fault| InjectedFault {
                    what: fault.in_words(),
                    kind: fault.kind,
                    target: fault.target.clone(),
                    certain: fault.chance.is_none_or(|chance| chance.0 >= 1_000_000),
                    delay_ms: ms(fault.delay.unwrap_or_default()),
                    away_ms: match fault.kind.spec().holds_up {
                        Some(HeldUp::Executor) => ms(fault.delay.unwrap_or_default()),
                        Some(HeldUp::Observability) | None => 0,
                    },
                    began_ms: None,
                    ended_ms: None,
                    hits: 0,
                })
                .collect(),
            host: None,
            harness_failed: None,
            unread: BTreeMap::new(),
            deployed_build_seen: false,
            deployed_served: Vec::new(),
            maintenance: MaintenanceSeen {
                flag: None,
                fence_token: None,
            },
            state_before: BTreeMap::new(),
            state_after: BTreeMap::new(),
            files: BTreeMap::new(),
            executor: ExecutorSaid {
                trigger: None,
                outcome: ExecutorOutcome::NothingToDo("it was never started".to_owned()),
                recovered_ms: None,
                standing: None,
                ended_ms: None,
                path: Path::None,
                steps: Vec::new(),
                is_program: false,
            },
        }
    }

    /// The same, with what must be known of the runbook's `triggers`.
    #[must_use]
    pub fn with_triggers(mut self, triggers: &[Trigger]) -> Self {
        let echoes = triggers.iter().map(|it| (it.name.clone(), ms(it.echoes())));
        self.echoes_ms = echoes.collect();
        self
    }

    /// The same, with the version of each service before the deployment and of the release that is deployed.
    #[must_use]
    pub fn with_versions(
        mut self,
        before: BTreeMap<String, String>,
        deployed: BTreeMap<String, String>,
    ) -> Self {
        (self.versions_before, self.versions_deployed) = (before, deployed);
        self
    }

    /// For how long the trigger that fired may still fire once the exchange has recovered.
    #[must_use]
    pub fn echo_ms(&self) -> Ms {
        let trigger = self.executor.trigger.as_ref();
        let echo = trigger.and_then(|trigger| self.echoes_ms.get(&trigger.name));
        echo.copied().unwrap_or(0)
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
