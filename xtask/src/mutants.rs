//! `cargo xtask search --mutants executor`: builds the program `mutants` in release mode and becomes it.
//! `firedrill` holds nothing of it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use xshell::Shell;
use xshell::cmd;

use crate::firedrill::{cargo, code, manifest};

/// The option, and its value.
const OPTION: &str = "--mutants";
const EXECUTOR: &str = "executor";

/// Whether the mutants of the executor are asked for. What is malformed is for `firedrill` to complain of.
pub(crate) fn are_asked_for(args: &[OsString]) -> bool {
    at(args).is_some()
}

/// Where the option stands, and of how many words it is.
fn at(args: &[OsString]) -> Option<(usize, usize)> {
    let joined = format!("{OPTION}={EXECUTOR}");
    let one = args.iter().position(|word| *word == *joined);
    let mut pairs = args.windows(2);
    let two = pairs.position(|pair| pair[0] == OPTION && pair[1] == EXECUTOR);
    one.map(|at| (at, 1)).or(two.map(|at| (at, 2)))
}

/// Runs it with the other arguments, and hands on its exit code; cargo's own if the build fails.
pub(crate) fn run(sh: &Shell, args: &[OsString]) -> Result<ExitCode, String> {
    let mut args = args.to_vec();
    if let Some((at, words)) = at(&args) {
        args.drain(at..at + words);
    }
    let (cargo, manifest) = (cargo(), manifest());
    let run = cmd!(
        sh,
        "{cargo} run --quiet --release --manifest-path {manifest} --package mutants -- {args...}"
    );
    let status = Command::from(run)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(code(status.code()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::at;

    #[test]
    fn the_option_is_known_in_either_form() {
        let at = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            at(&words)
        };
        assert_eq!(at(&["--seed", "1", "--mutants", "executor"]), Some((2, 2)));
        assert_eq!(at(&["--mutants=executor", "--list"]), Some((0, 1)));
        assert_eq!(at(&["--mutants", "runbook"]), None);
        assert_eq!(at(&["executor", "--mutants"]), None);
    }
}
