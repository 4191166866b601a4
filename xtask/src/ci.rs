//! Everything that CI runs, in the order of the cheapest answer first. All steps run even if one fails.

mod dependencies;
mod live;
mod workflows;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use xshell::{Cmd, Shell, cmd};

use crate::firedrill::{self, cargo, manifest};
use crate::images;
use crate::{conformance, edges};

/// What no step here does, so that nobody takes green for more than it is.
const LEFT_OUT: &str = "benchmarks: they measure, they do not judge, and are only compiled; run `cargo test -p benches` and `cargo bench -p benches`";

/// What the tests leave out where Go is not installed.
const NO_REFERENCE: &str =
    "the comparison with the controllers of Kubernetes: no Go on this machine";

/// The folder of what drills and tests are built with.
const PROFILE: &str = "debug";

/// What the tests leave out where there is no kubectl.
const NO_KUBECTL: &str =
    "the session of kubectl commands and the drills of shell scripts: no kubectl on this machine";

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
    let mut steps = Steps::default();
    steps.take("fmt", || {
        passes("fmt", cmd!(sh, "{cargo} fmt --all --check"))
    });
    steps.take("edges", || {
        edges::run(sh).is_ok_and(|code| code == ExitCode::SUCCESS)
    });
    let mut left_out = vec![LEFT_OUT.to_owned()];
    if cmd!(sh, "go version")
        .quiet()
        .ignore_stdout()
        .run()
        .is_err()
    {
        left_out.push(NO_REFERENCE.to_owned());
    }
    steps.take("workflows", || match workflows::lint(sh) {
        Ok(passed) => passed,
        Err(why) => {
            left_out.push(why);
            true
        }
    });
    steps.take("dependencies", || match dependencies::check(sh) {
        Ok(checked) => {
            left_out.extend(checked.left_out);
            checked.passed
        }
        Err(why) => {
            left_out.push(why);
            true
        }
    });
    steps.take("clippy", || {
        passes(
            "clippy",
            cmd!(
                sh,
                "{cargo} clippy --workspace --all-targets --all-features --locked -- -D warnings"
            ),
        )
    });
    // What people get who run simulated drills only: it must be without a warning, too.
    steps.take("clippy of the first command", || {
        passes(
            "clippy of the first command",
            cmd!(
                sh,
                "{cargo} clippy --package firedrill --bin firedrill --locked -- -D warnings"
            ),
        )
    });
    steps.take("doc", || {
        passes(
            "doc",
            cmd!(
                sh,
                "{cargo} doc --workspace --all-features --no-deps --locked --quiet"
            )
            .env("RUSTDOCFLAGS", "-D warnings"),
        )
    });
    // What other projects build against their own tests: without anything of this workspace that is not published.
    steps.take("packages", || {
        passes(
            "packages",
            cmd!(
                sh,
                "{cargo} package --package promql --package sim --locked --allow-dirty --quiet"
            ),
        )
    });
    let program = firedrill::binary(&firedrill::target_directory(sh)?, PROFILE);
    steps.take("build", || passes("build", test(sh).arg("--no-run")));
    steps.take("drills", || {
        println!("ci: drills");
        let drills = ["--all", "--seeds", "8"].map(OsString::from);
        let ran = firedrill::run_built(sh, &program, "chaos", &drills);
        ran.is_ok_and(|code| code == ExitCode::SUCCESS)
    });
    println!("ci: kind drills");
    let mut drilled = Err("not begun".to_owned());
    steps.take("kind drills", || {
        drilled = live::drill(sh, &program, images, || began.elapsed());
        drilled.as_ref().is_ok_and(|it| it.failed.is_empty())
    });
    let live = match &drilled {
        Ok(drilled) => {
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
        Err(why) => why.clone(),
    };
    // The images were made, and kubectl with them.
    let kubectl = images::program("kubectl");
    if kubectl.is_none() {
        left_out.push(NO_KUBECTL.to_owned());
    }
    // Minutes for the first time, and nothing afterwards: the cache keeps them.
    let mut older = None;
    steps.take("older kubectls", || {
        match older_kubectls(sh) {
            Ok(joined) => older = Some(joined),
            Err(why) => left_out.push(format!("the session of older kubectls: {why}")),
        }
        true
    });
    // Last, so that the runner's closing lines end the output.
    steps.take("test", || {
        let named = kubectl.map(|path| (conformance::KUBECTL, path.into()));
        let older = older.map(|paths| (conformance::OLDER, paths));
        passes("test", test(sh).envs(named.into_iter().chain(older)))
    });
    println!("ci: kind drills: {live}");
    for what in drilled.iter().flat_map(|it| &it.failed) {
        println!("ci: kind drill failed: {what}");
    }
    for what in left_out {
        println!("ci: left out: {what}");
    }
    println!("ci: {}", steps.times());
    let failed = steps.failed();
    if failed.is_empty() {
        println!("ci: passed");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("ci: failed: {}", failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

/// The older kubectls as the tests take them; why not, if they can't be had.
fn older_kubectls(sh: &Shell) -> Result<OsString, String> {
    println!("ci: older kubectls");
    let paths = images::older_kubectls(sh)?;
    std::env::join_paths(paths).map_err(|error| error.to_string())
}

/// All tests, with everything that the drills run: it is built once. The benchmarks are left to clippy: what they
/// compare with takes minutes to build.
fn test(sh: &Shell) -> Cmd<'_> {
    let cargo = cargo();
    let tests = cmd!(
        sh,
        "{cargo} test --workspace --exclude benches --all-features --locked --no-fail-fast"
    );
    // A panic names its place without debug information, and the programs are linked faster. What is built only once
    // need not be incremental: that takes twice the time.
    tests
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .env("CARGO_INCREMENTAL", "0")
}

/// The steps that CI took, in order.
#[derive(Default)]
struct Steps(Vec<Step>);

struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Takes one, and notes how long it took.
    #[expect(
        clippy::disallowed_methods,
        reason = "CI says what it spends its hour of real time on"
    )]
    fn take(&mut self, name: &'static str, step: impl FnOnce() -> bool) {
        let began = Instant::now();
        let passed = step();
        let took = began.elapsed();
        self.0.push(Step { name, took, passed });
    }

    fn failed(&self) -> Vec<&'static str> {
        let failed = self.0.iter().filter(|step| !step.passed);
        failed.map(|step| step.name).collect()
    }

    /// What each took, in minutes.
    fn times(&self) -> String {
        let minutes = |took: Duration| took.as_secs_f64() / 60.0;
        let each = self.0.iter().map(|step| {
            let Step { name, took, .. } = step;
            format!("{name} {:.1}", minutes(*took))
        });
        let all = self.0.iter().map(|step| step.took).sum();
        let each: Vec<String> = each.collect();
        format!("{:.1} minutes: {}", minutes(all), each.join(", "))
    }
}

fn passes(name: &str, command: Cmd<'_>) -> bool {
    println!("ci: {name}");
    command.quiet().run().is_ok()
}
