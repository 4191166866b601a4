//! `firedrill runbook verify`: may this runbook be adopted?

use std::sync::atomic::Ordering;

use firedrill::report;
use firedrill::scenario::BUILT_IN;
use firedrill::verdict::Verdict;
use firedrill::verify::{self, Answer, Judgement, Margin, Question, Runs, Side, Terms, source};
use firedrill::worlds::{WorldError, WorldKind, check};

use crate::args::VerifyArgs;
use crate::exit::{Failure, INTERRUPTED};
use crate::{chaos, input, terminal};

const SEEDS: u32 = 100;

/// Runs it; the exit code: 0 ADOPT, 1 REJECT, 3 INCONCLUSIVE.
pub(crate) fn run(args: &VerifyArgs) -> Result<u8, Failure> {
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
    let text = input::read(&args.candidate, "runbook")?;
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
    let mut scenarios = input::scenarios(&names(args, world), &baseline.loaded, false)?;
    if args.scenarios.is_empty() {
        scenarios.retain(|scenario| scenario.lacking_in(world).is_none());
    }
    for scenario in &scenarios {
        check(scenario, world)?;
    }
    let count = args
        .seeds
        .unwrap_or(if world == WorldKind::Kind { 1 } else { SEEDS });
    let first = args.seed.unwrap_or(0);
    let Some(end) = first.checked_add(u64::from(count)) else {
        return Err(Failure::input(
            format!("there are no {count} seeds from {first} on"),
            "seeds are below 2^64: choose a smaller --seed or fewer --seeds",
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
    let stop = chaos::stop_on_interrupt();
    let bar = chaos::progress(scenarios.len() * count as usize * 2);
    let finished = || bar.inc(1);
    let mut runs = Runs::new(world, jobs, &stop, &finished);
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
    let judgement = verify::verify(&question, &mut runs)?;
    bar.finish_and_clear();
    conclude(args, &judgement)?;
    Ok(if stop.load(Ordering::Relaxed) {
        INTERRUPTED
    } else {
        judgement.answer.exit_code()
    })
}

fn conclude(args: &VerifyArgs, judgement: &Judgement) -> Result<(), Failure> {
    let text = verify::text(judgement);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let colour = match judgement.answer {
        Answer::Adopt => Verdict::Pass,
        Answer::Reject => Verdict::Fail,
        Answer::Inconclusive => Verdict::Inconclusive,
    };
    terminal::say_coloured(colour, first);
    terminal::say(rest);
    if args.details {
        terminal::say(&format!("\n{}", verify::details(judgement)));
    }
    if let Some(directory) = &args.report {
        let mut json = format!("{:#}", verify::json(judgement));
        json.push('\n');
        let markdown = verify::markdown(judgement);
        report::write_texts(
            directory,
            &[("verify.json", &json), ("verify.md", &markdown)],
        )?;
        terminal::say(&format!(
            "\nreport: {}",
            directory.join("verify.md").display()
        ));
    }
    Ok(())
}

fn side(file: &str, text: &str) -> Result<Side, Failure> {
    Side::parse(file, text).map_err(|errors| Failure::Input(errors.into()))
}

/// The scenarios: as named, else all that are built in, as far as the world can do them; in real time, the default ones.
fn names(args: &VerifyArgs, world: WorldKind) -> Vec<String> {
    if !args.scenarios.is_empty() || world == WorldKind::Kind {
        return args.scenarios.clone();
    }
    BUILT_IN.iter().map(|b| b.name.to_owned()).collect()
}
