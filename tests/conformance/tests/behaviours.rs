//! Each behaviour of a real server is one of the simulation's, too.

use std::io::Write as _;

use conformance::behaviours::{all, run};
use conformance::world::with_cluster;

#[test]
fn each_behaviour_holds_on_the_simulation() {
    let failures = with_cluster(None, |reach| {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(reach.kubeconfig.as_bytes())
            .expect("it is written");
        run(file.path(), &all())
    });
    let failures = failures
        .expect("the cluster is served")
        .expect("it is reached");
    let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn a_server_that_is_not_there_is_told_of_once() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let nowhere = "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [], current-context: a,
        contexts: [{name: a, context: {cluster: a, user: ''}}]}";
    file.write_all(nowhere.as_bytes()).expect("it is written");
    let why = run(file.path(), &all()).expect_err("nobody listens there");
    assert!(why.contains("no server answers"), "{why}");
}
