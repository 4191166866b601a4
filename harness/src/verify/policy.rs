//! What drills must try before they can settle it: a change of a step, a check or a trigger.
//!
//! Drills find what happens in the scenarios that there are. A fence that keeps a writer out that missed the flag does
//! nothing in a drill in which every writer sees the flag, so such drills pass without it. The rules here compare the
//! two runbooks; each change that might weaken something is a [`Concern`], and says what would show that a drill tries
//! it ([`Needs`]): mostly that the baseline itself is judged otherwise there once the part in question does nothing.
//! [`coverage`](super::trials) performs those drills; no rule guesses which they are. A few changes are wrong by
//! arithmetic or by the procedure's own words; those reject.

mod front_matter;
mod steps;

use std::collections::BTreeSet;

use executor::runbook::{Condition, Kind, Operator, Runbook};
use serde::Serialize;

use self::front_matter::front_matter;
use self::steps::steps;
use super::canonical::RunbookSide;
use super::plans::moved;
use super::protection::{Protection, purpose};
use super::vacuous::Vacuous;
use super::words;

/// How much a concern weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Drills that try it can settle it.
    Untried,
    /// Wrong whatever drills say.
    Wrong,
}

/// What drills would have to show.
#[derive(Clone, Debug)]
pub enum Needs {
    /// Each of these alterations makes the baseline fail in some drill that the candidate passes.
    Mattering(Vec<Vacuous>),
    /// The candidate carries out this step in drills that it passes.
    CarriedOut(String),
    /// The candidate passes drills in which it carries out this step, and that the baseline fails.
    Improving(String),
    /// No drill can show it.
    Person,
}

/// A change that might weaken the runbook.
#[derive(Clone, Debug, Serialize)]
pub struct Concern {
    /// What it bears on.
    pub protection: Protection,
    /// How much it weighs.
    pub weight: Weight,
    /// What the change is.
    pub change: String,
    /// Why that matters.
    pub why: String,
    /// What would settle it.
    #[serde(skip)]
    pub needs: Needs,
}

/// What `new` might do worse than `old`.
#[must_use]
pub fn concerns(old: &RunbookSide, new: &RunbookSide) -> Vec<Concern> {
    let mut found = Found(Vec::new());
    let (was, is) = (&*old.canonical, &*new.canonical);
    front_matter(was, is, &mut found);
    steps(was, is, &mut found);
    order(was, is, &mut found);
    early_checks(was, is, &mut found);
    warnings(old, new, &mut found);
    // The same thing said twice reads as two things.
    let mut seen = BTreeSet::new();
    found.0.retain(|c| seen.insert(c.change.clone()));
    found.0
}

struct Found(Vec<Concern>);

impl Found {
    fn add(
        &mut self,
        protection: Protection,
        change: impl Into<String>,
        why: impl Into<String>,
        needs: Needs,
    ) {
        self.0.push(Concern {
            protection,
            weight: Weight::Untried,
            change: change.into(),
            why: why.into(),
            needs,
        });
    }

    fn wrong(&mut self, protection: Protection, change: impl Into<String>, why: impl Into<String>) {
        self.0.push(Concern {
            protection,
            weight: Weight::Wrong,
            change: change.into(),
            why: why.into(),
            needs: Needs::Person,
        });
    }
}

/// Whether a value that satisfies `old` less strictly satisfies `new`: for an expectation, more values pass;
/// for a trigger (`expectation` false), fewer values fire.
fn loosened(old: Condition, new: Condition, expectation: bool) -> bool {
    use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let wider = match (old.operator, new.operator) {
        (Less | LessOrEqual, Less | LessOrEqual) => {
            Some(new.value > old.value || (new.value == old.value && new.operator == LessOrEqual))
        }
        (Greater | GreaterOrEqual, Greater | GreaterOrEqual) => Some(
            new.value < old.value || (new.value == old.value && new.operator == GreaterOrEqual),
        ),
        (Equal, Equal) if old.value == new.value => Some(false),
        _ => None,
    };
    match wider {
        _ if old == new => false,
        // Another kind of comparison: nobody can say without trying.
        None => true,
        Some(wider) => wider == expectation,
    }
}

/// Steps that have moved past others: only looks may be taken in any order.
fn order(old: &Runbook, new: &Runbook, found: &mut Found) {
    for (name, previous) in moved(old, new) {
        let Some(step) = new.steps.iter().find(|s| s.name == name) else {
            continue;
        };
        found.add(
            Protection::Order,
            match previous {
                Some(previous) => format!("{} now comes after `{previous}`", words::step(step)),
                None => format!("{} now comes first", words::step(step)),
            },
            "it passes a step that acts, or acts itself: the order may have a reason",
            Needs::Person,
        );
    }
}

/// Checks of the application that come before it is rolled back look at the bad release.
fn early_checks(old: &Runbook, new: &Runbook, found: &mut Found) {
    let early = |runbook: &Runbook| -> BTreeSet<String> {
        let last_undo = runbook
            .steps
            .iter()
            .rposition(|s| s.command.kind() == Kind::RolloutUndo);
        let before = runbook.steps.iter().take(last_undo.unwrap_or(0));
        let checks = before.filter(|s| {
            let query = s.command.query();
            s.command.spec().follows_undo || query.is_some_and(|it| it.contains("$WINDOW"))
        });
        checks.map(|s| s.name.clone()).collect()
    };
    let known = early(old);
    for name in early(new).difference(&known) {
        let Some(step) = new.steps.iter().find(|s| s.name == *name) else {
            continue;
        };
        let (protection, _) = purpose(step);
        found.add(
            protection,
            format!(
                "{} comes before the application is rolled back",
                words::step(step)
            ),
            "it looks at the release that is about to go",
            Needs::Person,
        );
    }
}

/// What the runbook's own checks call unwise, where the baseline did not.
fn warnings(old: &RunbookSide, new: &RunbookSide, found: &mut Found) {
    let mut told = BTreeSet::new();
    for warning in &new.warnings {
        let count = |side: &RunbookSide| {
            side.warnings
                .iter()
                .filter(|w| w.code == warning.code)
                .count()
        };
        if count(new) <= count(old) || !told.insert(warning.code) {
            continue;
        }
        let protection = match warning.code {
            "ledger-not-fenced" => Protection::Fence,
            "logs-late" | "logs-cut" => Protection::Logs,
            "fixed-window" => Protection::Proof,
            "budget-worst-case" | "budget-fallback" => Protection::Budget,
            // What else they say is told step by step.
            _ => continue,
        };
        let change = format!("line {}: {}", warning.line, warning.message);
        match protection {
            // Writers are stopped in the database before anything rewrites the ledger, and logs are saved before the
            // pods go: the project and the written procedure say so without a condition.
            Protection::Fence | Protection::Logs => {
                found.wrong(protection, change, warning.help.clone());
            }
            _ => found.add(protection, change, warning.help.clone(), Needs::Person),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(operator: Operator, value: f64) -> Condition {
        Condition { operator, value }
    }

    #[test]
    fn looser_is_what_passes_more_or_fires_less() {
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        let cases = [
            (Less, 0.1, Less, 0.2, true),
            (Less, 0.2, Less, 0.1, false),
            (Less, 0.1, LessOrEqual, 0.1, true),
            (Greater, 5.0, Greater, 4.0, true),
            (Greater, 5.0, GreaterOrEqual, 6.0, false),
            (Equal, 0.0, Less, 5.0, true),
            (Equal, 0.0, Equal, 0.0, false),
        ];
        for (a, x, b, y, loose) in cases {
            assert_eq!(
                loosened(condition(a, x), condition(b, y), true),
                loose,
                "{a:?} {x} {b:?} {y}"
            );
        }
        // A trigger that fires later is the loose one.
        let fires_less = |x, y| loosened(condition(Greater, x), condition(Greater, y), false);
        assert!(fires_less(0.1, 0.5));
        assert!(!fires_less(0.5, 0.1) && !fires_less(0.5, 0.5));
    }

    #[test]
    fn a_runbook_against_itself_weakens_nothing() {
        let side = RunbookSide::parse("x.md", crate::runbooks::BUILT_IN).expect("it loads");
        assert!(concerns(&side, &side).is_empty());
    }

    #[test]
    fn every_step_that_goes_or_comes_is_told() {
        let text = crate::runbooks::BUILT_IN;
        let old = RunbookSide::parse("x.md", text).expect("it loads");
        for step in &old.runbook().steps {
            let key = format!("```sh {{\"name\":\"{}\"", step.name);
            let at = text.find(&key).expect("the step");
            let end = at + text[at..].find("\n```\n").expect("closed") + 5;
            let without = format!("{}{}", &text[..at], &text[end..]);
            // Some can't go alone: a restore needs its snapshot.
            if let Ok(new) = RunbookSide::parse("y.md", &without) {
                for told in [concerns(&old, &new), concerns(&new, &old)] {
                    let named = |c: &&Concern| c.change.contains(&step.name);
                    assert!(told.iter().any(|c| named(&c)), "{}: {told:?}", step.name);
                }
            }
        }
    }
}
