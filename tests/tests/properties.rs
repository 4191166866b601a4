//! Whatever the load, the size of the venue, the timings and the moment at which the executor dies: RTO, error
//! rate and the ledger's invariants hold.

use std::time::Duration;

use e2e::drills::{SCENARIOS, edited, plan, run};
use firedrill::scenario::{Crash, CrashSide, Load};
use firedrill::verdict::Verdict;
use proptest::prelude::*;

fn load() -> impl Strategy<Value = Load> {
    // From 200/s on, 30,000 requests fit into the RTO; see the runbook's window.
    (200_u32..=320, 300_u32..=3_000, 1_u32..=8).prop_map(|(rate_per_s, accounts, markets)| Load {
        rate_per_s,
        accounts,
        markets,
        bursts: None,
    })
}

fn crash() -> impl Strategy<Value = Option<Crash>> {
    let side = prop_oneof![Just(CrashSide::Before), Just(CrashSide::After)];
    proptest::option::of(
        (1_u64..=60, side, 1_u64..=10).prop_map(|(request, side, pause)| Crash {
            request,
            side,
            resume_after: Duration::from_secs(pause),
        }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_drawn_drill_passes(
        seed in any::<u64>(),
        scenario in 0..SCENARIOS.len(),
        load in load(),
        deploy_after in 20_u64..=60,
        crash in crash(),
    ) {
        let drawn = edited(plan(SCENARIOS[scenario], seed), |s| {
            s.load = load;
            s.timing.deploy_at = s.timing.warm_up + Duration::from_secs(deploy_after);
            s.crash = crash;
        });
        let result = run(&drawn);
        prop_assert!(
            result.verdicts.overall == Verdict::Pass,
            "{:#?}\n{}", result.problems(), result.replay
        );
        prop_assert!(result.rto_ms.is_some_and(|rto| rto < 300_000));
        prop_assert!(result.error_rate_ppm.is_some_and(|ppm| ppm < 100));
        prop_assert_eq!(result.trades_lost(), 0);
    }
}
