//! `firedrill chaos`: scenarios times seeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use firedrill::crash_points;
use firedrill::drill::{DrillResult, timeline};
use firedrill::report::journal::Journal;
use firedrill::report::{self, table};
use firedrill::shrink::campaign;
use firedrill::swarm::{self, SwarmResult};
use firedrill::verdict::{self, Verdict};
use firedrill::worlds::{self, Plan, Until, WorldError, WorldKind};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ChaosArgs;
use crate::exit::{Failure, INTERRUPTED};
use crate::{input, terminal};

const SEEDS: u32 = 100;

/// Runs it; the exit code.
pub(crate) fn run(args: &ChaosArgs) -> Result<u8, Failure> {
    let world = WorldKind::from(args.world);
    let runbook = input::runbook(args.runbook.as_deref())?;
    let scenarios = input::scenarios(&args.scenarios, &runbook.triggers())?;
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
    let jobs = match world {
        WorldKind::Sim => args.jobs.map_or_else(processors, usize::from),
        // There is one cluster.
        WorldKind::Kind => 1,
    };
    let plans = if args.crash_points {
        killed_everywhere(plans, jobs, &stop)?
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
    let outcome = swarm::run(&plans, jobs, &stop, plans.len() == 1, &finished);
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
    if cases == 0 || outcome.skipped > 0 {
        return Ok(());
    }
    let bar = progress(cases * campaign::budget(cases) as usize);
    bar.set_message("to cut failures down");
    campaign::cut(plans, &mut outcome.results, jobs, stop, &|| bar.inc(1))?;
    bar.finish_and_clear();
    Ok(())
}

/// Each drill of `plans`, and after it the same with the executor killed at every request that it makes from the trigger on. How
/// many there are is seen by performing it.
fn killed_everywhere(
    plans: Vec<Plan>,
    jobs: usize,
    stop: &AtomicBool,
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
    let whole = swarm::run(&plans, jobs, stop, false, &|_| {})?;
    let and_killed = |(plan, result): (&Plan, &DrillResult)| {
        let killed = crash_points::all(plan, result.executor_requests);
        let both: Vec<Plan> = std::iter::once(plan.clone()).chain(killed).collect();
        both
    };
    Ok(plans
        .iter()
        .zip(&whole.results)
        .flat_map(and_killed)
        .collect())
}

/// Shows and writes the results; the exit code.
pub(crate) fn conclude(
    outcome: &SwarmResult,
    report: Option<&std::path::Path>,
    interrupted: bool,
) -> Result<u8, Failure> {
    let results = &outcome.results;
    let journal = Journal::new(results, outcome.skipped);
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
    if let Some(directory) = report {
        report::write_journal(directory, &journal)?;
        terminal::say(&format!(
            "report: {}",
            directory.join("report.html").display()
        ));
    }
    let summary = &journal.summary;
    terminal::say(&terminal::coloured(
        summary.verdict,
        &report::tally(summary),
    ));
    if interrupted {
        return Ok(INTERRUPTED);
    }
    Ok(verdict::exit_code(
        results.iter().map(|r| r.verdicts.overall),
    ))
}

/// The flag that Ctrl-C sets. A second Ctrl-C ends the program at once.
pub(crate) fn stop_on_interrupt() -> Arc<AtomicBool> {
    use signal_hook::consts::SIGINT;
    let stop = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register_conditional_shutdown(
        SIGINT,
        i32::from(INTERRUPTED),
        Arc::clone(&stop),
    )
    .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&stop)));
    if let Err(error) = registered {
        terminal::complain(&format!(
            "warning: Ctrl-C will end the run without results: {error}"
        ));
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
