//! Which step of a rollback met which fault, and on which side of the step's effect: what the journal's entries, the
//! world's record of writes and the faults' own times say together.
//!
//! A step lasts from the end of the one before it to its own end, on however many hosts: what affects a host in the
//! middle of a step that another one does again affected that step. Nothing here judges.

use executor::runbook::{Effect, Runbook};

use crate::evidence::{Evidence, Ms, WriteSeen, Wrote};

/// The word for the executor's death at one of its requests, beside the kinds of faults.
pub const CRASH: &str = "crash";
/// What the executor's own records are called in the cluster; to write one is no step's effect.
const OWN_RECORDS: &str = "/configmaps/rollback-";

/// When a fault met a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Before the step had changed anything.
    Before,
    /// After it had.
    After,
    /// The step changes nothing.
    Looking,
}

impl Side {
    /// All sides.
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::Looking];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before its effect",
            Self::After => "after its effect",
            Self::Looking => "while it looks",
        }
    }
}

/// A fault that hit something, and a step in whose time it was there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Struck {
    /// The step.
    pub step: String,
    /// The service that the step was for, if it is for one.
    pub service: Option<String>,
    /// The kind of fault, or [`CRASH`].
    pub kind: &'static str,
    /// Whom the fault hits, where its kind leaves a choice.
    pub target: Option<String>,
    /// On which side of the step's effect.
    pub side: Side,
}

/// Whether `step` is to change something.
#[must_use]
pub fn changes(runbook: &Runbook, step: &str) -> bool {
    let mut steps = runbook.steps.iter();
    let found = steps.find(|it| it.name == step);
    found.is_some_and(|it| it.command.spec().effect == Effect::Changes)
}

/// What the steps of the drill that left `evidence` met.
#[must_use]
pub fn struck(runbook: &Runbook, evidence: &Evidence) -> Vec<Struck> {
    let faults = evidence.faults.iter().filter(|fault| fault.hits > 0);
    let faults = faults.filter_map(|fault| {
        let (began, ended) = fault.lasted()?;
        Some((fault.kind.as_str(), fault.target.clone(), began, ended))
    });
    let crash = evidence.crash_ms.flatten();
    let crash = crash.map(|at| (CRASH, None, at, at));
    let faults: Vec<_> = faults.chain(crash).collect();
    let writes = evidence.writes.as_deref().unwrap_or_default();
    let mut out = Vec::new();
    let mut begins = evidence.anchor_ms().unwrap_or(0);
    for step in &evidence.executor.steps {
        let ends = step.finished_ms.unwrap_or(evidence.end_ms).max(begins);
        let effect = effect(writes, begins, ends);
        for (kind, target, began, ended) in &faults {
            if *began > ends || *ended < begins {
                continue;
            }
            let mut add = |side| {
                out.push(Struck {
                    step: step.name.clone(),
                    service: step.service.clone(),
                    kind,
                    target: target.clone(),
                    side,
                });
            };
            if !changes(runbook, &step.name) {
                add(Side::Looking);
                continue;
            }
            if effect.is_none_or(|at| *began < at) {
                add(Side::Before);
            }
            if effect.is_some_and(|at| *ended >= at) {
                add(Side::After);
            }
        }
        begins = ends;
    }
    out
}

/// When the first change between `begins` and `ends` took effect, but for what an executor writes about itself.
fn effect(writes: &[WriteSeen], begins: Ms, ends: Ms) -> Option<Ms> {
    let within = writes.iter().filter(|write| write.at_ms >= begins);
    let mut within = within.take_while(|write| write.at_ms <= ends);
    let first = within.find(|write| match &write.what {
        Wrote::Lease { .. } => false,
        Wrote::Object { request, .. } => !request.contains(OWN_RECORDS),
        Wrote::Ledger { .. } => true,
    });
    first.map(|write| write.at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{InjectedFault, LedgerWrite, StepSaid};
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{FaultKind, built_in};

    fn evidence(faults: &[(FaultKind, Ms, Ms, u64)]) -> Evidence {
        let scenario = built_in("breaking-migration", &[]).expect("there");
        let mut evidence = Evidence::empty(&scenario.expect("right"));
        evidence.end_ms = 9_000;
        evidence.deployed_ms = Some(500);
        let step = |name: &str, from, to| StepSaid {
            name: name.to_owned(),
            title: String::new(),
            service: (name == "dump-logs").then(|| "risk".to_owned()),
            started_ms: from,
            finished_ms: Some(to),
            budget_ms: 5_000,
            outcome: executor::StepOutcome::Done,
            detail: String::new(),
        };
        // Another host did the second step again, from 3,000 ms on.
        evidence.executor.steps = vec![
            step("halt-trading", 1_000, 2_000),
            step("fence-ledger", 3_000, 4_000),
            step("dump-logs", 4_000, 5_000),
        ];
        let write = |at_ms, what| WriteSeen {
            host: "executor".to_owned(),
            number: 1,
            sent_ms: at_ms,
            at_ms,
            what,
        };
        let object = |name: &str| Wrote::Object {
            request: format!("PUT /api/v1/namespaces/dex-production/configmaps/{name}"),
            flag: None,
        };
        let fence = Wrote::Ledger {
            operation: LedgerWrite::Fence,
            token: 1,
            fence: None,
        };
        evidence.writes = Some(vec![
            write(1_100, object("rollback-journal")),
            write(1_500, object("dex-trading")),
            write(2_400, fence),
            write(4_500, object("rollback-journal")),
        ]);
        evidence.faults = faults
            .iter()
            .map(|&(kind, began, ended, hits)| InjectedFault {
                what: String::new(),
                kind,
                target: None,
                certain: true,
                delay_ms: 0,
                away_ms: 0,
                began_ms: Some(began),
                ended_ms: Some(ended),
                hits,
            })
            .collect();
        evidence
    }

    fn told(evidence: &Evidence) -> Vec<(String, &'static str, Side)> {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let struck = struck(&runbook.runbook, evidence);
        let told = struck.into_iter();
        told.map(|it| (it.step, it.kind, it.side)).collect()
    }

    #[test]
    fn a_fault_meets_a_step_before_or_after_its_effect() {
        let at = |ms| told(&evidence(&[(FaultKind::PodsKilled, ms, ms, 1)]));
        let one = |step: &str, side| vec![(step.to_owned(), "pods-killed", side)];
        assert_eq!(at(1_200), one("halt-trading", Side::Before));
        assert_eq!(at(1_800), one("halt-trading", Side::After));
        // The first host's attempt had no end, and its time is the step's.
        assert_eq!(at(2_200), one("fence-ledger", Side::Before));
        assert_eq!(at(2_600), one("fence-ledger", Side::After));
        assert_eq!(at(4_600), one("dump-logs", Side::Looking));
        assert_eq!(at(400), [], "nothing was rolled back yet");
    }

    #[test]
    fn what_lasts_meets_every_step_of_its_time_and_what_hit_nothing_meets_none() {
        let lasting = told(&evidence(&[(FaultKind::ApiSlow, 1_600, 2_100, 3)]));
        assert_eq!(
            lasting,
            [
                ("halt-trading".to_owned(), "api-slow", Side::After),
                ("fence-ledger".to_owned(), "api-slow", Side::Before),
            ]
        );
        assert_eq!(told(&evidence(&[(FaultKind::ApiSlow, 0, 9_000, 0)])), []);
    }

    #[test]
    fn the_executor_s_death_meets_a_step_too() {
        let mut crashed = evidence(&[]);
        crashed.crash_ms = Some(Some(2_500));
        let met = told(&crashed);
        assert_eq!(met, [("fence-ledger".to_owned(), CRASH, Side::After)]);
    }
}
