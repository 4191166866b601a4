//! preStop hooks and grace periods: what happens between a deletion and SIGKILL.

use super::lab::{Behaviour, Lab, NS, apps, core, deployment};
use crate::cluster::Kind;
use crate::cluster::json::{Value, json};
use crate::time::Micros;

const APP: &str = "shop/app:1";
const DEAF: Micros = Micros::from_secs(3_600);

/// A pod with a grace period of 10 s and this hook is deleted; the lab afterwards, and when the deletion was asked for.
fn deleted(hook: &Value, behaviour: Behaviour) -> (Lab, Micros) {
    let mut lab = Lab::several(1);
    lab.fake.behaviours.insert(APP.to_owned(), behaviour);
    let mut d = deployment("app", 1, APP);
    d["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = json!({"preStop": hook});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("app", 30);
    let (name, asked) = (name(&lab), lab.now);
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.wait(60, |c| c.object(Kind::Pod, NS, &name).is_none());
    (lab, asked)
}

fn name(lab: &Lab) -> String {
    lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

fn after(lab: &Lab, what: &str, since: &str) -> Micros {
    let when = |what: &str| lab.fake.when(what, "app").expect("it happened");
    when(what) - when(since)
}

/// From the deletion to an instant, without what the kubelet takes to notice the deletion.
fn seconds_until(lab: &Lab, asked: Micros, what: &str) -> u64 {
    let when = lab.fake.when(what, "app").expect("it happened");
    (when - asked).0 / 1_000_000
}

fn deaf() -> Behaviour {
    Behaviour {
        drain: DEAF,
        ..Behaviour::default()
    }
}

#[test]
fn sigterm_comes_when_the_hook_has_slept() {
    let hook = json!({"sleep": {"seconds": 4}});
    let (lab, asked) = deleted(&hook, Behaviour::default());
    assert_eq!(seconds_until(&lab, asked, "term"), 4);
    assert_eq!(after(&lab, "gone", "term"), Micros::from_millis(200));
}

#[test]
fn the_hook_counts_against_the_grace_period() {
    for (sleeps_s, left_s) in [(4, 6), (8, 2), (9, 2), (10, 2)] {
        let hook = json!({"sleep": {"seconds": sleeps_s}});
        let (lab, asked) = deleted(&hook, deaf());
        assert_eq!(seconds_until(&lab, asked, "term"), sleeps_s);
        let killed = after(&lab, "gone", "term");
        assert_eq!(killed, Micros::from_secs(left_s), "after {sleeps_s} s");
    }
}

#[test]
fn a_command_takes_as_long_as_the_application_says() {
    let hook = json!({"exec": {"command": ["/bin/drain", "--all"]}});
    let (lab, _) = deleted(&hook, Behaviour::default());
    assert_eq!(after(&lab, "term", "hook"), Micros::ZERO, "by default");
    let slow = Behaviour {
        hook: Micros::from_secs(3),
        ..Behaviour::default()
    };
    let (lab, _) = deleted(&hook, slow);
    assert_eq!(after(&lab, "term", "hook"), Micros::from_secs(3));
}

/// `minimumGracePeriodInSeconds`.
#[test]
fn a_hook_that_takes_the_whole_grace_period_leaves_two_seconds() {
    let hook = json!({"exec": {"command": ["/bin/drain"]}});
    let slow = Behaviour {
        hook: DEAF,
        ..deaf()
    };
    let (lab, _) = deleted(&hook, slow);
    assert_eq!(after(&lab, "term", "hook"), Micros::from_secs(10));
    assert_eq!(after(&lab, "gone", "term"), Micros::from_secs(2));
}

#[test]
fn a_request_is_sent_before_sigterm() {
    let hook = json!({"httpGet": {"path": "/drain", "port": 8080}});
    let (lab, _) = deleted(&hook, Behaviour::default());
    let story = lab.fake.story();
    let asked = story.iter().position(|s| s == "asked app");
    assert_eq!(
        story
            .get(asked.expect("it was asked") + 1..)
            .map(|s| s[0].as_str()),
        Some("term app")
    );
    assert_eq!(after(&lab, "term", "asked"), Micros::ZERO);
    assert_eq!(lab.event_messages("app", "FailedPreStopHook"), [""; 0]);
}

/// No kubelet knows `tcpSocket` as a hook (`pkg/kubelet/lifecycle/handlers.go`).
#[test]
fn a_hook_that_fails_is_reported_and_sigterm_comes_at_once() {
    let hook = json!({"tcpSocket": {"port": 8080}});
    let (lab, asked) = deleted(&hook, Behaviour::default());
    assert_eq!(seconds_until(&lab, asked, "term"), 0);
    assert_eq!(
        lab.event_messages("app", "FailedPreStopHook"),
        ["PreStopHook failed"]
    );
}

#[test]
fn the_pod_is_out_of_its_service_while_the_hook_sleeps_and_serves_on() {
    let mut lab = Lab::several(1);
    let mut d = deployment("app", 2, APP);
    d["spec"]["template"]["spec"]["containers"][0]["lifecycle"] =
        json!({"preStop": {"sleep": {"seconds": 8}}});
    lab.post(&apps("deployments"), &d);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"},
        "spec": {"selector": {"app": "app"}, "ports": [{"port": 8080}]},
    });
    lab.post(&core("services"), &service);
    lab.rolled_out("app", 30);
    lab.run_secs(3);
    let name = name(&lab);
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.run_secs(6);
    assert_eq!(lab.fake.when("term", "app"), None);
    let uid = lab.cluster.object(Kind::Pod, NS, &name);
    let uid = uid.expect("it is still there")["metadata"]["uid"].clone();
    let routed = &lab.fake.routes["app"];
    assert!(!routed.iter().any(|routed| uid == routed.as_str()));
    assert_eq!(
        lab.get(&core(&format!("pods/{name}/proxy/x"))),
        format!("/x of {APP}").as_str()
    );
}

#[test]
fn a_container_that_a_probe_stops_has_its_hook_and_the_probe_s_own_grace_period() {
    for (own_s, left_s) in [(None, 8), (Some(5), 3), (Some(1), 2)] {
        let mut lab = Lab::several(1);
        let hanging = Behaviour {
            hangs_after: Some(Micros::from_secs(10)),
            hook: Micros::from_secs(2),
            ..deaf()
        };
        lab.fake.behaviours.insert(APP.to_owned(), hanging);
        let mut d = deployment("app", 1, APP);
        let container = &mut d["spec"]["template"]["spec"]["containers"][0];
        container["lifecycle"] = json!({"preStop": {"exec": {"command": ["/bin/drain"]}}});
        if let Some(own_s) = own_s {
            container["livenessProbe"]["terminationGracePeriodSeconds"] = own_s.into();
        }
        lab.post(&apps("deployments"), &d);
        lab.run_secs(60);
        let hook = own_s.unwrap_or(10).min(2);
        assert_eq!(after(&lab, "term", "hook"), Micros::from_secs(hook));
        assert_eq!(
            after(&lab, "gone", "term"),
            Micros::from_secs(left_s),
            "{own_s:?}"
        );
        let status = lab.pods()[0]["status"]["containerStatuses"][0].clone();
        assert!(status["restartCount"].as_i64() >= Some(1));
        assert_eq!(status["lastState"]["terminated"]["exitCode"], 137);
    }
}

/// The API server deletes at once, and the kubelet still gives a second (`pod_workers.go`
/// calculateEffectiveGracePeriod).
#[test]
fn without_a_grace_period_the_pod_goes_at_once_and_its_process_soon() {
    let mut lab = Lab::several(1);
    let deaf = Behaviour {
        hook: DEAF,
        ..deaf()
    };
    lab.fake.behaviours.insert(APP.to_owned(), deaf);
    let mut d = deployment("app", 1, APP);
    let spec = &mut d["spec"]["template"]["spec"];
    spec["terminationGracePeriodSeconds"] = 0.into();
    spec["containers"][0]["lifecycle"] = json!({"preStop": {"exec": {"command": ["/bin/drain"]}}});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("app", 30);
    let name = name(&lab);
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    assert!(lab.cluster.object(Kind::Pod, NS, &name).is_none());
    lab.run_secs(10);
    assert_eq!(after(&lab, "term", "hook"), Micros::from_secs(1));
    assert_eq!(after(&lab, "gone", "term"), Micros::from_secs(2));
}
