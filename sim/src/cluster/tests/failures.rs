//! What is refused or takes long, and how long it takes to heal: back-off, pulls, a rollout that hangs.

use super::lab::{Behaviour, Lab, NS, apps, condition, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, ImageState, Kind, Timings};
use crate::time::Micros;

fn starts(lab: &Lab) -> Vec<Micros> {
    let of = lab.fake.record.iter().filter(|r| r.1 == "start");
    of.map(|r| r.0).collect()
}

/// The numbers were measured with the controllers of Kubernetes 1.34.4: seconds with a quota, attempts until it was
/// lifted, and the second of the first pod.
#[test]
fn a_replica_set_that_cannot_create_pods_backs_off() {
    for (limited_s, attempts, first_pod_s) in [
        (20, 12, 20.5),
        (45, 14, 82.0),
        (100, 15, 164.0),
        (400, 17, 655.0),
    ] {
        let mut lab = Lab::new(3);
        lab.cluster.set_pod_quota(Some(0));
        lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
        lab.run_secs(limited_s);
        assert_eq!(lab.cluster.pods_refused(), attempts, "in {limited_s} s");
        lab.cluster.set_pod_quota(None);
        lab.wait(1_000, |c| c.objects(Kind::Pod, NS).next().is_some());
        let at = lab.now.0 as f64 / 1e6;
        assert!((at - first_pod_s).abs() < 0.6, "{limited_s} s: {at} s");
    }
}

/// How many seconds after each exit the next process was started.
fn gaps(lab: &Lab) -> Vec<u64> {
    let ends = lab.fake.record.iter().filter(|r| r.1 == "gone");
    let starts = starts(lab).into_iter().skip(1);
    let pairs = starts.zip(ends);
    pairs
        .map(|(start, end)| (start - end.0).0 / 1_000_000)
        .collect()
}

/// `client-go/util/flowcontrol/backoff.go`: a delay is forgotten when twice the longest one, of 300 s, has gone by
/// since it was set.
#[test]
fn a_container_that_ran_for_ten_minutes_begins_its_back_off_anew() {
    // How long a process of the crash loop runs, and what the restarts after it and after the next exit wait.
    for (runs_s, waits) in [(590, [80, 160]), (610, [0, 10])] {
        let mut lab = Lab::new(3);
        lab.exits("dex/risk:crash", 500, 1);
        lab.post(
            &apps("deployments"),
            &deployment("risk", 1, "dex/risk:crash"),
        );
        // At 60 s it has begun to wait for 40 s.
        lab.run_secs(60);
        assert_eq!(starts(&lab).len(), 4, "{:?}", gaps(&lab));
        lab.exits("dex/risk:crash", runs_s * 1_000, 1);
        lab.run_secs(60);
        assert_eq!(starts(&lab).len(), 5, "{:?}", gaps(&lab));
        lab.exits("dex/risk:crash", 500, 1);
        lab.run_secs(runs_s + 300);
        let gaps = gaps(&lab);
        for (gap, least) in gaps[4..].iter().zip(waits) {
            // Rounded up to the kubelet's next look.
            let most = if least == 0 { 2 } else { least + 17 };
            assert!((least..most).contains(gap), "{runs_s} s: {gaps:?}");
        }
        assert!(gaps.len() >= 6, "{runs_s} s: {gaps:?}");
    }
}

/// `sync.go`, `getNewReplicaSet`: a ReplicaSet that is refused is told in the condition `Progressing` and in an event.
#[test]
fn a_deployment_whose_replica_set_is_refused_says_so() {
    let mut lab = Lab::new(3);
    // The name of a ReplicaSet is its Deployment's and a hash, and may have 253 characters.
    let name = "r".repeat(250);
    let mut body = deployment(&name, 1, "dex/risk:1");
    // A label and the name of a container may not be so long.
    let labels = || json!({"app": "risk"});
    body["metadata"]["labels"] = labels();
    body["spec"]["template"]["spec"]["containers"][0]["name"] = json!("risk");
    body["spec"]["selector"]["matchLabels"] = labels();
    body["spec"]["template"]["metadata"]["labels"] = labels();
    lab.post(&apps("deployments"), &body);
    lab.run_secs(5);
    assert_eq!(lab.cluster.objects(Kind::ReplicaSet, NS).count(), 0);
    let of = lab.cluster.objects(Kind::Deployment, NS).next();
    let progressing = condition(of.expect("it is there"), "Progressing").clone();
    assert_eq!(progressing["status"], "False");
    assert_eq!(progressing["reason"], "ReplicaSetCreateError");
    let begins = format!("Failed to create new replica set \"{name}-");
    let message = progressing["message"].as_str().expect("a text");
    assert!(message.starts_with(&begins), "{message}");
    assert!(message.contains("metadata.name"), "{message}");
    let events = lab.event_messages(&name, "ReplicaSetCreateError");
    assert!(events.iter().any(|event| event == message), "{events:?}");
}

#[test]
fn the_condition_keeps_its_first_message() {
    let mut lab = Lab::new(3);
    lab.cluster.set_pod_quota(Some(0));
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    let failure = |lab: &Lab| {
        let rs = lab.cluster.objects(Kind::ReplicaSet, NS).next();
        condition(rs.expect("it is there"), "ReplicaFailure").clone()
    };
    lab.run_secs(1);
    let first = failure(&lab);
    assert_eq!(first["reason"], "FailedCreate");
    lab.run_secs(60);
    assert_eq!(failure(&lab), first);
    lab.cluster.set_pod_quota(None);
    lab.rolled_out("risk", 120);
    assert_eq!(failure(&lab), Value::Null);
}

#[test]
fn many_events_of_one_reason_are_combined() {
    let mut lab = Lab::new(3);
    lab.cluster.set_pod_quota(Some(0));
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(60);
    let events: Vec<Value> = lab
        .cluster
        .objects(Kind::Event, NS)
        .filter(|e| e["reason"] == "FailedCreate")
        .cloned()
        .collect();
    // 14 attempts: nine by themselves, the other five as one.
    assert_eq!(events.len(), 10);
    let combined = |e: &&Value| {
        e["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("(combined from similar events): Error creating: pods"))
    };
    let combined: Vec<&Value> = events.iter().filter(combined).collect();
    assert_eq!(combined.len(), 1, "{events:?}");
    assert_eq!(combined[0]["count"], 5);
}

/// The spam filter of `client-go/tools/record/events_cache.go` lets through 25 at once,
/// however long nothing was written.
#[test]
fn a_flood_of_events_is_filtered() {
    let mut lab = Lab::new(3);
    let late = Behaviour {
        hangs_after: Some(Micros::from_secs(3 * 3_600)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("dex/risk:1".to_owned(), late);
    let mut d = deployment("risk", 1, "dex/risk:1");
    let container = &mut d["spec"]["template"]["spec"]["containers"][0];
    container["readinessProbe"]["httpGet"]["path"] = "/livez".into();
    container["livenessProbe"] = Value::Null;
    lab.post(&apps("deployments"), &d);
    lab.run_secs(3 * 3_600 + 200);
    let unhealthy = |lab: &Lab| {
        let mut events = lab.cluster.objects(Kind::Event, NS);
        let event = events.find(|e| e["reason"] == "Unhealthy");
        event.expect("the probe fails")["count"].as_i64()
    };
    assert_eq!(unhealthy(&lab), Some(25));
    // One comes back in five minutes; it counts all that were left out.
    lab.run_secs(300);
    assert!(unhealthy(&lab) > Some(250), "{:?}", unhealthy(&lab));
}

#[test]
fn an_image_is_present_when_its_pull_has_ended() {
    let mut lab = Lab::new(3);
    let takes = Micros::from_secs(30);
    lab.cluster
        .set_image("dex/risk:1", ImageState::Pull { takes });
    lab.post(&apps("deployments"), &deployment("risk", 3, "dex/risk:1"));
    lab.rolled_out("risk", 60);
    let first = starts(&lab);
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|at| *at > takes), "{first:?}");
    assert!(
        first.iter().all(|at| *at < takes + Micros::from_secs(6)),
        "the others ask the registry only: {first:?}"
    );
    // Now it is there.
    lab.fake.record.clear();
    let from = lab.now;
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 4}}),
    );
    lab.rolled_out("risk", 60);
    let later = starts(&lab);
    assert!(later[0] < from + Micros::from_secs(5), "{later:?}");
}

#[test]
fn each_node_pulls_for_itself_and_one_image_at_a_time() {
    let mut lab = Lab::new(3);
    lab.cluster = Cluster::with(3, &[NS.to_owned()], Timings::default(), 2);
    let takes = Micros::from_secs(30);
    for image in ["dex/risk:1", "dex/gateway:1"] {
        lab.cluster.set_image(image, ImageState::Pull { takes });
    }
    lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:1"));
    lab.run_secs(5);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 2, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 90);
    let at = starts(&lab);
    let (risk, gateway) = at.split_at(2);
    assert!(
        risk.iter().all(|at| (30..36).contains(&(at.0 / 1_000_000))),
        "{at:?}"
    );
    assert!(
        gateway
            .iter()
            .all(|at| (60..68).contains(&(at.0 / 1_000_000))),
        "{at:?}"
    );
}

/// kubernetes#102551: `sync.go` scale() leaves a ReplicaSet of the right size alone, its stale annotation included.
#[test]
fn scaled_down_early_in_a_rollout_without_surge_a_deployment_hangs() {
    let mut lab = Lab::new(3);
    let mut d = deployment("risk", 5, "dex/risk:1");
    d["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    let sizes = |c: &Cluster| {
        let mut all: Vec<i64> = c
            .objects(Kind::ReplicaSet, NS)
            .map(|rs| rs["spec"]["replicas"].as_i64().unwrap_or(-1))
            .collect();
        all.sort_unstable();
        all
    };
    lab.wait(10, |c| sizes(c) == [0, 4]);
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 4}}),
    );
    lab.run_secs(300);
    assert_eq!(sizes(&lab.cluster), [0, 4]);
    let d = lab.get(&apps("deployments/risk"));
    assert_eq!(d["status"].get("updatedReplicas"), None);
    // Scaled again, to another size, it goes on.
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 5}}),
    );
    lab.rolled_out("risk", 60);
    assert_eq!(sizes(&lab.cluster), [0, 5]);
}

#[test]
fn a_node_with_a_taint_takes_only_pods_that_tolerate_it() {
    let mut lab = Lab::new(3);
    let taint = json!({"spec": {"taints": [{"key": "maintenance", "value": "yes", "effect": "NoSchedule"}]}});
    lab.merge("/api/v1/nodes/node-1", &taint);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    let mut tolerant = deployment("gateway", 1, "dex/gateway:1");
    tolerant["spec"]["template"]["spec"]["tolerations"] =
        json!([{"key": "maintenance", "operator": "Exists"}]);
    lab.post(&apps("deployments"), &tolerant);
    lab.rolled_out("gateway", 30);
    assert_eq!(
        lab.event_messages("risk", "FailedScheduling"),
        ["0/1 nodes are available: 1 node(s) had untolerated taint {maintenance: yes}."]
    );
    lab.merge("/api/v1/nodes/node-1", &json!({"spec": {"taints": null}}));
    lab.rolled_out("risk", 30);
}

#[test]
fn a_crash_loop_is_forgotten_after_a_long_run() {
    let mut lab = Lab::new(3);
    let crashing = |after_s| Behaviour {
        exits: Some((Micros::from_secs(after_s), 1)),
        ..Behaviour::default()
    };
    lab.fake
        .behaviours
        .insert("dex/risk:1".to_owned(), crashing(1));
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(60);
    let before = starts(&lab).len();
    assert!((3..=5).contains(&before), "it backs off: {before}");
    // One run of more than twice the longest back-off (`backoff.go` hasExpired), then a short one again.
    lab.fake
        .behaviours
        .insert("dex/risk:1".to_owned(), crashing(900));
    lab.wait(200, |c| {
        let pod = c.objects(Kind::Pod, NS).next().expect("it is there");
        pod["status"]["containerStatuses"][0]["state"]
            .get("running")
            .is_some()
    });
    lab.fake
        .behaviours
        .insert("dex/risk:1".to_owned(), crashing(1));
    lab.run_secs(890);
    lab.fake.record.clear();
    lab.run_secs(34);
    assert!(
        starts(&lab).len() >= 2,
        "at once, then after 10 s: {:?}",
        lab.fake.record
    );
}
