//! The session, on the simulated cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::play::Stage;
use conformance::session::parse;
use conformance::versions;
use conformance::world::with_cluster;

const SESSION: &str = include_str!("../session.txt");
const HELM: &str = include_str!("../helm.txt");

/// How many commands a session must have at least.
const COMMANDS: usize = 80;

/// The kubectl of this machine: the one that is named, or that CI has built, or that is on the search path.
fn kubectl() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FIREDRILL_KUBECTL") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join("kubectl"));
    candidates.find(|candidate| candidate.is_file())
}

/// The programs of older versions that are named, as CI has built them (`cargo xtask ci`).
fn older() -> Vec<PathBuf> {
    let named = std::env::var_os("FIREDRILL_KUBECTL_OLDER").unwrap_or_default();
    let paths = std::env::split_paths(&named);
    paths.filter(|path| !path.as_os_str().is_empty()).collect()
}

/// The minor version of `kubectl`, and what a session's answers deviate in on the simulated cluster.
fn deviations(session: &'static str, kubectl: PathBuf, speed: Option<u32>) -> (u32, String) {
    let entries = parse(session).expect("a session");
    let deviations = with_cluster(speed, move |reach| {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, &reach.kubeconfig).expect("it is written");
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
        let stage = Stage::new(&kubectl, &kubeconfig, &files, Some(reach.sleep)).expect("a stage");
        let deviations = stage.compare(&entries).expect("the commands run");
        (stage.minor().expect("it says its version"), deviations)
    });
    let (minor, deviations) = deviations.expect("the cluster is served");
    let told = deviations.iter().map(ToString::to_string).collect();
    (minor, told)
}

#[test]
fn the_session_has_commands_and_answers() {
    let entries = parse(SESSION).expect("a session");
    let asked = entries
        .iter()
        .filter(|entry| entry.command.contains("kubectl"));
    assert!(asked.count() >= COMMANDS);
}

#[test]
fn the_simulation_answers_as_the_session_says() {
    let Some(kubectl) = kubectl() else {
        println!("left out: no kubectl on this machine");
        return;
    };
    assert_eq!(deviations(SESSION, kubectl, None).1, "");
}

#[test]
fn older_programs_are_answered_as_the_session_says() {
    let older = older();
    if older.is_empty() {
        println!("left out: no older kubectl is named by FIREDRILL_KUBECTL_OLDER");
        return;
    }
    let mut minors = Vec::new();
    for kubectl in older {
        let (minor, deviating) = deviations(SESSION, kubectl, None);
        assert_eq!(deviating, "", "kubectl 1.{minor}");
        minors.push(minor);
    }
    let older: Vec<u32> = (versions::OLDEST..versions::RECORDED_WITH).collect();
    assert_eq!(minors, older, "one of each version is named");
}

#[test]
fn helm_installs_upgrades_and_rolls_back() {
    let has_helm = Command::new("helm").arg("version").output();
    let (Some(kubectl), Ok(_)) = (kubectl(), has_helm) else {
        println!("left out: no kubectl or no Helm on this machine");
        return;
    };
    // Helm waits by its own clock, so the world keeps pace.
    assert_eq!(deviations(HELM, kubectl, Some(10)).1, "");
}
