//! A new name is no change: steps and triggers of the candidate that are the baseline's by another name get the
//! baseline's names back.
//!
//! Whatever comes later, the faults of scenarios that hang on a step among it, then knows one name for one thing.
//! Steps are matched by what they do, so that a step that is renamed and weakened is told as weakened.
//! The names are put back in the candidate's text, which replay tokens carry.

use std::collections::BTreeMap;
use std::mem::discriminant;

use executor::runbook::{Runbook, Step};

use super::canonical::RunbookSide;

/// The candidate under the baseline's names, and in its place.
#[derive(Clone, Debug)]
pub(super) struct Aligned {
    /// The candidate.
    pub(super) side: RunbookSide,
    /// What has another name, in words.
    pub(super) renamed: Vec<String>,
}

/// `new` under the names of `old`.
pub(super) fn aligned(old: &RunbookSide, new: &RunbookSide) -> Aligned {
    let steps = steps(&old.canonical, &new.canonical);
    let triggers = triggers(&old.canonical, &new.canonical);
    let mut text = new.loaded.text.to_string();
    let mut renamed = Vec::new();
    // Two steps may have changed names with each other, so all give their names up before any gets its old one back.
    for (nth, is) in steps.values().enumerate() {
        text = step_renamed(&text, is, &placeholder(nth));
    }
    let has = |name: &str| new.canonical.steps.iter().any(|s| s.name == name);
    for (nth, (was, is)) in steps.iter().enumerate() {
        // Whatever else has that name now is another step.
        if has(was) && !steps.values().any(|name| name == was) {
            text = step_renamed(&text, was, &format!("{was}-now"));
        }
        text = step_renamed(&text, &placeholder(nth), was);
        renamed.push(format!("`{was}` is called `{is}` now"));
    }
    for (was, is) in &triggers {
        text = trigger_renamed(&text, is, was);
        renamed.push(format!("the trigger `{was}` is called `{is}` now"));
    }
    let side = RunbookSide::parse(&new.loaded.file, &text)
        .ok()
        .filter(|_| !renamed.is_empty());
    match side {
        Some(side) => Aligned {
            side: side.instead_of(old),
            renamed,
        },
        None => Aligned {
            side: new.clone().instead_of(old),
            renamed: Vec::new(),
        },
    }
}

/// The name of a step between its new name and its old one.
fn placeholder(nth: usize) -> String {
    format!("step-between-names-{nth}")
}

/// Old name to new name of the steps that go on under another name.
/// A name that goes on with another command is another step's.
fn steps<'a>(old: &'a Runbook, new: &'a Runbook) -> BTreeMap<&'a str, &'a str> {
    let has = |runbook: &Runbook, step: &Step| {
        let mut steps = runbook.steps.iter();
        steps
            .any(|s| s.name == step.name && discriminant(&s.command) == discriminant(&step.command))
    };
    let gone = old.steps.iter().filter(|s| !has(new, s));
    let mut pairs: Vec<(u32, &Step, &Step)> = gone
        .flat_map(|was| {
            let unknown = new.steps.iter().filter(|s| !has(old, s));
            unknown.map(move |is| (similarity(was, is), was, is))
        })
        .filter(|(similarity, ..)| *similarity > 0)
        .collect();
    // The most alike first; a stable sort keeps the document's order among equals.
    pairs.sort_by_key(|(similarity, ..)| std::cmp::Reverse(*similarity));
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, was, is) in pairs {
        let taken = found.values().any(|name| *name == is.name);
        if !taken && !found.contains_key(was.name.as_str()) {
            found.insert(&was.name, &is.name);
        }
    }
    found
}

/// How much two steps have in common; 0: they do different things.
fn similarity(was: &Step, is: &Step) -> u32 {
    if discriminant(&was.command) != discriminant(&is.command) {
        return 0;
    }
    let same = [
        was.phase == is.phase,
        was.when == is.when,
        was.for_each_service == is.for_each_service,
        was.timeout == is.timeout,
        was.on_fail == is.on_fail,
        was.expect == is.expect,
        was.min_requests == is.min_requests,
        was.count_query == is.count_query,
        was.hold == is.hold,
    ];
    let alike = u32::try_from(same.iter().filter(|same| **same).count()).unwrap_or(0);
    // What is asked or done says more than how long it may take.
    1 + alike + if was.command == is.command { 10 } else { 0 }
}

/// Old name to new name of the triggers that are the same but for their name.
fn triggers<'a>(old: &'a Runbook, new: &'a Runbook) -> BTreeMap<&'a str, &'a str> {
    let has = |runbook: &Runbook, name: &str| runbook.triggers.iter().any(|t| t.name == name);
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for was in old.triggers.iter().filter(|t| !has(new, &t.name)) {
        let is = new.triggers.iter().find(|is| {
            !has(old, &is.name)
                && !found.values().any(|name| *name == is.name)
                && (is.class, &is.query, is.condition, is.hold_for)
                    == (was.class, &was.query, was.condition, was.hold_for)
        });
        if let Some(is) = is {
            found.insert(&was.name, &is.name);
        }
    }
    found
}

/// `text` with the step `from` called `to` in its fence's attributes.
fn step_renamed(text: &str, from: &str, to: &str) -> String {
    edited(text, |line| {
        if !line.trim_start().starts_with("```") {
            return None;
        }
        let key = line.find("\"name\"")? + "\"name\"".len();
        let value = line[key..].find('"')? + key + 1;
        let end = value + line[value..].find('"')?;
        (&line[value..end] == from).then(|| format!("{}{to}{}", &line[..value], &line[end..]))
    })
}

/// `text` with the trigger `from` called `to` in the front matter.
fn trigger_renamed(text: &str, from: &str, to: &str) -> String {
    edited(text, |line| {
        let key = line.trim_start().trim_start_matches("- ").trim_start();
        let value = key.strip_prefix("name:")?;
        let bare = value.trim().trim_matches(['"', '\'']);
        (bare == from).then(|| line.replacen(from, to, 1))
    })
}

/// `text` with the first line that `edit` has another for.
fn edited(text: &str, edit: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = false;
    for line in text.split_inclusive('\n') {
        match edit(line).filter(|_| !done) {
            Some(other) => {
                done = true;
                out.push_str(&other);
            }
            None => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{RunbookSide, aligned};
    use crate::runbooks::BUILT_IN;

    fn side(text: &str) -> RunbookSide {
        RunbookSide::parse("x.md", text).unwrap_or_else(|e| panic!("{}", e.plain()))
    }

    #[test]
    fn new_names_are_no_change() {
        let text = BUILT_IN
            .replace("\"name\":\"check-health\"", "\"name\":\"ask-every-pod\"")
            .replace("- name: sla-latency-p99", "- name: too-slow");
        let (old, new) = (side(BUILT_IN), side(&text));
        assert_ne!(old.key, new.key);
        let aligned = aligned(&old, &new);
        assert_eq!(aligned.side.key, old.key);
        assert_eq!(
            aligned.renamed,
            [
                "`check-health` is called `ask-every-pod` now",
                "the trigger `sla-latency-p99` is called `too-slow` now"
            ]
        );
    }

    #[test]
    fn a_renamed_step_that_is_weakened_is_the_weakened_step() {
        let text = BUILT_IN
            .replace("\"name\":\"error-rate\"", "\"name\":\"few-errors\"")
            .replace(
                "\"rb.min-requests\":\"30000\"",
                "\"rb.min-requests\":\"3000\"",
            )
            .replace("\"name\":\"books-balance\"", "\"name\":\"books\"");
        let aligned = aligned(&side(BUILT_IN), &side(&text));
        let named = |name: &str| aligned.side.runbook().steps.iter().find(|s| s.name == name);
        assert_eq!(
            named("error-rate").and_then(|s| s.min_requests),
            Some(3_000)
        );
        assert!(named("books-balance").is_some() && named("books").is_none());
        assert_eq!(aligned.renamed.len(), 2);
    }

    #[test]
    fn steps_that_change_names_are_known_by_what_they_do() {
        let swapped = |one: &str, other: &str| {
            let name = |name: &str| format!("\"name\":\"{name}\"");
            BUILT_IN
                .replace(&name(one), "\"name\":\"x\"")
                .replace(&name(other), &name(one))
                .replace("\"name\":\"x\"", &name(other))
        };
        let old = side(BUILT_IN);
        let new = side(&swapped("check-health", "open-trading"));
        let found = aligned(&old, &new);
        assert_eq!(found.side.key, old.key);
        assert_eq!(found.renamed.len(), 2);
        // The old name of a look on a step that acts: the look is known, and the other is new.
        let text = BUILT_IN
            .replace("\"name\":\"review-replica-sets\"", "\"name\":\"review\"")
            .replace(
                "\"name\":\"open-trading\"",
                "\"name\":\"review-replica-sets\"",
            );
        let found = aligned(&old, &side(&text));
        assert_eq!(found.side.key, old.key, "{:?}", found.renamed);
        let text = BUILT_IN.replace("\"name\":\"review-replica-sets\"", "\"name\":\"review\"");
        let again = "```sh {\"name\":\"review-replica-sets\",\"rb.phase\":\"run\",\"rb.timeout\":\"3s\"}\nkubectl patch configmap dex-trading -n dex-production --type merge \\\n  -p '{\"data\":{\"mode\":\"open\"}}'\n```\n";
        let at = text.find("```sh {\"name\":\"review\"").expect("the step");
        let text = format!("{}{again}\n{}", &text[..at], &text[at..]);
        let found = aligned(&old, &side(&text));
        let names: Vec<&str> = found
            .side
            .runbook()
            .steps
            .iter()
            .map(|s| s.name.as_str())
            .filter(|name| name.starts_with("review"))
            .collect();
        assert_eq!(names, ["review-replica-sets-now", "review-replica-sets"]);
    }
}
