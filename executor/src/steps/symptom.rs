//! Whether the trigger that began the rollback still fires: its own query and condition, asked over the time since
//! recovery.
//!
//! A query whose ranges reach back to before the window would tell of the bad release, so each is cut to the window
//! (`Trigger::over`); what it compares with by an `offset` stays. As for who watches the triggers (`phases/watch`), a
//! condition must hold for its `for` to fire, and where there is no data it does not hold: many a query has a value
//! only once something has failed.

use std::time::Duration;

use jiff::Timestamp;

use super::context::{Context, Stop};
use super::query::{SETTLE, signed};
use crate::queries::{Language, QueryError};
use crate::runbook::Trigger;
use crate::verdict::{ConditionVerdict, any, show_value};

/// What the trigger says at one look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Symptom {
    /// Its condition does not hold, or there is none to ask.
    Gone,
    /// It holds, but not for long enough to fire. Nothing may be claimed yet.
    Holds(String),
    /// It fires: the application has not recovered.
    Fires(String),
    /// The server did not say.
    Unanswered(String),
}

/// The trigger of the plan. One whose condition held before the deployment, which only a person can have chosen, is
/// cured by no rollback.
pub(super) fn trigger_of<'a>(context: &Context<'a>) -> Option<&'a Trigger> {
    let event = context.plan.trigger.as_ref()?;
    let mut triggers = context.terms.triggers.iter();
    let trigger = triggers.find(|trigger| trigger.name == event.name)?;
    let before = context.baseline.triggers.get(&trigger.name);
    let predates = before.copied().flatten();
    let predates = predates.and_then(|value| trigger.condition.holds(value));
    (predates != Some(true)).then_some(trigger)
}

/// One look at `trigger`, over the window from `start` to `now`.
pub(super) async fn look(
    context: &Context<'_>,
    trigger: &Trigger,
    start: Timestamp,
    now: Timestamp,
) -> Result<Symptom, Stop> {
    let value = match ask(context, trigger, start, now, true).await? {
        Ok((ConditionVerdict::Holds, value)) => value.unwrap_or(f64::NAN),
        Ok(_) => return Ok(Symptom::Gone),
        Err(why) => return Ok(Symptom::Unanswered(why)),
    };
    let told = |verb: &str| {
        format!(
            "trigger `{}` still {verb}: value {} {}",
            trigger.name,
            show_value(value),
            trigger.condition
        )
    };
    for back in [trigger.hold_for / 2, trigger.hold_for] {
        let at = now - signed(back);
        let held = at >= start + signed(SETTLE)
            && matches!(
                ask(context, trigger, start, at, false).await?,
                Ok((ConditionVerdict::Holds, _))
            );
        if !held {
            return Ok(Symptom::Holds(told("holds")));
        }
    }
    Ok(Symptom::Fires(told("fires")))
}

/// What the trigger's condition says at `at` of the time since `start`; or why there is no answer. The present, if it
/// is about that, is the server's, as for all that the proof asks: this host's clock may be ahead of it.
async fn ask(
    context: &Context<'_>,
    trigger: &Trigger,
    start: Timestamp,
    at: Timestamp,
    present: bool,
) -> Result<Result<(ConditionVerdict, Option<f64>), String>, Stop> {
    let window = Duration::try_from(at.duration_since(start)).unwrap_or_default();
    let (base, query) = (context.terms.prometheus, trigger.over(window));
    let queries = context.queries;
    let answer = if present {
        queries.ask(base, Language::Prom, &query).await
    } else {
        queries.ask_at(base, Language::Prom, &query, at).await
    };
    match answer {
        Ok(values) => Ok(Ok(any(&values, trigger.condition))),
        Err(QueryError::Unavailable(why)) => Ok(Err(why)),
        Err(QueryError::Refused(why)) => Err(Stop::Failed(format!("query refused: {why}"))),
    }
}
