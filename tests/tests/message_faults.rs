//! Messages of the executor that are refused, lost or late, on each way through the runbook:
//! what they cost is the reserve's.
//!
//! The seeds are those with which a campaign found a runbook whose budgets left no reserve.

use e2e::drills::{assert_passes, edited, plan, run};
use firedrill::worlds::DrillPlan;

/// The release, trigger and path of the built-in scenario `of` under the faults of the built-in scenario `under`.
fn crossed(of: &str, under: &str, seed: u64) -> DrillPlan {
    let faults = plan(under, seed).scenario.faults.clone();
    edited(plan(of, seed), |scenario| scenario.faults = faults)
}

#[test]
fn a_write_whose_answer_is_lost_time_and_again_is_paid_from_the_reserve() {
    for seed in [46, 74, 176] {
        assert_passes(&run(&crossed("breaking-migration", "api-cut", seed)));
    }
}

#[test]
fn each_path_is_done_under_each_kind_of_broken_message() {
    let kinds = ["api-cut", "api-duplicated", "api-failing", "api-slow"];
    let releases = [
        "latency-regression",
        "balance-anomaly",
        "breaking-migration",
        "breaking-migration-snapshot",
    ];
    for kind in kinds {
        for release in releases {
            let result = run(&crossed(release, kind, 1));
            assert_passes(&result);
        }
    }
}
