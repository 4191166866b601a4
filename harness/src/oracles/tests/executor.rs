//! What the executor noticed, did and said.

use super::{Case, GOOD_SECOND, good, verdict_of};
use crate::evidence::{Evidence, Outcome, Second};
use crate::oracles::ask_all;
use crate::scenario::{Expected, Path};
use crate::verdict::Verdict;

/// Evidence that these oracles must see through.
pub(super) fn cases() -> Vec<Case> {
    use Verdict::Fail;
    vec![
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
    ]
}

/// A drill in which there is no way back, and a person was called in time, with trading halted.
pub(super) fn escalated() -> Evidence {
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
