//! An application of any size, to measure how the simulation grows with it.

use std::fmt::Write as _;

use super::bundle::{Bundle, File};

/// Calls of one service, at most.
const CALLS: usize = 4;

/// An application of `services` services with `pods` pods each, whose clients send `rate_per_s` requests a second. Each
/// service calls up to four others in some of its requests, and all of them are reached. The release `bad` fails one
/// request in five of the first service, `s0`.
#[must_use]
pub fn sample(services: usize, pods: u32, rate_per_s: u32) -> Bundle {
    let mut manifests = String::new();
    let mut app = String::from("name = \"sample\"\nmanifests = [\"k8s\"]\nprior = \"good\"\n");
    for at in 0..services {
        let name = format!("s{at}");
        // Writing into a string never fails.
        let _ = write!(
            manifests,
            "\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: sample}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: {name}
          image: registry.example/sample/{name}:1.0.0
          ports: [{{containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 5}}
          lifecycle: {{preStop: {{exec: {{command: [sleep, \"3\"]}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: sample}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
"
        );
        let calls = (at * CALLS + 1..=at * CALLS + CALLS).take_while(|to| *to < services);
        let calls: Vec<String> = calls
            .map(|to| format!("{{ service = \"s{to}\", share = 0.4, timeout = \"1s\" }}"))
            .collect();
        let _ = write!(
            app,
            "
[service.{name}]
request = {{ median = \"3ms\", p99 = \"20ms\" }}
concurrency = 100
shutdown = \"1s\"
calls = [{}]
",
            calls.join(", ")
        );
    }
    let _ = write!(
        app,
        "
[[client]]
name = \"users\"
service = \"s0\"
rate = {rate_per_s}
timeout = \"2s\"

[release.bad]
images = {{ s0 = \"registry.example/sample/s0:1.1.0\" }}
defects = [{{ service = \"s0\", kind = \"errors\", share = 0.2 }}]
"
    );
    let file = |path: &str, text| File {
        path: path.to_owned(),
        text,
    };
    Bundle {
        app: file("app.toml", app),
        manifests: vec![file("k8s/all.yaml", manifests)],
    }
}
