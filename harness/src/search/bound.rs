//! How long a rollback may take, by the budgets of its plan: the bound that recovery must follow within once nothing is
//! in its way any more, and the one by which the run must have ended.
//!
//! ```text
//! trigger ── faults ──▶ healed ── budgets of the steps to come, with the requests of the proof ── call ──▶ RTO: recovers
//!                       RTO ── budgets of the steps to come ── budgets and RTO of each step afterwards ── call ──▶ over
//! ```
//!
//! Nothing here is guessed. A step may take its budget, or the time that the proof's requests take at the drill's load
//! if that is more. The executor keeps ten seconds for paging a person. A step whose time servers cost borrows from the
//! reserve, which ends with the objective; one after the proof borrows at most as much as the objective is long
//! (`executor/src/budget.rs`).

use std::time::Duration;

use executor::TIME_TO_CALL;
use executor::planner::Plan;
use executor::runbook::{OnFail, Phase};

use crate::scenario::{Bursts, Load};

/// The rates that are looked at: what a scenario may say.
const RATES: std::ops::RangeInclusive<u32> = 1..=10_000;

/// A planned rollback, as far as its time goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    steps: Vec<Budgeted>,
    /// The steps that may be done once more each, if somebody changes a service meanwhile.
    stand_by: Duration,
    rto: Duration,
}

/// A step of it.
#[derive(Clone, Debug, PartialEq)]
struct Budgeted {
    name: String,
    service: Option<String>,
    phase: Phase,
    budget: Duration,
    /// How many requests its window must hold.
    requests: Option<u64>,
    /// Whether its failure pages a person, so that it borrows after the proof.
    aborts: bool,
}

impl Way {
    /// The way of `plan` under an objective of `rto`.
    pub(super) fn of(plan: &Plan, rto: Duration) -> Self {
        let steps = plan.steps.iter().map(|step| Budgeted {
            name: step.name.clone(),
            service: step.service.clone(),
            phase: step.phase,
            budget: step.budget,
            requests: step.min_requests,
            aborts: step.on_fail == OnFail::Abort,
        });
        Self {
            steps: steps.collect(),
            stand_by: plan.stand_by.iter().map(|step| step.budget).sum(),
            rto,
        }
    }

    /// Whether it comes to the step of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| step.name == name)
    }

    /// The objective.
    pub(super) fn rto(&self) -> Duration {
        self.rto
    }

    /// The longest budget of a step before the proof.
    pub(super) fn longest(&self) -> Duration {
        let before = self.proof().unwrap_or(self.steps.len());
        let budgets = self.steps[..before].iter().map(|step| step.budget);
        budgets.max().unwrap_or_default()
    }

    /// Position of the first step that is not done, if those are that `done` names with their services.
    /// A proof that was begun may begin anew, so that none of its steps counts as done.
    pub(super) fn next<'a>(&self, done: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> usize {
        let at = |(name, service)| {
            let mut steps = self.steps.iter();
            steps.position(|step| step.name == name && step.service.as_deref() == service)
        };
        let next = done.filter_map(at).max().map_or(0, |last| last + 1);
        let recovered = self
            .steps
            .iter()
            .position(|step| step.phase == Phase::After)
            .unwrap_or(self.steps.len());
        match self.proof() {
            Some(proof) if next < recovered => next.min(proof),
            _ => next,
        }
    }

    /// Position of the first step that needs requests.
    fn proof(&self) -> Option<usize> {
        self.steps.iter().position(|step| step.requests.is_some())
    }

    /// What the steps from `next` on take in phase `run`, all budgets in full, under `load`.
    pub(super) fn to_recovery(&self, next: usize, load: &Load) -> Duration {
        let left = self.steps.iter().enumerate().skip(next);
        let left = left.filter(|(_, step)| step.phase == Phase::Run);
        let proof = self.proof();
        left.map(|(at, step)| match step.requests {
            // The steps after it look at the same window.
            Some(requests) if Some(at) == proof => step.budget.max(takes(requests, load)),
            _ => step.budget,
        })
        .sum()
    }

    /// Whether a sound executor recovers in time under `load` with all budgets in full.
    pub(super) fn fits(&self, load: &Load) -> bool {
        self.recovers_in_time(0, Duration::ZERO, load)
    }

    /// Whether a recovery must follow, if nothing is in the way of the steps from `next` on any more once `since` has
    /// passed since the trigger.
    pub(super) fn recovers_in_time(&self, next: usize, since: Duration, load: &Load) -> bool {
        since + self.to_recovery(next, load) + TIME_TO_CALL <= self.rto
    }

    /// The lowest steady rate at which a recovery can be proven in time with all budgets in full; `None`: at no rate.
    pub(super) fn least_rate(&self) -> Option<u32> {
        let fits = |rate_per_s| {
            self.fits(&Load {
                rate_per_s,
                accounts: 2,
                markets: 1,
                bursts: None,
            })
        };
        let (mut least, mut most) = (*RATES.start(), *RATES.end());
        if !fits(most) {
            return None;
        }
        while least < most {
            let middle = least + (most - least) / 2;
            if fits(middle) {
                most = middle;
            } else {
                least = middle + 1;
            }
        }
        Some(most)
    }

    /// How long after the objective the run may still go on, if it is at the step `next` then: each step takes its
    /// budget, and one after the proof that servers hold up as much more as the objective is long.
    /// Then a person is paged.
    pub(super) fn over_within(&self, next: usize, load: &Load) -> Duration {
        let after = self.steps.iter().skip(next);
        let after = after.filter(|step| step.phase != Phase::Run).map(|step| {
            let borrowed = if step.aborts {
                self.rto
            } else {
                Duration::ZERO
            };
            step.budget + borrowed
        });
        self.to_recovery(next, load) + after.sum::<Duration>() + self.stand_by * 2 + TIME_TO_CALL
    }
}

/// How long `requests` take at the most under `load`, whose rate changes at an instant that nobody knows.
///
/// Arrivals are independent of each other, so that among as many as are waited for three times their root may be
/// missing.
fn takes(requests: u64, load: &Load) -> Duration {
    let wanted = requests + 3 * requests.isqrt();
    let steady = u64::from(load.rate_per_s.max(1));
    let Some(bursts) = load.bursts else {
        return at_rate(wanted, steady);
    };
    let burst = u64::from(bursts.rate_per_s.max(1));
    let period = each_period(bursts, steady, burst);
    // Whole periods, and the rest at the lower rate for as long as that can last.
    let (whole, rest) = (wanted / period.max(1), wanted % period.max(1));
    let periods = bursts
        .every
        .saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX));
    periods.saturating_add(at_rate(rest, steady.min(burst)).min(bursts.every))
}

/// How many requests come from the beginning of a burst to that of the next.
fn each_period(bursts: Bursts, steady: u64, burst: u64) -> u64 {
    let beside = bursts.every.saturating_sub(bursts.lasts).as_millis();
    let requests = beside * u128::from(steady) + bursts.lasts.as_millis() * u128::from(burst);
    u64::try_from(requests / 1_000).unwrap_or(u64::MAX)
}

fn at_rate(requests: u64, per_s: u64) -> Duration {
    Duration::from_millis(requests.saturating_mul(1_000).div_ceil(per_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::built_in;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn load(rate_per_s: u32, bursts: Option<(u32, u64, u64)>) -> Load {
        Load {
            rate_per_s,
            accounts: 100,
            markets: 1,
            bursts: bursts.map(|(rate_per_s, every, lasts)| Bursts {
                rate_per_s,
                every: seconds(every),
                lasts: seconds(lasts),
            }),
        }
    }

    /// Two steps before the proof, the proof of 30,000 requests and another check, and one step afterwards.
    fn way() -> Way {
        let step = |name: &str, phase, budget, requests| Budgeted {
            name: name.to_owned(),
            service: None,
            phase,
            budget: seconds(budget),
            requests,
            aborts: true,
        };
        Way {
            steps: vec![
                step("undo", Phase::Run, 2, None),
                step("status", Phase::Run, 16, None),
                step("rate", Phase::Run, 100, Some(30_000)),
                step("logs", Phase::Run, 2, Some(30_000)),
                step("stay", Phase::After, 90, None),
            ],
            stand_by: seconds(20),
            rto: seconds(300),
        }
    }

    #[test]
    fn the_proof_takes_its_budget_or_its_requests() {
        // 30,519 requests at 200 a second take 152.6 s, at 1,000 less than the budget.
        assert_eq!(way().to_recovery(0, &load(1_000, None)), seconds(120));
        let slow = way().to_recovery(0, &load(200, None));
        assert_eq!(slow, seconds(20) + Duration::from_millis(152_595));
        assert_eq!(way().to_recovery(2, &load(1_000, None)), seconds(102));
        assert_eq!(way().to_recovery(5, &load(1, None)), Duration::ZERO);
    }

    #[test]
    fn requests_in_bursts_take_as_long_as_they_may() {
        let steady = takes(10_000, &load(100, None));
        let quiet = takes(10_000, &load(100, Some((10, 60, 30))));
        let bursty = takes(10_000, &load(100, Some((1_000, 60, 10))));
        assert!(bursty < steady && steady < quiet, "{bursty:?} {quiet:?}");
        // 3,300 a minute: three minutes, and 400 requests at ten a second.
        assert_eq!(quiet, seconds(180) + seconds(40));
    }

    #[test]
    fn a_quiet_exchange_can_t_prove_a_recovery_in_time() {
        let way = way();
        let least = way.least_rate().expect("there is a rate");
        assert!(way.fits(&load(least, None)));
        assert!(!way.fits(&load(least - 1, None)));
        // 270 s are left for 30,519 requests.
        assert_eq!(least, 114);
        let hasty = Way {
            rto: seconds(120),
            ..way
        };
        assert_eq!(hasty.least_rate(), None);
    }

    #[test]
    fn what_is_done_leaves_more_time_and_a_proof_begins_anew() {
        let way = way();
        let next = |done: &[&'static str]| way.next(done.iter().map(|&name| (name, None)));
        assert_eq!(next(&[]), 0);
        assert_eq!(next(&["undo"]), 1);
        assert_eq!(next(&["undo", "status", "rate"]), 2, "the proof anew");
        assert_eq!(next(&["undo", "status", "rate", "logs", "stay"]), 5);
        let load = load(1_000, None);
        assert!(way.recovers_in_time(0, seconds(170), &load));
        assert!(!way.recovers_in_time(0, seconds(171), &load));
        assert!(way.recovers_in_time(2, seconds(171), &load));
    }

    #[test]
    fn a_run_is_over_once_every_step_has_had_all_it_may_have() {
        // 120 s of budgets, 90 s and the objective afterwards, twice what stands by, and ten seconds for the call.
        let over = way().over_within(0, &load(1_000, None));
        assert_eq!(over, seconds(120 + 90 + 300 + 40 + 10));
        assert_eq!(way().over_within(5, &load(1_000, None)), seconds(50));
    }

    #[test]
    fn the_built_in_runbook_s_ways_are_the_plans_of_its_scenarios() {
        let runbook = LoadedRunbook::built_in().expect("valid").runbook;
        let way = |name: &str| {
            let scenario = built_in(name, &[]).expect("there").expect("right");
            let plan = crate::verify::planned(&scenario, &runbook).expect("a trigger fires");
            Way::of(&plan.expect("there is a plan"), runbook.rto)
        };
        let (application, restore) = (way("latency-regression"), way("balance-anomaly"));
        let at = load(1_000, None);
        assert!(application.to_recovery(0, &at) < restore.to_recovery(0, &at));
        // The runbook is made for 200 requests a second.
        for way in [application, restore, way("breaking-migration")] {
            assert!(way.fits(&load(200, None)));
            let least = way.least_rate().expect("there is a rate");
            assert!((100..=200).contains(&least), "{least}");
        }
    }
}
