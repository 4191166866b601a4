//! Checks by query. Three answers: yes, no, and too little to tell, which is never a yes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::answer::{Answer, judged, told, with_requests};
use super::context::{Context, Stop, Success, too_late};
use super::heard;
use super::holding::{Holding, Round};
use super::pod_logs;
use super::pods;
use super::proof::Proof;
use super::silence;
use super::window::look_back;
use crate::error::Error;
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
/// No range of a query is shorter.
const SHORTEST: Duration = Duration::from_secs(1);
/// Nobody waits for requests for longer without a look.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// What a query step asks, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) language: Language,
    pub(super) query: &'a str,
    pub(super) condition: Condition,
    /// What it is held against, if it asks for requests.
    pub(super) requests: Option<Requests<'a>>,
}

/// The requests that a question is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requests<'a> {
    /// How many the window must hold, so that they show the rate. `None`: those that came; the rate was shown before.
    pub(super) wanted: Option<u64>,
    /// The query that counts them.
    pub(super) count: Option<&'a str>,
}

/// `promql`, `logcli query`.
pub(super) async fn ask(context: &Context<'_>) -> Result<Success, Stop> {
    let question = question(context.step).ok_or_else(unexpecting)?;
    let mut holding = Holding::default();
    let mut proof = Proof::of(context);
    loop {
        let began = context.ports.clock.now();
        let moves = proof.moves();
        // Asked first, so that it is no later than what the query is answered from.
        let heard = if question.language == Language::Prom && holding.may_be_done(context, began) {
            heard::last_heard(context, question, proof.from()).await?
        } else {
            Ok(Duration::ZERO)
        };
        let mut round = if uses(question.query, "WINDOW") {
            look_back(context, &mut proof, question).await?
        } else {
            evaluate(context, question, proof.from(), Some(began))
                .await?
                .round()
        };
        if proof.moves() > moves {
            holding.begin_anew();
        }
        if round.verdict == ConditionVerdict::Holds {
            match heard {
                // The last look holds up to there, and what came since may still be a failure.
                Ok(ago) => round.until = Some(before(began, ago)),
                Err(why) => round = Round::unanswered(format!("no data: {why}")),
            }
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
        requests: step.min_requests.map(|wanted| Requests {
            wanted: Some(wanted),
            count: counted,
        }),
    })
}

impl Question<'_> {
    /// Whether what shows that this holds shows as much of `other`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let asks = |it: &Self| (it.language, it.condition);
        let wanted = |it: &Self| it.requests.and_then(|requests| requests.wanted);
        asks(self) == asks(other) && self.query == other.query && wanted(self) >= wanted(other)
    }

    /// The same of a window in which the rate need not be shown once more.
    pub(super) fn shown_before(mut self) -> Self {
        if let Some(requests) = &mut self.requests {
            requests.wanted = None;
        }
        self
    }
}

fn unexpecting() -> Stop {
    Stop::Failed("the step does not say what to expect (rb.expect)".to_owned())
}

pub(super) fn condition(context: &Context<'_>) -> Result<Condition, Stop> {
    context.step.expect.ok_or_else(unexpecting)
}

/// Asks `question` over the time from `since` up to now. That there are no lines counts only if all that were written
/// until `logs_until` have arrived.
pub(super) async fn evaluate(
    context: &Context<'_>,
    question: Question<'_>,
    since: Timestamp,
    logs_until: Option<Timestamp>,
) -> Result<Answer, Stop> {
    let (values, source) = match values(context, question, since).await? {
        Ok(found) => found,
        Err(unknown) => return Ok(unknown),
    };
    let mut answer = held_against(context, question, &values, &source, since).await?;
    answer.from = Some(values.from);
    if let (Language::Log, Some(base), Some(until)) =
        (question.language, context.terms.loki, logs_until)
        && answer.verdict != ConditionVerdict::Refuted
        && let Err(why) = silence::is_told(context, base, question.query, since, until).await?
    {
        let mut unanswered = Answer::unanswered(&why);
        unanswered.again = POLL;
        return Ok(unanswered);
    }
    Ok(answer)
}

/// What the `seen` values of `question` say.
async fn held_against(
    context: &Context<'_>,
    question: Question<'_>,
    seen: &Seen,
    source: &str,
    since: Timestamp,
) -> Result<Answer, Stop> {
    let (condition, values) = (question.condition, &seen.values);
    let Some(Requests { wanted, count }) = question.requests else {
        return Ok(judged(values, condition, source));
    };
    let counted = match count {
        Some(query) => count_since(context, query, since).await?,
        None => Ok(None),
    };
    let counted = match counted {
        Ok(counted) => counted,
        Err(why) => return Ok(Answer::unanswered(&why)),
    };
    let Some(counted) = counted else {
        let text = format!(
            "{}; requests can't be counted",
            told(values, condition, source)
        );
        return Ok(Answer::silent(text));
    };
    let window = seen.window;
    Ok(match question.language {
        Language::Prom => with_requests(values, condition, source, counted, wanted, window),
        // Lines of failures, held against the requests.
        Language::Log => {
            let rates: Vec<f64> = values
                .iter()
                .map(|lines| per_request(*lines, counted))
                .collect();
            with_requests(&rates, condition, source, counted, wanted, window)
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

/// What a server says of a window.
struct Seen {
    values: Vec<f64>,
    /// How long the window is.
    window: Duration,
    /// Where it begins at the latest: the server may have looked at any time up to its answer.
    from: Timestamp,
}

/// The values of a query and where they come from, or an answer that there are none.
async fn values(
    context: &Context<'_>,
    question: Question<'_>,
    since: Timestamp,
) -> Result<Result<(Seen, String), Answer>, Stop> {
    let base = match (question.language, context.terms.loki) {
        (Language::Prom, _) => context.terms.prometheus,
        (Language::Log, Some(loki)) => loki,
        (Language::Log, None) => {
            let (query, window) = match substitute(context, question.query, since).await? {
                Ok(filled) => filled,
                Err(why) => return Ok(Err(Answer::unanswered(&why))),
            };
            return Ok(match pod_logs::count(context, &query).await? {
                Ok(counted) => {
                    let lines = u32::try_from(counted.lines).unwrap_or(u32::MAX);
                    let seen = Seen {
                        values: vec![f64::from(lines)],
                        window,
                        from: counted.from,
                    };
                    let pods = counted.pods;
                    let source =
                        format!(", from the logs of {pods} pods: the runbook names no Loki");
                    Ok((seen, source))
                }
                Err(none) => Err(none),
            });
        }
    };
    let seen = value_of(context, base, question.language, question.query, since).await?;
    let mut seen = match seen {
        Ok(seen) => seen,
        Err(why) => return Ok(Err(Answer::unanswered(&why))),
    };
    // A zero, if all lines have arrived.
    if question.language == Language::Log && seen.values.is_empty() {
        seen.values.push(0.0);
    }
    Ok(Ok((seen, String::new())))
}

/// Requests from `since` up to now, by `query`; `None` if it has no value. Or why the server did not say.
pub(super) async fn count_since(
    context: &Context<'_>,
    query: &str,
    since: Timestamp,
) -> Result<Result<Option<u64>, String>, Stop> {
    let base = &context.terms.prometheus;
    let values = match value_of(context, base, Language::Prom, query, since).await? {
        Ok(seen) => seen.values,
        Err(why) => return Ok(Err(why)),
    };
    let sum: f64 = values.iter().sum();
    if values.is_empty() || !sum.is_finite() || sum < 0.0 {
        return Ok(Ok(None));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; a count of requests is far below 2^53"
    )]
    let count = sum.floor() as u64;
    Ok(Ok(Some(count)))
}

/// Values, or why there are none; refusals end the step.
async fn value_of(
    context: &Context<'_>,
    base: &str,
    language: Language,
    query: &str,
    since: Timestamp,
) -> Result<Result<Seen, String>, Stop> {
    let (query, window) = match substitute(context, query, since).await? {
        Ok(filled) => filled,
        Err(why) => return Ok(Err(why)),
    };
    let values = answered(context.queries.ask(base, language, &query).await)?;
    Ok(values.map(|values| Seen {
        values,
        window,
        from: before(context.ports.clock.now(), window),
    }))
}

/// What a server answered, or why it did not; a refusal ends the step.
pub(super) fn answered<T>(answer: Result<T, QueryError>) -> Result<Result<T, String>, Stop> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(QueryError::Unavailable(why)) => Ok(Err(why)),
        Err(QueryError::Refused(why)) => Err(Stop::Failed(format!("query refused: {why}"))),
    }
}

/// The instant that is `window` before `at`.
pub(super) fn before(at: Timestamp, window: Duration) -> Timestamp {
    at - signed(window)
}

/// The duration as instants take it.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or_default()
}

/// The query as it is asked of the time from `since` up to now, with the length of that window; or why that can't be
/// told. A window is never cut down to whole seconds: a later look, whose window would be cut by less, would see what
/// this one left out.
pub(super) async fn substitute(
    context: &Context<'_>,
    query: &str,
    since: Timestamp,
) -> Result<Result<(String, Duration), String>, Stop> {
    let mut live = Vec::new();
    if uses(query, "LIVE_PODS") {
        for service in context.services() {
            match pods::glance(context, &service.selector).await? {
                Ok(pods) => live.extend(pods.iter().map(ResourceExt::name_any)),
                Err(why) => return Ok(Err(why)),
            }
        }
        live.sort();
    }
    let service = context
        .step
        .service
        .as_ref()
        .and_then(|name| context.plan.service(name));
    let window = context.ports.clock.now().duration_since(since);
    let window = Duration::try_from(window).unwrap_or_default().max(SHORTEST);
    let value = |name: &str| match name {
        "WINDOW" => Some(format!("{}ms", window.as_millis())),
        "LIVE_PODS" => Some(live.join("|")),
        _ => known_placeholder(name, context.terms.namespace, context.plan, service),
    };
    let filled = fill(query, value).map_err(|name| {
        Stop::from(Error::Placeholder {
            name,
            step: context.step.name.clone(),
        })
    })?;
    Ok(Ok((filled, window)))
}

/// What a question comes to for which the API server did not answer: it is asked again. Whoever must not act any more
/// stops.
pub(super) fn no_data<T>(error: Error) -> Result<Result<T, String>, Stop> {
    match Stop::from(error) {
        Stop::Unanswered(why) => Ok(Err(why)),
        stop => Err(stop),
    }
}
