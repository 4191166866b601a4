//! `rollback`: the executor against a real cluster.
//!
//! `--json` writes the format `rollback/1` ([`contract::wire`]): one JSON object a line, the result last.
//!
//! Exit codes: 0 done · 1 escalated, triggered or failed · 2 bad input or usage, or something that nobody allowed ·
//! 3 inconclusive · 130 stopped by Ctrl-C, SIGTERM or SIGHUP.

mod arguments;
mod ask;
mod commands;
mod connect;
mod db;
mod db_command;
mod no_database;
mod show;
mod signals;
#[cfg(test)]
mod written;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            show::complain(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(commands::run(arguments));
    // Nothing that is still under way may hold up the end: a question nobody answered, for instance.
    runtime.shutdown_background();
    ExitCode::from(code)
}
