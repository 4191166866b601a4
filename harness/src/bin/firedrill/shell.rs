//! `firedrill completions` and `firedrill man`: both come from the parser itself.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::args::Cli;
use crate::exit::Failure;
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where; made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

/// Prints the script.
pub(crate) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "firedrill", &mut script);
    terminal::say_raw(&script);
    0
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
    use clap::CommandFactory as _;
    use clap_complete::Shell::{Bash, Fish, Zsh};

    use crate::args::Cli;

    #[test]
    fn every_shell_gets_completions_for_every_command() {
        for shell in [Bash, Zsh, Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "firedrill", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
            assert!(script.contains("seeds"), "{shell}: options too");
        }
    }
}
