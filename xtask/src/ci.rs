//! Everything that CI runs, in the order of the cheapest answer first. All steps run even if one fails.

use std::ffi::OsString;
use std::process::ExitCode;

use xshell::{Cmd, Shell, cmd};

use crate::edges;
use crate::firedrill::{self, cargo, manifest};

/// What no step here does, so that nobody takes green for more than it is.
const LEFT_OUT: [&str; 2] = [
    "drills on a kind cluster: some six minutes each; run `cargo xtask chaos --world kind`",
    "benchmarks: they measure, they do not judge; run `cargo bench -p benches`",
];

/// Runs it; failure if a step failed.
pub(crate) fn run(sh: &Shell) -> Result<ExitCode, String> {
    let root = manifest();
    sh.change_dir(root.parent().ok_or("the workspace has no directory")?);
    let cargo = cargo();
    let mut failed: Vec<&str> = Vec::new();
    let mut step = |name: &'static str, ok: bool| {
        if !ok {
            failed.push(name);
        }
    };
    step("fmt", passes("fmt", cmd!(sh, "{cargo} fmt --all --check")));
    step(
        "edges",
        edges::run(sh).is_ok_and(|code| code == ExitCode::SUCCESS),
    );
    step(
        "clippy",
        passes(
            "clippy",
            cmd!(
                sh,
                "{cargo} clippy --workspace --all-targets --all-features --locked -- -D warnings"
            ),
        ),
    );
    step(
        "doc",
        passes(
            "doc",
            cmd!(
                sh,
                "{cargo} doc --workspace --all-features --no-deps --locked --quiet"
            )
            .env("RUSTDOCFLAGS", "-D warnings"),
        ),
    );
    println!("ci: drills");
    let drills = ["--seeds", "20"].map(OsString::from);
    step(
        "drills",
        firedrill::run(sh, "chaos", &drills).is_ok_and(|code| code == ExitCode::SUCCESS),
    );
    // Last, so that the runner's closing lines end the output.
    step(
        "test",
        passes(
            "test",
            cmd!(
                sh,
                "{cargo} test --workspace --all-features --locked --no-fail-fast"
            ),
        ),
    );
    for what in LEFT_OUT {
        println!("ci: left out: {what}");
    }
    if failed.is_empty() {
        println!("ci: passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("ci: failed: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

fn passes(name: &str, command: Cmd<'_>) -> bool {
    println!("ci: {name}");
    command.quiet().run().is_ok()
}
