//! `firedrill runbook verify`: may this runbook be adopted?

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use firedrill::report;
use firedrill::report::meta::{Meta, Seeds};
use firedrill::runbooks;
use firedrill::verdict::Verdict;
use firedrill::verify::{
    self, Answer, Judgement, Margin, Question, RunbookSide, Runs, Terms, source,
};
use firedrill::worlds::{WorldError, WorldKind};

use crate::args::{Format, Output, World};
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::meta::Run;
use crate::outside::{self, ExecutorArgs};
use crate::progress::Progress;
use crate::{chaos, complete, files, input, select, terminal};

const SEEDS: u32 = 100;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Built-in scenarios by name, patterns of names or files, `all`, paths of scenario files or folders; none:
    /// all that are built in (in `kind`: the default ones)
    #[arg(value_name = "SCENARIO", add = ArgValueCompleter::new(complete::scenarios_and_files))]
    scenarios: Vec<String>,
    /// The runbook in use: a file, a git revision (its version of the candidate's path), or `procedure` for the bare
    /// commands of the written procedure [default with an executor: the built-in one]
    #[arg(long, value_name = "FILE|GITREV|procedure", required_unless_present_any = ["baseline_executor", "candidate_executor"])]
    baseline: Option<String>,
    /// The runbook that would replace it [default with an executor: the baseline's]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present_any = ["baseline_executor", "candidate_executor"])]
    candidate: Option<PathBuf>,
    /// The program in use, instead of our own executor: its runbook only says which triggers are watched
    #[arg(long, value_name = "CMD", value_parser = outside::command)]
    baseline_executor: Option<String>,
    /// The program that would replace what is in use
    #[arg(long, value_name = "CMD", value_parser = outside::command)]
    candidate_executor: Option<String>,
    /// A runbook that stays the same while the baseline moves on: the candidate is held against it, too, so that many
    /// small steps for the worse are not adopted one after the other
    #[arg(long, value_name = "FILE|GITREV|procedure")]
    reference: Option<String>,
    /// Where to drill
    #[arg(long, value_enum, default_value_t = World::Sim)]
    world: World,
    /// How many seeds for each scenario, at most [default: 100, or 1 in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    seeds: Option<u32>,
    /// The first seed [default: 0]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Drills at a time [default: as many as there are processors; always 1 in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,
    /// By how much recovery time and impact of a drill may grow, the larger of a duration and a percentage;
    /// as many requests may go unanswered [default: 5s,10%]
    #[arg(long, value_name = "MARGIN")]
    margin: Option<String>,
    /// Show every reason, every plan's changes and the numbers of each scenario, too; as -v
    #[arg(long)]
    details: bool,
    /// Write report.html, verify.json, verify.md and junit.xml there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    report: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

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
    let world = WorldKind::from(args.world);
    let (baseline, candidate, reference) = sides(args, world)?;
    if world == WorldKind::Kind && !cfg!(feature = "kind") {
        return Err(WorldError::NotBuilt(world).into());
    }
    let by_program = baseline.executor.is_some() || candidate.executor.is_some();
    let chosen = input::scenarios(&words(args, world), &baseline.loaded, false)?;
    let chosen = input::can_be_done(chosen, world, by_program)?;
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
    let progress = Progress::at_most(" at most", most, args.output.quiet);
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

/// The baseline, the candidate, and the reference if there is one.
fn sides(
    args: &VerifyArgs,
    world: WorldKind,
) -> Result<(RunbookSide, RunbookSide, Option<RunbookSide>), Failure> {
    // The candidate first: without it there is no path to look for in a revision.
    let candidate = match &args.candidate {
        None => None,
        Some(path) => {
            let text = files::read(path, "runbook")?;
            Some(side(&path.display().to_string(), &text)?)
        }
    };
    let path = args
        .candidate
        .as_deref()
        .unwrap_or(Path::new(runbooks::BUILT_IN_FILE));
    let sourced = |word: &String| {
        let source = source::baseline(word, path)
            .map_err(|error| Failure::input(error.to_string(), error.help()))?;
        side(&source.file, &source.text)
    };
    let baseline = match &args.baseline {
        Some(word) => sourced(word)?,
        None => side(runbooks::BUILT_IN_FILE, runbooks::BUILT_IN)?,
    };
    let candidate = candidate.unwrap_or_else(|| baseline.clone());
    let reference = args.reference.as_ref().map(sourced).transpose()?;
    let program = |command: &Option<String>| {
        let program = ExecutorArgs::of_command(command.clone());
        program.program(world, None)
    };
    Ok((
        baseline.by(program(&args.baseline_executor)?),
        candidate.by(program(&args.candidate_executor)?),
        reference,
    ))
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
