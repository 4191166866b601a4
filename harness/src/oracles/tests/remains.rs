//! What is there at the end: books, builds, flags, state and files.

use super::{Case, ask, ask_all, fault, good};
use crate::evidence::{
    Acknowledgements, BookEntry, Evidence, ExecutorOutcome, InjectedFault, Ms, PodLog, Reading,
    WriteSeen, Wrote,
};
use crate::oracles::finding::OracleName;
use crate::scenario::FaultKind;
use crate::verdict::{Verdict, judge};

/// A fault of the gateway that hit `hits` times, at the instant of the trigger.
fn of_gateway(kind: FaultKind, hits: u64) -> InjectedFault {
    InjectedFault {
        target: Some("gateway".to_owned()),
        hits,
        ..fault(kind, 148_000, 148_000)
    }
}

/// The gateway is left paused, and somebody did something to it, `hits` times.
fn left_paused(e: &mut Evidence, kind: FaultKind, hits: u64) {
    e.faults.push(of_gateway(kind, hits));
    let path = "deployment/gateway/paused".to_owned();
    e.state_before.insert(path.clone(), "null".to_owned());
    e.state_after.insert(path, "true".to_owned());
}

/// The same, where what they did was to pause it.
fn paused(e: &mut Evidence, hits: u64) {
    left_paused(e, FaultKind::DeploymentPaused, hits);
}

/// Nothing is kept of the gateway's log, whose pod was killed and last seen at `seen_until_ms`.
fn gone(e: &mut Evidence, seen_until_ms: Ms) {
    e.faults.push(of_gateway(FaultKind::PodsKilled, 1));
    e.files.retain(|file, _| !file.contains("/logs/gateway/"));
    e.bad_logs = vec![PodLog {
        service: "gateway".to_owned(),
        pod: "gateway-0".to_owned(),
        uid: "gateway-0".to_owned(),
        seen_until_ms,
        lines: Vec::new(),
    }];
}

/// The executor first changed the application at `at_ms`.
fn changed(e: &mut Evidence, at_ms: Ms) {
    e.writes = Some(vec![WriteSeen {
        host: "executor-1".to_owned(),
        number: 1,
        sent_ms: at_ms,
        at_ms,
        what: Wrote::Object {
            request: "PATCH /apis/apps/v1/namespaces/dex-production/deployments/gateway".to_owned(),
            flag: None,
        },
    }]);
}

/// What could not be read is not there in the evidence, as if it were gone.
#[test]
fn what_could_not_be_read_is_missing_evidence_and_no_harm() {
    type Clear = fn(&mut Evidence);
    let nothing: [(Reading, Clear); 5] = [
        (Reading::Books, |e| {
            e.orders.present.clear();
            e.trades.present.clear();
        }),
        (Reading::Reckoning, |e| e.reckoning = None),
        (Reading::Pods, |e| e.pods.clear()),
        (Reading::Maintenance, |e| {
            e.maintenance.flag = None;
            e.maintenance.fence_token = None;
        }),
        (Reading::State, |e| e.state_after.clear()),
    ];
    assert_eq!(nothing.map(|(what, _)| what), Reading::ALL);
    for (what, clear) in nothing {
        let rest_on_it = OracleName::ALL
            .into_iter()
            .filter(|it| it.reads() == Some(what));
        let rest_on_it: Vec<OracleName> = rest_on_it.collect();
        assert!(!rest_on_it.is_empty(), "{what:?}");
        let mut e = good();
        clear(&mut e);
        e.unread.insert(what, "connection refused".to_owned());
        let findings = ask_all(&e);
        for found in &findings {
            let unread = rest_on_it.contains(&found.oracle());
            let (kind, verdict) = (found.kind(), found.verdict());
            let expected = if unread {
                Verdict::Inconclusive
            } else {
                Verdict::Pass
            };
            assert_eq!(verdict, expected, "{what:?}: {found}");
            assert_eq!(kind == "unread", unread, "{what:?}: {found}");
            assert_eq!(found.to_string().contains("refused"), unread, "{found}");
        }
        let overall = judge(&findings).overall;
        assert_eq!(overall, Verdict::Inconclusive, "{what:?}");
    }
}

#[test]
fn a_trade_that_both_sides_hold_is_one_trade() {
    let mut e = good();
    let held = e.trades.acknowledged.clone();
    e.trades.acknowledged.extend(held);
    let numbers = |e: &Evidence| ask(OracleName::Trades, e).numbers().0;
    assert_eq!(numbers(&e)["acknowledged"], 50);
    e.trades.present.remove(7);
    let counted = numbers(&e);
    assert_eq!((counted["acknowledged"], counted["lost"]), (50, 1));
    let found = ask(OracleName::Trades, &e).to_string();
    assert!(
        found.starts_with("of 50 acknowledged trades 1 are gone"),
        "{found}"
    );
}

/// Whoever takes over from a host that died, and finds everything done, is right only if everything is done.
#[test]
fn what_a_dead_host_left_is_not_known_if_it_could_not_be_read() {
    let left = |unread: Option<Reading>| {
        let mut e = good();
        e.crash_ms = Some(Some(160_000));
        e.executor.outcome = ExecutorOutcome::NothingToDo("it is as it should be".to_owned());
        if let Some(what) = unread {
            e.unread.insert(what, "timeout".to_owned());
        }
        ask(OracleName::Outcome, &e)
    };
    assert_eq!(left(None).kind(), "recovered-before");
    for what in [Reading::Pods, Reading::Maintenance] {
        let found = left(Some(what));
        assert_eq!(
            (found.kind(), found.verdict()),
            ("not-read", Verdict::Inconclusive)
        );
    }
    assert_eq!(left(Some(Reading::State)).kind(), "recovered-before");
}

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Inconclusive};
    vec![
        (
            "a trade is gone",
            |e| {
                e.trades.present.remove(7);
            },
            OracleName::Trades,
            Fail,
        ),
        (
            "a trade has changed",
            |e| e.trades.present[7].content = 0,
            OracleName::Trades,
            Fail,
        ),
        (
            "a trade is there twice",
            |e| {
                let t = e.trades.present[7];
                e.trades.present.push(t);
            },
            OracleName::Trades,
            Fail,
        ),
        (
            "an id was given twice",
            |e| e.trades.acknowledged.push(BookEntry { id: 5, content: 1 }),
            OracleName::Trades,
            Fail,
        ),
        (
            "no trades",
            |e| e.trades = Acknowledgements::default(),
            OracleName::Trades,
            Inconclusive,
        ),
        (
            "an order is gone",
            |e| {
                e.orders.present.remove(0);
            },
            OracleName::Orders,
            Fail,
        ),
        (
            "the schema differs",
            |e| {
                e.state_after.insert("schema/version".into(), "2".into());
            },
            OracleName::State,
            Fail,
        ),
        (
            "something is gone",
            |e| {
                e.state_after.remove("schema/version");
            },
            OracleName::State,
            Fail,
        ),
        (
            "something is new",
            |e| {
                e.state_after.insert("configmap/x/y".into(), "z".into());
            },
            OracleName::State,
            Fail,
        ),
        (
            "nothing was recorded",
            |e| e.state_before.clear(),
            OracleName::State,
            Inconclusive,
        ),
        (
            // The dump's own heading is not a line of the log.
            "an empty log",
            |e| {
                let log = "incident-1/logs/matching/matching-0.log".to_owned();
                e.files.insert(log, "==> matching-0\n".to_owned());
            },
            OracleName::Files,
            Fail,
        ),
        (
            "a person is paged, and finds no post-mortem",
            |e| {
                e.executor.outcome = ExecutorOutcome::Escalated("no plan can be made".to_owned());
                e.files.retain(|file, _| !file.ends_with(".md"));
            },
            OracleName::Files,
            Fail,
        ),
        (
            "somebody pauses a Deployment, and it stays paused",
            |e| paused(e, 1),
            OracleName::State,
            Verdict::Pass,
        ),
        (
            "a Deployment is paused, and nobody is known to have done it",
            |e| paused(e, 0),
            OracleName::State,
            Fail,
        ),
        (
            "a Deployment is paused, and somebody did something else to it",
            |e| left_paused(e, FaultKind::ReplicasScaled, 1),
            OracleName::State,
            Fail,
        ),
        (
            "a fault took the pods before their log could be saved",
            |e| gone(e, 149_000),
            OracleName::Files,
            Verdict::Pass,
        ),
        (
            "a fault took the pods in the moment before the first change",
            |e| {
                gone(e, 148_000);
                changed(e, 148_100);
            },
            OracleName::Files,
            Verdict::Pass,
        ),
        (
            "a pod was seen once more after all were killed",
            |e| {
                gone(e, 148_050);
                changed(e, 148_100);
            },
            OracleName::Files,
            Fail,
        ),
        (
            "the pods were there until the executor changed something",
            |e| gone(e, Ms::MAX / 2),
            OracleName::Files,
            Fail,
        ),
        (
            "no post-mortem",
            |e| e.files.retain(|file, _| !file.ends_with(".md")),
            OracleName::Files,
            Fail,
        ),
        (
            "no scenario",
            |e| e.files.retain(|file, _| !file.ends_with(".toml")),
            OracleName::Files,
            Fail,
        ),
        (
            "a scenario that does not load",
            |e| {
                let scenario = "incident-1/scenario.toml".to_owned();
                e.files.insert(scenario, "name = 3".to_owned());
            },
            OracleName::Files,
            Fail,
        ),
    ]
}
