//! Many drills on several threads, in an order of results that does not depend on the threads.

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::drill::time_series::TimeSeries;
use crate::drill::{self, DrillResult, timeline};
use crate::report::journal::Skipped;
use crate::report::representative::{Rank, Representatives};
use crate::worlds::{DrillPlan, WorldError};

/// What came of a run.
#[derive(Debug)]
pub struct RunOutcome {
    /// Results, in the order of the plans; those that an interruption kept from running are missing.
    pub results: Vec<DrillResult>,
    /// The plans that did not run.
    pub skipped: Skipped,
}

/// What takes memory and is kept of few drills.
type Detail = (
    Vec<timeline::TimelineEntry>,
    BTreeMap<String, String>,
    Option<Box<TimeSeries>>,
);

/// Performs `plans` on `jobs` threads. `finished` is called after each drill, on its thread. Once
/// `stop` is set, no further drill begins; a drill that is interrupted has no result and sets it. `keep_timelines`:
/// else timeline, files and time series are kept of one drill for each scenario only, its
/// [representative](crate::report::representative), as they take memory.
///
/// # Errors
/// The first [`WorldError`], in the order of the plans.
pub fn run(
    plans: &[DrillPlan],
    jobs: usize,
    stop: &AtomicBool,
    keep_timelines: bool,
    finished: &(dyn Fn(&DrillResult) + Sync),
) -> Result<RunOutcome, WorldError> {
    run_by(&drill::run, plans, jobs, stop, keep_timelines, finished)
}

/// [`run`], with `perform` for [`drill::run`].
fn run_by(
    perform: &(dyn Fn(&DrillPlan) -> Result<DrillResult, WorldError> + Sync),
    plans: &[DrillPlan],
    jobs: usize,
    stop: &AtomicBool,
    keep_timelines: bool,
    finished: &(dyn Fn(&DrillResult) + Sync),
) -> Result<RunOutcome, WorldError> {
    let failed = AtomicBool::new(false);
    let kept: Mutex<Representatives<(usize, Detail)>> = Mutex::default();
    let over = || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
    let mut done = each(plans.len(), jobs, &over, &|index| {
        let mut result = perform(&plans[index]);
        match &mut result {
            Ok(result) => {
                finished(result);
                if !keep_timelines {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.offer(
                        (result.scenario.clone(), result.world),
                        Rank::of(result.verdicts.overall, result.rto_ms, result.seed),
                        || (index, take_detail(result)),
                    );
                    result.forget_detail();
                }
            }
            Err(WorldError::Interrupted) => stop.store(true, Ordering::Relaxed),
            Err(_) => failed.store(true, Ordering::Relaxed),
        }
        result
    });
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (index, detail) in kept.into_kept() {
        if let Ok(at) = done.binary_search_by_key(&index, |(index, _)| *index)
            && let (_, Ok(result)) = &mut done[at]
        {
            (result.timeline, result.files, result.time_series) = detail;
        }
    }
    done.retain(|(_, result)| !matches!(result, Err(WorldError::Interrupted)));
    let mut skipped = Skipped::default();
    for (index, plan) in plans.iter().enumerate() {
        if done
            .binary_search_by_key(&index, |(index, _)| *index)
            .is_err()
        {
            skipped.drills += 1;
            let scenario = plan.scenario.name.clone();
            *skipped.scenarios.entry(scenario).or_default() += 1;
        }
    }
    let results = done
        .into_iter()
        .map(|(_, result)| result)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RunOutcome { results, skipped })
}

/// `work` for each number below `count` on `jobs` threads, until all is done or `over`; what was done,
/// in the order of the numbers.
pub fn each<R: Send>(
    count: usize,
    jobs: usize,
    over: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(usize) -> R + Sync),
) -> Vec<(usize, R)> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(count));
    let worker = || {
        while !over() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let result = work(index);
            done.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.clamp(1, count.max(1)) {
            scope.spawn(worker);
        }
        worker();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done
}

fn take_detail(result: &mut DrillResult) -> Detail {
    (
        mem::take(&mut result.timeline),
        mem::take(&mut result.files),
        result.time_series.take(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{Scenario, find};
    use crate::worlds::{Until, WorldKind};
    use std::sync::Arc;

    #[test]
    fn an_interrupted_drill_has_no_result_and_ends_the_rest() {
        let built_in = find("good-release").expect("it is built in");
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect("it loads");
        let plan = DrillPlan {
            world: WorldKind::Sim,
            scenario: Arc::new(scenario),
            runbook: LoadedRunbook::built_in().expect("it loads"),
            seed: 0,
            until: Until::Held,
            executor: None,
        };
        let plans: Vec<DrillPlan> = (0..4)
            .map(|seed| DrillPlan {
                seed,
                ..plan.clone()
            })
            .collect();
        let perform = |plan: &DrillPlan| match plan.seed {
            1 => Err(WorldError::Interrupted),
            _ => drill::run(plan),
        };
        let stop = AtomicBool::new(false);
        let outcome = run_by(&perform, &plans, 1, &stop, false, &|_| {});
        let outcome = outcome.expect("an interruption is no error of the world");
        let seeds: Vec<u64> = outcome.results.iter().map(|r| r.seed).collect();
        assert_eq!((seeds.as_slice(), outcome.skipped.drills), (&[0][..], 3));
        assert_eq!(outcome.skipped.scenarios.get("good-release"), Some(&3));
        assert!(stop.into_inner(), "whoever looks at the flag ends, too");
    }
}
