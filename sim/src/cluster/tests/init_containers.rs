//! Init containers and sidecars: their order, what the status shows of them, and how they end.

use super::lab::{Behaviour, Lab, NS, apps, condition, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, ImageState, Kind};
use crate::time::Micros;

const APP: &str = "shop/app:1";

fn init(name: &str) -> Value {
    json!({"name": name, "image": format!("shop/{name}:1")})
}

fn sidecar(name: &str) -> Value {
    json!({"name": name, "image": format!("shop/{name}:1"), "restartPolicy": "Always"})
}

/// A Deployment of one pod, whose container is `app`.
fn with_inits(inits: &[Value]) -> Value {
    let mut d = deployment("app", 1, APP);
    d["spec"]["template"]["spec"]["initContainers"] = inits.to_vec().into();
    d
}

/// The same as a pod by itself.
fn bare(inits: &[Value], policy: &str) -> Value {
    let spec = with_inits(inits)["spec"]["template"]["spec"].clone();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app", "labels": {"app": "app"}},
        "spec": spec,
    });
    pod["spec"]["restartPolicy"] = policy.into();
    pod
}

/// The only pod, if there is one.
fn pod(c: &Cluster) -> Value {
    c.objects(Kind::Pod, NS).next().cloned().unwrap_or_default()
}

/// The state of the n-th init container.
fn state(c: &Cluster, nth: usize) -> Value {
    pod(c)["status"]["initContainerStatuses"][nth]["state"].clone()
}

fn waits(c: &Cluster, nth: usize, reason: &str) -> bool {
    state(c, nth)["waiting"]["reason"] == reason
}

#[test]
fn init_containers_run_one_after_another_before_the_pod_s_containers() {
    let mut lab = Lab::several(1);
    lab.exits("shop/first:1", 3_000, 0);
    lab.exits("shop/second:1", 4_000, 0);
    lab.post(
        &apps("deployments"),
        &with_inits(&[init("first"), init("second")]),
    );
    lab.wait(10, |c| !state(c, 0)["running"].is_null());
    let seen = pod(&lab.cluster);
    assert_eq!(seen["status"]["phase"], "Pending");
    let app = &seen["status"]["containerStatuses"][0];
    assert_eq!(app["state"]["waiting"]["reason"], "PodInitializing");
    assert!(waits(&lab.cluster, 1, "PodInitializing"));
    let initialized = condition(&seen, "Initialized");
    assert_eq!(initialized["status"], "False");
    assert_eq!(initialized["reason"], "ContainersNotInitialized");
    assert_eq!(
        initialized["message"],
        "containers with incomplete status: [first second]"
    );
    lab.wait(10, |c| !state(c, 1)["running"].is_null());
    let seen = pod(&lab.cluster);
    let first = &seen["status"]["initContainerStatuses"][0];
    assert_eq!(first["state"]["terminated"]["reason"], "Completed");
    assert_eq!(
        (&first["ready"], &first["started"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        condition(&seen, "Initialized")["message"],
        "containers with incomplete status: [second]"
    );
    lab.rolled_out("app", 30);
    assert_eq!(
        lab.fake.story(),
        [
            "start first",
            "gone first",
            "start second",
            "gone second",
            "start app"
        ]
    );
    let seen = pod(&lab.cluster);
    assert_eq!(seen["status"]["phase"], "Running");
    assert_eq!(condition(&seen, "Initialized")["status"], "True");
    assert_eq!(condition(&seen, "Initialized")["reason"], Value::Null);
    // A typed client reads all of it.
    let typed: k8s_openapi::api::core::v1::Pod =
        serde_json::from_value((&seen).into()).expect("a pod");
    let statuses = typed.status.and_then(|s| s.init_container_statuses);
    assert!(statuses.is_some_and(|all| all.len() == 2 && all.iter().all(|s| s.ready)));
}

#[test]
fn an_init_container_that_fails_is_tried_again_with_back_off() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 500, 1);
    lab.post(&apps("deployments"), &with_inits(&[init("migrate")]));
    lab.wait(20, |c| state(c, 0)["terminated"]["exitCode"] == 1);
    assert_eq!(pod(&lab.cluster)["status"]["phase"], "Pending");
    lab.wait(20, |c| waits(c, 0, "CrashLoopBackOff"));
    lab.run_secs(60);
    let seen = pod(&lab.cluster);
    assert_eq!(seen["status"]["phase"], "Pending");
    let status = &seen["status"]["initContainerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    let restarts = status["restartCount"].as_i64().expect("a number");
    assert!((3..=4).contains(&restarts), "{restarts}");
    assert_eq!(lab.fake.when("start", "app"), None);
    lab.exits("shop/migrate:1", 500, 0);
    lab.rolled_out("app", 90);
    let status = pod(&lab.cluster)["status"]["initContainerStatuses"][0].clone();
    assert_eq!(status["ready"], true);
    assert_eq!(status["state"]["terminated"]["exitCode"], 0);
}

#[test]
fn an_init_container_without_its_image_holds_the_pod_back() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 500, 0);
    lab.cluster.set_image("shop/migrate:1", ImageState::Missing);
    lab.post(&apps("deployments"), &with_inits(&[init("migrate")]));
    lab.wait(10, |c| waits(c, 0, "ErrImagePull"));
    lab.wait(10, |c| waits(c, 0, "ImagePullBackOff"));
    lab.cluster.set_image("shop/migrate:1", ImageState::Present);
    lab.rolled_out("app", 60);
}

#[test]
fn a_pod_that_is_not_restarted_fails_with_its_init_container() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 500, 7);
    lab.post(
        &core("pods"),
        &bare(&[sidecar("mesh"), init("migrate")], "Never"),
    );
    lab.wait(20, |c| pod(c)["status"]["phase"] == "Failed");
    lab.run_secs(120);
    assert_eq!(
        lab.fake.story(),
        [
            "start mesh",
            "start migrate",
            "gone migrate",
            "term mesh",
            "gone mesh"
        ]
    );
    assert_eq!(
        condition(&pod(&lab.cluster), "Ready")["reason"],
        "PodFailed"
    );
}

#[test]
fn a_sidecar_starts_before_what_follows_and_runs_on() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 1_000, 0);
    let slow = Behaviour {
        ready_after: Some(Micros::from_secs(6)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("shop/mesh:1".to_owned(), slow);
    let mut mesh = sidecar("mesh");
    mesh["startupProbe"] = json!({"httpGet": {"path": "/health", "port": 15000}, "periodSeconds": 1, "failureThreshold": 30});
    lab.post(&apps("deployments"), &with_inits(&[mesh, init("migrate")]));
    lab.wait(10, |c| !state(c, 0)["running"].is_null());
    lab.run_secs(2);
    assert_eq!(lab.fake.story(), ["start mesh"], "it has not started yet");
    let seen = pod(&lab.cluster);
    assert_eq!(seen["status"]["phase"], "Pending");
    assert_eq!(
        condition(&seen, "Initialized")["message"],
        "containers with incomplete status: [mesh migrate]"
    );
    assert_eq!(
        condition(&seen, "Ready")["message"],
        "containers with unready status: [mesh app]"
    );
    lab.rolled_out("app", 30);
    assert_eq!(
        lab.fake.story(),
        ["start mesh", "start migrate", "gone migrate", "start app"]
    );
    let mesh = pod(&lab.cluster)["status"]["initContainerStatuses"][0].clone();
    assert!(mesh["state"]["running"].is_object());
    assert_eq!(
        (&mesh["ready"], &mesh["started"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn a_pod_is_not_ready_without_its_sidecar_and_restarts_it() {
    let mut lab = Lab::several(1);
    lab.exits("shop/mesh:1", 5_000, 1);
    lab.post(&apps("deployments"), &with_inits(&[sidecar("mesh")]));
    lab.rolled_out("app", 30);
    lab.wait(90, |c| waits(c, 0, "CrashLoopBackOff"));
    let seen = pod(&lab.cluster);
    let mesh = &seen["status"]["initContainerStatuses"][0];
    assert!(mesh["restartCount"].as_i64() >= Some(1), "{mesh}");
    assert_eq!(seen["status"]["phase"], "Running", "it is initialized");
    assert_eq!(condition(&seen, "Initialized")["status"], "True");
    assert_eq!(
        condition(&seen, "Ready")["message"],
        "containers with unready status: [mesh]"
    );
    let app = &seen["status"]["containerStatuses"][0];
    assert_eq!(
        (&app["ready"], &app["restartCount"]),
        (&json!(true), &json!(0))
    );
    lab.run_secs(15);
    let starts = lab.fake.story();
    assert!(starts.iter().filter(|s| *s == "start mesh").count() > 2);
    assert_eq!(starts.iter().filter(|s| *s == "start app").count(), 1);
}

#[test]
fn sidecars_end_after_the_containers_in_the_opposite_order() {
    let mut lab = Lab::several(1);
    lab.post(
        &apps("deployments"),
        &with_inits(&[sidecar("mesh"), sidecar("logs")]),
    );
    lab.rolled_out("app", 30);
    lab.drains(APP, 3);
    lab.drains("shop/logs:1", 2);
    lab.fake.record.clear();
    let name = pod(&lab.cluster)["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.wait(20, |c| c.object(Kind::Pod, NS, &name).is_none());
    let story: Vec<String> = lab
        .fake
        .story()
        .into_iter()
        .filter(|s| !s.starts_with("start"))
        .collect();
    assert_eq!(
        story,
        [
            "term app",
            "gone app",
            "term logs",
            "gone logs",
            "term mesh",
            "gone mesh"
        ]
    );
    let when = |what: &str, about: &str| lab.fake.when(what, about).expect("it happened");
    assert_eq!(when("gone", "app"), when("term", "logs"));
    assert_eq!(when("gone", "logs"), when("term", "mesh"));
}

#[test]
fn a_sidecar_has_what_is_left_of_the_grace_period_but_two_seconds_at_least() {
    for (app_drains_s, mesh_has_s) in [(4, 6), (9, 2), (3_600, 2)] {
        let mut lab = Lab::several(1);
        lab.drains(APP, app_drains_s);
        lab.drains("shop/mesh:1", 3_600);
        lab.post(&apps("deployments"), &with_inits(&[sidecar("mesh")]));
        lab.rolled_out("app", 30);
        let name = pod(&lab.cluster)["metadata"]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
        lab.wait(30, |c| c.object(Kind::Pod, NS, &name).is_none());
        let when = |what: &str, about: &str| lab.fake.when(what, about).expect("it happened");
        assert_eq!(
            when("gone", "mesh") - when("term", "mesh"),
            Micros::from_secs(mesh_has_s),
            "after {app_drains_s} s"
        );
    }
}

#[test]
fn a_pod_whose_containers_have_ended_stops_its_sidecars_and_succeeds() {
    let mut lab = Lab::several(1);
    lab.exits(APP, 5_000, 0);
    lab.drains("shop/mesh:1", 3);
    lab.post(&core("pods"), &bare(&[sidecar("mesh")], "OnFailure"));
    lab.wait(30, |c| pod(c)["status"]["phase"] == "Succeeded");
    lab.run_secs(60);
    assert_eq!(
        lab.fake.story(),
        [
            "start mesh",
            "start app",
            "gone app",
            "term mesh",
            "gone mesh"
        ]
    );
    let seen = pod(&lab.cluster);
    assert_eq!(condition(&seen, "Ready")["reason"], "PodCompleted");
    assert!(state(&lab.cluster, 0)["terminated"].is_object());
}

#[test]
fn a_pod_that_is_deleted_while_it_initializes_goes() {
    let mut lab = Lab::several(1);
    lab.post(&core("pods"), &bare(&[init("migrate")], "Always"));
    lab.wait(10, |c| !state(c, 0)["running"].is_null());
    lab.call("DELETE", &core("pods/app"), "", &Value::Null);
    lab.wait(20, |c| c.object(Kind::Pod, NS, "app").is_none());
    assert_eq!(
        lab.fake.story(),
        ["start migrate", "term migrate", "gone migrate"]
    );
}

#[test]
fn the_log_of_an_init_container_can_be_read() {
    let mut lab = Lab::several(1);
    lab.exits("shop/migrate:1", 5_000, 0);
    lab.post(&core("pods"), &bare(&[init("migrate")], "Always"));
    lab.wait(10, |c| !state(c, 0)["running"].is_null());
    let log = core("pods/app/log");
    let of_init = lab.get(&format!("{log}?container=migrate"));
    assert_eq!(of_init, "migrate says hello\n");
    let (code, body) = lab.call("GET", &log, "", &Value::Null);
    assert_eq!(code, 400);
    assert_eq!(
        body["message"],
        "container \"app\" in pod \"app\" is waiting to start: PodInitializing"
    );
}

#[test]
fn what_is_wrong_with_init_containers_and_hooks_is_refused() {
    let mut lab = Lab::several(1);
    let probe = json!({"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 0});
    let mut plain = init("app");
    plain["readinessProbe"] = probe.clone();
    plain["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 1}}});
    let mut odd = init("odd");
    odd["restartPolicy"] = "Never".into();
    let mut hooked = sidecar("mesh");
    hooked["lifecycle"] = json!({"preStop": {}});
    hooked["readinessProbe"] = probe;
    let mut d = with_inits(&[plain, odd, hooked]);
    d["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 11}, "exec": {"command": []}}, "postStart": {"sleep": {"seconds": -1}}});
    let (code, body) = lab.call("POST", &apps("deployments"), "application/json", &d);
    assert_eq!(code, 422, "{body}");
    let causes: Vec<String> = body["details"]["causes"]
        .as_array()
        .expect("causes")
        .iter()
        .map(|c| {
            let field = c["field"].as_str().unwrap_or("");
            let field = field.trim_start_matches("spec.template.spec.");
            format!("{field}: {}", c["message"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(
        causes,
        [
            "containers[0].lifecycle.postStart.sleep: Invalid value: -1: must be non-negative and less than terminationGracePeriodSeconds (10)",
            "containers[0].lifecycle.preStop.exec.command: Required value",
            "containers[0].lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type",
            "initContainers[0].name: Duplicate value: \"app\"",
            "initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
            "initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            "initContainers[1].restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
            "initContainers[2].lifecycle.preStop: Required value: must specify a handler type",
            "initContainers[2].readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
            "initContainers[2].readinessProbe.terminationGracePeriodSeconds: Invalid value: 0: must not be set for readinessProbes",
        ]
    );
}
