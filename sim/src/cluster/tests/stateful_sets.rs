//! StatefulSets: order, updates, rollbacks and the trap in them.

use super::lab::{Behaviour, Lab, NS, apps, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Kind};
use crate::time::Micros;

fn stateful(replicas: u32, image: &str) -> Value {
    let mut object = deployment("db", replicas, image);
    object["kind"] = "StatefulSet".into();
    object["spec"]["serviceName"] = "db".into();
    object
}

fn number(c: &Cluster, field: &str) -> i64 {
    let set = c.object(Kind::StatefulSet, NS, "db").expect("there");
    set["status"][field].as_i64().unwrap_or(0)
}

fn ready(c: &Cluster) -> i64 {
    number(c, "readyReplicas")
}

fn images(lab: &Lab) -> Vec<(String, String)> {
    let of = |pod: &Value| {
        let word = |v: &Value| v.as_str().unwrap_or("").to_owned();
        (
            word(&pod["metadata"]["name"]),
            word(&pod["spec"]["containers"][0]["image"]),
        )
    };
    lab.pods().iter().map(of).collect()
}

fn of(pods: &[(&str, &str)]) -> Vec<(String, String)> {
    pods.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

fn set_image(lab: &mut Lab, image: &str) {
    let containers = json!([{"name": "db", "image": image}]);
    let body = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let media = "application/strategic-merge-patch+json";
    let (status, body) = lab.call("PATCH", &apps("statefulsets/db"), media, &body);
    assert_eq!(status, 200, "{body}");
}

/// Revisions as (number, image), by number.
fn revisions(lab: &Lab) -> Vec<(i64, String)> {
    let mut all: Vec<(i64, String)> = lab
        .cluster
        .objects(Kind::ControllerRevision, NS)
        .map(|r| {
            let image = &r["data"]["spec"]["template"]["spec"]["containers"][0]["image"];
            (
                r["revision"].as_i64().unwrap_or(0),
                image.as_str().unwrap_or("").to_owned(),
            )
        })
        .collect();
    all.sort();
    all
}

/// `kubectl rollout undo`: the patch that the revision keeps.
fn undo(lab: &mut Lab, image: &str) {
    let data = lab
        .cluster
        .objects(Kind::ControllerRevision, NS)
        .map(|r| r["data"].clone())
        .find(|d| d["spec"]["template"]["spec"]["containers"][0]["image"] == image)
        .expect("the revision exists");
    let media = "application/strategic-merge-patch+json";
    let (status, body) = lab.call("PATCH", &apps("statefulsets/db"), media, &data);
    assert_eq!(status, 200, "{body}");
}

fn never_ready(lab: &mut Lab, image: &str) {
    let broken = Behaviour {
        ready_after: None,
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(image.to_owned(), broken);
}

#[test]
fn pods_come_one_after_another_each_with_its_name_claim_and_place() {
    let mut lab = Lab::new(1);
    let mut object = stateful(3, "db:1");
    object["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    lab.post(&apps("statefulsets"), &object);
    for there in 1..=3_usize {
        lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == there);
        assert!(
            ready(&lab.cluster) < there as i64,
            "the next one waits for those before it"
        );
        lab.wait(60, |c| ready(c) == there as i64);
    }
    let pod = lab.get(&core("pods/db-2"));
    assert_eq!(pod["spec"]["hostname"], "db-2");
    assert_eq!(pod["spec"]["subdomain"], "db");
    assert_eq!(
        pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"],
        "2"
    );
    assert_eq!(
        pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
        "data-db-2"
    );
    let claims: Vec<&Value> = lab
        .cluster
        .objects(Kind::PersistentVolumeClaim, NS)
        .collect();
    assert_eq!(claims.len(), 3);
    assert!(claims.iter().all(|c| c["status"]["phase"] == "Bound"));
    let set = lab.get(&apps("statefulsets/db"));
    assert_eq!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
    assert_eq!(set["status"]["currentReplicas"], json!(3));
    let messages = lab.event_messages("db", "SuccessfulCreate");
    assert!(messages.contains(&"create Pod db-0 in StatefulSet db successful".to_owned()));
}

#[test]
fn parallel_pods_come_at_once_and_scaling_down_takes_the_last_ones() {
    let mut lab = Lab::new(1);
    let mut object = stateful(3, "db:1");
    object["spec"]["podManagementPolicy"] = "Parallel".into();
    lab.post(&apps("statefulsets"), &object);
    lab.wait(5, |c| c.objects(Kind::Pod, NS).count() == 3);
    lab.wait(60, |c| ready(c) == 3);
    let scale = json!({"spec": {"replicas": 1}});
    lab.merge(&apps("statefulsets/db/scale"), &scale);
    lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == 1);
    assert_eq!(images(&lab), of(&[("db-0", "db:1")]));
}

#[test]
fn an_update_goes_from_the_highest_ordinal_down_to_the_partition() {
    let mut lab = Lab::new(1);
    lab.post(&apps("statefulsets"), &stateful(3, "db:1"));
    lab.wait(90, |c| ready(c) == 3);
    let rules = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    lab.merge(
        &apps("statefulsets/db"),
        &json!({"spec": {"updateStrategy": rules}}),
    );
    set_image(&mut lab, "db:2");
    lab.wait(90, |c| number(c, "updatedReplicas") == 1);
    assert_eq!(images(&lab)[..2], of(&[("db-0", "db:1"), ("db-1", "db:1")]));
    lab.wait(90, |c| number(c, "updatedReplicas") == 2 && ready(c) == 3);
    lab.run_secs(30);
    let halfway = of(&[("db-0", "db:1"), ("db-1", "db:2"), ("db-2", "db:2")]);
    assert_eq!(images(&lab), halfway);
    let set = lab.get(&apps("statefulsets/db"));
    assert_ne!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
    assert_eq!(set["status"]["currentReplicas"], json!(1));
    // A pod below the partition comes back as it was.
    lab.call("DELETE", &core("pods/db-0"), "", &Value::Null);
    lab.wait(90, |c| ready(c) == 2);
    lab.wait(90, |c| ready(c) == 3);
    assert_eq!(images(&lab), halfway);
    let all = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}});
    lab.merge(&apps("statefulsets/db"), &all);
    lab.wait(90, |c| number(c, "updatedReplicas") == 3 && ready(c) == 3);
    let set = lab.get(&apps("statefulsets/db"));
    assert_eq!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
}

#[test]
fn a_broken_pod_blocks_the_rollback_until_somebody_deletes_it() {
    let mut lab = Lab::new(1);
    never_ready(&mut lab, "db:bad");
    lab.post(&apps("statefulsets"), &stateful(3, "db:1"));
    lab.wait(90, |c| ready(c) == 3);
    set_image(&mut lab, "db:bad");
    lab.wait(90, |c| number(c, "updatedReplicas") == 1);
    undo(&mut lab, "db:1");
    lab.run_secs(600);
    let stuck = of(&[("db-0", "db:1"), ("db-1", "db:1"), ("db-2", "db:bad")]);
    assert_eq!(images(&lab), stuck, "kubernetes#67250");
    assert_eq!(
        revisions(&lab),
        [(2, "db:bad".to_owned()), (3, "db:1".to_owned())]
    );
    lab.call("DELETE", &core("pods/db-2"), "", &Value::Null);
    lab.wait(90, |c| ready(c) == 3);
    assert_eq!(images(&lab)[2].1, "db:1");
    let set = lab.get(&apps("statefulsets/db"));
    assert_eq!(
        set["status"]["currentRevision"],
        set["status"]["updateRevision"]
    );
}

#[test]
fn without_order_a_rollback_replaces_the_broken_pod_itself() {
    let mut lab = Lab::new(1);
    never_ready(&mut lab, "db:bad");
    let mut object = stateful(2, "db:1");
    object["spec"]["podManagementPolicy"] = "Parallel".into();
    lab.post(&apps("statefulsets"), &object);
    lab.wait(90, |c| ready(c) == 2);
    set_image(&mut lab, "db:bad");
    lab.wait(90, |c| number(c, "updatedReplicas") == 1);
    undo(&mut lab, "db:1");
    lab.wait(90, |c| number(c, "updatedReplicas") == 2 && ready(c) == 2);
    assert_eq!(images(&lab), of(&[("db-0", "db:1"), ("db-1", "db:1")]));
}

#[test]
fn on_delete_waits_for_somebody_to_delete_each_pod() {
    let mut lab = Lab::new(1);
    let mut object = stateful(2, "db:1");
    object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    lab.post(&apps("statefulsets"), &object);
    lab.wait(90, |c| ready(c) == 2);
    set_image(&mut lab, "db:2");
    lab.run_secs(60);
    assert_eq!(images(&lab), of(&[("db-0", "db:1"), ("db-1", "db:1")]));
    lab.call("DELETE", &core("pods/db-0"), "", &Value::Null);
    lab.wait(90, |c| number(c, "updatedReplicas") == 1 && ready(c) == 2);
    assert_eq!(images(&lab)[0].1, "db:2");
}

#[test]
fn a_pod_that_is_deleted_without_grace_is_followed_by_one_of_its_name_that_runs() {
    let mut lab = Lab::new(1);
    lab.post(&apps("statefulsets"), &stateful(2, "db:1"));
    lab.wait(90, |c| ready(c) == 2);
    let before = lab.get(&core("pods/db-0"))["metadata"]["uid"].clone();
    let at_once = json!({"gracePeriodSeconds": 0});
    lab.call("DELETE", &core("pods/db-0"), "application/json", &at_once);
    lab.wait(10, |c| ready(c) == 1);
    lab.wait(60, |c| ready(c) == 2);
    let after = lab.get(&core("pods/db-0"));
    assert_ne!(after["metadata"]["uid"], before);
    assert_eq!(after["status"]["phase"], "Running");
    // Nothing of the first one is left that could end the second.
    lab.run_secs(60);
    assert_eq!(ready(&lab.cluster), 2);
}

#[test]
fn old_revisions_are_kept_as_the_limit_says_and_pods_count_after_a_while() {
    let mut lab = Lab::new(1);
    let mut object = stateful(1, "db:1");
    object["spec"]["revisionHistoryLimit"] = 1.into();
    object["spec"]["minReadySeconds"] = 20.into();
    lab.post(&apps("statefulsets"), &object);
    lab.wait(60, |c| ready(c) == 1);
    assert_eq!(number(&lab.cluster, "availableReplicas"), 0);
    // The controller looks 20 s after it has created the pod. The pod has not been ready for 20 s then, and the next
    // look is 20 s after that one.
    lab.run_secs(30);
    assert_eq!(number(&lab.cluster, "availableReplicas"), 0);
    let took = lab.wait(60, |c| number(c, "availableReplicas") == 1);
    assert!(took <= Micros::from_secs(10), "{took:?}");
    for image in ["db:2", "db:3", "db:4"] {
        set_image(&mut lab, image);
        lab.wait(90, |c| number(c, "availableReplicas") == 0);
        lab.wait(90, |c| number(c, "availableReplicas") == 1);
    }
    lab.run_secs(5);
    assert_eq!(
        revisions(&lab),
        [(3, "db:3".to_owned()), (4, "db:4".to_owned())]
    );
    let path = apps("statefulsets/db");
    let merge = "application/merge-patch+json";
    let (status, answer) = lab.call(
        "PATCH",
        &path,
        merge,
        &json!({"spec": {"serviceName": "x"}}),
    );
    assert_eq!(status, 422, "{answer}");
}

#[test]
fn what_a_stateful_set_owns_goes_with_it_but_its_claims() {
    let mut lab = Lab::new(1);
    let mut object = stateful(1, "db:1");
    object["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    lab.post(&apps("statefulsets"), &object);
    lab.wait(60, |c| ready(c) == 1);
    lab.call("DELETE", &apps("statefulsets/db"), "", &Value::Null);
    lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == 0);
    assert_eq!(lab.cluster.objects(Kind::ControllerRevision, NS).count(), 0);
    assert_eq!(
        lab.cluster.objects(Kind::PersistentVolumeClaim, NS).count(),
        1
    );
}
