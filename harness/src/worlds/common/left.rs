//! What a program outside leaves behind in files: what it has saved, and since when it says that all is well. It may be
//! anything, and no link is followed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::worlds::recording::Ended;

/// Bytes that are read of the file with the instant since which all is well.
const INSTANT_BYTES: u64 = 4_096;

/// `ended` with what the program has saved below `evidence`, and with the instant in `recovered_at`.
pub(in crate::worlds) fn with_files(evidence: &Path, recovered_at: &Path, ended: Ended) -> Ended {
    let files = files_below(evidence).into_iter();
    Ended {
        files: files
            .map(|(name, text)| (format!("/{name}"), text))
            .collect(),
        recovered_at: instant_in(recovered_at),
        ..ended
    }
}

/// The text of every file below `root`, by its path from there. What can't be read is left out.
pub(in crate::worlds) fn files_below(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    gather(root, root, &mut found);
    found
}

fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(of_type) if of_type.is_dir() => gather(root, &path, found),
            Ok(of_type) if of_type.is_file() => {
                if let (Ok(name), Ok(text)) = (path.strip_prefix(root), fs::read(&path)) {
                    let text = String::from_utf8_lossy(&text).into_owned();
                    found.insert(name.display().to_string(), text);
                }
            }
            // A link could lead anywhere, and a pipe would be waited for.
            _ => {}
        }
    }
}

/// What is in the file at `path`, up to as much as an instant may take. A pipe would be waited for, and is not read.
fn instant_in(path: &Path) -> Option<String> {
    let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(without_waiting)
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(INSTANT_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_and_links_are_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let evidence = folder.path().join("evidence");
        fs::create_dir_all(evidence.join("logs")).expect("it is ours");
        fs::write(evidence.join("logs/a"), b"log \xff\n").expect("it is ours");
        fs::write(folder.path().join("secret"), "mine").expect("it is ours");
        for (from, to) in [("secret", "file"), (".", "folder")] {
            let target = folder.path().join(from);
            std::os::unix::fs::symlink(target, evidence.join(to)).expect("a link");
        }
        let ended = with_files(&evidence, &folder.path().join("none"), Ended::default());
        let saved = [("/logs/a".to_owned(), "log \u{fffd}\n".to_owned())];
        assert_eq!(ended.files, saved.into());
        assert_eq!(ended.recovered_at, None);
    }

    #[test]
    fn only_the_beginning_of_a_file_is_read_as_an_instant() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        assert_eq!(instant_in(&path("none")), None);
        assert_eq!(instant_in(folder.path()), None, "a folder");
        fs::write(path("instant"), "1970-01-01T00:00:30Z\n").expect("it is ours");
        let text = instant_in(&path("instant"));
        assert_eq!(text.as_deref(), Some("1970-01-01T00:00:30Z\n"));
        fs::write(path("huge"), "7".repeat(1 << 20)).expect("it is ours");
        let text = instant_in(&path("huge")).expect("its beginning");
        assert_eq!(text.len() as u64, INSTANT_BYTES);
        // Nobody writes into it, so that opening it would wait for ever.
        let made = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(made.expect("the system has it").success());
        assert_eq!(instant_in(&path("pipe")), None);
    }
}
