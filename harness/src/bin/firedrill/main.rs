//! `firedrill`: drills on rollbacks, from the command line.
//!
//! Exit codes: 0 all passed, 1 a drill failed, 2 bad input or usage, 3 inconclusive and none failed, 4 the
//! world could not be built, 130 interrupted by Ctrl-C or SIGTERM.

mod args;
mod benchmark;
mod budget;
mod calibrate;
mod campaign;
mod chaos;
mod check;
mod compare;
mod complete;
mod context;
mod database;
mod exit;
mod files;
mod forecast;
mod help;
mod input;
mod interrupt;
mod last_failed;
mod list;
mod meta;
mod mutants;
mod new;
mod new_application;
mod outside;
mod progress;
mod replay;
mod report;
mod search;
mod select;
mod serve;
mod served;
mod shard;
mod shell;
mod show;
mod snippets;
mod terminal;
mod verify;
mod work;
#[cfg(test)]
mod written;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command, RunbookCommand};

/// Drills allocate much and in small pieces; the system's allocator costs a fifth of the speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shell::complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    firedrill::token::called_as(terminal::called());
    let done = match cli.command {
        Command::Chaos(args) => chaos::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Campaign(args) => campaign::run(&args),
        Command::Shard(args) => shard::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Budget(args) => budget::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::New(args) => new::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Report(args) => report::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Tool(args) => outside::tool(&args),
        Command::Benchmark(args) => benchmark::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Runbook {
            command: RunbookCommand::Check(args),
        } => check::runbook(&args),
        Command::Runbook {
            command: RunbookCommand::Verify(args),
        } => verify::run(&args),
    };
    let code = match done {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    };
    ended(code)
}

/// The exit code, or that of bad usage if all went well and nobody could read of it.
fn ended(code: u8) -> ExitCode {
    let Some(why) = terminal::unwritten() else {
        return ExitCode::from(code);
    };
    terminal::complain(&format!("error: cannot write to standard output: {why}"));
    ExitCode::from(if code == 0 { 2 } else { code })
}

/// Shows what clap has to say: help on standard output, mistakes on standard error. It repeats the arguments.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if executor::printable(&text) == text {
        // With its colours.
        let _ = error.print();
    } else {
        terminal::complain(&text);
    }
    ExitCode::from(code)
}
