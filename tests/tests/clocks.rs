//! Clocks that are wrong: the hosts that run the executor disagree with the servers, and with each other. The executor
//! goes by the API server's time, which its answers tell.

use std::sync::Arc;
use std::time::Duration;

use e2e::drills::{assert_passes, edited, plan, run};
use executor::ports::Ports;
use firedrill::drill::timeline::TimelineEntry;
use firedrill::drill::{DrillResult, run_decorated};
use firedrill::scenario::{Anchor, Fault, FaultKind};
use firedrill::verdict::Verdict;
use firedrill::worlds::DrillPlan;
use jiff::SignedDuration;
use mutants::ports::{Settable, undated};
use sim_exchange::World;

/// The clock of `target` is off by so many seconds from the beginning on.
fn skewed(target: &str, by_s: i64) -> Fault {
    Fault {
        kind: FaultKind::ClockSkewed,
        when: Anchor::Start,
        at: Duration::ZERO,
        jitter: Duration::ZERO,
        lasts: None,
        target: Some(target.to_owned()),
        delay: None,
        chance: None,
        by: Some(SignedDuration::from_secs(by_s)),
    }
}

/// The host dies at `step`, and another one resumes.
fn killed_at(step: &str) -> Fault {
    Fault {
        kind: FaultKind::ExecutorKilled,
        when: Anchor::Step(step.to_owned()),
        at: Duration::from_secs(1),
        delay: Some(Duration::from_secs(5)),
        target: None,
        by: None,
        ..skewed("first-host", 0)
    }
}

fn with(scenario: &str, seed: u64, faults: Vec<Fault>) -> DrillPlan {
    edited(plan(scenario, seed), |it| it.faults = faults)
}

/// The same drill with an executor each of whose hosts goes by its own clock.
fn by_its_own_clock(plan: &DrillPlan) -> DrillResult {
    let bent = |_: &World, ports: Ports| undated(ports);
    run_decorated(plan, &bent).expect("the world builds")
}

#[test]
fn a_host_whose_clock_is_off_recovers_as_one_whose_clock_is_right() {
    for scenario in [
        "latency-regression",
        "balance-anomaly",
        "breaking-migration",
    ] {
        for by_s in [-30, 30] {
            let result = run(&with(scenario, 1, vec![skewed("first-host", by_s)]));
            assert_passes(&result);
            let notes = result.timeline.iter().filter(|entry| entry.step == "note");
            let told = notes.filter(|entry| entry.what.contains("The clock of this host is"));
            assert!(told.count() > 0, "{scenario} {by_s}: nobody was told");
        }
    }
}

#[test]
fn a_host_takes_over_whatever_its_clock_and_that_of_the_one_before_say() {
    for by_s in [-30, 30] {
        let faults = vec![
            skewed("first-host", by_s),
            skewed("next-hosts", -by_s),
            killed_at("rollout-status"),
        ];
        assert_passes(&run(&with("latency-regression", 2, faults)));
    }
}

#[test]
fn who_goes_by_a_clock_of_its_own_does_not_come_through() {
    for scenario in ["clock-ahead", "clocks-disagree"] {
        let result = by_its_own_clock(&plan(scenario, 1));
        assert_eq!(result.verdicts.overall, Verdict::Fail, "{scenario}");
    }
}

#[test]
fn a_clock_that_is_set_in_the_middle_of_a_rollback_ends_nothing() {
    for step in [
        "fence-ledger",
        "undo-schema",
        "rollout-status",
        "error-rate",
    ] {
        for by_s in [-400, -20, 20, 400] {
            let set = Fault {
                when: Anchor::Step(step.to_owned()),
                ..skewed("first-host", by_s)
            };
            let result = run(&with("breaking-migration", 1, vec![set]));
            assert_passes(&result);
            let told = |entry: &&TimelineEntry| entry.what.contains("ran out");
            assert_eq!(result.timeline.iter().find(told), None, "{step} {by_s}");
        }
    }
}

#[test]
fn who_takes_the_time_of_day_for_a_timer_loses_its_lease_when_the_clock_is_set() {
    let bent = |_: &World, ports: Ports| Ports {
        clock: Arc::new(Settable(Arc::clone(&ports.clock))),
        ..ports
    };
    let result =
        run_decorated(&plan("clock-set-while-fencing", 1), &bent).expect("the world builds");
    assert_eq!(result.verdicts.overall, Verdict::Fail);
}

#[test]
fn whoever_takes_over_asks_for_the_time_before_it_limits_itself() {
    for by_s in [-600, -290, 290, 600] {
        let faults = vec![skewed("next-hosts", by_s), killed_at("rollout-status")];
        assert_passes(&run(&with("latency-regression", 2, faults)));
    }
}
