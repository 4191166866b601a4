//! How long something may take, and who pays for what is not its fault.
//!
//! ```text
//! trigger ──┬─ step ─┬─ step ─┬──────────── reserve ───────────┬─ budgets of the steps to come ─┬─ RTO
//!           │        │        └ own end ·····▶ moved by refusals ▶ last
//! ```
//!
//! A step's budget is for the exchange to become as it should. Time that is lost because a server refuses for now (429,
//! 5xx, a connection that is cut, no answer) is not the step's: it moves the step's end, out of what the
//! recovery time objective leaves over once every step to come has got its budget in full. What is left follows from the
//! trigger's time, the journaled plan and the clock alone, so whoever resumes on another host comes to the same number.
//! So does what the cluster announces the end of (a pod's
//! grace period). A wrong outcome never moves the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::planner::{Plan, PlannedStep};
use crate::runbook::{OnFail, Phase};

/// The time of a step, or of anything else that must end. Clones share what was lost.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    own: Timestamp,
    last: Timestamp,
    lost: Arc<Mutex<SignedDuration>>,
}

impl From<Timestamp> for Budget {
    /// Ends then, whatever happens.
    fn from(end: Timestamp) -> Self {
        Self::between(end, end)
    }
}

impl From<&Self> for Budget {
    fn from(budget: &Self) -> Self {
        budget.clone()
    }
}

impl Budget {
    /// Ends at `own`; refusals move that up to `last`.
    fn between(own: Timestamp, last: Timestamp) -> Self {
        Self {
            own,
            last: last.max(own),
            lost: Arc::default(),
        }
    }

    /// The time of `step`, which begins now, under an objective of `rto`.
    pub(crate) fn of_step(plan: &Plan, step: &PlannedStep, rto: Duration, now: Timestamp) -> Self {
        let own = now + signed(step.budget);
        let Some(trigger) = plan.trigger.as_ref().filter(|_| step.phase == Phase::Run) else {
            return own.into();
        };
        let to_come = plan
            .steps
            .iter()
            .filter(|later| later.index > step.index && later.phase == Phase::Run)
            .filter(|later| may_come(later, step))
            .fold(Duration::ZERO, |sum, later| sum + later.budget);
        let last = trigger.fired_at + signed(rto.saturating_sub(to_come));
        let reserve = last.duration_since(own).max(SignedDuration::ZERO);
        // What may be skipped must not use up what the others can't do without.
        let share = if step.on_fail == OnFail::Continue {
            reserve / 2
        } else {
            reserve
        };
        Self::between(own, own + share)
    }

    /// A part of it that ends at `end` at the latest. What is lost meanwhile counts for the whole.
    pub(crate) fn within(&self, end: Timestamp) -> Self {
        Self {
            own: self.end().min(end),
            last: self.last.min(end),
            lost: Arc::clone(&self.lost),
        }
    }

    /// Until when the exchange may take.
    pub(crate) fn end(&self) -> Timestamp {
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        (self.own + lost).min(self.last)
    }

    /// Until when servers may take.
    pub(crate) fn last(&self) -> Timestamp {
        self.last
    }

    /// `time` went by because a server refused or did not answer.
    pub(crate) fn lose(&self, time: Duration) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost += signed(time);
    }

    /// The cluster has announced that something takes until `until`: the end moves there.
    pub(crate) fn announced(&self, until: Timestamp) {
        self.lose(positive(until.duration_since(self.end())));
    }

    /// How much of the reserve was used by `now`.
    pub(crate) fn borrowed(&self, now: Timestamp) -> Duration {
        positive(now.duration_since(self.own))
    }

    /// For a reader: what was used of the reserve, and what is left of it for this step. `None` if it never had any.
    pub(crate) fn reserve(&self, now: Timestamp) -> Option<String> {
        if self.last <= self.own {
            return None;
        }
        let left = positive(self.last.duration_since(now.max(self.own)));
        Some(format!(
            "{} ms of the reserve used, {} s left",
            self.borrowed(now).as_millis(),
            left.as_secs()
        ))
    }
}

/// Whether `later` may still be done when `step` begins: what replaces a failed step is done only after its failure.
fn may_come(later: &PlannedStep, step: &PlannedStep) -> bool {
    later
        .instead_of
        .is_none_or(|failed| step.index <= failed || step.instead_of.is_some())
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn positive(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::Budget;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn refusals_move_the_end_but_not_beyond_the_reserve() {
        let budget = Budget::between(at(10), at(15));
        assert_eq!(budget.end(), at(10));
        budget.lose(Duration::from_secs(3));
        assert_eq!(budget.end(), at(13));
        budget.lose(Duration::from_secs(3));
        assert_eq!(budget.end(), at(15));
        assert_eq!(budget.last(), at(15));
    }

    #[test]
    fn a_part_ends_in_its_own_time_and_charges_the_whole() {
        let budget = Budget::between(at(10), at(20));
        let part = budget.within(at(5));
        part.lose(Duration::from_secs(4));
        assert_eq!(part.end(), at(5));
        assert_eq!(budget.end(), at(14));
        assert_eq!(budget.within(at(30)).end(), at(18));
    }

    #[test]
    fn what_is_announced_counts_once() {
        let budget = Budget::between(at(10), at(20));
        for until in [8, 14, 14] {
            budget.announced(at(until));
        }
        assert_eq!(budget.end(), at(14));
        budget.announced(at(30));
        assert_eq!(budget.end(), at(20));
    }

    #[test]
    fn without_a_reserve_nothing_moves() {
        let budget = Budget::from(at(10));
        budget.lose(Duration::from_secs(3));
        assert_eq!(budget.end(), at(10));
        assert_eq!(budget.reserve(at(10)), None);
    }

    #[test]
    fn the_reader_is_told_what_was_used_and_what_is_left() {
        let budget = Budget::between(at(10), at(15));
        assert_eq!(
            budget.reserve(at(8)).as_deref(),
            Some("0 ms of the reserve used, 5 s left")
        );
        assert_eq!(
            budget.reserve(at(12)).as_deref(),
            Some("2000 ms of the reserve used, 3 s left")
        );
        assert_eq!(budget.borrowed(at(12)), Duration::from_secs(2));
    }
}
