//! Orphans, and whose they become.

use super::lab::{Lab, NS, apps, condition, core, deployment};
use crate::cluster::Kind;
use crate::cluster::json::{Value, json};

fn owner(object: &Value) -> &Value {
    &object["metadata"]["ownerReferences"][0]["uid"]
}

fn orphaned(lab: &mut Lab) {
    lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.set_image("risk", "dex/risk:2");
    lab.rolled_out("risk", 30);
    let options = json!({"propagationPolicy": "Orphan"});
    lab.call(
        "DELETE",
        &apps("deployments/risk"),
        "application/json",
        &options,
    );
    lab.run_secs(5);
    assert_eq!(lab.pods().len(), 2);
}

/// kubernetes#108372.
#[test]
fn a_deployment_made_again_takes_its_replica_sets_back() {
    let mut lab = Lab::new(3);
    orphaned(&mut lab);
    let before: Vec<Value> = lab.pods();
    let made = lab.post(&apps("deployments"), &deployment("risk", 2, "dex/risk:2"));
    lab.rolled_out("risk", 30);
    let sets: Vec<Value> = lab.cluster.objects(Kind::ReplicaSet, NS).cloned().collect();
    assert_eq!(sets.len(), 2, "none is new");
    assert!(sets.iter().all(|rs| *owner(rs) == made["metadata"]["uid"]));
    let names = |pods: &[Value]| -> Vec<Value> {
        pods.iter().map(|p| p["metadata"]["name"].clone()).collect()
    };
    assert_eq!(names(&lab.pods()), names(&before), "the pods never noticed");
    let d = lab.get(&apps("deployments/risk"));
    assert_eq!(
        d["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
}

#[test]
fn progress_counts_from_the_replica_set_that_was_found() {
    let mut lab = Lab::new(3);
    orphaned(&mut lab);
    // Of another size, so that it is not complete at once.
    lab.post(&apps("deployments"), &deployment("risk", 3, "dex/risk:2"));
    lab.wait(10, |c| {
        let d = c.object(Kind::Deployment, NS, "risk").expect("it was made");
        condition(d, "Progressing")["reason"] == "FoundNewReplicaSet"
    });
}

#[test]
fn a_deployment_with_another_selector_takes_nothing() {
    let mut lab = Lab::new(3);
    orphaned(&mut lab);
    let mut other = deployment("risk", 2, "dex/risk:2");
    other["spec"]["selector"] = json!({"matchLabels": {"app": "risk", "line": "two"}});
    other["spec"]["template"]["metadata"]["labels"]["line"] = "two".into();
    lab.post(&apps("deployments"), &other);
    lab.rolled_out("risk", 30);
    let orphans = lab
        .cluster
        .objects(Kind::ReplicaSet, NS)
        .filter(|rs| rs["metadata"].get("ownerReferences").is_none());
    assert_eq!(orphans.count(), 2);
    assert_eq!(lab.pods().len(), 4);
}

#[test]
fn a_pod_without_the_label_is_released_and_replaced_and_taken_back_with_it() {
    let mut lab = Lab::new(3);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let path = core(&format!("pods/{name}"));
    lab.merge(&path, &json!({"metadata": {"labels": {"app": null}}}));
    lab.run_secs(10);
    assert_eq!(lab.get(&path)["metadata"].get("ownerReferences"), None);
    assert_eq!(lab.pods().len(), 2, "a new one has come");
    lab.merge(&path, &json!({"metadata": {"labels": {"app": "risk"}}}));
    lab.run_secs(10);
    assert_eq!(lab.pods().len(), 1, "one is too many");
}

#[test]
fn of_several_equal_replica_sets_the_oldest_is_the_new_one() {
    let mut lab = Lab::new(3);
    for name in ["z-older", "a-younger"] {
        let mut d = deployment("risk", 1, "dex/risk:1");
        let rs = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "labels": {"app": "risk", "pod-template-hash": name}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "risk", "pod-template-hash": name}},
                "template": std::mem::replace(&mut d["spec"]["template"], Value::Null),
            },
        });
        let mut rs = rs;
        rs["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = name.into();
        lab.post(&apps("replicasets"), &rs);
        lab.run_secs(5);
    }
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.run_secs(30);
    let size = |lab: &mut Lab, name: &str| {
        lab.get(&apps(&format!("replicasets/{name}")))["spec"]["replicas"].clone()
    };
    assert_eq!(size(&mut lab, "z-older"), 1);
    assert_eq!(size(&mut lab, "a-younger"), 0);
    assert_eq!(lab.cluster.objects(Kind::ReplicaSet, NS).count(), 2);
}
