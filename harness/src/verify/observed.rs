//! What the planner would be told after a scenario's deployment: enough to plan by, made from the scenario alone.

use std::collections::{BTreeMap, BTreeSet};

use dex::migrations::{Kind, Migration};
use dex::release::{Release, Service};
use executor::WorkloadKind;
use executor::baseline::{Baseline, ServiceBaseline};
use executor::planner::{Observed, RevisionState, ServiceState, template_digest};
use executor::ports::{HistoryRow, LedgerPosition, Snapshot};
use executor::runbook::Runbook;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::scenario::{Scenario, UndoScripts};
use crate::worlds::common::manifests::{environment, pod_template, replicas, selector};

/// The state after the deployment of `scenario`, as an executor that follows `runbook` would have recorded and found
/// it. `None`: nothing triggers there, so nothing is planned, or the runbook lacks the trigger.
pub(super) fn after_deployment(scenario: &Scenario, runbook: &Runbook) -> Option<Observed> {
    let expected = scenario.expect.trigger.as_deref()?;
    let trigger = runbook.triggers.iter().find(|t| t.name == expected)?;
    let (from, to) = (
        Release::by_name(&scenario.release.from)?,
        Release::by_name(&scenario.release.to)?,
    );
    let at =
        |seconds: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds);
    let (before, after) = (history(&from), history(&to));
    let mut services = BTreeMap::new();
    let mut recorded = BTreeMap::new();
    for service in Service::ALL {
        let name = service.name();
        let (was, is) = (pod_template(service, &from), pod_template(service, &to));
        let config = |release: &Release| of_config(release, service);
        recorded.insert(
            name.to_owned(),
            ServiceBaseline {
                kind: WorkloadKind::Deployment,
                uid: name.to_owned(),
                selector: selector(service),
                template: was.clone(),
                revision: Some(1),
                replicas: replicas(service),
                image: from.build(service).image(),
                config: config(&from),
                builds: BTreeSet::new(),
            },
        );
        let set = |revision: u64, template: &Value, created: i64| RevisionState {
            name: format!("{name}-{revision}"),
            revision: Some(revision),
            template_digest: template_digest(template),
            created_at: Some(at(created)),
        };
        let mut revisions = vec![set(1, &was, -100_000)];
        if was != is {
            revisions.push(set(2, &is, 10));
        }
        services.insert(
            name.to_owned(),
            ServiceState {
                kind: WorkloadKind::Deployment,
                uid: name.to_owned(),
                paused: false,
                replicas: replicas(service),
                template_digest: template_digest(&is),
                image: to.build(service).image(),
                revision: Some(revisions.len() as u64),
                revisions,
                half_way: false,
                reconciler: None,
                config: config(&to),
            },
        );
    }
    let snapshot = snapshot(runbook, at(0), &before);
    let baseline = Baseline {
        recorded_at: at(0),
        runbook: runbook.digest.clone(),
        services: recorded,
        triggers: BTreeMap::new(),
        schema_version: before.last().and_then(|row| row.version.clone()),
        history: before,
        position: LedgerPosition::default(),
        snapshot: snapshot.clone(),
    };
    let all = |migrations: Vec<Migration>| {
        let files = migrations.into_iter();
        files
            .map(|m| (m.name.to_owned(), m.sql.to_owned()))
            .collect()
    };
    Some(Observed {
        at: at(60),
        baseline,
        services,
        history: after,
        scripts: scripts(scenario, all(to.migrations())),
        snapshot,
        position: None,
        trigger: Some(trigger.fired(trigger.condition.value, at(40), at(55))),
        force: false,
    })
}

/// The migrations' files, as the faults of `scenario` leave them.
fn scripts(scenario: &Scenario, mut files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let faults = scenario.faults.iter();
    for fate in faults.filter_map(|fault| fault.kind.spec().undo_scripts) {
        match fate {
            UndoScripts::Missing => files.retain(|name, _| !name.starts_with('U')),
            UndoScripts::Lossy => {
                let undo = files.iter_mut().filter(|(name, _)| name.starts_with('U'));
                undo.for_each(|(_, sql)| {
                    *sql = sql.replace("rollback: lossless", "rollback: lossy")
                });
            }
            UndoScripts::Failing => {}
        }
    }
    files
}

/// The ConfigMaps of one service.
fn of_config(release: &Release, service: Service) -> BTreeMap<String, BTreeMap<String, String>> {
    let own = environment(service);
    let maps = release
        .config
        .iter()
        .filter(|(name, _)| own.contains(*name));
    maps.map(|(name, data)| {
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        ((*name).to_owned(), data.collect())
    })
    .collect()
}

/// Flyway's history once the release's versioned migrations have run.
fn history(release: &Release) -> Vec<HistoryRow> {
    let migrations = release.migrations();
    let versioned = migrations
        .iter()
        .filter(|m| m.script().kind == Kind::Versioned);
    (1..)
        .zip(versioned)
        .map(|(installed_rank, migration)| HistoryRow {
            installed_rank,
            version: Some(migration.script().version),
            description: String::new(),
            kind: "SQL".to_owned(),
            script: migration.name.to_owned(),
            checksum: Some(migration.checksum()),
            success: true,
        })
        .collect()
}

/// The snapshot that the runbook would restore, if it takes it.
fn snapshot(runbook: &Runbook, taken_at: Timestamp, history: &[HistoryRow]) -> Option<Snapshot> {
    let wanted = runbook.snapshot_restored()?;
    let taken = runbook.snapshots_taken().any(|name| name == wanted);
    taken.then(|| Snapshot {
        name: wanted.to_owned(),
        taken_at,
        size_bytes: 1,
        position: LedgerPosition::default(),
        schema_version: history.last().and_then(|row| row.version.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::after_deployment;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{BUILT_IN, Fault, Path, Scenario, UndoScripts};

    #[test]
    fn the_planner_takes_the_path_that_each_built_in_scenario_expects() {
        let runbook = LoadedRunbook::built_in().expect("it loads").runbook;
        let mut planned = 0;
        for built_in in BUILT_IN {
            let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect("it loads");
            let Some(observed) = after_deployment(&scenario, &runbook) else {
                assert_eq!(scenario.expect.path, Path::None, "{}", scenario.name);
                continue;
            };
            let plan = executor::planner::plan(&runbook, &observed).expect("there is a plan");
            // What fails on the way takes another way than the one that is planned.
            let fails =
                |fault: &Fault| fault.kind.spec().undo_scripts == Some(UndoScripts::Failing);
            if scenario.faults.iter().any(fails) {
                continue;
            }
            assert_eq!(
                plan.ledger.path.name(),
                scenario.expect.path.as_str(),
                "{}",
                scenario.name
            );
            planned += 1;
        }
        assert!(planned >= 4);
    }
}
