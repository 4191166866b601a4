//! A token alone runs the same drill again, in another process, to the last event.

#[path = "support/misfit.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use firedrill::report::journal::JSON_SCHEMA;

/// Runs `firedrill` with a report; the journal's drills.
fn drills(directory: &Path, args: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .env("FIREDRILL_STATE", env!("CARGO_TARGET_TMPDIR"))
        .args(args)
        .arg("--report")
        .arg(directory)
        .output()
        .expect("the binary was built for this test");
    assert_ne!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(directory.join("journal.json")).expect("a journal");
    std::fs::remove_dir_all(directory).expect("it is ours");
    let mut journal: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(journal["schema"], "firedrill/3");
    assert_eq!(support::misfit(JSON_SCHEMA, &journal), None);
    journal["drills"].take()
}

fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("firedrill-{name}-{}", std::process::id()))
}

#[test]
fn a_built_in_scenario_replays_from_its_token() {
    let first = drills(
        &directory("first"),
        &["chaos", "good-release", "latency-regression", "--seed", "3"],
    );
    let all = first.as_array().expect("a list");
    assert_eq!(all.len(), 2);
    for drill in all {
        assert_ne!(drill["fingerprint"], "0000000000000000");
        let token = drill["replay"].as_str().expect("a token");
        let again = drills(&directory("again"), &["replay", token]);
        assert_eq!(again[0], *drill);
    }
    assert_ne!(all[0]["fingerprint"], all[1]["fingerprint"]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |jobs| {
        let directory = directory(&format!("jobs-{jobs}"));
        drills(
            &directory,
            &["chaos", "good-release", "--seeds", "4", "--jobs", jobs],
        )
    };
    assert_eq!(run("1"), run("4"));
}

#[test]
fn a_scenario_file_and_another_runbook_travel_in_the_token() {
    let scenario = include_str!("../../scenarios/extra/good-release.toml")
        .replace("name = \"good-release\"", "name = \"my-own\"")
        + "\n[load]\naccounts = 300\n";
    let runbook = include_str!("../../runbooks/rollback.md").replace("five minutes", "5 minutes");
    let (scenario_file, runbook_file) = (
        directory("own").with_extension("toml"),
        directory("own").with_extension("md"),
    );
    std::fs::write(&scenario_file, scenario).expect("writable");
    std::fs::write(&runbook_file, runbook).expect("writable");
    let path = |p: &Path| p.to_str().expect("UTF-8").to_owned();
    let args = [
        "chaos",
        &path(&scenario_file),
        "--runbook",
        &path(&runbook_file),
        "--seed",
        "8",
    ];
    let first = drills(&directory("own-first"), &args);
    // From here on the token is all that is left.
    std::fs::remove_file(&scenario_file).expect("it is ours");
    std::fs::remove_file(&runbook_file).expect("it is ours");
    let token = first[0]["replay"].as_str().expect("a token");
    assert_eq!(drills(&directory("own-again"), &["replay", token]), first);
}
