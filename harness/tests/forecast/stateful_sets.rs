//! Forecasts of StatefulSets, whose pods end and start one after the other.

use firedrill::forecast::{Bad, Phase, table};

use super::{CLEAN, OPTIONS, Options, forecast_of, mean_ms, median_s, undo};

/// A StatefulSet that only the rule of its order complains of, with its Service.
pub(crate) const STATEFUL: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: db
          image: shop/db:1.2.3
          ports: [{containerPort: 5432}]
          resources: {requests: {cpu: 200m, memory: 64Mi}}
          readinessProbe:
            tcpSocket: {port: 5432}
            periodSeconds: 1
          lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{port: 5432}]
";

/// A pod of [`STATEFUL`] ends after five seconds of its hook, half a second to stop, and about one until nothing is
/// left of it. The next one takes half a second to a second until its process runs, three more to start, and one or
/// two until a probe has found out.
const STATEFUL_POD_S: std::ops::Range<f64> = 10.0..13.0;

#[test]
fn the_pods_of_a_stateful_set_end_and_start_one_after_the_other() {
    let found = forecast_of(STATEFUL, &OPTIONS);
    let wrong = undo(&found, Bad::Wrong);
    let median_s = wrong.median_ms.expect("it recovers") as f64 / 1e3;
    let whole = 3.0 * STATEFUL_POD_S.start..3.0 * STATEFUL_POD_S.end;
    assert!(whole.contains(&median_s), "{median_s}");
    let chart = wrong.typical.as_ref().expect("drawn");
    let of = |phase| chart.path.iter().filter(move |it| it.phase == phase);
    assert_eq!(of(Phase::Terminate).count(), 3, "{:?}", chart.path);
    assert_eq!(of(Phase::Start).count(), 3, "{:?}", chart.path);
    let hooks: u64 = of(Phase::Terminate).map(|it| it.to_ms - it.from_ms).sum();
    assert!((18_000..24_000).contains(&hooks), "{hooks}");
    assert!(table(&found).contains("3 pods, one after the other"));
    // The whole undo waits for the pod that never becomes ready (kubernetes#67250).
    let stuck = undo(&found, Bad::NeverReady);
    assert_eq!((stuck.median_ms, stuck.never), (None, OPTIONS.draws));
    let why = stuck.why_never.as_deref().unwrap_or_default();
    assert!(why.contains("container db is not ready"), "{why}");
    // In parallel, the broken pod is replaced at once, and it was the only one that was replaced before.
    let policy = "  replicas: 3\n  podManagementPolicy: Parallel\n";
    let parallel = forecast_of(&STATEFUL.replace("  replicas: 3\n", policy), &OPTIONS);
    let stuck_s = undo(&parallel, Bad::NeverReady)
        .median_ms
        .expect("it recovers") as f64
        / 1e3;
    assert!(STATEFUL_POD_S.contains(&stuck_s), "{stuck_s}");
}

#[test]
fn an_undo_of_a_stateful_set_replaces_the_pods_that_its_strategy_allows() {
    let with = |strategy: &str| {
        let spec = format!("  replicas: 3\n  updateStrategy: {strategy}\n");
        STATEFUL.replace("  replicas: 3\n", &spec)
    };
    let partition = with("{type: RollingUpdate, rollingUpdate: {partition: 2}}");
    let median = median_s(&partition);
    assert!(STATEFUL_POD_S.contains(&median), "{median}");
    let on_delete = forecast_of(&with("{type: OnDelete}"), &OPTIONS);
    let wrong = undo(&on_delete, Bad::Wrong);
    assert_eq!(wrong.median_ms, None);
    let why = wrong.why_never.as_deref().unwrap_or_default();
    assert!(why.contains("replaces no pod"), "{why}");
    let forgotten = STATEFUL.replace(
        "  replicas: 3\n",
        "  replicas: 3\n  revisionHistoryLimit: 0\n",
    );
    let forgotten = forecast_of(&forgotten, &OPTIONS);
    let why = undo(&forgotten, Bad::Wrong).why_never.as_deref();
    assert!(
        why.unwrap_or_default().contains("no revision to undo to"),
        "{why:?}"
    );
}

/// The rollout waits for the first two pods to be available, and is complete once the third is ready.
#[test]
fn the_last_pod_of_a_stateful_set_need_not_be_available() {
    let text = STATEFUL.replace("replicas: 3", "replicas: 3\n  minReadySeconds: 30");
    let found = forecast_of(&text, &OPTIONS);
    let wrong = undo(&found, Bad::Wrong);
    let control = mean_ms(wrong, Phase::Control);
    assert!(control < 3_000, "{control}");
    // The controller looks thirty seconds after one of its last looks, so up to thirty seconds late.
    let min_ready = mean_ms(wrong, Phase::MinReady);
    assert!((60_000..120_000).contains(&min_ready), "{min_ready}");
    assert!(mean_ms(wrong, Phase::Start) > 6_000);
}

/// Where nodes are given, what is beside a workload takes room on them.
#[test]
fn pods_of_another_namespace_and_of_another_kind_are_not_taken_for_the_workload_s() {
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: worker}\n\
                status: {allocatable: {cpu: \"16\", memory: 64Gi, pods: \"110\"}}\n";
    let one = Options {
        draws: 1,
        ..OPTIONS
    };
    let rows = |text: &str| {
        let found = forecast_of(&format!("{text}{node}"), &one);
        let chart = undo(&found, Bad::Wrong).typical.clone().expect("drawn");
        chart.rows.len()
    };
    let alone = rows(CLEAN);
    let elsewhere = CLEAN.replace("{name: front}", "{name: front, namespace: other}");
    assert_eq!(rows(&format!("{CLEAN}---\n{elsewhere}")), alone);
    let namesake = STATEFUL.replace("{name: db}", "{name: front-db}");
    assert_eq!(rows(&format!("{CLEAN}---\n{namesake}")), alone);
}
