//! What two runbooks differ in, step by step and in words.

use executor::runbook::{Command, OnFail, Phase, Runbook, Step, Trigger, When};

use super::canonical::{asked_promql, logql};
use crate::scenario::format_duration as show;

/// A command in a few words.
#[must_use]
pub(super) fn command(command: &Command) -> String {
    command.in_words(show)
}

/// A step as its attribute `name` and what it does.
#[must_use]
pub(super) fn step(step: &Step) -> String {
    format!("`{}` ({})", step.name, command(&step.command))
}

/// When a step applies.
#[must_use]
pub(super) fn when(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::LedgerBreaking => "if the ledger must be corrected",
        When::LedgerUndo => "if undo scripts can correct the ledger",
        When::LedgerRestore => "if the snapshot must correct the ledger",
        When::DeploymentPaused => "if the Deployment is paused",
        When::ConfigChanged => "if the configuration changed",
        When::ConfigOnly => "if nothing but the configuration changed",
        When::ReplicasReduced => "if the Deployment was scaled down",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "prepare",
        Phase::Run => "run",
        Phase::After => "after",
    }
}

fn on_fail(on_fail: OnFail) -> &'static str {
    match on_fail {
        OnFail::Abort => "abort",
        OnFail::Continue => "continue",
        OnFail::Restore => "restore",
    }
}

fn or_none<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "nothing".to_owned(), show)
}

/// One line on one line: queries are broken for reading.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What two steps of one name do differently by their commands, which are not the same.
pub(super) fn command_differs(old: &Step, new: &Step) -> String {
    let name = &new.name;
    match (&old.command, &new.command) {
        (Command::RolloutUndo { pinned: true }, Command::RolloutUndo { pinned: false }) => {
            format!("`{name}`: the target is no longer pinned to the recorded revision")
        }
        (Command::RolloutUndo { pinned: false }, Command::RolloutUndo { pinned: true }) => {
            format!("`{name}`: the target is now pinned to the recorded revision")
        }
        (Command::PromQuery { query: a }, Command::PromQuery { query: b }) => {
            let (a, b) = apart(&asked_promql(a), &asked_promql(b));
            format!("`{name}` now asks {b}, not {a}")
        }
        (Command::LogQuery { query: a }, Command::LogQuery { query: b }) => {
            let (a, b) = apart(&logql(a), &logql(b));
            format!("`{name}` now asks {b}, not {a}")
        }
        (a, b) => format!("`{name}` now {}; before, it {}", command(b), command(a)),
    }
}

/// Two texts from shortly before they differ to shortly after, as whole queries fill a screen.
fn apart(a: &str, b: &str) -> (String, String) {
    const AROUND: usize = 20;
    const WITHIN: usize = 40;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let before = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let ends = a.iter().rev().zip(b.iter().rev());
    let after = ends.take_while(|(a, b)| a == b).count();
    let after = after.min(a.len().min(b.len()) - before);
    let cut = |text: &[char]| {
        let from = before.saturating_sub(AROUND);
        // Where they differ in several places, the first is told.
        let to = (text.len() - after).min(before + WITHIN) + AROUND;
        let to = to.min(text.len());
        let inner: String = text[from..to].iter().collect();
        let (left, right) = (from > 0, to < text.len());
        format!(
            "{}{inner}{}",
            if left { "…" } else { "" },
            if right { "…" } else { "" }
        )
    };
    (cut(&a), cut(&b))
}

/// Another consequence of a failure.
pub(super) fn on_failure(old: &Step, new: &Step) -> String {
    let (a, b) = (on_fail(old.on_fail), on_fail(new.on_fail));
    format!("`{}`: on failure {a} → {b}", new.name)
}

/// Another phase.
pub(super) fn phase_differs(old: &Step, new: &Step) -> String {
    let (a, b) = (phase(old.phase), phase(new.phase));
    format!("`{}`: phase {a} → {b}", new.name)
}

/// Once, or once for each service.
pub(super) fn how_often(old: &Step, new: &Step) -> String {
    let word = |each| {
        if each {
            "once for each service"
        } else {
            "once"
        }
    };
    format!(
        "`{}` is done {} → {}",
        new.name,
        word(old.for_each_service),
        word(new.for_each_service)
    )
}

/// Another kind of workloads for which a step is done.
pub(super) fn for_which(old: &Step, new: &Step) -> String {
    let words = |step: &Step| {
        let all: Vec<String> = step.kinds.iter().map(|kind| format!("{kind}s")).collect();
        if all.is_empty() {
            "services of any kind".to_owned()
        } else {
            all.join(" and ")
        }
    };
    format!(
        "`{}` is for {} instead of {}",
        new.name,
        words(new),
        words(old)
    )
}

/// Another way to count requests.
pub(super) fn counting(old: &Step, new: &Step) -> String {
    let name = &new.name;
    match (old.count_query.as_deref(), new.count_query.as_deref()) {
        (Some(a), Some(b)) => {
            let (a, b) = apart(&asked_promql(a), &asked_promql(b));
            format!("`{name}` counts requests by {b}, not by {a}")
        }
        (a, b) => format!(
            "`{name}` counts requests by {}, not by {}",
            or_none(b, flat),
            or_none(a, flat)
        ),
    }
}

/// The differences between two steps of one name, in words; none if both are carried out alike.
#[must_use]
pub(super) fn differences(old: &Step, new: &Step) -> Vec<String> {
    let mut out = Vec::new();
    let name = &new.name;
    if asked(&old.command) != asked(&new.command) {
        out.push(command_differs(old, new));
    }
    if old.timeout != new.timeout {
        out.push(format!(
            "`{name}` may take {} instead of {}",
            show(new.timeout),
            show(old.timeout)
        ));
    }
    if old.on_fail != new.on_fail {
        out.push(on_failure(old, new));
    }
    if old.when != new.when {
        out.push(format!(
            "`{name}` is done {} → {}",
            when(old.when),
            when(new.when)
        ));
    }
    if old.phase != new.phase {
        out.push(phase_differs(old, new));
    }
    if old.for_each_service != new.for_each_service {
        out.push(how_often(old, new));
    }
    if old.kinds != new.kinds {
        out.push(for_which(old, new));
    }
    if old.expect != new.expect {
        let text = |e: Option<executor::runbook::Condition>| or_none(e, |c| format!("`{c}`"));
        out.push(format!(
            "`{name}` expects {} instead of {}",
            text(new.expect),
            text(old.expect)
        ));
    }
    if old.min_requests != new.min_requests {
        let text =
            |n: Option<u64>| n.map_or_else(|| "no number of".to_owned(), crate::stats::show_count);
        out.push(format!(
            "`{name}` wants {} requests instead of {}",
            text(new.min_requests),
            text(old.min_requests)
        ));
    }
    if old.count_query.as_deref().map(asked_promql) != new.count_query.as_deref().map(asked_promql)
    {
        out.push(counting(old, new));
    }
    if old.hold != new.hold {
        out.push(format!(
            "`{name}` must hold for {} instead of {}",
            or_none(new.hold, show),
            or_none(old.hold, show)
        ));
    }
    out
}

/// The command with its query as it is parsed, whose layout is no difference.
fn asked(command: &Command) -> Command {
    match command {
        Command::PromQuery { query } => Command::PromQuery {
            query: asked_promql(query),
        },
        Command::LogQuery { query } => Command::LogQuery {
            query: logql(query),
        },
        other => other.clone(),
    }
}

/// The differences of the front matter, in words.
#[must_use]
pub(super) fn front_matter(old: &Runbook, new: &Runbook) -> Vec<String> {
    let mut out = Vec::new();
    if old.rto != new.rto {
        out.push(format!(
            "the RTO is {} instead of {}",
            show(new.rto),
            show(old.rto)
        ));
    }
    if old.rpo_records != new.rpo_records {
        out.push(format!(
            "{} {} may be lost instead of {}",
            new.rpo_records, new.naming.records, old.rpo_records
        ));
    }
    if old.validation_window != new.validation_window {
        out.push(format!(
            "triggers are watched for {} instead of {}",
            show(new.validation_window),
            show(old.validation_window)
        ));
    }
    for (what, a, b) in [
        ("namespace", &old.namespace, &new.namespace),
        ("Prometheus", &old.prometheus, &new.prometheus),
        ("Loki", &loki(old), &loki(new)),
        ("migrations", &old.migrations, &new.migrations),
        (
            "services",
            &old.services.join(", "),
            &new.services.join(", "),
        ),
    ] {
        if a != b {
            out.push(format!("{what}: {a} → {b}"));
        }
    }
    for trigger in &old.triggers {
        match find(new, &trigger.name) {
            None => out.push(format!("the trigger `{}` is gone", trigger.name)),
            Some(now) => out.extend(trigger_differences(trigger, now)),
        }
    }
    let added = new.triggers.iter().filter(|t| find(old, &t.name).is_none());
    out.extend(added.map(|t| {
        format!(
            "the trigger `{}` is new: {} {} for {}",
            t.name,
            flat(&t.query),
            t.condition,
            show(t.hold_for)
        )
    }));
    out
}

fn loki(runbook: &Runbook) -> String {
    runbook.loki.clone().unwrap_or_else(|| "none".to_owned())
}

/// The trigger called `name`.
pub(super) fn find<'a>(runbook: &'a Runbook, name: &str) -> Option<&'a Trigger> {
    runbook.triggers.iter().find(|t| t.name == name)
}

/// The differences between two triggers of one name.
pub(super) fn trigger_differences(old: &Trigger, new: &Trigger) -> Vec<String> {
    let name = &new.name;
    let mut out = Vec::new();
    if old.class != new.class {
        out.push(format!(
            "trigger `{name}`: its class is another one, which decides how the ledger is dealt with"
        ));
    }
    if asked_promql(&old.query) != asked_promql(&new.query) {
        let (was, is) = apart(&asked_promql(&old.query), &asked_promql(&new.query));
        out.push(format!("trigger `{name}` asks {is}, not {was}"));
    }
    if old.condition != new.condition {
        out.push(format!(
            "trigger `{name}` fires at `{}` instead of `{}`",
            new.condition, old.condition
        ));
    }
    if old.hold_for != new.hold_for {
        out.push(format!(
            "trigger `{name}` must hold for {} instead of {}",
            show(new.hold_for),
            show(old.hold_for)
        ));
    }
    out
}
