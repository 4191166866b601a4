//! `mutants`: is every bug of the executor caught by a drill?

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use firedrill::report::{prepare, write_texts};
use firedrill::runbooks::{self, LoadedRunbook};
use firedrill::scenario::Scenario;
use firedrill::token::Token;
use firedrill::worlds::DrillPlan;
use mutants::bug::Bug;
use mutants::hunt::{self, Hunted, Options};
use mutants::patches::{self, PROGRAM};
use mutants::report::{Totals, json, line, markdown};
use mutants::{HAS_PATCHES, bugs};

/// Hunts bugs that are planted in the executor: each must make a drill fail that passes with the sound executor.
#[derive(Debug, Parser)]
#[command(
    name = "mutants",
    after_help = "Exit codes: 0 nineteen of twenty are caught and every survivor has its reason, 1 not so, 2 bad usage, 4 no world.\n\n\
                  The table is written again after each bug, so that a hunt can be ended at any time."
)]
struct Cli {
    /// Only the bugs of these names
    #[arg(long = "bug", value_name = "NAME")]
    bugs: Vec<String>,
    /// Leave out the bugs that are patches, which takes a build of some minutes less
    #[arg(long)]
    no_patches: bool,
    /// The seed of built-in scenarios, and of what is drawn
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Drills with each bug, at most
    #[arg(long, value_name = "N", default_value_t = Options::default().drills)]
    drills: usize,
    /// Attempts to make the drill that failed smaller, at most
    #[arg(long, value_name = "N", default_value_t = Options::default().cut)]
    cut: u32,
    /// Bugs at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,
    /// Write mutants.md and mutants.json there
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Perform the drill of this token with the bug that is named, and show what is found
    #[arg(long, value_name = "TOKEN", requires = "bugs")]
    replay: Option<String>,
    /// List the bugs and end
    #[arg(long)]
    list: bool,
}

/// Bad usage or input.
const USAGE: u8 = 2;
/// There was no world, or no build.
const WORLD: u8 = 4;

/// Why it ended without an answer, and the exit code for that.
type Failure = (u8, String);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err((code, why)) => {
            eprintln!("error: {why}");
            ExitCode::from(code)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    let all = bugs::all().map_err(|error| (WORLD, error.to_string()))?;
    if cli.list {
        for bug in &all {
            println!("{}: {}", bug.name, bug.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = chosen(cli, all)?;
    if !HAS_PATCHES && !cli.no_patches && chosen.iter().any(|bug| !bug.is_built()) {
        return with_patches();
    }
    let runbook = LoadedRunbook::built_in().map_err(|error| (WORLD, format!("{error:?}")))?;
    if let Some(token) = &cli.replay {
        return replay(token, &chosen);
    }
    if let Some(directory) = &cli.report {
        prepare(directory).map_err(|error| (WORLD, error.to_string()))?;
    }
    let options = Options {
        seed: cli.seed,
        drills: cli.drills,
        cut: cli.cut,
        jobs: cli.jobs.map_or_else(processors, usize::from),
    };
    let so_far: Mutex<Vec<Hunted>> = Mutex::default();
    let finished = |hunted: &Hunted| {
        println!("{}", line(hunted));
        let mut so_far = so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.push(hunted.clone());
        // What goes wrong here goes wrong at the end too, and is told then.
        let _ = written(cli.report.as_deref(), &so_far);
    };
    let hunted = hunt::hunt(&chosen, &runbook, &options, &|| false, &finished);
    let hunted = hunted.map_err(|error| (WORLD, error.to_string()))?;
    let totals = Totals::of(&hunted);
    println!("{}", totals.in_words());
    if let Some(path) = written(cli.report.as_deref(), &hunted).map_err(|why| (WORLD, why))? {
        println!("report: {}", path.display());
    }
    Ok(ExitCode::from(u8::from(!totals.are_good())))
}

/// The bugs that are asked for.
fn chosen(cli: &Cli, all: Vec<Bug>) -> Result<Vec<Bug>, Failure> {
    let known = |name: &&String| all.iter().any(|bug| bug.name == **name);
    if let Some(name) = cli.bugs.iter().find(|name| !known(name)) {
        return Err((
            USAGE,
            format!("no bug is called {name}: `--list` shows them"),
        ));
    }
    let wanted = |bug: &Bug| {
        (cli.bugs.is_empty() || cli.bugs.contains(&bug.name)) && (bug.is_built() || !cli.no_patches)
    };
    let chosen: Vec<Bug> = all.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err((USAGE, "all bugs that are named are patches".to_owned()));
    }
    Ok(chosen)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Writes the table; where.
fn written(directory: Option<&Path>, hunted: &[Hunted]) -> Result<Option<PathBuf>, String> {
    let Some(directory) = directory else {
        return Ok(None);
    };
    let json = json(hunted).map_err(|error| error.to_string())?;
    let texts = [("mutants.md", markdown(hunted)), ("mutants.json", json)];
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    write_texts(directory, &texts).map_err(|error| error.to_string())?;
    Ok(Some(directory.join("mutants.md")))
}

/// Performs one drill with a bug.
fn replay(token: &str, bugs: &[Bug]) -> Result<ExitCode, Failure> {
    let token =
        Token::decode(token, runbooks::BUILT_IN).map_err(|error| (USAGE, error.to_string()))?;
    let runbook = LoadedRunbook::parse("the token's runbook", &token.runbook_text)
        .map_err(|error| (USAGE, format!("{error:?}")))?;
    let scenario = Scenario::parse(&token.scenario_file, &token.scenario_text, &[])
        .map_err(|error| (USAGE, format!("{error:?}")))?;
    let plan = DrillPlan {
        world: token.world,
        scenario: Arc::new(scenario),
        runbook,
        seed: token.seed,
        until: token.until,
        executor: None,
    };
    for bug in bugs {
        let result = bug.run(&plan).map_err(|error| (WORLD, error.to_string()))?;
        println!("{}: {}", bug.name, result.verdicts.overall);
        for entry in &result.timeline {
            println!("  {:>7} ms  {}: {}", entry.at_ms, entry.step, entry.what);
        }
        for finding in result.problems() {
            println!("  {} {}: {finding}", finding.oracle(), finding.verdict());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the copy of the workspace that has the patches, and becomes its program.
fn with_patches() -> Result<ExitCode, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let own = std::env::current_exe().map_err(|error| (WORLD, error.to_string()))?;
    // `target/PROFILE/mutants`.
    let target = own.parent().and_then(Path::parent);
    let target = target.ok_or((
        WORLD,
        format!("{} lies in no folder of a build", own.display()),
    ))?;
    let copy = target.join("planted");
    let patches = patches::patches().map_err(|error| (WORLD, error.to_string()))?;
    patches::copy(&root, &copy, &patches).map_err(|error| (WORLD, error.to_string()))?;
    eprintln!(
        "building the executor with {} patches, which takes some minutes the first time",
        patches.len()
    );
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args([
            "build",
            "--quiet",
            "--package",
            "mutants",
            "--bin",
            PROGRAM,
            "--manifest-path",
        ])
        .arg(copy.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let built = build
        .status()
        .map_err(|error| (WORLD, format!("cannot run cargo: {error}")))?;
    if !built.success() {
        return Err((
            WORLD,
            format!(
                "the copy in {} does not build: a patch is wrong",
                copy.display()
            ),
        ));
    }
    let program = own.with_file_name(PROGRAM);
    let status = Command::new(&program)
        .args(std::env::args_os().skip(1))
        .status();
    let status = status.map_err(|error| (WORLD, format!("{}: {error}", program.display())))?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(WORLD),
    ))
}
