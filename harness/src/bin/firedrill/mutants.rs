//! `firedrill search --mutants runbook`: is every change of the runbook caught?

use std::sync::Arc;

use firedrill::report::{self, write_texts};
use firedrill::runbooks::LoadedRunbook;
use firedrill::runner;
use firedrill::scenario::{BUILT_IN, Scenario};
use firedrill::search::{self, Fate, Tried};
use firedrill::verdict::Verdict;
use firedrill::verify::Side;
use firedrill::worlds::{Plan, Until, WorldKind};

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
            format!("give at most {SEEDS_MAX}: one seed takes some ten minutes on two cores"),
        ));
    }
    let jobs = args.jobs.map_or_else(processors, usize::from);
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let baseline = Side::parse(&runbook.file, &runbook.text);
    let baseline = baseline.map_err(|errors| Failure::Input(errors.into()))?;
    let interrupt = Interrupt::listen();
    let scenarios = passing(runbook, seeds, jobs, &interrupt)?;
    let mutants = search::mutants(&runbook.text);
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
    let progress = Progress::begin("mutants", mutants.len(), mutants.len() as u64, false);
    let over = || interrupt.happened();
    let tried = search::kill(&baseline, &mutants, &scenarios, seeds, jobs, &over, &|| {
        progress.over(1);
    });
    progress.end();
    let tried = tried?;
    let survivors = || tried.iter().filter(|it| it.fate == Fate::Survived);
    for it in survivors() {
        let (subject, change) = (&it.mutant.subject, &it.mutant.change);
        terminal::say(&format!("survived: {subject}: {change}"));
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
    let plans: Vec<Plan> = scenarios
        .iter()
        .flat_map(|scenario| {
            (0..seeds).map(|seed| Plan {
                world: WorldKind::Sim,
                scenario: Arc::clone(scenario),
                runbook: runbook.clone(),
                seed,
                until: Until::Held,
                executor: None,
            })
        })
        .collect();
    let purpose = "with the runbook as it is";
    let progress = Progress::begin(purpose, plans.len(), plans.len() as u64, false);
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
    format!(
        "{} mutants, tried in {scenarios} scenarios: {}",
        tried.len(),
        parts.join(", ")
    )
}

/// All mutants as a table of Markdown.
fn table(tried: &[Tried]) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let mut out =
        "# Mutants of the runbook\n\n| of | change | fate | by |\n| --- | --- | --- | --- |\n"
            .to_owned();
    for it in tried {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            cell(&it.mutant.subject),
            cell(&it.mutant.change),
            it.fate.as_str(),
            cell(&it.fate.why())
        ));
    }
    out
}
