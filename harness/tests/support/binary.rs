//! What tests of the binary share: how it is run.

use std::process::{Command, Output};

/// `firedrill` with `args`, without colours. What it keeps of its last run is below the target folder.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command
        .args(args)
        .env("NO_COLOR", "1")
        .env("FIREDRILL_STATE", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs `firedrill` with `args`.
pub(crate) fn firedrill(args: &[&str]) -> Output {
    command(args)
        .output()
        .expect("the binary was built for this test")
}
