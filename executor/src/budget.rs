//! How long something may take, and who pays for what is not its fault.
//!
//! ```text
//! trigger ──┬─ step ─┬─ step ─┬──────────── reserve ───────────┬─ budgets of the steps to come ─┬─ RTO
//!           │        │        └ own end ·····▶ moved by refusals ▶ last
//! ```
//!
//! A step's budget is for the application to become as it should. Time that is lost because a server refuses for now
//! (429, 5xx, a connection that is cut, no answer) is not the step's: it moves the step's end, out of what the
//! recovery time objective leaves over once every step up to the recovery has got its budget in full.
//! What is left follows from the trigger's time, the journaled plan and the clock alone, so whoever resumes on another
//! host comes to the same number. So does what the cluster announces the end of (a pod's grace period), and the time
//! that a proof still takes that began anew or waits for requests, if it is enough.
//!
//! A proof that is refuted when the objective leaves time for nothing but that ends at once, whatever its own budget:
//! a window that begins anew then would prove a recovery that came too late ([`Budget::too_late`]).
//!
//! A step whose failure leaves nothing but to page a person goes on waiting into the reserve as well: the application
//! may still recover in time ([`Budget::wait_on`]). So do checks of the pods after the last change. A wrong outcome
//! never moves the end.
//!
//! After the proof no objective presses: what servers cost then moves the end of a step by as much as the objective
//! is long, and who has seen nothing for that long pages a person. A window that begins anew then is another proof,
//! and moves the end as far. It may do so in the step's own time and what servers cost of it, and within the
//! objective. What still fails after both is a relapse, and ends the step at once.
//!
//! Time in which this host stood still is nobody's: the step gets it back in full, even where that breaks the
//! objective, since the attempts after it cost less than a rollback that is given up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::planner::{Plan, PlannedStep};
use crate::pulse::Pulse;
use crate::runbook::{OnFail, Phase};

/// What is kept of the objective for paging a person: a rollback that can't go on must say so in time.
pub const CALL: Duration = Duration::from_secs(10);

/// By how much the end of a step has moved.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    /// Because servers refused or did not answer.
    lost: SignedDuration,
    /// Because the end of something was announced, or because there is nothing left but to wait.
    announced: SignedDuration,
}

/// The time of a step, or of anything else that must end. Clones share what was lost.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    own: Timestamp,
    last: Timestamp,
    moved: Arc<Mutex<Moved>>,
    /// Whether it may be used up to its last by waiting alone.
    patient: bool,
    /// From when on a recovery that is not there yet misses the objective, for a step that proves one and begins
    /// before that; and for one after the proof that looks on.
    decide_by: Option<Timestamp>,
    /// Whether it comes after the proof, so that its own time counts as well as the objective.
    looks_on: bool,
    pulse: Pulse,
    /// How long the host had stood still when it began.
    stood_still: SignedDuration,
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
            moved: Arc::default(),
            patient: false,
            decide_by: None,
            looks_on: false,
            pulse: Pulse::default(),
            stood_still: SignedDuration::ZERO,
        }
    }

    /// The same on the host of `pulse`.
    fn on(mut self, pulse: &Pulse) -> Self {
        self.pulse = pulse.clone();
        self.stood_still = pulse.stood_still();
        self
    }

    /// The time of `step`, which begins now on the host of `pulse`, under an objective of `rto`.
    pub(crate) fn of_step(
        plan: &Plan,
        step: &PlannedStep,
        rto: Duration,
        now: Timestamp,
        pulse: &Pulse,
    ) -> Self {
        let own = now + signed(step.budget);
        if step.phase == Phase::After && step.on_fail == OnFail::Abort {
            // The objective is met, so nothing is lost by waiting for a server, but somebody must hear of it in the
            // end.
            let fired_at = plan.trigger.as_ref().map(|trigger| trigger.fired_at);
            let objective = fired_at.map(|at| at + signed(rto.saturating_sub(CALL)));
            let looks_on = step.hold.is_some() && step.command.judges_a_value();
            return Self {
                decide_by: looks_on.then_some(objective.unwrap_or(own)),
                looks_on,
                ..Self::between(own, own + signed(rto))
            }
            .on(pulse);
        }
        let Some(trigger) = plan.trigger.as_ref().filter(|_| step.phase == Phase::Run) else {
            return Self::from(own).on(pulse);
        };
        // The objective ends with recovery: what proves it afterwards may take its time. What may be skipped must leave
        // the time for the proof all the same.
        let recovers = (0..plan.steps.len()).rfind(|index| plan.delays_recovery(*index));
        let recovers = recovers.filter(|at| step.index <= *at && step.on_fail != OnFail::Continue);
        let to_come = plan
            .steps
            .iter()
            .filter(|later| later.index > step.index && later.phase == Phase::Run)
            .filter(|later| recovers.is_none_or(|at| later.index <= at))
            .filter(|later| may_come(later, step))
            .fold(Duration::ZERO, |sum, later| sum + later.budget);
        let kept = to_come + recovers.map_or(Duration::ZERO, |_| CALL);
        let last = trigger.fired_at + signed(rto.saturating_sub(kept));
        let reserve = last.duration_since(own).max(SignedDuration::ZERO);
        // What may be skipped must not use up what the others can't do without.
        let share = if step.on_fail == OnFail::Continue {
            reserve / 2
        } else {
            reserve
        };
        let proves = (0..plan.steps.len())
            .rfind(|index| plan.delays_recovery(*index))
            .is_some_and(|at| step.index > at);
        let decide_by = trigger.fired_at + signed(rto.saturating_sub(CALL));
        Self {
            // What is wrong with a pod may pass by itself. A check by query borrows only for what it has not seen yet.
            patient: step.on_fail == OnFail::Abort
                && (recovers.is_some() || !step.command.judges_a_value()),
            decide_by: (proves && step.on_fail == OnFail::Abort && now < decide_by)
                .then_some(decide_by),
            ..Self::between(own, own + share).on(pulse)
        }
    }

    /// A part of it that ends at `end` at the latest. What is lost meanwhile counts for the whole.
    pub(crate) fn within(&self, end: Timestamp) -> Self {
        Self {
            own: self.end().min(end),
            last: self.last().min(end),
            moved: Arc::clone(&self.moved),
            patient: false,
            decide_by: self.decide_by,
            looks_on: self.looks_on,
            pulse: self.pulse.clone(),
            stood_still: self.pulse.stood_still(),
        }
    }

    /// How long the host has stood still since it began.
    fn stalled(&self) -> SignedDuration {
        self.pulse.stood_still() - self.stood_still
    }

    /// Until when the application may take.
    pub(crate) fn end(&self) -> Timestamp {
        let moved = self.moved();
        (self.own + self.stalled() + moved.lost + moved.announced).min(self.last())
    }

    fn moved(&self) -> Moved {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when servers may take.
    pub(crate) fn last(&self) -> Timestamp {
        self.last.max(self.own + self.stalled())
    }

    /// Whether to go on waiting for the application although the time for it is over: as long as it can still recover
    /// in time and nothing else is left to do. Moves the end as far as that goes.
    pub(crate) fn wait_on(&self) -> bool {
        let left = positive(self.last().duration_since(self.end()));
        let more = self.patient && !left.is_zero();
        if more {
            self.put_off(left);
        }
        more
    }

    /// Whether a recovery at `at` would come too late: what is not proven by then can't be any more, nothing else is
    /// left to do, and a person must be called while there is time for that. Never so for a step that only begins
    /// then: it is late as it is. After the proof: whether what fails at `at` is no disturbance that passes any more.
    pub(crate) fn too_late(&self, at: Timestamp) -> bool {
        let by = |objective: Timestamp| match self.looks_on {
            true => objective.max(self.own + self.moved().lost),
            false => objective,
        };
        self.decide_by
            .is_some_and(|objective| at > by(objective) + self.stalled())
    }

    /// `time` went by because a server refused or did not answer.
    pub(crate) fn lose(&self, time: Duration) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.lost += signed(time);
    }

    /// The end is put off by `time`, which is no server's fault.
    fn put_off(&self, time: Duration) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.announced += signed(time);
    }

    /// The cluster has announced that something takes until `until`: the end moves there.
    pub(crate) fn announced(&self, until: Timestamp) {
        self.put_off(positive(until.duration_since(self.end())));
    }

    /// How much of the reserve was used by `now`.
    pub(crate) fn borrowed(&self, now: Timestamp) -> Duration {
        positive(now.duration_since(self.own + self.stalled()))
    }

    /// For a reader: what was used of the reserve, and what is left of it for this step. `None` if it never had any.
    pub(crate) fn reserve(&self, now: Timestamp) -> Option<String> {
        if self.last <= self.own {
            return None;
        }
        let left = positive(self.last().duration_since(now.max(self.own)));
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
    fn who_can_only_call_a_person_waits_on_into_the_reserve() {
        let hasty = Budget::between(at(10), at(20));
        assert!(!hasty.wait_on());
        let patient = Budget {
            patient: true,
            ..hasty
        };
        assert!(patient.wait_on());
        assert_eq!(patient.end(), at(20));
        assert!(!patient.wait_on());
    }

    #[test]
    fn a_proof_is_too_late_once_only_the_call_is_left() {
        let budget = Budget {
            decide_by: Some(at(290)),
            ..Budget::between(at(350), at(350))
        };
        assert!(!budget.too_late(at(290)));
        assert!(budget.too_late(at(291)));
        assert!(budget.within(at(300)).too_late(at(291)));
        assert!(!Budget::from(at(350)).too_late(at(340)), "it has no end");
    }

    #[test]
    fn after_the_proof_what_fails_may_pass_in_the_steps_own_time_and_within_the_objective() {
        let looks_on = |objective| Budget {
            decide_by: Some(at(objective)),
            looks_on: true,
            ..Budget::between(at(350), at(650))
        };
        let budget = looks_on(290);
        assert!(!budget.too_late(at(350)), "in its own time");
        budget.announced(at(500));
        assert!(
            budget.too_late(at(351)),
            "no proof that begins anew buys time"
        );
        budget.lose(Duration::from_secs(40));
        assert!(
            !budget.too_late(at(390)),
            "what servers cost is not its own"
        );
        assert!(budget.too_late(at(391)));
        let early = looks_on(400);
        assert!(!early.too_late(at(400)), "within the objective");
        assert!(early.too_late(at(401)));
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
