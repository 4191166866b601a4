//! The executors in `examples/executors` are drilled as their pages in the book say. What a machine lacks (kubectl, the
//! Python client, Go and its modules, Helm) is named, and its drills are left out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a program can be run with these arguments.
fn runs(program: impl Into<OsString>, arguments: &[&str]) -> bool {
    let program = program.into();
    let run = Command::new(program).args(arguments).output();
    run.is_ok_and(|done| done.status.success())
}

/// The search path, with the folder of the kubectl that CI names before everything else; `None`: there is no kubectl.
fn path_with_kubectl() -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("FIREDRILL_KUBECTL").map(PathBuf::from);
    let folder = named.as_deref().and_then(Path::parent);
    let folders = folder.map(Path::to_owned).into_iter();
    let folders: Vec<PathBuf> = folders.chain(std::env::split_paths(&path)).collect();
    let found = folders.iter().any(|folder| folder.join("kubectl").is_file());
    found.then(|| std::env::join_paths(folders).expect("they come from a path"))
}

/// Says on standard output what is left out.
fn left_out(why: &str) {
    println!("left out: {why}");
}

/// Drills `scenario` by `executor`; what `chaos --format json` says of each drill.
fn drill(scenario: &str, executor: &str, more: &[&str]) -> Vec<Value> {
    let done = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["chaos", scenario, "--executor", executor, "--format", "json", "--no-cut", "--jobs", "2"])
        .args(more)
        .current_dir(root())
        .env("PATH", path_with_kubectl().unwrap_or_else(|| std::env::var_os("PATH").unwrap_or_default()))
        .env("FIREDRILL_STATE", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("firedrill runs");
    let journal: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    journal["drills"].as_array().expect("drills").clone()
}

/// The findings of a drill that are no pass: who found what.
fn problems(drill: &Value) -> Vec<(String, String)> {
    let findings = drill["findings"].as_array().expect("findings").iter();
    let problems = findings.filter(|finding| finding["verdict"] != "pass");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    problems
        .map(|finding| (text(&finding["oracle"]), text(&finding["reason"])))
        .collect()
}

#[track_caller]
fn assert_passes(drills: &[Value]) {
    for drill in drills {
        assert_eq!(drill["verdict"], "pass", "{:#?}", problems(drill));
    }
}
