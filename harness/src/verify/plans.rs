//! What each scenario's plan becomes, in words: so that a reviewer sees the change before any number.
//!
//! Both runbooks are planned by the executor's own planner against the same state. Steps are matched by name:
//! the longest common subsequence stays, what is missing from it in one plan is gone or new,
//! and what is missing in both has moved.

use std::collections::BTreeMap;

use executor::planner::{self, Plan, PlanError};
use executor::runbook::{Runbook, Step};
use serde::Serialize;

use super::observed::after_deployment;
use super::vacuous::acts;
use super::words;
use crate::scenario::Scenario;

/// The change of a plan, for the scenarios in which it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// Names of the scenarios.
    pub scenarios: Vec<String>,
    /// What changes, a sentence each; empty: nothing.
    pub changes: Vec<String>,
}

/// The plan of `scenario` by `runbook`; `None` where nothing is to be rolled back.
pub(crate) fn plan(scenario: &Scenario, runbook: &Runbook) -> Option<Result<Plan, PlanError>> {
    after_deployment(scenario, runbook).map(|observed| planner::plan(runbook, &observed))
}

/// The changes of all plans; scenarios with the same changes share an entry.
#[must_use]
pub fn diffs<'a>(
    old: &Runbook,
    new: &Runbook,
    scenarios: impl IntoIterator<Item = &'a Scenario>,
) -> Vec<PlanDiff> {
    let mut out: Vec<PlanDiff> = Vec::new();
    for scenario in scenarios {
        let changes = changes(old, new, scenario);
        match out.iter_mut().find(|d| d.changes == changes) {
            Some(same) => same.scenarios.push(scenario.name.clone()),
            None => out.push(PlanDiff {
                scenarios: vec![scenario.name.clone()],
                changes,
            }),
        }
    }
    out
}

fn changes(old: &Runbook, new: &Runbook, scenario: &Scenario) -> Vec<String> {
    if let Some(trigger) = &scenario.expect.trigger
        && words::find(new, trigger).is_none()
    {
        return vec![format!(
            "nothing is rolled back: the trigger `{trigger}` is gone"
        )];
    }
    match (plan(scenario, old), plan(scenario, new)) {
        (Some(Ok(a)), Some(Ok(b))) => between(old, &a, new, &b),
        (_, Some(Err(error))) => vec![format!("there is no plan any more: {error}")],
        (Some(Err(error)), Some(Ok(_))) => vec![format!("there is a plan now; before: {error}")],
        _ => Vec::new(),
    }
}

/// Steps of a plan by name, each once, in the order of their first appearance.
fn order(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for step in &plan.steps {
        if !names.contains(&step.name.as_str()) {
            names.push(&step.name);
        }
    }
    names
}

fn between(old: &Runbook, a: &Plan, new: &Runbook, b: &Plan) -> Vec<String> {
    let (of_old, of_new) = (by_name(old), by_name(new));
    let (before, after) = (order(a), order(b));
    let stay = common(&before, &after);
    let mut out = Vec::new();
    if a.ledger.path != b.ledger.path {
        out.push(format!(
            "the ledger's path is {} instead of {}: {}",
            b.ledger.path, a.ledger.path, b.ledger.why
        ));
    }
    for name in before.iter().filter(|name| !after.contains(name)) {
        if let Some(step) = of_old.get(name) {
            out.push(format!("{} is gone", words::step(step)));
        }
    }
    for (at, name) in after.iter().enumerate() {
        let Some(step) = of_new.get(name) else {
            continue;
        };
        let place = match at.checked_sub(1).map(|at| after[at]) {
            None => "comes first".to_owned(),
            Some(previous) => format!("comes after `{previous}`"),
        };
        if !before.contains(name) {
            out.push(format!("{} is new and {place}", words::step(step)));
        } else if !stay.contains(name) {
            out.push(format!("{} now {place}", words::step(step)));
        }
    }
    let services = |plan: &Plan| -> Vec<String> {
        let each = plan.steps.iter();
        each.filter_map(|s| Some(format!("{} {}", s.name, s.service.as_ref()?)))
            .collect()
    };
    if before == after && services(a) != services(b) {
        out.push("steps that are done once for each service come in another order".to_owned());
    }
    for name in &after {
        if let (Some(was), Some(is)) = (of_old.get(name), of_new.get(name)) {
            out.extend(words::differences(was, is));
        }
    }
    out
}

/// Steps by name.
pub(super) fn by_name(runbook: &Runbook) -> BTreeMap<&str, &Step> {
    runbook
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step))
        .collect()
}

/// The steps of both runbooks that have moved past one that acts, or act themselves and have moved, each with the step
/// that it comes after now.
pub(super) fn moved<'a>(old: &'a Runbook, new: &'a Runbook) -> Vec<(&'a str, Option<&'a str>)> {
    let (of_old, of_new) = (by_name(old), by_name(new));
    let names = |steps: &'a [Step], other: &BTreeMap<&str, &Step>| -> Vec<&'a str> {
        let names = steps.iter().map(|step| step.name.as_str());
        names.filter(|name| other.contains_key(name)).collect()
    };
    let before = names(&old.steps, &of_new);
    let after = names(&new.steps, &of_old);
    let stay = common(&before, &after);
    let place = |names: &[&str], name: &str| names.iter().position(|n| *n == name);
    let has_moved = |name: &&str| {
        let passed = after.iter().filter(|other| {
            let sooner = |names: &[&str]| place(names, name) < place(names, other);
            sooner(&before) != sooner(&after)
        });
        let mut both = passed.chain([name]);
        both.any(|name| of_new.get(name).is_some_and(|step| acts(&step.command)))
    };
    let gone = after.iter().filter(|name| !stay.contains(name));
    gone.filter(|name| has_moved(name))
        .map(|name| {
            let at = new.steps.iter().position(|step| step.name == *name);
            let previous = at.and_then(|at| new.steps.get(at.checked_sub(1)?));
            (*name, previous.map(|step| step.name.as_str()))
        })
        .collect()
}

/// The longest common subsequence.
fn common<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<&'a str> {
    let mut length = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            length[i][j] = if a[i] == b[j] {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            out.push(a[i]);
            i += 1;
            j += 1;
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{common, diffs, moved};
    use crate::runbooks::{BUILT_IN, LoadedRunbook};
    use crate::scenario::{Scenario, find};

    fn changes(text: &str, scenario: &str) -> Vec<String> {
        let old = LoadedRunbook::built_in().expect("it loads");
        let new = LoadedRunbook::parse("new.md", text).expect("it loads");
        let built_in = find(scenario).expect("it is built in");
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect("it loads");
        let mut diffs = diffs(&old.runbook, &new.runbook, [&scenario]);
        diffs.remove(0).changes
    }

    #[track_caller]
    fn replaced(from: &str, to: &str) -> String {
        assert!(BUILT_IN.contains(from), "{from}");
        BUILT_IN.replacen(from, to, 1)
    }

    #[test]
    fn what_moved_is_what_is_outside_the_longest_common_subsequence() {
        assert_eq!(
            common(&["a", "b", "c", "d"], &["b", "c", "a", "d"]),
            ["b", "c", "d"]
        );
        assert!(common(&[], &["a"]).is_empty());
    }

    #[test]
    fn a_moved_fence_is_told_as_such() {
        let at = BUILT_IN
            .find("```sh {\"name\":\"fence-ledger\"")
            .expect("the step");
        let end = at + BUILT_IN[at..].find("\n```\n").expect("closed") + 5;
        let (block, rest) = (
            &BUILT_IN[at..end],
            format!("{}{}", &BUILT_IN[..at], &BUILT_IN[end..]),
        );
        let text = rest.replace(
            "## Restore the snapshot\n",
            &format!("## Fence late\n\n{block}\n## Restore the snapshot\n"),
        );
        let said = changes(&text, "breaking-migration");
        assert_eq!(
            said,
            ["`fence-ledger` (fences the ledger) now comes after `undo-schema`"]
        );
        assert!(changes(&text, "latency-regression").is_empty());
    }

    #[test]
    fn attributes_and_pins_are_told() {
        let said = changes(
            &replaced(
                "\"rollout-status\",\"rb.phase\":\"run\",\"rb.timeout\":\"16s\"",
                "\"rollout-status\",\"rb.phase\":\"run\",\"rb.timeout\":\"12s\"",
            ),
            "latency-regression",
        );
        assert_eq!(said, ["`rollout-status` may take 12s instead of 16s"]);
        let said = changes(
            &replaced(" --to-revision=$TARGET_REVISION", ""),
            "latency-regression",
        );
        assert_eq!(
            said,
            ["`undo-app`: the target is no longer pinned to the recorded revision"]
        );
    }

    #[test]
    fn a_plan_that_cannot_be_made_is_told() {
        let text = replaced(
            "flyway undo -target=$TARGET_SCHEMA",
            "rollback db restore --snapshot before_release",
        )
        // Only an undo can be made good by a restore.
        .replace(",\"rb.on-fail\":\"restore\"", "");
        let said = changes(&text, "breaking-migration");
        assert!(said[0].starts_with("there is no plan any more"), "{said:?}");
    }

    #[test]
    fn looks_may_be_taken_in_any_order_and_acts_may_not() {
        let old = LoadedRunbook::built_in().expect("it loads");
        let swapped = |a: &str, b: &str| {
            let mut new = (*old.runbook).clone();
            let at = |name: &str| new.steps.iter().position(|s| s.name == name).expect(name);
            let (a, b) = (at(a), at(b));
            new.steps.swap(a, b);
            moved(&old.runbook, &new)
                .into_iter()
                .map(|(name, after)| (name.to_owned(), after.map(str::to_owned)))
                .collect::<Vec<_>>()
        };
        assert_eq!(swapped("books-balance", "error-logs"), []);
        let told = swapped("unfence-ledger", "open-trading");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1.as_deref(), Some("open-trading"));
    }
}
