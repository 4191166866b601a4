//! Evidence in a directory.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use crate::ports::EvidenceStore;

/// Keeps evidence as files below a directory, which is made when the first file is stored. Logs of production are in
/// it, so that files and the directories that are made are for the user alone (modes 0600 and 0700).
#[derive(Clone, Debug)]
pub struct DirectoryEvidence {
    directory: PathBuf,
}

impl DirectoryEvidence {
    /// A store below `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let relative = Path::new(name);
        let is_plain = !name.is_empty()
            && relative
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
        if !is_plain {
            return Err(format!("`{name}` is not a relative path"));
        }
        let path = self.directory.join(relative);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let parent = path.parent().unwrap_or(&self.directory);
        let mut directories = DirBuilder::new();
        directories.recursive(true).mode(0o700);
        directories.create(parent).map_err(failed)?;
        // A reader sees the whole file or none, and what is there survives a crash in the middle. The temporary file is
        // made exclusively, under a name that nobody can foresee.
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .suffix(".partial")
            .tempfile_in(parent)
            .map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path)
            .map(drop)
            .map_err(|error| failed(error.error))
    }
}

#[async_trait]
impl EvidenceStore for DirectoryEvidence {
    async fn put(&self, name: &str, content: Bytes) -> Result<(), String> {
        self.write(name, &content)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::DirectoryEvidence;

    #[test]
    fn stores_replaces_and_stays_inside() {
        let directory =
            std::env::temp_dir().join(format!("firedrill-evidence-{}", std::process::id()));
        let store = DirectoryEvidence::new(&directory);
        assert_eq!(store.write("logs/gateway-1.log", b"one"), Ok(()));
        assert_eq!(store.write("logs/gateway-1.log", b"two"), Ok(()));
        let read = std::fs::read(directory.join("logs/gateway-1.log"));
        assert_eq!(read.ok().as_deref(), Some(&b"two"[..]));
        let listed = std::fs::read_dir(directory.join("logs")).map(Iterator::count);
        assert_eq!(listed.ok(), Some(1), "no partial file is left");
        for (path, mode) in [("", 0o700), ("logs", 0o700), ("logs/gateway-1.log", 0o600)] {
            let metadata = std::fs::metadata(directory.join(path)).expect("it is there");
            assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
        }
        for name in ["../x", "/etc/x", "", "a/../../x"] {
            assert!(store.write(name, b"x").is_err(), "{name}");
        }
        assert!(std::fs::remove_dir_all(directory).is_ok());
    }
}
