//! The smallest case that still shows a failure.
//!
//! Greedy and deterministic: of the scenarios that are one step simpler, the first that still shows it is taken, until none is left or
//! the budget is spent; then the smallest seed. What "still shows it" means is the caller's: [`campaign`] asks one drill,
//! [`verify`](crate::verify) a pair.

pub mod campaign;

use std::sync::Arc;

use crate::scenario::Scenario;
use crate::worlds::WorldError;

/// How many small seeds are tried.
const SEEDS: u64 = 8;

/// How far a failure could be cut down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut<T> {
    /// The scenario that is left.
    pub scenario: Arc<Scenario>,
    /// What shows the failure in it.
    pub shown: T,
    /// What it lacks against the one it was found in, in words; empty: nothing could be left out.
    pub cut: Vec<String>,
    /// Attempts that were made.
    pub tried: u32,
}

/// Cuts down `scenario`, in which `shown` shows a failure with `seed`, in at most `budget` attempts. `attempt` tries a simpler case;
/// `None`: the failure is not there, or another one.
///
/// # Errors
/// The first [`WorldError`] of an attempt.
pub fn cut_down<T>(
    scenario: &Arc<Scenario>,
    seed: u64,
    shown: T,
    budget: u32,
    mut attempt: impl FnMut(&Arc<Scenario>, u64) -> Result<Option<T>, WorldError>,
) -> Result<Cut<T>, WorldError> {
    let mut found = Cut {
        scenario: Arc::clone(scenario),
        shown,
        cut: Vec::new(),
        tried: 0,
    };
    'simpler: while found.tried < budget {
        for (what, simpler) in simpler(&found.scenario) {
            if found.tried >= budget {
                break 'simpler;
            }
            found.tried += 1;
            let simpler = Arc::new(simpler);
            if let Some(shown) = attempt(&simpler, seed)? {
                (found.scenario, found.shown) = (simpler, shown);
                found.cut.push(what);
                continue 'simpler;
            }
        }
        break;
    }
    for seed in 0..seed.min(SEEDS) {
        if found.tried >= budget {
            break;
        }
        found.tried += 1;
        if let Some(shown) = attempt(&found.scenario, seed)? {
            found.shown = shown;
            break;
        }
    }
    Ok(found)
}

/// The scenarios that are one step simpler, the greatest simplification first, each with what was left out.
/// Only such as would load from a file.
#[must_use]
pub fn simpler(scenario: &Scenario) -> Vec<(String, Scenario)> {
    let mut out: Vec<(String, Scenario)> = Vec::new();
    let mut offer = |what: String, edit: &dyn Fn(&mut Scenario)| {
        let simpler = scenario.clone().with(|s| edit(s));
        let loads = Scenario::parse("simpler", &simpler.text, &[]).is_ok();
        let differs = simpler.load != scenario.load
            || simpler.timing != scenario.timing
            || simpler.crash != scenario.crash
            || simpler.faults != scenario.faults;
        if loads && differs {
            out.push((what, simpler));
        }
    };
    if scenario.crash.is_some() {
        offer("no crash".to_owned(), &|s| s.crash = None);
    }
    for (at, fault) in scenario.faults.iter().enumerate() {
        offer(format!("no {}", fault.in_words()), &|s| {
            s.faults.remove(at);
        });
    }
    let (load, timing) = (scenario.load, scenario.timing);
    offer("1 market".to_owned(), &|s| s.load.markets = 1);
    for accounts in [10, 100].into_iter().filter(|n| *n < load.accounts) {
        offer(format!("{accounts} accounts"), &|s| {
            s.load.accounts = accounts
        });
    }
    let hurried = timing.hurried();
    if hurried.deploy_at < timing.deploy_at {
        let deploy_at = hurried.deploy_at.as_secs();
        offer(format!("deployed after {deploy_at} s"), &|s| {
            s.timing = hurried;
        });
    }
    let least = timing.deploy_at + scenario.expect.rto_max + timing.hold;
    if least < timing.duration {
        offer(format!("over after {} s", least.as_secs()), &|s| {
            s.timing.duration = least
        });
    }
    for percent in [50, 75, 90] {
        let rate = load.rate_per_s * percent / 100;
        if (1..load.rate_per_s).contains(&rate) {
            offer(format!("{rate} requests a second"), &|s| {
                s.load.rate_per_s = rate
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{cut_down, simpler};
    use crate::scenario::{Crash, CrashSide, Scenario, find};

    #[test]
    fn simplifying_ends_and_every_step_loads() {
        let built_in = find("unreachable").expect("it is built in");
        let mut scenario = Scenario::parse(built_in.file, built_in.text, &[])
            .expect("it loads")
            .with(|s| {
                s.crash = Some(Crash {
                    request: 3,
                    side: CrashSide::After,
                    resume_after: std::time::Duration::from_secs(2),
                });
            });
        let mut steps = 0;
        while let Some((what, next)) = simpler(&scenario).into_iter().next() {
            assert!(!what.is_empty());
            scenario = next;
            steps += 1;
            assert!(steps < 50, "{scenario:?}");
        }
        assert!(steps >= 6);
        assert!(scenario.faults.is_empty());
        assert_eq!((scenario.crash, scenario.load.markets), (None, 1));
        assert!(scenario.load.accounts <= 10);
    }

    #[test]
    fn cutting_down_keeps_what_the_failure_needs_and_stays_within_the_budget() {
        let built_in = find("unreachable").expect("it is built in");
        let scenario = Arc::new(Scenario::parse(built_in.file, built_in.text, &[]).expect("loads"));
        // A failure that takes a fault of the API server's and 1,000 accounts.
        let shows = |scenario: &Scenario| {
            let fault = |f: &crate::scenario::Fault| f.target.as_deref() == Some("kubernetes");
            scenario.faults.iter().any(fault) && scenario.load.accounts >= 1_000
        };
        assert!(shows(&scenario) && scenario.faults.len() == 2);
        let run = |budget| {
            let mut asked = 0;
            let cut = cut_down(&scenario, 5, 5, budget, |simpler, seed| {
                asked += 1;
                Ok((shows(simpler) && seed >= 3).then_some(seed))
            });
            let cut = cut.expect("no world is asked");
            assert_eq!(cut.tried, asked);
            assert!(shows(&cut.scenario) && cut.tried <= budget, "{cut:?}");
            cut
        };
        let whole = run(100);
        assert_eq!((whole.scenario.faults.len(), whole.shown), (1, 3));
        assert_eq!(whole.scenario.load.markets, 1);
        assert_eq!(run(0).cut, [""; 0]);
        assert_eq!(run(2).tried, 2);
    }
}
