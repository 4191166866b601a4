//! Writing the report's files, each atomically: a reader sees the old file or the new one.
//!
//! Temporary files are made exclusively, under a name that nobody can foresee, so that no symbolic link is followed.
//! What the executor saved may hold logs of production: those files are for the user alone.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use executor::printable;

use super::journal::{Journal, Skipped};
use super::{Beside, html, junit, markdown};
use crate::drill::DrillResult;

/// Where evidence lies in a report's directory.
const EVIDENCE: &str = "evidence";
/// What shows that a folder of that name is a report's, so that a later report may replace it.
const OURS: &str = ".firedrill";
/// Modes of files and folders that everybody may read, as far as the user's mask allows,
/// and of those that are the user's alone.
const PUBLIC: u32 = 0o666;
const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;
/// How much is written to see whether there is room for a report at all.
const TRIAL_BYTES: usize = 1 << 20;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Sees that a report can be written into `directory`, which is made if need be: before the drills, whose results would
/// be lost otherwise.
///
/// # Errors
/// It can't be made or written to, there is no room for a file of 1 MiB,
/// or it holds a folder `evidence` that no report has made.
pub fn prepare(directory: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    let mut trial = temporary(directory, PUBLIC).map_err(wrong(directory))?;
    let written = trial.write_all(&vec![b' '; TRIAL_BYTES]);
    written
        .and_then(|()| trial.as_file().sync_all())
        .map_err(wrong(directory))?;
    is_replaceable(&directory.join(EVIDENCE)).map(drop)
}

/// Writes the reports of `results` into `directory`; `skipped` drills were planned and did not run.
///
/// # Errors
/// As [`write_journal`].
pub fn write_all(
    directory: &Path,
    results: &[DrillResult],
    skipped: impl Into<Skipped>,
) -> Result<(), WriteError> {
    write_journal(directory, &Journal::new(results, skipped))
}

/// What makes a file's text of a journal and of what stands beside it.
type Rendering = fn(&Journal<'_>, &Beside) -> String;

/// Writes `journal.json`, `junit.xml`, `summary.md` and `report.html` into `directory`, which is made if need be, and
/// below `evidence/SCENARIO/WORLD-SEED` what the executor saved, of the drills that kept it. What a former report left
/// in `evidence` is removed.
///
/// # Errors
/// The first file that could not be written.
pub fn write_journal(directory: &Path, journal: &Journal<'_>) -> Result<(), WriteError> {
    write_beside(directory, journal, &Beside::default())
}

/// The same, with what the page shows beside the journal.
///
/// # Errors
/// As [`write_journal`].
pub fn write_beside(
    directory: &Path,
    journal: &Journal<'_>,
    beside: &Beside,
) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    write(&directory.join("journal.json"), PUBLIC, |out| {
        serde_json::to_writer_pretty(&mut *out, journal)?;
        out.write_all(b"\n")
    })?;
    // One after the other, so that only one of them is in memory.
    let renderings: [(&str, Rendering); 3] = [
        ("junit.xml", |journal, _| junit::render(journal)),
        ("summary.md", |journal, _| markdown::render(journal)),
        ("report.html", html::render_beside),
    ];
    for (name, render) in renderings {
        let text = render(journal, beside);
        write(&directory.join(name), PUBLIC, |out| {
            out.write_all(printable(&text).as_bytes())
        })?;
    }
    write_evidence(&directory.join(EVIDENCE), journal)
}

/// Writes the report into a new folder of its own among the temporary files; its path.
/// For results that would be lost otherwise.
///
/// # Errors
/// As [`write_journal`].
pub fn write_elsewhere(journal: &Journal<'_>) -> Result<PathBuf, WriteError> {
    let parent = std::env::temp_dir();
    let folder = tempfile::Builder::new()
        .prefix("firedrill-report-")
        .tempdir_in(&parent)
        .map_err(wrong(&parent))?;
    write_journal(folder.path(), journal)?;
    Ok(folder.keep())
}

/// Writes texts into `directory`, which is made if need be.
///
/// # Errors
/// The first file that could not be written.
pub fn write_texts(directory: &Path, texts: &[(&str, &str)]) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    for (name, text) in texts {
        // JSON has escapes of its own.
        let shown = if name.ends_with(".json") {
            (*text).into()
        } else {
            printable(text)
        };
        write(&directory.join(name), PUBLIC, |out| {
            out.write_all(shown.as_bytes())
        })?;
    }
    Ok(())
}

/// Writes what the executor saved into `folder`, in place of what a former report left there.
fn write_evidence(folder: &Path, journal: &Journal<'_>) -> Result<(), WriteError> {
    if is_replaceable(folder)? {
        fs::remove_dir_all(folder).map_err(wrong(folder))?;
    }
    let details = || {
        journal
            .drills
            .iter()
            .filter_map(|d| Some((d, d.detail.as_ref()?)))
    };
    if details().all(|(_, detail)| detail.files.is_empty()) {
        return Ok(());
    }
    // Not recursively: it fails if somebody has put a link there meanwhile.
    let mut private = DirBuilder::new();
    private.mode(PRIVATE_FOLDER);
    private.create(folder).map_err(wrong(folder))?;
    write(&folder.join(OURS), PRIVATE, |_| Ok(()))?;
    private.recursive(true);
    for (drill, detail) in details() {
        for (name, text) in detail.files.iter() {
            let path = format!("{}/{}-{}/{name}", drill.scenario, drill.world, drill.seed);
            let path = Path::new(&path);
            // The executor chose the name: it must not lead anywhere else.
            let inside = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            let path = folder.join(path);
            if let Some(parent) = path.parent().filter(|_| inside) {
                private.create(parent).map_err(wrong(parent))?;
                write(&path, PRIVATE, |out| out.write_all(text.as_bytes()))?;
            }
        }
    }
    Ok(())
}

/// Whether there is something at `folder`, which a report has made.
///
/// # Errors
/// There is something that no report has made.
fn is_replaceable(folder: &Path) -> Result<bool, WriteError> {
    let kind = match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        found => found.map_err(wrong(folder))?.file_type(),
    };
    if kind.is_dir() && fs::symlink_metadata(folder.join(OURS)).is_ok() {
        return Ok(true);
    }
    let why = "it is there and no report has made it, so it is left alone: give another directory, or move it away";
    Err(WriteError {
        path: folder.to_owned(),
        source: io::Error::new(io::ErrorKind::AlreadyExists, why),
    })
}

fn wrong(path: &Path) -> impl FnOnce(io::Error) -> WriteError + use<> {
    let path = path.to_owned();
    move |source| WriteError { path, source }
}

/// A new file in `directory`, which goes with the value unless it is persisted.
fn temporary(directory: &Path, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".firedrill-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
}

fn write(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut BufWriter<&fs::File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    // In the same directory, so that the rename stays within one file system.
    let directory = path.parent().unwrap_or(Path::new("."));
    let written = temporary(directory, mode).and_then(|file| {
        let mut out = BufWriter::new(file.as_file());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        file.persist(path).map(drop).map_err(|error| error.error)
    });
    written.map_err(wrong(path))
}
