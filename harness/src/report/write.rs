//! Writing the report's files, each atomically: a reader sees the old file or the new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

/// Writes `journal.json`, `junit.xml` and `report.html` into `directory`, which is made if need be.
///
/// # Errors
/// The first file that could not be written.
pub fn write_all(
    directory: &Path,
    results: &[DrillResult],
    skipped: usize,
) -> Result<(), WriteError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError { path, source }
    };
    fs::create_dir_all(directory).map_err(wrong(directory))?;
    let mut journal = serde_json::to_string_pretty(&Journal::new(results, skipped))
        .map_err(|e| wrong(&directory.join("journal.json"))(e.into()))?;
    journal.push('\n');
    for (name, text) in [
        ("journal.json", journal),
        ("junit.xml", junit::render(results)),
        ("report.html", html::render(results, skipped)),
    ] {
        let path = directory.join(name);
        // In the same directory, so that the rename stays within one file system.
        let temporary = directory.join(format!(".{name}.{}", std::process::id()));
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .inspect_err(|_| {
                // The error that matters is the one above.
                let _ = fs::remove_file(&temporary);
            })
            .map_err(wrong(&path))?;
    }
    Ok(())
}
