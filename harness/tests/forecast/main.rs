//! Forecasts of rollbacks: cases that can be computed by hand, what a line of YAML is worth, and the warnings.

mod stateful_sets;

use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use firedrill::forecast::{
    Bad, Forecast, Images, Options, Phase, RULES, Starts, Undo, comment, forecast, over_budget,
    page, slow, table,
};
use sim_services::manifests::{Document, Manifests};

/// A Deployment that no rule complains of, with its Service.
const CLEAN: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: front}
spec:
  replicas: 3
  progressDeadlineSeconds: 120
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: front
          image: shop/front:1.2.3
          ports: [{containerPort: 8080}]
          resources: {requests: {cpu: 200m, memory: 64Mi}}
          readinessProbe:
            httpGet: {path: /ready, port: 8080}
            periodSeconds: 10
          lifecycle: {preStop: {sleep: {seconds: 5}}}
---
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  selector: {app: front}
  ports: [{port: 80, targetPort: 8080}]
";

/// Every process takes three seconds to start, and half a second to stop.
const STARTS: &str = "[default]\nstart = [3.0]\nstop = [0.5]\n";

const OPTIONS: Options = Options {
    rto: Duration::from_secs(300),
    draws: 20,
    seed: 1,
    images: Images::Cached,
    sync_frequency: Duration::from_secs(60),
    jobs: 2,
    changes: false,
};

fn manifests(text: &str) -> Manifests {
    let document = Document {
        name: "k8s/front.yaml".to_owned(),
        text: text.to_owned(),
    };
    Manifests::parse(vec![document], "default").unwrap_or_else(|error| panic!("{error}"))
}

fn forecast_of(text: &str, options: &Options) -> Forecast {
    let starts = Starts::parse("starts.toml", STARTS).unwrap_or_else(|error| panic!("{error}"));
    forecast(&manifests(text), &starts, options, &|| false)
}

fn undo(forecast: &Forecast, of: Bad) -> &Undo {
    let undos = &forecast.workloads[0].undos;
    undos.iter().find(|it| it.of == of).expect("both are there")
}

/// The mean of a phase over all draws, in ms.
fn mean_ms(undo: &Undo, phase: Phase) -> u64 {
    let mut of = undo.phases.iter().filter(|it| it.phase == phase);
    of.next().map_or(0, |it| it.mean_ms)
}

/// The median of the undo of a release whose pods work and are wrong, in seconds.
fn median_s(text: &str) -> f64 {
    let found = forecast_of(text, &OPTIONS);
    let median = undo(&found, Bad::Wrong).median_ms;
    median.expect("it recovers") as f64 / 1e3
}

/// A pod of [`CLEAN`] takes half a second to a second until its process runs. The kubelet sees it within a second, and
/// asks at once and at its next look a second later. Both come before the three seconds of its start are over, so it is
/// ready ten seconds after the second question.
const POD_S: std::ops::Range<f64> = 11.5..14.0;

#[test]
fn three_pods_one_after_another_wait_for_three_probes() {
    let median = median_s(CLEAN);
    assert!(
        (3.0 * POD_S.start..3.0 * POD_S.end).contains(&median),
        "{median}"
    );
}

#[test]
fn a_process_that_starts_within_a_second_is_ready_at_the_kubelets_second_look() {
    let starts = Starts::parse("starts.toml", "[default]\nstart = [1.0]\nstop = [0.5]\n");
    let starts = starts.unwrap_or_else(|error| panic!("{error}"));
    let text = CLEAN.replace("maxSurge: 1", "maxSurge: 100%");
    let found = forecast(&manifests(&text), &starts, &OPTIONS, &|| false);
    let median = undo(&found, Bad::Wrong).median_ms.expect("it recovers");
    assert!((1_500..4_000).contains(&median), "{median}");
}

#[test]
fn what_is_not_ready_is_asked_whenever_the_kubelet_takes_its_pod_up() {
    let text = CLEAN
        .replace("maxSurge: 1", "maxSurge: 100%")
        .replace("periodSeconds: 10", "periodSeconds: 300");
    let median_s = |sync_frequency| {
        let options = Options {
            sync_frequency,
            ..OPTIONS
        };
        let found = forecast_of(&text, &options);
        undo(&found, Bad::Wrong).median_ms.expect("it recovers") as f64 / 1e3
    };
    // The last of three pods: 60 to 90 s after the kubelet's second look, or 6 to 9 s, and up to a second more.
    let rarely = median_s(Duration::from_secs(60));
    assert!((70.0..95.0).contains(&rarely), "{rarely}");
    let often = median_s(Duration::from_secs(6));
    assert!((8.0..13.0).contains(&often), "{often}");
}

#[test]
fn pods_that_start_side_by_side_wait_for_one_probe() {
    let median = median_s(&CLEAN.replace("maxSurge: 1", "maxSurge: 100%"));
    assert!((POD_S.start..POD_S.end + 1.0).contains(&median), "{median}");
}

#[test]
fn each_pod_waits_until_the_one_before_it_is_available() {
    let longer = median_s(&CLEAN.replace("replicas: 3", "replicas: 3\n  minReadySeconds: 20"));
    let median = median_s(CLEAN);
    // Twenty seconds for each of three pods. The end of the last bad pod's traffic, which comes after the readiness of
    // the last pod, is over by then.
    assert!(
        (56.0..61.0).contains(&(longer - median)),
        "{longer} {median}"
    );
}

#[test]
fn where_pods_are_stopped_first_their_end_comes_on_top() {
    let recreate = CLEAN
        .replace("type: RollingUpdate", "type: Recreate")
        .replace("    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}\n", "");
    // Five seconds of the hook, half a second to stop, about a second until the kubelet has cleaned up.
    let median = median_s(&recreate);
    let whole = POD_S.start + 6.0..POD_S.end + 8.0;
    assert!(whole.contains(&median), "{median}");
    let found = forecast_of(&recreate, &OPTIONS);
    let chart = undo(&found, Bad::Wrong).typical.as_ref().expect("drawn");
    assert!(chart.path.iter().any(|it| it.phase == Phase::Terminate));
}

#[test]
fn a_release_that_is_stuck_left_the_prior_pods_alone() {
    let found = forecast_of(CLEAN, &OPTIONS);
    let stuck = undo(&found, Bad::NeverReady);
    // Nothing but controllers: the pod that was never ready is deleted.
    assert!(stuck.p99_ms.is_some_and(|ms| ms < 2_000), "{stuck:?}");
}

#[test]
fn a_pull_is_in_the_time_where_the_images_are_gone() {
    let starts = format!("{STARTS}pull = [20]\n");
    let starts = Starts::parse("starts.toml", &starts).expect("right");
    let text = CLEAN.replace("maxSurge: 1", "maxSurge: 100%");
    let cold = Options {
        images: Images::Cold,
        ..OPTIONS
    };
    let found = forecast(&manifests(&text), &starts, &cold, &|| false);
    let median = undo(&found, Bad::Wrong).median_ms.expect("it recovers");
    assert!((30_000..36_000).contains(&median), "{median}");
}

#[test]
fn the_probes_period_saves_the_most_and_its_interval_has_the_right_sign() {
    let options = Options {
        changes: true,
        ..OPTIONS
    };
    let found = forecast_of(CLEAN, &options);
    let worth = |field: &str| {
        let changes = found.workloads[0].changes.iter();
        let mut of = changes.filter(|it| it.field == field);
        of.next().unwrap_or_else(|| panic!("{field} is tried"))
    };
    // Three times eight seconds: ready one period after the kubelet's second look, which is two seconds instead of ten.
    let period = worth("readinessProbe.periodSeconds");
    assert_eq!((period.from.as_str(), period.to.as_str()), ("10", "2"));
    assert_eq!(period.place.to_string(), "k8s/front.yaml:22:28");
    assert!((22_500..25_500).contains(&period.saves_ms), "{period:?}");
    assert!(period.least_ms < period.saves_ms && period.saves_ms < period.most_ms);
    assert!(period.saves());
    // Two pods less that wait for one another.
    let surge = worth("strategy.rollingUpdate.maxSurge");
    assert!((20_000..27_000).contains(&surge.saves_ms), "{surge:?}");
    // It does not matter to a rollout how long a pod may take to end.
    let grace = worth("terminationGracePeriodSeconds");
    assert!(!grace.saves(), "{grace:?}");
}

#[test]
fn the_same_seed_gives_the_same_forecast_on_any_number_of_threads() {
    let all = Options {
        changes: true,
        ..OPTIONS
    };
    let json = |jobs| {
        let options = Options { jobs, ..all };
        serde_json::to_string(&forecast_of(CLEAN, &options)).expect("JSON")
    };
    let one = json(1);
    assert_eq!(one, json(3));
    let other = Options { seed: 900, ..all };
    assert_ne!(
        one,
        serde_json::to_string(&forecast_of(CLEAN, &other)).expect("JSON")
    );
}

#[test]
fn the_table_and_the_comment_say_what_decides() {
    let slower = CLEAN.replace("periodSeconds: 10", "periodSeconds: 20");
    let options = Options {
        changes: true,
        ..OPTIONS
    };
    let found = forecast_of(CLEAN, &options);
    insta::assert_snapshot!("table", table(&found));
    let budget = Duration::from_secs(60);
    let slow = forecast_of(&slower, &OPTIONS);
    insta::assert_snapshot!("comment", comment(&slow, Some(&found), Some(budget)));
    assert!(over_budget(&found, budget).is_empty());
    let over = over_budget(&slow, budget);
    assert_eq!(over.len(), 1);
    assert!(over[0].what.starts_with("deployment/front"), "{over:?}");
    let page = page(&slow, Some(60_000));
    assert!(page.contains("Too slow") && page.contains("<svg"));
}

#[test]
fn a_workload_that_never_recovers_says_why() {
    for (what, with, why) in [
        (
            "replicas: 3",
            "replicas: 3\n  revisionHistoryLimit: 0",
            "no revision to undo to",
        ),
        ("replicas: 3", "replicas: 3\n  paused: true", "is paused"),
        (
            "          readinessProbe:",
            "          livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 1}\n          readinessProbe:",
            "container front",
        ),
    ] {
        let few = Options {
            draws: 2,
            ..OPTIONS
        };
        let found = forecast_of(&CLEAN.replace(what, with), &few);
        let wrong = undo(&found, Bad::Wrong);
        assert_eq!((wrong.median_ms, wrong.never), (None, 2), "{with}");
        let told = wrong.why_never.as_deref().unwrap_or_default();
        assert!(told.contains(why), "{told}");
        assert_eq!(wrong.over_rto_permille, 1_000);
    }
}

#[test]
fn the_largest_numbers_cause_no_panic() {
    for (what, with) in [
        (
            "terminationGracePeriodSeconds: 30",
            "terminationGracePeriodSeconds: 9223372036854775807",
        ),
        ("maxSurge: 1,", "maxSurge: \"999999999999%\","),
    ] {
        assert!(CLEAN.contains(what), "{what}");
        let one = Options {
            draws: 1,
            ..OPTIONS
        };
        let found = forecast_of(&CLEAN.replace(what, with), &one);
        assert_eq!(undo(&found, Bad::Wrong).draws, 1, "{with}");
    }
}

/// A draw of many pods takes minutes.
#[test]
fn a_forecast_that_is_stopped_gives_up_the_draw_under_way() {
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= 10;
    let starts = Starts::parse("starts.toml", STARTS).unwrap_or_else(|error| panic!("{error}"));
    let one = Options { jobs: 1, ..OPTIONS };
    let found = forecast(&manifests(CLEAN), &starts, &one, &stop);
    assert_eq!(undo(&found, Bad::Wrong).draws, 0);
}

#[test]
fn pods_need_room_on_the_nodes_that_are_given() {
    let nodes = |n: u32, cpu: &str| {
        let node = |n| {
            format!(
                "---\napiVersion: v1\nkind: Node\nmetadata: {{name: worker-{n}}}\n\
                 status: {{allocatable: {{cpu: \"{cpu}\", memory: 4Gi, pods: \"110\"}}}}\n"
            )
        };
        let nodes: String = (1..=n).map(node).collect();
        format!("{CLEAN}{nodes}")
    };
    // Four pods of 200m, the surge among them, fit on one node of 800m, and not on one of 700m.
    let few = Options {
        draws: 3,
        ..OPTIONS
    };
    let fits = forecast_of(&nodes(1, "800m"), &few);
    assert!(undo(&fits, Bad::Wrong).median_ms.is_some());
    let full = forecast_of(&nodes(1, "700m"), &few);
    let why = undo(&full, Bad::Wrong)
        .why_never
        .as_deref()
        .unwrap_or_default();
    assert!(why.contains("Insufficient cpu"), "{why}");
}

#[test]
fn a_workload_of_too_many_pods_is_named_and_not_drawn() {
    let many = CLEAN.replace("replicas: 3", "replicas: 5000");
    let found = forecast_of(&many, &OPTIONS);
    assert!(found.workloads.is_empty());
    let it = &found.left_out[0];
    assert_eq!((it.name.as_str(), it.place.line), ("deployment/front", 5));
    assert!(
        it.why.contains("up to 500 pods") && it.why.contains("5000"),
        "{}",
        it.why
    );
    assert_eq!(slow(&manifests(&many)), []);
    let some = CLEAN.replace("replicas: 3", "replicas: 300");
    assert_eq!(
        slow(&manifests(&some)),
        [("deployment/front".to_owned(), 300)]
    );
    assert_eq!(slow(&manifests(CLEAN)), []);
}

/// The controllers count a pod when it has been ready for so long by the whole second that its status shows.
#[test]
fn what_min_ready_seconds_cost_is_not_put_down_to_the_controllers() {
    let text = CLEAN.replace("replicas: 3", "replicas: 3\n  minReadySeconds: 5");
    let found = forecast_of(&text, &OPTIONS);
    let wrong = undo(&found, Bad::Wrong);
    let control = mean_ms(wrong, Phase::Control);
    assert!(control < 1_000, "{control}");
    // Three pods, each up to a second less than five.
    let min_ready = mean_ms(wrong, Phase::MinReady);
    assert!((12_000..15_500).contains(&min_ready), "{min_ready}");
}

/// The rules that complain of a manifest.
fn complaints(text: &str) -> Vec<&'static str> {
    let one = Options {
        draws: 1,
        ..OPTIONS
    };
    let found = forecast_of(text, &one);
    let warnings = found.workloads[0].warnings.iter();
    let mut rules: Vec<&'static str> = warnings
        .map(|it| {
            assert!(it.place.line > 0 && !it.remedy.is_empty() && !it.text.is_empty());
            it.rule
        })
        .collect();
    rules.dedup();
    rules
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    assert_eq!(complaints(CLEAN), [""; 0]);
    let beside = |document: &str| format!("{CLEAN}---\n{document}");
    let with = |what: &str, with: &str| {
        assert!(CLEAN.contains(what), "{what}");
        CLEAN.replace(what, with)
    };
    let hpa = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: front}\n\
               spec:\n  maxReplicas: 9\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: front}\n";
    let pdb = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: front}\n\
               spec: {minAvailable: 3, selector: {matchLabels: {app: front}}}\n";
    let claim = "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: small}\nstatus: {allocatable: {cpu: 100m, memory: 4Gi}}\n";
    let hook = "          lifecycle: {preStop: {sleep: {seconds: 5}}}\n";
    let probe = "          readinessProbe:\n            httpGet: {path: /ready, port: 8080}\n            periodSeconds: 10\n";
    let container = "        - name: front\n";
    let stateful = |line: &str| {
        let spec = format!("  replicas: 3\n  {line}\n");
        stateful_sets::STATEFUL.replace("  replicas: 3\n", &spec)
    };
    let cases: Vec<(&str, String)> = vec![
        ("single-replica", with("replicas: 3", "replicas: 1")),
        (
            "recreate",
            with("type: RollingUpdate", "type: Recreate")
                .replace("    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}\n", ""),
        ),
        (
            "no-surge",
            with(
                "maxSurge: 1, maxUnavailable: 0",
                "maxSurge: 0, maxUnavailable: 1",
            ),
        ),
        (
            "all-unavailable",
            with("maxUnavailable: 0", "maxUnavailable: 100%"),
        ),
        (
            "no-history",
            with("replicas: 3", "replicas: 3\n  revisionHistoryLimit: 0"),
        ),
        (
            "short-history",
            with("replicas: 3", "replicas: 3\n  revisionHistoryLimit: 1"),
        ),
        (
            "progress-deadline",
            with(
                "progressDeadlineSeconds: 120",
                "progressDeadlineSeconds: 900",
            ),
        ),
        ("paused", with("replicas: 3", "replicas: 3\n  paused: true")),
        ("ordered-hang", stateful_sets::STATEFUL.to_owned()),
        ("on-delete", stateful("updateStrategy: {type: OnDelete}")),
        (
            "partition",
            stateful(
                "podManagementPolicy: Parallel\n  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}",
            ),
        ),
        ("autoscaler-and-replicas", beside(hpa)),
        ("blocking-budget", beside(pdb)),
        ("no-readiness-probe", with(probe, "")),
        (
            "liveness-before-start",
            with(
                hook,
                &format!(
                    "{hook}          livenessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1, failureThreshold: 1}}\n"
                ),
            ),
        ),
        ("moving-tag", with("front:1.2.3", "front:latest")),
        (
            "always-pull",
            with(
                container,
                &format!("{container}          imagePullPolicy: Always\n"),
            ),
        ),
        (
            "hook-eats-grace",
            with(
                "terminationGracePeriodSeconds: 30",
                "terminationGracePeriodSeconds: 5",
            ),
        ),
        ("no-pre-stop", with(hook, "")),
        (
            "host-port",
            with("containerPort: 8080", "containerPort: 8080, hostPort: 80"),
        ),
        (
            "config-not-versioned",
            with(
                container,
                &format!(
                    "{container}          envFrom: [{{configMapRef: {{name: front-config}}}}]\n"
                ),
            ),
        ),
        (
            "volume-of-one-node",
            with(
                "      containers:\n",
                "      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n      containers:\n",
            ) + claim,
        ),
        ("node-fits-none", beside(node)),
        (
            "slow-first-probe",
            with("periodSeconds: 10", "initialDelaySeconds: 60"),
        ),
        (
            "requests-missing",
            with(
                "          resources: {requests: {cpu: 200m, memory: 64Mi}}\n",
                "",
            ),
        ),
    ];
    for (rule, text) in &cases {
        assert_eq!(complaints(text), [*rule], "{rule}");
    }
    let covered: Vec<&str> = cases.iter().map(|(rule, _)| *rule).collect();
    let all: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(covered, all, "every rule has a case");
}

#[test]
fn a_configuration_with_a_version_in_its_name_goes_back_with_the_release() {
    let container = "        - name: front\n";
    let text = CLEAN.replace(
        container,
        &format!("{container}          envFrom: [{{configMapRef: {{name: front-config-v7}}}}]\n"),
    );
    assert_eq!(complaints(&text), [""; 0]);
}

#[test]
fn a_worker_and_a_deployment_without_pods_are_not_warned_of_what_they_lack_on_purpose() {
    let probe = "          readinessProbe:\n            httpGet: {path: /ready, port: 8080}\n            periodSeconds: 10\n";
    let unprobed = CLEAN.replace(probe, "");
    assert_eq!(complaints(&unprobed), ["no-readiness-probe"]);
    let worker = unprobed.replace("  selector: {app: front}\n", "  selector: {app: other}\n");
    assert_eq!(complaints(&worker), [""; 0]);
    let nothing = CLEAN.replace("replicas: 3", "replicas: 0");
    assert!(
        !complaints(&nothing).contains(&"no-surge"),
        "{:?}",
        complaints(&nothing)
    );
}
