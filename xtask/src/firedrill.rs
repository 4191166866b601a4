//! Builds the `firedrill` binary in release mode and becomes it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use xshell::{Shell, cmd};

/// Runs `firedrill COMMAND ARGS…` and hands on its exit code; cargo's own if the build fails.
pub(crate) fn run(sh: &Shell, command: &str, args: &[OsString]) -> Result<ExitCode, String> {
    let cargo = cargo();
    // By package and manifest, so that it works from any directory inside the workspace.
    let manifest = manifest();
    let build = cmd!(
        sh,
        "{cargo} build --release --manifest-path {manifest} --package firedrill --bin firedrill --quiet"
    );
    let built = Command::from(build.quiet())
        .status()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !built.success() {
        return Ok(code(built.code()));
    }
    let binary = target_directory(sh)?
        .join("release")
        .join(format!("firedrill{}", std::env::consts::EXE_SUFFIX));
    let status = Command::new(&binary)
        .arg(command)
        .args(args)
        // Its allocator takes memory as it needs it, not in huge pages ahead: 50 MB less a core.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .status()
        .map_err(|e| format!("cannot run {}: {e}", binary.display()))?;
    Ok(code(status.code()))
}

/// A process that a signal ended has no code; on Ctrl-C that is 130.
fn code(code: Option<i32>) -> ExitCode {
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

fn target_directory(sh: &Shell) -> Result<PathBuf, String> {
    let metadata = metadata(sh)?;
    let directory = metadata["target_directory"]
        .as_str()
        .ok_or("cargo metadata names no target directory")?;
    Ok(PathBuf::from(directory))
}
