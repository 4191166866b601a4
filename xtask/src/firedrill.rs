//! Builds the `firedrill` binary in release mode and becomes it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use xshell::{Cmd, Shell, cmd};

use crate::images::{WORLD, program, provide_dex};
use crate::kind;
use crate::kind::owner::tied_to_us;

/// What simulated drills need.
const SIMULATED: &[&str] = &["--package=firedrill", "--bin=firedrill"];
/// What live drills need: the executor's own program as well, which some of them kill.
pub(crate) const LIVE: &[&str] = &[
    "--package=firedrill",
    "--bin=firedrill",
    "--features=firedrill/kind",
    "--package=executor",
    "--bin=rollback",
    "--features=executor/live",
];

/// The variable that names the folder in which `firedrill` keeps what did not pass in the last run.
const STATE: &str = "FIREDRILL_STATE";

/// Where the program comes from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Built in release mode, with what simulated drills need or, if so, live ones.
    Release { live: bool },
    /// Built already, with all features.
    Built(&'a Path),
}

/// Runs `firedrill COMMAND ARGS…` and hands on its exit code; cargo's own if the build fails.
pub(crate) fn run(sh: &Shell, command: &str, args: &[OsString]) -> Result<ExitCode, String> {
    if asks_for_kind(args) {
        return run_live(sh, command, args);
    }
    perform(sh, Source::Release { live: false }, command, args)
}

/// The same on a real cluster, which is made for this process unless there is one.
pub(crate) fn run_live(sh: &Shell, command: &str, args: &[OsString]) -> Result<ExitCode, String> {
    run_on_kind(sh, Source::Release { live: true }, command, args)
}

/// The same with `program`, which was built before with all features.
pub(crate) fn run_built(
    sh: &Shell,
    program: &Path,
    command: &str,
    args: &[OsString],
) -> Result<ExitCode, String> {
    let source = Source::Built(program);
    if asks_for_kind(args) {
        run_on_kind(sh, source, command, args)
    } else {
        perform(sh, source, command, args)
    }
}

/// In simulation, with the build that live drills need: whoever runs both builds once.
pub(crate) fn run_with_live_build(
    sh: &Shell,
    command: &str,
    args: &[OsString],
) -> Result<ExitCode, String> {
    perform(sh, Source::Release { live: true }, command, args)
}

/// Builds by package and manifest, so that it works from any directory inside the workspace.
fn build<'a>(sh: &'a Shell, what: &[&str]) -> Cmd<'a> {
    let (cargo, manifest) = (cargo(), manifest());
    let is_first = target_directory(sh).is_ok_and(|target| !binary(&target, "release").exists());
    if is_first {
        eprintln!("building firedrill, which takes some minutes the first time");
    }
    // The first time, cargo shows how far it is.
    let quiet = (!is_first).then_some("--quiet");
    let build = cmd!(
        sh,
        "{cargo} build --release --manifest-path {manifest} {what...} {quiet...}"
    );
    build.quiet()
}

/// The program that is built below `target` with a profile.
pub(crate) fn binary(target: &Path, profile: &str) -> PathBuf {
    target
        .join(profile)
        .join(format!("firedrill{}", std::env::consts::EXE_SUFFIX))
}

fn run_on_kind(
    sh: &Shell,
    source: Source<'_>,
    command: &str,
    args: &[OsString],
) -> Result<ExitCode, String> {
    // The exchange of this very source, not the one of last week.
    if let Err(error) = provide_dex(sh) {
        eprintln!("error: {error}");
        return Ok(ExitCode::from(WORLD));
    }
    with_cluster(sh, || perform(sh, source, command, args))
}

/// Does `work` on a cluster, which is made for this process and removed afterwards, unless somebody made one to stay.
pub(crate) fn with_cluster(
    sh: &Shell,
    work: impl FnOnce() -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    let owner = Some(std::process::id());
    let up = kind::run(sh, &kind::Command::Up { owner });
    if up != ExitCode::SUCCESS {
        return Ok(up);
    }
    // However the work ends, there is a cluster to remove here.
    outlive_ctrl_c();
    let done = work();
    if !is_kept() {
        kind::run(sh, &kind::Command::Down);
    }
    done
}

/// Ctrl-C is for `firedrill`, which reports what was done and clears up. If this process ended at once, `firedrill`
/// would be told to end for a second time, and then it ends without a report.
fn outlive_ctrl_c() {
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default());
}

/// Whether the cluster was made by hand, to stay.
fn is_kept() -> bool {
    kind::state_directory()
        .ok()
        .and_then(|directory| std::fs::read_to_string(directory.join("cluster.json")).ok())
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .is_some_and(|facts| facts["owner"] == "hand")
}

/// Whether drills on a real cluster are asked for. What is malformed is for `firedrill` to complain of.
fn asks_for_kind(args: &[OsString]) -> bool {
    args.iter().any(|word| word == "--world=kind")
        || args
            .windows(2)
            .any(|pair| pair[0] == "--world" && pair[1] == "kind")
}

fn perform(
    sh: &Shell,
    source: Source<'_>,
    command: &str,
    args: &[OsString],
) -> Result<ExitCode, String> {
    let target = target_directory(sh)?;
    let program = match source {
        Source::Built(program) => program.to_owned(),
        Source::Release { live } => {
            let build = build(sh, if live { LIVE } else { SIMULATED });
            let built = Command::from(build)
                .status()
                .map_err(|e| format!("cannot run cargo: {e}"))?;
            if !built.success() {
                return Ok(code(built.code()));
            }
            binary(&target, "release")
        }
    };
    hand_over(&program, &target, command, args)
}

/// Runs `BINARY COMMAND ARGS…` and hands on its exit code. What it keeps is below `target`.
pub(crate) fn hand_over(
    binary: &Path,
    target: &Path,
    command: &str,
    args: &[OsString],
) -> Result<ExitCode, String> {
    outlive_ctrl_c();
    // If we are killed, a drill in real time ends as by Ctrl-C, and clears up.
    let (first, before) = tied_to_us(binary.to_owned(), "TERM");
    let mut run = Command::new(first);
    // The commands that it prints can then be pasted.
    run.args(before).env("FIREDRILL_CALLED_AS", "cargo xtask");
    if std::env::var_os(STATE).is_none() {
        run.env(STATE, target.join("firedrill"));
    }
    for (tool, variable) in [
        ("docker", "FIREDRILL_DOCKER"),
        ("kubectl", "FIREDRILL_KUBECTL"),
    ] {
        if let Some(path) = program(tool) {
            run.env(variable, path);
        }
    }
    let status = run
        .arg(command)
        .args(args)
        .status()
        .map_err(|e| format!("cannot run {}: {e}", binary.display()))?;
    Ok(code(status.code()))
}

/// A process that a signal ended has no code; on Ctrl-C that is 130.
pub(crate) fn code(code: Option<i32>) -> ExitCode {
    ExitCode::from(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(130))
}

/// The cargo that runs this.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsStr::new("cargo").to_owned())
}

/// The workspace's manifest.
pub(crate) fn manifest() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
}

/// What `cargo metadata` says of the workspace's own packages.
pub(crate) fn metadata(sh: &Shell) -> Result<serde_json::Value, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let text = cmd!(
        sh,
        "{cargo} metadata --format-version 1 --no-deps --manifest-path {manifest}"
    )
    .quiet()
    .read()
    .map_err(|e| e.to_string())?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))
}

/// Where cargo builds.
pub(crate) fn target_directory(sh: &Shell) -> Result<PathBuf, String> {
    let metadata = metadata(sh)?;
    let directory = metadata["target_directory"]
        .as_str()
        .ok_or("cargo metadata names no target directory")?;
    Ok(PathBuf::from(directory))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::asks_for_kind;

    #[test]
    fn the_live_world_is_asked_for_in_either_form() {
        let asks = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            asks_for_kind(&words)
        };
        assert!(asks(&["latency-regression", "--world", "kind"]));
        assert!(asks(&["--world=kind", "--seeds", "1"]));
        assert!(!asks(&["kind", "--world", "sim"]));
        assert!(!asks(&["--world"]));
    }
}
