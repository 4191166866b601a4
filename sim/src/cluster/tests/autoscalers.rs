//! The horizontal pod autoscaler.

use super::lab::{Lab, NS, apps, condition, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Kind};
use crate::time::Micros;

fn path(name: &str) -> String {
    format!("/apis/autoscaling/v2/namespaces/{NS}/horizontalpodautoscalers{name}")
}

fn scaler() -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2, "maxReplicas": 6,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50},
            }}],
        },
    })
}

fn web(lab: &mut Lab) {
    let mut object = deployment("web", 2, "web:1");
    object["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "100m"}});
    lab.post(&apps("deployments"), &object);
    lab.rolled_out("web", 30);
}

fn replicas(c: &Cluster) -> i64 {
    let web = c.object(Kind::Deployment, NS, "web").expect("there");
    web["spec"]["replicas"].as_i64().unwrap_or(-1)
}

fn status(c: &Cluster, of_type: &str) -> (String, String) {
    let scaler = c
        .object(Kind::HorizontalPodAutoscaler, NS, "web")
        .expect("there");
    let found = condition(scaler, of_type);
    let word = |field: &str| found[field].as_str().unwrap_or("").to_owned();
    (word("status"), word("reason"))
}

fn is(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn without_metrics_nothing_is_scaled_and_the_conditions_say_why() {
    let mut lab = Lab::new(1);
    web(&mut lab);
    lab.post(&path(""), &scaler());
    lab.run_secs(10);
    assert_eq!(
        status(&lab.cluster, "ScalingActive"),
        is("", ""),
        "it looks each 15 s"
    );
    lab.run_secs(20);
    assert_eq!(
        status(&lab.cluster, "ScalingActive"),
        is("False", "FailedGetResourceMetric")
    );
    assert_eq!(
        status(&lab.cluster, "AbleToScale"),
        is("True", "SucceededGetScale")
    );
    assert_eq!(replicas(&lab.cluster), 2);
    let events = lab.event_messages("web", "FailedGetResourceMetric");
    assert!(events[0].contains("pods.metrics.k8s.io"), "{events:?}");
}

#[test]
fn load_brings_pods_at_once_and_its_end_takes_them_after_five_minutes() {
    let mut lab = Lab::new(1);
    lab.fake.cpu_millis = Some(90);
    web(&mut lab);
    lab.post(&path(""), &scaler());
    lab.wait(40, |c| replicas(c) == 4);
    assert_eq!(
        status(&lab.cluster, "ScalingActive"),
        is("True", "ValidMetricFound")
    );
    let events = lab.event_messages("web", "SuccessfulRescale");
    assert_eq!(
        events,
        ["New size: 4; reason: cpu resource utilization (percentage of request) above target"]
    );
    lab.wait(400, |c| replicas(c) == 6);
    lab.wait(60, |c| {
        status(c, "ScalingLimited") == is("True", "TooManyReplicas")
    });
    lab.fake.cpu_millis = Some(5);
    let took = lab.wait(600, |c| replicas(c) == 2);
    let window = Micros::from_secs(280)..Micros::from_secs(330);
    assert!(window.contains(&took), "{took:?}");
}

#[test]
fn a_target_beyond_the_bounds_is_brought_back_and_a_missing_one_is_named() {
    let mut lab = Lab::new(1);
    web(&mut lab);
    lab.merge(&apps("deployments/web"), &json!({"spec": {"replicas": 8}}));
    lab.post(&path(""), &scaler());
    lab.wait(40, |c| replicas(c) == 6);
    lab.merge(
        &path("/web"),
        &json!({"spec": {"scaleTargetRef": {"name": "none"}}}),
    );
    lab.run_secs(40);
    assert_eq!(
        status(&lab.cluster, "AbleToScale"),
        is("False", "FailedGetScale")
    );
    let mut wrong = scaler();
    wrong["metadata"]["name"] = "x".into();
    wrong["spec"]["maxReplicas"] = 1.into();
    let (code, answer) = lab.call("POST", &path(""), "application/json", &wrong);
    assert_eq!(code, 422, "{answer}");
}
