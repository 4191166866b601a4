//! What a query's values say: against a condition, and where it is a rate, against how many requests there were. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::bound;
use super::holding::Round;
use super::query::{LOOK, POLL, UNANSWERED};
use crate::runbook::{Condition, Operator};
use crate::verdict::{ConditionVerdict, all, show_value};

/// What a question came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) verdict: ConditionVerdict,
    pub(super) text: String,
    /// The value, if there is one only.
    pub(super) value: Option<f64>,
    /// Requests in the window, if they are counted.
    pub(super) counted: Option<u64>,
    /// How many more are needed.
    pub(super) missing: u64,
    pub(super) again: Duration,
    pub(super) unanswered: bool,
    /// Whether a server answered, and had nothing to tell.
    pub(super) silent: bool,
    /// Where the window that it is about begins at the latest, if a server answered.
    pub(super) from: Option<Timestamp>,
    /// Whether a window that began now would be proof sooner.
    sooner_anew: bool,
}

impl Answer {
    pub(super) fn of(verdict: ConditionVerdict, text: String, value: Option<f64>) -> Self {
        Self {
            verdict,
            text,
            value,
            counted: None,
            missing: 0,
            again: POLL,
            unanswered: false,
            silent: false,
            from: None,
            sooner_anew: false,
        }
    }

    /// A server answered, and had nothing to tell.
    pub(super) fn silent(text: String) -> Self {
        Self {
            silent: true,
            ..Self::of(ConditionVerdict::Unknown, text, None)
        }
    }

    pub(super) fn unanswered(why: &str) -> Self {
        Self {
            again: UNANSWERED,
            unanswered: true,
            ..Self::of(ConditionVerdict::Unknown, format!("no data: {why}"), None)
        }
    }

    pub(super) fn round(&self) -> Round {
        Round {
            unanswered: self.unanswered,
            silent: self.silent,
            ..Round::answered(self.verdict, self.text.clone(), self.again)
        }
    }

    /// Why the window should begin anew, if it should.
    pub(super) fn spoilt(&self) -> Option<String> {
        (self.verdict == ConditionVerdict::Refuted || self.sooner_anew).then(|| self.text.clone())
    }
}

/// The values for a reader.
pub(super) fn told(values: &[f64], condition: Condition, from: &str) -> String {
    match values {
        [] => "no data".to_owned(),
        [one] => format!("value {}, expected {condition}{from}", show_value(*one)),
        many => {
            let many: Vec<String> = many.iter().map(|one| show_value(*one)).collect();
            format!("values {}, expected {condition}{from}", many.join(", "))
        }
    }
}

pub(super) fn judged(values: &[f64], condition: Condition, from: &str) -> Answer {
    let value = match values {
        [one] => Some(*one),
        _ => None,
    };
    Answer {
        silent: values.is_empty(),
        ..Answer::of(all(values, condition), told(values, condition, from), value)
    }
}

/// A verdict of too few requests is none. A rate that must be below a bound is held against what so many requests show;
/// where it was shown before, so that none are `wanted`, it need only be below the bound in those that came. Pure.
pub(super) fn with_requests(
    values: &[f64],
    condition: Condition,
    from: &str,
    counted: u64,
    wanted: Option<u64>,
    window: Duration,
) -> Answer {
    let mut answer = judged(values, condition, from);
    answer.counted = Some(counted);
    let seconds = window.as_secs();
    answer.text = format!("{}, over {counted} requests in {seconds} s", answer.text);
    if answer.verdict != ConditionVerdict::Holds {
        // A breach stays a breach, however few they were; a pass needs all of them.
        return answer;
    }
    let bound = bound_of(condition);
    let failures = failures(values, counted);
    let shows = |failures, wanted: u64| {
        bound.map_or(wanted, |rate| wanted.max(bound::needed(failures, rate)))
    };
    // None at all say nothing, whatever was shown before.
    let enough = wanted.map_or(1, |wanted| shows(failures, wanted));
    answer.missing = enough.saturating_sub(counted);
    if bound.is_some() {
        let shown = show_value(bound::upper(failures, counted) * 100.0);
        let text = format!("{}: the rate is below {shown} % at 95 %", answer.text);
        answer.text = text;
    }
    if answer.missing == 0 {
        return answer;
    }
    answer.verdict = ConditionVerdict::Unknown;
    answer.text = format!("{}; {enough} wanted", answer.text);
    let anew = shows(0, wanted.unwrap_or(1));
    answer.sooner_anew = failures > 0 && answer.missing > anew;
    let rest_ms = window.as_millis() * u128::from(answer.missing) / u128::from(counted.max(1));
    let rest = Duration::from_millis(u64::try_from(rest_ms).unwrap_or(u64::MAX));
    answer.again = rest.clamp(Duration::from_secs(1), LOOK);
    answer
}

/// The rate that a condition wants to be undercut, if it is one.
fn bound_of(condition: Condition) -> Option<f64> {
    let below = matches!(condition.operator, Operator::Less | Operator::LessOrEqual);
    (below && condition.value > 0.0 && condition.value < 1.0).then_some(condition.value)
}

/// How many of `requests` failed, by the worst of the rates. Prometheus extrapolates counts,
/// so that one failure may be 0.97 or 1.04.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number of requests is not negative and far below 2^52"
)]
fn failures(rates: &[f64], requests: u64) -> u64 {
    let worst = rates.iter().copied().fold(0.0, f64::max);
    if worst <= 0.0 {
        return 0;
    }
    ((worst * requests as f64).round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answer, ConditionVerdict, with_requests};
    use crate::runbook::{Condition, Operator};

    const BELOW: Condition = Condition {
        operator: Operator::Less,
        value: 0.0001,
    };

    fn answer(rate: f64, counted: u64) -> Answer {
        answer_of(rate, counted, Some(30_000))
    }

    fn answer_of(rate: f64, counted: u64, wanted: Option<u64>) -> Answer {
        let window = Duration::from_secs(100);
        with_requests(&[rate], BELOW, "", counted, wanted, window)
    }

    fn judged(rate: f64, counted: u64) -> (ConditionVerdict, u64) {
        let answer = answer(rate, counted);
        (answer.verdict, answer.again.as_secs())
    }

    #[test]
    fn too_few_requests_are_never_a_pass() {
        assert_eq!(judged(0.0, 0), (ConditionVerdict::Unknown, 20));
        assert_eq!(judged(0.0, 29_999), (ConditionVerdict::Unknown, 1));
        assert_eq!(judged(0.0, 30_000), (ConditionVerdict::Holds, 5));
        assert_eq!(judged(f64::NAN, 30_000), (ConditionVerdict::Unknown, 5));
    }

    #[test]
    fn the_wait_is_as_long_as_the_missing_requests_take() {
        assert_eq!(judged(0.0, 27_000), (ConditionVerdict::Unknown, 11));
    }

    #[test]
    fn a_breach_is_one_however_few_requests_there_were() {
        assert_eq!(judged(0.1, 10).0, ConditionVerdict::Refuted);
    }

    #[test]
    fn a_rate_below_the_bound_is_no_proof_where_chance_explains_it() {
        // One failure of 30,000 is 0.003 %, and shows only that the rate is below 0.016 %.
        let one = answer(1.0 / 30_000.0, 30_000);
        assert_eq!(one.verdict, ConditionVerdict::Unknown, "{}", one.text);
        assert!(one.text.contains("below 0.0158"), "{}", one.text);
        assert!(!one.sooner_anew, "17,000 more are fewer than 30,000 anew");
        assert!(
            answer(1.0 / 12_000.0, 12_000).sooner_anew,
            "35,000 more are not"
        );
        assert_eq!(
            answer(1.02 / 47_500.0, 47_500).verdict,
            ConditionVerdict::Holds
        );
    }

    #[test]
    fn where_the_rate_was_shown_before_it_need_only_be_below_the_bound() {
        let again = |rate, counted| answer_of(rate, counted, None);
        let few = again(0.0, 3_000);
        assert_eq!(few.verdict, ConditionVerdict::Holds, "{}", few.text);
        assert!(few.text.contains("below 0.0998"), "{}", few.text);
        assert_eq!(
            again(1.0 / 12_000.0, 12_000).verdict,
            ConditionVerdict::Holds
        );
        // Fewer requests never pass over more failures.
        assert_eq!(
            again(1.0 / 3_000.0, 3_000).verdict,
            ConditionVerdict::Refuted
        );
        assert_eq!(again(0.0, 0).verdict, ConditionVerdict::Unknown);
        assert_eq!(again(f64::NAN, 3_000).verdict, ConditionVerdict::Unknown);
    }

    #[test]
    fn what_fewer_requests_show_is_said() {
        let few = answer(0.0, 12_000);
        assert!(few.text.contains("below 0.02496 % at 95 %"), "{}", few.text);
        assert!(few.text.contains("30000 wanted"), "{}", few.text);
    }
}
