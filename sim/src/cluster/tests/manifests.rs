//! What manifests of other people's applications say, and those of the exchange do not: commands and gRPC in probes,
//! `imagePullPolicy: Always`, host ports, nodes of one's own.

use super::lab::{Behaviour, Lab, NS, apps, condition, deployment};
use crate::cluster::json::{Value, json};
use crate::cluster::{Cluster, ImageState, Kind, Timings};
use crate::time::Micros;

fn probed(probe: Value) -> Value {
    let mut d = deployment("front", 1, "shop/front:1");
    let container = &mut d["spec"]["template"]["spec"]["containers"][0];
    container["readinessProbe"] = probe;
    if let Some(container) = container.as_object_mut() {
        container.remove("livenessProbe");
    }
    d
}

#[test]
fn a_probe_s_command_succeeds_when_the_application_says_so() {
    let mut lab = Lab::new(3);
    let slow = Behaviour {
        command_after: Micros::from_secs(30),
        ..Behaviour::default()
    };
    lab.fake.behaviours.insert("shop/front:1".to_owned(), slow);
    let probe = json!({"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1});
    lab.post(&apps("deployments"), &probed(probe));
    let took = lab.rolled_out("front", 60);
    assert!(
        took > Micros::from_secs(30) && took < Micros::from_secs(34),
        "{took}"
    );
}

#[test]
fn a_grpc_probe_asks_the_health_service() {
    let mut lab = Lab::new(3);
    let probe = json!({"grpc": {"port": 8080}, "periodSeconds": 1});
    lab.post(&apps("deployments"), &probed(probe));
    lab.rolled_out("front", 60);
    // A process that has gone answers nothing.
    let mut lab = Lab::new(3);
    lab.exits("shop/front:1", 10, 1);
    let probe = json!({"grpc": {"port": 8080}, "periodSeconds": 1});
    lab.post(&apps("deployments"), &probed(probe));
    lab.run_secs(60);
    let ready = lab
        .cluster
        .objects(Kind::Pod, NS)
        .filter(|pod| condition(pod, "Ready")["status"] == "True");
    assert_eq!(ready.count(), 0);
}

#[test]
fn with_always_each_start_asks_the_registry() {
    let took = |policy: &str, pulled: bool| {
        let mut lab = Lab::new(3);
        lab.cluster.timings.registry = crate::measured::Distribution::fixed(7_000_000);
        let takes = Micros::from_secs(20);
        lab.cluster
            .set_image("shop/front:1", ImageState::Pull { takes });
        if pulled {
            lab.cluster.pull_everywhere("shop/front:1");
        }
        let mut d = deployment("front", 1, "shop/front:1");
        d["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = policy.into();
        lab.post(&apps("deployments"), &d);
        lab.rolled_out("front", 60).0 / 1_000_000
    };
    assert!((20..24).contains(&took("IfNotPresent", false)));
    assert!(took("IfNotPresent", true) < 4);
    assert!((20..24).contains(&took("Always", false)));
    assert!((7..11).contains(&took("Always", true)));
}

#[test]
fn two_pods_that_want_one_port_of_a_node_are_on_two_nodes() {
    let mut lab = Lab::new(3);
    lab.cluster = Cluster::with(3, &[NS.to_owned()], Timings::default(), 2);
    let mut d = deployment("front", 3, "shop/front:1");
    let container = &mut d["spec"]["template"]["spec"]["containers"][0];
    container["ports"] = json!([{"containerPort": 8080, "hostPort": 80}]);
    lab.post(&apps("deployments"), &d);
    lab.run_secs(10);
    let pods = lab.pods();
    let mut nodes: Vec<&str> = pods
        .iter()
        .filter_map(|pod| pod["spec"]["nodeName"].as_str())
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, ["node-1", "node-2"]);
    let waiting = pods
        .iter()
        .find(|pod| pod["spec"]["nodeName"].as_str().is_none());
    let message = &condition(waiting.expect("one waits"), "PodScheduled")["message"];
    let why =
        "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.";
    assert_eq!(message.as_str(), Some(why));
}

#[test]
fn a_cluster_has_the_nodes_that_it_is_given_and_refuses_others() {
    let node = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"disk": "fast"}},
            "status": {"allocatable": {"cpu": "1"}},
        })
    };
    let namespaces = [NS.to_owned()];
    let on = |nodes: &[Value]| Cluster::on(3, &namespaces, Timings::default(), nodes);
    let cluster = on(&[node("worker-a"), node("worker-b")]).expect("they are valid");
    assert_eq!(cluster.objects(Kind::Node, "").count(), 2);
    let why = on(&[node("Worker_A")]).err().unwrap_or_default();
    assert!(why.contains("Worker_A"), "{why}");
    let why = on(&[json!({"kind": "Rock"})]).err().unwrap_or_default();
    assert!(why.contains("Rock"), "{why}");
}
