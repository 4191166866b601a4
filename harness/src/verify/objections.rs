//! What the pairs of the scenarios say against the candidate.

use super::compare::{
    Comparison, FILES, LEFT, LOG_LINES, Measure, Pair, RECOVERY_TIME, UNANSWERED, Unit,
};
use super::exact::{ALPHA_PPM, NEVER, holm, is_rarer, mcnemar, trials_needed, trials_to_show};
use super::reason::{Answer, Reason, Remedy};
use super::show::{tenths_of_percent, value};
use super::{Question, Terms};
use crate::stats::show_count;
use crate::verdict::Verdict;

/// One minus the confidence that is left to each of so many families of tests, which share it in equal parts, 0 to 1.
pub(super) fn alpha(families: u64) -> f64 {
    ALPHA_PPM as f64 / 1_000_000.0 / families.max(1) as f64
}

/// What stands between how often drills fail newly and what the first of them failed by.
pub(super) const FIRST_BY: &str = ", the first by ";

/// The reasons to reject that `comparisons` give as one of `families`: there is one for each interim analysis,
/// against each of the runbooks that the candidate is compared with.
pub(super) fn rejecting(comparisons: &[Comparison], families: u64) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = comparisons.iter().filter_map(newly_harmful).collect();
    reasons.extend(comparisons.iter().filter_map(newly_failing));
    // What may come out so by chance: all of it is one family.
    let mut family: Vec<(f64, Reason)> = Vec::new();
    for comparison in comparisons {
        let counts = comparison.counts;
        if counts.newly_failing > 0 && counts.newly_passing > 0 {
            let p = mcnemar(counts.newly_failing, counts.newly_passing);
            family.push((p, more_often(comparison)));
        }
        for measure in &comparison.measures {
            family.push((measure.sign_test(), worse(comparison, measure)));
        }
    }
    let p_values: Vec<f64> = family.iter().map(|(p, _)| *p).collect();
    let rejected = holm(&p_values, alpha(families));
    let surely = family.into_iter().zip(rejected).filter(|(_, it)| *it);
    reasons.extend(surely.map(|((_, reason), _)| reason));
    reasons
}

/// The reasons that keep it from being adopted, if nothing rejects it.
pub(super) fn doubting(question: &Question, comparisons: &[Comparison], seeds: u64) -> Vec<Reason> {
    let mut reasons = too_often(question, comparisons);
    reasons.extend(comparisons.iter().filter_map(undecided));
    reasons.extend(pooled(&question.terms, comparisons, seeds));
    for comparison in comparisons {
        reasons.extend(newly_inconclusive(comparison));
        reasons.extend(failing_where_unknown(comparison));
        reasons.extend(for_a_person(comparison));
    }
    reasons
}

fn reject(text: String) -> Reason {
    Reason {
        answer: Answer::Reject,
        text,
        remedy: None,
    }
}

fn inconclusive(text: String, remedy: Remedy) -> Reason {
    Reason {
        answer: Answer::Inconclusive,
        text,
        remedy: Some(remedy),
    }
}

/// What decided the candidate's drill, in words.
fn why(pair: &Pair) -> String {
    let trouble = pair.candidate.problem.as_ref();
    trouble.map_or_else(String::new, |finding| {
        format!("`{}`: {finding}", finding.oracle())
    })
}

/// Harm that the baseline does not do, whatever else came of the drills.
fn newly_harmful(comparison: &Comparison) -> Option<Reason> {
    let first = comparison
        .pairs
        .iter()
        .find(|p| p.new_harm().next().is_some())?;
    let kinds: Vec<&str> = first.new_harm().collect();
    // Where the baseline passes, the pair is told as a new failure.
    if first.is_newly_failing() {
        return None;
    }
    Some(reject(format!(
        "{}: the candidate does harm that the baseline does not do ({}) in {} of {} drills; the baseline's are {} there, and that excuses nothing",
        comparison.scenario.name,
        kinds.join(", "),
        comparison.counts.newly_harmful,
        comparison.pairs.len(),
        first.baseline.verdict
    )))
}

/// New failures, where none of the baseline's failures has gone.
fn newly_failing(comparison: &Comparison) -> Option<Reason> {
    let counts = comparison.counts;
    let first = comparison.first_newly_failing()?;
    let harmful = comparison
        .pairs
        .iter()
        .any(|p| p.new_harm().next().is_some());
    if counts.newly_passing > 0 && !harmful {
        return None;
    }
    let passed = comparison
        .pairs
        .iter()
        .filter(|p| p.baseline.verdict == Verdict::Pass);
    Some(reject(format!(
        "{}: {} of the {} drills that the baseline passes fail{FIRST_BY}{}",
        comparison.scenario.name,
        counts.newly_failing,
        passed.count(),
        why(first)
    )))
}

fn more_often(comparison: &Comparison) -> Reason {
    let counts = comparison.counts;
    reject(format!(
        "{}: {} drills fail newly and {} pass newly",
        comparison.scenario.name, counts.newly_failing, counts.newly_passing
    ))
}

fn undecided(comparison: &Comparison) -> Option<Reason> {
    let counts = comparison.counts;
    (counts.newly_failing > 0 && counts.newly_passing > 0).then(|| {
        let mut reason = more_often(comparison);
        reason.answer = Answer::Inconclusive;
        reason
            .text
            .push_str(": not shown which of the two is better");
        reason.remedy = Some(Remedy::Say("look at why they fail".to_owned()));
        reason
    })
}

/// How a measure gets worse by more than the margin, in words.
fn by_more(measure: &Measure) -> String {
    let margin = value(measure.unit, measure.margin);
    match measure.unit {
        Unit::Ms => format!(
            "the {} grows by more than the margin ({margin})",
            measure.name
        ),
        _ => format!("{} more {} than the margin allows", margin, measure.name),
    }
}

fn worse(comparison: &Comparison, measure: &Measure) -> Reason {
    let (name, pairs) = (&comparison.scenario.name, measure.pairs);
    let answered = comparison.number(super::compare::ANSWERED);
    let told = match answered.filter(|_| measure.name == UNANSWERED) {
        Some(answered) => format!(
            "fewer requests are answered between trigger and recovery, {} instead of {} in the median",
            show_count(answered.candidate),
            show_count(answered.baseline)
        ),
        None => {
            let (was, is) = (measure.baseline, measure.candidate);
            format!(
                "{}, from {} to {} in the median",
                by_more(measure),
                value(measure.unit, was),
                value(measure.unit, is)
            )
        }
    };
    let never = if measure.name == RECOVERY_TIME && measure.never.1 > measure.never.0 {
        format!(
            "; {} never recover, of the baseline's {}",
            measure.never.1, measure.never.0
        )
    } else {
        String::new()
    };
    reject(format!(
        "{name}: {told}, in {} of {pairs} pairs{never}",
        measure.worse
    ))
}

/// Scenarios in which a measure surely gets worse more often than may be, though not in most drills.
fn too_often(question: &Question, comparisons: &[Comparison]) -> Vec<Reason> {
    let measures: Vec<(&Comparison, &Measure)> = comparisons
        .iter()
        .flat_map(|c| c.measures.iter().map(move |m| (c, m)))
        .collect();
    let p_values: Vec<f64> = measures
        .iter()
        .map(|(_, m)| m.share_test(question.terms.new_failures_max_ppm))
        .collect();
    let surely = holm(&p_values, alpha(question.baselines()));
    let surely = measures.into_iter().zip(surely).filter(|(_, it)| *it);
    surely
        .map(|((comparison, measure), _)| {
            let text = format!(
                "{}: {} in {} of {} pairs",
                comparison.scenario.name,
                by_more(measure),
                measure.worse,
                measure.pairs
            );
            let wide = match measure.p99_at_most {
                Some(NEVER) | None => "choose a wider --margin, or mend it".to_owned(),
                Some(most) => format!(
                    "99 % of the pairs stay within +{}: choose that --margin, or mend it",
                    value(measure.unit, most)
                ),
            };
            inconclusive(text, Remedy::Say(wide))
        })
        .collect()
}

/// What must be shown of all drills together before a candidate is adopted. All of it must hold,
/// so each may be shown at 95 %.
fn pooled(terms: &Terms, comparisons: &[Comparison], seeds: u64) -> Vec<Reason> {
    let tolerance = terms.new_failures_max_ppm;
    let most = tenths_of_percent(u64::from(tolerance));
    let mut claims = vec![("fail newly", 0, distinct(comparisons))];
    for name in [
        super::compare::RECOVERY_TIME,
        super::compare::IMPACT,
        UNANSWERED,
    ] {
        let of = || comparisons.iter().filter_map(|c| c.measure(name));
        let (worse, pairs) = of().fold((0, 0), |(w, p), m| (w + m.worse, p + m.pairs));
        if pairs > 0 {
            claims.push((name, worse, pairs));
        }
    }
    let mut reasons = Vec::new();
    claims.retain(|(_, hits, of)| !is_rarer(*hits, *of, tolerance));
    // As many more seeds as there are pairs wanting.
    let scenarios = (comparisons.len() as u64).max(1);
    let seeds_for = |pairs: u64, of: u64| match of {
        0 => pairs.div_ceil(scenarios),
        of => (seeds * pairs).div_ceil(of),
    };
    let few = || claims.iter().filter(|(_, hits, _)| *hits == 0);
    if let Some(fewest) = few().map(|(.., of)| *of).min() {
        let needed = trials_needed(tolerance);
        let names: Vec<&str> = few().map(|(name, ..)| *name).collect();
        let what = if names.len() < claims.len() {
            format!(" in this: {}", names.join(", "))
        } else {
            String::new()
        };
        let text = format!(
            "not shown that fewer than {most} of all drills fail newly or get worse by more than the margin{what}; none of {fewest} different ones does, and {needed} are needed"
        );
        reasons.push(inconclusive(text, Remedy::Seeds(seeds_for(needed, fewest))));
    }
    for (name, hits, of) in claims.into_iter().filter(|(_, hits, _)| *hits > 0) {
        let remedy = match trials_to_show(hits, of, tolerance) {
            Some(pairs) => Remedy::Seeds(seeds_for(pairs, of)),
            None => Remedy::Say(
                "no number of seeds shows that: choose a wider --margin, or mend it".to_owned(),
            ),
        };
        let text = format!(
            "not shown that the margin is exceeded in fewer than {most} of all drills ({name}): it is in {hits} of {of}"
        );
        reasons.push(inconclusive(text, remedy));
    }
    reasons
}

/// Pairs of all scenarios in which the candidate could have failed newly and did not. Those whose clients saw the same
/// count once.
pub(super) fn distinct(comparisons: &[Comparison]) -> u64 {
    comparisons.iter().map(|c| c.distinct).sum()
}

fn newly_inconclusive(comparison: &Comparison) -> Option<Reason> {
    let (name, all) = (&comparison.scenario.name, comparison.pairs.len());
    let silent = comparison.counts.newly_inconclusive;
    let first = comparison.pairs.iter().find(|p| {
        p.candidate.verdict == Verdict::Inconclusive && p.baseline.verdict != Verdict::Inconclusive
    })?;
    Some(inconclusive(
        format!(
            "{name}: {silent} of {all} drills show something under the baseline and nothing under the candidate, the first by {}",
            why(first)
        ),
        Remedy::Say("no number of seeds settles that: look at why".to_owned()),
    ))
}

/// Failures where it is not known whether the baseline would have failed, too.
fn failing_where_unknown(comparison: &Comparison) -> Option<Reason> {
    let (name, all) = (&comparison.scenario.name, comparison.pairs.len());
    let failing = comparison.counts.failing_where_unknown;
    let first = comparison.pairs.iter().find(|p| {
        p.candidate.verdict == Verdict::Fail && p.baseline.verdict == Verdict::Inconclusive
    })?;
    Some(inconclusive(
        format!(
            "{name}: {failing} of {all} drills show nothing under the baseline and fail under the candidate, the first by {}",
            why(first)
        ),
        Remedy::Say("no number of seeds settles that: look at why".to_owned()),
    ))
}

/// Less evidence and more left to do: no number decides whether that may be.
fn for_a_person(comparison: &Comparison) -> Vec<Reason> {
    let name = &comparison.scenario.name;
    let number = |name: &str| comparison.number(name).map(|n| (n.baseline, n.candidate));
    let asks = |text, question: &str| {
        let say = format!("a person must say whether {question}");
        inconclusive(text, Remedy::Say(say))
    };
    let without = "the post-mortem can do without";
    let mut reasons = Vec::new();
    if let Some((was, is)) = number(FILES).filter(|(was, is)| is < was) {
        let text = format!("{name}: less evidence is kept, {is} files instead of {was}");
        reasons.push(asks(text, without));
    }
    if let Some((was, is)) = number(LOG_LINES).filter(|(was, is)| is * 2 < *was) {
        let text =
            format!("{name}: {is} lines of the bad release's logs are kept instead of {was}");
        reasons.push(asks(text, without));
    }
    if let Some((was, is)) = number(LEFT).filter(|(was, is)| is > was) {
        let text =
            format!("{name}: {is} steps are left to a person instead of {was}, over all drills");
        reasons.push(asks(text, "that is wanted"));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::built_in;
    use crate::verify::compare::Counts;
    use crate::verify::compare::tests::brief;

    /// A scenario of which `worse` of `pairs` pairs take longer by more than the margin.
    fn slower(worse: u64, pairs: u64) -> Comparison {
        let scenario = built_in("latency-regression", &[])
            .expect("built in")
            .expect("right");
        Comparison {
            scenario: Arc::new(scenario),
            counts: Counts::default(),
            measures: vec![Measure {
                name: RECOVERY_TIME,
                unit: Unit::Ms,
                baseline: 10_000,
                candidate: 20_000,
                pairs,
                worse,
                better: 0,
                margin: 5_000,
                difference: (10_000, None),
                p99_at_most: None,
                never: (0, 0),
            }],
            numbers: Vec::new(),
            distinct: 0,
            pairs: Vec::new(),
        }
    }

    #[test]
    fn families_share_the_error_probability() {
        // All of five, which chance does once in 32 times: too often for one of two families.
        let surely = |pairs, families| rejecting(&[slower(pairs, pairs)], families).len();
        assert_eq!([1, 2].map(|families| surely(5, families)), [1, 0]);
        assert_eq!(
            [1, 2, 3, 4].map(|families| surely(6, families)),
            [1, 1, 1, 0]
        );
    }

    #[test]
    fn failures_where_the_baseline_shows_nothing_keep_a_candidate_from_being_adopted() {
        use Verdict::{Fail, Inconclusive, Pass};
        let doubts = |baseline, candidate| {
            let pair = Pair {
                seed: 1,
                baseline: brief(baseline),
                candidate: brief(candidate),
                is_repeat: false,
            };
            let comparison = Comparison {
                pairs: vec![pair],
                ..slower(0, 60)
            };
            failing_where_unknown(&comparison).map(|reason| reason.answer)
        };
        assert_eq!(doubts(Inconclusive, Fail), Some(Answer::Inconclusive));
        for (baseline, candidate) in [(Inconclusive, Pass), (Inconclusive, Inconclusive)] {
            assert_eq!(doubts(baseline, candidate), None);
        }
        for candidate in [Pass, Fail] {
            assert_eq!(doubts(Pass, candidate), None);
        }
    }
}
