//! What tests that write files share: where.

use std::path::PathBuf;

use serde_json::Value;

/// A directory of a test's own, removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("firedrill-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable directory");
        Self(path)
    }

    /// The path of `name` inside it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Writes `text` to `name`; its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.at(name);
        std::fs::write(&path, text).expect("a writable directory");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn journal(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).expect("JSON")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
