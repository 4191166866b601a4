//! What the executor noticed, did and said.

use executor::Standing;
use sim_services::describe::Bundle;

use super::{Case, GOOD_SECOND, fault, good, verdict_of};
use crate::evidence::{Evidence, ExecutorOutcome, Ms, Second};
use crate::oracles::ask_all;
use crate::oracles::finding::OracleName;
use crate::scenario::{Expected, FaultKind, Path};
use crate::verdict::Verdict;

/// A person is called, and told so of the fence and the halt; in truth the fence is as `token` says.
fn stands(e: &mut Evidence, fenced: Option<bool>, halted: Option<bool>, token: Option<u64>) {
    e.executor.outcome = ExecutorOutcome::Escalated("why".to_owned());
    e.executor.standing = Some(Standing { fenced, halted });
    e.maintenance.fence_token = token;
}

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::{Fail, Pass};
    vec![
        (
            "no trigger",
            |e| e.executor.trigger = None,
            OracleName::Trigger,
            Fail,
        ),
        (
            "another trigger",
            |e| e.expect.trigger = Some("p0-x".into()),
            OracleName::Trigger,
            Fail,
        ),
        (
            "a false alarm",
            |e| e.expect.trigger = None,
            OracleName::Trigger,
            Fail,
        ),
        (
            "fired before the deployment",
            |e| e.deployed_ms = Some(200_000),
            OracleName::Trigger,
            Fail,
        ),
        (
            "escalated",
            |e| e.executor.outcome = ExecutorOutcome::Escalated("why".into()),
            OracleName::Outcome,
            Fail,
        ),
        (
            "failed",
            |e| e.executor.outcome = ExecutorOutcome::Failed("why".into()),
            OracleName::Outcome,
            Fail,
        ),
        (
            "still running",
            |e| e.executor.outcome = ExecutorOutcome::StillRunning,
            OracleName::Outcome,
            Fail,
        ),
        (
            "did nothing",
            |e| e.executor.outcome = ExecutorOutcome::NothingToDo("why".into()),
            OracleName::Outcome,
            Fail,
        ),
        (
            "another path",
            |e| e.executor.path = Path::Restore,
            OracleName::Outcome,
            Fail,
        ),
        (
            "claimed too early",
            |e| e.executor.recovered_ms = Some(160_000),
            OracleName::Claim,
            Fail,
        ),
        (
            "claimed minutes late",
            |e| e.executor.recovered_ms = Some(240_000),
            OracleName::Claim,
            Fail,
        ),
        (
            "a person is told that nothing is fenced, and the ledger is",
            |e| stands(e, Some(false), None, Some(3)),
            OracleName::Claim,
            Fail,
        ),
        (
            "a person is told that trading is not halted, and it is",
            |e| {
                stands(e, None, Some(false), None);
                e.maintenance.flag = Some("maintenance".to_owned());
            },
            OracleName::Claim,
            Fail,
        ),
        (
            "a person is told that trading is halted, and it is open",
            |e| stands(e, Some(false), Some(true), None),
            OracleName::Claim,
            Fail,
        ),
        (
            "a person is told that nobody knows whether the ledger is fenced",
            |e| stands(e, None, None, Some(3)),
            OracleName::Claim,
            Pass,
        ),
        (
            "a person is told how the exchange is",
            |e| stands(e, Some(true), Some(true), Some(3)),
            OracleName::Claim,
            Pass,
        ),
        (
            "claimed without a time",
            |e| e.executor.recovered_ms = None,
            OracleName::Claim,
            Fail,
        ),
        (
            "claimed and never recovered",
            |e| {
                e.seconds[180..].iter_mut().for_each(|s| s.maintenance = 1);
            },
            OracleName::Claim,
            Fail,
        ),
    ]
}

/// A drill in which there is no way back, and a person was paged in time, with trading halted.
pub(super) fn escalated() -> Evidence {
    let mut e = good();
    e.expect.path = Path::Undo;
    e.expect.outcome = Expected::Escalated;
    e.executor.outcome = ExecutorOutcome::Escalated("the image is gone".into());
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
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
    let cases: [Case; 6] = [
        (
            "too late",
            |e| e.executor.ended_ms = Some(460_000),
            OracleName::Outcome,
            Verdict::Fail,
        ),
        (
            "no telling when",
            |e| e.executor.ended_ms = None,
            OracleName::Outcome,
            Verdict::Inconclusive,
        ),
        (
            "recovery claimed",
            |e| e.executor.outcome = ExecutorOutcome::Recovered,
            OracleName::Outcome,
            Verdict::Fail,
        ),
        (
            "opened",
            |e| e.maintenance.flag = Some("open".into()),
            OracleName::Maintenance,
            Verdict::Fail,
        ),
        (
            "flag gone",
            |e| e.maintenance.flag = None,
            OracleName::Maintenance,
            Verdict::Fail,
        ),
        (
            "trade lost",
            |e| {
                e.trades.present.remove(3);
            },
            OracleName::Trades,
            Verdict::Fail,
        ),
    ];
    for (name, doctor, oracle, verdict) in cases {
        let mut e = escalated();
        doctor(&mut e);
        assert_eq!(verdict_of(oracle, &e), verdict, "{name}");
    }
}

/// A rollout is over once its last pod has been ready for `minReadySeconds`; its clients are well before that.
#[test]
fn a_claim_may_be_as_late_as_the_manifests_make_the_rollout() {
    let mut e = good();
    let mut bundle = sim_services::describe::sample(1, 3, 200);
    let manifest = &mut bundle.manifests[0].text;
    *manifest = manifest.replace(
        "spec:\n  replicas:",
        "spec:\n  minReadySeconds: 40\n  replicas:",
    );
    let mut claims = |bundle: &Bundle, after_ms: Ms| {
        let app = bundle.clone().app().expect("the description is right");
        e.application = app.into();
        e.executor.recovered_ms = Some(180_000 + after_ms);
        verdict_of(OracleName::Claim, &e)
    };
    assert_eq!(claims(&bundle, 69_000), Verdict::Pass);
    assert_eq!(claims(&bundle, 71_000), Verdict::Fail);
    // The pods of a StatefulSet go back one after the other.
    let manifest = &mut bundle.manifests[0].text;
    *manifest = manifest.replace("kind: Deployment", "kind: StatefulSet");
    *manifest = manifest.replace("  minReadySeconds", "  serviceName: s0\n  minReadySeconds");
    assert_eq!(claims(&bundle, 149_000), Verdict::Pass);
    assert_eq!(claims(&bundle, 151_000), Verdict::Fail);
}

#[test]
fn a_claim_may_be_as_late_as_the_host_was_away() {
    let mut e = good();
    e.executor.recovered_ms = Some(240_000);
    e.crash_ms = Some(Some(170_000));
    e.resume_after_ms = 60_000;
    assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Pass);
    e.resume_after_ms = 5_000;
    assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Fail);
}

#[test]
fn a_claim_far_in_the_future_is_told_as_a_wrong_instant() {
    let mut e = good();
    let claim = |e: &Evidence| {
        let findings = ask_all(e);
        let claim = findings.iter().find(|it| it.oracle() == OracleName::Claim);
        claim.expect("it is asked").to_string()
    };
    e.executor.recovered_ms = Some(241_000);
    assert!(
        claim(&e).contains("after the clients saw it"),
        "{}",
        claim(&e)
    );
    e.executor.recovered_ms = Some(80 * 365 * 86_400_000);
    assert_eq!(verdict_of(OracleName::Claim, &e), Verdict::Fail);
    assert!(
        claim(&e).contains("the instant of the claim is wrong"),
        "{}",
        claim(&e)
    );
}

#[test]
fn two_faults_at_the_same_time_excuse_a_late_claim_once() {
    let claimed = |at_ms| {
        let mut e = good();
        let slow = fault(FaultKind::ApiSlow, 185_000, 215_000);
        e.faults = vec![slow.clone(), slow];
        e.executor.recovered_ms = Some(at_ms);
        verdict_of(OracleName::Claim, &e)
    };
    assert_eq!(claimed(240_000), Verdict::Pass);
    assert_eq!(claimed(241_000), Verdict::Fail);
}

#[test]
fn who_is_refused_where_everything_had_recovered_has_not_failed() {
    let refused = || {
        let mut e = good();
        e.crash_ms = Some(Some(300_000));
        e.executor.outcome = ExecutorOutcome::Refused("another executor holds the lease".into());
        e.executor.recovered_ms = None;
        e.executor.path = Path::None;
        e
    };
    assert_eq!(verdict_of(OracleName::Outcome, &refused()), Verdict::Pass);
    let cases: [fn(&mut Evidence); 4] = [
        |e| e.crash_ms = None,
        |e| e.pods[0].version = Some("1.5.0".into()),
        |e| e.maintenance.flag = Some("maintenance".into()),
        |e| e.seconds[180..].iter_mut().for_each(|s| s.errors = 9),
    ];
    for (index, doctor) in cases.iter().enumerate() {
        let mut e = refused();
        doctor(&mut e);
        assert_eq!(
            verdict_of(OracleName::Outcome, &e),
            Verdict::Fail,
            "{index}"
        );
    }
}

#[test]
fn who_refuses_to_prepare_has_shown_nothing() {
    let mut e = good();
    e.deployed_ms = None;
    e.executor.trigger = None;
    e.executor.outcome = ExecutorOutcome::Refused("prepare: the books don't balance".into());
    let verdicts = crate::verdict::judge(&ask_all(&e));
    assert_eq!(verdicts.overall, Verdict::Inconclusive);
}

#[test]
fn a_good_release_passes_without_a_rollback() {
    let mut e = good();
    e.expect.trigger = None;
    e.expect.path = Path::None;
    e.seconds = vec![GOOD_SECOND; 900];
    e.executor.trigger = None;
    e.executor.outcome = ExecutorOutcome::NothingToDo("the window closed".into());
    e.executor.recovered_ms = None;
    e.executor.path = Path::None;
    e.pods
        .iter_mut()
        .for_each(|p| p.version = Some("1.5.0".into()));
    for finding in ask_all(&e) {
        assert_eq!(finding.verdict(), Verdict::Pass, "{finding:?}");
    }
}
