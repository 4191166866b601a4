//! Jobs: how their pods end, and what becomes of them then.

use super::lab::{Lab, NS, condition, core};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Kind};
use crate::time::Micros;

fn jobs(name: &str) -> String {
    format!("/apis/batch/v1/namespaces/{NS}/jobs{name}")
}

fn job(rules: Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "load", "image": "load:1"}],
        }}},
    });
    for (field, value) in rules.members() {
        job["spec"][field] = value.clone();
    }
    job
}

fn status<'a>(c: &'a Cluster, field: &str) -> &'a Value {
    &c.object(Kind::Job, NS, "load").expect("there")["status"][field]
}

fn has(c: &Cluster, of_type: &str) -> bool {
    let job = c.object(Kind::Job, NS, "load").expect("there");
    condition(job, of_type)["status"] == "True"
}

#[test]
fn a_job_is_complete_when_its_pods_have_succeeded() {
    let mut lab = Lab::new(1);
    lab.exits("load:1", 2_000, 0);
    let made = lab.post(&jobs(""), &job(json!({"completions": 3, "parallelism": 2})));
    let uid = made["metadata"]["uid"].clone();
    let labels = &made["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["batch.kubernetes.io/controller-uid"], uid);
    assert_eq!(labels["job-name"], "load");
    lab.wait(10, |c| status(c, "active") == &json!(2));
    let pod = lab.pods()[0].clone();
    assert_eq!(
        pod["metadata"]["finalizers"],
        json!(["batch.kubernetes.io/job-tracking"])
    );
    lab.wait(60, |c| has(c, "Complete"));
    let c = &lab.cluster;
    assert!(has(c, "SuccessCriteriaMet"));
    assert_eq!(status(c, "succeeded"), &json!(3));
    assert!(status(c, "active").is_null());
    assert!(status(c, "completionTime").as_str().is_some());
    lab.run_secs(2);
    let pods = lab.pods();
    assert_eq!(pods.len(), 3);
    assert!(pods.iter().all(|p| p["status"]["phase"] == "Succeeded"));
    assert!(
        pods.iter()
            .all(|p| p["metadata"].get("finalizers").is_none())
    );
    assert_eq!(lab.event_messages("load", "Completed"), ["Job completed"]);
    lab.call("DELETE", &jobs("/load"), "", &Value::Null);
    lab.wait(30, |c| c.objects(Kind::Pod, NS).count() == 0);
}

#[test]
fn a_job_fails_after_its_last_attempt_and_waits_longer_before_each() {
    let mut lab = Lab::new(1);
    lab.exits("load:1", 100, 1);
    lab.post(&jobs(""), &job(json!({"backoffLimit": 2})));
    let took = lab.wait(120, |c| has(c, "Failed"));
    // Ten seconds before the second pod, twenty before the third.
    assert!(
        took > Micros::from_secs(30) && took < Micros::from_secs(60),
        "{took:?}"
    );
    assert_eq!(status(&lab.cluster, "failed"), &json!(3));
    let failed = lab.cluster.object(Kind::Job, NS, "load").expect("there");
    assert_eq!(
        condition(failed, "Failed")["reason"],
        "BackoffLimitExceeded"
    );
    assert_eq!(lab.pods().len(), 3);
}

#[test]
fn containers_that_are_restarted_in_place_count_too() {
    let mut lab = Lab::new(1);
    lab.exits("load:1", 100, 1);
    let mut object = job(json!({"backoffLimit": 1}));
    object["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure".into();
    lab.post(&jobs(""), &object);
    lab.wait(120, |c| has(c, "Failed"));
    lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == 0);
}

#[test]
fn a_deadline_ends_a_job_and_its_pods() {
    let mut lab = Lab::new(1);
    lab.post(&jobs(""), &job(json!({"activeDeadlineSeconds": 30})));
    lab.wait(60, |c| has(c, "FailureTarget"));
    assert!(!has(&lab.cluster, "Failed"), "its pod has not ended yet");
    assert!(lab.now >= Micros::from_secs(29));
    lab.wait(60, |c| has(c, "Failed"));
    let failed = lab.cluster.object(Kind::Job, NS, "load").expect("there");
    assert_eq!(condition(failed, "Failed")["reason"], "DeadlineExceeded");
    lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == 0);
}

#[test]
fn a_finished_job_goes_with_its_pods_when_its_time_is_over() {
    let mut lab = Lab::new(1);
    lab.exits("load:1", 1_000, 0);
    lab.post(&jobs(""), &job(json!({"ttlSecondsAfterFinished": 60})));
    lab.wait(30, |c| has(c, "Complete"));
    lab.run_secs(50);
    assert_eq!(lab.cluster.objects(Kind::Job, NS).count(), 1);
    lab.wait(30, |c| c.objects(Kind::Job, NS).count() == 0);
    lab.wait(30, |c| c.objects(Kind::Pod, NS).count() == 0);
}

#[test]
fn a_suspended_job_has_no_pods_until_it_is_resumed() {
    let mut lab = Lab::new(1);
    lab.exits("load:1", 1_000, 0);
    lab.post(&jobs(""), &job(json!({"suspend": true})));
    lab.run_secs(10);
    assert!(has(&lab.cluster, "Suspended"));
    assert_eq!(lab.pods().len(), 0);
    lab.merge(&jobs("/load"), &json!({"spec": {"suspend": false}}));
    lab.wait(30, |c| has(c, "Complete"));
}

#[test]
fn a_template_that_runs_for_ever_is_refused_and_a_deleted_pod_is_replaced() {
    let mut lab = Lab::new(1);
    let mut for_ever = job(json!({}));
    for_ever["spec"]["template"]["spec"]["restartPolicy"] = "Always".into();
    let (code, answer) = lab.call("POST", &jobs(""), "application/json", &for_ever);
    assert_eq!(code, 422, "{answer}");
    lab.post(&jobs(""), &job(json!({})));
    lab.wait(30, |c| status(c, "ready") == &json!(1));
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.wait(60, |c| {
        status(c, "failed") == &json!(1) && status(c, "ready") == &json!(1)
    });
    assert!(
        lab.pods()
            .iter()
            .all(|p| p["metadata"]["name"] != name.as_str()
                || p["metadata"].get("deletionTimestamp").is_some())
    );
}

#[test]
fn pods_that_are_left_without_their_job_can_be_deleted() {
    let mut lab = Lab::new(1);
    lab.post(&jobs(""), &job(json!({})));
    lab.wait(30, |c| status(c, "ready") == &json!(1));
    let options = json!({"propagationPolicy": "Orphan"});
    lab.call("DELETE", &jobs("/load"), "application/json", &options);
    lab.wait(30, |c| c.objects(Kind::Job, NS).count() == 0);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.wait(60, |c| c.objects(Kind::Pod, NS).count() == 0);
}
