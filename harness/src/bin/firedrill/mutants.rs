//! `firedrill search --mutants runbook`: is every change of the runbook caught?

use std::sync::Arc;

use firedrill::report::{self, write_texts};
use firedrill::runbooks::LoadedRunbook;
use firedrill::runner;
use firedrill::scenario::{BUILT_IN, Scenario};
use firedrill::search::{self, Mutant, Tried};
use firedrill::verdict::Verdict;
use firedrill::verify::{RunbookSide, Runs};
use firedrill::worlds::{DrillPlan, Until, WorldKind};

use crate::args::SearchArgs;
use crate::chaos::processors;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::terminal;

/// Seeds of each scenario, at most.
const SEEDS_MAX: u64 = 100;

/// Runs it; the exit code.
pub(crate) fn run(args: &SearchArgs, runbook: &LoadedRunbook) -> Result<u8, Failure> {
    let seeds = args.seeds.unwrap_or(1);
    if seeds > SEEDS_MAX {
        return Err(Failure::input(
            format!("{seeds} seeds of every scenario for every mutant"),
            format!(
                "give at most {SEEDS_MAX}: one seed of all mutants takes some ten minutes on two cores"
            ),
        ));
    }
    let jobs = args.jobs.map_or_else(processors, usize::from);
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let baseline = RunbookSide::parse(&runbook.file, &runbook.text);
    let baseline = baseline.map_err(|errors| Failure::Input(errors.into()))?;
    let interrupt = Interrupt::listen();
    let scenarios = passing(runbook, seeds, jobs, &interrupt)?;
    let mutants = chosen(args, &runbook.text);
    let found = search::found(&runbook.text);
    let (steps, triggers) = (&runbook.runbook.steps, &runbook.runbook.triggers);
    if found != (steps.len(), triggers.len()) {
        return Err(Failure::input(
            format!(
                "{} of {} steps and {} of {} triggers can be changed",
                found.0,
                steps.len(),
                found.1,
                triggers.len()
            ),
            "write steps as fences \"```sh {…}\" and triggers as items \"  - name: …\", with Unix line ends",
        ));
    }
    let progress = Progress::counted("mutant", mutants.len() as u64);
    let over = || interrupt.happened();
    let tried = search::kill(&baseline, &mutants, &scenarios, seeds, jobs, &over, &|| {
        progress.over(1);
    });
    progress.end();
    let mut tried = tried?;
    let open = tried.iter().filter(|it| search::is_open(&it.fate)).count();
    let progress = Progress::counted("open mutant", open as u64);
    let finished = || {};
    let mut runs = Runs::new(WorldKind::Sim, jobs, interrupt.stop(), &finished);
    let settled = search::settle(
        &baseline,
        &mut tried,
        &scenarios,
        seeds,
        &mut runs,
        &mut || {
            progress.over(1);
        },
    );
    progress.end();
    settled?;
    let survivors = || tried.iter().filter(|it| it.fate.end() == "survivor");
    for it in survivors() {
        let (subject, change) = (&it.mutant.subject, &it.mutant.change);
        terminal::say(&format!(
            "survivor: {subject}: {change} ({})",
            it.fate.why()
        ));
    }
    terminal::say(&summary(&tried, scenarios.len()));
    if let Some(directory) = &args.report {
        write_texts(directory, &[("mutants.md", &table(&tried))])?;
        let file = directory.join("mutants.md");
        terminal::say(&format!("report: {}", file.display()));
    }
    Ok(if over() {
        INTERRUPTED
    } else {
        u8::from(survivors().next().is_some())
    })
}

/// The mutants that are asked for: all, or a part of them in an order that the seed shuffles.
fn chosen(args: &SearchArgs, text: &str) -> Vec<Mutant> {
    let seed = args.seed.unwrap_or(0);
    let mut mutants = search::mutants(text);
    let pairs = usize::try_from(args.pairs).unwrap_or(usize::MAX);
    mutants.extend(search::pairs(text, &mutants, pairs, seed));
    let count = args.count.map_or(usize::MAX, |count| {
        usize::try_from(count).unwrap_or(usize::MAX)
    });
    if args.count.is_some() {
        mutants = search::shuffled(mutants, seed);
    }
    let first = usize::try_from(args.first.unwrap_or(0)).unwrap_or(usize::MAX);
    mutants.into_iter().skip(first).take(count).collect()
}

/// The built-in scenarios that pass with the runbook: only they can tell a mutant from it.
fn passing(
    runbook: &LoadedRunbook,
    seeds: u64,
    jobs: usize,
    interrupt: &Interrupt,
) -> Result<Vec<Arc<Scenario>>, Failure> {
    let triggers = runbook.triggers();
    let scenarios = BUILT_IN
        .iter()
        .filter_map(|built_in| Scenario::parse(built_in.file, built_in.text, &triggers).ok())
        .filter(|scenario| scenario.lacking_in(WorldKind::Sim).is_none())
        .filter(|scenario| scenario.fits("built in", &runbook.runbook).is_ok());
    let scenarios: Vec<Arc<Scenario>> = scenarios.map(Arc::new).collect();
    let plans: Vec<DrillPlan> = scenarios
        .iter()
        .flat_map(|scenario| {
            (0..seeds).map(|seed| DrillPlan {
                world: WorldKind::Sim,
                scenario: Arc::clone(scenario),
                runbook: runbook.clone(),
                seed,
                until: Until::Held,
                executor: None,
            })
        })
        .collect();
    let progress = Progress::counted("drill", plans.len() as u64);
    let performed = runner::run(&plans, jobs, interrupt.stop(), false, &|_| progress.over(1));
    progress.end();
    let performed = performed?;
    let passes = |scenario: &Arc<Scenario>| {
        let of = performed.results.iter();
        of.filter(|it| it.scenario == scenario.name)
            .all(|it| it.verdicts.overall != Verdict::Fail)
    };
    Ok(scenarios.into_iter().filter(passes).collect())
}

fn summary(tried: &[Tried], scenarios: usize) -> String {
    let tally = search::tally(tried);
    let parts: Vec<String> = tally
        .iter()
        .map(|(fate, count)| format!("{count} {fate}"))
        .collect();
    let ended = |end: &str| tried.iter().filter(|it| it.fate.end() == end).count();
    format!(
        "{} mutants, tried in {scenarios} scenarios: {} killed, {} equivalent, {} survivors ({})",
        tried.len(),
        ended("killed"),
        ended("equivalent"),
        ended("survivor") + ended("open"),
        parts.join(", ")
    )
}

/// All mutants as a table of Markdown.
fn table(tried: &[Tried]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut out =
        "# Mutants of the runbook\n\n| of | change | end | fate | by |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for it in tried {
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            cell(&it.mutant.subject),
            cell(&it.mutant.change),
            it.fate.end(),
            it.fate.as_str(),
            cell(&it.fate.why())
        ));
    }
    out
}
