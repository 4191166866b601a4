//! The runbook that somebody begins with who drills an application of their own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sim_services::describe::App;
use sim_services::manifests::{Manifests, WorkloadKind};

use super::store;

/// Requests a second of the clients: as many as show an error rate below 0.01 % within the five minutes of an RTO.
pub(super) const RATE: u32 = 220;
/// What all rollouts together may take, in seconds: what the RTO leaves beside the other steps.
const ROLLOUTS_S: usize = 110;

/// The runbook: triggers, the rollback of the services in `order`, and the proof at the service `asked`.
pub(super) fn runbook(
    app: &App,
    manifests: &Manifests,
    asked: usize,
    order: &[usize],
    found: Option<&store::Found>,
) -> String {
    let (namespace, name) = (&app.namespace, &app.name);
    let label_key = label_key(manifests);
    let services: Vec<&str> = order
        .iter()
        .filter_map(|at| app.services.get(*at))
        .map(|it| it.name.as_str())
        .collect();
    let label = app.services.get(asked).map_or("", |it| it.app.as_str());
    let (requests, code) = app.preset.requests();
    let all = format!("{requests}{{namespace=\"{namespace}\", app=\"{label}\"}}");
    let failed =
        format!("{requests}{{namespace=\"{namespace}\", app=\"{label}\", {code}=~\"5..\"}}");
    let (before, after) = store::steps(found);
    let rollout_s = (ROLLOUTS_S / services.len().max(1))
        .saturating_sub(4)
        .clamp(4, 30);
    let kinds: BTreeSet<WorkloadKind> = app.services.iter().map(|it| it.kind).collect();
    let recorded: Vec<String> = kinds.iter().map(|it| format!("{}s", it.word())).collect();
    format!(
        r#"---
rto: 300s
rpo: 0
validation-window: 1h
namespace: {namespace}
# Whoever is called comes before who calls it.
services: [{services}]
prometheus: http://prometheus:9090
loki: http://loki:3100
{stored}triggers:
  - name: too-many-errors
    class: p0
    query: >-
      sum(rate({failed}[15s]))
      / sum(rate({all}[15s]))
    condition: "> 0.01"
    for: 20s
---
# Roll back a release of {name}

{intro}

# Before each deployment

```sh {{"name":"record-release","rb.phase":"prepare","rb.timeout":"60s"}}
kubectl get {recorded} -n {namespace} -o yaml
```
{before}
# Roll back

The logs of the bad release first, because they vanish with its pods.

```sh {{"name":"dump-logs","rb.phase":"run","rb.timeout":"2s","rb.for-each":"service","rb.on-fail":"continue"}}
kubectl logs -n {namespace} -l {label_key}=$SERVICE --timestamps --since=15m --tail=-1
```

{steps}
{after}{checks}
# Prove the recovery

30,000 requests without a failure show that fewer than one in 10,000 fails. At {RATE} requests a second they take 137 s.

```sh {{"name":"error-rate","rb.phase":"run","rb.timeout":"150s","rb.expect":"< 0.0001","rb.min-requests":"30000","rb.requests":"sum(increase({counted}[$WINDOW]))"}}
promql '(sum(increase({failed}[$WINDOW]))
  or 0 * sum(increase({all}[$WINDOW])))
  / sum(increase({all}[$WINDOW]))'
```

# Afterwards

```sh {{"name":"post-mortem","rb.phase":"after","rb.timeout":"30s","rb.on-fail":"continue"}}
rollback post-mortem
```

```sh {{"name":"scenario","rb.phase":"after","rb.timeout":"30s","rb.on-fail":"continue"}}
rollback scenario
```
"#,
        services = services.join(", "),
        label_key = label_key,
        checks = checks(manifests, namespace),
        stored = store::front_matter(found),
        intro = if found.is_some() {
            "The release before is deployed again, and before that its schema is brought back."
        } else {
            "Nothing here touches data: the release before is deployed again."
        },
        steps = steps(&kinds, namespace, label_key, rollout_s).trim_end(),
        recorded = recorded.join(","),
        counted = all.replace('"', "'"),
    )
}

/// The label by which people find the pods of a service: the first one whose value is the name of each of them.
fn label_key(manifests: &Manifests) -> &str {
    let mut shared: Option<Vec<&str>> = None;
    for (object, _) in manifests.workloads() {
        let labels = object.at(&["spec", "selector", "matchLabels"]).as_object();
        let named = labels.into_iter().flatten();
        let named = named.filter(|(_, value)| *value == object.name());
        let keys: Vec<&str> = named.map(|(key, _)| key.as_str()).collect();
        match &mut shared {
            Some(all) => all.retain(|key| keys.contains(key)),
            None => shared = Some(keys),
        }
    }
    let shared = shared.unwrap_or_default();
    let known = ["app", "app.kubernetes.io/name"];
    let mut known = known.into_iter().filter(|key| shared.contains(key));
    let key = known.next().or_else(|| shared.first().copied());
    key.unwrap_or("app")
}

/// The steps that ask each pod whether it is well and of which build it is. A step has one port: where the services
/// serve on several, nothing is written.
fn checks(manifests: &Manifests, namespace: &str) -> String {
    let mut ports: BTreeSet<i32> = BTreeSet::new();
    for (_, workload) in manifests.workloads() {
        let containers = workload.template.spec.map(|spec| spec.containers);
        let first = containers.into_iter().flatten().next();
        let port = first.and_then(|it| it.ports?.first().map(|port| port.container_port));
        ports.insert(port.unwrap_or(80));
    }
    let (Some(port), 1) = (ports.first(), ports.len()) else {
        return String::new();
    };
    format!(
        r#"
# Check the pods

Every pod must answer on these pages. In simulation each service has both.

```sh {{"name":"check-health","rb.phase":"run","rb.timeout":"3s"}}
kubectl get --raw /api/v1/namespaces/{namespace}/pods/$POD:{port}/proxy/health
```

```sh {{"name":"check-build","rb.phase":"run","rb.timeout":"3s"}}
kubectl get --raw /api/v1/namespaces/{namespace}/pods/$POD:{port}/proxy/metrics
```
"#
    )
}

/// The steps that roll back workloads of these kinds, each of which may take `rollout_s` seconds. `label_key` is the
/// label by which people find the pods of a service.
fn steps(
    kinds: &BTreeSet<WorkloadKind>,
    namespace: &str,
    label_key: &str,
    rollout_s: usize,
) -> String {
    let mut out = String::new();
    for kind in kinds {
        let (suffix, word) = match kind {
            WorkloadKind::Deployment => ("", kind.word()),
            WorkloadKind::StatefulSet => ("-stateful", kind.word()),
        };
        let undo = if suffix.is_empty() {
            "undo-app"
        } else {
            "undo-stateful"
        };
        let _ = write!(
            out,
            r#"```sh {{"name":"{undo}","rb.phase":"run","rb.timeout":"2s","rb.for-each":"service"}}
kubectl rollout undo {word}/$SERVICE -n {namespace} --to-revision=$TARGET_REVISION
```

"#
        );
        let mut status_s = rollout_s;
        if *kind == WorkloadKind::StatefulSet {
            status_s = (rollout_s / 4).max(2);
            let delete_s = rollout_s.saturating_sub(status_s).max(2);
            let _ = write!(
                out,
                r#"A pod of the bad release that never becomes ready keeps a StatefulSet from going back (kubernetes#67250).

```sh {{"name":"delete-broken","rb.phase":"run","rb.timeout":"{delete_s}s","rb.for-each":"service"}}
kubectl delete pods -n {namespace} -l '{label_key}=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)'
```

"#
            );
        }
        let _ = write!(
            out,
            r#"```sh {{"name":"rollout-status{suffix}","rb.phase":"run","rb.timeout":"{status_s}s","rb.for-each":"service"}}
kubectl rollout status {word}/$SERVICE -n {namespace}
```

"#
        );
    }
    out
}
