//! `firedrill runbook verify`: may this runbook be adopted?

use std::sync::atomic::Ordering;

use firedrill::report;
use firedrill::report::meta::{Meta, Seeds};
use firedrill::verdict::Verdict;
use firedrill::verify::{
    self, Answer, Judgement, Margin, Question, RunbookSide, Runs, Terms, source,
};
use firedrill::worlds::{WorldError, WorldKind};

use crate::args::{Format, VerifyArgs};
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::meta::Run;
use crate::progress::Progress;
use crate::{chaos, files, input, select, terminal};

const SEEDS: u32 = 100;

/// Runs it; the exit code: 0 ADOPT, 1 REJECT, 3 INCONCLUSIVE.
pub(crate) fn run(args: &VerifyArgs) -> Result<u8, Failure> {
    let began = Run::begin();
    let margin = match &args.margin {
        None => Margin::default(),
        Some(text) => Margin::parse(text).map_err(|e| {
            Failure::input(
                format!("--margin {text}: {e}"),
                "a duration, a percentage or both: 5s, 10%, or 5s,10%",
            )
        })?,
    };
    // The candidate first: without it there is no path to look for in a revision.
    let text = files::read(&args.candidate, "runbook")?;
    let candidate = side(&args.candidate.display().to_string(), &text)?;
    let source = source::baseline(&args.baseline, &args.candidate)
        .map_err(|error| Failure::input(error.to_string(), error.help()))?;
    let baseline = side(&source.file, &source.text)?;
    let reference = match &args.reference {
        None => None,
        Some(word) => {
            let source = source::baseline(word, &args.candidate)
                .map_err(|error| Failure::input(error.to_string(), error.help()))?;
            Some(side(&source.file, &source.text)?)
        }
    };
    let world = WorldKind::from(args.world);
    if world == WorldKind::Kind && !cfg!(feature = "kind") {
        return Err(WorldError::NotBuilt(world).into());
    }
    let chosen = input::scenarios(&words(args, world), &baseline.loaded, false)?;
    let chosen = input::can_be_done(chosen, world)?;
    let scenarios: Vec<_> = chosen.into_iter().map(|it| it.scenario).collect();
    let count = args
        .seeds
        .unwrap_or(if world == WorldKind::Kind { 1 } else { SEEDS });
    let first = args.seed.unwrap_or(0);
    let Some(end) = first.checked_add(u64::from(count)) else {
        return Err(Failure::input(
            format!("a verify takes fewer than {count} seeds from {first} on"),
            "the last seed that it takes is 18446744073709551614: choose a smaller --seed or fewer --seeds",
        ));
    };
    let jobs = match world {
        WorldKind::Sim => args.jobs.map_or_else(chaos::processors, usize::from),
        // There is one cluster.
        WorldKind::Kind => 1,
    };
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let interrupt = Interrupt::listen();
    let most = scenarios.len() * count as usize * 2;
    let progress = Progress::begin(" at most", most, most as u64, args.output.quiet);
    let finished = || progress.over(1);
    let mut runs = Runs::new(world, jobs, interrupt.stop(), &finished);
    let question = Question {
        baseline,
        candidate,
        reference,
        scenarios,
        seeds: first..end,
        terms: Terms {
            margin,
            ..Terms::default()
        },
    };
    let judgement = verify::verify(&question, &mut runs);
    progress.end();
    let judgement = judgement?;
    let seeds = Seeds {
        first,
        count: u64::from(count),
    };
    conclude(args, &judgement, || {
        began.meta(Some(&question.candidate.loaded), Some(seeds))
    })?;
    Ok(if interrupt.stop().load(Ordering::Relaxed) {
        INTERRUPTED
    } else {
        judgement.answer.exit_code()
    })
}

fn conclude(
    args: &VerifyArgs,
    judgement: &Judgement,
    meta: impl FnOnce() -> Meta,
) -> Result<(), Failure> {
    let for_people = args.output.format == Format::Table;
    if for_people {
        let text = verify::text(judgement);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let colour = match judgement.answer {
            Answer::Adopt => Verdict::Pass,
            Answer::Reject => Verdict::Fail,
            Answer::Inconclusive => Verdict::Inconclusive,
        };
        terminal::say_coloured(colour, first);
        if !args.output.quiet {
            terminal::say(rest);
        }
        if args.details || args.output.verbose {
            terminal::say(&format!("\n{}", verify::details(judgement)));
        }
    } else {
        terminal::say_json(&verify::json(judgement, &[]));
    }
    if let Some(directory) = &args.report {
        let runs = [meta()];
        let mut json = format!("{:#}", verify::json(judgement, &runs));
        json.push('\n');
        report::write_texts(
            directory,
            &[
                ("verify.json", &json),
                ("verify.md", &verify::markdown(judgement)),
                ("junit.xml", &verify::junit(judgement, &runs)),
                ("report.html", &verify::page(judgement, &runs)),
            ],
        )?;
        if for_people && !args.output.quiet {
            let page = directory.join("report.html");
            terminal::say(&format!("\nreport: {}", page.display()));
        }
    }
    Ok(())
}

fn side(file: &str, text: &str) -> Result<RunbookSide, Failure> {
    RunbookSide::parse(file, text).map_err(|errors| Failure::Input(errors.into()))
}

/// The scenarios: as named, else all that are built in, as far as the world can do them; in real time,
/// the default ones.
fn words(args: &VerifyArgs, world: WorldKind) -> Vec<String> {
    if !args.scenarios.is_empty() || world == WorldKind::Kind {
        return args.scenarios.clone();
    }
    vec![select::ALL.to_owned()]
}
