//! `rollback`: the executor against a real cluster.
//!
//! Exit codes: 0 done · 1 escalated, triggered or failed · 2 bad input or usage · 3 inconclusive.

mod arguments;
mod commands;
mod console;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(arguments)),
        Err(error) => Err(commands::Failure::failed(format!("no runtime: {error}"))),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            anstream::eprintln!("error: {}", failure.text);
            ExitCode::from(failure.code)
        }
    }
}
