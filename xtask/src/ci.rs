//! Everything that CI runs, in the order of the cheapest answer first. All steps run even if one fails.

mod live;
mod workflows;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use xshell::{Cmd, Shell, cmd};

use crate::edges;
use crate::firedrill::{self, cargo, manifest};

/// What no step here does, so that nobody takes green for more than it is.
const LEFT_OUT: &str = "benchmarks: they measure, they do not judge; run `cargo bench -p benches`";

/// How CI is to run.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Leave the drills on a kind cluster out (some 20 minutes, and Docker)
    #[arg(long)]
    no_kind: bool,
}

/// Runs it; failure if a step failed.
#[expect(
    clippy::disallowed_methods,
    reason = "CI has an hour of real time, and drills that don't fit are left out"
)]
pub(crate) fn run(sh: &Shell, args: Args) -> Result<ExitCode, String> {
    let began = Instant::now();
    let root = manifest();
    let root = root.parent().ok_or("the workspace has no directory")?;
    sh.change_dir(root);
    let cargo = cargo();
    let images = if args.no_kind {
        Err("--no-kind".to_owned())
    } else {
        live::provide()
    };
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
    let mut left_out = vec![LEFT_OUT.to_owned()];
    match workflows::lint(sh) {
        Ok(passed) => step("workflows", passed),
        Err(why) => left_out.push(why),
    }
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
    println!("ci: kind drills");
    let live = match live::drill(sh, images, || began.elapsed()) {
        Ok(drilled) => {
            step("kind drills", drilled.failed.is_empty());
            let whys = drilled.left_out.iter();
            left_out.extend(whys.map(|why| format!("kind drills: {why}")));
            let repeated = match drilled.repeated.as_slice() {
                [] => String::new(),
                names => format!(" ({} only when repeated)", names.join(", ")),
            };
            format!(
                "{} passed{repeated}, {} failed, {} left out",
                drilled.passed,
                drilled.failed.len(),
                drilled.left_out.len()
            )
        }
        Err(why) => {
            step("kind drills", false);
            why
        }
    };
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
    println!("ci: kind drills: {live}");
    for what in left_out {
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
