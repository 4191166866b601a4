//! Every crash point of the three scenarios, both sides: prints the ones that do not pass.
//!
//! `cargo run --release -p e2e --example all_crash_points [SCENARIO]`; minutes, so no test.

use std::time::Duration;

use e2e::drills::{SCENARIOS, edited, plan, run};
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;

fn main() {
    let only = std::env::args().nth(1);
    let (mut ran, mut bad) = (0_u64, 0_u64);
    for scenario in SCENARIOS
        .into_iter()
        .filter(|s| only.as_deref().is_none_or(|o| o == *s))
    {
        let requests = run(&plan(scenario, 5)).executor_requests;
        println!("{scenario}: {requests} requests");
        for side in [CrashSide::Before, CrashSide::After] {
            for request in 1..=requests {
                let crash = Crash {
                    request,
                    side,
                    resume_after: Duration::from_secs(1),
                };
                let result = run(&edited(plan(scenario, 5), |s| s.crash = Some(crash)));
                ran += 1;
                if result.verdicts.overall != Verdict::Pass {
                    bad += 1;
                    println!(
                        "{scenario} {} {request}: {:?}",
                        side.as_str(),
                        result
                            .troubles()
                            .iter()
                            .map(|f| format!("{}: {}", f.oracle, f.reason))
                            .collect::<Vec<_>>()
                    );
                }
            }
        }
    }
    println!("{ran} crash points, {bad} do not pass");
}
