//! What looks at a check come to, one after the other: whether it has held for long enough, and what a person is told
//! if it has not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::context::{Context, Stop, Success, after, too_late};
use super::query::{POLL, UNANSWERED};
use crate::runbook::Phase;
use crate::verdict::ConditionVerdict;

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    /// What it says.
    pub(super) verdict: ConditionVerdict,
    /// For a reader.
    pub(super) text: String,
    /// How long until it is worth looking again.
    pub(super) again: Duration,
    /// Whether the server refused or did not answer: its time, not the step's.
    pub(super) unanswered: bool,
    /// Whether the server answered, and had nothing to tell.
    pub(super) silent: bool,
    /// Whether what has held up to now goes on holding though nothing could be decided: the next answer is about this
    /// time, too.
    pub(super) goes_on: bool,
    /// Up to when that it holds is known; the instant of the answer if that tells nothing else.
    pub(super) until: Option<Timestamp>,
}

impl Round {
    /// An answer; worth another look after `again`.
    pub(super) fn answered(verdict: ConditionVerdict, text: String, again: Duration) -> Self {
        Self {
            verdict,
            text,
            again,
            unanswered: false,
            silent: false,
            goes_on: false,
            until: None,
        }
    }

    /// No answer, to a question about all the time since the window began.
    pub(super) fn unanswered(text: String) -> Self {
        Self {
            unanswered: true,
            goes_on: true,
            ..Self::answered(ConditionVerdict::Unknown, text, UNANSWERED)
        }
    }
}

/// Since when what is looked at has held without a break.
#[derive(Debug, Default)]
pub(super) struct Holding {
    since: Option<Timestamp>,
    /// What the last look said that had an answer.
    said: Option<(ConditionVerdict, String)>,
}

impl Holding {
    /// The window began anew: nothing has held yet.
    pub(super) fn begin_anew(&mut self) {
        self.since = None;
    }

    /// Whether a look that begins at `began` may be the last: what is looked at has held for long enough by then, if it
    /// holds.
    pub(super) fn may_be_done(&self, context: &Context<'_>, began: Timestamp) -> bool {
        self.held(began) >= context.step.hold.unwrap_or_default()
    }

    /// For how long it has held at `until`.
    fn held(&self, until: Timestamp) -> Duration {
        let held = until.duration_since(self.since.unwrap_or(until));
        Duration::try_from(held).unwrap_or_default()
    }

    /// What a look that began at `began` comes to: the step is done, or failed, or it is time for another look
    /// (`None`).
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
        let hold = context.step.hold.unwrap_or_default();
        let held = self.take_in(now, &round);
        let (mut again, mut why) = (round.again, round.text.clone());
        if let Some(held) = held {
            if held >= hold {
                return Ok(Some(Success::done(round.text)));
            }
            again = POLL.max(hold / 6).min((hold - held).max(UNANSWERED));
            if context.step.phase == Phase::After {
                // No objective presses any more.
                let left = SignedDuration::try_from(hold - held).unwrap_or_default();
                context.budget.announced(now + left);
            }
            why = format!("{why}; must hold for {} s", hold.as_secs());
        }
        context.waiting(&why);
        if round.verdict == ConditionVerdict::Refuted && context.budget.too_late(now) {
            return Err(Stop::Failed(too_late(context, &round.text)));
        }
        if context.left().is_zero() && round.silent {
            // Metrics that are missing for now are no answer, as that of a server which is away is none.
            context.budget.announced(context.budget.last());
        }
        if context.left().is_zero() {
            let (verdict, text) = self.last(&round);
            // What is wrong must have become right in the step's own time.
            let waits_on = verdict != ConditionVerdict::Refuted && context.in_time(&text).is_ok();
            if !waits_on {
                let late = context.late(&text);
                return Err(match verdict {
                    ConditionVerdict::Refuted => Stop::Failed(late),
                    // It holds, but not for long enough.
                    ConditionVerdict::Holds | ConditionVerdict::Unknown => Stop::Inconclusive(late),
                });
            }
        }
        clock.sleep(again.min(context.left())).await;
        Ok(None)
    }

    /// Takes in a look. For how long what it is about has held, if it holds.
    fn take_in(&mut self, now: Timestamp, round: &Round) -> Option<Duration> {
        if !round.unanswered {
            self.said = Some((round.verdict, round.text.clone()));
        }
        if round.verdict != ConditionVerdict::Holds {
            if !round.goes_on {
                self.since = None;
            }
            return None;
        }
        self.since.get_or_insert(now);
        Some(self.held(round.until.unwrap_or(now)))
    }

    /// What there is to say when the time is over: what was seen last says more than that there was no answer any
    /// more.
    fn last(&self, round: &Round) -> (ConditionVerdict, String) {
        match &self.said {
            Some((verdict, said)) if round.unanswered => (*verdict, after(said, &round.text)),
            _ => (round.verdict, round.text.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Holding, Round};
    use crate::verdict::ConditionVerdict;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn answered(verdict: ConditionVerdict, text: &str) -> Round {
        Round::answered(verdict, text.to_owned(), Duration::from_secs(5))
    }

    fn unanswered() -> Round {
        Round::unanswered("no data: list pods: not done within 350 ms".to_owned())
    }

    #[test]
    fn the_last_answer_is_the_reason_and_not_that_there_was_none_at_the_end() {
        let mut holding = Holding::default();
        let wrong = answered(ConditionVerdict::Refuted, "value 0.03, expected < 0.0001");
        holding.take_in(at(0), &wrong);
        holding.take_in(at(5), &unanswered());
        let (verdict, text) = holding.last(&unanswered());
        assert_eq!(verdict, ConditionVerdict::Refuted);
        assert_eq!(
            text,
            "value 0.03, expected < 0.0001; at last: no data: list pods: not done within 350 ms"
        );
        let none = Holding::default().last(&unanswered());
        assert_eq!(none, (ConditionVerdict::Unknown, unanswered().text));
    }

    #[test]
    fn a_server_that_does_not_answer_ends_no_holding_that_the_next_answer_covers() {
        let mut holding = Holding::default();
        let good = answered(ConditionVerdict::Holds, "value 0");
        assert_eq!(holding.take_in(at(0), &good), Some(Duration::ZERO));
        assert_eq!(holding.take_in(at(10), &unanswered()), None);
        assert_eq!(
            holding.take_in(at(20), &good),
            Some(Duration::from_secs(20))
        );
        // What is known ends with the last scrape.
        let early = Round {
            until: Some(at(17)),
            ..good.clone()
        };
        assert_eq!(
            holding.take_in(at(22), &early),
            Some(Duration::from_secs(17))
        );
        // A query about an instant says nothing of the time between.
        let instant = Round {
            goes_on: false,
            ..unanswered()
        };
        assert_eq!(holding.take_in(at(30), &instant), None);
        assert_eq!(holding.take_in(at(40), &good), Some(Duration::ZERO));
    }
}
