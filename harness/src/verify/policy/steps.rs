//! What a change of a step bears on: that it is gone, new or another one.

use executor::runbook::{Command, Condition, Effect, OnFail, OnLedger, Phase, Runbook, Step, When};

use super::super::plans::by_name;
use super::super::protection::{Protection, purpose};
use super::super::vacuous::{Vacuous, acts};
use super::super::words;
use super::{Found, Needs, loosened};
use crate::evidence::REQUESTS_MIN;
use crate::scenario::format_duration as show;

/// What the steps of `new` might do worse.
pub(super) fn steps(old: &Runbook, new: &Runbook, found: &mut Found) {
    let (before, now) = (by_name(old), by_name(new));
    for was in &old.steps {
        match now.get(was.name.as_str()) {
            Some(is) if is.command.kind() == was.command.kind() => {
                weaker(old, was, is, found);
            }
            Some(is) => {
                // The name goes on with something else, of which nothing is known. What had it may be done elsewhere.
                let change = words::differences(was, is).join("; ");
                if !stands_in(was, new) {
                    let (protection, why) = purpose(was);
                    found.add(protection, change.clone(), why, without(old, was));
                }
                let (protection, _) = purpose(is);
                found.add(protection, change, "nothing is known of it", done_more(is));
            }
            None if stands_in(was, new) => {}
            None => {
                let (protection, why) = purpose(was);
                let change = format!("{} is gone", words::step(was));
                found.add(protection, change, why, without(old, was));
            }
        }
    }
    for is in &new.steps {
        if !before.contains_key(is.name.as_str()) {
            let (protection, _) = purpose(is);
            found.add(
                protection,
                format!("{} is new", words::step(is)),
                "nothing is known of it",
                done_more(is),
            );
        }
    }
}

/// What shows that a step is needed: its absence.
fn without(old: &Runbook, step: &Step) -> Needs {
    Needs::Mattering(vec![Vacuous::without_step(old, step)])
}

/// What shows that a step may be done where it was not done before: one that acts must be good for something, one that
/// looks must only not be in the way.
fn done_more(step: &Step) -> Needs {
    if acts(&step.command) {
        Needs::Improving(step.name.clone())
    } else {
        Needs::CarriedOut(step.name.clone())
    }
}

/// Whether another step of `new` does what `was` did, wherever `was` did it.
fn stands_in(was: &Step, new: &Runbook) -> bool {
    new.steps.iter().any(|is| {
        is.command == was.command
            && is.phase == was.phase
            && covers(is.when, was.when)
            && is.expect == was.expect
            && is.on_fail == was.on_fail
            && is.min_requests == was.min_requests
            && is.count_query == was.count_query
            && is.hold == was.hold
    })
}

/// Whether what is done when `wide` holds is done whenever `narrow` holds.
fn covers(wide: When, narrow: When) -> bool {
    wide == narrow
        || wide == When::Always
        || (wide == When::LedgerBreaking
            && matches!(narrow, When::LedgerUndo | When::LedgerRestore))
}

/// What of the step `was` of `old` the step `is` might do worse.
fn weaker(old: &Runbook, was: &Step, is: &Step, found: &mut Found) {
    let (protection, why) = purpose(was);
    let name = &is.name;
    let mattering = |vacuous: Vacuous| Needs::Mattering(vec![vacuous]);
    command(old, was, is, found);
    if was.expect != is.expect
        && was
            .expect
            .is_none_or(|a| is.expect.is_none_or(|b| loosened(a, b, true)))
    {
        let text = |e: Option<Condition>| e.map_or("nothing".to_owned(), |c| format!("`{c}`"));
        found.add(
            protection,
            format!(
                "`{name}` expects {} instead of {}",
                text(is.expect),
                text(was.expect)
            ),
            why,
            mattering(Vacuous::cannot_fail(old, was)),
        );
    }
    if let Some(wanted) = was.min_requests
        && is.min_requests.is_none_or(|n| n < wanted.min(REQUESTS_MIN))
    {
        let now = is.min_requests.map_or_else(
            || "no number of requests".to_owned(),
            |n| format!("{n} requests"),
        );
        found.wrong(
            Protection::Proof,
            format!("`{name}` is content with {now}, and {REQUESTS_MIN} are needed"),
            "with none failed of 30,000, the rate is below 0.01 % at 95 % (rule of three); fewer show nothing",
        );
    }
    if was.count_query != is.count_query && was.count_query.is_some() {
        found.add(
            Protection::Proof,
            words::counting(was, is),
            "requests from before the recovery prove nothing",
            mattering(Vacuous::any_number(old, was)),
        );
    }
    if let Some(hold) = was.hold
        && is.hold.is_none_or(|now| now < hold)
    {
        found.add(
            Protection::Hold,
            match is.hold {
                None => format!("`{name}` need not go on holding"),
                Some(now) => format!("`{name}` need hold for {} only", show(now)),
            },
            "something may put the bad release back: a GitOps controller, a colleague",
            mattering(Vacuous::no_hold(old, was)),
        );
    }
    if was.on_fail != is.on_fail {
        let change = words::on_failure(was, is);
        if is.on_fail == OnFail::Continue && was.command.spec().ledger != OnLedger::Nothing {
            found.wrong(
                Protection::Stop,
                change,
                "what follows would work on a ledger that is not as it must be: stop and leave trading halted",
            );
        } else {
            found.add(
                Protection::Stop,
                change,
                "what happens after its failure changes",
                mattering(Vacuous::on_fail(old, was, is.on_fail)),
            );
        }
    }
    conditions(old, was, is, found);
}

/// What the command of a step might do worse.
fn command(old: &Runbook, was: &Step, is: &Step, found: &mut Found) {
    if was.command == is.command {
        return;
    }
    let (protection, why) = purpose(was);
    let change = words::command_differs(was, is);
    let vacuous = match (&was.command, &is.command) {
        (Command::PromQuery { query: a }, Command::PromQuery { query: b })
            if reads_nothing(b) && !reads_nothing(a) =>
        {
            return found.wrong(
                Protection::Proof,
                format!("`{}` reads no data as a value", is.name),
                "no data is not a pass: metrics that are gone would look like a recovery",
            );
        }
        (looks, _) if looks.spec().effect == Effect::Looks => Vacuous::cannot_fail(old, was),
        (Command::RolloutUndo { pinned: true }, Command::RolloutUndo { pinned: false }) => {
            return found.add(
                Protection::Pin,
                change,
                "repeated after a crash it returns to the bad release",
                Needs::Mattering(vec![Vacuous::unpinned(old, was)]),
            );
        }
        (Command::RolloutUndo { .. }, Command::RolloutUndo { .. }) => return,
        (Command::DumpLogs { since: a }, Command::DumpLogs { since: b }) if b >= a => return,
        _ => Vacuous::without_step(old, was),
    };
    found.add(protection, change, why, Needs::Mattering(vec![vacuous]));
}

/// Whether PromQL has a value where there are no data at all: where a part of it asks for no metric and yet comes to
/// one, or asks whether a metric is absent.
fn reads_nothing(query: &str) -> bool {
    let squeezed: String = query.split_whitespace().collect();
    ["vector(", "absent(", "absent_over_time("]
        .iter()
        .any(|call| squeezed.contains(call))
}

/// When and how often a step is done.
fn conditions(old: &Runbook, was: &Step, is: &Step, found: &mut Found) {
    let (protection, why) = purpose(was);
    let name = &is.name;
    if was.when != is.when {
        let change = format!(
            "`{name}` is done {}, not {}",
            words::when(is.when),
            words::when(was.when)
        );
        if covers(is.when, was.when) {
            let why = "it acts where it did not before";
            found.add(protection, change, why, done_more(is));
        } else {
            found.add(protection, change, why, without(old, was));
        }
    }
    if was.phase != is.phase {
        let change = match (was.phase, is.phase) {
            (Phase::Run, Phase::After) => format!("`{name}` comes after recovery is claimed"),
            _ => words::phase_differs(was, is),
        };
        found.add(protection, change, why, without(old, was));
    }
    if was.for_each_service != is.for_each_service {
        let change = words::how_often(was, is);
        found.add(protection, change, why, without(old, was));
    }
    if !was.kinds.is_subset(&is.kinds) {
        let change = words::for_which(was, is);
        found.add(protection, change, why, without(old, was));
    }
}
