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

const MANIFESTS: &str = "\
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'mine/web:1',
    ports: [{containerPort: 8080}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 8080}], selector: {app: web}}}
";

/// The exit code of a drill in which nobody could have met the objective.
const INCONCLUSIVE: Option<i32> = Some(3);

/// What the program says with `args` in `folder`, and its exit code.
fn said(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .env("FIREDRILL_STATE", env!("CARGO_TARGET_TMPDIR"))
        .env("NO_COLOR", "1")
        .current_dir(folder)
        .args(args)
        .output()
        .expect("the binary was built for this test");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// The command is short enough to be typed, it names the application, and it works wherever its files are.
#[test]
fn the_token_of_an_application_names_its_files_where_they_are_at_hand() {
    let folder = tempfile::tempdir().expect("a writable directory");
    let folder = folder.path();
    std::fs::write(folder.join("all.yaml"), MANIFESTS).expect("writable");
    let (code, told) = said(folder, &["new", "shop", "-f", "all.yaml"]);
    assert_eq!(code, Some(0), "{told}");
    let scenario = folder.join("shop/scenarios/failing-requests.toml");
    let right = std::fs::read_to_string(&scenario).expect("it was written");
    // Nothing is back so soon.
    let hasty = right.replace("[expect]\n", "[expect]\nrto_max = \"1s\"\n");
    assert_ne!(hasty, right);
    std::fs::write(&scenario, hasty).expect("writable");
    let asked = ["chaos", "--app", "shop/app.toml", "--seed", "1", "--no-cut"];
    let (code, told) = said(folder, &asked);
    assert_eq!(code, INCONCLUSIVE, "{told}");
    let line = told.lines().find(|line| line.contains("replay fd1-"));
    let line = line.unwrap_or_else(|| panic!("no command: {told}")).trim();
    assert!(line.len() < 120, "{line}");
    let typed = line.split_once("replay ").map(|(_, typed)| typed);
    let typed = typed.and_then(|it| it.strip_suffix(" --app shop/app.toml"));
    let short = typed.unwrap_or_else(|| panic!("{line}"));
    let report = folder.join("report");
    let path = |p: &Path| p.to_str().expect("UTF-8").to_owned();
    let again = |folder: &Path, app: &str| {
        let report = path(&report);
        let args = ["replay", short, "--app", app, "--report", &report];
        let (code, told) = said(folder, &args);
        assert_eq!(code, INCONCLUSIVE, "{told}");
        assert!(!told.contains("warning"), "{told}");
        std::fs::read_to_string(folder.join(&report).join("journal.json")).expect("a journal")
    };
    let drills = |text: &str| {
        let mut journal: serde_json::Value = serde_json::from_str(text).expect("JSON");
        journal["drills"].take()
    };
    let here = drills(&again(folder, "shop/app.toml"));
    // The journal's own token needs no file, wherever the files were named from.
    assert_eq!(drills(&again(&folder.join("shop"), ".")), here);
    let whole = here[0]["replay"].as_str().expect("a token");
    let (code, told) = said(folder, &["replay", whole]);
    assert_eq!(code, INCONCLUSIVE, "{told}");
    let (code, told) = said(folder, &["replay", short]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("--app app.toml"), "{told}");
    let runbook = folder.join("shop/rollback.md");
    let (code, told) = said(folder, &["replay", short, &path(&runbook), "--app", "shop"]);
    assert_eq!(code, INCONCLUSIVE, "{told}");
    let other = MANIFESTS.replace("mine/web:1", "mine/web:2");
    for (file, text, says) in [
        (
            folder.join("all.yaml"),
            other.as_str(),
            "a file of its application is not what",
        ),
        (
            scenario,
            "name = \"failing-requests\"\nwrong = 1\n",
            "wrong",
        ),
    ] {
        std::fs::write(&file, text).expect("writable");
        let (code, told) = said(folder, &["replay", short, "--app", "shop"]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(says), "{told}");
    }
}
