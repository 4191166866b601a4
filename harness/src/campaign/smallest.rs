//! The smallest cases of a journal that was merged: shards leave their failures whole, since which of them stands for
//! its scenario and oracle is known only when all are there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::drill::{self, DrillResult};
use crate::report::journal::{Drill, Journal};
use crate::runbooks::{self, LoadedRunbook};
use crate::scenario::Scenario;
use crate::shrink::campaign;
use crate::token::{Token, has_the_form};
use crate::verdict::Verdict;
use crate::worlds::{DrillPlan, WorldError, WorldKind};

/// What cutting down found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recut {
    /// Cases that were performed again.
    pub cases: usize,
    /// Drills that went another way here than in their pod, in words: a defect.
    pub differing: Vec<String>,
}

/// Performs the first failure of each scenario and oracle in `journal` again, from its token, and notes its smallest
/// case, as a run on one machine does. `finished` is called after each drill. This build must be that of the journal.
///
/// # Errors
/// The first [`WorldError`].
pub fn cut(
    journal: &mut Journal<'static>,
    jobs: usize,
    stop: &AtomicBool,
    finished: &(dyn Fn() + Sync),
) -> Result<Recut, WorldError> {
    let mut recut = Recut::default();
    let (mut at, mut plans, mut results): (Vec<usize>, Vec<DrillPlan>, Vec<DrillResult>) =
        Default::default();
    for index in cases(&journal.drills) {
        let drill = &journal.drills[index];
        let Some(plan) = plan(&drill.replay) else {
            let (scenario, seed) = (&drill.scenario, drill.seed);
            recut.differing.push(format!(
                "{scenario}, seed {seed}: its token is not one of this build"
            ));
            continue;
        };
        let result = drill::run(&plan)?;
        finished();
        let here = format!("{:016x}", result.fingerprint);
        if here != drill.fingerprint {
            let (scenario, seed, there) = (&drill.scenario, drill.seed, &drill.fingerprint);
            recut.differing.push(format!(
                "{scenario}, seed {seed}: the fingerprint is {here} here, and it was {there} in its pod"
            ));
            continue;
        }
        at.push(index);
        plans.push(plan);
        results.push(result);
    }
    recut.cases = at.len();
    campaign::cut(&plans, &mut results, jobs, stop, finished)?;
    for (index, result) in at.into_iter().zip(results) {
        journal.drills[index].smallest = result.smallest.map(Cow::Owned);
    }
    Ok(recut)
}

/// As [`campaign::cases`], of what was read.
fn cases(drills: &[Drill<'_>]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    for (index, drill) in drills.iter().enumerate() {
        if drill.world == WorldKind::Sim
            && drill.verdict == Verdict::Fail
            && let Some(found) = drill.problems().first()
        {
            first
                .entry((&*drill.scenario, found.oracle))
                .or_insert(index);
        }
    }
    let mut cases: Vec<usize> = first.into_values().collect();
    cases.sort_unstable();
    cases
}

/// What a token stands for; `None`: nothing that this build can perform.
fn plan(token: &str) -> Option<DrillPlan> {
    if !has_the_form(token) {
        return None;
    }
    let token = Token::decode(token, runbooks::BUILT_IN).ok()?;
    let scenario = Scenario::parse(&token.scenario_file, &token.scenario_text, &[]).ok()?;
    Some(DrillPlan {
        world: token.world,
        scenario: Arc::new(scenario),
        runbook: LoadedRunbook::parse("the token's runbook", &token.runbook_text).ok()?,
        seed: token.seed,
        until: token.until,
        executor: None,
    })
}
