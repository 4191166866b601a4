//! A scenario file that reproduces the incident in a drill.

use std::fmt::Write as _;
use std::time::Duration;

use super::context::{Context, Facts, Stop, Success, incident};
use super::query;
use crate::baseline::image_tag;
use crate::planner::Plan;
use crate::runbook::{Terms, TriggerClass};

/// Stores the file.
pub(super) async fn write(context: &Context<'_>) -> Result<Success, Stop> {
    let name = format!("{}/scenario.toml", incident(context.plan));
    let rate = rate(context).await;
    let text = scenario(context.terms, context.plan, context.facts, rate);
    context.store(&name, text).await?;
    Ok(Success {
        evidence: vec![name.clone()],
        ..Success::done(name)
    })
}

/// Requests per second, by the runbook's own way to count them.
async fn rate(context: &Context<'_>) -> Option<u64> {
    let counted = context
        .plan
        .steps
        .iter()
        .find_map(|step| step.count_query.as_ref())?;
    let window = Duration::from_secs(60);
    let count = query::count_over(context, counted, window)
        .await
        .ok()
        .flatten()?;
    Some((count + 30) / 60)
}

fn scenario(terms: Terms<'_>, plan: &Plan, facts: &Facts, rate: Option<u64>) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = fill(&mut text, terms, plan, facts, rate);
    text
}

fn fill(
    out: &mut String,
    terms: Terms<'_>,
    plan: &Plan,
    facts: &Facts,
    rate: Option<u64>,
) -> Result<(), std::fmt::Error> {
    let first = plan.services.first();
    let from = first.map_or("unknown", |service| image_tag(&service.to_image));
    let to = first.map_or("unknown", |service| image_tag(&service.from_image));
    let trigger = plan
        .trigger
        .as_ref()
        .map_or("none", |trigger| trigger.name.as_str());
    let rto = terms.rto.as_secs();
    let error_rate = plan
        .steps
        .iter()
        .filter(|step| step.min_requests.is_some())
        .find_map(|step| step.expect)
        .map_or(0.0001, |condition| condition.value);
    let p99 = terms
        .triggers
        .iter()
        .find(|known| known.class == TriggerClass::Sla && known.name.contains("p99"))
        .map_or(0.1, |known| known.condition.value);
    writeln!(
        out,
        "# Written by the executor from the incident of {}.",
        plan.observed_at
    )?;
    writeln!(
        out,
        "# Accounts and markets are guesses: the executor does not know them."
    )?;
    writeln!(out, "name = \"incident-{}\"", plan.observed_at.as_second())?;
    writeln!(
        out,
        "description = \"{to} broke {trigger}; the rollback went by {}\"",
        plan.ledger.path
    )?;
    writeln!(out, "\n[release]\nfrom = \"{from}\"\nto = \"{to}\"")?;
    let rate = rate
        .filter(|rate| (1..=10_000).contains(rate))
        .unwrap_or(200);
    writeln!(
        out,
        "\n[load]\nrate_per_s = {rate}\naccounts = 1000\nmarkets = 4"
    )?;
    writeln!(
        out,
        "\n[timing]\nwarm_up = \"60s\"\ndeploy_at = \"90s\"\nduration = \"15m\"\nhold = \"3m\""
    )?;
    writeln!(
        out,
        "\n[expect]\ntrigger = \"{trigger}\"\npath = \"{}\"",
        plan.ledger.path
    )?;
    writeln!(
        out,
        "rto_max = \"{rto}s\"\nerror_rate_max = \"{}%\"",
        percent(error_rate)
    )?;
    writeln!(out, "p99_max = \"{}ms\"", millis(p99))?;
    writeln!(out, "trades_lost_max = {}", terms.rpo_trades)?;
    if !facts.evidence.is_empty() {
        writeln!(out, "\n# Evidence: {}", facts.evidence.join(", "))?;
    }
    Ok(())
}

/// `0.0001` as `0.01`, without the noise of binary fractions.
fn percent(rate: f64) -> String {
    let text = format!("{:.4}", rate * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn millis(seconds: f64) -> String {
    format!("{:.0}", (seconds * 1000.0).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::{millis, percent};

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(percent(0.0001), "0.01");
        assert_eq!(percent(0.01), "1");
        assert_eq!(millis(0.1), "100");
    }
}
