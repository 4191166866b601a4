//! `firedrill search`: drills that nobody wrote down.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use firedrill::report;
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::parse_duration;
use firedrill::search::{
    self, Catalogue, Corpus, CorpusError, Known, Options, SearchError, Searched, Space, Start,
};

use firedrill::token::AtHand;

use crate::args::{Mutants, SearchArgs};
use crate::chaos::processors;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
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
    match args.mutants {
        Some(Mutants::Runbook) => return mutants::run(args, &runbook),
        Some(Mutants::Executor) => {
            return Err(Failure::input(
                "this program has no mutants of the executor",
                "they are a program of their own: run cargo xtask search --mutants executor in the sources",
            ));
        }
        None => {}
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
    let folder = args.corpus.as_deref();
    let mut corpus = folder.map(|folder| corpus(args, folder)).transpose()?;
    let start = match (&corpus, &args.corpus) {
        (Some(corpus), Some(folder)) => start(corpus, folder, &runbook)?,
        _ => Start::default(),
    };
    let options = Options {
        seed: corpus.as_ref().map_or(args.seed.unwrap_or(0), |it| it.seed),
        first: corpus
            .as_ref()
            .map_or(args.first.unwrap_or(0), |it| it.next),
        drills: args.seeds.unwrap_or(u64::MAX),
        jobs: args.jobs.map_or_else(processors, usize::from),
        known: known(args)?,
    };
    for directory in args.report.iter().chain(&args.corpus) {
        report::prepare(directory)?;
    }
    let space = Space::new(&runbook);
    let catalogue = Catalogue::of(&runbook.runbook);
    let interrupt = Interrupt::listen();
    let began = now();
    let late = || duration.is_some_and(|limit| began.elapsed() >= limit);
    // A search that others go on with ends with a whole batch, so that no drill is left out and none is searched twice.
    let handed_on = args.corpus.is_some();
    let is_over = AtomicBool::new(false);
    let over = || {
        let now = if handed_on {
            is_over.load(Ordering::Relaxed)
        } else {
            late()
        };
        now || interrupt.happened()
    };
    let progress = match (duration, args.seeds) {
        (None, Some(drills)) => Progress::counted("drill", drills),
        (duration, _) => Progress::timed("drill", duration.unwrap_or(FOR)),
    };
    let mut told = 0;
    let searched = search::search_on(&space, &options, &start, &over, &mut |searched| {
        progress.note(so_far(searched));
        for _ in told..searched.drills {
            progress.over(1);
        }
        told = searched.drills;
        is_over.store(late(), Ordering::Relaxed);
    });
    progress.end();
    let searched = searched.map_err(|error| match error {
        SearchError::NoRelease(error) => Failure::input(
            error.to_string(),
            "a search rolls back the releases of the built-in scenarios: give the runbook one of their triggers",
        ),
    })?;
    let replays = terminal::replays(AtHand::default());
    terminal::say(search::summary(&searched, &catalogue, &replays).trim_end());
    terminal::say(&go_on(args, &options, &searched));
    if let Some(directory) = &args.report {
        search::write(
            directory,
            options.seed,
            options.first,
            &searched,
            &catalogue,
            &replays,
        )?;
        let file = directory.join("search.html");
        terminal::say(&format!("report: {}", file.display()));
    }
    if let (Some(corpus), Some(folder)) = (&mut corpus, &args.corpus) {
        corpus.take_in(&searched);
        corpus.write(folder, &searched)?;
    }
    code(&searched, &catalogue, interrupt.happened())
}

/// The exit code, once everything that was found is told and written.
fn code(searched: &Searched, catalogue: &Catalogue, interrupted: bool) -> Result<u8, Failure> {
    if let Some(error) = &searched.stopped {
        return Err(Failure::World(error.clone()));
    }
    if searched.drills == 0 {
        terminal::complain("no drill was performed, so nothing is shown");
        let found = searched.has_new_class();
        return Ok(match (interrupted, found) {
            (true, _) => INTERRUPTED,
            (false, true) => 1,
            (false, false) => NOTHING,
        });
    }
    let failed = searched.has_new_class() || !searched.never_reached(catalogue).is_empty();
    Ok(if interrupted {
        INTERRUPTED
    } else {
        u8::from(failed)
    })
}

/// How the search goes on.
fn go_on(args: &SearchArgs, options: &Options, searched: &Searched) -> String {
    match &args.corpus {
        Some(folder) => format!(
            "to go on at drill {}: --corpus {}",
            searched.next,
            folder.display()
        ),
        None => format!(
            "to go on: --seed {} --first {}",
            options.seed, searched.next
        ),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "people bound a search by their own clock; no drill sees this"
)]
fn now() -> Instant {
    Instant::now()
}

/// What earlier searches left in `folder`; a new one, if there were none.
fn corpus(args: &SearchArgs, folder: &Path) -> Result<Corpus, Failure> {
    let Some(corpus) = Corpus::read(folder).map_err(broken)? else {
        return Ok(Corpus::new(args.seed.unwrap_or(0)));
    };
    match args.seed {
        Some(seed) if seed != corpus.seed => Err(Failure::input(
            format!(
                "the corpus {} is of searches with seed {}, not {seed}",
                folder.display(),
                corpus.seed
            ),
            "leave --seed out, or give another folder: numbers of another seed's drills are others'",
        )),
        _ => Ok(corpus),
    }
}

/// Where the search begins. What can't be tried any more is told.
fn start(corpus: &Corpus, folder: &Path, runbook: &LoadedRunbook) -> Result<Start, Failure> {
    let (start, unfit) = corpus.start(folder, runbook).map_err(broken)?;
    for case in unfit {
        terminal::complain(&format!(
            "{case} waits for a step that the runbook has not, so it is not tried"
        ));
    }
    Ok(start)
}

fn broken(error: CorpusError) -> Failure {
    match error {
        CorpusError::Scenario { source, .. } => Failure::Input((*source).into()),
        CorpusError::Unreadable { path, source } => Failure::input(
            format!("cannot read {}: {source}", path.display()),
            "a corpus is a folder that an earlier search wrote: give it whole",
        ),
        error => Failure::input(
            error.to_string(),
            "a corpus is written by the program: take it from an earlier night, or begin with an empty folder",
        ),
    }
}

/// The classes that are built in, and those of the file that was given.
pub(crate) fn known(args: &SearchArgs) -> Result<Vec<Known>, Failure> {
    let read = |name: &str, text: &str| {
        search::known(text).map_err(|error| {
            Failure::input(
                format!("{name}: {error}"),
                "a known class has oracle, finding, half, causes and reason, and may have a subject",
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
        "{} classes of failure, {} new",
        searched.classes.len(),
        new.count()
    )
}
