//! Five answers: may we ship, what went wrong, when, why, and how to repeat it.
//!
//! They are given for the class of failure that matters most, and for one drill of it.

use maud::{Markup, html};

use super::flags::{since, zero_ms};
use super::page::{capital, command, prose, sentence};
use crate::drill::Ending;
use crate::oracles::recovery;
use crate::report::classes::{Class, failed_step};
use crate::report::journal::{Drill, Journal};
use crate::report::summary::by_scenario_of;
use crate::report::{limit_ms, problems, verdict_line};
use crate::stats::{show_count, show_ms};
use crate::token::Replays;
use crate::verdict::Verdict;

/// The questions with their answers; `classes` are those of `journal`.
pub(super) fn of(journal: &Journal<'_>, classes: &[Class<'_>]) -> Vec<(&'static str, Markup)> {
    let line = capital(&verdict_line(journal));
    let may = match journal.summary.verdict {
        Verdict::Pass => "Yes, as far as these drills go.",
        Verdict::Inconclusive => "Not on this evidence.",
        Verdict::Fail => "No.",
    };
    let ship = html! { strong class=(journal.summary.verdict) { (may) } " " (line) "." };
    let mut answers = vec![("May we ship?", ship)];
    match classes.first() {
        None => answers.push(("What went wrong?", nothing(journal))),
        Some(worst) => answers.extend(wrong(worst, classes.len() - 1)),
    }
    if journal.summary.skipped > 0 {
        answers.push(("How do I run the rest?", rest(journal)));
    }
    answers
}

/// The answers about the class that matters most, beside which there are so many others.
fn wrong(worst: &Class<'_>, others: usize) -> [(&'static str, Markup); 4] {
    let drill = worst.example();
    [
        ("What went wrong?", what(worst, others)),
        ("When?", when(drill)),
        ("Why?", why(worst)),
        ("How do I repeat it?", repeat(worst)),
    ]
}

/// A run has no memory: who wants the drills that did not run has to let all of them run.
fn rest(journal: &Journal<'_>) -> Markup {
    let summary = &journal.summary;
    html! {
        (show_count(summary.skipped as u64)) " drills did not run. "
        @match &journal.meta[..] {
            [] => "The command of this run, given again, performs all of them.",
            [run] => {
                "The same command performs all of them, the "
                (show_count(summary.drills as u64)) " that ran among them:"
                (command(&run.command_line()))
            },
            _ => { "The commands of the " a href="#run" { "runs" } ", given again, perform all of them." },
        }
    }
}

/// Nothing failed: what came nearest to it.
fn nothing(journal: &Journal<'_>) -> Markup {
    let scenarios = by_scenario_of(&journal.drills);
    let slowest = scenarios
        .iter()
        .filter_map(|s| Some((s.rto_max_ms?, limit_ms(&journal.drills, s), s)))
        .max_by_key(|(worst, limit, _)| {
            u128::from(*worst) * 1_000_000 / u128::from((*limit).max(1))
        });
    html! {
        @if journal.drills.is_empty() { "Nothing ran." } @else { "Nothing that the drills show." }
        @if let Some((worst, limit, s)) = slowest {
            " The nearest to its limit was " (s.label) ", which took " (show_ms(worst)) " of " (show_ms(limit)) " to recover."
        }
    }
}

fn what(class: &Class<'_>, others: usize) -> Markup {
    html! {
        strong { (class.name.headline()) } " (" (class.name.title()) "), in " (class.extent()) "."
        @match others {
            0 => {},
            1 => { " There is " a href="#failures" { "one other class of failure" } "." },
            n => { " There are " a href="#failures" { (n) " other classes of failure" } "." },
        }
    }
}

/// The instants of the drill, in the order in which a person asks for them.
fn when(drill: &Drill<'_>) -> Markup {
    let step = failed_step(drill);
    let Some(detail) = &drill.detail else {
        return html! {
            "Seed " (drill.seed) " of " (drill.scenario)
            @if let Some(step) = step {
                @let at = step.finished_ms.unwrap_or(step.started_ms);
                ": step " (step.name) " ended " (show_ms(at)) " after the drill began."
            }
            @else { ". The journal holds no time series of this drill." }
        };
    };
    let series = &detail.time_series;
    let zero = zero_ms(series);
    let from = if series.trigger_ms.is_some() {
        "the trigger"
    } else if series.deployed_ms.is_some() {
        "the deployment"
    } else {
        "the beginning"
    };
    let trigger = series.trigger.as_deref().unwrap_or("the trigger");
    let step = step.map(|step| {
        let what = format!("step {} ended as {}", step.name, step.outcome);
        (step.finished_ms.unwrap_or(series.end_ms), what)
    });
    let mut instants: Vec<(u64, String)> = [
        series.deployed_ms.map(|at| (at, "deployment".to_owned())),
        series.first_harm_ms.map(|at| (at, "first harm".to_owned())),
        series.trigger_ms.map(|at| (at, format!("{trigger} fired"))),
        series
            .recovered_ms
            .map(|at| (at, "clients saw recovery".to_owned())),
        step,
        series
            .another_incident_ms
            .map(|at| (at, recovery::ANOTHER_INCIDENT.to_owned())),
        series
            .gave_up_ms
            .map(|at| (at, "the executor gave up".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Stable: what happened at once stays in the order above.
    instants.sort_by_key(|(at, _)| *at);
    let lasting = matches!(drill.ending, Ending::Escalated | Ending::NeverRecovered);
    html! {
        "Seed " (drill.seed) " of " (drill.scenario) ", counted from " (from) ":"
        ul.instants {
            @for (at, what) in instants {
                li { span.at { (since(zero, at)) } " " (what) }
            }
            @if lasting { li { span.at { (since(zero, series.end_ms)) } " the drill ended, without a recovery" } }
        }
    }
}

fn why(class: &Class<'_>) -> Markup {
    let drill = class.example();
    let reasons = class.reasons();
    // What is true of one drill is not told of all.
    let is_of_all = reasons.len() == 1 && reasons[0].same;
    let reason = problems::one_line(&problems::reason(drill));
    let step = failed_step(drill).filter(|step| !reason.contains(&*step.detail));
    let found = drill.problems();
    let also: Vec<&str> = found.iter().skip(1).map(|f| f.oracle.as_str()).collect();
    html! {
        @if !is_of_all { "Seed " (drill.seed) " of " (drill.scenario) ": " }
        (prose(&sentence(&reason)))
        @if let Some(step) = step {
            " Step " (step.name) " " (step.outcome) ": " (prose(&sentence(&problems::one_line(&step.detail))))
        }
        @if !also.is_empty() { " Also not passed: " (also.join(", ")) "." }
    }
}

fn repeat(class: &Class<'_>) -> Markup {
    let example = class.example();
    html! {
        @match class.smallest() {
            Some(smallest) => { "The smallest case that fails in the same way: " (sentence(&smallest)) },
            None => { "Seed " (example.seed) " of " (example.scenario) ", to the last event:" },
        }
        (command(&class.command()))
        @if Replays::default().are_in_a_checkout() {
            p.soft { "This is typed in a checkout. With the program alone, " code { "firedrill" } " stands for " code { "cargo xtask" } "." }
        }
    }
}
