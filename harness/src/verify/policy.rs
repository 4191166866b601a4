//! What no drill needs to show: a change that weakens a protection is told, and is not adopted on the strength of drills that never
//! tried it.
//!
//! Drills find what happens in the scenarios that there are. A fence that keeps a writer out that missed the flag does nothing in a drill in which
//! every writer sees the flag, so such drills pass without it. The rules here compare the two runbooks: each weakened protection is a
//! [`Concern`]. It is settled where a scenario that tries the protection ran and passed under the candidate (see [`super::trials`]); else the
//! answer is at best INCONCLUSIVE. A few changes are wrong by arithmetic or by the procedure's own words; those reject.

use std::collections::BTreeSet;

use executor::runbook::{Command, Condition, OnFail, Operator, Phase, Runbook, Step, When};
use serde::Serialize;

use super::canonical::Side;
use super::plans::{by_name, renamed};
use super::protection::{Protection, purpose};
use super::words;
use crate::evidence::REQUESTS_MIN;
use crate::scenario::format_duration as show;

/// How much a concern weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Drills that try the protection can settle it.
    Untried,
    /// Wrong whatever drills say.
    Wrong,
}

/// A weakened protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Concern {
    /// Which.
    pub protection: Protection,
    /// How much it weighs.
    pub weight: Weight,
    /// What the change is.
    pub change: String,
    /// Why that matters.
    pub why: String,
}

/// The protections that `new` weakens against `old`.
#[must_use]
pub fn concerns(old: &Side, new: &Side) -> Vec<Concern> {
    let mut found = Found(Vec::new());
    front_matter(old.runbook(), new.runbook(), &mut found);
    steps(old.runbook(), new.runbook(), &mut found);
    early_checks(old.runbook(), new.runbook(), &mut found);
    warnings(old, new, &mut found);
    found.0
}

struct Found(Vec<Concern>);

impl Found {
    fn add(
        &mut self,
        protection: Protection,
        weight: Weight,
        change: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.0.push(Concern {
            protection,
            weight,
            change: change.into(),
            why: why.into(),
        });
    }

    fn untried(
        &mut self,
        protection: Protection,
        change: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.add(protection, Weight::Untried, change, why);
    }

    fn wrong(&mut self, protection: Protection, change: impl Into<String>, why: impl Into<String>) {
        self.add(protection, Weight::Wrong, change, why);
    }
}

fn front_matter(old: &Runbook, new: &Runbook, found: &mut Found) {
    if new.rto > old.rto {
        found.wrong(
            Protection::Objective,
            format!(
                "the RTO is raised from {} to {}",
                show(old.rto),
                show(new.rto)
            ),
            "every budget is held against it: a longer objective hides slower steps",
        );
    }
    if new.rpo_trades > old.rpo_trades {
        found.wrong(
            Protection::Objective,
            format!(
                "{} acknowledged trades may be lost instead of {}",
                new.rpo_trades, old.rpo_trades
            ),
            "no trade that a client was told about may be missing",
        );
    }
    if new.validation_window < old.validation_window {
        found.untried(
            Protection::Detection,
            format!(
                "triggers are watched for {} instead of {}",
                show(new.validation_window),
                show(old.validation_window)
            ),
            "a release that goes bad later is not rolled back",
        );
    }
    if (&old.prometheus, &old.loki, &old.namespace) != (&new.prometheus, &new.loki, &new.namespace)
    {
        found.untried(
            Protection::Address,
            "an address or the namespace changes",
            "a wrong one is noticed only in the incident",
        );
    }
    let missing: Vec<&str> = old
        .services
        .iter()
        .filter(|s| !new.services.contains(s))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        found.untried(
            Protection::Order,
            format!("{} is not rolled back any more", missing.join(", ")),
            "all of a release goes back, or none of it",
        );
    } else if new
        .services
        .iter()
        .filter(|s| old.services.contains(s))
        .ne(old.services.iter())
    {
        found.untried(
            Protection::Order,
            format!(
                "services are rolled back in the order {}",
                new.services.join(", ")
            ),
            "whoever is depended on comes first",
        );
    }
    for was in &old.triggers {
        let Some(is) = words::find(new, &was.name) else {
            found.untried(
                Protection::Detection,
                format!("the trigger `{}` is gone", was.name),
                "the procedure makes a rollback mandatory there",
            );
            continue;
        };
        let change = words::trigger_differences(was, is).join("; ");
        if was.class != is.class
            || was.query != is.query
            || loosened(was.condition, is.condition, false)
            || is.hold_for > was.hold_for
        {
            found.untried(
                Protection::Detection,
                change,
                "what is noticed later, or not at all, harms clients for longer",
            );
        } else if is.hold_for < was.hold_for || is.condition != was.condition {
            found.untried(
                Protection::Debounce,
                change,
                "a short burst must not roll back a sound release",
            );
        }
    }
}

/// Whether a value that satisfies `old` less strictly satisfies `new`: for an expectation, more values pass; for a trigger
/// (`expectation` false), fewer values fire.
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

fn steps(old: &Runbook, new: &Runbook, found: &mut Found) {
    let (now, names) = (by_name(new), renamed(old, new));
    for was in &old.steps {
        let name = names.get(was.name.as_str()).copied().unwrap_or(&was.name);
        match now.get(name) {
            Some(is)
                if std::mem::discriminant(&is.command) == std::mem::discriminant(&was.command) =>
            {
                weaker(was, is, found)
            }
            _ if stands_in(was, new) => {}
            _ => {
                let (protection, why) = purpose(was);
                found.untried(protection, format!("{} is gone", words::step(was)), why);
            }
        }
    }
}

/// Whether another step of `new` does what `was` did, wherever `was` did it.
fn stands_in(was: &Step, new: &Runbook) -> bool {
    new.steps.iter().any(|is| {
        is.command == was.command
            && is.phase == was.phase
            && covers(is.when, was.when)
            && is.expect == was.expect
    })
}

/// Whether what is done when `wide` holds is done whenever `narrow` holds.
fn covers(wide: When, narrow: When) -> bool {
    wide == narrow
        || wide == When::Always
        || (wide == When::LedgerBreaking
            && matches!(narrow, When::LedgerUndo | When::LedgerRestore))
}

fn weaker(was: &Step, is: &Step, found: &mut Found) {
    let (protection, why) = purpose(was);
    let name = &is.name;
    let told = || words::differences(was, is).join("; ");
    // A pin that is dropped is among the new warnings; what queries ask, too, but for what reads no data as zero.
    match (&was.command, &is.command) {
        (Command::PromQuery { query: a }, Command::PromQuery { query: b })
        | (Command::LogQuery { query: a }, Command::LogQuery { query: b }) => {
            let zero = |query: &str| {
                query
                    .split_whitespace()
                    .collect::<String>()
                    .contains("vector(0")
            };
            if zero(b) && !zero(a) {
                found.wrong(
                    Protection::Proof,
                    format!("`{name}` reads no data as zero"),
                    "no data is not a pass: metrics that are gone would look like a recovery",
                );
            } else if a != b && a.contains("$WINDOW") && b.contains("$WINDOW") {
                found.untried(protection, told(), why);
            }
        }
        (Command::SetConfigValue { .. } | Command::CheckCounter { .. }, b) if was.command != *b => {
            found.untried(protection, told(), why);
        }
        (Command::DumpLogs { since: a }, Command::DumpLogs { since: b }) if b < a => found.untried(
            protection,
            told(),
            "the beginning of the incident may be older",
        ),
        _ => {}
    }
    if let Some(wanted) = was.min_requests
        && is.min_requests.is_none_or(|n| n < wanted.min(REQUESTS_MIN))
    {
        let now = is.min_requests.map_or_else(
            || "no number of requests".to_owned(),
            |n| format!("{n} requests"),
        );
        found.wrong(Protection::Proof, format!("`{name}` is content with {now}, and {REQUESTS_MIN} are needed"),
            "with none failed of 30,000, the rate is below 0.01 % at 95 % (rule of three); fewer show nothing");
    }
    if let Some(hold) = was.hold
        && is.hold.is_none_or(|now| now < hold)
    {
        found.untried(
            Protection::Hold,
            format!(
                "`{name}` {}",
                is.hold.map_or_else(
                    || "need not go on holding".to_owned(),
                    |now| format!("need hold for {} only", show(now))
                )
            ),
            "something may put the bad release back: a GitOps controller, a colleague",
        );
    }
    if let (Some(a), Some(b)) = (was.expect, is.expect)
        && loosened(a, b, true)
    {
        found.untried(
            protection,
            format!("`{name}` expects `{b}` instead of `{a}`"),
            "no drill here has a value between the two, so none can tell them apart",
        );
    }
    if was.on_fail != is.on_fail {
        let change = told();
        if is.on_fail == OnFail::Continue && changes_ledger(&was.command) {
            found.wrong(Protection::Stop, change, "what follows would work on a ledger that is not as it must be: stop and leave trading halted");
        } else {
            found.untried(
                Protection::Stop,
                change,
                "what happens after its failure changes",
            );
        }
    }
    if !covers(is.when, was.when) {
        found.untried(
            protection,
            format!(
                "`{name}` is done {}, not {}",
                words::when(is.when),
                words::when(was.when)
            ),
            why,
        );
    }
    if was.phase == Phase::Run && is.phase == Phase::After {
        found.untried(
            protection,
            format!("`{name}` comes after recovery is claimed"),
            why,
        );
    }
    if was.for_each_service && !is.for_each_service {
        found.untried(
            protection,
            format!("`{name}` is no longer done for each service"),
            why,
        );
    }
}

/// Whether the step halts writers or changes the ledger.
fn changes_ledger(command: &Command) -> bool {
    matches!(
        command,
        Command::Fence
            | Command::UndoSchema
            | Command::RestoreSnapshot { .. }
            | Command::ReplayOrders
            | Command::SetConfigValue { .. }
    )
}

/// Checks of the application that come before it is rolled back look at the bad release.
fn early_checks(old: &Runbook, new: &Runbook, found: &mut Found) {
    let early = |runbook: &Runbook| -> BTreeSet<String> {
        let last_undo = runbook
            .steps
            .iter()
            .rposition(|s| matches!(s.command, Command::RolloutUndo { .. }));
        let before = runbook.steps.iter().take(last_undo.unwrap_or(0));
        let checks = before.filter(|s| {
            matches!(s.command, Command::CheckHealth | Command::CheckBuildInfo | Command::ReviewReplicaSets | Command::RolloutStatus)
                || matches!(&s.command, Command::PromQuery { query } | Command::LogQuery { query } if query.contains("$WINDOW"))
        });
        checks.map(|s| s.name.clone()).collect()
    };
    let known = early(old);
    for name in early(new).difference(&known) {
        let Some(step) = new.steps.iter().find(|s| s.name == *name) else {
            continue;
        };
        let (protection, _) = purpose(step);
        found.untried(
            protection,
            format!(
                "{} comes before the application is rolled back",
                words::step(step)
            ),
            "it looks at the release that is about to go",
        );
    }
}

/// What the runbook's own checks call unwise, where the baseline did not.
fn warnings(old: &Side, new: &Side, found: &mut Found) {
    let mut told = BTreeSet::new();
    for warning in &new.warnings {
        let count = |side: &Side| {
            side.warnings
                .iter()
                .filter(|w| w.code == warning.code)
                .count()
        };
        if count(new) <= count(old) || !told.insert(warning.code) {
            continue;
        }
        let protection = match warning.code {
            "undo-not-pinned" => Protection::Pin,
            "ledger-not-fenced" => Protection::Fence,
            "fence-stays" => Protection::Reopening,
            "restore-without-replay" => Protection::Replay,
            "logs-late" => Protection::Logs,
            "fixed-window" => Protection::Proof,
            "application-first" => Protection::Order,
            "budget-worst-case" | "budget-fallback" => Protection::Budget,
            // What is missing as a whole was told step by step.
            _ => continue,
        };
        // Writers are stopped in the database before anything rewrites the ledger, and logs are saved before the pods go: the
        // project and the written procedure say so without a condition.
        let weight = match warning.code {
            "ledger-not-fenced" | "logs-late" => Weight::Wrong,
            _ => Weight::Untried,
        };
        found.add(
            protection,
            weight,
            format!("line {}: {}", warning.line, warning.message),
            warning.help.clone(),
        );
    }
    // The same thing said twice reads as two things.
    let mut seen = BTreeSet::new();
    found.0.retain(|c| seen.insert(c.change.clone()));
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
        assert!(loosened(
            condition(Greater, 0.1),
            condition(Greater, 0.5),
            false
        ));
        assert!(!loosened(
            condition(Greater, 0.5),
            condition(Greater, 0.1),
            false
        ));
        assert!(!loosened(
            condition(Greater, 0.5),
            condition(Greater, 0.5),
            false
        ));
    }

    #[test]
    fn a_runbook_against_itself_weakens_nothing() {
        let side = Side::parse("x.md", crate::runbooks::BUILT_IN).expect("it loads");
        assert_eq!(concerns(&side, &side), []);
    }

    #[test]
    fn every_step_that_goes_is_told() {
        let text = crate::runbooks::BUILT_IN;
        let old = Side::parse("x.md", text).expect("it loads");
        for step in &old.runbook().steps {
            let key = format!("```sh {{\"name\":\"{}\"", step.name);
            let at = text.find(&key).expect("the step");
            let end = at + text[at..].find("\n```\n").expect("closed") + 5;
            let without = format!("{}{}", &text[..at], &text[end..]);
            // Some can't go alone: a restore needs its snapshot.
            if let Ok(new) = Side::parse("y.md", &without) {
                let told = concerns(&old, &new);
                assert!(
                    told.iter().any(|c| c.change.contains(&step.name)),
                    "{}: {told:?}",
                    step.name
                );
            }
        }
    }
}
