//! The runbook that somebody begins with who drills an application of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use executor::runbook::Runbook;
use sim_services::describe::App;
use sim_services::manifests::{Manifests, WorkloadKind};

use super::store;
use crate::forecast::workloads;

/// Requests a second of the clients: as many as show an error rate below 0.01 % within the five minutes of an RTO.
pub(super) const RATE: u32 = 220;
/// The RTO to begin with, in seconds; more only where the rollouts take longer.
pub(super) const RTO_S: u64 = 300;
/// The longest RTO that a runbook may have, in seconds.
const RTO_MAX_S: u64 = 24 * 3_600;
/// The RTO of a runbook that needs more than [`RTO_S`] is a multiple of this, in seconds.
const RTO_STEP_S: u64 = 30;
/// What all rollouts together may take, in seconds: what [`RTO_S`] leaves beside the other steps.
const ROLLOUTS_S: u64 = 110;
/// How much longer than estimated a rollout may take.
const SLACK: u32 = 2;
/// What is assumed of the start of a process in the description: so long at the 99th percentile, in seconds.
pub(super) const START_P99_S: u64 = 6;
/// What is assumed of its end in the description, in seconds.
pub(super) const SHUTDOWN_S: u64 = 5;

/// What rollouts may take, in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Rollout {
    /// From one pod to the next.
    pod_s: u64,
    /// All pods of a service.
    all_s: u64,
}

/// What the slowest rollout of each kind may take, as its manifest has it.
fn rollouts(app: &App, manifests: &Manifests) -> BTreeMap<WorkloadKind, Rollout> {
    let (start, stop) = (
        Duration::from_secs(START_P99_S),
        Duration::from_secs(SHUTDOWN_S),
    );
    let count = u64::try_from(app.services.len()).unwrap_or(u64::MAX);
    let share_s = (ROLLOUTS_S / count.max(1)).saturating_sub(4).clamp(4, 30);
    let mut found: BTreeMap<WorkloadKind, Rollout> = BTreeMap::new();
    let (of_manifests, _) = workloads(manifests);
    for service in &app.services {
        let its = of_manifests.iter().find(|it| {
            it.object.name() == service.name && it.object.kind() == service.kind.as_str()
        });
        let (pod, all) = its.map_or((start, start), |it| it.rollout_takes(start, stop));
        let budget_s = |takes: Duration| takes.saturating_mul(SLACK).as_secs().min(3_600);
        let of_kind = found.entry(service.kind).or_default();
        of_kind.pod_s = of_kind.pod_s.max(budget_s(pod));
        of_kind.all_s = of_kind.all_s.max(budget_s(all)).max(share_s);
    }
    found
}

/// The runbook, and its RTO in seconds. Where the rollouts of all services take more than an RTO of 300 s leaves for
/// them, the RTO is what the budgets come to.
pub(super) fn runbook(
    app: &App,
    manifests: &Manifests,
    asked: usize,
    order: &[usize],
    found: Option<&store::Found>,
) -> (String, u64) {
    let rollouts = rollouts(app, manifests);
    let text = |rto_s: u64, why: &str| {
        let objective = format!("{why}rto: {rto_s}s");
        written(app, manifests, asked, order, found, &rollouts, &objective)
    };
    let read = Runbook::parse("rollback.md", &text(RTO_MAX_S, ""));
    // A text with a mistake is told of by whoever reads it: there is nothing to add up.
    let needs_s = read.map_or(RTO_S, |it| it.longest_way().as_secs());
    let (rto_s, why) = if needs_s <= RTO_S {
        let why = format!("# The budgets below come to {needs_s}s on the longest way.\n");
        (RTO_S, why)
    } else {
        let slowest = rollouts.values().map(|it| it.all_s).max();
        let why = format!(
            "# The budgets below come to {needs_s}s on the longest way, and the RTO can't be less: {} services, each with up\n\
             # to {}s for its rollout. That is twice what its replicas, strategy and probes come to. The rollouts go on side\n\
             # by side, so that a rollback takes less than all budgets together. If you need another RTO, shorten them.\n",
            app.services.len(),
            slowest.unwrap_or_default(),
        );
        (needs_s.next_multiple_of(RTO_STEP_S).min(RTO_MAX_S), why)
    };
    (text(rto_s, &why), rto_s)
}

/// The text: triggers, the rollback of the services in `order`, and the proof at the service `asked`.
fn written(
    app: &App,
    manifests: &Manifests,
    asked: usize,
    order: &[usize],
    found: Option<&store::Found>,
    rollouts: &BTreeMap<WorkloadKind, Rollout>,
    objective: &str,
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
    let recorded: Vec<String> = rollouts
        .keys()
        .map(|it| format!("{}s", it.word()))
        .collect();
    format!(
        r#"---
{objective}
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
        checks = checks(namespace),
        stored = store::front_matter(found),
        intro = if found.is_some() {
            "The release before is deployed again, and before that its schema is brought back."
        } else {
            "Nothing here touches data: the release before is deployed again."
        },
        steps = steps(rollouts, namespace, label_key).trim_end(),
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

/// The steps that ask each pod whether it is well and of which build it is, at the first port that it declares.
fn checks(namespace: &str) -> String {
    format!(
        r#"
# Check the pods

Every pod must answer on these pages, at the first port that its containers declare. If yours answer on another one,
write its number, as in `$POD:8080`. In simulation each service has both pages.

```sh {{"name":"check-health","rb.phase":"run","rb.timeout":"3s"}}
kubectl get --raw /api/v1/namespaces/{namespace}/pods/$POD/proxy/health
```

```sh {{"name":"check-build","rb.phase":"run","rb.timeout":"3s"}}
kubectl get --raw /api/v1/namespaces/{namespace}/pods/$POD/proxy/metrics
```
"#
    )
}

/// The steps that roll back workloads of these kinds, each with what its rollout may take. `label_key` is the label by
/// which people find the pods of a service.
fn steps(rollouts: &BTreeMap<WorkloadKind, Rollout>, namespace: &str, label_key: &str) -> String {
    let mut out = String::new();
    for (kind, rollout) in rollouts {
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
        let mut status_s = rollout.all_s;
        if *kind == WorkloadKind::StatefulSet {
            // The deletion goes on until the last pod has been replaced, which becomes ready after that.
            status_s = rollout.pod_s;
            let delete_s = rollout.all_s;
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
