//! The simulated exchange, served to somebody who works by hand.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use e2e::drills::plan;
use firedrill::drill::{self, Ending};
use firedrill::worlds::sim::{self, Opened, Session, SessionEnd};

/// A session, what is told once it is open, and what ends it.
fn session() -> (Session, mpsc::Receiver<Opened>, SessionEnd) {
    let (tell, told) = mpsc::channel();
    let opened = move |opened: &Opened| tell.send(opened.clone()).expect("the test listens");
    // Nobody calls the commands of the `PATH` here.
    let (session, end) = Session::new(PathBuf::from("/bin/false"), Box::new(opened));
    (session, told, end)
}

fn get(opened: &Opened, token: &str, path: &str) -> Result<String, ureq::Error> {
    let url = format!("http://{}{path}", opened.servers[0]);
    let sent = ureq::get(&url).header("Authorization", &format!("Bearer {token}"));
    sent.call()?.body_mut().read_to_string()
}

#[test]
fn the_healthy_exchange_is_served_until_the_session_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kc.yaml");
    let (mut session, told, end) = session();
    session.kubeconfig = Some(kubeconfig.clone());
    let person = std::thread::spawn(move || {
        let opened = told.recv().expect("it opens");
        let mode = std::fs::metadata(&opened.kubeconfig).expect("it is there");
        let mode = mode.permissions().mode() & 0o777;
        let path = "/apis/apps/v1/namespaces/dex-production/deployments";
        let refused = get(&opened, "guessed", path).is_err();
        let deployments = get(&opened, &opened.token, path);
        end.end();
        (opened, mode, refused, deployments.expect("an answer"))
    });
    let scenario = plan("good-release", 1).scenario;
    sim::serve_healthy(&scenario, 1, &Arc::new(session)).expect("the world builds");
    let (opened, mode, refused, deployments) = person.join().expect("it does not panic");
    assert_eq!((mode, refused), (0o600, true));
    for service in ["gateway", "matching", "risk"] {
        assert!(deployments.contains(service), "{service}: {deployments}");
    }
    assert_eq!(opened.trigger, None);
    assert_eq!(
        opened.environment["KUBECONFIG"],
        kubeconfig.display().to_string()
    );
    assert!(!kubeconfig.exists(), "it leads nowhere any more");
}

#[test]
fn a_session_in_which_nobody_acts_has_called_a_person() {
    let (session, told, end) = session();
    let person = std::thread::spawn(move || {
        let opened = told.recv().expect("it opens");
        end.end();
        opened
    });
    let plan = plan("latency-regression", 2);
    let performed = sim::serve(&plan, &Arc::new(session)).expect("the world builds");
    let opened = person.join().expect("it does not panic");
    assert_eq!(opened.trigger.as_deref(), Some("sla-latency-p99"));
    let result = drill::conclude(&plan, performed);
    assert_eq!(result.ending, Ending::Escalated, "{:#?}", result.findings);
    let mut timeline = result.timeline.iter();
    assert!(timeline.any(|it| it.what.contains("nobody said since when all is well")));
}
