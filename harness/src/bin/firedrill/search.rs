//! `firedrill search`: drills that nobody wrote down.

use std::time::{Duration, Instant};

use firedrill::report;
use firedrill::scenario::parse_duration;
use firedrill::search::{self, Known, Options, SearchError, Searched, Space};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{Mutants, SearchArgs};
use crate::chaos::processors;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::{files, input, mutants, terminal};

/// The exit code of a search without a drill: inconclusive.
const NOTHING: u8 = 3;
/// How long a search takes that nobody bounds.
const FOR: Duration = Duration::from_secs(60);
/// The classes that are known, with their reasons.
const KNOWN: &str = include_str!("../../../../scenarios/known-failures.toml");

/// Runs it; the exit code.
pub(crate) fn run(args: &SearchArgs) -> Result<u8, Failure> {
    let runbook = input::runbook(args.runbook.as_deref(), args.strict)?;
    if let Some(Mutants::Runbook) = args.mutants {
        return mutants::run(args, &runbook);
    }
    let duration = match (&args.duration, args.seeds) {
        (Some(text), _) => Some(parse_duration(text).map_err(|error| {
            Failure::input(
                format!("`{text}` is no duration: {error}"),
                "write for instance --for 10m",
            )
        })?),
        (None, Some(_)) => None,
        (None, None) => Some(FOR),
    };
    let options = Options {
        seed: args.seed,
        first: args.first,
        drills: args.seeds.unwrap_or(u64::MAX),
        jobs: args.jobs.map_or_else(processors, usize::from),
        known: known(args)?,
    };
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    let space = Space::new(&runbook);
    let interrupt = Interrupt::listen();
    let began = now();
    let over = || interrupt.happened() || duration.is_some_and(|limit| began.elapsed() >= limit);
    let bar = bar();
    let searched = search::search(&space, &options, &over, &mut |searched| {
        bar.set_message(so_far(searched));
        bar.inc(0);
    });
    bar.finish_and_clear();
    let searched = searched.map_err(|error| match error {
        SearchError::World(error) => Failure::World(error),
        SearchError::NoRelease(error) => Failure::input(
            error.to_string(),
            "a search rolls back the releases of the built-in scenarios: give the runbook one of their triggers",
        ),
    })?;
    let steps = space.steps();
    terminal::say(search::summary(&searched, &steps).trim_end());
    terminal::say(&format!(
        "to go on: --seed {} --first {}",
        options.seed, searched.next
    ));
    if let Some(directory) = &args.report {
        search::write(directory, options.seed, options.first, &searched, &steps)?;
        let file = directory.join("search.json");
        terminal::say(&format!("report: {}", file.display()));
    }
    if searched.drills == 0 {
        terminal::complain("no drill was performed, so nothing is shown");
        return Ok(if interrupt.happened() {
            INTERRUPTED
        } else {
            NOTHING
        });
    }
    Ok(if interrupt.happened() {
        INTERRUPTED
    } else {
        u8::from(searched.has_new_class())
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "people bound a search by their own clock; no drill sees this"
)]
fn now() -> Instant {
    Instant::now()
}

/// The classes that are built in, and those of the file that was given.
pub(crate) fn known(args: &SearchArgs) -> Result<Vec<Known>, Failure> {
    let read = |name: &str, text: &str| {
        search::known(text).map_err(|error| {
            Failure::input(
                format!("{name}: {error}"),
                "a known class has oracle, finding, causes and reason, and may have a subject",
            )
        })
    };
    let mut known = read("scenarios/known-failures.toml", KNOWN)?;
    if let Some(path) = &args.known {
        let text = files::read(path, "list of known classes")?;
        known.extend(read(&path.display().to_string(), &text)?);
    }
    Ok(known)
}

fn so_far(searched: &Searched) -> String {
    let new = searched.classes.iter().filter(|it| it.known.is_none());
    format!(
        "{} drills, {} classes of failure, {} new",
        searched.drills,
        searched.classes.len(),
        new.count()
    )
}

/// A line on standard error, if that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}
