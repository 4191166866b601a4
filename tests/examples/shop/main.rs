//! A drill of an application that is not the exchange: a shop of two services is deployed, a bad release of one of them
//! comes, the executor rolls it back by a runbook of the shop's own, and the oracles judge.
//!
//! - `app`: what runs in the pods, which is all that the simulated world asks for.
//! - `drilled`: what a drill asks for beside that.
//!
//! `cargo run -p e2e --example shop`

mod app;
mod drilled;

use std::error::Error;
use std::sync::Arc;

use firedrill::drill::{DrillResult, run_of};
use firedrill::runbooks::LoadedRunbook;
use firedrill::scenario::Scenario;
use firedrill::worlds::{DrillPlan, Until, WorldKind};

use self::drilled::OnlineShop;

const RUNBOOK: &str = include_str!("rollback.md");
const SCENARIO: &str = include_str!("bad-front.toml");

fn main() -> Result<(), Box<dyn Error>> {
    let drill = drill(7, RUNBOOK, SCENARIO)?;
    for step in &drill.steps {
        println!("{:<16} {:?}: {}", step.name, step.outcome, step.detail);
    }
    println!(
        "{:?}: {:?}, fingerprint {:016x}",
        drill.ending, drill.verdicts.overall, drill.fingerprint
    );
    Ok(())
}

/// Drills the shop as `scenario` says; the executor follows `runbook`.
fn drill(seed: u64, runbook: &str, scenario: &str) -> Result<DrillResult, Box<dyn Error>> {
    let runbook = LoadedRunbook::parse("rollback.md", runbook)?;
    let triggers = runbook.triggers();
    let scenario = Scenario::parse_of(drilled::subject(), "bad-front.toml", scenario, &triggers)?;
    let plan = DrillPlan {
        world: WorldKind::Sim,
        scenario: Arc::new(scenario),
        runbook,
        seed,
        until: Until::Settled,
        executor: None,
    };
    Ok(run_of(&OnlineShop, &plan)?)
}

#[cfg(test)]
mod tests {
    use firedrill::drill::Ending;
    use firedrill::verdict::Verdict;

    use super::*;

    fn drilled(seed: u64, runbook: &str, scenario: &str) -> DrillResult {
        drill(seed, runbook, scenario).expect("the world goes on")
    }

    #[test]
    fn the_bad_release_is_rolled_back_and_every_oracle_passes() {
        let drill = drilled(7, RUNBOOK, SCENARIO);
        assert_eq!(drill.problems(), Vec::<&_>::new());
        assert_eq!(drill.verdicts.overall, Verdict::Pass);
        assert_eq!(drill.ending, Ending::Recovered);
        let mut files = drill.files.keys();
        assert!(files.any(|it| it.ends_with("post-mortem.md")));
    }

    #[test]
    fn without_the_undo_nothing_recovers_and_nobody_claims_it() {
        let undo = RUNBOOK.find("```sh {\"name\":\"undo-app\"");
        let undo = undo.expect("the step");
        let end = undo + RUNBOOK[undo..].find("\n```\n").expect("its end") + 5;
        let without = format!("{}{}", &RUNBOOK[..undo], &RUNBOOK[end..]);
        let drill = drilled(7, &without, SCENARIO);
        assert_eq!(drill.verdicts.overall, Verdict::Fail);
        assert_eq!(drill.ending, Ending::Escalated);
    }

    #[test]
    fn faults_are_aimed_at_its_services() {
        let fault =
            "\n[[faults]]\nkind = \"pods-killed\"\ntarget = \"front\"\nwhen = \"trigger\"\n";
        let drill = drilled(7, RUNBOOK, &format!("{SCENARIO}{fault}"));
        assert_eq!(drill.verdicts.overall, Verdict::Pass);
        let hits = drill.faults_seen.iter().flatten().map(|(_, hits)| *hits);
        assert_eq!(hits.collect::<Vec<u64>>(), [3], "all pods of front");
        // What only the exchange has can not be aimed at it, and neither can a service that it has not.
        for (from, to) in [("pods-killed", "books-broken"), ("front", "back")] {
            let wrong = format!("{SCENARIO}{}", fault.replace(from, to));
            assert!(drill_is_refused(&wrong), "{to}");
        }
    }

    fn drill_is_refused(scenario: &str) -> bool {
        drill(7, RUNBOOK, scenario).is_err()
    }

    #[test]
    fn a_drill_is_a_function_of_its_seed() {
        let fingerprint = |seed| drilled(seed, RUNBOOK, SCENARIO).fingerprint;
        assert_eq!(fingerprint(1), fingerprint(1));
        assert_ne!(fingerprint(1), fingerprint(2));
    }
}
