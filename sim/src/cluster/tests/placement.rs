//! Several nodes: where pods go, and why they go nowhere.

use super::lab::{Lab, NS, apps, condition, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, Timings};

/// A cluster of two nodes with one CPU and 1 GiB each.
fn two_nodes() -> Lab {
    let mut lab = Lab::several(3);
    lab.cluster = Cluster::with(3, &[NS.to_owned()], Timings::default(), 2);
    for node in ["node-1", "node-2"] {
        let has = json!({"status": {"allocatable": {"cpu": "1", "memory": "1Gi"}}});
        lab.merge(&format!("/api/v1/nodes/{node}/status"), &has);
    }
    lab
}

fn asking(name: &str, replicas: u32, requests: Value) -> Value {
    let mut d = deployment(name, replicas, "shop/app:1");
    let spec = &mut d["spec"]["template"]["spec"];
    spec["containers"][0]["resources"] = json!({"requests": requests});
    d
}

/// The nodes of a Deployment's pods, and the message of the one that has none.
fn placed(lab: &Lab, app: &str) -> (Vec<String>, Option<String>) {
    let mut nodes = Vec::new();
    let mut message = None;
    for pod in lab.pods() {
        if pod["metadata"]["labels"]["app"] != app {
            continue;
        }
        match pod["spec"]["nodeName"].as_str() {
            Some(node) => nodes.push(node.to_owned()),
            None => {
                let refused = condition(&pod, "PodScheduled");
                assert_eq!(refused["reason"], "Unschedulable");
                message = refused["message"].as_str().map(str::to_owned);
            }
        }
    }
    nodes.sort();
    (nodes, message)
}

#[test]
fn a_pod_goes_where_its_requests_fit() {
    let mut lab = two_nodes();
    lab.post(
        &apps("deployments"),
        &asking("app", 3, json!({"cpu": "600m", "memory": "64Mi"})),
    );
    lab.run_secs(10);
    let (nodes, why) = placed(&lab, "app");
    assert_eq!(nodes, ["node-1", "node-2"], "one on each");
    assert_eq!(
        why.as_deref(),
        Some("0/2 nodes are available: 2 Insufficient cpu.")
    );
    lab.post(
        &apps("deployments"),
        &asking("big", 1, json!({"cpu": "0.5", "memory": "2Gi"})),
    );
    lab.run_secs(10);
    let (_, why) = placed(&lab, "big");
    assert_eq!(
        why.as_deref(),
        Some("0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory.")
    );
    // What is left is enough for a smaller one.
    lab.post(
        &apps("deployments"),
        &asking("small", 2, json!({"cpu": "0.4"})),
    );
    lab.rolled_out("small", 30);
    // Room appears.
    let grown = json!({"status": {"allocatable": {"cpu": "2"}}});
    lab.merge("/api/v1/nodes/node-2/status", &grown);
    lab.rolled_out("app", 30);
}

#[test]
fn init_containers_and_sidecars_count_as_they_run() {
    let resources = |cpu: &str| json!({"requests": {"cpu": cpu}});
    for (init, sidecar, fits) in [
        ("950m", "0", true),
        ("1100m", "0", false),
        ("950m", "300m", false),
        ("400m", "300m", true),
        ("0", "500m", false),
    ] {
        let mut lab = two_nodes();
        lab.exits("shop/init:1", 100, 0);
        let mut d = asking("app", 1, json!({"cpu": "600m"}));
        d["spec"]["template"]["spec"]["initContainers"] = json!([
            {"name": "mesh", "image": "shop/mesh:1", "restartPolicy": "Always", "resources": resources(sidecar)},
            {"name": "init", "image": "shop/init:1", "resources": resources(init)},
        ]);
        lab.post(&apps("deployments"), &d);
        lab.run_secs(10);
        let (nodes, _) = placed(&lab, "app");
        assert_eq!(nodes.len() == 1, fits, "init {init}, sidecar {sidecar}");
    }
}

#[test]
fn a_limit_without_a_request_is_the_request() {
    let mut lab = two_nodes();
    let mut d = deployment("app", 1, "shop/app:1");
    d["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"memory": "3Gi"}});
    lab.post(&apps("deployments"), &d);
    lab.run_secs(10);
    assert_eq!(
        placed(&lab, "app").1.as_deref(),
        Some("0/2 nodes are available: 2 Insufficient memory.")
    );
}

#[test]
fn a_pod_goes_to_a_node_that_it_selects() {
    let mut lab = two_nodes();
    let zone = json!({"metadata": {"labels": {"zone": "b", "slots": "4"}}});
    lab.merge("/api/v1/nodes/node-2", &zone);
    let mut d = asking("app", 2, json!({}));
    d["spec"]["template"]["spec"]["nodeSelector"] =
        json!({"zone": "b", "kubernetes.io/os": "linux"});
    lab.post(&apps("deployments"), &d);
    lab.rolled_out("app", 30);
    assert_eq!(placed(&lab, "app").0, ["node-2", "node-2"]);
    for (name, operator, values, node) in [
        ("in", "In", json!(["a", "b"]), "node-2"),
        ("not", "NotIn", json!(["b"]), "node-1"),
        ("more", "Gt", json!(["3"]), "node-2"),
    ] {
        let mut d = asking(name, 1, json!({}));
        let key = if operator == "Gt" { "slots" } else { "zone" };
        let term =
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        d["spec"]["template"]["spec"]["affinity"] = json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        }});
        lab.post(&apps("deployments"), &d);
        lab.rolled_out(name, 30);
        assert_eq!(placed(&lab, name).0, [node], "{operator}");
    }
    lab.cluster.set_node_capacity("node-2", 1);
    lab.post(&apps("deployments"), &{
        let mut d = asking("none", 1, json!({}));
        d["spec"]["template"]["spec"]["nodeSelector"] = json!({"zone": "b"});
        d
    });
    lab.run_secs(10);
    assert_eq!(
        placed(&lab, "none").1.as_deref(),
        Some(
            "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node affinity/selector."
        )
    );
}
