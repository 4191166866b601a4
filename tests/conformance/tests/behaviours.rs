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
