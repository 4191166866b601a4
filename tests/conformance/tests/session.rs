//! The session, on the simulated cluster.

use std::path::{Path, PathBuf};

use conformance::play::Stage;
use conformance::session::parse;
use conformance::world::with_cluster;

const SESSION: &str = include_str!("../session.txt");

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
    let entries = parse(SESSION).expect("a session");
    let deviations = with_cluster(None, move |reach| {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, &reach.kubeconfig).expect("it is written");
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
        let stage = Stage::new(&kubectl, &kubeconfig, &files, Some(reach.sleep)).expect("a stage");
        stage.compare(&entries).expect("the commands run")
    });
    let deviations = deviations.expect("the cluster is served");
    let all: String = deviations.iter().map(ToString::to_string).collect();
    assert!(deviations.is_empty(), "{all}");
}
