//! The drills: those of the scenario as it is, and those with one parameter changed, with the same seeds.

use std::sync::Arc;

use serde::Serialize;

use super::account::Account;
use super::cause::causes;
use super::parameters::{Parameter, parameters};
use super::spans::DrillSpans;
use crate::drill;
use crate::evidence::Ms;
use crate::runbooks::LoadedRunbook;
use crate::runner;
use crate::scenario::Scenario;
use crate::stats::{Paired, paired};
use crate::worlds::{DrillPlan, Until, WorldError, WorldKind};

/// How to drill.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Drills of the scenario as it is, at least 1.
    pub seeds: u32,
    /// The first seed.
    pub seed: u64,
    /// Pairs for each parameter, at most as many as there are seeds; 0: no parameter is tried.
    pub pairs: u32,
    /// Drills at a time, at least 1.
    pub jobs: usize,
}

/// Pairs that an interval at 95 % takes, at least. Without any effect, five pairs all point the same way once in 16
/// times, and six once in 32.
pub const PAIRS_LEAST: usize = 6;

/// What a parameter is worth. What is saved is negative where it takes longer.
#[derive(Clone, Debug, Serialize)]
pub struct Worth {
    /// The parameter.
    #[serde(flatten)]
    pub parameter: Parameter,
    /// Saved from the first harm to the recovery: mean, and the ends of its interval at 95 %, in ms. `None`: in
    /// fewer than [`PAIRS_LEAST`] pairs both drills got there.
    pub impact_ms: Option<[i64; 3]>,
    /// Saved from the trigger to the executor's claim.
    pub claimed_ms: Option<[i64; 3]>,
    /// Saved from the trigger to the end of the executor's last step.
    pub ended_ms: Option<[i64; 3]>,
    /// Pairs in which both drills recovered.
    pub pairs: usize,
    /// Drills with the change that did not recover, although they did without it.
    pub lost: usize,
}

/// Where the time of a scenario goes.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    /// The scenario.
    pub scenario: String,
    /// Its bound of the RTO, in ms.
    pub rto_max_ms: Ms,
    /// The first seed.
    pub seed: u64,
    /// Where the time goes.
    pub account: Account,
    /// What each parameter is worth, what saves the most first.
    pub parameters: Vec<Worth>,
}

/// Drills `scenario` by `runbook` in the simulation, and accounts for its time. `stop` ends it early, with what was
/// done by then.
///
/// # Errors
/// [`WorldError`] if a drill had no world.
pub fn budget(
    scenario: &Arc<Scenario>,
    runbook: &LoadedRunbook,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Budget, WorldError> {
    let drills = drilled(scenario, runbook, options, options.seeds, stop)?;
    let mut worths = Vec::new();
    if options.pairs > 0 {
        for parameter in parameters(scenario, runbook, &drills) {
            if stop() {
                break;
            }
            let (scenario, runbook) = (&parameter.scenario, &parameter.runbook);
            let changed = drilled(scenario, runbook, options, options.pairs, stop)?;
            worths.push(worth(parameter, &drills, &changed));
        }
        worths.sort_by_key(|it| std::cmp::Reverse(it.impact_ms.map_or(i64::MIN, |it| it[0])));
    }
    Ok(Budget {
        scenario: scenario.name.clone(),
        rto_max_ms: crate::evidence::ms(scenario.expect.rto_max),
        seed: options.seed,
        account: Account::of(&drills),
        parameters: worths,
    })
}

fn drilled(
    scenario: &Arc<Scenario>,
    runbook: &LoadedRunbook,
    options: &Options,
    count: u32,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<DrillSpans>, WorldError> {
    let causes = causes(&runbook.runbook);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let drills = runner::each(count, options.jobs, stop, &|nth| {
        let plan = DrillPlan {
            world: WorldKind::Sim,
            scenario: Arc::clone(scenario),
            runbook: runbook.clone(),
            seed: options.seed + nth as u64,
            until: Until::Held,
            executor: None,
        };
        drill::run(&plan).map(|result| DrillSpans::of(&result, &causes))
    });
    drills.into_iter().map(|(_, drill)| drill).collect()
}

fn worth(parameter: Parameter, as_it_is: &[DrillSpans], changed: &[DrillSpans]) -> Worth {
    let pairs = || as_it_is.iter().zip(changed);
    let saved =
        |of: fn(&DrillSpans) -> Option<Ms>| interval(paired(pairs().map(|(a, b)| (of(a), of(b)))));
    let recovered = |it: &DrillSpans| it.rto_ms.is_some();
    Worth {
        impact_ms: saved(|it| it.impact_ms),
        claimed_ms: saved(|it| it.claimed_ms),
        ended_ms: saved(|it| it.ended_ms),
        pairs: pairs()
            .filter(|(a, b)| recovered(a) && recovered(b))
            .count(),
        lost: pairs()
            .filter(|(a, b)| recovered(a) && !recovered(b))
            .count(),
        parameter,
    }
}

/// Mean and ends, if there are pairs enough for them.
fn interval(saved: Option<Paired>) -> Option<[i64; 3]> {
    let saved = saved.filter(|it| it.pairs >= PAIRS_LEAST)?;
    Some([saved.mean, saved.least, saved.most])
}

#[cfg(test)]
mod tests {
    use super::{interval, paired};

    #[test]
    fn so_few_pairs_have_no_interval() {
        let same = |count: u64| paired((0..count).map(|at| (Some(5_000 + at), Some(3_000 + at))));
        assert_eq!(
            interval(same(5)),
            None,
            "it would have no width, as if nothing were left to chance"
        );
        assert_eq!(interval(same(6)), Some([2_000; 3]));
    }
}
