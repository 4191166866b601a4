//! `firedrill replay`: one drill again, from its token, and from the files that the token names.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use firedrill::report;
use firedrill::report::meta::Seeds;
use firedrill::runbooks::{self, LoadedRunbook};
use firedrill::runner;
use firedrill::scenario::Scenario;
use firedrill::token::{GivenFile, Token};
use firedrill::worlds::{DrillPlan, in_flight};

use crate::args::ReplayArgs;
use crate::exit::Failure;
use crate::files::read;
use crate::interrupt::Interrupt;
use crate::meta::Run;
use crate::progress::Progress;
use crate::{chaos, terminal};

/// Runs it; the exit code.
pub(crate) fn run(args: &ReplayArgs) -> Result<u8, Failure> {
    let began = Run::begin();
    let files = args.files.iter().map(|path| {
        let text = read(path, "file")?;
        let path = path.display().to_string();
        Ok(GivenFile { path, text })
    });
    let files = files.collect::<Result<Vec<_>, Failure>>()?;
    let token = Token::decode_beside(&args.token, runbooks::BUILT_IN, &files)
        .map_err(|error| Failure::input(error.to_string(), error.help()))?;
    let runbook = LoadedRunbook::parse(&token.runbook_file, &token.runbook_text)
        .map_err(|e| Failure::Input(e.into()))?;
    // A runbook that lacks the scenario's trigger fails the drill, and that drill can be replayed, too.
    let scenario = Scenario::parse(&token.scenario_file, &token.scenario_text, &[])
        .map_err(|e| Failure::Input(e.into()))?;
    let plan = DrillPlan {
        world: token.world,
        scenario: Arc::new(scenario),
        runbook,
        seed: token.seed,
        until: token.until,
        executor: args.program.program(token.world)?,
    };
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let interrupt = Interrupt::listen();
    let progress = Progress::begin("", 1, in_flight::work(&plan.scenario), args.output.quiet);
    let (runbook, seed) = (plan.runbook.clone(), plan.seed);
    let outcome = runner::run(&[plan], 1, interrupt.stop(), true, &|_| {});
    progress.end();
    let outcome = outcome?;
    if let (Some(made), Some(result)) = (&token.made, outcome.results.first())
        && let Some(difference) = made.difference(result.fingerprint)
    {
        terminal::complain(&difference);
    }
    chaos::conclude(
        &outcome,
        files,
        args.report.as_deref(),
        args.output,
        interrupt.stop().load(Ordering::Relaxed),
        || {
            let seeds = Seeds {
                first: seed,
                count: 1,
            };
            began.meta(Some(&runbook), Some(seeds))
        },
    )
}
