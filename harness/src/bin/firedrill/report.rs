//! `firedrill report`: the reports again, from journals alone; several are merged. Against another journal it shows
//! what changed, and of a folder of journals the trend.

use std::path::{Path, PathBuf};

use firedrill::report::against::{self, Changes};
use firedrill::report::journal::{JSON_SCHEMA, Journal};
use firedrill::report::read::{self, ReadError};
use firedrill::report::summary::by_scenario_of;
use firedrill::report::trend::{self, Point, Trend};
use firedrill::report::{self, Beside, table};
use firedrill::token::AtHand;
use firedrill::verdict;

use crate::args::{Format, ReportArgs};
use crate::exit::Failure;
use crate::terminal;

/// What a report of a run is called in its folder.
const JOURNAL: &str = "journal.json";
/// How deep below a folder journals are looked for: `nightly/2026-11-30/drills/journal.json`.
const DEPTH_MAX: usize = 3;

/// Runs it; the exit code is that of the run, of all the runs together, or of the latest one of a folder.
pub(crate) fn run(args: &ReportArgs) -> Result<u8, Failure> {
    if args.schema {
        terminal::say(JSON_SCHEMA.trim_end());
        return Ok(0);
    }
    let (journal, trend) = match args.journals.as_slice() {
        [folder] if is_of_several(folder) => {
            let (latest, trend) = over_time(folder)?;
            (latest, Some(trend))
        }
        paths => (merged(paths)?, None),
    };
    let changes = match &args.against {
        None => None,
        Some(path) => {
            let before = read::read(&journal_at(path)).map_err(refused)?;
            Some(Changes::between(&before, &journal))
        }
    };
    let for_people = args.output.format == Format::Table;
    if for_people {
        if !journal.drills.is_empty() && !args.output.quiet {
            terminal::say(&table::summary_of(&by_scenario_of(&journal.drills)));
        }
        let findings = table::findings_of(&journal.drills, &terminal::replays(AtHand::default()));
        if !findings.is_empty() {
            terminal::say(&format!("\n{findings}"));
        }
    }
    if let Some(trend) = &trend {
        terminal::say(&format!("\n{}\n", trend::text(trend)));
    }
    if let Some(changes) = &changes {
        terminal::say(&format!("\n{}\n", against::text(changes)));
    }
    let beside = Beside { changes, trend };
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
        report::write_beside(directory, &journal, &beside)?;
        if for_people && !args.output.quiet {
            let page = directory.join("report.html");
            terminal::say(&format!("report: {}", page.display()));
        }
    }
    if for_people {
        terminal::say_coloured(journal.summary.verdict, &report::tally(&journal.summary));
    } else {
        terminal::say_json(&journal);
    }
    Ok(verdict::exit_code([journal.summary.verdict]))
}

/// The journals of one run, or of the parts of one, as one.
fn merged(paths: &[PathBuf]) -> Result<Journal<'static>, Failure> {
    let mut journals = Vec::with_capacity(paths.len());
    for path in paths {
        if is_of_several(path) {
            return Err(Failure::input(
                format!("{} is a folder of journals", path.display()),
                "files are merged, and a folder shows a trend: give one folder alone, or name its files",
            ));
        }
        journals.push((
            path.clone(),
            read::read(&journal_at(path)).map_err(refused)?,
        ));
    }
    read::merge(journals).map_err(refused)
}

/// The journal of a run, of which the folder may be given.
fn journal_at(path: &Path) -> PathBuf {
    let inside = path.join(JOURNAL);
    if path.is_dir() && inside.is_file() {
        inside
    } else {
        path.to_owned()
    }
}

/// Whether `path` is a folder, and not that of a single run.
fn is_of_several(path: &Path) -> bool {
    path.is_dir() && !path.join(JOURNAL).is_file()
}

/// The latest run of a folder, and all of its runs over time. Of each but one only the numbers are kept in memory.
fn over_time(folder: &Path) -> Result<(Journal<'static>, Trend), Failure> {
    let mut paths = Vec::new();
    find(folder, DEPTH_MAX, &mut paths);
    paths.sort();
    let mut points = Vec::with_capacity(paths.len());
    let mut latest: Option<Journal<'static>> = None;
    for path in &paths {
        let journal = read::read(path).map_err(refused)?;
        points.push(Point::of(path.display().to_string(), &journal));
        let start = |of: &Journal<'_>| of.meta.first().map(|run| run.started);
        // Of equals the later path.
        if latest
            .as_ref()
            .is_none_or(|known| start(known) <= start(&journal))
        {
            latest = Some(journal);
        }
    }
    let latest = latest.ok_or_else(|| {
        Failure::input(
            format!("{} holds no journal", folder.display()),
            "give a folder with files that end in .json, each the journal of a run with --report DIR, in it or in \
             folders below it as journal.json",
        )
    })?;
    Ok((latest, Trend::of(points)))
}

/// Collects the journals in `folder`: every JSON file of its own, and what is called `journal.json` below it.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        // A link may lead in circles, or to a device.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth > 0 && name != "evidence" {
            find(&path, depth - 1, found);
        } else if kind.is_file() {
            let own = depth == DEPTH_MAX && path.extension().is_some_and(|it| it == "json");
            if own || name == JOURNAL {
                found.push(path);
            }
        }
    }
}

fn refused(error: ReadError) -> Failure {
    let cause = std::error::Error::source(&error).map_or_else(String::new, |s| format!(": {s}"));
    Failure::input(format!("{error}{cause}"), error.help())
}
