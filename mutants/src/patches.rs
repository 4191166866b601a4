//! Bugs that are patches of the executor's source: what no port can express, since it is inside of planner,
//! journal, lease or steps.
//!
//! Each patch replaces an expression, or a statement, by another one. All of them are built at once into a copy of the
//! workspace: there, each place has both, and the name of the bug decides at run time which of them is executed (the
//! method is known as mutant schemata: R. H. Untch, A. J. Offutt, M. J. Harrold, "Mutation analysis using mutant
//! schemata", 1993). Without a name the copy is the sound executor.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The patches, by what they change.
const FILES: [(&str, &str); 5] = [
    ("planner.toml", include_str!("../patches/planner.toml")),
    ("steps.toml", include_str!("../patches/steps.toml")),
    ("proof.toml", include_str!("../patches/proof.toml")),
    ("phases.toml", include_str!("../patches/phases.toml")),
    ("exclusion.toml", include_str!("../patches/exclusion.toml")),
];

/// One patch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The bug's name.
    pub name: String,
    /// What the executor does, in one sentence.
    pub what: String,
    /// Words of scenario files that it has to do with.
    pub stresses: Vec<String>,
    /// Why no drill shows it, where that is known.
    pub masked: Option<String>,
    /// The file, below `executor/src`.
    pub file: String,
    /// What is replaced: an expression, or a statement with its semicolon. It stands in the file exactly once.
    pub before: String,
    /// What it is replaced by; where it is a statement, it may be empty.
    pub after: String,
}

/// Why the patches can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// A file of patches can't be read.
    #[error("mutants/patches/{file}: {source}")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// What a patch replaces is not there once.
    #[error(
        "patch {name}: what it replaces stands {found} times in executor/src/{file}: bring `before` up to date"
    )]
    Stale {
        /// The patch.
        name: String,
        /// The file.
        file: String,
        /// How often.
        found: usize,
    },
    /// Two patches replace the same text.
    #[error("the patches {one} and {other} overlap in executor/src/{file}: narrow one of them")]
    Overlap {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// The file.
        file: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// All patches.
///
/// # Errors
/// The first file that does not read.
pub fn patches() -> Result<Vec<Patch>, PatchError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        patch: Vec<Patch>,
    }
    let mut all = Vec::new();
    for (file, text) in FILES {
        let read = toml::from_str::<File>(text);
        let read = read.map_err(|source| PatchError::Unreadable {
            file,
            source: Box::new(source),
        })?;
        all.extend(read.patch);
    }
    Ok(all)
}

/// `text`, which is that of `file`, with all its patches, each behind its name.
///
/// # Errors
/// A patch does not apply exactly once, or two overlap.
pub fn planted(file: &str, text: &str, patches: &[Patch]) -> Result<String, PatchError> {
    let mut places = Vec::new();
    for patch in patches.iter().filter(|patch| patch.file == file) {
        let mut found = text.match_indices(patch.before.as_str());
        match (found.next(), found.next()) {
            (Some((at, _)), None) => places.push((at, patch)),
            (first, second) => {
                return Err(PatchError::Stale {
                    name: patch.name.clone(),
                    file: file.to_owned(),
                    found: usize::from(first.is_some())
                        + usize::from(second.is_some())
                        + found.count(),
                });
            }
        }
    }
    places.sort_by_key(|(at, _)| *at);
    let mut out = String::new();
    let mut end = 0;
    let mut last = "";
    for (at, patch) in places {
        if at < end {
            return Err(PatchError::Overlap {
                one: last.to_owned(),
                other: patch.name.clone(),
                file: file.to_owned(),
            });
        }
        out.push_str(&text[end..at]);
        out.push_str(&behind_its_name(patch));
        (end, last) = (at + patch.before.len(), &patch.name);
    }
    out.push_str(&text[end..]);
    Ok(out)
}

/// Both versions of a place. A statement stays one, and an expression can stand wherever it stood.
fn behind_its_name(patch: &Patch) -> String {
    let (name, before, after) = (&patch.name, &patch.before, &patch.after);
    let both = format!("if crate::planted::is({name:?}) {{ {after} }} else {{ {before} }}");
    if before.trim_end().ends_with(';') {
        both
    } else {
        format!("({both})")
    }
}

/// What the executor's copy has beside its source: the switch.
const SWITCH: &str = r#"//! Which bug is planted on this thread. Written by `mutants`.

use std::cell::RefCell;

thread_local! {
    static NAME: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Whether the bug `name` is planted.
pub(crate) fn is(name: &str) -> bool {
    NAME.with_borrow(|planted| planted == name)
}

/// Plants the bug `name`; empty: none.
pub fn plant(name: &str) {
    NAME.with_borrow_mut(|planted| name.clone_into(planted));
}
"#;

/// What stands in the place of `planted.rs` in the copy of `mutants`.
const FORWARD: &str = r#"//! The switch of the bugs that are patches. Written by `mutants`.

/// Whether this build has the patches.
pub(crate) const BUILT: bool = true;

/// Does `work` with an executor that has the bug `name`.
pub(crate) fn with<T>(name: &str, work: impl FnOnce() -> T) -> T {
    struct Sound;
    impl Drop for Sound {
        fn drop(&mut self) {
            executor::planted::plant("");
        }
    }
    let _sound = Sound;
    executor::planted::plant(name);
    work()
}
"#;

/// The name of the program in the copy, so that both can be built into one folder.
pub const PROGRAM: &str = "mutants-planted";

/// What the version of the copy's packages ends with. Cargo tells packages of two workspaces in one folder of builds
/// apart by name, version and place inside of the workspace: with the same version,
/// the copy's executor would be taken for the workspace's.
const VERSION: &str = "-planted";

/// Folders of the workspace that are no sources.
const LEFT_OUT: [&str; 2] = ["target", "reference"];

/// Copies the workspace at `root` to `copy`, with all patches applied to its executor. Files that are as they should be
/// are left alone, so that they are not built again, and those that are in the copy only are removed.
///
/// # Errors
/// A patch does not apply, or a file can't be read or written.
pub fn copy(root: &Path, copy: &Path, patches: &[Patch]) -> Result<(), PatchError> {
    let mut files = BTreeMap::new();
    collect(root, Path::new(""), &mut files)?;
    for patch in patches {
        let path = Path::new("executor/src").join(&patch.file);
        if !files.contains_key(&path) {
            return Err(PatchError::Stale {
                name: patch.name.clone(),
                file: patch.file.clone(),
                found: 0,
            });
        }
    }
    for (path, content) in &mut files {
        let inside = path
            .strip_prefix("executor/src")
            .ok()
            .and_then(Path::to_str);
        let text = std::str::from_utf8(content).unwrap_or_default();
        let changed = match inside {
            Some("lib.rs") => Some(format!(
                "#![allow(warnings)]\n{text}\n/// The switch of planted bugs.\npub mod planted;\n"
            )),
            Some(file) if patches.iter().any(|patch| patch.file == file) => {
                Some(planted(file, text, patches)?)
            }
            _ if path == Path::new("Cargo.toml") => Some(with_version_of_its_own(text)),
            _ if path == Path::new("mutants/Cargo.toml") => {
                let name = "[[bin]]\nname = \"mutants\"";
                Some(text.replace(name, &format!("[[bin]]\nname = \"{PROGRAM}\"")))
            }
            _ => None,
        };
        if let Some(changed) = changed {
            *content = changed.into_bytes();
        }
    }
    files.insert("executor/src/planted.rs".into(), SWITCH.into());
    files.insert("mutants/src/planted.rs".into(), FORWARD.into());
    let mut there = BTreeMap::new();
    if copy.is_dir() {
        collect(copy, Path::new(""), &mut there)?;
    }
    for path in there.keys().filter(|path| !files.contains_key(*path)) {
        let path = copy.join(path);
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    for (path, content) in files
        .iter()
        .filter(|(path, content)| there.get(*path) != Some(*content))
    {
        let path = copy.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io_error(folder))?;
        }
        fs::write(&path, content).map_err(io_error(&path))?;
    }
    Ok(())
}

/// The workspace's manifest with another version of its packages.
fn with_version_of_its_own(manifest: &str) -> String {
    let mut in_package = false;
    let lines = manifest.lines().map(|line| {
        if line.starts_with('[') {
            in_package = line == "[workspace.package]";
        }
        match line
            .strip_suffix('"')
            .filter(|_| in_package && line.starts_with("version = "))
        {
            Some(version) => format!("{version}{VERSION}\"\n"),
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PatchError {
    let path = path.to_owned();
    move |source| PatchError::Io { path, source }
}

/// The files below `root`, by their path: those of hidden folders, and what was built, are left out.
fn collect(
    root: &Path,
    below: &Path,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
) -> Result<(), PatchError> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(io_error(&folder))? {
        let entry = entry.map_err(io_error(&folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let (path, kind) = (entry.path(), entry.file_type());
        let kind = kind.map_err(io_error(&path))?;
        if name.starts_with('.') || LEFT_OUT.contains(&&*name) {
            continue;
        }
        let inside = below.join(&*name);
        if kind.is_dir() {
            collect(root, &inside, files)?;
        } else if kind.is_file() {
            let content = fs::read(&path).map_err(io_error(&path))?;
            files.insert(inside, content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(name: &str, before: &str, after: &str) -> Patch {
        Patch {
            name: name.to_owned(),
            what: String::new(),
            stresses: Vec::new(),
            masked: None,
            file: "a.rs".to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        }
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn every_patch_applies_exactly_once_and_no_two_overlap() {
        let patches = patches().expect("they read");
        assert!(patches.len() >= 12);
        for patch in &patches {
            let path = root().join("executor/src").join(&patch.file);
            let text = fs::read_to_string(&path).expect("the file is there");
            let planted = planted(&patch.file, &text, &patches);
            let planted = planted.unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(planted, text);
            assert_ne!(patch.before, patch.after, "{}", patch.name);
        }
    }

    #[test]
    fn both_versions_stand_behind_the_name() {
        let text = "let a = f(1);\ng();\n";
        let patches = [patch("one", "f(1)", "f(2)"), patch("two", "g();", "")];
        let planted = planted("a.rs", text, &patches).expect("they apply");
        assert_eq!(
            planted,
            "let a = (if crate::planted::is(\"one\") { f(2) } else { f(1) });\n\
             if crate::planted::is(\"two\") {  } else { g(); }\n"
        );
    }

    #[test]
    fn a_patch_that_is_stale_or_ambiguous_or_in_the_way_of_another_is_refused() {
        let refused =
            |patches: &[Patch]| planted("a.rs", "f(1); f(1); g(2)", patches).expect_err("it is");
        let twice = refused(&[patch("one", "f(1)", "f(2)")]);
        assert!(
            matches!(twice, PatchError::Stale { found: 2, .. }),
            "{twice}"
        );
        let gone = refused(&[patch("one", "h()", "f(2)")]);
        assert!(matches!(gone, PatchError::Stale { found: 0, .. }), "{gone}");
        let overlap = refused(&[patch("one", "; g(2)", ""), patch("two", "g(2)", "")]);
        assert!(matches!(overlap, PatchError::Overlap { .. }), "{overlap}");
    }

    #[test]
    fn the_copy_is_the_workspace_with_the_patches_and_is_brought_up_to_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let write = |path: &str, text: &str| {
            let path = from.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("executor/src/lib.rs", "mod a;\n");
        write("executor/src/a.rs", "f(1)");
        let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
        write("Cargo.toml", &manifest);
        write("mutants/Cargo.toml", "[[bin]]\nname = \"mutants\"\n");
        write("mutants/src/planted.rs", "here\n");
        write("target/debug/big", "x");
        write(".git/config", "x");
        write("gone.txt", "x");
        let patches = [patch("one", "f(1)", "f(2)")];
        copy(&from, &to, &patches).expect("copied");
        let read = |path: &str| fs::read_to_string(to.join(path)).unwrap_or_default();
        assert!(read("executor/src/a.rs").contains("f(2)"));
        assert!(read("executor/src/lib.rs").contains("pub mod planted;"));
        assert!(read("mutants/Cargo.toml").contains("name = \"mutants-planted\""));
        let versions = |text: &str| text.matches("\nversion = \"").count();
        assert_eq!(versions(&read("Cargo.toml")), versions(&manifest));
        assert!(read("Cargo.toml").contains("-planted\"\n"));
        assert_eq!(read("mutants/src/planted.rs"), FORWARD);
        assert!(!to.join("target").exists() && !to.join(".git").exists());
        fs::remove_file(from.join("gone.txt")).expect("removed");
        copy(&from, &to, &patches).expect("copied again");
        assert!(!to.join("gone.txt").exists());
    }
}
