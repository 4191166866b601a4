//! The dependencies' licences, sources, bans and known vulnerabilities, by cargo-deny (`deny.toml`): the one that is
//! installed, else the one that cargo installs into the cache.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::firedrill::cargo;
use crate::images::{Cache, program};

/// The version that is installed where there is none. Built without optimisation it takes a minute on two cores,
/// and checks in seconds.
const CARGO_DENY: &str = "0.20.2";

/// What a check came to.
pub(super) struct Checked {
    /// Whether nothing was found.
    pub(super) passed: bool,
    /// What could not be checked, and why.
    pub(super) left_out: Option<String>,
}

/// Checks those of the workspace, or says why it could not be done.
pub(super) fn check(sh: &Shell) -> Result<Checked, String> {
    println!("ci: dependencies");
    let deny = provide(sh).map_err(|why| format!("dependencies: {why}"))?;
    let what = ["licenses", "bans", "sources"];
    let listed = cmd!(sh, "{deny} --locked check --hide-inclusion-graph {what...}");
    let mut passed = listed.quiet().run().is_ok();
    // Without the database nothing is known; with an old one, too little.
    let fetched = cmd!(sh, "{deny} fetch db").quiet().ignore_stderr();
    let left_out = match fetched.run() {
        Ok(()) => {
            let known = cmd!(sh, "{deny} --locked check --disable-fetch advisories");
            passed &= known.quiet().run().is_ok();
            None
        }
        Err(_) => Some("advisories: the database of RustSec can't be fetched".to_owned()),
    };
    Ok(Checked { passed, left_out })
}

fn provide(sh: &Shell) -> Result<PathBuf, String> {
    if let Some(found) = program("cargo-deny") {
        return Ok(found);
    }
    let bin = Cache::open()?.bin();
    let root = bin.parent().ok_or("the cache has no directory")?;
    let cargo = cargo();
    let install = cmd!(
        sh,
        "{cargo} install cargo-deny --version {CARGO_DENY} --locked --debug --quiet --root {root}"
    );
    install
        .quiet()
        .run()
        .map_err(|error| format!("cannot install cargo-deny: {error}"))?;
    Ok(bin.join("cargo-deny"))
}
