//! Whether a drill may end before its scenario's `duration`, because nothing is left that could change its judgement
//! ([`Until::Settled`](crate::worlds::Until::Settled)).
//!
//! It may if it passes as it stands, and all of this holds:
//!
//! - Every executor has ended and claims a recovery, so that nobody acts on the exchange any more.
//! - Every fault has begun and is over, whatever it held up has come, and what comes of the last one had as long as a
//!   recovery must hold.
//! - Nothing of the load is still to come that has not come since: a burst that begins before the scenario's `duration`
//!   has come once as a whole.
//! - The prior release stays as it is while it runs: none of its builds has a defect, and the memory of none grows.
//! - What recovered has held for as long as the scenario asks. Since the seconds that date the recovery, no request
//!   failed or was refused for maintenance, and at most half as many as may be were slow.
//! - Every Deployment and StatefulSet has the pods that it wants, all of them Ready, and there is no other pod. So no
//!   controller and no kubelet has anything left to do, and nothing waits for a back-off or a deadline.
//! - Every oracle passes: the prior release runs in every pod and has written the ledger alone since its recovery,
//!   trading is open, and the lasting state is what it was.
//!
//! From then on the drill is its own steady state again: one build, sound in every pod, under the load of the warm-up.
//! Its requests don't fail and its ledger stays what its engine makes of the log. The judgement is asked once.
//! Whatever does not pass then goes on to its `duration`, so that the findings of a failure are those of the whole
//! drill.

use super::application::Drilled;
use super::cluster_state::is_at_rest;
use super::drill::{Drill, last_fault_ms};
use super::harvest;
use super::recorder::{Notes, Settling};
use super::to_come::load_met_ms;
use crate::evidence::{Evidence, ExecutorOutcome, Ms, ms};
use crate::oracles::{self, recovery};
use crate::verdict::{Verdict, judge};

/// Whether the drill is settled now, right after a look at the application. If it is, the evidence has been taken.
pub(super) fn is_settled<D: Drilled>(drill: &Drill<'_, D>) -> bool {
    let now_ms = drill.world.now().as_millis();
    if !is_idle(drill) || !has_held(drill, now_ms) {
        return false;
    }
    let namespace = drill.drilled.namespace();
    if !drill
        .world
        .with(|state| is_at_rest(&state.cluster, namespace))
    {
        return false;
    }
    let mut notes = drill.recorder.lock();
    let mut evidence = notes.evidence.clone();
    harvest::take(drill, &mut evidence, now_ms);
    settle(&mut notes, evidence)
}

/// Settles the drill if it passes with the whole `evidence`; whether it does.
fn settle(notes: &mut Notes, evidence: Evidence) -> bool {
    let passes = judge(&oracles::ask_all(&evidence)).overall == Verdict::Pass;
    notes.settling = if passes {
        notes.evidence = evidence;
        Settling::Settled
    } else {
        Settling::GoesOn
    };
    passes
}

/// Whether the acts are over with a claim of recovery, every fault is over, and nobody is at work on the application
/// any more.
fn is_idle<D: Drilled>(drill: &Drill<'_, D>) -> bool {
    let notes = drill.recorder.lock();
    let evidence = &notes.evidence;
    notes.acts_over
        && notes.settling == Settling::Open
        && evidence.executor.trigger.is_some()
        && evidence.executor.outcome == ExecutorOutcome::Recovered
        && evidence.faults.iter().all(|fault| fault.ended_ms.is_some())
        && !drill.injector.others_at_work()
}

/// Whether what recovered has held for long enough, without a failure since, under all of the load that is still to
/// come.
fn has_held<D: Drilled>(drill: &Drill<'_, D>, now_ms: Ms) -> bool {
    let scenario = &drill.plan.scenario;
    if !drill.drilled.has_a_steady_state(scenario) {
        return false;
    }
    let dated_after_ms = recovery::WINDOW_S as Ms * 1_000;
    let held_ms = ms(scenario.timing.hold) + dated_after_ms;
    let mut evidence = {
        let notes = drill.recorder.lock();
        let trigger = notes.evidence.executor.trigger.as_ref();
        // Sooner, nobody can have recovered for so long.
        if trigger.is_none_or(|trigger| now_ms < trigger.at_ms + held_ms) {
            return false;
        }
        notes.evidence.clone()
    };
    evidence.seconds = harvest::seconds(drill, now_ms);
    let Some(tail) = recovery::tail(&evidence) else {
        return false;
    };
    let since_ms = tail.recovered_ms.max(last_fault_ms(&evidence));
    let total = tail.total;
    let bursts = drill.drilled.bursts();
    let met_ms = load_met_ms(scenario, bursts, since_ms + dated_after_ms);
    now_ms >= since_ms + held_ms
        && now_ms >= met_ms + dated_after_ms
        && total.errors == 0
        && total.maintenance == 0
        && total.slow * 200 <= total.counted()
}
