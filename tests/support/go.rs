//! Building the Go programs of the tests. Each test that needs one has this file as a module, by its path.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Builds the program in the folder `source` as `program`. Where Go or a module is missing it says so, and that
/// `this_is_left_out`; `false` then.
///
/// # Panics
/// The program does not build.
pub(crate) fn build(source: &Path, program: &Path, this_is_left_out: &str) -> bool {
    if let Err(why) = download(source) {
        // Past the test runner's capture: what is left out is not passed.
        let mut out = std::io::stderr();
        let _ = writeln!(out, "LEFT OUT: {this_is_left_out}: {why}");
        return false;
    }
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(program).arg(".");
    let built = go.current_dir(source).output().expect("Go was just there");
    let why = String::from_utf8_lossy(&built.stderr);
    let place = source.display();
    assert!(built.status.success(), "{place} does not build: {why}");
    true
}

/// Brings the program's modules.
fn download(source: &Path) -> Result<(), String> {
    let mut go = Command::new("go");
    go.args(["mod", "download"]).current_dir(source);
    match go.output() {
        Err(why) => Err(format!("no Go on this machine ({why})")),
        Ok(done) if !done.status.success() => {
            let why = String::from_utf8_lossy(&done.stderr);
            Err(format!("Go's modules can't be had here: {}", why.trim()))
        }
        Ok(_) => Ok(()),
    }
}
