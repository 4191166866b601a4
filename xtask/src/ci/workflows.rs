//! The lint of the GitHub workflows, by actionlint: the one that is installed,
//! else the one that Go installs into the cache.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::images::{Cache, program};

/// The Go module and version that is installed where there is none.
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// Lints those of the workspace; whether it passed, or why it could not be done.
pub(super) fn lint(sh: &Shell) -> Result<bool, String> {
    println!("ci: workflows");
    let actionlint = provide(sh).map_err(|why| format!("workflows: {why}"))?;
    Ok(cmd!(sh, "{actionlint}").quiet().run().is_ok())
}

fn provide(sh: &Shell) -> Result<PathBuf, String> {
    if let Some(found) = program("actionlint") {
        return Ok(found);
    }
    let go = program("go").ok_or_else(|| {
        format!("neither actionlint nor Go is installed; go install {ACTIONLINT}")
    })?;
    let directory = Cache::open()?.bin();
    let install = cmd!(sh, "{go} install {ACTIONLINT}").env("GOBIN", &directory);
    install
        .quiet()
        .ignore_stdout()
        .run()
        .map_err(|error| format!("cannot install actionlint: {error}"))?;
    Ok(directory.join("actionlint"))
}
