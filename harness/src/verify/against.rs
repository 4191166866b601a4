//! What the pairs of one scenario say against the candidate.

use super::Question;
use super::compare::{Comparison, IMPACT_P99, Measure, RTO_P99};
use super::interval::{confidence, pairs_to_settle, share_ppm};
use super::judge::{Answer, Reason};
use super::show::{signed_ms, tenths_of_percent};
use crate::stats::show_ms;
use crate::verdict::Verdict;

/// Every reason that they give; none if they give none.
pub(super) fn of(question: &Question, comparison: &Comparison, alpha_ppm: u64) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(newly_failing(comparison));
    for answer in [Answer::Reject, Answer::Inconclusive] {
        let times = slower(question, comparison, answer);
        reasons.extend(times.into_iter().map(|(measure, margin)| {
            grown(question, comparison, answer, measure, margin, alpha_ppm)
        }));
    }
    reasons.extend(newly_inconclusive(comparison));
    reasons.extend(for_a_person(comparison));
    reasons
}

/// Whether a measure rests on fewer pairs than a scenario needs: an interval from a handful is as narrow as chance has it, of one pair it
/// has no width at all.
fn is_handful(question: &Question, measure: &Measure) -> bool {
    measure.pairs < question.terms.pairs_min
}

/// The times that are slower by more than the margin: surely ([`Answer::Reject`]), or maybe ([`Answer::Inconclusive`]). From a handful of
/// pairs nothing is sure.
pub(super) fn slower<'a>(
    question: &Question,
    comparison: &'a Comparison,
    how: Answer,
) -> Vec<(&'a Measure, i64)> {
    [RTO_P99, IMPACT_P99]
        .iter()
        .filter_map(|name| comparison.measure(name))
        .map(|measure| {
            (
                measure,
                question.terms.margin.of(measure.difference.baseline),
            )
        })
        .filter(|(measure, margin)| {
            let (surely, maybe) = (
                !is_handful(question, measure) && measure.difference.low > *margin,
                measure.difference.high > *margin,
            );
            match how {
                Answer::Reject => surely,
                _ => maybe && !surely,
            }
        })
        .collect()
}

fn newly_failing(comparison: &Comparison) -> Option<Reason> {
    let (name, all) = (&comparison.scenario.name, comparison.pairs.len() as u64);
    let failing = comparison.counts.newly_failing;
    let first = comparison.first_newly_failing()?;
    let (oracle, reason) = first.candidate.trouble.clone().unwrap_or_default();
    let (low, high) = share_ppm(failing, all);
    Some(Reason {
        answer: Answer::Reject,
        text: format!(
            "{name}: {failing} of {all} drills that the baseline passes fail (95 %: {} to {}), the first by `{oracle}`: {reason}",
            tenths_of_percent(low),
            tenths_of_percent(high)
        ),
        remedy: None,
    })
}

/// A time that grew by more than its margin, or may have.
fn grown(
    question: &Question,
    comparison: &Comparison,
    answer: Answer,
    measure: &Measure,
    margin: i64,
    alpha_ppm: u64,
) -> Reason {
    let d = &measure.difference;
    let few = is_handful(question, measure);
    let remedy = (answer == Answer::Inconclusive).then(|| match pairs_to_settle(d, margin, measure.pairs) {
        _ if few => format!("--seeds {}", question.terms.pairs_min),
        Some(pairs) => format!("some {pairs} seeds would narrow it down: --seeds {pairs}"),
        None => "the difference is about the margin itself: no number of seeds settles that; choose --margin".to_owned(),
    });
    let how_sure = if few {
        let plural = if measure.pairs == 1 { "" } else { "s" };
        format!(
            "{} pair{plural}, too few to tell it from chance",
            measure.pairs
        )
    } else {
        let (low, high) = (signed_ms(d.low), signed_ms(d.high));
        format!("{} %: {low} to {high}", confidence(alpha_ppm))
    };
    let verb = match answer {
        Answer::Reject => "grows by",
        _ => "may grow by more than the margin:",
    };
    Reason {
        answer,
        text: format!(
            "{}: {} {verb} {} ({how_sure}), and the margin is {}",
            comparison.scenario.name,
            measure.name,
            signed_ms(d.value()),
            show_ms(margin.unsigned_abs())
        ),
        remedy,
    }
}

fn newly_inconclusive(comparison: &Comparison) -> Option<Reason> {
    let (name, all) = (&comparison.scenario.name, comparison.pairs.len() as u64);
    let silent = comparison.counts.newly_inconclusive;
    if silent == 0 {
        return None;
    }
    let first = comparison.pairs.iter().find(|p| {
        p.candidate.verdict == Verdict::Inconclusive && p.baseline.verdict != Verdict::Inconclusive
    });
    let why = first
        .and_then(|p| p.candidate.trouble.clone())
        .map_or_else(String::new, |(oracle, reason)| {
            format!(", the first by `{oracle}`: {reason}")
        });
    Some(Reason {
        answer: Answer::Inconclusive,
        text: format!(
            "{name}: {silent} of {all} drills show something under the baseline and nothing under the candidate{why}"
        ),
        remedy: Some("no number of seeds settles that: look at why".to_owned()),
    })
}

/// Less evidence and more left to do: no number decides whether that may be.
fn for_a_person(comparison: &Comparison) -> Vec<Reason> {
    let name = &comparison.scenario.name;
    let less = |name: &str| comparison.measure(name).map(|m| m.difference);
    let reason = |text, question: &str| Reason {
        answer: Answer::Inconclusive,
        text,
        remedy: Some(format!("a person must say whether {question}")),
    };
    let without = "the post-mortem can do without";
    let mut reasons = Vec::new();
    if let Some(d) = less("files kept, fewest").filter(|d| d.high < 0) {
        let text = format!(
            "{name}: less evidence is kept, {} files instead of {}",
            d.candidate, d.baseline
        );
        reasons.push(reason(text, without));
    }
    if let Some(d) = less("log lines kept, median")
        .filter(|d| d.high < 0 && d.candidate.saturating_mul(2) < d.baseline)
    {
        let text = format!(
            "{name}: {} lines of the bad release's logs are kept instead of {}",
            d.candidate, d.baseline
        );
        reasons.push(reason(text, without));
    }
    if let Some(d) = less("steps left to a person").filter(|d| d.low > 0) {
        let text = format!(
            "{name}: {} steps are left to a person instead of {}, over all drills",
            d.candidate, d.baseline
        );
        reasons.push(reason(text, "that is wanted"));
    }
    reasons
}
