//! `cargo xtask conformance`: builds the program `conformance` in release mode and becomes it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use xshell::{Shell, cmd};

use crate::firedrill::{cargo, code, manifest};
use crate::images::program;

/// The variable that names the kubectl that is played with.
pub(crate) const KUBECTL: &str = "FIREDRILL_KUBECTL";

/// Runs it with `args`, and hands on its exit code; cargo's own if the build fails.
pub(crate) fn run(sh: &Shell, args: &[OsString]) -> Result<ExitCode, String> {
    let (cargo, manifest) = (cargo(), manifest());
    let run = cmd!(
        sh,
        "{cargo} run --quiet --release --manifest-path {manifest} --package conformance -- {args...}"
    );
    let mut run = Command::from(run);
    if std::env::var_os(KUBECTL).is_none()
        && let Some(kubectl) = program("kubectl")
    {
        run.env(KUBECTL, kubectl);
    }
    let status = run
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(code(status.code()))
}
