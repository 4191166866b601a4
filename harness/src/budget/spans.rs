//! One drill: what each span of its time was spent on.

use std::collections::BTreeMap;

use super::cause::Cause;
use crate::drill::DrillResult;
use crate::evidence::Ms;

/// A span of a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The step with its service, or what comes before the steps.
    pub what: String,
    /// What it is spent on.
    pub cause: Cause,
    /// How much of it lies before the clients saw recovery.
    pub before_ms: Ms,
    /// How much of it lies after that: the executor still had to see it.
    pub after_ms: Ms,
    /// The step's budget.
    pub budget_ms: Option<Ms>,
}

/// What a drill's time was spent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillSpans {
    /// The spans, without a gap, from the first harm on.
    pub spans: Vec<Span>,
    /// From the first harm to the recovery; `None`: it did not recover.
    pub impact_ms: Option<Ms>,
    /// From the trigger to the recovery.
    pub rto_ms: Option<Ms>,
    /// From the trigger to the executor's claim that it recovered.
    pub claimed_ms: Option<Ms>,
    /// From the trigger to the end of the executor's last step.
    pub ended_ms: Option<Ms>,
    /// The trigger that fired.
    pub trigger: Option<String>,
}

impl DrillSpans {
    /// Of a drill that kept its time series; the causes are those of its runbook's steps.
    #[must_use]
    pub fn of(result: &DrillResult, causes: &BTreeMap<&str, Cause>) -> Self {
        let series = result.time_series.as_deref();
        let trigger = series.and_then(|it| it.trigger_ms);
        let recovered = series.and_then(|it| it.recovered_ms);
        let harm = series.and_then(|it| it.first_harm_ms);
        let mut spans = Vec::new();
        if let (Some(harm), Some(trigger)) = (harm, trigger) {
            spans.push(Span {
                what: "detection".to_owned(),
                cause: Cause::Detection,
                before_ms: trigger.saturating_sub(harm),
                after_ms: 0,
                budget_ms: None,
            });
        }
        if let Some(trigger) = trigger {
            steps(result, trigger, recovered, causes, &mut spans);
        }
        let after_trigger = spans.iter().filter(|it| it.cause != Cause::Detection);
        let ended = after_trigger.map(|it| it.before_ms + it.after_ms).sum();
        Self {
            ended_ms: trigger.map(|_| ended),
            spans,
            impact_ms: recovered.and(result.impact_ms),
            rto_ms: result.rto_ms,
            claimed_ms: result.rto_claimed_ms,
            trigger: series.and_then(|it| it.trigger.clone()),
        }
    }
}

/// The steps from the trigger on. A step's span begins at the end of the one before it, so that what the executor
/// writes between two steps is part of the later one.
fn steps(
    result: &DrillResult,
    trigger: Ms,
    recovered: Option<Ms>,
    causes: &BTreeMap<&str, Cause>,
    spans: &mut Vec<Span>,
) {
    let recovered = recovered.unwrap_or(Ms::MAX);
    let mut steps: Vec<_> = result
        .steps
        .iter()
        .filter(|step| step.started_ms >= trigger)
        .filter_map(|step| Some((step, step.finished_ms?)))
        .collect();
    steps.sort_by_key(|(step, finished)| (*finished, step.started_ms));
    let mut before = trigger;
    let mut push = |what: String, cause, end: Ms, budget_ms| {
        let end = end.max(before);
        let cut = recovered.clamp(before, end);
        spans.push(Span {
            what,
            cause,
            before_ms: cut - before,
            after_ms: end - cut,
            budget_ms,
        });
        before = end;
    };
    if let Some((first, _)) = steps.first() {
        push(
            "lease and plan".to_owned(),
            Cause::Decision,
            first.started_ms,
            None,
        );
    }
    for (step, finished) in steps {
        let what = match &step.service {
            Some(service) => format!("{} {service}", step.name),
            None => step.name.clone(),
        };
        let cause = causes.get(step.name.as_str()).copied();
        let cause = cause.unwrap_or(Cause::Proof);
        push(what, cause, finished, Some(step.budget_ms));
    }
}
