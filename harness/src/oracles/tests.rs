//! Each oracle passes good evidence and fails, or withholds judgement on, evidence that was doctored.

use std::collections::BTreeMap;

use super::recovery::{first_harm_ms, recovered_ms};
use super::*;
use crate::evidence::{
    Books, Entry, FaultSeen, HostSeen, MaintenanceSeen, Outcome, PodSeen, Probe, Second,
    TriggerSaid,
};
use crate::scenario::{Expected, Path, Scenario, built_in};
use crate::verdict::{Survivability, Verdict, judge};

const GOOD_SECOND: Second = Second {
    answered: 200,
    maintenance: 0,
    errors: 0,
    slow: 0,
};

/// A drill that went well: deployed at 90 s, slow from 100 s, triggered at 150.4 s, recovered at 180 s.
fn good() -> Evidence {
    let scenario: Scenario = built_in("latency-regression", &[])
        .expect("built in")
        .expect("right");
    let mut e = Evidence::empty(&scenario);
    e.deployed_ms = Some(90_000);
    e.end_ms = 900_000;
    e.seconds = vec![GOOD_SECOND; 900];
    for second in &mut e.seconds[100..180] {
        second.slow = 150;
        second.errors = 3;
    }
    e.probes = (0..=90)
        .map(|i| Probe {
            at_ms: i * 10_000,
            violations: vec![],
        })
        .collect();
    let books = Books {
        acknowledged: (1..=50)
            .map(|id| Entry {
                id,
                content: id * 7,
            })
            .collect(),
        present: (1..=60)
            .map(|id| Entry {
                id,
                content: id * 7,
            })
            .collect(),
    };
    e.trades = books.clone();
    e.orders = books;
    let versions = |v: &str| {
        ["gateway", "matching", "risk"]
            .map(|a| (a.to_owned(), v.to_owned()))
            .into()
    };
    e.versions_before = versions("1.4.2");
    e.versions_deployed = versions("1.5.0");
    e.deployed_build_seen = true;
    e.pods = ["gateway", "gateway", "matching", "risk"]
        .iter()
        .enumerate()
        .map(|(i, app)| PodSeen {
            name: format!("{app}-{i}"),
            app: (*app).to_owned(),
            version: Some("1.4.2".to_owned()),
            ready: true,
        })
        .collect();
    e.maintenance = MaintenanceSeen {
        flag: Some("open".to_owned()),
        fence_token: None,
    };
    for service in ["gateway", "matching", "risk"] {
        let log = format!("==> {service}-0/{service} log, 0 restarts\n2026-01-05 up\n");
        e.files
            .insert(format!("incident-1/logs/{service}/{service}-0.log"), log);
    }
    e.files.insert(
        "incident-1/post-mortem.md".to_owned(),
        "# Post-mortem\n\n## Timeline\n".to_owned(),
    );
    e.files
        .insert("incident-1/scenario.toml".to_owned(), scenario.text.clone());
    e.state_before = BTreeMap::from([
        ("deployment/gateway/template".to_owned(), "a".to_owned()),
        ("schema/version".to_owned(), "1".to_owned()),
    ]);
    e.state_after = e.state_before.clone();
    e.state_after
        .insert("configmap/rollback-journal/log".to_owned(), "x".to_owned());
    e.executor.trigger = Some(TriggerSaid {
        name: "sla-latency-p99".to_owned(),
        at_ms: 150_400,
    });
    e.executor.outcome = Outcome::Recovered;
    e.executor.recovered_ms = Some(179_000);
    e.executor.path = Path::Application;
    e
}

fn verdict_of(oracle: &str, evidence: &Evidence) -> Verdict {
    ask_all(evidence)
        .into_iter()
        .find(|f| f.oracle == oracle)
        .expect(oracle)
        .verdict
}

#[test]
fn good_evidence_passes_every_oracle() {
    for finding in ask_all(&good()) {
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
    }
    let names: Vec<&str> = ask_all(&good()).iter().map(|f| f.oracle).collect();
    assert_eq!(names, ORACLES.map(|o| o.name));
}

#[test]
fn a_late_request_in_ten_thousand_decides_nothing_and_a_starved_host_fails_nobody() {
    let host = |late| {
        let mut e = good();
        e.host = Some(HostSeen {
            sent: 20_000,
            late,
            worst_ms: 900,
            last_ms: 200_000,
        });
        // What the clients saw of it, and what an executor would be blamed for.
        e.seconds[455].errors = 50;
        e
    };
    assert_eq!(verdict_of("host", &host(2)), Verdict::Pass);
    let starved = host(3);
    assert_eq!(verdict_of("host", &starved), Verdict::Inconclusive);
    let judged = |e: &Evidence| judge(&ask_all(e), Survivability::Survivable).overall;
    assert_eq!(judged(&host(2)), Verdict::Fail);
    assert_eq!(judged(&starved), Verdict::Inconclusive);
}

#[test]
fn recovery_is_where_the_clients_saw_it() {
    assert_eq!(recovered_ms(&good()), Some(180_000));
    // The first ten seconds in which more than one request in a hundred is slow.
    assert_eq!(first_harm_ms(&good()), Some(91_000));
}

/// Name, how the evidence is doctored, the oracle that must see it, and its verdict.
type Case = (&'static str, fn(&mut Evidence), &'static str, Verdict);

#[test]
fn doctored_evidence_is_seen_through() {
    use Verdict::{Fail, Inconclusive};
    let cases: Vec<Case> = vec![
        (
            "a host that held its clients up",
            |e| {
                e.host = Some(HostSeen {
                    sent: 10_000,
                    late: 2,
                    worst_ms: 400,
                    last_ms: 170_000,
                });
            },
            "host",
            Inconclusive,
        ),
        (
            "clients that sent nothing",
            |e| e.host = Some(HostSeen::default()),
            "host",
            Inconclusive,
        ),
        (
            "errors in the warm-up",
            |e| e.seconds[30].errors = 5,
            "steady-state",
            Inconclusive,
        ),
        (
            "slow in the warm-up",
            |e| e.seconds[20..40].iter_mut().for_each(|s| s.slow = 100),
            "steady-state",
            Inconclusive,
        ),
        (
            "halted in the warm-up",
            |e| e.seconds[30].maintenance = 1,
            "steady-state",
            Inconclusive,
        ),
        (
            "broken in the warm-up",
            |e| e.probes[2].violations.push("x".into()),
            "steady-state",
            Inconclusive,
        ),
        (
            "no traffic at all",
            |e| e.seconds = vec![Second::default(); 900],
            "steady-state",
            Inconclusive,
        ),
        (
            "nobody looked",
            |e| e.probes.clear(),
            "steady-state",
            Inconclusive,
        ),
        (
            "never deployed",
            |e| e.deployed_ms = None,
            "fault-fired",
            Inconclusive,
        ),
        (
            "never ran",
            |e| e.deployed_build_seen = false,
            "fault-fired",
            Inconclusive,
        ),
        (
            "no harm",
            |e| e.seconds = vec![GOOD_SECOND; 900],
            "fault-fired",
            Inconclusive,
        ),
        ("no trigger", |e| e.executor.trigger = None, "trigger", Fail),
        (
            "another trigger",
            |e| e.expect.trigger = Some("p0-x".into()),
            "trigger",
            Fail,
        ),
        (
            "a false alarm",
            |e| e.expect.trigger = None,
            "trigger",
            Fail,
        ),
        (
            "fired before the deployment",
            |e| e.deployed_ms = Some(200_000),
            "trigger",
            Fail,
        ),
        (
            "escalated",
            |e| e.executor.outcome = Outcome::Escalated("why".into()),
            "outcome",
            Fail,
        ),
        (
            "failed",
            |e| e.executor.outcome = Outcome::Failed("why".into()),
            "outcome",
            Fail,
        ),
        (
            "still running",
            |e| e.executor.outcome = Outcome::StillRunning,
            "outcome",
            Fail,
        ),
        (
            "did nothing",
            |e| e.executor.outcome = Outcome::NothingToDo("why".into()),
            "outcome",
            Fail,
        ),
        (
            "another path",
            |e| e.executor.path = Path::Restore,
            "outcome",
            Fail,
        ),
        (
            "claimed too early",
            |e| e.executor.recovered_ms = Some(160_000),
            "claim",
            Fail,
        ),
        (
            "claimed without a time",
            |e| e.executor.recovered_ms = None,
            "claim",
            Fail,
        ),
        (
            "claimed and never recovered",
            |e| e.seconds[899].maintenance = 1,
            "claim",
            Fail,
        ),
        (
            "recovered too late",
            |e| e.seconds[455].errors = 50,
            "rto",
            Fail,
        ),
        (
            "never recovered",
            |e| e.seconds[899].errors = 50,
            "rto",
            Fail,
        ),
        (
            "slow for too long",
            |e| e.seconds[180..460].iter_mut().for_each(|s| s.slow = 3),
            "rto",
            Fail,
        ),
        (
            "halted for too long",
            |e| e.seconds[455].maintenance = 1,
            "rto",
            Fail,
        ),
        (
            "broken for too long",
            |e| e.probes[46].violations.push("x".into()),
            "rto",
            Fail,
        ),
        ("a late look only", |e| e.probes.truncate(10), "rto", Fail),
        (
            "too few requests",
            |e| e.seconds.truncate(300),
            "error-rate",
            Inconclusive,
        ),
        (
            "no recovery",
            |e| e.seconds[899].errors = 50,
            "error-rate",
            Fail,
        ),
        (
            "broken at the end",
            |e| e.probes[90].violations.push("x".into()),
            "invariants",
            Fail,
        ),
        (
            "nobody looked at the end",
            |e| e.probes.truncate(80),
            "invariants",
            Inconclusive,
        ),
        (
            "a trade is gone",
            |e| {
                e.trades.present.remove(7);
            },
            "trades",
            Fail,
        ),
        (
            "a trade has changed",
            |e| e.trades.present[7].content = 0,
            "trades",
            Fail,
        ),
        (
            "a trade is there twice",
            |e| {
                let t = e.trades.present[7];
                e.trades.present.push(t);
            },
            "trades",
            Fail,
        ),
        (
            "an id was given twice",
            |e| e.trades.acknowledged.push(Entry { id: 5, content: 1 }),
            "trades",
            Fail,
        ),
        (
            "no trades",
            |e| e.trades = Books::default(),
            "trades",
            Inconclusive,
        ),
        (
            "an order is gone",
            |e| {
                e.orders.present.remove(0);
            },
            "orders",
            Fail,
        ),
        (
            "a bad pod is left",
            |e| e.pods[1].version = Some("1.5.0".into()),
            "builds",
            Fail,
        ),
        (
            "a pod runs nothing",
            |e| e.pods[1].version = None,
            "builds",
            Fail,
        ),
        (
            "a pod is not ready",
            |e| e.pods[1].ready = false,
            "builds",
            Fail,
        ),
        (
            "a service is gone",
            |e| {
                e.pods.pop();
            },
            "builds",
            Fail,
        ),
        (
            "a foreign pod",
            |e| e.pods[0].app = "cuckoo".into(),
            "builds",
            Fail,
        ),
        (
            "too short a hold",
            |e| e.end_ms = 200_000,
            "hold",
            Inconclusive,
        ),
        ("a relapse", |e| e.seconds[400].errors = 50, "hold", Fail),
        (
            "the flag is left",
            |e| e.maintenance.flag = Some("maintenance".into()),
            "maintenance",
            Fail,
        ),
        (
            "the flag is gone",
            |e| e.maintenance.flag = None,
            "maintenance",
            Fail,
        ),
        (
            "the fence is left",
            |e| e.maintenance.fence_token = Some(3),
            "maintenance",
            Fail,
        ),
        (
            "the schema differs",
            |e| {
                e.state_after.insert("schema/version".into(), "2".into());
            },
            "state",
            Fail,
        ),
        (
            "something is gone",
            |e| {
                e.state_after.remove("schema/version");
            },
            "state",
            Fail,
        ),
        (
            "something is new",
            |e| {
                e.state_after.insert("configmap/x/y".into(), "z".into());
            },
            "state",
            Fail,
        ),
        (
            "nothing was recorded",
            |e| e.state_before.clear(),
            "state",
            Inconclusive,
        ),
        (
            // The dump's own heading is not a line of the log.
            "an empty log",
            |e| {
                let log = "incident-1/logs/matching/matching-0.log".to_owned();
                e.files.insert(log, "==> matching-0\n".to_owned());
            },
            "files",
            Fail,
        ),
        (
            "no post-mortem",
            |e| e.files.retain(|file, _| !file.ends_with(".md")),
            "files",
            Fail,
        ),
        (
            "no scenario",
            |e| e.files.retain(|file, _| !file.ends_with(".toml")),
            "files",
            Fail,
        ),
        (
            "a scenario that does not load",
            |e| {
                let scenario = "incident-1/scenario.toml".to_owned();
                e.files.insert(scenario, "name = 3".to_owned());
            },
            "files",
            Fail,
        ),
    ];
    for (what, doctor, oracle, expected) in &cases {
        let mut evidence = good();
        doctor(&mut evidence);
        assert_eq!(verdict_of(oracle, &evidence), *expected, "{what}: {oracle}");
    }
    for oracle in ORACLES {
        assert!(
            cases.iter().any(|c| c.2 == oracle.name),
            "{} is never seen to bite",
            oracle.name
        );
    }
}

#[test]
fn a_fault_that_hit_nothing_makes_a_drill_inconclusive() {
    let seen = |began_ms, hits| FaultSeen {
        what: "api-slow".to_owned(),
        blocks: false,
        began_ms,
        ended_ms: began_ms,
        hits,
    };
    let mut e = good();
    e.faults = vec![seen(Some(151_000), 3)];
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Pass);
    e.faults.push(seen(Some(152_000), 0));
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Inconclusive);
    e.faults[1] = seen(None, 0);
    assert_eq!(verdict_of("fault-fired", &e), Verdict::Inconclusive);
}

/// A drill in which there is no way back, and a person was called in time, with trading halted.
fn escalated() -> Evidence {
    let mut e = good();
    e.expect.path = Path::Undo;
    e.expect.outcome = Expected::Escalated;
    e.executor.outcome = Outcome::Escalated("the image is gone".into());
    e.executor.ended_ms = Some(200_000);
    e.executor.recovered_ms = None;
    e.executor.path = Path::Undo;
    e.maintenance.flag = Some("maintenance".into());
    e.maintenance.fence_token = Some(1);
    for second in &mut e.seconds[155..] {
        *second = Second {
            maintenance: 200,
            ..Second::default()
        };
    }
    e
}

#[test]
fn where_there_is_no_way_back_a_person_is_called_in_time_and_trading_stays_halted() {
    for finding in ask_all(&escalated()) {
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
    }
    let cases: [Case; 6] = [
        (
            "too late",
            |e| e.executor.ended_ms = Some(460_000),
            "outcome",
            Verdict::Fail,
        ),
        (
            "no telling when",
            |e| e.executor.ended_ms = None,
            "outcome",
            Verdict::Inconclusive,
        ),
        (
            "recovery claimed",
            |e| e.executor.outcome = Outcome::Recovered,
            "outcome",
            Verdict::Fail,
        ),
        (
            "opened",
            |e| e.maintenance.flag = Some("open".into()),
            "maintenance",
            Verdict::Fail,
        ),
        (
            "flag gone",
            |e| e.maintenance.flag = None,
            "maintenance",
            Verdict::Fail,
        ),
        (
            "trade lost",
            |e| {
                e.trades.present.remove(3);
            },
            "trades",
            Verdict::Fail,
        ),
    ];
    for (name, doctor, oracle, verdict) in cases {
        let mut e = escalated();
        doctor(&mut e);
        assert_eq!(verdict_of(oracle, &e), verdict, "{name}");
    }
}

#[test]
fn a_single_late_error_is_within_the_bound_and_an_early_one_is_not() {
    let mut late = good();
    late.seconds[400].errors = 1;
    assert_eq!(recovered_ms(&late), Some(180_000));
    let mut early = good();
    early.seconds[190].errors = 1;
    assert_eq!(recovered_ms(&early), Some(191_000));
}

#[test]
fn refusals_for_maintenance_before_recovery_are_no_errors() {
    let mut e = good();
    for second in &mut e.seconds[155..185] {
        *second = Second {
            maintenance: 200,
            ..Second::default()
        };
    }
    e.executor.recovered_ms = Some(185_000);
    assert_eq!(recovered_ms(&e), Some(185_000));
    assert!(ask_all(&e).iter().all(|f| f.verdict == Verdict::Pass));
}

#[test]
fn a_good_release_passes_without_a_rollback() {
    let mut e = good();
    e.expect.trigger = None;
    e.expect.path = Path::None;
    e.seconds = vec![GOOD_SECOND; 900];
    e.executor.trigger = None;
    e.executor.outcome = Outcome::NothingToDo("the window closed".into());
    e.executor.recovered_ms = None;
    e.executor.path = Path::None;
    e.pods
        .iter_mut()
        .for_each(|p| p.version = Some("1.5.0".into()));
    for finding in ask_all(&e) {
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:?}");
    }
}

#[test]
fn empty_evidence_passes_nothing_that_matters() {
    let scenario = built_in("latency-regression", &[])
        .expect("built in")
        .expect("right");
    let findings = ask_all(&Evidence::empty(&scenario));
    let verdicts = crate::verdict::judge(&findings, crate::verdict::Survivability::Survivable);
    assert_ne!(verdicts.overall, Verdict::Pass);
    for name in [
        "steady-state",
        "fault-fired",
        "rto",
        "error-rate",
        "trades",
        "builds",
        "hold",
        "maintenance",
    ] {
        assert_ne!(
            verdict_of(name, &Evidence::empty(&scenario)),
            Verdict::Pass,
            "{name}"
        );
    }
}
