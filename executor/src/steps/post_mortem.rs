//! The post-mortem's skeleton: what is known goes in, what people must find out is left open.

use std::fmt::Write as _;

use super::context::{Context, Facts, Stop, Success, incident};
use crate::planner::Plan;
use crate::report::{Outcome, Report};
use crate::runbook::Terms;

/// Stores the skeleton.
pub(super) async fn write(context: &Context<'_>) -> Result<Success, Stop> {
    let name = format!("{}/post-mortem.md", incident(context.plan));
    let text = skeleton(context.terms, context.plan, context.facts);
    context.store(&name, text).await?;
    Ok(Success {
        evidence: vec![name.clone()],
        ..Success::done(name)
    })
}

/// What a report that has no post-mortem yet says, as one, and its name.
pub(crate) fn of_report(terms: Terms<'_>, report: &Report) -> (String, String) {
    let facts = Facts {
        started_at: report.started_at,
        window_start: report.recovered_at.unwrap_or(report.started_at),
        steps: report.steps.clone(),
        evidence: report.evidence.clone(),
        outcome: Some(report.outcome.clone()),
        ..Facts::default()
    };
    let (folder, text) = match &report.plan {
        Some(plan) => {
            let notes = report.notes.iter();
            // The plan's own notes are told anyway.
            let notes = notes.filter(|note| !plan.notes.contains(note));
            let notes = notes.cloned().collect();
            (
                incident(plan),
                skeleton(terms, plan, &Facts { notes, ..facts }),
            )
        }
        None => {
            let folder = format!("incident-{}", report.started_at.as_second());
            (folder, without_plan(report))
        }
    };
    (format!("{folder}/post-mortem.md"), text)
}

/// The skeleton where no plan was made, so that no step ran.
fn without_plan(report: &Report) -> String {
    let mut text = String::new();
    let trigger = report.trigger.as_ref();
    let name = trigger.map_or("none", |trigger| trigger.name.as_str());
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&format!("# Post-mortem: {name}, {}\n", report.started_at));
    line("Blameless: it asks what made this possible, not who did it.\n");
    line("## Summary\n");
    if let Some(trigger) = trigger {
        line(&format!(
            "- Trigger: `{}` since {}, fired {}",
            trigger.name, trigger.since, trigger.fired_at
        ));
        line(&format!("- Condition: `{}`", trigger.reason));
    }
    if let Outcome::Escalated { reason } = &report.outcome {
        line(&format!("- Outcome: escalated. {reason}"));
    }
    line("\n## Timeline\n");
    if let Some(trigger) = trigger {
        line(&format!("- {}: the condition holds", trigger.since));
        line(&format!("- {}: the trigger fires", trigger.fired_at));
    }
    line(&format!("- {}: the executor begins", report.started_at));
    line("- No plan was made, so no step was carried out.");
    line("\n## Evidence\n");
    line(
        "- None was gathered. The release runs as it did: its logs and its state can still be read.",
    );
    for note in &report.notes {
        line(&format!("- Note: {note}"));
    }
    line("\n## For people to fill in\n");
    for question in QUESTIONS {
        line(&format!("- [ ] {question}"));
    }
    text
}

/// What only people can answer.
const QUESTIONS: [&str; 5] = [
    "What did clients notice, from when to when?",
    "What was the root cause, and why did nothing before production show it?",
    "What went well, what badly, where were we lucky?",
    "Which drill of the chaos suite reproduces it (see scenario.toml), and does it fail without the fix?",
    "Who does what until when?",
];

/// The text.
fn skeleton(terms: Terms<'_>, plan: &Plan, facts: &Facts) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = fill(&mut text, terms, plan, facts);
    text
}

fn fill(
    out: &mut String,
    terms: Terms<'_>,
    plan: &Plan,
    facts: &Facts,
) -> Result<(), std::fmt::Error> {
    let name = plan
        .trigger
        .as_ref()
        .map_or("none", |trigger| trigger.name.as_str());
    writeln!(out, "# Post-mortem: {name}, {}\n", plan.observed_at)?;
    writeln!(
        out,
        "Blameless: it asks what made this possible, not who did it.\n"
    )?;
    writeln!(out, "## Summary\n")?;
    if let Some(trigger) = &plan.trigger {
        writeln!(
            out,
            "- Trigger: `{}` since {}, fired {}",
            trigger.name, trigger.since, trigger.fired_at
        )?;
        writeln!(out, "- Condition: `{}`", trigger.reason)?;
        if let Some(value) = trigger.value {
            writeln!(out, "- Value: {value}")?;
        }
    }
    let taken = plan.path_taken(&facts.steps);
    let instead = if taken == plan.ledger.path {
        ""
    } else {
        "; the planned undo failed, so the snapshot was restored"
    };
    writeln!(
        out,
        "- Ledger: {taken}, because {}{instead}",
        plan.ledger.why
    )?;
    for service in &plan.services {
        writeln!(
            out,
            "- {}: {} back to {} ({})",
            service.service, service.from_image, service.to_image, service.target
        )?;
    }
    match &facts.outcome {
        Some(Outcome::Escalated { reason }) => writeln!(out, "- Outcome: escalated. {reason}")?,
        _ => writeln!(
            out,
            "- Outcome: recovered, by the checks of \"{}\"",
            plan.runbook
        )?,
    }
    writeln!(out, "\n## Numbers\n")?;
    if let Some(trigger) = &plan.trigger {
        let rto = facts.window_start.duration_since(trigger.fired_at);
        writeln!(
            out,
            "- Trigger to the last change: {:.1} s, of {} s",
            rto.as_secs_f64(),
            terms.rto.as_secs()
        )?;
        let harm = trigger.fired_at.duration_since(trigger.since);
        writeln!(out, "- Condition to trigger: {:.1} s", harm.as_secs_f64())?;
    }
    if let Some(restore) = &facts.restore {
        writeln!(
            out,
            "- Restore: {} from {} back to {}, {} {} before",
            plan.naming.log,
            restore.before.log_seq,
            restore.after.log_seq,
            restore.before.trades,
            plan.naming.records
        )?;
    }
    writeln!(out, "\n## Timeline\n")?;
    writeln!(out, "| from | to | step | outcome | detail |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for step in &facts.steps {
        let label = match &step.service {
            Some(service) => format!("{} ({service})", step.name),
            None => step.name.clone(),
        };
        writeln!(
            out,
            "| {} | {} | {label} | {} | {} |",
            step.started_at,
            step.finished_at,
            step.outcome,
            step.detail.replace('|', "\\|").replace('\n', " ")
        )?;
    }
    writeln!(out, "\n## Evidence\n")?;
    for name in &facts.evidence {
        writeln!(out, "- {name}")?;
    }
    for note in plan.notes.iter().chain(&facts.notes) {
        writeln!(out, "- Note: {note}")?;
    }
    writeln!(out, "\n## For people to fill in\n")?;
    for question in QUESTIONS {
        writeln!(out, "- [ ] {question}")?;
    }
    Ok(())
}
