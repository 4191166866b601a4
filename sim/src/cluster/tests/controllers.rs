//! What the Deployment and ReplicaSet controllers write: hashes, annotations, conditions, events, history.

use super::lab::{Behaviour, Lab, NS, apps, condition, core, deployment};
use crate::cluster::Kind;
use crate::cluster::json::{Value, json};
use crate::cluster::value::{annotation, members, name};
use crate::time::Micros;

const PREFIX: &str = "deployment.kubernetes.io/";

fn own(object: &Value, key: &str) -> String {
    annotation(object, &format!("{PREFIX}{key}"))
        .unwrap_or("")
        .to_owned()
}

fn set(lab: &Lab, image: &str) -> Value {
    let of = |rs: &&Value| rs["spec"]["template"]["spec"]["containers"][0]["image"] == image;
    let mut sets = lab.cluster.objects(Kind::ReplicaSet, NS);
    sets.find(of).expect("there is one").clone()
}

fn rolled_out(image: &str, replicas: u32) -> Lab {
    let mut lab = Lab::new(3);
    lab.post(&apps("deployments"), &deployment("risk", replicas, image));
    lab.rolled_out("risk", 30);
    lab
}

fn make_bad(lab: &mut Lab, image: &str) {
    let never = Behaviour {
        ready_after: None,
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(image.to_owned(), never);
}

/// `sync.go` getNewReplicaSet, `controller_utils.go` ComputeHash.
#[test]
fn the_hash_is_in_name_labels_selector_and_template() {
    let lab = rolled_out("dex/risk:1", 1);
    let rs = set(&lab, "dex/risk:1");
    let hash = name(&rs)
        .strip_prefix("risk-")
        .expect("risk-<hash>")
        .to_owned();
    assert!(
        hash.bytes()
            .all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b)),
        "{hash}"
    );
    let labels = json!({"app": "risk", "pod-template-hash": hash});
    for path in [
        &rs["metadata"]["labels"],
        &rs["spec"]["selector"]["matchLabels"],
        &rs["spec"]["template"]["metadata"]["labels"],
        &lab.pods()[0]["metadata"]["labels"],
    ] {
        assert_eq!(*path, labels);
    }
    let d = lab
        .cluster
        .object(Kind::Deployment, NS, "risk")
        .expect("exists");
    assert_eq!(d["spec"]["selector"]["matchLabels"], json!({"app": "risk"}));
}

#[test]
fn a_name_that_is_taken_counts_as_a_collision() {
    let mut lab = rolled_out("dex/risk:1", 1);
    let taken = name(&set(&lab, "dex/risk:1")).to_owned();
    lab.call("DELETE", &apps("deployments/risk"), "", &Value::Null);
    lab.run_secs(20);
    let mut other = deployment("other", 0, "dex/other:1");
    let rs = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": taken},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "other"}},
            "template": std::mem::replace(&mut other["spec"]["template"], Value::Null),
        },
    });
    lab.post(&apps("replicasets"), &rs);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let d = lab.get(&apps("deployments/risk"));
    assert_eq!(d["status"]["collisionCount"], 1);
    assert_ne!(name(&set(&lab, "dex/risk:1")), taken);
}

/// `deployment_util.go` SetReplicasAnnotations and annotationsToSkip.
#[test]
fn sizes_are_annotated_and_other_annotations_copied_but_never_taken_away() {
    let mut lab = Lab::new(3);
    let mut d = deployment("risk", 4, "dex/risk:1");
    d["metadata"]["annotations"] = json!({
        "note": "one", "kubernetes.io/change-cause": "release 1",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    let rs = set(&lab, "dex/risk:1");
    let mut keys: Vec<&str> = members(&rs, &["metadata", "annotations"])
        .map(|(k, _)| k)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "deployment.kubernetes.io/desired-replicas",
            "deployment.kubernetes.io/max-replicas",
            "deployment.kubernetes.io/revision",
            "kubernetes.io/change-cause",
            "note",
        ]
    );
    assert_eq!(
        (own(&rs, "desired-replicas"), own(&rs, "max-replicas")),
        ("4".into(), "5".into())
    );
    let change = json!({"metadata": {"annotations": {"note": null, "kubernetes.io/change-cause": "release 2"}}});
    lab.merge(&apps("deployments/risk"), &change);
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 8}}),
    );
    lab.rolled_out("risk", 60);
    let rs = set(&lab, "dex/risk:1");
    assert_eq!(
        (own(&rs, "desired-replicas"), own(&rs, "max-replicas")),
        ("8".into(), "10".into())
    );
    assert_eq!(
        annotation(&rs, "kubernetes.io/change-cause"),
        Some("release 2")
    );
    assert_eq!(annotation(&rs, "note"), Some("one"));
}

/// `rolling.go` cleanupUnhealthyReplicas.
#[test]
fn unhealthy_old_pods_go_before_healthy_older_ones() {
    let mut lab = rolled_out("dex/risk:1", 4);
    make_bad(&mut lab, "dex/risk:2");
    lab.set_image("risk", "dex/risk:2");
    lab.run_secs(20);
    let size = |lab: &Lab, image: &str| set(lab, image)["spec"]["replicas"].clone();
    assert_eq!(
        (size(&lab, "dex/risk:1"), size(&lab, "dex/risk:2")),
        (json!(3), json!(2))
    );
    lab.set_image("risk", "dex/risk:3");
    lab.wait(20, |c| {
        c.objects(Kind::ReplicaSet, NS).any(|rs| {
            rs["spec"]["template"]["spec"]["containers"][0]["image"] == "dex/risk:2"
                && rs["spec"]["replicas"] == 0
        })
    });
    assert_eq!(size(&lab, "dex/risk:1"), 3, "they serve");
    lab.rolled_out("risk", 60);
}

#[test]
fn events_tell_what_was_scaled_made_and_deleted() {
    let mut lab = rolled_out("dex/risk:1", 1);
    let (first, pod) = (set(&lab, "dex/risk:1"), lab.pods()[0].clone());
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    lab.run_secs(5);
    let second = set(&lab, "dex/risk:2");
    assert_eq!(
        lab.event_messages("risk", "ScalingReplicaSet"),
        [
            format!("Scaled up replica set {} from 0 to 1", name(&first)),
            format!("Scaled up replica set {} from 0 to 1", name(&second)),
            format!("Scaled down replica set {} from 1 to 0", name(&first)),
        ]
    );
    let of = |rs: &Value, reason: &str| lab.event_messages(name(rs), reason);
    assert_eq!(
        of(&first, "SuccessfulCreate")[0],
        format!("Created pod: {}", name(&pod))
    );
    assert_eq!(
        of(&first, "SuccessfulDelete"),
        [format!("Deleted pod: {}", name(&pod))]
    );
    let source = lab
        .cluster
        .objects(Kind::Event, NS)
        .find(|e| e["reason"] == "ScalingReplicaSet");
    assert_eq!(
        source.map(|e| e["source"]["component"].clone()),
        Some("deployment-controller".into())
    );
}

/// The gate DeploymentReplicaSetTerminatingReplicas is alpha, and off.
#[test]
fn terminating_pods_are_counted_nowhere() {
    let mut lab = Lab::new(3);
    lab.drains("dex/risk:1", 8);
    lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 1}}),
    );
    lab.run_secs(2);
    assert_eq!(lab.pods().len(), 2, "one is on its way out");
    let d = lab.get(&apps("deployments/risk"));
    assert_eq!(d["status"]["replicas"], 1);
    assert_eq!(d["status"].get("terminatingReplicas"), None);
    assert_eq!(
        set(&lab, "dex/risk:1")["status"].get("terminatingReplicas"),
        None
    );
}

#[test]
fn available_says_whether_enough_pods_are() {
    let mut lab = Lab::new(3);
    make_bad(&mut lab, "dex/risk:2");
    let available = |lab: &mut Lab| {
        let d = lab.get(&apps("deployments/risk"));
        let c = condition(&d, "Available").clone();
        (c["status"].clone(), c["reason"].clone())
    };
    lab.post(&apps("deployments"), &deployment("risk", 4, "dex/risk:1"));
    lab.run_until(Micros::from_millis(500));
    let not = (json!("False"), json!("MinimumReplicasUnavailable"));
    let enough = (json!("True"), json!("MinimumReplicasAvailable"));
    assert_eq!(available(&mut lab), not);
    lab.rolled_out("risk", 30);
    assert_eq!(available(&mut lab), enough);
    lab.set_image("risk", "dex/risk:2");
    lab.run_secs(20);
    assert_eq!(
        available(&mut lab),
        enough,
        "3 of 4 with maxUnavailable 25%"
    );
    make_bad(&mut lab, "dex/risk:1");
    lab.run_secs(10);
    assert_eq!(available(&mut lab), not);
}

#[test]
fn progress_has_a_reason_at_each_stage() {
    let mut lab = Lab::new(3);
    lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:1"));
    let reason = |lab: &Lab| {
        let d = lab
            .cluster
            .object(Kind::Deployment, NS, "risk")
            .expect("exists");
        let c = condition(d, "Progressing");
        (c["status"].clone(), c["reason"].clone())
    };
    let mut seen = Vec::new();
    while lab.now < Micros::from_secs(20) {
        let next = lab.cluster.next_at().expect("something is due");
        lab.run_until(next);
        if seen.last() != Some(&reason(&lab)) {
            seen.push(reason(&lab));
        }
    }
    seen.retain(|(status, _)| !status.is_null());
    let pair = |status: &str, reason: &str| (json!(status), json!(reason));
    assert_eq!(
        seen,
        [
            pair("True", "NewReplicaSetCreated"),
            pair("True", "ReplicaSetUpdated"),
            pair("True", "NewReplicaSetAvailable"),
        ]
    );
    lab.merge(
        &apps("deployments/risk"),
        &json!({"spec": {"paused": true}}),
    );
    lab.run_secs(1);
    assert_eq!(reason(&lab), pair("Unknown", "DeploymentPaused"));
    // The template changes while it is paused, so that it is not complete when it goes on.
    lab.set_image("risk", "dex/risk:2");
    let rv = lab.cluster.resource_version();
    let watch = lab.open_watch(&apps(&format!("deployments?watch=1&resourceVersion={rv}")));
    let on = json!({"spec": {"paused": false}});
    lab.merge(&apps("deployments/risk"), &on);
    lab.run_secs(1);
    let frames = lab.frames(watch);
    let resumed = frames.iter().find(|(_, d)| {
        let c = condition(d, "Progressing");
        c["status"] == "Unknown" && c["reason"] == "DeploymentResumed"
    });
    assert!(resumed.is_some(), "{frames:?}");
    lab.rolled_out("risk", 30);
}

/// `kubectl rollout status` fails at once although the undo has been observed; only when the old ReplicaSet counts
/// fewer pods does the controller see progress.
#[test]
fn under_recreate_an_exceeded_deadline_outlives_the_undo() {
    let mut lab = Lab::new(3);
    let stuck = Behaviour {
        ready_after: None,
        drain: Micros::from_secs(8),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("dex/risk:2".to_owned(), stuck);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["strategy"] = json!({"type": "Recreate"});
    d["spec"]["progressDeadlineSeconds"] = 10.into();
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.run_secs(40);
    lab.undo("risk", "dex/risk:1");
    let stale = |d: &Value| {
        d["status"]["observedGeneration"] == d["metadata"]["generation"]
            && condition(d, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    };
    lab.wait(2, |c| {
        stale(c.object(Kind::Deployment, NS, "risk").expect("exists"))
    });
    lab.run_secs(5);
    assert_eq!(lab.pods().len(), 1, "the old one drains");
    lab.rolled_out("risk", 30);
    lab.run_secs(1);
    assert!(!stale(&lab.get(&apps("deployments/risk"))));
}

#[test]
fn history_is_cleaned_only_when_the_rollout_is_complete_and_may_be_none() {
    let mut lab = Lab::new(3);
    make_bad(&mut lab, "dex/risk:2");
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["revisionHistoryLimit"] = 0.into();
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.run_secs(20);
    lab.set_image("risk", "dex/risk:3");
    lab.wait(20, |c| c.objects(Kind::ReplicaSet, NS).count() == 3);
    // The bad one has no pods by now and is beyond the limit, but the rollout is not complete.
    lab.rolled_out("risk", 60);
    lab.run_secs(5);
    let kept: Vec<String> = lab.revisions("risk").into_iter().map(|r| r.0).collect();
    assert_eq!(kept, ["3"], "nothing is left to undo to");
}

#[test]
fn the_last_pod_that_goes_wakes_a_recreate() {
    let mut lab = Lab::new(3);
    lab.drains("dex/risk:1", 9);
    let mut d = deployment("risk", 2, "dex/risk:1");
    d["spec"]["strategy"] = json!({"type": "Recreate"});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.run_secs(5);
    assert_eq!(lab.revisions("risk").len(), 1, "old pods still terminate");
    lab.wait(30, |c| c.objects(Kind::Pod, NS).next().is_none());
    let took = lab.wait(30, |c| c.objects(Kind::ReplicaSet, NS).count() == 2);
    assert!(took < Micros::from_secs(1), "{took}");
}

/// The first graceful delete moves the generation (`registry/rest/delete.go` BeforeDelete), a second one nothing.
#[test]
fn a_graceful_delete_moves_the_generation_once() {
    let mut lab = rolled_out("dex/risk:1", 1);
    let pod = lab.pods()[0].clone();
    assert_eq!(pod["metadata"]["generation"], 1);
    let path = core(&format!("pods/{}", name(&pod)));
    for _ in 0..2 {
        let (status, marked) = lab.call("DELETE", &path, "", &Value::Null);
        assert_eq!(status, 200);
        assert_eq!(marked["metadata"]["generation"], 2);
        assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 10);
    }
}

#[test]
fn a_pod_that_no_kubelet_answers_for_is_deleted_at_once() {
    let mut lab = Lab::new(3);
    lab.cluster.set_node_capacity("node-1", 0);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(2);
    let unscheduled = name(&lab.pods()[0]).to_owned();
    let path = core(&format!("pods/{unscheduled}"));
    assert_eq!(lab.call("DELETE", &path, "", &Value::Null).0, 200);
    assert_eq!(lab.call("GET", &path, "", &Value::Null).0, 404);
}
