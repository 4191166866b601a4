//! What is drawn, over many numbers.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::*;
use crate::scenario::fault::{FAULTS, Need};
use crate::scenario::{Anchor, CrashSide, Fault, Strategy, Timing};
use crate::search::coverage::Met;
use crate::search::heal::heals;
use crate::search::marks::Mark;
use crate::search::reach::SHORT;

/// One for all tests, as it performs a drill of each release in which the executor is to die late.
static SPACE: LazyLock<Space> =
    LazyLock::new(|| Space::new(&LoadedRunbook::built_in().expect("valid")));

fn space() -> &'static Space {
    &SPACE
}

fn drawn(count: u64) -> Vec<Drawn> {
    let coverage = Coverage::default();
    let numbers = 0..count;
    let drawn = numbers.map(|number| space().draw(3, number, &coverage));
    drawn.collect::<Result<_, _>>().expect("there are releases")
}

#[test]
fn every_part_of_a_drill_is_drawn() {
    let drawn = drawn(1_500);
    let any = |what: &str, has: &dyn Fn(&Drawn) -> bool| {
        assert!(drawn.iter().any(has), "{what}");
    };
    let load = |of: &Drawn| of.plan.scenario.load;
    let faults = |of: &Drawn, has: &dyn Fn(&Fault) -> bool| {
        let mut faults = of.plan.scenario.faults.iter();
        faults.any(has)
    };
    any("a quiet exchange", &|it| load(it).rate_per_s < 30);
    any("a busy one", &|it| load(it).rate_per_s > 1_500);
    any("bursts", &|it| {
        let bursts = load(it).bursts;
        bursts.is_some_and(|bursts| bursts.rate_per_s > load(it).rate_per_s)
    });
    any("quiet times", &|it| {
        let bursts = load(it).bursts;
        bursts.is_some_and(|bursts| bursts.rate_per_s < load(it).rate_per_s)
    });
    any("a large ledger", &|it| {
        it.plan.scenario.ledger.more_mb > 1_000
    });
    any("pods that are replaced all at once", &|it| {
        let mut deployments = it.plan.scenario.deployments.iter();
        deployments.any(|it| it.strategy == Some(Strategy::Recreate))
    });
    any("many gateways", &|it| {
        let mut deployments = it.plan.scenario.deployments.iter();
        deployments.any(|it| it.service == "gateway" && it.replicas > Some(6))
    });
    any("another interval of scrapes", &|it| {
        it.plan.scenario.timing.scrape_interval != Timing::SCRAPE_INTERVAL
    });
    any("a late deployment", &|it| {
        it.plan.scenario.timing.deploy_at > Duration::from_secs(250)
    });
    any("a whole drill", &|it| it.plan.until == Until::Duration);
    any("an instant between two steps", &|it| {
        faults(it, &|fault| matches!(fault.when, Anchor::After(_)))
    });
    any("a fault without end", &|it| {
        faults(it, &|fault| {
            fault.kind.spec().lasts == Need::May && fault.lasts.is_none()
        })
    });
    any("a second host", &|it| {
        faults(it, &|fault| fault.kind == FaultKind::SecondExecutor)
    });
    any("a stall", &|it| {
        faults(it, &|fault| fault.kind == FaultKind::ExecutorPaused)
    });
    any("the clock of a host that takes over", &|it| {
        faults(it, &|fault| fault.target.as_deref() == Some("next-hosts"))
    });
    for side in [CrashSide::Before, CrashSide::After] {
        let late = |it: &Drawn| {
            let crash = it.plan.scenario.crash;
            crash.is_some_and(|crash| crash.side == side && crash.request > 70)
        };
        any("a late death", &late);
    }
    any("faults that all heal", &|it| {
        let faults = &it.plan.scenario.faults;
        it.half == Half::Hostile
            && faults.len() > 2
            && faults.iter().all(|fault| heals(fault.kind.spec()))
    });
}

/// Such a clock is read by nobody in a drill with one host, so the drill would say nothing.
#[test]
fn the_clock_of_a_host_that_takes_over_is_drawn_only_where_one_does() {
    let mut clocks = 0;
    for drawn in drawn(3_000) {
        let scenario = &drawn.plan.scenario;
        let is_next = |it: &&Fault| it.target.as_deref() == Some("next-hosts");
        let Some(clock) = scenario.faults.iter().find(is_next) else {
            continue;
        };
        clocks += 1;
        assert_eq!(clock.when, Anchor::Trigger);
        let takes_over = |it: &Fault| {
            [
                FaultKind::ExecutorKilled,
                FaultKind::ExecutorPaused,
                FaultKind::SecondExecutor,
            ]
            .contains(&it.kind)
        };
        assert!(
            scenario.crash.is_some() || scenario.faults.iter().any(takes_over),
            "{}",
            scenario.text
        );
    }
    assert!(clocks > 3, "{clocks}");
}

#[test]
fn a_survivable_drill_leaves_the_time_for_its_proof() {
    let survivable = drawn(600);
    let survivable = survivable.iter().filter(|it| it.half == Half::Survivable);
    let mut tried = 0;
    for drawn in survivable {
        let scenario = &drawn.plan.scenario;
        let plan = planned(scenario, &drawn.plan.runbook.runbook);
        let plan = plan.expect("a trigger fires").expect("there is a plan");
        let way = Way::of(&plan, drawn.plan.runbook.runbook.rto);
        assert!(way.fits(&scenario.load), "{}", scenario.text);
        let all_at_once =
            |it: &crate::scenario::Deployment| it.strategy == Some(Strategy::Recreate);
        assert!(!scenario.deployments.iter().any(all_at_once));
        tried += 1;
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn a_release_that_fails_in_one_pod_keeps_the_gateways_of_its_scenario() {
    let (mut one_pod, mut others) = (0, 0);
    for scenario in drawn(600).iter().map(|it| &it.plan.scenario) {
        let mut deployments = scenario.deployments.iter();
        let drawn = deployments.any(|it| it.service == "gateway");
        if fails_in_one_pod(&scenario.release.to) {
            assert!(!drawn, "{}", scenario.text);
            one_pod += 1;
        } else {
            others += u32::from(drawn);
        }
    }
    assert!(one_pod > 3 && others > 50, "{one_pod} {others}");
}

#[test]
fn a_survivable_drill_shows_its_harm_as_soon_as_its_release_s_own() {
    let mut slow = 0;
    let survivable = drawn(600);
    let survivable = survivable.iter().filter(|it| it.half == Half::Survivable);
    for scenario in survivable.map(|it| &it.plan.scenario) {
        let gateway = scenario.deployments.iter();
        let gateways = gateway.filter(|it| it.service == "gateway");
        let gateways = gateways.filter_map(|it| it.replicas).next().unwrap_or(3);
        if scenario.release.to == "1.5.0-slow-path" {
            // 200 a second over three pods, in its own scenario.
            assert!(
                scenario.load.rate_per_s / gateways >= 66,
                "{}",
                scenario.text
            );
            assert!(scenario.load.accounts >= scenario.load.rate_per_s / 50);
            slow += 1;
        }
    }
    assert!(slow > 10, "{slow}");
}

#[test]
fn a_part_that_draws_more_leaves_the_others_as_they_were() {
    let mut seen = Coverage::default();
    let space = space();
    for number in 0..40 {
        let before = space.draw(9, number, &seen).expect("drawn");
        for fault in &before.plan.scenario.faults {
            let met = Met::Began {
                kind: fault.kind.as_str(),
                target: fault.target.clone(),
                at: fault.when.to_text(),
            };
            seen.add(met, 1_000);
        }
        let after = space.draw(9, number, &seen).expect("drawn");
        let rest = |of: &Drawn| {
            let scenario = &of.plan.scenario;
            (
                scenario.load,
                scenario.ledger,
                scenario.deployments.clone(),
                scenario.timing.deploy_at,
                scenario.release.clone(),
                of.plan.seed,
                of.half,
            )
        };
        assert_eq!(rest(&before), rest(&after));
    }
}

#[test]
fn a_drill_about_a_kind_has_one_fault_of_it() {
    for spec in FAULTS {
        for number in 0..3 {
            let drawn = space().draw_about(spec.kind, 5, number).expect("drawn");
            let scenario = &drawn.plan.scenario;
            let kinds: Vec<FaultKind> = scenario.faults.iter().map(|it| it.kind).collect();
            assert_eq!(kinds, [spec.kind]);
            assert!(scenario.crash.is_none());
            scenario
                .fits("drawn", &drawn.plan.runbook.runbook)
                .expect("it can begin");
        }
    }
}

#[test]
fn a_drill_is_a_function_of_seed_and_number_and_reads_back() {
    let (space, coverage) = (space(), Coverage::default());
    let mut texts = BTreeSet::new();
    for number in 0..60 {
        let drawn = space.draw(7, number, &coverage).expect("drawn");
        let again = space.draw(7, number, &coverage).expect("drawn");
        assert_eq!(drawn.plan.scenario, again.plan.scenario);
        assert_eq!(drawn.plan.seed, again.plan.seed);
        let scenario = &drawn.plan.scenario;
        let read = Scenario::parse("drawn", &scenario.text, &[]).expect("it loads");
        assert_eq!(read, **scenario);
        let fits = scenario.fits("drawn", &drawn.plan.runbook.runbook);
        fits.expect("every fault can begin");
        assert!(scenario.crash.is_some() || !scenario.faults.is_empty());
        texts.insert(scenario.text.clone());
    }
    assert_eq!(texts.len(), 60, "no two are the same");
}

#[test]
fn survivable_drills_have_few_and_short_faults() {
    let (space, coverage) = (space(), Coverage::default());
    let mut halves = [0; 2];
    for number in 0..300 {
        let drawn = space.draw(1, number, &coverage).expect("drawn");
        halves[usize::from(drawn.half == Half::Hostile)] += 1;
        if drawn.half == Half::Survivable {
            let faults = drawn.plan.scenario.faults.iter();
            // What brings a release's harm about comes at the deployment.
            let faults: Vec<&Fault> = faults.filter(|it| it.when != Anchor::Deployment).collect();
            assert!(faults.len() <= 2);
            for fault in faults {
                assert!(fault.kind.spec().draws.survivable, "{fault:?}");
                // The clock of a host that takes over is wrong for as long as that host runs.
                if fault.target.as_deref() != Some("next-hosts") {
                    let lasts = fault.lasts.unwrap_or_default();
                    assert!(lasts <= SHORT, "{fault:?}");
                }
            }
        }
    }
    assert!(halves.iter().all(|&count| count > 100), "{halves:?}");
}

#[test]
fn every_kind_of_fault_and_every_release_is_drawn() {
    let (space, coverage) = (space(), Coverage::default());
    let mut kinds = BTreeSet::new();
    let mut releases = BTreeSet::new();
    for number in 0..2_000 {
        let drawn = space.draw(3, number, &coverage).expect("drawn");
        kinds.extend(drawn.plan.scenario.faults.iter().map(|fault| fault.kind));
        releases.insert(drawn.plan.scenario.release.to.clone());
    }
    let wrong: Vec<&str> = FAULTS
        .iter()
        .filter(|spec| !kinds.contains(&spec.kind))
        .map(|spec| spec.name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(releases.len() > 10, "{releases:?}");
}

#[test]
fn what_was_met_least_is_preferred() {
    let space = space();
    let mut seen = Coverage::default();
    let kind = FaultKind::PodsKilled.as_str();
    for step in space.steps() {
        for target in ["gateway", "matching", "risk"] {
            for at in [format!("step {step}"), format!("after {step}")] {
                let target = Some(target.to_owned());
                seen.add(Met::Began { kind, target, at }, 1_000);
            }
        }
    }
    let count = |coverage: &Coverage| {
        let drawn = (0..800).map(|number| space.draw(5, number, coverage).expect("drawn"));
        // Of the others, one in two is aimed at something else.
        let drawn = drawn.filter(|it| it.half == Half::Survivable);
        let faults = drawn.flat_map(|it| it.plan.scenario.faults.clone());
        faults
            .filter(|it| it.kind == FaultKind::PodsKilled && it.when != Anchor::Deployment)
            .count()
    };
    assert!(count(&seen) * 2 < count(&Coverage::default()));
}

/// Coverage of everything but what the step of this name can meet.
fn all_but(step: &str) -> Coverage {
    let mut coverage = Coverage::default();
    for (mark, _) in space().catalogue.marks() {
        let met = match mark.clone() {
            Mark::Meeting { kind, step, side } => Met::Struck {
                step,
                service: None,
                kind,
                target: None,
                side,
            },
            Mark::Outcome { step, outcome } => Met::Ended { step, outcome },
            Mark::Planned {
                step,
                left_out,
                because,
            } => Met::Planned {
                step,
                left_out,
                because,
            },
            _ => continue,
        };
        let about = match mark {
            Mark::Meeting { step, .. }
            | Mark::Outcome { step, .. }
            | Mark::Planned { step, .. } => step,
            _ => continue,
        };
        if about != step {
            coverage.add(met, 1);
        }
    }
    coverage
}

#[test]
fn what_no_drill_has_met_is_aimed_at() {
    for step in [
        "replace-pods",
        "resume-rollout",
        "restore-replicas",
        "unfence-ledger",
    ] {
        let coverage = all_but(step);
        let begins = |fault: &Fault| match &fault.when {
            Anchor::Step(at) => at == step,
            _ => false,
        };
        let at_the_step = (0..400).filter(|&number| {
            let drawn = space().draw(3, number, &coverage).expect("drawn");
            assert!(
                drawn
                    .plan
                    .scenario
                    .fits("drawn", &drawn.plan.runbook.runbook)
                    .is_ok()
            );
            drawn.plan.scenario.faults.iter().any(begins)
        });
        let at_the_step = at_the_step.count();
        assert!(at_the_step > 20, "{step}: {at_the_step}");
    }
}

#[test]
fn a_drill_that_is_aimed_at_a_step_comes_to_it() {
    for (step, brought_by) in [
        ("resume-rollout", FaultKind::DeploymentPaused),
        ("restore-replicas", FaultKind::ReplicasScaled),
    ] {
        let coverage = all_but(step);
        let is_brought = |number: &u64| {
            let drawn = space().draw(3, *number, &coverage).expect("drawn");
            let mut faults = drawn.plan.scenario.faults.iter();
            faults.any(|it| it.kind == brought_by && it.when == Anchor::Trigger)
        };
        let count = (0..400).filter(is_brought).count();
        assert!(count > 60, "{step}: {count}");
    }
    let coverage = all_but("replace-pods");
    let drawn = (0..400).map(|number| space().draw(3, number, &coverage).expect("drawn"));
    let configured = drawn.filter(|it| it.plan.scenario.release.to == "1.5.10-configuration-only");
    assert!(configured.count() > 60);
}
