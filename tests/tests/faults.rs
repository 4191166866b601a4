//! Every kind of fault that the simulation can do is in a built-in scenario, is seen to hit there, and the executor
//! comes through it as the scenario says.

use std::collections::BTreeSet;

use e2e::drills::{plan, run};
use firedrill::scenario::fault::FAULTS;
use firedrill::scenario::{BUILT_IN, Scenario};
use firedrill::verdict::Verdict;
use firedrill::worlds::WorldKind;

/// Seeds for each scenario. `cargo xtask ci` runs 20 in release mode, the nightly 1,600.
const SEEDS: u64 = 3;

fn with_faults() -> Vec<Scenario> {
    BUILT_IN
        .iter()
        .map(|b| Scenario::parse(b.file, b.text, &[]).expect(b.file))
        .filter(|scenario| !scenario.faults.is_empty())
        .collect()
}

#[test]
fn every_kind_of_fault_has_a_scenario() {
    let used: BTreeSet<&str> = with_faults()
        .iter()
        .flat_map(|scenario| scenario.faults.iter().map(|f| f.kind.as_str()))
        .collect();
    for spec in FAULTS {
        assert!(used.contains(spec.name), "no scenario uses {}", spec.name);
    }
}

#[test]
fn the_executor_comes_through_every_fault() {
    let mut problems = Vec::new();
    for scenario in with_faults() {
        let simulated =
            |fault: &firedrill::scenario::Fault| fault.kind.spec().worlds.contains(&WorldKind::Sim);
        if !scenario.faults.iter().all(simulated) {
            continue;
        }
        for seed in 0..SEEDS {
            let result = run(&plan(&scenario.name, seed));
            // The first is the release; a fault that hits nothing makes its drill inconclusive.
            assert!(
                result.faults.len() > 1,
                "{}: {:?}",
                scenario.name,
                result.faults
            );
            if result.verdicts.overall != Verdict::Pass {
                problems.push(format!(
                    "{} seed {seed}: {:#?}\n{:?}",
                    scenario.name,
                    result.problems(),
                    result.faults
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
