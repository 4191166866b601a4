//! Everything that CI runs, in the order of the cheapest answer first. All steps run even if one fails.

use std::process::ExitCode;

use xshell::{Cmd, Shell, cmd};

use crate::edges;
use crate::firedrill::{cargo, manifest};

/// What no step here does, so that nobody takes green for more than it is.
const LEFT_OUT: [&str; 2] = [
    "drills on a kind cluster: that world is not built yet",
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
                "{cargo} clippy --workspace --all-targets --locked -- -D warnings"
            ),
        ),
    );
    step(
        "clippy, live ports",
        passes(
            "clippy, live ports",
            cmd!(
                sh,
                "{cargo} clippy --package executor --features live --all-targets --locked -- -D warnings"
            ),
        ),
    );
    step(
        "test",
        passes(
            "test",
            cmd!(sh, "{cargo} test --workspace --locked --quiet"),
        ),
    );
    step(
        "test, live ports",
        passes(
            "test, live ports",
            cmd!(
                sh,
                "{cargo} test --package executor --features live --locked --quiet"
            ),
        ),
    );
    step(
        "doc",
        passes(
            "doc",
            cmd!(sh, "{cargo} doc --workspace --no-deps --locked --quiet")
                .env("RUSTDOCFLAGS", "-D warnings"),
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
