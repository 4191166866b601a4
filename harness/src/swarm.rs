//! Many drills on several threads, in an order of results that does not depend on the threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::drill::{self, DrillResult};
use crate::worlds::{Plan, WorldError};

/// What came of a run.
#[derive(Debug)]
pub struct SwarmResult {
    /// Results, in the order of the plans; those that an interruption kept from running are missing.
    pub results: Vec<DrillResult>,
    /// How many plans did not run.
    pub skipped: usize,
}

/// Performs `plans` on `jobs` threads. `finished` is called after each drill, on its thread. Once
/// `stop` is set, no further drill begins. `keep_timelines`: else they
/// and the files are dropped, as they take memory.
///
/// # Errors
/// The first [`WorldError`], in the order of the plans.
pub fn run(
    plans: &[Plan],
    jobs: usize,
    stop: &AtomicBool,
    keep_timelines: bool,
    finished: &(dyn Fn(&DrillResult) + Sync),
) -> Result<SwarmResult, WorldError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<DrillResult, WorldError>)>> =
        Mutex::new(Vec::with_capacity(plans.len()));
    let failed = AtomicBool::new(false);
    let work = || {
        while !stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(plan) = plans.get(index) else { return };
            let mut result = drill::run(plan);
            match &mut result {
                Ok(result) => {
                    finished(result);
                    if !keep_timelines {
                        result.timeline = Vec::new();
                        result.files.clear();
                    }
                }
                Err(_) => failed.store(true, Ordering::Relaxed),
            }
            done.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.clamp(1, plans.len().max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    let results = done
        .into_iter()
        .map(|(_, result)| result)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SwarmResult {
        skipped: plans.len() - results.len(),
        results,
    })
}
