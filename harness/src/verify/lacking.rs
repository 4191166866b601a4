//! Where a fault strikes that waits for a step which the runbook of a drill lacks: where the step would have been.
//!
//! A fault that waits for a step in vain makes its drill inconclusive. So whoever took the step out would take its
//! trouble out, too, and nothing would ever be shown against that.

use std::borrow::Cow;

use executor::runbook::{Phase, Runbook, Step, When};

use crate::scenario::{Anchor, Fault, Path, Scenario};

/// `scenario` for `new`, which stands in the place of `old`. A fault that waits for a step of `old` that `new` lacks
/// begins when the next step of the same phase begins that both have and that is carried out on the expected path;
/// without a next one, when the one before ends.
pub(super) fn placed<'a>(
    scenario: &'a Scenario,
    old: &Runbook,
    new: &Runbook,
) -> Cow<'a, Scenario> {
    let path = scenario.expect.path;
    let elsewhere = |anchor: &Anchor| match anchor {
        Anchor::Step(name) | Anchor::After(name) => place(old, new, name, path),
        _ => None,
    };
    let moved = |fault: &Fault| elsewhere(&fault.when).is_some();
    if !scenario.faults.iter().any(moved) {
        return Cow::Borrowed(scenario);
    }
    Cow::Owned(scenario.clone().with(|scenario| {
        for fault in &mut scenario.faults {
            if let Some(place) = elsewhere(&fault.when) {
                fault.when = place;
            }
        }
    }))
}

/// Where the step `name` of `old` would have been in `new`; `None`: it is there, or nothing tells.
fn place(old: &Runbook, new: &Runbook, name: &str, path: Path) -> Option<Anchor> {
    if has(new, name) {
        return None;
    }
    let at = old.steps.iter().position(|step| step.name == name)?;
    let phase = old.steps[at].phase;
    let both = |step: &&Step| {
        step.phase == phase && has(new, &step.name) && is_surely_carried_out(step, path)
    };
    let next = old.steps[at + 1..].iter().find(both);
    let before = || old.steps[..at].iter().rev().find(both);
    match next {
        Some(step) => Some(Anchor::Step(step.name.clone())),
        None => before().map(|step| Anchor::After(step.name.clone())),
    }
}

fn has(runbook: &Runbook, name: &str) -> bool {
    runbook.steps.iter().any(|step| step.name == name)
}

/// Whether every rollback on `path` comes to `step`, whatever state the services are in.
fn is_surely_carried_out(step: &Step, path: Path) -> bool {
    match (path, step.when) {
        _ if step.phase == Phase::Prepare => true,
        (Path::None, _) => false,
        (_, When::Always)
        | (Path::Undo, When::LedgerBreaking | When::LedgerUndo)
        | (Path::Restore, When::LedgerBreaking | When::LedgerRestore) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::BUILT_IN;
    use crate::verify::RunbookSide;

    /// The anchors of the faults of a built-in scenario, where these steps are taken out of the built-in runbook.
    fn anchors(scenario: &str, without: &[&str]) -> Vec<String> {
        let old = RunbookSide::parse("old.md", BUILT_IN).expect("it loads");
        let scenario = crate::scenario::built_in(scenario, &old.loaded.triggers());
        let scenario = scenario.expect("built in").expect("right");
        let mut new = old.runbook().clone();
        new.steps.retain(|s| !without.contains(&s.name.as_str()));
        let placed = placed(&scenario, old.runbook(), &new);
        assert_eq!(placed.digest() == scenario.digest(), *placed == scenario);
        let faults = placed.faults.iter();
        faults.map(|fault| fault.when.to_text()).collect()
    }

    #[test]
    fn a_fault_strikes_where_the_step_would_have_been() {
        assert_eq!(
            anchors("check-worst-pod", &[]),
            ["step check-build", "step check-build"]
        );
        // The next two steps are for a ledger that is restored or undone, which is not so here.
        assert_eq!(
            anchors("check-worst-pod", &["check-build"]),
            ["step error-rate", "step error-rate"]
        );
        assert_eq!(
            anchors("check-worst-pod", &["check-build", "error-rate"])[0],
            "step error-rate-worst-pod"
        );
        assert_eq!(
            anchors("held-up-unfencing", &["unfence-ledger"]),
            ["step open-trading"]
        );
        // What goes on under all of them stays where it was.
        assert_eq!(
            anchors("check-worst-pod", &["error-rate"]),
            ["step check-build", "step check-build"]
        );
    }

    #[test]
    fn where_nothing_comes_after_it_a_fault_strikes_after_what_was_before() {
        let old = RunbookSide::parse("old.md", BUILT_IN).expect("it loads");
        let mut new = old.runbook().clone();
        new.steps.retain(|step| step.name != "scenario");
        let after = place(old.runbook(), &new, "scenario", Path::Application);
        assert_eq!(after, Some(Anchor::After("post-mortem".to_owned())));
        let unknown = place(old.runbook(), &new, "no-such-step", Path::Application);
        assert_eq!(unknown, None);
    }
}
