//! `firedrill`: drills on rollbacks, from the command line.
//!
//! Exit codes: 0 all passed, 1 a drill failed, 2 bad input or usage, 3 inconclusive and none failed, 4 the
//! world could not be built, 130 interrupted.

mod args;
mod benchmark;
mod calibrate;
mod chaos;
mod compare;
mod exit;
mod input;
mod replay;
mod report;
mod runbook;
mod shell;
mod terminal;
mod verify;
#[cfg(test)]
mod written;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, RunbookCommand};

/// Drills allocate much and in small pieces; the system's allocator costs a fifth of the speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Chaos(args) => chaos::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Completions(args) => Ok(shell::completions(&args)),
        Command::Man(args) => shell::man(&args),
        Command::Report(args) => report::run(&args),
        Command::Benchmark(args) => benchmark::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Runbook {
            command: RunbookCommand::Check(args),
        } => runbook::check(&args),
        Command::Runbook {
            command: RunbookCommand::Verify(args),
        } => verify::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}
