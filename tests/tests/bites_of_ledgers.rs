//! Proof that the ledger at the end is held against the order log: what no sum shows, and no client could know,
//! is seen.

use e2e::drills::{assert_fails_by, edited, failed, plan, run};
use firedrill::scenario::Path;

/// The release is noticed by its gateway's latency. Its engine credits wrong accounts meanwhile; every sum is right, so
/// that the plan, and every other oracle, leave the ledger alone.
#[test]
fn a_conserved_mis_settlement_that_is_left_in_the_ledger_is_seen_by_nothing_else() {
    for seed in 0..3 {
        let misdirected = edited(plan("latency-regression", seed), |scenario| {
            scenario.release.to = "1.6.2-misdirected".to_owned();
        });
        let result = run(&misdirected);
        assert_fails_by(&result, "ledger");
        // The release is in no catalogue, so that the executor's scenario of the incident can't name it.
        let mut others = failed(&result);
        others.retain(|oracle| !matches!(*oracle, "ledger" | "files"));
        assert!(others.is_empty(), "{:#?}", result.problems());
    }
}

/// An engine with other priorities accepts what the prior release's refuses: cancellations of orders that are filled by
/// then. Whoever goes back to that engine and replays the log loses acknowledged entries,
/// though each of them is in the log.
#[test]
fn a_replay_that_refuses_acknowledged_entries_is_seen() {
    let inverted = edited(plan("balance-anomaly", 1), |scenario| {
        scenario.release.to = "1.5.2-priority-inversion".to_owned();
        scenario.expect.trigger = Some("p0-matching-irregularity".to_owned());
        scenario.expect.path = Path::Application;
    });
    let result = run(&inverted);
    assert_fails_by(&result, "ledger");
}
