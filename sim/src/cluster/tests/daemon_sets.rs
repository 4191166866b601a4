//! DaemonSets: a pod on each node, and how a new template reaches them.

use super::lab::{Fake, Lab, NS, apps, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Kind, Timings};
use crate::time::Micros;

fn nodes(count: u32) -> Lab {
    Lab {
        cluster: Cluster::with(1, &[NS.to_owned()], Timings::default(), count),
        fake: Fake::default(),
        now: Micros::ZERO,
    }
}

fn daemon(image: &str) -> Value {
    let mut object = deployment("agent", 1, image);
    object["kind"] = "DaemonSet".into();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
    object
}

fn number(c: &Cluster, field: &str) -> i64 {
    let set = c.object(Kind::DaemonSet, NS, "agent").expect("there");
    set["status"][field].as_i64().unwrap_or(0)
}

fn settled(c: &Cluster, count: i64) -> bool {
    let set = c.object(Kind::DaemonSet, NS, "agent").expect("there");
    set["status"]["observedGeneration"] == set["metadata"]["generation"]
        && [
            "desiredNumberScheduled",
            "updatedNumberScheduled",
            "numberAvailable",
        ]
        .iter()
        .all(|field| number(c, field) == count)
}

fn set_image(lab: &mut Lab, image: &str) {
    let containers = json!([{"name": "agent", "image": image}]);
    let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let media = "application/strategic-merge-patch+json";
    let (status, body) = lab.call("PATCH", &apps("daemonsets/agent"), media, &body);
    assert_eq!(status, 200, "{body}");
}

/// The least and the most that held at any time until `until` does.
fn range(
    lab: &mut Lab,
    count: impl Fn(&Cluster) -> usize,
    until: impl Fn(&Cluster) -> bool,
) -> (usize, usize) {
    let (mut least, mut most) = (usize::MAX, 0);
    for _ in 0..20_000 {
        let n = count(&lab.cluster);
        (least, most) = (least.min(n), most.max(n));
        if until(&lab.cluster) {
            return (least, most);
        }
        let next = lab.cluster.next_at().expect("something is going to happen");
        lab.run_until(next);
    }
    panic!("it never ends")
}

fn ready_pods(c: &Cluster) -> usize {
    c.objects(Kind::Pod, NS)
        .filter(|p| p["metadata"].get("deletionTimestamp").is_none())
        .filter(|p| super::lab::condition(p, "Ready")["status"] == "True")
        .count()
}

#[test]
fn each_node_that_fits_has_one_pod() {
    let mut lab = nodes(3);
    let taint =
        json!({"spec": {"taints": [{"key": "only", "value": "x", "effect": "NoSchedule"}]}});
    lab.merge("/api/v1/nodes/node-2", &taint);
    lab.post(&apps("daemonsets"), &daemon("agent:1"));
    lab.wait(60, |c| settled(c, 2));
    let mut on: Vec<String> = lab
        .pods()
        .iter()
        .map(|p| p["spec"]["nodeName"].as_str().unwrap_or("").to_owned())
        .collect();
    on.sort();
    assert_eq!(on, ["node-1", "node-3"]);
    lab.merge("/api/v1/nodes/node-2", &json!({"spec": {"taints": null}}));
    lab.wait(60, |c| settled(c, 3));
    // A cordon does not keep its pods away, and a node that no longer fits loses its pod.
    lab.merge(
        "/api/v1/nodes/node-1",
        &json!({"spec": {"unschedulable": true}}),
    );
    let pod = lab
        .pods()
        .into_iter()
        .find(|p| p["spec"]["nodeName"] == "node-1");
    let name = pod.expect("there")["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.wait(60, |c| number(c, "numberAvailable") == 2);
    lab.wait(60, |c| settled(c, 3));
    let elsewhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "node-3"}}}}});
    lab.merge(&apps("daemonsets/agent"), &elsewhere);
    lab.wait(60, |c| {
        settled(c, 1) && c.objects(Kind::Pod, NS).count() == 1
    });
}

#[test]
fn an_update_lets_no_more_pods_be_missing_than_allowed() {
    let mut lab = nodes(3);
    lab.post(&apps("daemonsets"), &daemon("agent:1"));
    lab.wait(60, |c| settled(c, 3));
    set_image(&mut lab, "agent:2");
    let (least, most) = range(&mut lab, ready_pods, |c| settled(c, 3));
    assert_eq!((least, most), (2, 3));
    let revisions = lab.cluster.objects(Kind::ControllerRevision, NS).count();
    assert_eq!(revisions, 2);
    assert!(
        lab.pods()
            .iter()
            .all(|p| p["spec"]["containers"][0]["image"] == "agent:2")
    );
}

#[test]
fn with_surge_the_new_pod_is_there_before_the_old_one_goes() {
    let mut lab = nodes(2);
    let mut object = daemon("agent:1");
    let rules = json!({"maxSurge": 1, "maxUnavailable": 0});
    object["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": rules});
    lab.post(&apps("daemonsets"), &object);
    lab.wait(60, |c| settled(c, 2));
    set_image(&mut lab, "agent:2");
    let done = |c: &Cluster| settled(c, 2) && c.objects(Kind::Pod, NS).count() == 2;
    let (least, most) = range(&mut lab, ready_pods, done);
    assert_eq!((least, most), (2, 3));
}

#[test]
fn a_rollback_makes_the_old_revision_the_latest_again() {
    let mut lab = nodes(1);
    lab.post(&apps("daemonsets"), &daemon("agent:1"));
    lab.wait(60, |c| settled(c, 1));
    set_image(&mut lab, "agent:2");
    lab.wait(60, |c| {
        settled(c, 1) && number(c, "observedGeneration") == 2
    });
    let first = lab
        .cluster
        .objects(Kind::ControllerRevision, NS)
        .find(|r| r["revision"] == json!(1))
        .expect("kept")
        .clone();
    let media = "application/strategic-merge-patch+json";
    let path = apps("daemonsets/agent");
    let (status, body) = lab.call("PATCH", &path, media, &first["data"]);
    assert_eq!(status, 200, "{body}");
    lab.wait(60, |c| {
        settled(c, 1) && number(c, "observedGeneration") == 3
    });
    let name = first["metadata"]["name"].as_str().unwrap_or("");
    let revision = lab.cluster.object(Kind::ControllerRevision, NS, name);
    assert_eq!(revision.expect("kept")["revision"], json!(3));
    assert_eq!(lab.pods()[0]["spec"]["containers"][0]["image"], "agent:1");
}
