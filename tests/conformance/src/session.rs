//! The file of a session.
//!
//! ```text
//! # A comment.
//! $ kubectl get deployment nobody
//!   ! Error from server (NotFound): deployments.apps "nobody" not found
//!   = 1
//! ```
//!
//! A command begins with `$ `, with `$~ ` if only the last line of its answer counts, and with `$! ` if the simulation
//! is known to answer otherwise: the answer that stands there is a real server's, and the simulation's must differ
//! until somebody mends it and takes the mark away. Below it stand the lines of standard output, indented by four
//! columns, those of standard error after `  ! `, and after `  = ` the exit code, unless it is 0. Empty lines mean
//! nothing.

use std::fmt::Write as _;

/// How the line of a command begins.
const PLAIN: &str = "$ ";
const LAST_ONLY: &str = "$~ ";
const DEVIATES: &str = "$! ";
const MARKS: [&str; 3] = [PLAIN, LAST_ONLY, DEVIATES];

/// What a command answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Lines of standard output.
    pub output: Vec<String>,
    /// Lines of standard error.
    pub errors: Vec<String>,
    /// Exit code.
    pub code: i32,
}

/// A command of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Lines above it: comments, and empty ones.
    pub above: Vec<String>,
    /// The line at which it stands, from 1.
    pub line: usize,
    /// What a shell runs.
    pub command: String,
    /// Only the last line of its answer counts: how many lines come before that depends on time.
    pub last_only: bool,
    /// The simulation is known to answer otherwise.
    pub deviates: bool,
    /// What it must answer.
    pub answer: Answer,
}

impl Answer {
    /// Its lines, as they stand in a session.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let output = self.output.iter().map(|line| format!("    {line}"));
        let errors = self.errors.iter().map(|line| format!("  ! {line}"));
        let code = (self.code != 0).then(|| format!("  = {}", self.code));
        output.chain(errors).chain(code).collect()
    }
}

/// Reads a session.
///
/// # Errors
/// Names the line that is no part of a session.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut above = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((mark, command)) = MARKS
            .iter()
            .find_map(|mark| Some((*mark, line.strip_prefix(mark)?)))
        {
            entries.push(Entry {
                above: std::mem::take(&mut above),
                line: number,
                command: command.to_owned(),
                last_only: mark == LAST_ONLY,
                deviates: mark == DEVIATES,
                answer: Answer::default(),
            });
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            above.push(line.to_owned());
            continue;
        }
        let misplaced =
            || format!("line {number} is neither a command nor an answer to one: {line}");
        let answer = match entries.last_mut() {
            Some(entry) if above.is_empty() => &mut entry.answer,
            _ => return Err(misplaced()),
        };
        if let Some(line) = line.strip_prefix("    ") {
            answer.output.push(line.to_owned());
        } else if let Some(line) = line.strip_prefix("  ! ") {
            answer.errors.push(line.to_owned());
        } else if let Some(code) = line.strip_prefix("  = ") {
            answer.code = code.parse().map_err(|_| misplaced())?;
        } else {
            return Err(misplaced());
        }
    }
    Ok(entries)
}

/// Writes a session; what [`parse`] reads.
#[must_use]
pub fn print(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        for line in &entry.above {
            let _ = writeln!(text, "{line}");
        }
        let mark = match (entry.last_only, entry.deviates) {
            (true, _) => LAST_ONLY,
            (false, true) => DEVIATES,
            (false, false) => PLAIN,
        };
        let _ = writeln!(text, "{mark}{}", entry.command);
        for line in entry.answer.lines() {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{parse, print};

    const SESSION: &str =
        "# First.\n\n$ true\n    out\n      more\n  ! err\n  = 3\n\n$~ kubectl get pods\n$! date\n";

    #[test]
    fn what_is_read_is_written_again() {
        let entries = parse(SESSION).expect("a session");
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].answer.output, ["out", "  more"]);
        assert_eq!((entries[0].answer.code, entries[0].line), (3, 3));
        assert!(entries[1].last_only && entries[2].deviates);
        assert_eq!(print(&entries), SESSION);
    }

    #[test]
    fn a_line_that_belongs_nowhere_is_named() {
        for text in [
            "    out\n",
            "$ a\n\n    out\n",
            "$ a\nout\n",
            "$ a\n  = x\n",
        ] {
            let why = parse(text).expect_err(text);
            let line = text.lines().count();
            assert!(why.starts_with(&format!("line {line} ")), "{why}");
        }
    }
}
