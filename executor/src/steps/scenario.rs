//! A scenario file that reproduces the incident in a drill.

use std::fmt::Write as _;
use std::time::Duration;

use contract::image;

use super::context::{Context, Stop, Success, incident};
use super::query;
use crate::application::{ERROR_RATE_MIN, RATES_PER_S};
use crate::planner::{LedgerPath, Plan};
use crate::runbook::TriggerClass;

/// Stores the file.
pub(super) async fn write(context: &Context<'_>) -> Result<Success, Stop> {
    let name = format!("{}/scenario.toml", incident(context.plan));
    let rate = rate(context).await;
    let text = scenario(context, rate);
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
    let since = query::before(context.ports.clock.now(), Duration::from_secs(60));
    let count = query::count_since(context, counted, since)
        .await
        .ok()
        .and_then(Result::ok)
        .flatten()?;
    Some((count + 30) / 60)
}

fn scenario(context: &Context<'_>, rate: Option<u64>) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = fill(&mut text, context, rate);
    text
}

fn fill(out: &mut String, context: &Context<'_>, rate: Option<u64>) -> Result<(), std::fmt::Error> {
    let (terms, plan, facts) = (context.terms, context.plan, context.facts);
    let application = context.application;
    let (from, to) = releases(plan);
    let trigger = plan
        .trigger
        .as_ref()
        .map_or("none", |trigger| trigger.name.as_str());
    let rto = terms.rto.min(application.rto_max()).as_secs().max(1);
    let error_rate = error_rate(
        plan.steps
            .iter()
            .filter(|step| step.min_requests.is_some())
            .find_map(|step| step.expect)
            .map(|condition| condition.value),
        application.error_rate_max,
    );
    let p99 = terms
        .triggers
        .iter()
        .find(|known| known.class == TriggerClass::Sla && known.is_of_the_p99())
        .map_or(f64::from(application.p99_ms) / 1_000.0, |known| {
            known.condition.value
        });
    // Records can be lost only where a snapshot is restored.
    let trades_lost = match plan.ledger.path {
        LedgerPath::Restore => terms.rpo_records,
        LedgerPath::Application | LedgerPath::Undo => 0,
    };
    writeln!(
        out,
        "# Written by the executor from the incident of {}.",
        plan.observed_at
    )?;
    writeln!(out, "name = \"incident-{}\"", plan.observed_at.as_second())?;
    writeln!(
        out,
        "description = \"{to} broke {trigger}; the rollback went by {}\"",
        plan.ledger.path
    )?;
    writeln!(out, "\n[release]\nfrom = \"{from}\"\nto = \"{to}\"")?;
    let rate = rate
        .filter(|rate| RATES_PER_S.contains(rate))
        .unwrap_or(u64::from(application.rate_per_s));
    writeln!(out, "\n[load]\nrate_per_s = {rate}")?;
    // As long as it takes for enough requests to come to show an error rate.
    let wanted = plan.steps.iter().filter_map(|step| step.min_requests);
    let hold = wanted.max().unwrap_or(0).div_ceil(rate).max(180);
    writeln!(
        out,
        "\n[timing]\nwarm_up = \"60s\"\ndeploy_at = \"90s\"\nduration = \"{}s\"\nhold = \"{hold}s\"",
        720 + hold
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
    let p99 = millis(p99, application.p99_max_ms);
    writeln!(out, "p99_max = \"{p99}ms\"")?;
    writeln!(out, "trades_lost_max = {trades_lost}")?;
    if !facts.evidence.is_empty() {
        writeln!(out, "\n# Evidence: {}", facts.evidence.join(", "))?;
    }
    Ok(())
}

/// The release that was recorded and the bad one, by the images of a service in which they differ: of another one,
/// somebody may have undone the release before the rollback began.
fn releases(plan: &Plan) -> (&str, &str) {
    let mut all = plan.services.iter().map(|service| {
        (
            image::version(&service.to_image),
            image::version(&service.from_image),
        )
    });
    let first = all.clone().next();
    all.find(|(from, to)| from != to)
        .or(first)
        .unwrap_or(("unknown", "unknown"))
}

/// What the scenario demands where the runbook is content with `expected`: no laxer than `most`, whatever the runbook
/// says, and no rate that nothing is below.
fn error_rate(expected: Option<f64>, most: f64) -> f64 {
    expected
        .filter(|rate| *rate > 0.0)
        .map_or(most, |rate| rate.max(ERROR_RATE_MIN).min(most))
}

/// `0.0001` as `0.01`, without the noise of binary fractions.
fn percent(rate: f64) -> String {
    let text = format!("{:.4}", rate * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn millis(seconds: f64, most: u32) -> String {
    format!("{:.0}", (seconds * 1000.0).max(1.0).min(f64::from(most)))
}

#[cfg(test)]
mod tests {
    use super::{error_rate, millis, percent};

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(percent(0.0001), "0.01");
        assert_eq!(percent(0.01), "1");
        assert_eq!(millis(0.1, 2_500), "100");
    }

    #[test]
    fn a_lax_runbook_writes_a_scenario_that_loads() {
        for (expected, written) in [
            (Some(0.0001), "0.01"),
            (Some(0.00005), "0.005"),
            (Some(0.01), "0.01"),
            (Some(0.0), "0.01"),
            (Some(-1.0), "0.01"),
            (Some(1e-9), "0.0001"),
            (None, "0.01"),
        ] {
            let written_here = percent(error_rate(expected, 0.000_1));
            assert_eq!(written_here, written, "{expected:?}");
        }
        assert_eq!(millis(60.0, 2_500), "2500");
        assert_eq!(millis(-1.0, 2_500), "1");
        // Another application may be slower, and fail more often.
        assert_eq!(millis(60.0, 100_000), "60000");
        assert_eq!(percent(error_rate(Some(0.01), 0.05)), "1");
    }
}
