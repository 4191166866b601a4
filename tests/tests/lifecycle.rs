//! Once a rollback has changed anything, it ends in a recovery or in a call for a person: whatever its own host, the
//! cluster or somebody else does meanwhile. Each scenario in `scenarios/regressions` pins a circumstance in which it
//! once did not.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use e2e::drills::{assert_passes, beside, beside_from, edited, plan, plan_by, run, trigger};
use executor::ports::{
    Database, DatabaseError, HttpClient, LedgerPosition, Ports, ReplayReport, Snapshot,
};
use executor::runbook::TriggerClass;
use executor::{Error, Executor, Options, Outcome, StepOutcome};
use firedrill::drill::{DrillResult, run_decorated};
use firedrill::finding::OracleName;
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{Anchor, Expected, Fault, FaultKind};
use firedrill::verdict::Verdict;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use mutants::ports::{Decorated, Decorator};
use serde_json::json;
use sim::time::Micros;
use tower::ServiceExt;

const NAMESPACE: &str = "dex-production";

fn told(result: &DrillResult, words: &str) -> bool {
    let mut timeline = result.timeline.iter();
    timeline.any(|entry| entry.what.contains(words))
}

fn fault(kind: FaultKind, step: &str, lasts_s: Option<u64>) -> Fault {
    Fault {
        kind,
        when: Anchor::Step(step.to_owned()),
        at: Duration::ZERO,
        jitter: Duration::ZERO,
        lasts: lasts_s.map(Duration::from_secs),
        target: None,
        delay: None,
        chance: None,
        by: None,
    }
}

/// Runs `seeds` drills of a regression's scenario; those that its fault met.
fn drills(scenario: &str, seeds: u64) -> Vec<DrillResult> {
    let all: Vec<DrillResult> = (0..seeds).map(|seed| run(&plan(scenario, seed))).collect();
    let met: Vec<DrillResult> = all
        .into_iter()
        .filter(|result| {
            let mut findings = result.findings.iter();
            findings.any(|f| f.oracle() == OracleName::FaultFired && f.verdict() == Verdict::Pass)
        })
        .collect();
    assert!(met.len() as u64 * 2 > seeds, "{scenario} hardly ever hits");
    for result in &met {
        assert_passes(result);
    }
    met
}

#[test]
fn a_server_that_knows_nobody_yet_is_asked_again() {
    drills("api-server-back-at-halt", 16);
}

#[test]
fn nobody_gives_up_while_the_objective_leaves_time() {
    drills("node-paused-before-unfence", 6);
    drills("database-away-at-trigger", 6);
    drills("registry-away-a-moment", 12);
}

#[test]
fn a_host_that_stands_still_has_its_attempts_afterwards() {
    for result in drills("host-stalls-during-undo", 8) {
        let restored = |step: &&firedrill::evidence::StepSaid| step.name == "restore-ledger";
        let restored = result.steps.iter().find(restored);
        assert!(restored.is_none_or(|step| step.outcome == StepOutcome::Skipped));
    }
}

#[test]
fn the_executor_knows_its_own_rollback_after_the_lease_ran_out() {
    // One value in five to twelve differs in its last digit after it went through the journal.
    for result in drills("lease-outlasted", 24) {
        assert!(told(&result, "takes it again"));
    }
}

#[test]
fn budgets_follow_the_length_of_the_log() {
    for result in drills("replay-of-a-long-log", 4) {
        let replays = |step: &&firedrill::evidence::StepSaid| step.name == "replay-orders";
        assert!(result.steps.iter().any(|step| replays(&step)));
    }
}

#[test]
fn a_rollback_that_cannot_go_on_calls_a_person_in_time() {
    for result in drills("api-server-gone", 4) {
        assert!(told(&result, "A person must: remove the cause"));
        assert!(told(
            &result,
            "the executor can't go on at step `rollout-status (gateway)`"
        ));
    }
}

#[test]
fn what_somebody_else_does_to_a_service_is_made_good_and_journaled() {
    for (scenario, cure) in [
        ("paused-during-rollout", "it is resumed now"),
        ("scaled-during-rollout", "it is scaled up again now"),
        ("second-release-after-rollout", "it is undone again now"),
    ] {
        for result in drills(scenario, 4) {
            assert!(told(&result, cure), "{scenario} seed {}", result.seed);
        }
    }
}

/// What is made good is counted in the journal, so that a second host does not begin to count anew.
#[test]
fn who_resumes_counts_on() {
    let undone = |text: &str| text.matches("it is undone again now").count();
    let plan = edited(plan("second-release", 3), |scenario| {
        for at_s in [6, 12, 18, 24] {
            let mut again = scenario.faults[0].clone();
            again.at = Duration::from_secs(at_s);
            scenario.faults.push(again);
        }
        let mut killed = fault(FaultKind::ExecutorKilled, "rollout-status", None);
        killed.at = Duration::from_secs(7);
        killed.delay = Some(Duration::from_secs(1));
        scenario.faults.push(killed);
    });
    let result = run(&plan);
    let lines: Vec<&str> = result
        .timeline
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    let count = undone(&lines.join("\n"));
    assert!((1..=2).contains(&count), "{count} times: {lines:#?}");
}

/// Deletes the Lease in the middle of a rollback that has raised the fence. The database has seen the token,
/// and refuses lower ones.
#[test]
fn the_token_outlives_the_lease() {
    let tokens: Arc<Mutex<Vec<i32>>> = Arc::default();
    let seen = Arc::clone(&tokens);
    let plan = plan("balance-anomaly", 3);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let (world, seen) = (world.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            let client = kube::Client::new(world.kube("colleague"), NAMESPACE);
            let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
            let maps = Api::<ConfigMap>::namespaced(client, NAMESPACE);
            let token = |lease: Lease| lease.spec.and_then(|spec| spec.lease_transitions);
            let note = |token: Option<i32>| {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.extend(token);
            };
            // Earlier rollbacks have used up some tokens.
            let free = Lease {
                metadata: ObjectMeta {
                    name: Some("rollback".to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(LeaseSpec {
                    lease_transitions: Some(5),
                    ..LeaseSpec::default()
                }),
            };
            leases
                .create(&PostParams::default(), &free)
                .await
                .expect("created");
            loop {
                world.sleep(Micros::from_millis(100)).await;
                let journal = maps.get_opt("rollback-journal").await.ok().flatten();
                let entries = journal.and_then(|map| map.data).unwrap_or_default();
                if entries.len() > 4 {
                    break;
                }
            }
            note(
                leases
                    .get_opt("rollback")
                    .await
                    .ok()
                    .flatten()
                    .and_then(token),
            );
            leases
                .delete("rollback", &DeleteParams::default())
                .await
                .expect("deleted");
            world.sleep(Micros::from_secs(30)).await;
            note(
                leases
                    .get_opt("rollback")
                    .await
                    .ok()
                    .flatten()
                    .and_then(token),
            );
        });
        ports
    };
    let result = run_decorated(&plan, &decorate).expect("the simulated world builds");
    assert_passes(&result);
    let tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        matches!(tokens[..], [before, after] if before > 5 && after >= before),
        "{tokens:?}"
    );
}

/// The server restarts while the ledger is closed for its copy, and is back only when the step's time is over.
#[test]
fn a_snapshot_that_fails_leaves_the_ledger_open() {
    let hurried = BUILT_IN.replace(
        "\"snapshot-ledger\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"300s\"",
        "\"snapshot-ledger\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"2s\"",
    );
    assert_ne!(hurried, BUILT_IN);
    let plan = edited(plan_by("balance-anomaly", 3, &hurried), |scenario| {
        let mut restart = fault(FaultKind::DatabaseRestarted, "snapshot-ledger", Some(20));
        restart.at = Duration::from_millis(60);
        scenario.faults.push(restart);
    });
    let open: Arc<Mutex<Vec<bool>>> = Arc::default();
    let seen = Arc::clone(&open);
    let after = Micros::from(plan.scenario.timing.warm_up) + Micros::from_secs(40);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let (world, seen) = (world.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            world.sleep_until(after).await;
            let accepts = world.with(|w| w.application.database().accepts_connections());
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(accepts);
        });
        ports
    };
    let result = run_decorated(&plan, &decorate).expect("the simulated world builds");
    let open = open.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*open, [true]);
    let mut marks = result.faults.iter();
    assert!(
        marks.any(|mark| mark.what.contains("database-restarted")),
        "{:?}",
        result.faults
    );
}

/// The exchange's errors begin once the proof does, which begins late, and never end: no recovery can be proven in
/// time.
#[test]
fn a_proof_that_cannot_succeed_in_time_calls_a_person_in_time() {
    for result in drills("errors-after-a-late-rollout", 4) {
        assert!(
            told(&result, "a person is paged at once"),
            "{:#?}",
            result.timeline
        );
    }
}

/// A ledger in which `find_snapshot` finds another snapshot than the one that was recorded.
struct Replaced {
    inner: Arc<dyn Database>,
    with: fn(&mut Snapshot),
}

#[async_trait]
impl Decorator for Replaced {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn find_snapshot(&self, name: &str) -> Result<Option<Snapshot>, DatabaseError> {
        let mut found = self.inner.find_snapshot(name).await?;
        if let Some(found) = &mut found {
            (self.with)(found);
        }
        Ok(found)
    }
}

/// A snapshot that is not the one of the baseline is not put back. Planning fails, so nothing is changed, and whoever
/// is called finds a post-mortem all the same.
#[test]
fn another_snapshot_than_the_recorded_one_calls_a_person() {
    let others: [fn(&mut Snapshot); 3] = [
        |it| it.taken_at += jiff::SignedDuration::from_secs(30),
        |it| it.taken_at -= jiff::SignedDuration::from_hours(24),
        |it| it.position = LedgerPosition::default(),
    ];
    for with in others {
        let plan = edited(plan("balance-anomaly", 3), |scenario| {
            scenario.expect.outcome = Expected::Escalated;
        });
        let decorate = move |_: &sim_exchange::World, ports: Ports| Ports {
            database: Arc::new(Decorated(Replaced {
                inner: Arc::clone(&ports.database),
                with,
            })),
            ..ports
        };
        let result = run_decorated(&plan, &decorate).expect("the simulated world builds");
        assert!(result.steps.is_empty(), "{:?}", result.steps);
        let verdict = |oracle: OracleName| {
            let mut findings = result.findings.iter();
            let finding = findings.find(|finding| finding.oracle() == oracle);
            finding.map(|finding| (finding.verdict(), finding.to_string()))
        };
        let outcome = verdict(OracleName::Outcome).expect("it is judged");
        assert_eq!(outcome.0, Verdict::Pass, "{}", outcome.1);
        assert!(
            outcome.1.contains("is not the one of the baseline"),
            "{}",
            outcome.1
        );
        assert_eq!(
            verdict(OracleName::Files).expect("it is judged").0,
            Verdict::Pass
        );
        let mut files = result.files.iter();
        let written = files.find(|(name, _)| name.ends_with("/post-mortem.md"));
        let (_, text) = written.expect("a post-mortem");
        assert!(
            text.contains("No plan was made") && text.contains("data-balance-anomaly"),
            "{text}"
        );
    }
}

/// Somebody labels the journal's ConfigMap all the time. That is not another executor.
#[test]
fn a_label_on_the_journal_ends_nothing() {
    let labelled: Arc<Mutex<u32>> = Arc::default();
    let count = Arc::clone(&labelled);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let (world, count) = (world.clone(), Arc::clone(&count));
        tokio::spawn(async move {
            let client = kube::Client::new(world.kube("colleague"), NAMESPACE);
            let maps = Api::<ConfigMap>::namespaced(client, NAMESPACE);
            for n in 0.. {
                world.sleep(Micros::from_millis(700)).await;
                let patch = json!({ "metadata": { "labels": { "seen": n.to_string() } } });
                let params = PatchParams::default();
                let patch = Patch::Merge(&patch);
                let patched = maps.patch("rollback-journal", &params, &patch).await;
                if patched.is_ok() {
                    *count.lock().expect("not poisoned") += 1;
                }
            }
        });
        ports
    };
    for seed in 0..2 {
        let plan = plan("balance-anomaly", seed);
        let result = run_decorated(&plan, &decorate).expect("the simulated world builds");
        assert_passes(&result);
    }
    assert!(*labelled.lock().expect("not poisoned") > 40);
}

/// Prometheus takes 2.5 s for every answer: as long for all triggers as for one.
#[test]
fn a_slow_prometheus_does_not_keep_triggers_from_firing() {
    let plan = plan("latency-regression", 3);
    assert!(plan.runbook.runbook.triggers.len() >= 5);
    let decorate = move |world: &sim_exchange::World, ports: Ports| {
        let (world, inner) = (world.clone(), ports.http.clone());
        let slow = tower::service_fn(move |request: http::Request<Bytes>| {
            let (world, inner) = (world.clone(), inner.clone());
            async move {
                world.sleep(Micros::from_millis(2_500)).await;
                inner.oneshot(request).await
            }
        });
        Ports {
            http: HttpClient::new(slow),
            ..ports
        }
    };
    let result = run_decorated(&plan, &decorate).expect("the simulated world builds");
    assert!(!result.steps.is_empty(), "{:#?}", result.timeline);
}

/// A ledger of which a port does not say which tokens it has seen, and which replays nothing.
struct Mute {
    inner: Arc<dyn Database>,
    replays: bool,
}

#[async_trait]
impl Decorator for Mute {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn token_max(&self) -> Result<u64, DatabaseError> {
        Err(DatabaseError::Connection("mute".to_owned()))
    }
    async fn replay(&self, set_aside: &str, token: u64) -> Result<ReplayReport, DatabaseError> {
        if self.replays {
            return self.inner.replay(set_aside, token).await;
        }
        Err(DatabaseError::Precondition("it replays nothing".to_owned()))
    }
}

fn mute(ports: &Ports, replays: bool) -> Ports {
    Ports {
        database: Arc::new(Decorated(Mute {
            inner: Arc::clone(&ports.database),
            replays,
        })),
        ..ports.clone()
    }
}

/// Somebody has used the fence by hand, with a token that no Lease has counted up to.
#[test]
fn a_token_that_the_database_has_seen_is_passed_or_calls_a_person() {
    let plan = plan("balance-anomaly", 4);
    let runbook = Arc::clone(&plan.runbook.runbook);
    let (first, second) = beside(&plan, move |world, ports| {
        let runbook = Arc::clone(&runbook);
        async move {
            ports.database.fence(40).await.expect("raised");
            ports.database.unfence(40).await.expect("lowered");
            let trigger = trigger(&world, TriggerClass::DataIntegrity);
            // The floor could not be asked: the step that needs it fails, though the lease is its own.
            let (unasked, options) = (mute(&ports, true), Options::new("first"));
            let first = Executor::new(unasked, Arc::clone(&runbook), options);
            let first = first.run(trigger).await.expect("it ends in a report");
            let second = Executor::new(ports, runbook, Options::new("second"));
            (first, second.resume().await.expect("it resumes"))
        }
    });
    let Outcome::Escalated { reason } = &first.outcome else {
        panic!("{:?}", first.outcome)
    };
    assert!(reason.contains("used the fence by hand"), "{reason}");
    assert_eq!(second.outcome, Outcome::Recovered);
}

/// The restore is swapped in and not replayed when a person is paged. Whoever runs again does not begin from there:
/// what was acknowledged is in the ledger that was set aside.
#[test]
fn an_escalated_rollback_is_resumed_and_not_begun_anew() {
    let plan = plan("balance-anomaly", 4);
    let runbook = Arc::clone(&plan.runbook.runbook);
    let (first, again, last, before, after) = beside(&plan, move |world, ports| {
        let runbook = Arc::clone(&runbook);
        async move {
            let host = |name: &str, ports: &Ports| {
                Executor::new(ports.clone(), Arc::clone(&runbook), Options::new(name))
            };
            let fire = || trigger(&world, TriggerClass::DataIntegrity);
            let before = ports.database.position().await.expect("a position");
            let broken = mute(&ports, false);
            let first = host("first", &broken).run(fire()).await;
            let again = host("second", &ports).run(fire()).await;
            let last = host("third", &ports).resume().await;
            let after = ports.database.position().await.expect("a position");
            (first, again, last, before, after)
        }
    });
    let first = first.expect("it ends in a report");
    let Outcome::Escalated { reason } = &first.outcome else {
        panic!("{:?}", first.outcome)
    };
    assert!(reason.contains("replay-orders"), "{reason}");
    let Err(error @ Error::WasEscalated { .. }) = again else {
        panic!("{again:?}")
    };
    assert!(error.to_string().contains("`rollback resume`"), "{error}");
    assert_eq!(last.expect("it resumes").outcome, Outcome::Recovered);
    assert!(after.log_seq >= before.log_seq, "{before:?} {after:?}");
}

/// A ledger beside which a rollback is journaled once a snapshot of it is taken, or its position is read.
struct Meanwhile {
    inner: Arc<dyn Database>,
    world: sim_exchange::World,
    at_snapshot: bool,
    snapshots: Arc<Mutex<u32>>,
}

impl Meanwhile {
    async fn begin(&self) {
        let client = kube::Client::new(self.world.kube("colleague"), NAMESPACE);
        let maps = Api::<ConfigMap>::namespaced(client, NAMESPACE);
        let entry = json!({
            "seq": 1, "at": "2026-01-01T00:00:00Z", "token": 7, "by": "colleague",
            "record": "planned", "steps": 3,
        });
        let journal = ConfigMap {
            metadata: ObjectMeta {
                name: Some("rollback-journal".to_owned()),
                ..ObjectMeta::default()
            },
            data: Some([("entry-0001".to_owned(), entry.to_string())].into()),
            ..ConfigMap::default()
        };
        let created = maps.create(&PostParams::default(), &journal).await;
        created.expect("created");
    }
}

#[async_trait]
impl Decorator for Meanwhile {
    fn inner(&self) -> &dyn Database {
        &*self.inner
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        if !self.at_snapshot {
            self.begin().await;
        }
        self.inner.position().await
    }
    async fn snapshot(&self, name: &str) -> Result<Snapshot, DatabaseError> {
        *self.snapshots.lock().expect("not poisoned") += 1;
        let taken = self.inner.snapshot(name).await;
        if self.at_snapshot {
            self.begin().await;
        }
        taken
    }
}

/// Neither the snapshot nor the baseline of a rollback that has begun is replaced beneath it.
#[test]
fn a_rollback_that_begins_amid_a_preparation_ends_that() {
    for at_snapshot in [false, true] {
        // After the drill's own preparation, and long before its release.
        let plan = edited(plan("latency-regression", 4), |scenario| {
            scenario.timing.deploy_at += Duration::from_secs(30);
            scenario.timing.duration += Duration::from_secs(30);
        });
        let begin = Micros::from(plan.scenario.timing.warm_up) + Micros::from_secs(15);
        let runbook = Arc::clone(&plan.runbook.runbook);
        let (prepared, kept, snapshots) = beside_from(&plan, begin, move |world, ports| {
            let runbook = Arc::clone(&runbook);
            async move {
                let client = kube::Client::new(world.kube("colleague"), NAMESPACE);
                let maps = Api::<ConfigMap>::namespaced(client, NAMESPACE);
                let baseline = async || {
                    let found = maps.get("rollback-baseline").await;
                    found.expect("the drill prepared").data
                };
                let before = baseline().await;
                let snapshots: Arc<Mutex<u32>> = Arc::default();
                let database = Meanwhile {
                    inner: Arc::clone(&ports.database),
                    world: world.clone(),
                    at_snapshot,
                    snapshots: Arc::clone(&snapshots),
                };
                let ports = Ports {
                    database: Arc::new(Decorated(database)),
                    ..ports
                };
                let prepared = Executor::new(ports, runbook, Options::new("late"));
                let prepared = prepared.prepare().await.map(|_| ());
                let taken = *snapshots.lock().expect("not poisoned");
                (prepared, baseline().await == before, taken)
            }
        });
        assert!(
            matches!(prepared, Err(Error::InProgress { .. })),
            "{prepared:?}"
        );
        assert!(kept, "the baseline is as it was");
        assert_eq!(snapshots, u32::from(at_snapshot));
    }
}
