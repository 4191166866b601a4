//! Writing the report's files, each atomically: a reader sees the old file or the new one.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::journal::Journal;
use super::{html, junit};
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

/// Writes `journal.json`, `junit.xml` and `report.html` into `directory`, which is made if need be, and below
/// `evidence` what the executor put by, where the drills kept it.
///
/// # Errors
/// The first file that could not be written.
pub fn write_all(
    directory: &Path,
    results: &[DrillResult],
    skipped: usize,
) -> Result<(), WriteError> {
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    let mut journal = serde_json::to_string_pretty(&Journal::new(results, skipped))
        .map_err(|e| wrong(&directory.join("journal.json"))(e.into()))?;
    journal.push('\n');
    for (name, text) in [
        ("journal.json", journal),
        ("junit.xml", junit::render(results)),
        ("report.html", html::render(results, skipped)),
    ] {
        write(&directory.join(name), &text)?;
    }
    let evidence = directory.join("evidence");
    for (name, text) in results.iter().flat_map(|result| &result.files) {
        // The executor chose the name: it must not lead anywhere else.
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let path = evidence.join(name);
        if let Some(folder) = path.parent().filter(|_| inside) {
            fs::create_dir_all(folder).map_err(wrong(folder))?;
            write(&path, text)?;
        }
    }
    Ok(())
}

fn wrong(path: &Path) -> impl FnOnce(io::Error) -> WriteError + use<> {
    let path = path.to_owned();
    move |source| WriteError { path, source }
}

fn write(path: &Path, text: &str) -> Result<(), WriteError> {
    // In the same directory, so that the rename stays within one file system.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            // The error that matters is the one above.
            let _ = fs::remove_file(&temporary);
        })
        .map_err(wrong(path))
}
