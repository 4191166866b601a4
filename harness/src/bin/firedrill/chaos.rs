//! `firedrill chaos`: scenarios times seeds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use firedrill::crash_points;
use firedrill::drill::{DrillResult, timeline};
use firedrill::report::journal::Journal;
use firedrill::report::{self, table};
use firedrill::runner::{self, SwarmResult};
use firedrill::scenario::BUILT_IN;
use firedrill::shrink::campaign;
use firedrill::verdict::{self, Verdict};
use firedrill::worlds::{self, Plan, Until, WorldError, WorldKind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ChaosArgs;
use crate::exit::{Failure, INTERRUPTED, with_cause};
use crate::{input, terminal};

const SEEDS: u32 = 100;

/// Runs it; the exit code.
pub(crate) fn run(args: &ChaosArgs) -> Result<u8, Failure> {
    let world = WorldKind::from(args.world);
    let runbook = input::runbook(args.runbook.as_deref(), args.strict)?;
    let names = if args.all {
        BUILT_IN.iter().map(|b| b.name.to_owned()).collect()
    } else {
        args.scenarios.clone()
    };
    let mut scenarios = input::scenarios(&names, &runbook, true)?;
    if args.all {
        scenarios.retain(|scenario| scenario.lacking_in(world).is_none());
    }
    for scenario in &scenarios {
        worlds::check(scenario, world)?;
    }
    if world == WorldKind::Kind && !cfg!(feature = "kind") {
        return Err(WorldError::NotBuilt(world).into());
    }
    let first = args.seed.unwrap_or(0);
    // In real time, one drill of each scenario is what people wait for.
    let one = args.seed.is_some() || args.crash_points || world == WorldKind::Kind;
    let count = args.seeds.unwrap_or(if one { 1 } else { SEEDS });
    let Some(end) = first.checked_add(u64::from(count)) else {
        return Err(Failure::input(
            format!("there are no {count} seeds from {first} on"),
            "seeds are below 2^64: choose a smaller --seed or fewer --seeds",
        ));
    };
    let plans: Vec<Plan> = scenarios
        .iter()
        .flat_map(|scenario| {
            (first..end).map(|seed| Plan {
                world,
                scenario: Arc::clone(scenario),
                runbook: runbook.clone(),
                seed,
                until: Until::Duration,
            })
        })
        .collect();
    let stop = stop_on_interrupt();
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let jobs = match world {
        WorldKind::Sim => args.jobs.map_or_else(processors, usize::from),
        // There is one cluster.
        WorldKind::Kind => 1,
    };
    let plans = if args.crash_points {
        killed_everywhere(plans, jobs, &stop, args.all)?
    } else {
        plans
    };
    let bar = progress(plans.len());
    let failed = AtomicUsize::new(0);
    let finished = |result: &DrillResult| {
        if result.verdicts.overall != Verdict::Pass {
            let n = failed.fetch_add(1, Ordering::Relaxed) + 1;
            bar.set_message(format!("{n} not passed"));
        }
        bar.inc(1);
    };
    let outcome = runner::run(&plans, jobs, &stop, plans.len() == 1, &finished);
    bar.finish_and_clear();
    let mut outcome = outcome?;
    cut_down(&plans, &mut outcome, jobs, &stop)?;
    conclude(
        &outcome,
        args.report.as_deref(),
        stop.load(Ordering::Relaxed),
    )
}

/// Finds the smallest case of each kind of failure, unless there was an interruption.
fn cut_down(
    plans: &[Plan],
    outcome: &mut SwarmResult,
    jobs: usize,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let cases = campaign::cases(&outcome.results).len();
    if cases == 0 || outcome.skipped.drills > 0 {
        return Ok(());
    }
    let bar = progress(cases * campaign::budget(cases) as usize);
    bar.set_message("to cut failures down");
    campaign::cut(plans, &mut outcome.results, jobs, stop, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(())
}

/// Each drill of `plans`, and after it the same with the executor killed at every request that it makes from the
/// trigger on. How many there are is seen by performing it. A scenario that passes without any would pass with nothing
/// tried: it is refused, or, where all scenarios were asked for, left out and named.
fn killed_everywhere(
    plans: Vec<Plan>,
    jobs: usize,
    stop: &AtomicBool,
    all: bool,
) -> Result<Vec<Plan>, Failure> {
    if let Some(plan) = plans.iter().find(|plan| plan.scenario.crash.is_some()) {
        return Err(Failure::input(
            format!(
                "scenario `{}` has a `[crash]` of its own",
                plan.scenario.name
            ),
            "--crash-points needs scenarios without one: leave it out, or use the flag without the scenario",
        ));
    }
    let whole = runner::run(&plans, jobs, stop, false, &|_| {})?;
    let results = &whole.results;
    let quiet = crash_points::untried(results);
    if !quiet.is_empty() && !stop.load(Ordering::Relaxed) {
        let names: Vec<String> = quiet.iter().map(|name| format!("`{name}`")).collect();
        let said = format!(
            "nothing triggers in {}, so that the executor makes no request to be killed at",
            names.join(", ")
        );
        if !all {
            let help = "--crash-points needs scenarios in which something is rolled back";
            return Err(Failure::input(said, help));
        }
        terminal::complain(&format!("left out: {said}"));
    }
    let tried = plans.iter().zip(results);
    let tried = tried.filter(|(plan, _)| !quiet.contains(plan.scenario.name.as_str()));
    let and_killed = |(plan, result): (&Plan, &DrillResult)| {
        let killed = crash_points::all(plan, result.executor_requests);
        let both: Vec<Plan> = std::iter::once(plan.clone()).chain(killed).collect();
        both
    };
    Ok(tried.flat_map(and_killed).collect())
}

/// Shows and writes the results; the exit code.
pub(crate) fn conclude(
    outcome: &SwarmResult,
    report: Option<&Path>,
    interrupted: bool,
) -> Result<u8, Failure> {
    let results = &outcome.results;
    let journal = Journal::new(results, outcome.skipped.clone());
    if let [only] = results.as_slice() {
        terminal::say(&timeline::render(only));
    }
    if !results.is_empty() {
        terminal::say(&table::summary(results));
    }
    let findings = table::findings(results);
    if !findings.is_empty() {
        terminal::say(&format!("\n{findings}"));
    }
    let whole = report.is_none_or(|directory| write(directory, &journal) == Written::There);
    let summary = &journal.summary;
    terminal::say_coloured(summary.verdict, &report::tally(summary));
    if interrupted {
        return Ok(INTERRUPTED);
    }
    let code = verdict::exit_code([summary.verdict]);
    // A report that is missing must not hide what the drills showed.
    Ok(if code == 0 && !whole { 2 } else { code })
}

/// What became of a report.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    /// It is where it should be.
    There,
    /// That could not be done any more, so it is here.
    Elsewhere(PathBuf),
    /// It could not be written at all.
    Nowhere,
}

/// Writes the report into `directory`, or, if that can't be done any more, elsewhere, and says where.
fn write(directory: &Path, journal: &Journal<'_>) -> Written {
    let Err(error) = report::write_journal(directory, journal) else {
        let page = directory.join("report.html");
        terminal::say(&format!("report: {}", page.display()));
        return Written::There;
    };
    terminal::complain(&format!("error: {}", with_cause(&error)));
    match report::write_elsewhere(journal) {
        Ok(elsewhere) => {
            terminal::complain(&format!(
                "the report is kept in {} instead",
                elsewhere.display()
            ));
            Written::Elsewhere(elsewhere)
        }
        Err(error) => {
            terminal::complain(&format!("error: {}", with_cause(&error)));
            Written::Nowhere
        }
    }
}

/// The flag that Ctrl-C and SIGTERM set. A second one ends the program at once.
pub(crate) fn stop_on_interrupt() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    let stop = Arc::new(AtomicBool::new(false));
    for (signal, name) in [(SIGINT, "Ctrl-C"), (SIGTERM, "SIGTERM")] {
        let code = i32::from(INTERRUPTED);
        let registered = register_conditional_shutdown(signal, code, Arc::clone(&stop))
            .and_then(|_| register(signal, Arc::clone(&stop)));
        if let Err(error) = registered {
            terminal::complain(&format!(
                "warning: {name} will end the run without results: {error}"
            ));
        }
    }
    stop
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A bar on standard error, if that is a terminal.
pub(crate) fn progress(drills: usize) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(Some(drills as u64), ProgressDrawTarget::stderr_with_hz(10));
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} drills, {per_sec}, {elapsed} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_cannot_be_written_any_more_is_kept_elsewhere() {
        let in_the_way = tempfile::NamedTempFile::new().expect("a writable directory");
        let journal = Journal::new(&[], 3);
        let Written::Elsewhere(kept) = write(&in_the_way.path().join("report"), &journal) else {
            panic!("a file is no directory");
        };
        let text = std::fs::read_to_string(kept.join("journal.json")).expect("it is kept");
        std::fs::remove_dir_all(&kept).expect("it is ours");
        assert!(text.contains("\"skipped\": 3"), "{text}");
    }
}
