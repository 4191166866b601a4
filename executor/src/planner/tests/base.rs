//! A small runbook, and the states that it is planned for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::baseline::{Baseline, ServiceBaseline};
use crate::planner::{Observed, RevisionState, ServiceState, template_digest};
use crate::ports::{HistoryRow, LedgerPosition, Snapshot};
use crate::report::TriggerEvent;
use crate::runbook::{
    Command, Condition, Naming, OnFail, Operator, Phase, Runbook, Step, Trigger, TriggerClass, When,
};
use crate::workload::WorkloadKind;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap_or_default()
}

pub(super) fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "x" } }, "spec": { "containers": [{ "image": image }] } })
}

pub(super) fn row(rank: i32, version: &str, success: bool) -> HistoryRow {
    HistoryRow {
        installed_rank: rank,
        version: Some(version.to_owned()),
        description: "d".to_owned(),
        kind: "SQL".to_owned(),
        script: format!("V{version}__d.sql"),
        checksum: Some(rank),
        success,
    }
}

pub(super) fn step(name: &str, title: &str, command: Command) -> Step {
    Step {
        name: name.to_owned(),
        title: title.to_owned(),
        line: 1,
        text: format!("{name} $SERVICE $TARGET_REVISION"),
        command,
        kinds: BTreeSet::new(),
        phase: Phase::Run,
        timeout: Duration::from_secs(10),
        on_fail: OnFail::Abort,
        when: When::Always,
        for_each_service: false,
        expect: None,
        min_requests: None,
        count_query: None,
        hold: None,
    }
}

pub(super) fn each(step: Step) -> Step {
    Step {
        for_each_service: true,
        ..step
    }
}

pub(super) fn when(when: When, step: Step) -> Step {
    Step { when, ..step }
}

pub(super) fn runbook() -> Runbook {
    let snapshot = "before_release".to_owned();
    let halt = |value: &str| Command::SetConfigValue {
        name: "trading".to_owned(),
        key: "mode".to_owned(),
        value: value.to_owned(),
    };
    Runbook {
        title: "Roll back".to_owned(),
        digest: "0123".to_owned(),
        rto: Duration::from_secs(300),
        rpo_records: 0,
        validation_window: Duration::from_secs(3600),
        namespace: "prod".to_owned(),
        services: ["matching", "risk", "gateway"].map(str::to_owned).to_vec(),
        prometheus: "http://prometheus".to_owned(),
        loki: None,
        migrations: "migrations".to_owned(),
        naming: Naming::default(),
        triggers: vec![Trigger {
            name: "anomaly".to_owned(),
            class: TriggerClass::DataIntegrity,
            query: "anomalies".to_owned(),
            condition: Condition {
                operator: Operator::Greater,
                value: 0.0,
            },
            hold_for: Duration::from_secs(15),
        }],
        steps: vec![
            when(
                When::LedgerBreaking,
                step("halt", "Halt", halt("maintenance")),
            ),
            when(When::LedgerBreaking, step("fence", "Fence", Command::Fence)),
            when(
                When::LedgerUndo,
                step("undo-schema", "Undo", Command::UndoSchema),
            ),
            when(
                When::LedgerRestore,
                step(
                    "restore",
                    "Restore",
                    Command::RestoreSnapshot { name: snapshot },
                ),
            ),
            when(
                When::ConfigChanged,
                each(step("config", "Roll back", Command::RestoreConfig)),
            ),
            when(
                When::DeploymentPaused,
                each(step("resume", "Roll back", Command::RolloutResume)),
            ),
            each(step(
                "undo",
                "Roll back",
                Command::RolloutUndo { pinned: true },
            )),
            each(step("status", "Roll back", Command::RolloutStatus)),
            each(step("review", "Review", Command::ReviewReplicaSets)),
            when(
                When::LedgerBreaking,
                step("unfence", "Reopen", Command::Unfence),
            ),
            when(When::LedgerBreaking, step("open", "Reopen", halt("open"))),
        ],
    }
}

pub(super) fn observed(versions: &[(&str, &str)]) -> Observed {
    let mut services = BTreeMap::new();
    let mut recorded = BTreeMap::new();
    for (index, name) in ["matching", "risk", "gateway"].into_iter().enumerate() {
        let before = template(&format!("dex/{name}:1"));
        let version = versions
            .iter()
            .find(|(of, _)| *of == name)
            .map_or("1", |(_, to)| *to);
        let now = template(&format!("dex/{name}:{version}"));
        let set = |revision: u64, template: &Value| RevisionState {
            name: format!("{name}-{revision}"),
            revision: Some(revision),
            template_digest: template_digest(template),
            created_at: Some(at(if revision == 1 { -9000 } else { 30 })),
        };
        let uid = format!("uid-{index}");
        let build = BTreeMap::from([(
            "x_build_info".to_owned(),
            BTreeMap::from([("version".to_owned(), "1.0.0".to_owned())]),
        )]);
        services.insert(
            name.to_owned(),
            ServiceState {
                kind: WorkloadKind::Deployment,
                uid: uid.clone(),
                paused: false,
                replicas: 1,
                template_digest: template_digest(&now),
                image: format!("dex/{name}:{version}"),
                revision: Some(if version == "1" { 1 } else { 2 }),
                revisions: if version == "1" {
                    vec![set(1, &before)]
                } else {
                    vec![set(1, &before), set(2, &now)]
                },
                half_way: false,
                reconciler: None,
                config: BTreeMap::from([(format!("{name}-config"), BTreeMap::new())]),
            },
        );
        recorded.insert(
            name.to_owned(),
            ServiceBaseline {
                kind: WorkloadKind::Deployment,
                uid,
                selector: format!("app={name}"),
                template: before,
                revision: Some(1),
                replicas: 1,
                image: format!("dex/{name}:1"),
                config: BTreeMap::from([(format!("{name}-config"), BTreeMap::new())]),
                builds: BTreeSet::from([build]),
            },
        );
    }
    let history = vec![row(1, "1", true)];
    let snapshot = Snapshot {
        name: "before_release".to_owned(),
        taken_at: at(0),
        size_bytes: 1,
        position: LedgerPosition::default(),
        schema_version: Some("1".to_owned()),
    };
    Observed {
        at: at(100),
        baseline: Baseline {
            recorded_at: at(0),
            runbook: "0123".to_owned(),
            services: recorded,
            triggers: BTreeMap::from([("anomaly".to_owned(), Some(0.0))]),
            schema_version: Some("1".to_owned()),
            history: history.clone(),
            position: LedgerPosition::default(),
            snapshot: Some(snapshot.clone()),
        },
        services,
        history,
        scripts: BTreeMap::new(),
        snapshot: Some(snapshot),
        position: None,
        trigger: Some(trigger(TriggerClass::Sla, "latency")),
        force: false,
    }
}

pub(super) fn trigger(class: TriggerClass, name: &str) -> TriggerEvent {
    TriggerEvent {
        name: name.to_owned(),
        class,
        value: Some(0.5),
        since: at(60),
        fired_at: at(90),
        reason: "p99 > 0.1".to_owned(),
    }
}

pub(super) fn migrated(v: Option<&str>, u: Option<&str>, success: bool) -> Observed {
    let mut observed = observed(&[("matching", "2"), ("risk", "2"), ("gateway", "2")]);
    observed.history.push(row(2, "2", success));
    let sql = |header: &str| format!("-- A change.\n{header}\nALTER TABLE x;\n");
    let v = v.map_or(String::new(), |v| format!("-- rollback: {v}"));
    observed.scripts.insert("V2__d.sql".to_owned(), sql(&v));
    if let Some(u) = u {
        observed
            .scripts
            .insert("U2__d.sql".to_owned(), sql(&format!("-- rollback: {u}")));
    }
    observed
}
