//! One look over the window of the proof, and from when on it is looked over again if it is spoilt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer::Answer;
use super::context::{Context, Stop};
use super::holding::Round;
use super::proof::{Pods, Proof};
use super::query::{
    LOOK, POLL, Question, SETTLE, UNANSWERED, before, count_since, evaluate, question, signed,
};
use super::symptom::{self, Symptom};
use crate::placeholders::uses;
use crate::planner::PlannedStep;
use crate::queries::Language;
use crate::runbook::Phase;
use crate::verdict::ConditionVerdict;

/// Within two scrapes what happened is counted: where nothing more is counted from an instant on, that much later
/// nothing happened.
const COUNTED: SignedDuration = SignedDuration::from_secs(4);

/// One look over the window: at the pods, at what the proof asked before if the window began anew, at what this step
/// asks, and at the trigger.
pub(super) async fn look_back(
    context: &Context<'_>,
    proof: &mut Proof,
    own: Question<'_>,
) -> Result<Round, Stop> {
    match proof.look_at_pods(context).await? {
        Pods::Sound => {}
        Pods::Unanswered(why) => return Ok(Round::unanswered(format!("no data: {why}"))),
        Pods::Unsound(why) => {
            expect_requests(context, proof, own, None, None).await?;
            return Ok(Round::answered(ConditionVerdict::Unknown, why, UNANSWERED));
        }
    }
    let now = context.ports.clock.now();
    let window = proof.window(now);
    if window < SETTLE {
        let text = format!(
            "the window is only {} ms long{}",
            window.as_millis(),
            proof.told()
        );
        return Ok(Round::answered(
            ConditionVerdict::Unknown,
            text,
            SETTLE - window,
        ));
    }
    let mut round = ask(context, proof, own, now).await?;
    if round.verdict != ConditionVerdict::Refuted && !round.unanswered {
        round = with_symptom(context, proof, own, now, round).await?;
    }
    round.text.push_str(&proof.told());
    Ok(round)
}

/// What the questions of the proof say of the window up to `now`.
async fn ask(
    context: &Context<'_>,
    proof: &mut Proof,
    own: Question<'_>,
    now: Timestamp,
) -> Result<Round, Stop> {
    let window = proof.window(now);
    let mut round = Round::answered(ConditionVerdict::Unknown, String::new(), POLL);
    let mut looked_from = proof.from();
    for question in asked(context, proof, own) {
        let logs =
            (question.language == Language::Log).then(|| *proof.logs_until.get_or_insert(now));
        let answer = evaluate(context, question, proof.from(), logs).await?;
        looked_from = answer
            .from
            .map_or(looked_from, |from| from.max(looked_from));
        if let Some(counted) = answer.counted {
            proof.rate = Some(per_second(counted, window));
        }
        if question.language == Language::Log && answer.missing > 0 {
            // The window still grows, and lines must come up to its end.
            proof.logs_until = None;
        }
        round = answer.round();
        round.goes_on = answer.unanswered;
        if Proof::may_slide(context, now)
            && let Some(why) = answer.spoilt()
        {
            let Some(clean) = clean_since(context, question, window).await? else {
                let text = format!("{why}; since when that is over can't be told: no data");
                return Ok(Round::unanswered(text));
            };
            begin_anew(context, proof, own, (clean, &why), window).await?;
            round.again = SETTLE;
        } else if round.verdict == ConditionVerdict::Unknown && !round.unanswered {
            let total = answer.counted;
            let total = total.map(|counted| counted.saturating_add(answer.missing));
            expect_requests(context, proof, own, None, total).await?;
        }
        if round.verdict != ConditionVerdict::Holds {
            break;
        }
    }
    if round.verdict == ConditionVerdict::Holds {
        proof.looked(looked_from);
    }
    Ok(round)
}

/// `round`, if the trigger agrees: nothing is recovered while it fires, whatever the questions of the proof say.
async fn with_symptom(
    context: &Context<'_>,
    proof: &mut Proof,
    own: Question<'_>,
    now: Timestamp,
    mut round: Round,
) -> Result<Round, Stop> {
    let trigger = symptom::trigger_of(context);
    let debounce = trigger.map_or(LOOK, |trigger| trigger.hold_for);
    let symptom = match trigger {
        Some(trigger) => symptom::look(context, trigger, proof.from(), now).await?,
        None => Symptom::Gone,
    };
    match symptom {
        Symptom::Gone => {
            // Often enough that it can't fire between two looks.
            round.again = round.again.min(debounce.max(POLL));
            Ok(round)
        }
        Symptom::Holds(text) => {
            // By then it fires or is over.
            context.budget.announced(now + signed(debounce + 2 * POLL));
            if round.verdict == ConditionVerdict::Holds {
                round = Round::answered(ConditionVerdict::Unknown, text, POLL);
                // It may be a burst that is over before it counts.
                round.goes_on = true;
            }
            round.again = round.again.min(POLL);
            Ok(round)
        }
        Symptom::Fires(text) => {
            if context.step.phase != Phase::Run {
                // Once it is over, the query would tell nothing of it any more.
                let why = format!("{text}, after the recovery was proven");
                return Err(Stop::Failed(why));
            }
            let window = proof.window(now);
            begin_anew(context, proof, own, (now, &text), window).await?;
            Ok(Round::answered(ConditionVerdict::Refuted, text, POLL))
        }
        Symptom::Unanswered(why) if round.verdict == ConditionVerdict::Holds => {
            Ok(Round::unanswered(format!("no data of the trigger: {why}")))
        }
        Symptom::Unanswered(_) => Ok(round),
    }
}

/// What is asked of the window: the step's `own` question, or every one of the proof if it began anew.
///
/// Where it began anew after the proof, the requests need not come again by which the proof has shown a rate. What must
/// be seen is that whatever spoilt the window has passed: a step looks on for its whole hold, in which none of the
/// questions may fail over what came since. That is no less than what it sees where nothing happens. A step that asks
/// once looks on for nothing, and what it sees anew must show all of it.
fn asked<'a>(context: &Context<'a>, proof: &Proof, own: Question<'a>) -> Vec<Question<'a>> {
    let (mut questions, passed) = if proof.has_moved() {
        (so_far(context), looks_on(context).is_some())
    } else {
        (vec![own], context.facts.disturbed)
    };
    let passed = passed && context.step.phase == Phase::After;
    for question in questions.iter_mut().filter(|_| passed) {
        if shown(context).any(|shown| shown.covers(question)) {
            *question = question.shown_before();
        }
    }
    questions
}

/// Every question of the proof up to the step's own.
fn so_far<'a>(context: &Context<'a>) -> Vec<Question<'a>> {
    let proof = |step: &&PlannedStep| step.index == context.step.index || step.phase == Phase::Run;
    context.plan.steps[..=context.step.index]
        .iter()
        .filter(proof)
        .filter_map(question)
        .filter(|question| uses(question.query, "WINDOW"))
        .collect()
}

/// The questions that held in the proof.
fn shown<'a>(context: &Context<'a>) -> impl Iterator<Item = Question<'a>> {
    let facts = context.facts;
    let proof = context
        .plan
        .steps
        .iter()
        .filter(|step| step.phase == Phase::Run);
    proof
        .filter(|step| facts.succeeded(step.index))
        .filter_map(question)
}

/// For how long the step looks on whether the application stays recovered, if it does.
fn looks_on(context: &Context<'_>) -> Option<Duration> {
    let after = context.step.phase == Phase::After;
    context.step.hold.filter(|_| after)
}

/// Since when nothing is seen any more of what spoilt the window, to within a second: found by bisecting it. Now, if
/// that is so of no part of it; `None` if the server does not say.
async fn clean_since(
    context: &Context<'_>,
    question: Question<'_>,
    window: Duration,
) -> Result<Option<Timestamp>, Stop> {
    let clock = &context.ports.clock;
    let mut since = clock.now();
    let (mut clean, mut spoilt) = (0, window.as_secs());
    while let Some(part) = between(clean, spoilt) {
        let began = before(clock.now(), Duration::from_secs(part));
        let answer = evaluate(context, question, began, None).await?;
        if answer.unanswered {
            return Ok(None);
        }
        if is_clean(question, &answer) {
            clean = part;
            since = answer.from.unwrap_or(began);
        } else {
            spoilt = part;
        }
    }
    // Lines of a log bear their own time.
    let counted = match question.language {
        Language::Prom => COUNTED,
        Language::Log => SignedDuration::ZERO,
    };
    Ok(Some((since + counted).min(clock.now())))
}

/// The middle of what is not known, in whole seconds.
fn between(clean: u64, spoilt: u64) -> Option<u64> {
    (spoilt > clean + 1).then(|| clean + (spoilt - clean) / 2)
}

/// Whether a part of the window has nothing in it that would spoil it: no failure at all, where requests are counted.
fn is_clean(question: Question<'_>, answer: &Answer) -> bool {
    if question.requests.is_some() {
        answer.verdict != ConditionVerdict::Refuted && answer.value == Some(0.0)
    } else {
        answer.verdict == ConditionVerdict::Holds
    }
}

/// The `window`, which something spoilt, begins anew `at` an instant, because of `why`. The step's end moves so far
/// that it can be looked at and that it holds enough requests, if the reserve allows that. It may hold enough already
/// though the time of the step is over: servers that did not answer took it.
async fn begin_anew(
    context: &Context<'_>,
    proof: &mut Proof,
    own: Question<'_>,
    (at, why): (Timestamp, &str),
    window: Duration,
) -> Result<(), Stop> {
    if proof.begin_anew(at, why) {
        let look = context.ports.clock.now() + signed(LOOK);
        context.budget.announced(look.min(context.budget.last()));
    }
    expect_requests(context, proof, own, Some(window), None).await
}

/// Moves the step's end to when the window will hold enough requests, if the reserve allows that: as many as the
/// runbook asks for, and `total` if failures in the window make that more. Otherwise waiting is useless, and the end
/// stays, once requests were counted in a window that nothing spoilt. Who looks on after the proof looks on for the
/// whole hold once more where the window began anew.
async fn expect_requests(
    context: &Context<'_>,
    proof: &mut Proof,
    own: Question<'_>,
    counted_over: Option<Duration>,
    total: Option<u64>,
) -> Result<(), Stop> {
    if let Some(hold) = looks_on(context).filter(|_| proof.has_moved()) {
        let held = proof.from() + signed(hold) + signed(SETTLE);
        context.budget.announced(held.min(context.budget.last()));
    }
    let asked = asked(context, proof, own);
    let wanted = asked.iter().filter_map(|it| {
        let requests = it.requests?;
        Some((requests.wanted?, requests.count))
    });
    let Some((wanted, count)) = wanted.max_by_key(|it| it.0) else {
        return Ok(());
    };
    if let (None, Some(count)) = (proof.rate, count) {
        let over = counted_over.unwrap_or(LOOK);
        let since = before(context.ports.clock.now(), over);
        // What is not answered leaves the step's end where it is.
        let counted = count_since(context, count, since)
            .await?
            .unwrap_or_default();
        proof.rate = counted.map(|counted| per_second(counted, over));
    }
    let Some(rate) = proof.rate.filter(|rate| *rate > 0.0) else {
        return Ok(());
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number of requests is far below 2^52"
    )]
    let seconds = wanted.max(total.unwrap_or(0)) as f64 / rate;
    let Ok(takes) = Duration::try_from_secs_f64(seconds) else {
        return Ok(());
    };
    // What is counted lags behind by a scrape or two.
    let enough = proof.from() + signed(takes) + signed(SETTLE);
    let last = context.budget.last();
    if enough <= last {
        context.budget.announced(enough);
    } else if counted_over.is_some() {
        // They were counted over what has just been found spoilt, in which fewer may have come than do now. Whether
        // it is too late shows in a look at the new window.
        proof.rate = None;
        let look = proof.from() + signed(LOOK);
        context.budget.announced(look.min(last));
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a number of requests is far below 2^52"
)]
fn per_second(counted: u64, window: Duration) -> f64 {
    counted as f64 / window.as_secs_f64().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn bisecting_comes_to_the_very_second() {
        for (window, boundary) in [(160, 81), (160, 0), (160, 159), (3, 1), (1, 0), (0, 0)] {
            let (mut clean, mut spoilt, mut looks) = (0, window, 0);
            while let Some(part) = between(clean, spoilt) {
                looks += 1;
                if part <= boundary {
                    clean = part;
                } else {
                    spoilt = part;
                }
            }
            assert_eq!(clean, boundary, "of {window}");
            assert!(looks <= 8, "{looks} looks");
        }
    }
}
