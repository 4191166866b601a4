//! Pods of several containers: each has its own image, start, probes and restarts, and all of them make the pod.

use super::lab::{Behaviour, Lab, NS, apps, condition, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, ImageState, Kind};
use crate::time::Micros;

const APP: &str = "shop/app:1";
const LOG: &str = "shop/log:1";

fn container(name: &str, image: &str, port: u16) -> Value {
    json!({
        "name": name, "image": image, "ports": [{"name": name, "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": port}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": port}, "periodSeconds": 5},
    })
}

/// A Deployment whose pods have the containers `app` and `log`.
fn two() -> Value {
    let mut d = deployment("shop", 1, APP);
    let spec = &mut d["spec"]["template"]["spec"];
    spec["containers"] = json!([container("app", APP, 8080), container("log", LOG, 9000)]);
    d
}

fn rolled_out(deployment: &Value) -> Lab {
    let mut lab = Lab::several(1);
    lab.post(&apps("deployments"), deployment);
    lab.rolled_out("shop", 60);
    lab
}

fn name(lab: &Lab) -> String {
    lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}

/// The status of a container of the only pod, if there is one.
fn status(c: &Cluster, container: &str) -> Value {
    let pod = c.objects(Kind::Pod, NS).next();
    let all = pod.and_then(|pod| pod["status"]["containerStatuses"].as_array());
    let mut all = all.into_iter().flatten();
    all.find(|s| s["name"] == container)
        .cloned()
        .unwrap_or_default()
}

fn runs(c: &Cluster, container: &str) -> bool {
    !status(c, container)["state"]["running"].is_null()
}

#[test]
fn a_pod_is_ready_when_all_its_containers_are() {
    let mut lab = Lab::several(1);
    let slow = Behaviour {
        ready_after: Some(Micros::from_secs(9)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(LOG.to_owned(), slow);
    lab.post(&apps("deployments"), &two());
    lab.run_secs(6);
    assert_eq!(lab.fake.story(), ["start app", "start log"]);
    let pod = lab.pods().remove(0);
    assert_eq!(pod["status"]["phase"], "Running");
    assert!(condition(&pod, "Initialized")["reason"].is_null());
    for of_type in ["Ready", "ContainersReady"] {
        let condition = condition(&pod, of_type);
        assert_eq!(condition["status"], "False");
        assert_eq!(condition["reason"], "ContainersNotReady");
        assert_eq!(
            condition["message"],
            "containers with unready status: [log]"
        );
    }
    let statuses = &pod["status"]["containerStatuses"];
    let shown = |i: usize| {
        let s = &statuses[i];
        (
            s["name"].clone(),
            s["image"].clone(),
            s["ready"].clone(),
            s["restartCount"].clone(),
        )
    };
    let expected =
        |name: &str, image: &str, ready: bool| (json!(name), json!(image), json!(ready), json!(0));
    assert_eq!(shown(0), expected("app", APP, true));
    assert_eq!(shown(1), expected("log", LOG, false));
    assert_ne!(statuses[0]["containerID"], statuses[1]["containerID"]);
    lab.rolled_out("shop", 30);
    assert!(lab.now > Micros::from_secs(9));
    assert_eq!(condition(&lab.pods()[0], "Ready")["status"], "True");
}

/// `sort.Sort(kubetypes.SortedContainerStatuses(…))` in `kubelet_pods.go`.
#[test]
fn the_statuses_are_in_the_order_of_their_names() {
    let mut d = two();
    let spec = &mut d["spec"]["template"]["spec"];
    spec["containers"] = json!([container("log", LOG, 9000), container("app", APP, 8080)]);
    let lab = rolled_out(&d);
    assert_eq!(lab.fake.story(), ["start log", "start app"]);
    let pod = &lab.pods()[0];
    assert_eq!(pod["status"]["containerStatuses"][0]["name"], "app");
    assert_eq!(pod["status"]["containerStatuses"][1]["name"], "log");
}

/// SyncPod starts containers one after another, and the status is made at its beginning.
#[test]
fn a_slow_pull_of_one_container_keeps_the_status_of_the_others_back() {
    let mut lab = Lab::several(1);
    let takes = Micros::from_secs(30);
    lab.cluster.set_image(LOG, ImageState::Pull { takes });
    lab.post(&apps("deployments"), &two());
    lab.run_secs(15);
    assert_eq!(lab.fake.story(), ["start app"]);
    let waits = status(&lab.cluster, "app");
    assert_eq!(waits["state"]["waiting"]["reason"], "ContainerCreating");
    let took = lab.wait(30, |c| runs(c, "app"));
    assert!(took > Micros::from_secs(15), "{took}");
    assert!(lab.fake.when("start", "log") > Some(takes));
    lab.rolled_out("shop", 10);
}

#[test]
fn a_missing_image_of_one_container_leaves_the_other_running() {
    let mut lab = Lab::several(1);
    lab.cluster.set_image(LOG, ImageState::Missing);
    lab.post(&apps("deployments"), &two());
    let waits_for =
        |c: &Cluster, reason: &str| status(c, "log")["state"]["waiting"]["reason"] == reason;
    lab.wait(10, |c| waits_for(c, "ErrImagePull"));
    lab.wait(10, |c| waits_for(c, "ImagePullBackOff"));
    assert!(runs(&lab.cluster, "app"));
    let pod = lab.pods().remove(0);
    assert_eq!(pod["status"]["phase"], "Pending", "one has never run");
    assert_eq!(condition(&pod, "Ready")["status"], "False");
    lab.cluster.set_image(LOG, ImageState::Present);
    lab.rolled_out("shop", 60);
}

#[test]
fn a_container_restarts_by_itself() {
    let mut lab = Lab::several(1);
    lab.exits(LOG, 500, 3);
    lab.post(&apps("deployments"), &two());
    lab.run_secs(60);
    let crashing = status(&lab.cluster, "log");
    assert_eq!(crashing["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(crashing["lastState"]["terminated"]["exitCode"], 3);
    let restarts = crashing["restartCount"].as_i64().expect("a number");
    assert!((3..=4).contains(&restarts), "{restarts}");
    let app = status(&lab.cluster, "app");
    assert_eq!(
        (&app["restartCount"], &app["ready"]),
        (&json!(0), &json!(true))
    );
    let starts = lab.fake.story();
    assert_eq!(starts.iter().filter(|s| *s == "start app").count(), 1);
    let pod = &lab.pods()[0];
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(
        condition(pod, "ContainersReady")["message"],
        "containers with unready status: [log]"
    );
    let message = "Back-off restarting failed container log in pod";
    assert_eq!(lab.event_messages("shop", "BackOff")[0], message);
}

#[test]
fn a_failing_liveness_probe_restarts_its_own_container() {
    let mut lab = Lab::several(1);
    let hanging = Behaviour {
        hangs_after: Some(Micros::from_secs(20)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(LOG.to_owned(), hanging);
    lab.post(&apps("deployments"), &two());
    lab.run_secs(45);
    assert_eq!(status(&lab.cluster, "log")["restartCount"], 1);
    assert_eq!(status(&lab.cluster, "app")["restartCount"], 0);
    assert_eq!(
        lab.event_messages("shop", "Killing"),
        ["Container log failed liveness probe, will be restarted"]
    );
    assert_eq!(lab.fake.when("term", "app"), None);
}

/// The first probe that succeeds begins the others' ticks anew, and nothing else.
#[test]
fn a_container_with_a_startup_probe_can_still_crash() {
    let mut lab = Lab::several(1);
    lab.exits(LOG, 9_000, 1);
    let mut d = two();
    let probe = json!({"tcpSocket": {"port": 9000}, "periodSeconds": 1});
    d["spec"]["template"]["spec"]["containers"][1]["startupProbe"] = probe;
    lab.post(&apps("deployments"), &d);
    lab.run_secs(20);
    assert_eq!(status(&lab.cluster, "log")["restartCount"], 1);
}

#[test]
fn a_container_waits_to_be_restarted_while_another_one_is_started() {
    let mut lab = Lab::several(1);
    let hanging = Behaviour {
        hangs_after: Some(Micros::from_secs(5)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(APP.to_owned(), hanging);
    lab.exits(LOG, 2_000, 1);
    lab.post(&apps("deployments"), &two());
    lab.wait(10, |c| runs(c, "app") && runs(c, "log"));
    // The next start of `log` takes a minute, in which `app` hangs.
    let takes = Micros::from_secs(60);
    lab.cluster.set_image(LOG, ImageState::Pull { takes });
    lab.run_secs(40);
    assert_eq!(lab.fake.when("term", "app"), None, "the worker is busy");
    lab.run_secs(60);
    assert!(lab.fake.when("term", "app") > Some(takes));
    assert!(status(&lab.cluster, "app")["restartCount"].as_i64() >= Some(1));
}

#[test]
fn all_containers_are_stopped_at_once_and_share_the_grace_period() {
    let mut lab = rolled_out(&two());
    lab.drains(LOG, 3_600);
    lab.drains(APP, 4);
    let (name, from) = (name(&lab), lab.now);
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    let took = lab.wait(20, |c| c.object(Kind::Pod, NS, &name).is_none());
    assert!((10_000..12_000).contains(&took.as_millis()), "{took}");
    let record: Vec<_> = lab.fake.record.iter().filter(|r| r.0 > from).collect();
    let when = |what: &str, about: &str| {
        let found = record.iter().find(|r| r.1 == what && r.2 == about);
        found.expect("it happened").0
    };
    assert_eq!(when("term", "app"), when("term", "log"));
    assert_eq!(
        when("gone", "app") - when("term", "app"),
        Micros::from_secs(4)
    );
    assert_eq!(
        when("gone", "log") - when("term", "log"),
        Micros::from_secs(10)
    );
    let mut stopped = lab.event_messages("shop", "Killing");
    stopped.sort();
    assert_eq!(
        stopped,
        ["Stopping container app", "Stopping container log"]
    );
}

#[test]
fn logs_are_those_of_the_container_that_is_asked_for() {
    let mut lab = rolled_out(&two());
    let name = name(&lab);
    let log = core(&format!("pods/{name}/log"));
    assert_eq!(lab.get(&format!("{log}?container=app")), "app says hello\n");
    assert_eq!(lab.get(&format!("{log}?container=log")), "log says hello\n");
    for (query, message) in [
        (
            "",
            format!("a container name must be specified for pod {name}, choose one of: [app log]"),
        ),
        (
            "?container=nope",
            format!("container nope is not valid for pod {name}"),
        ),
    ] {
        let (code, body) = lab.call("GET", &format!("{log}{query}"), "", &Value::Null);
        assert_eq!((code, &body["reason"]), (400, &json!("BadRequest")));
        assert_eq!(body["message"], message.as_str());
    }
}

#[test]
fn a_port_belongs_to_the_container_that_declares_it() {
    let mut d = two();
    // The app's readiness is the log's: it asks another container's port.
    let containers = &mut d["spec"]["template"]["spec"]["containers"];
    containers[0]["readinessProbe"]["httpGet"]["port"] = 9000.into();
    let mut lab = Lab::several(1);
    let never = Behaviour {
        ready_after: None,
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert(LOG.to_owned(), never);
    lab.post(&apps("deployments"), &d);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80, "targetPort": "log"}]},
    });
    lab.post(&core("services"), &service);
    lab.run_secs(10);
    assert_eq!(status(&lab.cluster, "app")["ready"], false);
    let name = name(&lab);
    for (port, image) in [("", APP), (":8080", APP), (":9000", LOG)] {
        let path = core(&format!("pods/{name}{port}/proxy/x"));
        assert_eq!(lab.get(&path), format!("/x of {image}").as_str());
    }
    // Nobody listens at the first two, and a container's name for its port means nothing to the proxy.
    for (port, said) in [
        ("9", "connect: connection refused"),
        ("http", ":80: connect: connection refused"),
        ("log", "lookup tcp/log: unknown port"),
    ] {
        let path = core(&format!("pods/{name}:{port}/proxy/x"));
        let (code, body) = lab.call("GET", &path, "", &Value::Null);
        assert_eq!(code, 503, "{port}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(message.ends_with(said), "{port}: {message}");
    }
    let slices = lab.get(&format!(
        "/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices"
    ));
    assert_eq!(slices["items"][0]["ports"][0]["port"], 9000);
    let target = lab.cluster.targets()[0].clone();
    assert_eq!((target.port, target.running), (8080, true));
}

#[test]
fn the_environment_is_the_container_s_own() {
    let mut d = two();
    let containers = &mut d["spec"]["template"]["spec"]["containers"];
    containers[0]["env"] = json!([{"name": "WHO", "value": "app"}]);
    containers[1]["env"] = json!([{"name": "WHO", "value": "log"}]);
    let lab = rolled_out(&d);
    let who: Vec<&str> = lab
        .fake
        .live
        .values()
        .map(|(_, start)| start.env["WHO"].as_str())
        .collect();
    assert_eq!(who, ["app", "log"]);
}

/// What happens to further containers is drawn from a stream of their own.
#[test]
fn a_container_more_leaves_the_first_one_s_course_as_it_was() {
    let course = |d: &Value| {
        let mut lab = Lab::several(7);
        lab.exits(APP, 1_500, 1);
        lab.post(&apps("deployments"), d);
        lab.run_secs(200);
        let record = lab.fake.record;
        let of_app: Vec<_> = record.into_iter().filter(|r| r.2 == "app").collect();
        of_app
    };
    let mut one = two();
    one["spec"]["template"]["spec"]["containers"] = json!([container("app", APP, 8080)]);
    let alone = course(&one);
    assert!(alone.len() > 8, "{alone:?}");
    assert_eq!(course(&two()), alone);
}
