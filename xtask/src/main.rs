//! Firedrill's build tool: `cargo xtask chaos`, `search`, `serve`, `forecast`, `budget`, `list`, `show`, `new`,
//! `check`, `replay`, `report`, `runbook`, `campaign` and `completions` build the `firedrill` binary in release mode
//! and run it; `ci` runs everything that CI runs; `edges` checks the structure.
//!
//! Thin on purpose: arguments of the commands that are passed on are `firedrill`'s own, and so is the exit code.

mod campaign;
mod ci;
mod circles;
#[cfg(test)]
mod command_lines;
mod conformance;
mod copies;
mod dist;
mod edges;
mod firedrill;
mod images;
mod kind;
mod lengths;
mod mod_files;
mod mutants;
mod openapi;
mod protobuf;
mod sources;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xshell::Shell;

/// Builds and runs Firedrill.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    after_help = "The help of each command has examples and exit codes: cargo xtask chaos --help",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_version_flag = true
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run scenarios, each with many seeds (`cargo xtask chaos --help` lists the options)
    #[command(disable_help_flag = true)]
    Chaos(Passed),
    /// Draw drills that nobody wrote down, and find the smallest case of each class of failure
    #[command(disable_help_flag = true)]
    Search(Passed),
    /// Run `chaos` or `search` in many pods of a cluster, and merge what they found
    #[command(disable_help_flag = true)]
    Campaign(Passed),
    /// List scenarios, releases, faults, triggers, or the keys of a scenario file
    #[command(disable_help_flag = true)]
    List(Passed),
    /// How long a rollback of each workload takes, from manifests alone
    #[command(disable_help_flag = true)]
    Forecast(Passed),
    /// Where the time of a rollback goes, and what each parameter is worth
    #[command(disable_help_flag = true)]
    Budget(Passed),
    /// Show everything about a scenario, a release, a fault or a trigger
    #[command(disable_help_flag = true)]
    Show(Passed),
    /// Write a scenario to begin with
    #[command(disable_help_flag = true)]
    New(Passed),
    /// Name every mistake in scenarios and runbooks
    #[command(disable_help_flag = true)]
    Check(Passed),
    /// Run one drill again, and show its timeline
    #[command(disable_help_flag = true)]
    Replay(Passed),
    /// Serve the simulated world to a person or a tool, who work on it by hand
    #[command(disable_help_flag = true)]
    Serve(Passed),
    /// Make the reports again from journals, or merge those of several runs
    #[command(disable_help_flag = true)]
    Report(Passed),
    /// Look at runbooks
    #[command(disable_help_flag = true)]
    Runbook(Passed),
    /// Print what a shell needs to complete the command line of `firedrill`
    #[command(disable_help_flag = true)]
    Completions(Passed),
    /// A cluster for live drills
    #[command(subcommand)]
    Kind(kind::Command),
    /// Build static programs and images of `firedrill` and `rollback`
    Dist(dist::Args),
    /// What the live world is made of
    Images(images::Args),
    /// Everything that CI runs
    Ci(ci::Args),
    /// Check the structure: who knows whom, circles of modules, copies, and lengths
    Edges,
    /// Play a session of kubectl commands on the simulated API server, or on a real one, and compare the answers
    #[command(disable_help_flag = true)]
    Conformance(Passed),
    /// Cut the API descriptions of a Kubernetes release down to what the simulated API server serves
    Openapi(openapi::Args),
    /// Write down how the messages of the Kubernetes API are numbered, for what reads protobuf
    Protobuf(protobuf::Args),
}

#[derive(Debug, clap::Args)]
struct Passed {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let done = Shell::new()
        .map_err(|e| e.to_string())
        .and_then(|sh| match task {
            Task::Chaos(passed) => firedrill::run(&sh, "chaos", &passed.args),
            Task::Search(passed) if mutants::are_asked_for(&passed.args) => {
                mutants::run(&sh, &passed.args)
            }
            Task::Search(passed) => firedrill::run(&sh, "search", &passed.args),
            Task::Campaign(passed) => campaign::run(&sh, &passed.args),
            Task::Forecast(passed) => firedrill::run(&sh, "forecast", &passed.args),
            Task::Budget(passed) => firedrill::run(&sh, "budget", &passed.args),
            Task::List(passed) => firedrill::run(&sh, "list", &passed.args),
            Task::Show(passed) => firedrill::run(&sh, "show", &passed.args),
            Task::New(passed) => firedrill::run(&sh, "new", &passed.args),
            Task::Check(passed) => firedrill::run(&sh, "check", &passed.args),
            Task::Completions(passed) => firedrill::run(&sh, "completions", &passed.args),
            Task::Replay(passed) => firedrill::run(&sh, "replay", &passed.args),
            Task::Serve(passed) => firedrill::run(&sh, "serve", &passed.args),
            Task::Report(passed) => firedrill::run(&sh, "report", &passed.args),
            Task::Runbook(passed) => firedrill::run(&sh, "runbook", &passed.args),
            Task::Kind(command) => Ok(kind::run(&sh, &command)),
            Task::Dist(args) => dist::run(&sh, &args),
            Task::Images(args) => Ok(images::run(&sh, &args)),
            Task::Ci(args) => ci::run(&sh, args),
            Task::Edges => edges::run(&sh),
            Task::Conformance(passed) => conformance::run(&sh, &passed.args),
            Task::Openapi(args) => openapi::run(&args),
            Task::Protobuf(args) => protobuf::run(&args),
        });
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, command_lines};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_line_in_workflows_and_documents_is_understood() {
        let written = command_lines::beginning_with("cargo xtask");
        assert!(written.len() > 10, "{written:?}");
        for line in written {
            let words = std::iter::once("cargo xtask".to_owned()).chain(line.words);
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{}: {error}", line.place);
            }
        }
    }
}
