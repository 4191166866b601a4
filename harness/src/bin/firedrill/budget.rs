//! `firedrill budget`: where the time of a rollback goes, and what each parameter is worth.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use firedrill::budget::{Budget, Options, PAIRS_LEAST, budget, page, table};
use firedrill::report;
use firedrill::worlds::WorldKind;

use crate::args::Format;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::{chaos, complete, input, terminal};

#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    /// Built-in scenarios by name, patterns of names or files, `all`, paths of scenario files or folders; none: the
    /// three default ones, or all those of the application
    #[arg(value_name = "SCENARIO", add = ArgValueCompleter::new(complete::scenarios_and_files))]
    pub(crate) scenarios: Vec<String>,
    /// Drill an application of your own, which this file describes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) app: Option<PathBuf>,
    /// How many drills of each scenario
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) seeds: u32,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000_000))]
    pub(crate) seed: u64,
    /// How many pairs of drills for each parameter, at most as many as there are seeds; 0: no parameter is tried
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) pairs: u32,
    /// Drills at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) jobs: Option<u16>,
    /// The runbook to follow instead of the built-in one, or of the application's own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) runbook: Option<PathBuf>,
    /// Write budget.json and budget.html there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Runs it; the exit code. Interrupted, it shows what it has.
pub(crate) fn run(args: &BudgetArgs) -> Result<u8, Failure> {
    let app = args.app.as_deref().map(input::application).transpose()?;
    let given = args.runbook.as_deref();
    let runbook = match &app {
        None => input::runbook(given, false)?,
        Some(app) => input::its_runbook(app, given, false)?,
    };
    let chosen = match &app {
        None => input::scenarios(&args.scenarios, &runbook, true)?,
        Some(app) => input::scenarios_of(app, &args.scenarios, &runbook)?,
    };
    let chosen = input::can_be_done(chosen, WorldKind::Sim, false)?;
    let options = Options {
        seeds: args.seeds,
        seed: args.seed,
        pairs: args.pairs.min(args.seeds),
        jobs: args.jobs.map_or_else(chaos::processors, usize::from),
    };
    if options.pairs > 0 && (options.pairs as usize) < PAIRS_LEAST {
        terminal::complain(&format!(
            "{} pairs give no interval: {PAIRS_LEAST} are the fewest for 95 %, by `--pairs {PAIRS_LEAST}` and as many \
             `--seeds`",
            options.pairs
        ));
    }
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let interrupt = Interrupt::listen();
    let stopped = || interrupt.stop().load(Ordering::Relaxed);
    let mut budgets: Vec<Budget> = Vec::new();
    for it in &chosen {
        if stopped() {
            break;
        }
        let found = budget(&it.scenario, &runbook, &options, &stopped)?;
        if args.format == Format::Table {
            terminal::say(&format!("{}\n", table(&found)));
        }
        budgets.push(found);
    }
    if args.format == Format::Json {
        terminal::say_json(&budgets);
    }
    if let Some(directory) = &args.report {
        let json = serde_json::to_string_pretty(&budgets).map_err(|error| {
            Failure::input(
                format!("this can't be written as JSON: {error}"),
                "report it as a bug",
            )
        })?;
        let texts = [
            ("budget.json", json.as_str()),
            ("budget.html", &page(&budgets)),
        ];
        report::write_texts(directory, &texts)?;
    }
    let none = budgets.iter().all(|it| it.account.recovered == 0);
    Ok(match (stopped(), none) {
        (true, _) => INTERRUPTED,
        (false, true) => 3,
        (false, false) => 0,
    })
}
