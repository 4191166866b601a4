//! Where a baseline comes from: a file, a git revision, or the bare commands of the written procedure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The word for the written procedure's bare commands.
pub const PROCEDURE: &str = "procedure";
/// The written procedure's commands as a runbook.
pub const PROCEDURE_TEXT: &str = include_str!("procedure.md");
const PROCEDURE_FILE: &str = "harness/src/verify/procedure.md";

/// A runbook's text and what messages call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// For messages.
    pub file: String,
    /// The text.
    pub text: String,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is there and can't be read.
    #[error("cannot read the runbook {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// git can't be run.
    #[error(
        "`{word}` is no file, and to look for a git revision of that name, git must be there: {source}"
    )]
    Git {
        /// What was asked for.
        word: String,
        /// Why.
        source: std::io::Error,
    },
    /// The candidate is in no repository.
    #[error(
        "`{word}` is no file, and {candidate} is in no git repository to look for a revision of that name"
    )]
    NoRepository {
        /// What was asked for.
        word: String,
        /// The candidate.
        candidate: PathBuf,
    },
    /// Neither file nor revision.
    #[error("`{word}` is neither a file nor a revision of the repository {root}")]
    NoRevision {
        /// What was asked for.
        word: String,
        /// The repository.
        root: PathBuf,
    },
    /// The revision lacks the file.
    #[error("the revision `{word}` has no file {path}")]
    NoFile {
        /// The revision.
        word: String,
        /// The candidate's path in the repository.
        path: String,
    },
    /// It is not a text.
    #[error("{path} in the revision `{word}` is not UTF-8")]
    NoText {
        /// The revision.
        word: String,
        /// The path.
        path: String,
    },
}

impl SourceError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::File { .. } => {
                "give the path of a readable runbook, a git revision, or `procedure`"
            }
            Self::Git { .. } | Self::NoRepository { .. } => {
                "give the path of the runbook in use, or `procedure`"
            }
            Self::NoRevision { .. } => {
                "give a path, a branch, a tag, a commit, or `procedure`; `git branch --all` lists branches (a shallow clone may lack it: `git fetch`)"
            }
            Self::NoFile { .. } => {
                "the candidate's own path is looked for: was the runbook elsewhere then? `git show REVISION:PATH > old.md` makes a file to compare with"
            }
            Self::NoText { .. } => "a runbook is Markdown in UTF-8",
        }
    }
}

/// The baseline that `word` names: `procedure`, a file, or a git revision of the file `candidate`.
///
/// # Errors
/// [`SourceError`].
pub fn baseline(word: &str, candidate: &Path) -> Result<Source, SourceError> {
    if word == PROCEDURE {
        return Ok(Source {
            file: PROCEDURE_FILE.to_owned(),
            text: PROCEDURE_TEXT.to_owned(),
        });
    }
    let path = Path::new(word);
    if path.is_file() {
        let text = fs::read_to_string(path).map_err(|source| SourceError::File {
            path: path.to_owned(),
            source,
        })?;
        return Ok(Source {
            file: word.to_owned(),
            text,
        });
    }
    revision(word, candidate)
}

fn revision(word: &str, candidate: &Path) -> Result<Source, SourceError> {
    let whole = fs::canonicalize(candidate).map_err(|source| SourceError::File {
        path: candidate.to_owned(),
        source,
    })?;
    let directory = whole.parent().unwrap_or(Path::new("/"));
    let git = |args: &[&str]| -> Result<Option<Vec<u8>>, SourceError> {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(args)
            .output();
        let output = output.map_err(|source| SourceError::Git {
            word: word.to_owned(),
            source,
        })?;
        Ok(output.status.success().then_some(output.stdout))
    };
    let nowhere = || SourceError::NoRepository {
        word: word.to_owned(),
        candidate: candidate.to_owned(),
    };
    let root = git(&["rev-parse", "--show-toplevel"])?.ok_or_else(nowhere)?;
    let root = PathBuf::from(String::from_utf8_lossy(&root).trim_end().to_owned());
    let inside = fs::canonicalize(&root)
        .ok()
        .and_then(|root| whole.strip_prefix(root).map(Path::to_owned).ok());
    let path = inside
        .ok_or_else(nowhere)?
        .to_string_lossy()
        .replace('\\', "/");
    let commit = format!("{word}^{{commit}}");
    let found = git(&[
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &commit,
    ])?;
    let commit = found.ok_or_else(|| SourceError::NoRevision {
        word: word.to_owned(),
        root,
    })?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let blob = git(&["cat-file", "blob", &format!("{commit}:{path}")])?.ok_or_else(|| {
        SourceError::NoFile {
            word: word.to_owned(),
            path: path.clone(),
        }
    })?;
    let text = String::from_utf8(blob).map_err(|_| SourceError::NoText {
        word: word.to_owned(),
        path: path.clone(),
    })?;
    Ok(Source {
        file: format!("{word}:{path}"),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bare_procedure_is_a_runbook_that_knows_the_same_triggers() {
        let bare = crate::runbooks::LoadedRunbook::parse(PROCEDURE_FILE, PROCEDURE_TEXT)
            .expect("it loads");
        let built_in = crate::runbooks::LoadedRunbook::built_in().expect("it loads");
        assert_eq!(bare.runbook.triggers, built_in.runbook.triggers);
        assert_eq!(bare.runbook.services, built_in.runbook.services);
    }

    #[test]
    fn what_is_neither_is_told_apart() {
        let candidate = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let outside =
            std::env::temp_dir().join(format!("firedrill-source-{}.md", std::process::id()));
        fs::write(&outside, "x").expect("a writable directory");
        let alone = baseline("some-branch", &outside).expect_err("no repository");
        fs::remove_file(&outside).expect("it is ours");
        assert!(matches!(alone, SourceError::NoRepository { .. }), "{alone}");
        let missing = baseline("no-such-revision", candidate).expect_err("no revision");
        // Where the sources are no repository, that is what is said.
        assert!(
            matches!(
                missing,
                SourceError::NoRevision { .. } | SourceError::NoRepository { .. }
            ),
            "{missing}"
        );
        let option = baseline("--all", candidate).expect_err("an option is no revision");
        assert!(
            matches!(
                option,
                SourceError::NoRevision { .. } | SourceError::NoRepository { .. }
            ),
            "{option}"
        );
        assert!(
            matches!(baseline(PROCEDURE, candidate), Ok(source) if source.text == PROCEDURE_TEXT)
        );
    }
}
