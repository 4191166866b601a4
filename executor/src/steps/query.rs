//! Checks by query. Three answers: yes, no, and too little to tell, which is never a yes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::answer::{Answer, judged, told, with_requests};
use super::context::{Context, Stop, Success, too_late};
use super::holding::Holding;
use super::pod_logs;
use super::proof::Proof;
use super::silence;
use super::window::look_back;
use crate::error::Error;
use crate::kubernetes::is_live;
use crate::placeholders::{fill, uses};
use crate::planner::{PlannedStep, known_placeholder};
use crate::queries::{Language, QueryError};
use crate::runbook::{Command, Condition, Phase};
use crate::verdict::ConditionVerdict;

/// Between two looks at an answer that did not decide.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// A server that did not answer is asked again sooner than one that did.
pub(super) const UNANSWERED: Duration = Duration::from_secs(1);
/// Two scrapes at least must lie in a window before a rate has a value.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// Nobody waits for requests for longer without a look.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// What a query step asks, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) language: Language,
    pub(super) query: &'a str,
    pub(super) condition: Condition,
    /// How many requests the window must hold, and the query that counts them.
    pub(super) requests: Option<(u64, Option<&'a str>)>,
}

/// `promql`, `logcli query`.
pub(super) async fn ask(context: &Context<'_>) -> Result<Success, Stop> {
    let question = question(context.step).ok_or_else(unexpecting)?;
    let mut holding = Holding::default();
    let mut proof = Proof::of(context);
    loop {
        let began = context.ports.clock.now();
        let moves = proof.moves();
        let round = if uses(question.query, "WINDOW") {
            look_back(context, &mut proof, question).await?
        } else {
            let window = proof.window(began);
            evaluate(context, question, window, Some(began))
                .await?
                .round()
        };
        if proof.moves() > moves {
            holding.begin_anew();
        }
        if round.verdict != ConditionVerdict::Holds
            && context.step.phase == Phase::Run
            && proof.has_moved()
            && context.budget.too_late(proof.start())
        {
            return Err(Stop::Failed(too_late(context, &round.text)));
        }
        if let Some(success) = holding.judge(context, began, round).await? {
            return Ok(proof.record(success));
        }
    }
}

/// What `step` asks; `None` if it is no query or expects nothing.
pub(super) fn question(step: &PlannedStep) -> Option<Question<'_>> {
    let (language, query) = match &step.command {
        Command::PromQuery { query } => (Language::Prom, query),
        Command::LogQuery { query } => (Language::Log, query),
        _ => return None,
    };
    let counted = step.count_query.as_deref();
    Some(Question {
        language,
        query,
        condition: step.expect?,
        requests: step.min_requests.map(|wanted| (wanted, counted)),
    })
}

fn unexpecting() -> Stop {
    Stop::Failed("the step does not say what to expect (rb.expect)".to_owned())
}

pub(super) fn condition(context: &Context<'_>) -> Result<Condition, Stop> {
    context.step.expect.ok_or_else(unexpecting)
}

/// Asks `question` over `window` up to now. That there are no lines counts only if all that were written until
/// `logs_until` have arrived.
pub(super) async fn evaluate(
    context: &Context<'_>,
    question: Question<'_>,
    window: Duration,
    logs_until: Option<Timestamp>,
) -> Result<Answer, Stop> {
    let (values, from) = match values(context, question, window).await? {
        Ok(found) => found,
        Err(unknown) => return Ok(unknown),
    };
    let answer = held_against(context, question, &values, &from, window).await?;
    if let (Language::Log, Some(base), Some(until)) =
        (question.language, context.terms.loki, logs_until)
        && answer.verdict != ConditionVerdict::Refuted
        && let Err(why) = silence::is_told(context, base, question.query, window, until).await?
    {
        let mut unanswered = Answer::unanswered(&why);
        unanswered.again = POLL;
        return Ok(unanswered);
    }
    Ok(answer)
}

/// What the values of `question` say.
async fn held_against(
    context: &Context<'_>,
    question: Question<'_>,
    values: &[f64],
    from: &str,
    window: Duration,
) -> Result<Answer, Stop> {
    let condition = question.condition;
    let Some((wanted, count)) = question.requests else {
        return Ok(judged(values, condition, from));
    };
    let counted = match count {
        Some(query) => count_over(context, query, window).await?,
        None => None,
    };
    let Some(counted) = counted else {
        let text = format!(
            "{}; requests can't be counted",
            told(values, condition, from)
        );
        return Ok(Answer::of(ConditionVerdict::Unknown, text, None));
    };
    Ok(match question.language {
        Language::Prom => with_requests(values, condition, from, counted, wanted, window),
        // Lines of failures, held against the requests.
        Language::Log => {
            let rates: Vec<f64> = values
                .iter()
                .map(|lines| per_request(*lines, counted))
                .collect();
            with_requests(&rates, condition, from, counted, wanted, window)
        }
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of requests is far below 2^52"
)]
fn per_request(lines: f64, requests: u64) -> f64 {
    lines / requests.max(1) as f64
}

/// The values of a query and where they come from, or an answer that there are none.
async fn values(
    context: &Context<'_>,
    question: Question<'_>,
    window: Duration,
) -> Result<Result<(Vec<f64>, String), Answer>, Stop> {
    let base = match (question.language, context.terms.loki) {
        (Language::Prom, _) => context.terms.prometheus,
        (Language::Log, Some(loki)) => loki,
        (Language::Log, None) => {
            let query = match substitute(context, question.query, window).await? {
                Ok(query) => query,
                Err(why) => return Ok(Err(Answer::unanswered(&why))),
            };
            return Ok(match pod_logs::count(context, &query).await? {
                Ok((lines, pods)) => {
                    let lines = f64::from(u32::try_from(lines).unwrap_or(u32::MAX));
                    let from = format!(", from the logs of {pods} pods: the runbook names no Loki");
                    Ok((vec![lines], from))
                }
                Err(none) => Err(none),
            });
        }
    };
    let values = value_of(context, base, question.language, question.query, window).await?;
    let mut values = match values {
        Ok(values) => values,
        Err(why) => return Ok(Err(Answer::unanswered(&why))),
    };
    // A zero, if all lines have arrived.
    if question.language == Language::Log && values.is_empty() {
        values.push(0.0);
    }
    Ok(Ok((values, String::new())))
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

/// Values, or why there are none; refusals end the step.
pub(super) async fn value_of(
    context: &Context<'_>,
    base: &str,
    language: Language,
    query: &str,
    window: Duration,
) -> Result<Result<Vec<f64>, String>, Stop> {
    let query = match substitute(context, query, window).await? {
        Ok(query) => query,
        Err(why) => return Ok(Err(why)),
    };
    match context.queries.ask(base, language, &query).await {
        Ok(values) => Ok(Ok(values)),
        Err(QueryError::Unavailable(why)) => Ok(Err(why)),
        Err(QueryError::Refused(why)) => Err(Stop::Failed(format!("query refused: {why}"))),
    }
}

/// The query as it is asked; or why that can't be told.
async fn substitute(
    context: &Context<'_>,
    query: &str,
    window: Duration,
) -> Result<Result<String, String>, Stop> {
    let mut live = Vec::new();
    if uses(query, "LIVE_PODS") {
        for service in context.services() {
            let soon = context.ports.clock.now() + SignedDuration::from_secs(5);
            let budget = context.budget.within(soon);
            let pods = match context.cluster.list_pods(&service.selector, &budget).await {
                Ok(pods) => pods,
                Err(error) => return no_data(error),
            };
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
    fill(query, value).map(Ok).map_err(|name| {
        Stop::from(Error::Placeholder {
            name,
            step: context.step.name.clone(),
        })
    })
}

/// What a question comes to for which the API server did not answer: it is asked again. Whoever must not act any more
/// stops.
pub(super) fn no_data<T>(error: Error) -> Result<Result<T, String>, Stop> {
    match Stop::from(error) {
        Stop::Unanswered(why) => Ok(Err(why)),
        stop => Err(stop),
    }
}
