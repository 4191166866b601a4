//! `firedrill completions` and `firedrill man`: both come from the parser itself.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use crate::args::Cli;
use crate::exit::Failure;
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where; made if it is not there
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
}

/// The variable that a shell's script sets to ask this program for completions.
pub(crate) const VARIABLE: &str = "FIREDRILL_COMPLETE";

/// Answers a shell that asks what a word may be completed to, and ends the program then.
pub(crate) fn complete() {
    CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .complete();
}

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<u8, Failure> {
    terminal::say_raw(&script(args.shell)?);
    Ok(0)
}

/// The script for `shell`: it asks this very program, so that it knows the names of scenarios, releases and faults.
fn script(shell: Shell) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::input(
            format!("there is no script for {shell}: {error}"),
            "the shells are bash, elvish, fish, powershell and zsh",
        )
    };
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let shells = Shells::builtins();
    let known = shells.completer(&shell.to_string());
    let completer = known.ok_or_else(|| failed(&"it is not known"))?;
    let mut script = Vec::new();
    let program = program.to_string_lossy();
    completer
        .write_registration(VARIABLE, "firedrill", "firedrill", &program, &mut script)
        .map_err(|error| failed(&error))?;
    Ok(script)
}

/// Writes the pages, one for each command.
pub(crate) fn man(args: &ManArgs) -> Result<u8, Failure> {
    let directory = &args.directory;
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .map_err(|error| {
            Failure::input(
                format!("{}: {error}", directory.display()),
                "name a directory that can be written to",
            )
        })?;
    terminal::say(&format!("manual pages: {}", directory.display()));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell::{Bash, Elvish, Fish, PowerShell, Zsh};

    use super::{VARIABLE, script};

    #[test]
    fn every_shell_gets_a_script_that_asks_this_program() {
        for shell in [Bash, Elvish, Fish, PowerShell, Zsh] {
            let script = script(shell).expect("it is known");
            let script = String::from_utf8_lossy(&script).into_owned();
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
    }
}
