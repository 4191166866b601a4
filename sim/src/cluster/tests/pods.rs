//! Pods: crash loops, images, environment, termination, endpoints, logs, eviction.

use super::lab::{Behaviour, Lab, NS, apps, condition, core, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{ImageState, Kind};
use crate::time::Micros;
use crate::workload::LogLine;

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 8080}]},
    })
}

fn waiting(pod: &Value) -> &str {
    pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
        .as_str()
        .unwrap_or("")
}

#[test]
fn a_crash_loop_backs_off_from_ten_seconds_to_three_hundred() {
    let mut lab = Lab::new(3);
    let crashing = Behaviour {
        exits: Some((Micros::from_millis(500), 1)),
        ..Behaviour::default()
    };
    lab.fake
        .behaviours
        .insert("dex/risk:crash".to_owned(), crashing);
    lab.post(
        &apps("deployments"),
        &deployment("risk", 1, "dex/risk:crash"),
    );
    lab.run_secs(1_500);
    let starts: Vec<Micros> = lab
        .fake
        .record
        .iter()
        .filter(|r| r.1 == "start")
        .map(|r| r.0)
        .collect();
    let ends: Vec<Micros> = lab
        .fake
        .record
        .iter()
        .filter(|r| r.1 == "gone")
        .map(|r| r.0)
        .collect();
    let gaps: Vec<u64> = starts[1..]
        .iter()
        .zip(&ends)
        .map(|(s, e)| (*s - *e).0 / 1_000_000)
        .collect();
    assert!(gaps[0] < 2, "the first restart is immediate: {gaps:?}");
    for (gap, least) in gaps[1..].iter().zip([10, 20, 40, 80, 160, 300]) {
        assert!(
            (least..least + 17).contains(gap),
            "{least} s since the exit, rounded up to the next look: {gaps:?}"
        );
    }
    assert!(gaps.len() >= 7, "{gaps:?}");
    let pod = &lab.pods()[0];
    assert_eq!(waiting(pod), "CrashLoopBackOff");
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"],
        1
    );
}

#[test]
fn a_missing_image_backs_off_and_recovers_when_it_appears() {
    let mut lab = Lab::new(3);
    lab.cluster.set_image("dex/risk:9", ImageState::Missing);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:9"));
    lab.wait(10, |c| {
        c.objects(Kind::Pod, NS)
            .any(|p| waiting(p) == "ErrImagePull")
    });
    lab.wait(10, |c| {
        c.objects(Kind::Pod, NS)
            .any(|p| waiting(p) == "ImagePullBackOff")
    });
    lab.cluster.set_image("dex/risk:9", ImageState::Present);
    lab.rolled_out("risk", 60);
}

#[test]
fn environment_comes_from_config_maps_as_they_are_at_the_start() {
    let mut lab = Lab::new(3);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "risk-config"}, "prefix": "R_"}]);
    d["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "PLAIN", "value": "p"},
        {"name": "ONE", "valueFrom": {"configMapKeyRef": {"name": "risk-config", "key": "limit"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]);
    lab.post(&apps("deployments"), &d);
    lab.wait(10, |c| {
        c.objects(Kind::Pod, NS)
            .any(|p| waiting(p) == "CreateContainerConfigError")
    });
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "risk-config"}, "data": {"limit": "5"}});
    lab.post(&core("configmaps"), &config);
    lab.rolled_out("risk", 60);
    let env = lab
        .fake
        .live
        .values()
        .next()
        .expect("it runs")
        .1
        .env
        .clone();
    assert_eq!(env["R_limit"], "5");
    assert_eq!(env["ONE"], "5");
    assert_eq!(env["PLAIN"], "p");
    assert!(env["POD"].starts_with("risk-"));
    assert_eq!(
        lab.fake.configs["risk-config"]["limit"], "5",
        "the workload sees ConfigMaps change"
    );
}

#[test]
fn sigterm_and_the_removal_of_the_endpoint_race() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..12 {
        let mut lab = Lab::new(seed);
        lab.post(&core("services"), &service("gateway"));
        lab.post(
            &apps("deployments"),
            &deployment("gateway", 2, "dex/gateway:1"),
        );
        lab.rolled_out("gateway", 30);
        lab.run_secs(3);
        assert_eq!(lab.fake.routes["gateway"].len(), 2);
        lab.fake.record.clear();
        let name = lab.pods()[0]["metadata"]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        let (status, pod) = lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
        assert_eq!(status, 200);
        assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 10);
        let uid = pod["metadata"]["uid"].as_str().expect("a uid").to_owned();
        lab.run_secs(5);
        let at = |what: &str, about: &str| {
            lab.fake
                .record
                .iter()
                .find(|r| r.1 == what && r.2 == about)
                .map(|r| r.0)
        };
        let (term, gone) = (at("term", &uid), at("gone", &uid));
        let removed = at("route", "gateway=1").expect("the endpoint goes");
        assert!(gone > term);
        if term < Some(removed) {
            before += 1
        } else {
            after += 1
        }
    }
    assert!(
        before > 0,
        "SIGTERM comes before the proxies forget the pod: {before}/{after}"
    );
}

#[test]
fn a_terminating_pod_shows_in_its_slice_until_it_is_gone() {
    let mut lab = Lab::new(1);
    lab.drains("dex/risk:1", 5);
    lab.post(&core("services"), &service("risk"));
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(3);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    lab.run_until(lab.now + Micros::from_millis(200));
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices");
    let slices = lab.get(&path);
    let old = slices["items"][0]["endpoints"]
        .as_array()
        .expect("endpoints")
        .iter()
        .find(|e| e["targetRef"]["name"] == name.as_str())
        .expect("still listed")
        .clone();
    assert_eq!(
        old["conditions"],
        json!({"ready": false, "serving": true, "terminating": true})
    );
    lab.run_secs(20);
    assert_eq!(
        lab.get(&path)["items"][0]["endpoints"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_after_its_grace() {
    let mut lab = Lab::new(1);
    lab.drains("dex/risk:1", 3_600);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    lab.call("DELETE", &core(&format!("pods/{name}")), "", &Value::Null);
    let took = lab.wait(20, |c| c.object(Kind::Pod, NS, &name).is_none());
    // Its grace, and what a kubelet was measured to take for the rest.
    assert!((10_000..12_000).contains(&took.as_millis()), "{took}");
}

#[test]
fn a_failing_liveness_probe_restarts_the_container() {
    let mut lab = Lab::new(1);
    let hanging = Behaviour {
        hangs_after: Some(Micros::from_secs(20)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("dex/risk:1".to_owned(), hanging);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(45);
    let pod = &lab.pods()[0];
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 1);
    assert_eq!(
        lab.event_messages("risk", "Killing"),
        ["Container risk failed liveness probe, will be restarted"]
    );
}

#[test]
fn a_startup_probe_gates_the_others() {
    let mut lab = Lab::new(1);
    let slow = Behaviour {
        ready_after: Some(Micros::from_secs(8)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("dex/risk:1".to_owned(), slow);
    let mut d = deployment("risk", 1, "dex/risk:1");
    d["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = json!({"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 2, "failureThreshold": 30});
    lab.post(&apps("deployments"), &d);
    lab.run_secs(6);
    assert_eq!(
        lab.event_messages("risk", "Unhealthy"),
        ["Startup probe failed: HTTP probe failed with statuscode: 503"]
    );
    lab.rolled_out("risk", 30);
    assert_eq!(
        lab.pods()[0]["status"]["containerStatuses"][0]["started"],
        true
    );
}

#[test]
fn a_full_node_leaves_pods_pending_until_there_is_room() {
    let mut lab = Lab::new(1);
    lab.cluster.set_node_capacity("node-1", 1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 2, "dex/gateway:1"),
    );
    lab.run_secs(10);
    let pending: Vec<Value> = lab
        .pods()
        .into_iter()
        .filter(|p| p["status"]["phase"] == "Pending")
        .collect();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        condition(&pending[0], "PodScheduled")["reason"],
        "Unschedulable"
    );
    assert!(!lab.event_messages("gateway", "FailedScheduling").is_empty());
    lab.cluster.set_node_capacity("node-1", 10);
    lab.rolled_out("gateway", 30);
}

#[test]
fn log_parameters() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(10);
    for (at, text) in [(1_000_000, "one"), (6_500_000, "two"), (9_000_001, "three")] {
        lab.fake.lines.push(LogLine {
            at: Micros(at),
            text: text.to_owned(),
        });
    }
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    lab.now = Micros(11_600_000).max(lab.now);
    let now = lab.now;
    let base = core(&format!("pods/{name}/log"));
    assert_eq!(lab.get(&base), "one\ntwo\nthree\n");
    assert_eq!(
        lab.get(&format!("{base}?container=risk&tailLines=1")),
        "three\n"
    );
    let since = (now.0 - 6_000_000).div_ceil(1_000_000);
    assert_eq!(
        lab.get(&format!("{base}?sinceSeconds={since}")),
        "two\nthree\n"
    );
    assert_eq!(
        lab.get(&format!("{base}?timestamps=true&tailLines=1")),
        "2026-01-05T00:00:09.000001000Z three\n"
    );
    let (status, body) = lab.call("GET", &format!("{base}?container=nope"), "", &Value::Null);
    assert_eq!((status, &body["reason"]), (400, &json!("BadRequest")));
    let (status, body) = lab.call("GET", &format!("{base}?previous=true"), "", &Value::Null);
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("previous terminated container"))
    );
}

#[test]
fn the_proxy_reaches_the_process() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert_eq!(
        lab.get(&core(&format!("pods/{name}:8080/proxy/metrics"))),
        "/metrics of dex/risk:1"
    );
    assert_eq!(
        lab.get(&core(&format!("pods/{name}/proxy/"))),
        "/ of dex/risk:1"
    );
    let (status, body) = lab.call(
        "GET",
        &core(&format!("pods/{name}:9/proxy/x")),
        "",
        &Value::Null,
    );
    assert_eq!(
        (status, &body["reason"]),
        (503, &json!("ServiceUnavailable"))
    );
}

#[test]
fn eviction_respects_the_budget() {
    let mut lab = Lab::new(1);
    lab.post(
        &apps("deployments"),
        &deployment("gateway", 2, "dex/gateway:1"),
    );
    lab.rolled_out("gateway", 30);
    let budgets = format!("/apis/policy/v1/namespaces/{NS}/poddisruptionbudgets");
    lab.post(
        &budgets,
        &json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "gateway"}}},
        }),
    );
    let name = |lab: &Lab, i: usize| {
        lab.pods()[i]["metadata"]["name"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let (first, second) = (name(&lab, 0), name(&lab, 1));
    let evict = |lab: &mut Lab, name: &str| {
        let body =
            json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
        lab.call(
            "POST",
            &core(&format!("pods/{name}/eviction")),
            "application/json",
            &body,
        )
    };
    let (status, body) = evict(&mut lab, &first);
    assert_eq!(status, 429, "not processed yet: {body}");
    assert_eq!(body["details"]["retryAfterSeconds"], 10);
    lab.run_secs(1);
    assert_eq!(evict(&mut lab, &first).0, 201);
    let (status, body) = evict(&mut lab, &second);
    assert_eq!(status, 429);
    assert_eq!(body["details"]["causes"][0]["reason"], "DisruptionBudget");
    lab.run_secs(10);
    assert_eq!(
        evict(&mut lab, &second).0,
        201,
        "once its replacement is ready"
    );
}

#[test]
fn targets_follow_the_pods() {
    let mut lab = Lab::new(1);
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let generation = lab.cluster.targets_generation();
    lab.run_secs(30);
    assert_eq!(lab.cluster.targets_generation(), generation);
    let target = lab.cluster.targets()[0].clone();
    assert!(target.running);
    assert_eq!(target.app, "risk");
    lab.call(
        "DELETE",
        &core(&format!("pods/{}", target.pod)),
        "",
        &Value::Null,
    );
    lab.run_secs(10);
    assert!(lab.cluster.targets_generation() > generation);
    assert_eq!(lab.cluster.targets().len(), 1);
    assert_ne!(lab.cluster.targets()[0].uid, target.uid);
}

/// kube-proxy (`pkg/proxy/topology.go` CategorizeEndpoints): without a ready endpoint those that serve while they
/// terminate are used.
#[test]
fn the_last_pod_is_routed_to_while_it_terminates() {
    let mut lab = Lab::new(3);
    lab.drains("dex/risk:1", 9);
    lab.post(&core("services"), &service("risk"));
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    lab.run_secs(3);
    let uid = lab.pods()[0]["metadata"]["uid"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    lab.merge(
        &apps("deployments/risk/scale"),
        &json!({"spec": {"replicas": 0}}),
    );
    lab.run_secs(5);
    assert_eq!(lab.fake.routes["risk"], [uid], "nobody else is there");
    lab.run_secs(20);
    assert_eq!(lab.fake.routes["risk"], [""; 0]);
}

#[test]
fn the_log_is_that_of_the_process_which_the_kubelet_knows() {
    let mut lab = Lab::new(5);
    let ends = Behaviour {
        exits: Some((Micros::from_secs(5), 1)),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("dex/risk:1".to_owned(), ends);
    for text in ["before", "latest"] {
        let at = Micros::from_secs(1);
        let text = text.to_owned();
        lab.fake.lines.push(LogLine { at, text });
    }
    lab.post(&apps("deployments"), &deployment("risk", 1, "dex/risk:1"));
    lab.rolled_out("risk", 30);
    let name = lab.pods()[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let log = core(&format!("pods/{name}/log"));
    let before = format!("{log}?previous=true");
    let found = |lab: &mut Lab| lab.call("GET", &before, "", &Value::Null).0 == 200;
    assert!(!found(&mut lab), "there is none yet");
    let starts = |lab: &Lab| {
        let started = lab.fake.record.iter().filter(|r| r.1 == "start");
        started.count()
    };
    let running = |lab: &Lab| {
        let status = &lab.pods()[0]["status"]["containerStatuses"][0];
        (
            status["restartCount"].as_i64(),
            status["state"]["running"].is_object(),
        )
    };
    let (mut unseen, mut ahead) = (false, false);
    for _ in 0..4_000 {
        lab.run_until(lab.now + Micros::from_millis(2));
        let known = found(&mut lab);
        if starts(&lab) == 2 && !known {
            // The fake keeps the first line for the process before.
            unseen |= lab.get(&log) == "before\n";
        }
        ahead |= known && running(&lab) != (Some(1), true);
        if known && running(&lab) == (Some(1), true) {
            break;
        }
    }
    assert!(unseen, "a process that is not seen yet has no log");
    assert!(
        ahead,
        "the kubelet knows of a process before the API server does"
    );
    assert_eq!(lab.get(&before), "before\n");
    assert_eq!(lab.get(&log), "before\nlatest\n");
}
