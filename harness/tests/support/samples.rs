//! Samples in pages of the book: commands that are run, and what they print.
//!
//! A comment before a fenced block says what it is:
//!
//! ```text
//! <!-- sample: file mine.toml -->       the block is the content of this file
//! <!-- sample: run -->                  the block is a script for a shell, which is run; it must end with 0
//! <!-- sample: run, exit 1 -->          and it must end with 1
//! <!-- sample: output -->               the block is what the last script printed on standard output
//! <!-- sample: errors -->               and on standard error
//! <!-- sample: output | head -n 3 -->   only what this filter leaves of it
//! <!-- sample: none, REASON -->         nothing of that
//! <!-- sample: prepare SCRIPT -->       no block follows: the script is run and not shown
//! ```
//!
//! A page is one session in a folder of its own, in which `cargo xtask` and `firedrill` are the program of this test,
//! and which has the `runbooks` of the checkout.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BEGIN: &str = "<!-- sample: ";
const END: &str = " -->";

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sample {
    File(String),
    Run {
        exit: i32,
    },
    Printed {
        errors: bool,
        filter: Option<String>,
    },
    None,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Lines that stay as they are, with their ends.
    Text(String),
    /// A script that is not shown.
    Prepare { script: String, line: usize },
    /// A fenced block without its fences, and what it is.
    Block {
        sample: Sample,
        text: String,
        line: usize,
    },
}

/// A page, taken apart.
#[derive(Debug)]
pub(crate) struct Page {
    name: String,
    pieces: Vec<Piece>,
    /// The languages and lines of the blocks that no comment stands before.
    unmarked: Vec<(String, usize)>,
}

impl Page {
    /// Takes `text` apart.
    ///
    /// # Panics
    /// If a comment is none that is known, or no block follows it.
    pub(crate) fn read(name: &str, text: &str) -> Self {
        let mut page = Self {
            name: name.to_owned(),
            pieces: Vec::new(),
            unmarked: Vec::new(),
        };
        let mut kept = String::new();
        // A comment that its block has not followed yet.
        let mut awaits: Option<Sample> = None;
        let mut lines = text.split_inclusive('\n').enumerate();
        while let Some((at, line)) = lines.next() {
            let place = format!("{name}:{}", at + 1);
            kept.push_str(line);
            if let Some(said) = line.trim_end().strip_prefix(BEGIN) {
                assert_eq!(awaits, None, "{place}: no block follows the comment before");
                let said = said.strip_suffix(END);
                let said = said.unwrap_or_else(|| panic!("{place}: the comment has no end"));
                match said.strip_prefix("prepare ") {
                    Some(script) => {
                        page.pieces.push(Piece::Text(std::mem::take(&mut kept)));
                        let (script, line) = (script.to_owned(), at + 1);
                        page.pieces.push(Piece::Prepare { script, line });
                    }
                    None => awaits = Some(Sample::read(said, &place)),
                }
            } else if let Some(language) = line.strip_prefix("```") {
                let mut block = String::new();
                let end = loop {
                    let (_, line) = lines.next().unwrap_or_else(|| panic!("{place}: no end"));
                    if line.trim_end() == "```" {
                        break line;
                    }
                    block.push_str(line);
                };
                match awaits.take() {
                    Some(sample) => {
                        page.pieces.push(Piece::Text(std::mem::take(&mut kept)));
                        page.pieces.push(Piece::Block {
                            sample,
                            text: block,
                            line: at + 1,
                        });
                    }
                    None => {
                        page.unmarked.push((language.trim().to_owned(), at + 1));
                        kept.push_str(&block);
                    }
                }
                kept.push_str(end);
            } else {
                assert!(
                    awaits.is_none() || line.trim().is_empty(),
                    "{place}: no block follows the comment before"
                );
            }
        }
        page.pieces.push(Piece::Text(kept));
        page
    }

    /// The lines of blocks in `language` that no comment stands before.
    pub(crate) fn unmarked(&self, language: &str) -> Vec<usize> {
        let of_it = self.unmarked.iter().filter(|(it, _)| it == language);
        of_it.map(|(_, line)| *line).collect()
    }

    /// How many scripts are run, and how many blocks show what they print.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |is: fn(&Sample) -> bool| {
            let blocks = self.pieces.iter();
            blocks
                .filter(|it| matches!(it, Piece::Block { sample, .. } if is(sample)))
                .count()
        };
        let run = count(|it| matches!(it, Sample::Run { .. }));
        (run, count(|it| matches!(it, Sample::Printed { .. })))
    }

    /// Runs the scripts in `folder`, one after the other. The page with what they print.
    ///
    /// # Errors
    /// The first script that does not end as it must, with its place and what it printed.
    pub(crate) fn performed(&self, folder: &Path) -> Result<String, String> {
        let session = Session::begin(folder);
        let mut page = String::new();
        let mut last: Option<Printed> = None;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => page.push_str(text),
                Piece::Prepare { script, line } => {
                    session.run(script, 0, &format!("{}:{line}", self.name))?;
                }
                Piece::Block { sample, text, line } => {
                    let place = format!("{}:{line}", self.name);
                    match sample {
                        Sample::File(name) => {
                            std::fs::write(folder.join(name), text).expect("the folder is ours");
                        }
                        Sample::Run { exit } => last = Some(session.run(text, *exit, &place)?),
                        Sample::Printed { errors, filter } => {
                            let last = last.as_ref();
                            let last = last.ok_or(format!("{place}: nothing was run"))?;
                            let all = if *errors { &last.errors } else { &last.output };
                            let shown = match filter {
                                None => all.clone(),
                                Some(filter) => session.filtered(filter, all, &place)?,
                            };
                            page.push_str(&shown);
                            continue;
                        }
                        Sample::None => {}
                    }
                    page.push_str(text);
                }
            }
        }
        Ok(page)
    }
}

impl Sample {
    fn read(said: &str, place: &str) -> Self {
        let (words, filter) = match said.split_once(" | ") {
            Some((words, filter)) => (words, Some(filter.to_owned())),
            None => (said, None),
        };
        match words.split_once([' ', ',']).unwrap_or((words, "")) {
            ("file", name) if filter.is_none() => Self::File(name.to_owned()),
            ("run", exit) if filter.is_none() => {
                let exit = exit.trim().strip_prefix("exit ").unwrap_or("0");
                let exit = exit.parse();
                Self::Run {
                    exit: exit.unwrap_or_else(|_| panic!("{place}: `{said}`: no exit code")),
                }
            }
            ("output", "") => Self::Printed {
                errors: false,
                filter,
            },
            ("errors", "") => Self::Printed {
                errors: true,
                filter,
            },
            ("none", reason) if !reason.trim().is_empty() => Self::None,
            _ => panic!("{place}: `{said}` is no sample that is known"),
        }
    }
}

/// What a script printed.
struct Printed {
    output: String,
    errors: String,
}

/// A folder in which a page's scripts run.
struct Session {
    folder: PathBuf,
    path: std::ffi::OsString,
}

/// `cargo` in a session: it builds nothing, and knows only `xtask`.
const CARGO: &str = "#!/bin/sh\n[ \"$1\" = xtask ] || { echo \"cargo $1 is not for samples\" >&2; exit 99; }\nshift\nFIREDRILL_CALLED_AS='cargo xtask' exec firedrill \"$@\"\n";

impl Session {
    fn begin(folder: &Path) -> Self {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let programs = folder.join(".programs");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let runbooks = folder.join("runbooks");
        for made in [&programs, &runbooks] {
            std::fs::create_dir_all(made).expect("a writable folder");
        }
        symlink(env!("CARGO_BIN_EXE_firedrill"), programs.join("firedrill")).expect("ours");
        std::fs::write(programs.join("cargo"), CARGO).expect("ours");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(programs.join("cargo"), executable).expect("ours");
        let runbook = root.join("runbooks/rollback.md");
        std::fs::copy(runbook, runbooks.join("rollback.md")).expect("the runbook is there");
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&rest);
        let path = std::env::join_paths(std::iter::once(programs).chain(path));
        Self {
            folder: folder.to_owned(),
            path: path.expect("paths that were joined before"),
        }
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", script])
            .current_dir(&self.folder)
            .env("PATH", &self.path)
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("FIREDRILL_STATE", self.folder.join(".state"))
            .env_remove("FIREDRILL_CALLED_AS");
        command
    }

    fn run(&self, script: &str, exit: i32, place: &str) -> Result<Printed, String> {
        let output = self.shell(script).stdin(Stdio::null()).output();
        let output = output.expect("there is a shell");
        let text = |bytes: &[u8]| normalised(&String::from_utf8_lossy(bytes), &self.folder);
        let printed = Printed {
            output: text(&output.stdout),
            errors: text(&output.stderr),
        };
        if output.status.code() != Some(exit) {
            let (is, Printed { output, errors }) = (output.status, printed);
            return Err(format!(
                "{place}: not {exit}, but {is}: {script}\n{output}{errors}"
            ));
        }
        Ok(printed)
    }

    fn filtered(&self, filter: &str, text: &str, place: &str) -> Result<String, String> {
        std::fs::write(self.folder.join(".printed"), text).expect("the folder is ours");
        let output = self.shell(&format!("{{ {filter}\n}} <.printed")).output();
        let output = output.expect("there is a shell");
        if !output.status.success() || output.stdout.is_empty() {
            return Err(format!("{place}: {filter} leaves nothing of: {text}"));
        }
        Ok(String::from_utf8(output.stdout).expect("UTF-8"))
    }
}

/// `text` without what differs from run to run or from build to build: how long it took, where the folder lies, and
/// tokens, which name the build.
fn normalised(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), ".");
    let mut out = String::new();
    for line in text.lines() {
        // On a slow machine there is an estimate, and on a fast one none.
        if line.starts_with("estimate: ") || line.starts_with("progress: ") {
            continue;
        }
        let mut parts = line.trim_end().split("fd1-");
        out.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            let _ = write!(out, "fd1-…{rest}");
        }
        out.push('\n');
    }
    out
}

#[test]
fn a_page_is_taken_apart_and_put_together_with_what_is_printed() {
    let page = "# Page\n\n<!-- sample: file a.txt -->\n```toml\nx = 1\n```\n\n<!-- sample: prepare echo 'two' > b.txt -->\n\
        <!-- sample: run, exit 3 -->\n\n```sh\ncat a.txt b.txt\necho 'fd1-0abz, here' >&2; exit 3\n```\n\n\
        <!-- sample: output -->\n```text\nstale\n```\n\n<!-- sample: output | tail -n 1 | tr t T -->\n```text\n```\n\n\
        <!-- sample: errors -->\n```text\n```\n\n<!-- sample: none, it is a sketch -->\n```text\nas it is\n```\n\n```sh\nnever run\n```\n";
    let folder = tempfile::tempdir().expect("a writable directory");
    let read = Page::read("page.md", page);
    assert_eq!(read.counts(), (1, 3));
    assert_eq!(
        (read.unmarked("sh"), read.unmarked("text")),
        (vec![34], vec![])
    );
    let performed = read.performed(folder.path()).expect("its scripts end well");
    let expected = page
        .replace("stale\n", "x = 1\ntwo\n")
        .replace("tr t T -->\n```text\n", "tr t T -->\n```text\nTwo\n")
        .replace(
            "errors -->\n```text\n",
            "errors -->\n```text\nfd1-…, here\n",
        );
    assert_eq!(performed, expected);
}

#[test]
fn what_is_no_sample_is_refused() {
    let is_right = |page: &str| {
        let page = page.to_owned();
        std::panic::catch_unwind(move || {
            let folder = tempfile::tempdir().expect("a writable directory");
            Page::read("page.md", &page).performed(folder.path())
        })
        .is_ok_and(|performed| performed.is_ok())
    };
    for wrong in [
        "<!-- sample: ran -->\n```sh\ntrue\n```\n",
        "<!-- sample: none -->\n```sh\ntrue\n```\n",
        "<!-- sample: run, exit x -->\n```sh\ntrue\n```\n",
        "<!-- sample: run -->\nText.\n```sh\ntrue\n```\n",
        "<!-- sample: run -->\n```sh\nfalse\n```\n",
        "<!-- sample: run, exit 1 -->\n```sh\ntrue\n```\n",
        "<!-- sample: output -->\n```text\n```\n",
        "<!-- sample: run -->\n```sh\ncargo build\n```\n",
        "```sh\n",
    ] {
        assert!(!is_right(wrong), "{wrong}");
    }
    assert!(is_right("<!-- sample: run -->\n```sh\ntrue\n```\n"));
}
