//! What tests of the binary share: how it is run.

use std::process::{Command, Output};

/// Runs `firedrill` with `args`, without colours.
pub(crate) fn firedrill(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test")
}
