//! `firedrill chaos`: scenarios times seeds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use firedrill::crash_points;
use firedrill::drill::{DrillResult, timeline};
use firedrill::report::journal::Journal;
use firedrill::report::meta::{Meta, Seeds};
use firedrill::report::repetitions::repetitions;
use firedrill::report::{self, table};
use firedrill::runbooks::LoadedRunbook;
use firedrill::runner::{self, RunOutcome};
use firedrill::scenario::Described;
use firedrill::shrink::campaign;
use firedrill::stats::show_ms;
use firedrill::token::{AtHand, GivenFile};
use firedrill::verdict::{self, Verdict};
use firedrill::worlds::{DrillPlan, Program, Until, WorldError, WorldKind, in_flight};

use crate::args::{ChaosArgs, Format, Output, World};
use crate::exit::{Failure, INTERRUPTED, with_cause};
use crate::input::Chosen;
use crate::interrupt::Interrupt;
use crate::last_failed::{Failed, KeptProgram};
use crate::meta::Run;
use crate::progress::Progress;
use crate::{files, input, last_failed, select, terminal};

const SEEDS: u32 = 100;

/// What is to be drilled.
struct Campaign {
    chosen: Vec<Chosen>,
    plans: Vec<DrillPlan>,
    /// The failures that the plans run again.
    again: Vec<Failed>,
    /// The seeds of every scenario, where all have the same.
    seeds: Option<Seeds>,
}

/// Runs it; the exit code.
pub(crate) fn run(args: &ChaosArgs) -> Result<u8, Failure> {
    let began = Run::begin();
    let world = WorldKind::from(args.world);
    let app = args.app.as_deref().map(input::application).transpose()?;
    let runbook = match &app {
        None => input::runbook(args.runbook.as_deref(), args.strict)?,
        Some(app) => input::its_runbook(app, args.runbook.as_deref(), args.strict)?,
    };
    let mut campaign = if args.last_failed {
        failed_before(args, world, &runbook)?
    } else {
        asked_for(args, world, &runbook, app.as_ref())?
    };
    if world == WorldKind::Kind && !cfg!(feature = "kind") {
        return Err(WorldError::NotBuilt(world).into());
    }
    let interrupt = Interrupt::listen();
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let jobs = match world {
        WorldKind::Sim => args.jobs.map_or_else(processors, usize::from),
        // There is one cluster.
        WorldKind::Kind => 1,
    };
    if args.crash_points {
        let all = args.all || args.scenarios.iter().any(|word| word == select::ALL);
        campaign.plans =
            killed_everywhere(campaign.plans, jobs, &interrupt, all, args.output.quiet)?;
    }
    let plans = &campaign.plans;
    args.program.records_one_of(plans.len())?;
    tell_of_real_time(plans, args.output.quiet);
    let mut outcome = perform(plans, jobs, &interrupt, args)?;
    if !args.no_cut {
        cut_down(plans, &mut outcome, jobs, &interrupt, args.output.quiet)?;
    }
    if app.is_none() {
        keep_failures(&campaign, &outcome, args.output.quiet);
    }
    conclude(
        &outcome,
        at_hand(&campaign.chosen, args, &runbook, app.as_ref()),
        args.report.as_deref(),
        args.output,
        interrupt.happened(),
        || began.meta(Some(&runbook), campaign.seeds),
    )
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new(files::STANDARD_INPUT)
}

/// The files that the command line names, so that replay commands can name them, too.
///
/// Standard input is none of them, as it can't be read again. What an application names itself is not typed.
fn at_hand(
    chosen: &[Chosen],
    args: &ChaosArgs,
    runbook: &LoadedRunbook,
    app: Option<&Described>,
) -> AtHand {
    let app = args.app.as_deref().zip(app);
    let app = app.map(|(path, app)| input::at_hand(path, app));
    let of_app = |text: &str| {
        let mut files = app.iter().flat_map(|app| &app.files);
        files.any(|file| file.text == text)
    };
    let scenarios = chosen.iter().filter_map(|it| {
        let path = it.path.as_ref().filter(|path| !is_standard_input(path))?;
        let path = path.display().to_string();
        let text = it.scenario.text.clone();
        Some(GivenFile { path, text })
    });
    let path = args
        .runbook
        .as_ref()
        .filter(|path| !is_standard_input(path));
    let runbook = path.map(|path| GivenFile {
        path: path.display().to_string(),
        text: runbook.text.to_string(),
    });
    let files = scenarios.chain(runbook);
    let files = files.filter(|file| !of_app(&file.text)).collect();
    AtHand { files, app }
}

/// The scenarios that the command line names, with each seed.
fn asked_for(
    args: &ChaosArgs,
    world: WorldKind,
    runbook: &LoadedRunbook,
    app: Option<&Described>,
) -> Result<Campaign, Failure> {
    let words = if args.all {
        vec![select::ALL.to_owned()]
    } else {
        args.scenarios.clone()
    };
    let chosen = match app {
        None => input::scenarios(&words, runbook, true)?,
        Some(app) => input::scenarios_of(app, &words, runbook)?,
    };
    let by_program = args.program.executor.is_some();
    let chosen = input::can_be_done(chosen, world, by_program)?;
    let first = args.seed.unwrap_or(0);
    // In real time, one drill of each scenario is what people wait for.
    let one = args.seed.is_some() || args.crash_points || world == WorldKind::Kind;
    let count = args.seeds.unwrap_or(if one { 1 } else { SEEDS });
    let seeds = seeds(first, count)?;
    let program = args.program.program(world, args.report.as_deref())?;
    let of_scenario = |it: &Chosen| {
        let scenario = Arc::clone(&it.scenario);
        let (runbook, program) = (runbook.clone(), program.clone());
        seeds.clone().map(move |seed| DrillPlan {
            world,
            scenario: Arc::clone(&scenario),
            runbook: runbook.clone(),
            seed,
            until: until(args),
            executor: program.clone(),
        })
    };
    let plans = chosen.iter().flat_map(of_scenario).collect();
    Ok(Campaign {
        chosen,
        plans,
        again: Vec::new(),
        seeds: Some(Seeds {
            first,
            count: u64::from(count),
        }),
    })
}

/// `count` seeds from `first` on. The last seed that there is, 2^64 - 1, may be one of them.
fn seeds(first: u64, count: u32) -> Result<impl Iterator<Item = u64> + Clone, Failure> {
    let more = u64::from(count.saturating_sub(1));
    if first.checked_add(more).is_none() {
        return Err(Failure::input(
            format!("there are fewer than {count} seeds from {first} on"),
            "the last seed is 18446744073709551615: choose a smaller --seed or fewer --seeds",
        ));
    }
    Ok((0..u64::from(count)).map(move |nth| first + nth))
}

/// When its drills end.
fn until(args: &ChaosArgs) -> Until {
    match args.world {
        World::Sim if !args.whole => Until::Settled,
        // In real time a drill ends once what recovered has held, whatever the plan says.
        World::Sim | World::Kind => Until::Duration,
    }
}

/// The drills that did not pass in the last run, with the scenarios as they are now.
fn failed_before(
    args: &ChaosArgs,
    world: WorldKind,
    runbook: &LoadedRunbook,
) -> Result<Campaign, Failure> {
    let mut again = last_failed::read(world)?;
    if args.program.executor.is_some() {
        for failed in &mut again {
            failed.program = args.program.kept();
        }
    }
    let chosen = input::scenarios(&last_failed::scenarios(&again), runbook, true)?;
    let chosen = input::can_be_done(chosen, world, false)?;
    let mut programs: BTreeMap<&KeptProgram, Arc<Program>> = BTreeMap::new();
    for kept in again.iter().filter_map(|failed| failed.program.as_ref()) {
        if !programs.contains_key(kept) {
            let named = kept.named(args.program.record.clone());
            let program = named.program(world, args.report.as_deref())?;
            programs.extend(program.map(|program| (kept, program)));
        }
    }
    let plan = |failed: &Failed| {
        let now = last_failed::scenario_of(failed, &chosen)?;
        Ok(DrillPlan {
            world,
            scenario: Arc::new(failed.applied_to(&now.scenario)),
            runbook: runbook.clone(),
            seed: failed.seed,
            until: until(args),
            executor: failed
                .program
                .as_ref()
                .and_then(|kept| programs.get(kept).cloned()),
        })
    };
    let plans = again
        .iter()
        .map(plan)
        .collect::<Result<Vec<_>, Failure>>()?;
    drop(programs);
    Ok(Campaign {
        chosen,
        plans,
        again,
        seeds: None,
    })
}

/// Keeps what did not pass for `--last-failed`.
fn keep_failures(campaign: &Campaign, outcome: &RunOutcome, quiet: bool) {
    match last_failed::keep(&outcome.results, &campaign.chosen, &campaign.again) {
        Ok(Some((1.., file))) if !quiet => terminal::complain(&format!(
            "`chaos --last-failed` runs what did not pass again; it is kept in {}",
            file.display()
        )),
        Ok(_) => {}
        Err(error) => terminal::complain(&format!("warning: {}", with_cause(&error))),
    }
}

/// In real time a drill takes as long as it says, at most.
fn tell_of_real_time(plans: &[DrillPlan], quiet: bool) {
    let real = plans.iter().filter(|plan| plan.world == WorldKind::Kind);
    let most: u64 = real
        .map(|plan| plan.scenario.timing.duration.as_secs())
        .fold(0, u64::saturating_add);
    if most > 0 && !quiet {
        let (drills, minutes) = (plans.len(), most.div_ceil(60));
        terminal::complain(&format!(
            "estimate: {drills} drill{} in real time, at most {minutes} minutes and the set-up",
            if drills == 1 { "" } else { "s" }
        ));
    }
}

/// The work of a drill of each scenario, by name.
fn works(plans: &[DrillPlan]) -> BTreeMap<&str, u64> {
    let work = |plan: &DrillPlan| match plan.world {
        WorldKind::Sim => in_flight::work(&plan.scenario),
        WorldKind::Kind => 1,
    };
    plans
        .iter()
        .map(|plan| (plan.scenario.name.as_str(), work(plan)))
        .collect()
}

/// A run of `plans` that is about to begin, and the work of each scenario's drills.
fn begin(plans: &[DrillPlan], quiet: bool) -> (Progress, BTreeMap<&str, u64>) {
    let works = works(plans);
    let each = plans.iter().map(|plan| works[plan.scenario.name.as_str()]);
    let whole = each.fold(0, u64::saturating_add);
    (Progress::begin("", plans.len(), whole, quiet), works)
}

fn perform(
    plans: &[DrillPlan],
    jobs: usize,
    interrupt: &Interrupt,
    args: &ChaosArgs,
) -> Result<RunOutcome, Failure> {
    let (progress, works) = begin(plans, args.output.quiet);
    let (failed, not_passed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let finished = |result: &DrillResult| {
        let verdict = result.verdicts.overall;
        if args.output.verbose {
            progress.line(&ended(result));
        }
        if verdict != Verdict::Pass {
            let n = not_passed.fetch_add(1, Ordering::Relaxed) + 1;
            progress.note(format!("{n} not passed"));
        }
        if verdict == Verdict::Fail {
            let n = failed.fetch_add(1, Ordering::Relaxed) + 1;
            if args.max_failures.is_some_and(|most| n >= most as usize) {
                interrupt.enough();
            }
        }
        progress.over(works.get(result.scenario.as_str()).copied().unwrap_or(0));
    };
    let outcome = runner::run(plans, jobs, interrupt.stop(), plans.len() == 1, &finished);
    progress.end();
    let mut outcome = outcome?;
    if outcome.skipped.drills > 0 && !interrupt.happened() {
        let failures = failed.load(Ordering::Relaxed);
        if args
            .max_failures
            .is_some_and(|most| failures >= most as usize)
        {
            outcome.skipped.on_purpose = true;
            terminal::complain(&format!(
                "ended early: {failures} failed, and --max-failures allows no more"
            ));
        } else {
            // A cluster's own handler was told first.
            interrupt.note();
        }
    }
    Ok(outcome)
}

/// How a drill ended, in a line.
fn ended(result: &DrillResult) -> String {
    let time = match result.rto_ms {
        Some(ms) => format!("recovery time {}", show_ms(ms)),
        None => result.ending.as_str().to_owned(),
    };
    let (verdict, scenario, seed) = (result.verdicts.overall, &result.scenario, result.seed);
    let why = result
        .problems()
        .first()
        .map_or_else(String::new, |finding| format!(", {}", finding.oracle()));
    format!("{verdict:12} {scenario} · seed {seed} · {time}{why}")
}

/// Finds the smallest case of each kind of failure, unless there was an interruption.
fn cut_down(
    plans: &[DrillPlan],
    outcome: &mut RunOutcome,
    jobs: usize,
    interrupt: &Interrupt,
    quiet: bool,
) -> Result<(), Failure> {
    let cases = campaign::cases(&outcome.results).len();
    // Where drills were left out, plans and results are no pairs.
    if cases == 0 || outcome.skipped.drills > 0 || interrupt.happened() {
        return Ok(());
    }
    let most = cases * campaign::budget(cases) as usize;
    let progress = Progress::at_most(" at most to cut failures down", most, quiet);
    let over = || progress.over(1);
    let plans: Vec<DrillPlan> = plans.iter().map(DrillPlan::unrecorded).collect();
    let cut = campaign::cut(&plans, &mut outcome.results, jobs, interrupt.stop(), &over);
    progress.end();
    Ok(cut?)
}

/// Each drill of `plans`, and after it the same with the executor killed at every request that it makes from the
/// trigger on. How many there are is seen by performing it. A scenario that passes without any would pass with nothing
/// tried: it is refused, or, where all scenarios were asked for, left out and named.
fn killed_everywhere(
    plans: Vec<DrillPlan>,
    jobs: usize,
    interrupt: &Interrupt,
    all: bool,
    quiet: bool,
) -> Result<Vec<DrillPlan>, Failure> {
    if let Some(plan) = plans.iter().find(|plan| plan.scenario.crash.is_some()) {
        return Err(Failure::input(
            format!(
                "scenario `{}` has a `[crash]` of its own",
                plan.scenario.name
            ),
            "--crash-points needs scenarios without one: leave it out, or use the flag without the scenario",
        ));
    }
    let (progress, works) = begin(&plans, quiet);
    let over = |result: &DrillResult| {
        progress.over(works.get(result.scenario.as_str()).copied().unwrap_or(0));
    };
    let whole = runner::run(&plans, jobs, interrupt.stop(), false, &over);
    progress.end();
    let whole = whole?;
    if whole.skipped.drills > 0 {
        // Nothing has been killed yet, so there is nothing to report.
        return Err(WorldError::Interrupted.into());
    }
    let results = &whole.results;
    let untried = crash_points::untried(results);
    if !untried.is_empty() {
        let names: Vec<String> = untried.iter().map(|name| format!("`{name}`")).collect();
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
    let tried = tried.filter(|(plan, _)| !untried.contains(plan.scenario.name.as_str()));
    let and_killed = |(plan, result): (&DrillPlan, &DrillResult)| {
        let killed = crash_points::all(plan, result.executor_requests);
        let both: Vec<DrillPlan> = std::iter::once(plan.clone()).chain(killed).collect();
        both
    };
    Ok(tried.flat_map(and_killed).collect())
}

/// Shows and writes the results; the exit code. Replay commands on the terminal name the files that are `at_hand`.
/// `meta` is asked for if there is a report to write.
pub(crate) fn conclude(
    outcome: &RunOutcome,
    at_hand: AtHand,
    report: Option<&Path>,
    output: Output,
    interrupted: bool,
    meta: impl FnOnce() -> Meta,
) -> Result<u8, Failure> {
    let results = &outcome.results;
    let runs = report.map(|_| meta()).into_iter().collect();
    let journal = Journal::new(results, outcome.skipped.clone()).with_meta(runs);
    let replays = terminal::replays(at_hand);
    if output.format == Format::Table {
        if let [only] = results.as_slice()
            && !output.quiet
        {
            terminal::say(&timeline::render(only, &replays));
        }
        if !results.is_empty() && !output.quiet {
            terminal::say(&table::summary(results));
            for program in repetitions(results) {
                terminal::say(&format!(" {program}"));
            }
        }
        let findings = table::findings(results, &replays);
        if !findings.is_empty() {
            terminal::say(&format!("\n{findings}"));
        }
    }
    let written = report.map_or(Written::NotAsked, |directory| write(directory, &journal));
    if let Written::There(page) = &written {
        let line = format!("report: {}", page.display());
        match output.format {
            Format::Table if !output.quiet => terminal::say(&line),
            _ => {}
        }
    }
    let summary = &journal.summary;
    match output.format {
        Format::Table => terminal::say_coloured(summary.verdict, &report::tally(summary)),
        Format::Json => terminal::say_json(&journal),
    }
    if interrupted {
        return Ok(INTERRUPTED);
    }
    let code = verdict::exit_code([summary.verdict]);
    // A report that is missing must not hide what the drills showed.
    let whole = matches!(written, Written::There(_) | Written::NotAsked);
    Ok(if code == 0 && !whole { 2 } else { code })
}

/// What became of a report.
#[derive(Debug, PartialEq, Eq)]
enum Written {
    /// Nobody wants one.
    NotAsked,
    /// It is where it should be: the page.
    There(PathBuf),
    /// That could not be done any more, so it is here.
    Elsewhere(PathBuf),
    /// It could not be written at all.
    Nowhere,
}

/// Writes the report into `directory`, or, if that can't be done any more, elsewhere, and says where.
fn write(directory: &Path, journal: &Journal<'_>) -> Written {
    let Err(error) = report::write_journal(directory, journal) else {
        return Written::There(directory.join("report.html"));
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

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seed_there_is_can_be_drilled() {
        let seeds = |first, count| seeds(first, count).map(Iterator::collect::<Vec<_>>);
        assert_eq!(seeds(7, 2).ok(), Some(vec![7, 8]));
        assert_eq!(seeds(u64::MAX, 1).ok(), Some(vec![u64::MAX]));
        assert_eq!(seeds(u64::MAX, 0).ok(), Some(vec![]));
        assert!(seeds(u64::MAX, 2).is_err());
    }

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
