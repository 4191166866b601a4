//! Checks by query. Three answers: yes, no, and too little to tell, which is never a yes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::context::{Context, Stop, Success};
use super::pod_logs;
use crate::error::Error;
use crate::kubernetes::is_live;
use crate::placeholders::{fill, uses};
use crate::planner::known_placeholder;
use crate::queries::{Language, QueryError};
use crate::runbook::Condition;
use crate::verdict::{Verdict, all};

const POLL: Duration = Duration::from_secs(5);
/// A server that did not answer is asked again sooner than one that did.
const UNANSWERED: Duration = Duration::from_secs(1);
/// Two scrapes at least must lie in a window before a rate has a value.
const SETTLE: Duration = Duration::from_secs(2);

/// `promql`.
pub(super) async fn metrics(context: &Context<'_>, query: &str) -> Result<Success, Stop> {
    check(context, context.terms.prometheus, Language::Prom, query).await
}

/// `logcli query`.
pub(super) async fn logs(context: &Context<'_>, query: &str) -> Result<Success, Stop> {
    match context.terms.loki {
        Some(loki) => check(context, loki, Language::Log, query).await,
        // An empty base: nobody to ask but the pods.
        None => check(context, "", Language::Log, query).await,
    }
}

/// One look at a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    /// What it says.
    verdict: Verdict,
    /// For a reader.
    text: String,
    /// How long until it is worth looking again.
    again: Duration,
    /// Whether the server refused or did not answer: its time, not the step's.
    unanswered: bool,
}

impl Round {
    /// An answer; worth another look after `again`.
    pub(super) fn answered(verdict: Verdict, text: String, again: Duration) -> Self {
        Self {
            verdict,
            text,
            again,
            unanswered: false,
        }
    }
}

async fn check(
    context: &Context<'_>,
    base: &str,
    language: Language,
    query: &str,
) -> Result<Success, Stop> {
    let mut holding = Holding::default();
    loop {
        let began = context.ports.clock.now();
        let round = look(context, base, language, query).await?;
        if let Some(success) = holding.judge(context, began, round).await? {
            return Ok(success);
        }
    }
}

/// Since when what is looked at has held without a break.
#[derive(Debug, Default)]
pub(super) struct Holding {
    since: Option<Timestamp>,
}

impl Holding {
    /// What a look that began at `began` comes to: the step is done, or failed, or it is time for another look (`None`).
    pub(super) async fn judge(
        &mut self,
        context: &Context<'_>,
        began: Timestamp,
        round: Round,
    ) -> Result<Option<Success>, Stop> {
        let clock = &context.ports.clock;
        if round.unanswered {
            let lost = context.cluster.since(began) + round.again;
            context.budget.lose(lost);
        }
        let now = clock.now();
        let mut again = round.again;
        let mut why = round.text.clone();
        if round.verdict == Verdict::Holds {
            let since = *self.since.get_or_insert(now);
            let held = Duration::try_from(now.duration_since(since)).unwrap_or_default();
            let hold = context.step.hold.unwrap_or_default();
            if held >= hold {
                return Ok(Some(Success::done(round.text)));
            }
            again = POLL.max(hold / 6).min(hold - held);
            why = format!("{why}; must hold for {} s", hold.as_secs());
        } else {
            self.since = None;
        }
        context.waiting(&why);
        let left = context.left();
        if left.is_zero() {
            let late = context.late(&round.text);
            return Err(match round.verdict {
                Verdict::Refuted => Stop::Failed(late),
                // It holds, but not for long enough.
                Verdict::Holds | Verdict::Unknown => Stop::Inconclusive(late),
            });
        }
        clock.sleep(again.min(left)).await;
        Ok(None)
    }
}

async fn look(
    context: &Context<'_>,
    base: &str,
    language: Language,
    query: &str,
) -> Result<Round, Stop> {
    let now = context.ports.clock.now();
    let window = Duration::try_from(now.duration_since(context.facts.window_start));
    let window = window.unwrap_or_default();
    if uses(query, "WINDOW") && window < SETTLE {
        let text = format!("the window is only {} ms long", window.as_millis());
        return Ok(Round::answered(Verdict::Unknown, text, SETTLE - window));
    }
    if language == Language::Log && context.terms.loki.is_none() {
        return from_pods(context, query, window).await;
    }
    let values = value_of(context, base, language, query, window).await?;
    let values = match values {
        Ok(values) if values.is_empty() && language == Language::Log => {
            if silence_is_zero(context, base, query, window).await {
                vec![0.0]
            } else {
                values
            }
        }
        Ok(values) => values,
        Err(why) => {
            let text = format!("no data: {why}");
            return Ok(Round {
                verdict: Verdict::Unknown,
                text,
                again: UNANSWERED,
                unanswered: true,
            });
        }
    };
    let condition = condition(context)?;
    let verdict = all(&values, condition);
    let text = match values.as_slice() {
        [] => "no data".to_owned(),
        [one] => format!("value {one}, expected {condition}"),
        many => format!("values {many:?}, expected {condition}"),
    };
    let Some(wanted) = context.step.min_requests else {
        return Ok(Round::answered(verdict, text, POLL));
    };
    let counted = count(context, window).await?;
    Ok(with_requests(verdict, &text, counted, wanted, window))
}

pub(super) fn condition(context: &Context<'_>) -> Result<Condition, Stop> {
    context
        .step
        .expect
        .ok_or_else(|| Stop::Failed("the step does not say what to expect (rb.expect)".to_owned()))
}

/// One look at the pods' own logs.
async fn from_pods(context: &Context<'_>, query: &str, window: Duration) -> Result<Round, Stop> {
    let query = substitute(context, query, window).await?;
    let condition = condition(context)?;
    let (verdict, text) = match pod_logs::count(context, &query).await? {
        Ok((lines, pods)) => {
            let value = f64::from(u32::try_from(lines).unwrap_or(u32::MAX));
            let text = format!(
                "value {value}, expected {condition}, from the logs of {pods} pods: the runbook names no Loki"
            );
            (all(&[value], condition), text)
        }
        Err(why) => (Verdict::Unknown, format!("no data: {why}")),
    };
    Ok(Round::answered(verdict, text, POLL))
}

/// A verdict of too few requests is none. Pure.
fn with_requests(
    verdict: Verdict,
    text: &str,
    counted: Option<u64>,
    wanted: u64,
    window: Duration,
) -> Round {
    let Some(counted) = counted else {
        let text = format!("{text}; requests can't be counted");
        return Round::answered(Verdict::Unknown, text, POLL);
    };
    let seconds = window.as_secs();
    let text = format!("{text}, over {counted} requests in {seconds} s");
    if counted >= wanted {
        return Round::answered(verdict, text, POLL);
    }
    // A breach stays a breach, however few they were; a pass needs all of them.
    let verdict = if verdict == Verdict::Refuted {
        verdict
    } else {
        Verdict::Unknown
    };
    let missing = u128::from(wanted - counted);
    let rest_ms = window.as_millis() * missing / u128::from(counted.max(1));
    let rest = Duration::from_millis(u64::try_from(rest_ms).unwrap_or(u64::MAX));
    let again = rest.clamp(Duration::from_secs(1), Duration::from_secs(20));
    Round {
        verdict,
        text: format!("{text}, {wanted} wanted"),
        again,
        unanswered: false,
    }
}

async fn count(context: &Context<'_>, window: Duration) -> Result<Option<u64>, Stop> {
    match &context.step.count_query {
        Some(query) => count_over(context, query, window).await,
        None => Ok(None),
    }
}

/// Requests in `window`, by `query`; `None` if it has no value.
pub(super) async fn count_over(
    context: &Context<'_>,
    query: &str,
    window: Duration,
) -> Result<Option<u64>, Stop> {
    let base = &context.terms.prometheus;
    let values = value_of(context, base, Language::Prom, query, window).await?;
    let Ok(values) = values else { return Ok(None) };
    let sum: f64 = values.iter().sum();
    if values.is_empty() || !sum.is_finite() || sum < 0.0 {
        return Ok(None);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; a count of requests is far below 2^53"
    )]
    let count = sum.floor() as u64;
    Ok(Some(count))
}

/// An empty answer of Loki is a zero only if lines of the same streams have arrived in the same time, of whatever level: services
/// that are well say so now and then. Otherwise nobody may be sending any.
async fn silence_is_zero(context: &Context<'_>, base: &str, query: &str, window: Duration) -> bool {
    let Some(streams) = streams(query) else {
        return false;
    };
    let query = format!("sum(count_over_time({streams}[$WINDOW]))");
    let lines = value_of(context, base, Language::Log, &query, window).await;
    matches!(lines, Ok(Ok(values)) if values.iter().any(|value| *value > 0.0))
}

/// The streams that a LogQL query reads, whatever the level: its first selector without the matchers of `level`.
fn streams(query: &str) -> Option<String> {
    let (_, rest) = query.split_once('{')?;
    let (selector, _) = rest.split_once('}')?;
    let matchers: Vec<&str> = selector
        .split(',')
        .map(str::trim)
        .filter(|matcher| !matcher.starts_with("level"))
        .collect();
    (!matchers.is_empty()).then(|| format!("{{{}}}", matchers.join(", ")))
}

/// Values, or why there are none; refusals end the step.
async fn value_of(
    context: &Context<'_>,
    base: &str,
    language: Language,
    query: &str,
    window: Duration,
) -> Result<Result<Vec<f64>, String>, Stop> {
    let query = substitute(context, query, window).await?;
    match context.queries.ask(base, language, &query).await {
        Ok(values) => Ok(Ok(values)),
        Err(QueryError::Unavailable(why)) => Ok(Err(why)),
        Err(QueryError::Refused(why)) => Err(Stop::Failed(format!("query refused: {why}"))),
    }
}

async fn substitute(context: &Context<'_>, query: &str, window: Duration) -> Result<String, Stop> {
    let mut live = Vec::new();
    if uses(query, "LIVE_PODS") {
        for service in context.services() {
            let soon = context.ports.clock.now() + SignedDuration::from_secs(5);
            let budget = context.budget.within(soon);
            let pods = context
                .cluster
                .list_pods(&service.selector, &budget)
                .await?;
            live.extend(
                pods.iter()
                    .filter(|pod| is_live(pod))
                    .map(ResourceExt::name_any),
            );
        }
        live.sort();
    }
    let service = context
        .step
        .service
        .as_ref()
        .and_then(|name| context.plan.service(name));
    let value = |name: &str| match name {
        "WINDOW" => Some(format!("{}s", window.as_secs().max(1))),
        "LIVE_PODS" => Some(live.join("|")),
        _ => known_placeholder(name, context.terms.namespace, context.plan, service),
    };
    fill(query, value).map_err(|name| {
        Stop::from(Error::Placeholder {
            name,
            step: context.step.name.clone(),
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Verdict, streams, with_requests};

    #[test]
    fn the_streams_of_a_query_are_its_selector_without_the_level() {
        let query =
            r#"sum(count_over_time({namespace="a", app="gateway", level="error"}[$WINDOW]))"#;
        assert_eq!(
            streams(query).as_deref(),
            Some(r#"{namespace="a", app="gateway"}"#)
        );
        assert_eq!(streams(r#"count_over_time({level="error"}[5m])"#), None);
        assert_eq!(streams("up"), None);
    }

    fn round(verdict: Verdict, counted: Option<u64>) -> (Verdict, u64) {
        let round = with_requests(
            verdict,
            "value 0",
            counted,
            30_000,
            Duration::from_secs(100),
        );
        (round.verdict, round.again.as_secs())
    }

    #[test]
    fn too_few_requests_are_never_a_pass() {
        assert_eq!(round(Verdict::Holds, None), (Verdict::Unknown, 5));
        assert_eq!(round(Verdict::Holds, Some(0)), (Verdict::Unknown, 20));
        assert_eq!(round(Verdict::Holds, Some(29_999)), (Verdict::Unknown, 1));
        assert_eq!(round(Verdict::Holds, Some(30_000)), (Verdict::Holds, 5));
    }

    #[test]
    fn the_wait_is_as_long_as_the_missing_requests_take() {
        assert_eq!(round(Verdict::Holds, Some(27_000)), (Verdict::Unknown, 11));
    }

    #[test]
    fn a_breach_is_one_however_few_requests_there_were() {
        assert_eq!(round(Verdict::Refuted, Some(10)).0, Verdict::Refuted);
    }
}
