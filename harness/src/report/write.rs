//! Writing the report's files, each atomically: a reader sees the old file or the new one.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Component, Path, PathBuf};

use super::journal::Journal;
use super::{html, junit, markdown};
use crate::drill::DrillResult;

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

/// Writes the reports of `results` into `directory`; `skipped` drills were planned and did not run.
///
/// # Errors
/// As [`write_journal`].
pub fn write_all(
    directory: &Path,
    results: &[DrillResult],
    skipped: usize,
) -> Result<(), WriteError> {
    write_journal(directory, &Journal::new(results, skipped))
}

/// What makes a file's text of a journal.
type Rendering = fn(&Journal<'_>) -> String;

/// Writes `journal.json`, `junit.xml`, `summary.md` and `report.html` into `directory`, which is made if need be, and
/// below `evidence/SCENARIO/WORLD-SEED` what the executor put by, of the drills that kept it.
///
/// # Errors
/// The first file that could not be written.
pub fn write_journal(directory: &Path, journal: &Journal<'_>) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    write(&directory.join("journal.json"), |out| {
        serde_json::to_writer_pretty(&mut *out, journal)?;
        out.write_all(b"\n")
    })?;
    // One after the other, so that only one of them is in memory.
    let renderings: [(&str, Rendering); 3] = [
        ("junit.xml", junit::render),
        ("summary.md", markdown::render),
        ("report.html", html::render),
    ];
    for (name, render) in renderings {
        write(&directory.join(name), |out| {
            out.write_all(render(journal).as_bytes())
        })?;
    }
    for drill in &journal.drills {
        let Some(detail) = &drill.detail else {
            continue;
        };
        for (name, text) in detail.files.iter() {
            let path = format!("{}/{}-{}/{name}", drill.scenario, drill.world, drill.seed);
            let path = Path::new(&path);
            // The executor chose the name: it must not lead anywhere else.
            let inside = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            let path = directory.join("evidence").join(path);
            if let Some(folder) = path.parent().filter(|_| inside) {
                fs::create_dir_all(folder).map_err(wrong(folder))?;
                write(&path, |out| out.write_all(text.as_bytes()))?;
            }
        }
    }
    Ok(())
}

/// Writes texts into `directory`, which is made if need be.
///
/// # Errors
/// The first file that could not be written.
pub fn write_texts(directory: &Path, texts: &[(&str, &str)]) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    for (name, text) in texts {
        write(&directory.join(name), |out| out.write_all(text.as_bytes()))?;
    }
    Ok(())
}

fn wrong(path: &Path) -> impl FnOnce(io::Error) -> WriteError + use<> {
    let path = path.to_owned();
    move |source| WriteError { path, source }
}

fn write(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<fs::File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    // In the same directory, so that the rename stays within one file system.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let filled = fs::File::create(&temporary).map(BufWriter::new);
    filled
        .and_then(|mut out| {
            fill(&mut out)?;
            out.flush()
        })
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            // The error that matters is the one above.
            let _ = fs::remove_file(&temporary);
        })
        .map_err(wrong(path))
}
