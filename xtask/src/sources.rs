//! The project's own Rust sources, for the checks that read them as text.

use std::fs;
use std::path::Path;

/// A source file: its path from the root of the workspace, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every Rust file below `root`, in the order of the paths. Folders that begin with a dot and `target` are left out.
pub(crate) fn all(root: &Path) -> Result<Vec<Source>, String> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<Source>) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for entry in fs::read_dir(directory).map_err(|error| failed(directory, error))? {
        let entry = entry.map_err(|error| failed(directory, error))?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type().map_err(|error| failed(&path, error))?;
        if kind.is_dir() {
            if !name.starts_with('.') && name != "target" {
                walk(root, &path, found)?;
            }
        } else if kind.is_file() && name.ends_with(".rs") {
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let below = path.strip_prefix(root).unwrap_or(&path);
            let path = below.to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
    Ok(())
}

/// What a file's text is without the tests at its end.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text)
}
