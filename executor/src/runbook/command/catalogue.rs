//! Every command that a runbook's step may use, each described once: how it is typed, what it does, which rights it
//! takes and what it is there for. What carries it out is in `steps`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{
    Asks, CommandSpec, Effect, Followed, Leaves, Missed, OnLedger, PLAIN, Part, Value, commands,
};
use super::{
    CONFIG_MAP, LOG, NAME, NAMESPACE, OUTPUT, PATCH, POD, RAW, REPLICA_SET, REPLICAS, SELECTOR,
    SERVICE, SINCE, SNAPSHOT, TAIL, TARGET, TIMEOUT, TIMESTAMPS, TO_REVISION, TYPE,
};
use crate::exposition::Series;
use crate::pod_port::PodPort;
use crate::runbook::protection::Protection;
use crate::runbook::query;
use crate::workload::WorkloadKind;

/// What a query may refer to.
const OF_QUERIES: &[&str] = &["WINDOW", "NAMESPACE", "LIVE_PODS"];

commands! {span;
    /// `kubectl get deployments[,statefulsets] -n NS -o yaml`: record each service's template, configuration, image and
    /// `build_info`.
    RecordRelease = "kubectl" "get deployments" {
        example: "kubectl get deployments -n web -o yaml",
        fits: |a| matches!(a.words(), ["get", kinds] if kinds_of(kinds).is_some()),
        read: |a| {
            a.kinds = kinds_of(a.words().get(1)?)?;
            a.namespace();
            let output = a.value("--output", "yaml")?;
            a.literal(&output, "yaml", "the whole objects are recorded");
            Some(Command::RecordRelease)
        },
        effect: Prepares,
        part: Pods,
        leaves: Nothing,
        protects: Prepare, "the target of a rollback is what was recorded",
        words: "records the release",
        flags: &[NAMESPACE, OUTPUT],
        rights: &[
            "list deployments", "list replicasets", "list pods", "get pods/proxy", "get configmaps", "create configmaps",
            "update configmaps",
        ],
        rights_of_stateful_sets: &["list statefulsets", "list controllerrevisions"],
        missed: Some(Missed {
            code: "no-record",
            message: "nothing records the release before a deployment",
            help: "without it there is no target to pin and no configuration to put back: add `kubectl get deployments` to the phase `prepare`",
        }),
    }
    /// `kubectl get replicasets -n NS -l app=$SERVICE`: old one serving at full size, new one at zero.
    ReviewReplicaSets = "kubectl" "get replicasets" {
        example: "kubectl get replicasets -n web -l app=$SERVICE",
        fits: |a| matches!(a.words(), ["get", kind] if REPLICA_SET.contains(kind)),
        read: |a| {
            a.kinds = [WorkloadKind::Deployment].into();
            a.namespace();
            a.selector();
            Some(Command::ReviewReplicaSets)
        },
        effect: Looks,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "the old ReplicaSet must serve at full size and the new one be gone",
        words: "reviews the ReplicaSets",
        flags: &[NAMESPACE, SELECTOR],
        follows_undo: true,
        rights: &["get deployments", "list replicasets"],
    }
    /// `kubectl rollout history statefulset/$SERVICE -n NS`: the recorded revision is the latest one, and all pods are
    /// of it.
    ReviewRevisions = "kubectl" "rollout history" {
        example: "kubectl rollout history statefulset/$SERVICE -n web",
        fits: |a| matches!(a.words(), ["rollout", "history", ..]),
        read: |a| {
            a.namespace();
            a.workload(2, &[WorkloadKind::StatefulSet])?;
            Some(Command::ReviewRevisions)
        },
        effect: Looks,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "every pod of a StatefulSet must be of the recorded ControllerRevision",
        words: "reviews the ControllerRevisions",
        flags: &[NAMESPACE],
        follows_undo: true,
        rights_of_stateful_sets: &["get statefulsets", "list controllerrevisions"],
    }
    /// `kubectl get --raw /api/v1/namespaces/NS/pods/$POD[:PORT]/proxy/health`: every live pod is healthy.
    CheckHealth {
        /// The pod's port.
        port: PodPort,
    } = "kubectl" "get --raw" {
        example: "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/health",
        fits: |a| matches!(a.words(), ["get"]) && a.has("--raw") && a.page() == "health",
        read: |a| Some(Command::CheckHealth { port: a.endpoint()? }),
        effect: Looks,
        part: Proof,
        leaves: Nothing,
        protects: Health, "a Service hides a sick pod among sound ones",
        words: format!("checks the health of every pod at {port}"),
        flags: &[RAW],
        placeholders: &["POD"],
        follows_undo: true,
        rights: &["get deployments", "list pods", "get pods/proxy"],
        missed: Some(Missed {
            code: "no-health-check",
            message: "nothing asks the pods for their health",
            help: "add `kubectl get --raw …/proxy/health`",
        }),
    }
    /// `kubectl get --raw /api/v1/namespaces/NS/pods/$POD[:PORT]/proxy/metrics`: every live pod shows the prior
    /// `build_info`.
    CheckBuildInfo {
        /// The pod's port.
        port: PodPort,
    } = "kubectl" "get --raw" {
        example: "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics",
        fits: |a| matches!(a.words(), ["get"]) && a.has("--raw") && a.page() != "health",
        read: |a| Some(Command::CheckBuildInfo { port: a.endpoint()? }),
        effect: Looks,
        part: Proof,
        leaves: Nothing,
        protects: Build, "an undo can do nothing and exit 0",
        words: format!("checks the build of every pod at {port}"),
        flags: &[RAW],
        placeholders: &["POD"],
        follows_undo: true,
        rights: &["get deployments", "list deployments", "list pods", "get pods/proxy"],
        missed: Some(Missed {
            code: "no-build-check",
            message: "nothing checks that the prior build runs",
            help: "an undo can be a no-op and exit 0: add `kubectl get --raw …/proxy/metrics`",
        }),
    }
    /// `kubectl get --raw /api/v1/namespaces/NS/pods/$POD[:PORT]/proxy/metrics | grep 'SERIES'`: how much the counter
    /// has grown since the look before, over all live pods, must satisfy `rb.expect`.
    CheckCounter {
        /// The pod's port.
        port: PodPort,
        /// `NAME{LABEL="VALUE",…}`
        series: Series,
    } = "kubectl" "get --raw" {
        example: "kubectl get --raw /api/v1/namespaces/web/pods/$POD:8080/proxy/metrics | grep 'requests_total{code=\"503\"}'",
        fits: |a| matches!(a.words(), ["get", "|", "grep", _]) && a.has("--raw"),
        read: |a| {
            let (port, series) = a.counter()?;
            Some(Command::CheckCounter { port, series })
        },
        effect: Looks,
        part: AsBefore,
        leaves: Nothing,
        protects: Reopening, "recovery begins when the last pod has stopped refusing",
        words: format!("asks every pod at {port} for the growth of {series}"),
        flags: &[RAW],
        placeholders: &["POD"],
        value: Value::Growth,
        rights: &["list deployments", "list pods", "get pods/proxy"],
    }
    /// `kubectl patch configmap NAME -n NS --type merge -p '{"data":{"KEY":"VALUE"}}'`
    SetConfigValue {
        /// ConfigMap.
        name: String,
        /// Key in its data.
        key: String,
        /// Value to set.
        value: String,
    } = "kubectl" "patch configmap" {
        example: "kubectl patch configmap traffic -n web --type merge -p '{\"data\":{\"mode\":\"halted\"}}'",
        fits: |a| match a.words() {
            ["patch", one] => one.split_once('/').is_some_and(|(kind, _)| CONFIG_MAP.contains(&kind)),
            ["patch", kind, _] => CONFIG_MAP.contains(kind),
            _ => false,
        },
        read: |a| {
            a.namespace();
            let kind = a.value("--type", "merge")?;
            a.literal(&kind, "merge", "only merge patches are understood");
            let (name, key, value) = a.set_config()?;
            Some(Command::SetConfigValue { name, key, value })
        },
        effect: Changes,
        part: Halt,
        leaves: Nothing,
        protects: Halt, "clients are told when they are refused, and when no longer",
        words: format!("sets {key}={value} in `{name}`"),
        flags: &[NAMESPACE, TYPE, PATCH],
        ledger: OnLedger::Halts,
        rights: &["get configmaps", "update configmaps"],
    }
    /// `kubectl logs -n NS -l app=$SERVICE --timestamps --since=DURATION --tail=-1`: of the bad release's pods.
    DumpLogs {
        /// How far back.
        since: Duration,
    } = "kubectl" "logs" {
        example: "kubectl logs -n web -l app=$SERVICE --timestamps --since=10m --tail=-1",
        fits: |a| matches!(a.words(), ["logs"]),
        read: |a| {
            a.namespace();
            a.selector();
            a.tail();
            Some(Command::DumpLogs { since: a.since()? })
        },
        effect: Saves,
        part: Evidence,
        leaves: Nothing,
        protects: Logs, "they vanish with the pods",
        words: format!("saves the logs of the last {}", span(*since)),
        flags: &[NAMESPACE, SELECTOR, TIMESTAMPS, SINCE, TAIL],
        rights: &["list pods", "get pods/log"],
    }
    /// `kubectl rollout pause deployment/$SERVICE -n NS`: a rollout that goes on starts no more pods of the bad
    /// release.
    RolloutPause = "kubectl" "rollout pause" {
        example: "kubectl rollout pause deployment/$SERVICE -n web",
        fits: |a| matches!(a.words(), ["rollout", "pause", ..]),
        read: |a| {
            a.namespace();
            a.workload(2, &[WorkloadKind::Deployment])?;
            Some(Command::RolloutPause)
        },
        effect: Changes,
        part: Pods,
        leaves: Paused,
        protects: Rollout, "a rollout that goes on starts more pods of the bad release",
        words: "pauses the rollout",
        flags: &[NAMESPACE],
        followed: Some(Followed {
            by: Kind::RolloutResume,
            ahead_of: Some((Kind::RolloutUndo, "this rollout is still paused when it is undone")),
            code: "pause-stays",
            message: "nothing resumes this rollout",
            label: "paused for good",
            help: "add `kubectl rollout resume` under the same `rb.when`, ahead of the undo: an undo of a paused Deployment is refused",
        }),
        rights: &["get deployments", "patch deployments"],
    }
    /// `kubectl rollout resume deployment/$SERVICE -n NS`
    RolloutResume = "kubectl" "rollout resume" {
        example: "kubectl rollout resume deployment/$SERVICE -n web",
        fits: |a| matches!(a.words(), ["rollout", "resume", ..]),
        read: |a| {
            a.namespace();
            a.workload(2, &[WorkloadKind::Deployment])?;
            Some(Command::RolloutResume)
        },
        effect: Changes,
        part: Pods,
        leaves: Resumed,
        protects: Paused, "an undo of a paused Deployment is refused",
        words: "resumes a paused rollout",
        flags: &[NAMESPACE],
        rights: &["get deployments", "patch deployments"],
    }
    /// `kubectl rollout undo deployment/$SERVICE -n NS [--to-revision=$TARGET_REVISION]`, or with `statefulset`.
    /// Without the revision it goes, as kubectl does, to the second-highest one, whatever that is.
    RolloutUndo {
        /// Whether `--to-revision=$TARGET_REVISION` pins the target that was recorded by `prepare`.
        pinned: bool,
    } = "kubectl" "rollout undo" {
        example: "kubectl rollout undo deployment/$SERVICE -n web --to-revision=$TARGET_REVISION",
        fits: |a| matches!(a.words(), ["rollout", "undo", ..]),
        read: |a| {
            a.namespace();
            a.workload(2, &WorkloadKind::ALL)?;
            Some(Command::RolloutUndo { pinned: a.revision()? })
        },
        effect: Changes,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "exit code 0 of an undo says nothing of its pods",
        words: if *pinned {
            "rolls back to the recorded revision"
        } else {
            "rolls back to the revision before, whatever that is"
        },
        flags: &[NAMESPACE, TO_REVISION],
        placeholders: &["TARGET_REVISION"],
        rights: &["get deployments", "list replicasets", "patch deployments"],
        rights_of_stateful_sets: &["get statefulsets", "list controllerrevisions", "patch statefulsets"],
        missed: Some(Missed {
            code: "no-undo",
            message: "no step rolls the application back",
            help: "add `kubectl rollout undo` to the phase `run`",
        }),
    }
    /// `kubectl rollout status deployment/$SERVICE -n NS`, or `statefulset/$SERVICE`
    RolloutStatus = "kubectl" "rollout status" {
        example: "kubectl rollout status deployment/$SERVICE -n web",
        fits: |a| matches!(a.words(), ["rollout", "status", ..]),
        read: |a| {
            a.namespace();
            a.workload(2, &WorkloadKind::ALL)?;
            a.timeout();
            Some(Command::RolloutStatus)
        },
        effect: Waits,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "exit code 0 of an undo says nothing of its pods",
        words: "waits for the rollout",
        flags: &[NAMESPACE, TIMEOUT],
        follows_undo: true,
        rights: &["get deployments", "watch deployments", "list replicasets", "list pods", "watch pods"],
        rights_of_stateful_sets: &["get statefulsets", "watch statefulsets", "list controllerrevisions"],
        missed: Some(Missed {
            code: "no-rollout-status",
            message: "nothing waits for the rollout",
            help: "add `kubectl rollout status`",
        }),
    }
    /// `kubectl scale deployment/$SERVICE -n NS --replicas=$TARGET_REPLICAS`: up to what `prepare` recorded, never
    /// down.
    RestoreReplicas = "kubectl" "scale" {
        example: "kubectl scale deployment/$SERVICE -n web --replicas=$TARGET_REPLICAS",
        fits: |a| matches!(a.words(), ["scale", ..]),
        read: |a| {
            a.namespace();
            a.workload(1, &WorkloadKind::ALL)?;
            let replicas = a.value("--replicas", "$TARGET_REPLICAS")?;
            a.literal(&replicas, "$TARGET_REPLICAS", "how many there are to be is what `prepare` recorded");
            Some(Command::RestoreReplicas)
        },
        effect: Changes,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "`rollout undo` does not bring replicas back",
        words: "scales up to the recorded replicas",
        flags: &[NAMESPACE, REPLICAS],
        placeholders: &["TARGET_REPLICAS"],
        rights: &["get deployments", "patch deployments"],
        rights_of_stateful_sets: &["get statefulsets", "patch statefulsets"],
    }
    /// `kubectl delete pods -n NS -l 'app=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)'`: delete, one at a
    /// time, the pods of the release that is taken back which are not ready, until no pod of it is left. With
    /// `OrderedReady` such a pod keeps the rollback from going on (kubernetes#67250). Typed by hand, it deletes all
    /// pods of the release at once.
    DeleteBrokenPods = "kubectl" "delete pods" {
        example: "kubectl delete pods -n web -l 'app=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)'",
        fits: |a| matches!(a.words(), ["delete", kind] if POD.contains(kind)),
        read: |a| {
            a.kinds = [WorkloadKind::StatefulSet].into();
            a.namespace();
            a.selector_of_bad_revisions();
            Some(Command::DeleteBrokenPods)
        },
        effect: Changes,
        part: Pods,
        leaves: Nothing,
        protects: Rollout, "a broken pod of a StatefulSet keeps its rollback from going on",
        words: "deletes the broken pods of the release that is taken back",
        flags: &[NAMESPACE, SELECTOR],
        placeholders: &["BAD_REVISIONS"],
        follows_undo: true,
        rights_of_stateful_sets: &["get statefulsets", "list controllerrevisions", "list pods", "delete pods"],
    }
    /// `flyway undo -target=$TARGET_SCHEMA`
    UndoSchema = "flyway" "undo" {
        example: "flyway undo -target=$TARGET_SCHEMA",
        fits: |a| matches!(a.words(), ["undo"]),
        read: |a| {
            let target = a.value("-target", "$TARGET_SCHEMA")?;
            a.literal(&target, "$TARGET_SCHEMA", "the version that `prepare` recorded is the only safe target");
            Some(Command::UndoSchema)
        },
        effect: Changes,
        part: Data,
        leaves: Nothing,
        protects: Replay, "the old code can't read the new schema",
        words: "undoes the migration",
        asks: Asks::Database,
        flags: &[TARGET],
        placeholders: &["TARGET_SCHEMA"],
        ledger: OnLedger::Rewrites,
    }
    /// `promql 'QUERY'`: the value must satisfy `rb.expect`. `$WINDOW` is the time since reopening.
    PromQuery {
        /// PromQL text with placeholders.
        query: String,
    } = "promql" "'QUERY'" {
        example: "promql 'sum(rate(errors_total[$WINDOW]))'",
        fits: |a| matches!(a.words(), [_]),
        read: |a| Some(Command::PromQuery { query: a.query(0, query::check_promql) }),
        effect: Looks,
        part: Proof,
        leaves: Nothing,
        protects: Proof, "a recovery that nobody checked is a claim",
        words: "asks Prometheus",
        asks: Asks::Prometheus,
        placeholders: OF_QUERIES,
        value: Value::Answer,
        rights: &["list deployments", "list pods"],
        missed: Some(Missed {
            code: "no-error-rate",
            message: "nothing checks the error rate",
            help: "add `promql` with `rb.expect` and `rb.min-requests` to the phase `run`",
        }),
    }
    /// `logcli query 'QUERY'`: likewise, of Loki.
    LogQuery {
        /// LogQL text with placeholders.
        query: String,
    } = "logcli" "query" {
        example: "logcli query 'sum(count_over_time({app=\"web\"}[$WINDOW]))'",
        fits: |a| matches!(a.words(), ["query", _]),
        read: |a| Some(Command::LogQuery { query: a.query(1, query::check_logql) }),
        effect: Looks,
        part: Proof,
        leaves: Nothing,
        protects: Proof, "a recovery that nobody checked is a claim",
        words: "asks the logs",
        asks: Asks::Loki,
        placeholders: OF_QUERIES,
        value: Value::Answer,
        rights: &["list deployments", "list pods", "get pods/log"],
    }
    /// `rollback db snapshot --name NAME`
    Snapshot {
        /// Name of the snapshot.
        name: String,
    } = "rollback" "db snapshot" {
        example: "rollback db snapshot --name before",
        fits: |a| matches!(a.words(), ["db", "snapshot"]),
        read: |a| Some(Command::Snapshot { name: a.snapshot("--name")? }),
        effect: Prepares,
        part: Data,
        leaves: Nothing,
        protects: Prepare, "without a snapshot a wrong ledger can't be restored",
        words: format!("takes the snapshot `{name}`"),
        asks: Asks::Database,
        flags: &[NAME],
    }
    /// `rollback db fence`
    Fence = "rollback" "db fence" {
        example: "rollback db fence",
        fits: |a| matches!(a.words(), ["db", "fence"]),
        read: |_| Some(Command::Fence),
        effect: Changes,
        part: Halt,
        leaves: Fenced,
        protects: Fence, "a writer that missed the halt flag writes into a ledger that is being rewritten",
        words: "fences the ledger",
        asks: Asks::Database,
        ledger: OnLedger::Halts,
        followed: Some(Followed {
            by: Kind::Unfence,
            ahead_of: None,
            code: "fence-stays",
            message: "nothing lowers this fence",
            label: "up for good",
            help: "add `rollback db unfence` under the same `rb.when`, after the application is back",
        }),
    }
    /// `rollback db unfence`
    Unfence = "rollback" "db unfence" {
        example: "rollback db unfence",
        fits: |a| matches!(a.words(), ["db", "unfence"]),
        read: |_| Some(Command::Unfence),
        effect: Changes,
        part: Halt,
        leaves: Unfenced,
        protects: Reopening, "a fence that stays up keeps everybody out",
        words: "lowers the fence",
        asks: Asks::Database,
    }
    /// `rollback db restore --snapshot NAME`
    RestoreSnapshot {
        /// Name of the snapshot.
        name: String,
    } = "rollback" "db restore" {
        example: "rollback db restore --snapshot before",
        fits: |a| matches!(a.words(), ["db", "restore"]),
        read: |a| Some(Command::RestoreSnapshot { name: a.snapshot("--snapshot")? }),
        effect: Changes,
        part: Data,
        leaves: Nothing,
        protects: Replay, "what clients were told since the snapshot must come back",
        words: format!("restores the snapshot `{name}`"),
        asks: Asks::Database,
        flags: &[SNAPSHOT],
        ledger: OnLedger::Rewrites,
        followed: Some(Followed {
            by: Kind::ReplayLog,
            ahead_of: None,
            code: "restore-without-replay",
            message: "what was acknowledged after the snapshot is lost by this restore",
            label: "no replay after it",
            help: "add `rollback db replay --log` after it",
        }),
    }
    /// `rollback db replay --log`: append the log's tail that the restored ledger lacks.
    ReplayLog = "rollback" "db replay" {
        example: "rollback db replay --log",
        fits: |a| matches!(a.words(), ["db", "replay"]),
        read: |a| {
            if !a.has("--log") {
                a.missing("--log", "");
            }
            Some(Command::ReplayLog)
        },
        effect: Changes,
        part: Data,
        leaves: Nothing,
        protects: Replay, "what clients were told since the snapshot must come back",
        words: "replays the log since the snapshot",
        asks: Asks::Database,
        flags: &[LOG],
        ledger: OnLedger::Extends,
    }
    /// `rollback config restore --service $SERVICE`: put back the recorded ConfigMaps.
    RestoreConfig = "rollback" "config restore" {
        example: "rollback config restore --service $SERVICE",
        fits: |a| matches!(a.words(), ["config", "restore"]),
        read: |a| {
            let service = a.value("--service", "$SERVICE")?;
            a.service(&service);
            Some(Command::RestoreConfig)
        },
        effect: Changes,
        part: Pods,
        leaves: Nothing,
        protects: Configuration, "`rollout undo` does not touch ConfigMaps",
        words: "puts the configuration back",
        flags: &[SERVICE],
        rights: &["get configmaps", "update configmaps", "create configmaps"],
    }
    /// `rollback pods replace --service $SERVICE`: evict, one by one, the pods that started before their configuration
    /// was put back.
    ReplacePods = "rollback" "pods replace" {
        example: "rollback pods replace --service $SERVICE",
        fits: |a| matches!(a.words(), ["pods", "replace"]),
        read: |a| {
            let service = a.value("--service", "$SERVICE")?;
            a.service(&service);
            Some(Command::ReplacePods)
        },
        effect: Changes,
        part: Pods,
        leaves: Nothing,
        protects: Configuration, "no rollout replaces pods whose template stays",
        words: "replaces the pods one by one",
        flags: &[SERVICE],
        rights: &["get deployments", "list pods", "create pods/eviction"],
        rights_of_stateful_sets: &["get statefulsets"],
    }
    /// `rollback post-mortem`
    WritePostMortem = "rollback" "post-mortem" {
        example: "rollback post-mortem",
        fits: |a| matches!(a.words(), ["post-mortem"]),
        read: |_| Some(Command::WritePostMortem),
        effect: Documents,
        part: Evidence,
        leaves: Nothing,
        protects: WriteUp, "a person must write it instead",
        words: "writes the post-mortem",
        asks: Asks::Nobody,
    }
    /// `rollback scenario`
    WriteScenario = "rollback" "scenario" {
        example: "rollback scenario",
        fits: |a| matches!(a.words(), ["scenario"]),
        read: |_| Some(Command::WriteScenario),
        effect: Documents,
        part: Evidence,
        leaves: Nothing,
        protects: WriteUp, "a person must write it instead",
        words: "writes the scenario",
        asks: Asks::Nobody,
    }
}

/// The kinds of workloads that are listed together, as in `deployments,statefulsets`; `None`: something else is among
/// them.
fn kinds_of(listed: &str) -> Option<BTreeSet<WorkloadKind>> {
    listed.split(',').map(super::kind_of).collect()
}

impl Command {
    /// What is known of the command, whatever this step says in particular.
    #[must_use]
    pub fn spec(&self) -> &'static CommandSpec {
        self.kind().spec()
    }

    /// The query that it asks, with its placeholders.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::PromQuery { query } | Self::LogQuery { query } => Some(query),
            _ => None,
        }
    }

    /// Whether it changes the application, so that its intent is journaled first.
    pub(crate) fn has_side_effect(&self) -> bool {
        self.spec().effect == Effect::Changes
    }

    /// Whether the command comes to a number, which `rb.expect` is about.
    #[must_use]
    pub fn judges_a_value(&self) -> bool {
        self.spec().value != Value::None
    }
}

impl Kind {
    /// What is known of it.
    #[must_use]
    pub fn spec(self) -> &'static CommandSpec {
        // Both are declared by one macro, in one order.
        &COMMANDS[self as usize]
    }
}
