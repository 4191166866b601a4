//! Each oracle passes good evidence and fails, or withholds judgement on, evidence that was doctored.
//!
//! - `injection`: may the drill be judged?
//! - `executor`: what the executor noticed, did and said.
//! - `recovery`: when the exchange recovered.
//! - `remains`: what is there at the end.
//! - `ledger`: what the order log gives, and who wrote.
//! - `halfway`: what is there where a restore was given up.

mod executor;
mod halfway;
mod injection;
mod ledger;
mod recovery;
mod remains;

use std::collections::BTreeMap;

use super::{ask, ask_all};
use crate::evidence::{
    Acknowledgements, BookEntry, Evidence, ExecutorOutcome, InjectedFault, MaintenanceSeen, Ms,
    PodSeen, Probe, Second, TriggerSaid,
};
use crate::oracles::finding::{Bearing, Finding, OracleName, voids};
use crate::scenario::{FaultKind, Path, Scenario, built_in};
use crate::verdict::Verdict;

const GOOD_SECOND: Second = Second {
    answered: 200,
    maintenance: 0,
    errors: 0,
    slow: 0,
};

/// A fault of that kind which hit something, from `began_ms` to `ended_ms`.
fn fault(kind: FaultKind, began_ms: Ms, ended_ms: Ms) -> InjectedFault {
    InjectedFault {
        what: kind.as_str().to_owned(),
        kind,
        target: None,
        certain: true,
        delay_ms: 0,
        away_ms: 0,
        began_ms: Some(began_ms),
        ended_ms: Some(ended_ms),
        hits: 1,
    }
}

/// A drill that went well: deployed at 90 s, slow from 100 s, triggered at 150.4 s, recovered at 180 s.
pub(super) fn good() -> Evidence {
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
    let books = Acknowledgements {
        acknowledged: (1..=50)
            .map(|id| BookEntry {
                id,
                content: id * 7,
            })
            .collect(),
        present: (1..=60)
            .map(|id| BookEntry {
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
    e.executor.outcome = ExecutorOutcome::Recovered;
    e.executor.recovered_ms = Some(179_000);
    e.executor.path = Path::Application;
    ledger::fill(&mut e);
    e
}

fn verdict_of(oracle: OracleName, evidence: &Evidence) -> Verdict {
    ask(oracle, evidence).verdict()
}

#[test]
fn good_evidence_passes_every_oracle() {
    let mut good = good();
    // So that what is asked of programs only is asked, too.
    good.executor.is_program = true;
    let findings = ask_all(&good);
    for finding in &findings {
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
    let names: Vec<OracleName> = findings.iter().map(Finding::oracle).collect();
    // It is asked of an application of somebody's own, and this is the exchange's.
    let mut all = OracleName::ALL.to_vec();
    all.retain(|oracle| *oracle != OracleName::AcknowledgedWrites);
    assert_eq!(names, all);
}

/// Name, how the evidence is doctored, the oracle that must see it, and its verdict.
pub(super) type Case = (&'static str, fn(&mut Evidence), OracleName, Verdict);

#[test]
fn doctored_evidence_is_seen_through() {
    let cases = [
        injection::cases(),
        executor::cases(),
        recovery::cases(),
        remains::cases(),
        ledger::cases(),
        super::doctored(),
    ]
    .concat();
    for (what, doctor, oracle, expected) in &cases {
        let mut evidence = good();
        doctor(&mut evidence);
        assert_eq!(
            verdict_of(*oracle, &evidence),
            *expected,
            "{what}: {oracle}"
        );
        for found in ask_all(&evidence) {
            let is_void = found.bearing() == Bearing::Void;
            assert_eq!(
                voids(found.oracle(), found.kind()),
                is_void,
                "{what}: {found}"
            );
        }
    }
    for oracle in OracleName::ALL {
        assert!(
            cases.iter().any(|c| c.2 == oracle),
            "{oracle} is never seen to bite"
        );
    }
}

#[test]
fn empty_evidence_passes_nothing_that_matters() {
    let scenario = built_in("latency-regression", &[])
        .expect("built in")
        .expect("right");
    let findings = ask_all(&Evidence::empty(&scenario));
    let verdicts = crate::verdict::judge(&findings);
    assert_ne!(verdicts.overall, Verdict::Pass);
    for name in [
        OracleName::SteadyState,
        OracleName::FaultFired,
        OracleName::Rto,
        OracleName::ErrorRate,
        OracleName::Trades,
        OracleName::Builds,
        OracleName::Hold,
        OracleName::Maintenance,
    ] {
        assert_ne!(
            verdict_of(name, &Evidence::empty(&scenario)),
            Verdict::Pass,
            "{name}"
        );
    }
}
