//! Forecasts from what a cluster has: a program in place of kubectl notes what it is asked, and answers as kubectl
//! does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use crate::binary::command;
use crate::scratch::Scratch;

/// What `kubectl get deployments,… --output yaml` prints.
const WORKLOADS: &str = "\
apiVersion: v1
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: front
    namespace: shop
  spec:
    replicas: 2
    selector:
      matchLabels:
        app: front
    template:
      metadata:
        labels:
          app: front
      spec:
        containers:
        - image: shop/front:1
          name: front
          resources:
            requests:
              cpu: 600m
  status:
    readyReplicas: 2
kind: List
metadata:
  resourceVersion: \"\"
";
const NODES: &str = "\
apiVersion: v1
items:
- apiVersion: v1
  kind: Node
  metadata:
    name: small
  spec: {}
  status:
    allocatable:
      cpu: \"2\"
      memory: 4Gi
      pods: \"110\"
kind: List
metadata:
  resourceVersion: \"\"
";

/// A forecast with a program in place of kubectl, which answers for `nodes` with `nodes`, and else with [`WORKLOADS`];
/// what it was asked, line by line.
fn forecast(test: &str, nodes: &str, args: &[&str]) -> (Output, Vec<String>) {
    let folder = Scratch::new(test);
    let (program, asked) = (folder.at("kubectl"), folder.at("asked"));
    fs::write(folder.at("workloads"), WORKLOADS).expect("written");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{asked}'\ncase \"$2\" in\nnodes) {nodes} ;;\n*) cat '{}' ;;\nesac\n",
        folder.at("workloads")
    );
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let output = command(args)
        .env("FIREDRILL_KUBECTL", &program)
        .output()
        .expect("it runs");
    let asked = fs::read_to_string(&asked).unwrap_or_default();
    (output, asked.lines().map(str::to_owned).collect())
}

#[test]
fn a_context_is_read_with_kubectl_get_and_nothing_else() {
    let nodes = format!("cat <<'END'\n{NODES}END\n");
    let args = [
        "forecast",
        "--context",
        "production",
        "-n",
        "shop",
        "--draws",
        "5",
        "--no-changes",
        "--format",
        "json",
    ];
    let (output, asked) = forecast("context", &nodes, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|it| it.starts_with("get ") && it.contains("--context production")),
        "{asked:?}"
    );
    assert!(asked[0].ends_with("--namespace shop"), "{asked:?}");
    assert!(!asked[0].contains("secret"), "{asked:?}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        found["workloads"][0]["name"], "shop/deployment/front",
        "{found}"
    );
    // The place of a warning is a line of `kubectl get deployment front -n shop -o yaml`.
    let text = found["workloads"][0].to_string();
    assert!(text.contains("deployment/front -n shop"), "{text}");
}

#[test]
fn nodes_that_may_not_be_listed_are_left_out_and_that_is_said() {
    let nodes = "echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1";
    let args = ["forecast", "--context", "c", "--draws", "2", "--no-changes"];
    let (output, _) = forecast("context-nodes", nodes, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the nodes are left out"), "{said}");
    assert!(said.contains("nodes is forbidden"), "{said}");
}

#[test]
fn a_context_that_can_not_be_read_says_what_to_do() {
    let output = command(&["forecast", "--context", "c"])
        .env("FIREDRILL_KUBECTL", "/no/such/kubectl")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/no/such/kubectl can't be run"), "{said}");
    assert!(said.contains("FIREDRILL_KUBECTL"), "{said}");
}
