//! The smallest case that still shows a failure.
//!
//! Greedy and deterministic: of the scenarios that are one step simpler, the first that still shows it is taken, until none is left or
//! the budget is spent; then the smallest seed. What "still shows it" means is the caller's: [`campaign`] asks one drill,
//! [`verify`](crate::verify) a pair.

pub mod campaign;

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::{Fault, LedgerSize, Scenario, Timing, format_duration};
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
        for simpler in simpler(&found.scenario) {
            if found.tried >= budget {
                break 'simpler;
            }
            found.tried += 1;
            let simpler = Arc::new(simpler);
            if let Some(shown) = attempt(&simpler, seed)? {
                (found.scenario, found.shown) = (simpler, shown);
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
    // What was cut on the way and cut further later is not in the case that is left.
    found.cut = lacking(scenario, &found.scenario);
    Ok(found)
}

/// What `left` lacks against `whole`, from which it was cut down, in words.
fn lacking(whole: &Scenario, left: &Scenario) -> Vec<String> {
    let mut lacks = Vec::new();
    if whole.crash.is_some() && left.crash.is_none() {
        lacks.push("no crash".to_owned());
    }
    if let (Some(was), Some(is)) = (whole.crash, left.crash)
        && is.resume_after != was.resume_after
    {
        let after = format_duration(is.resume_after);
        lacks.push(format!("another host resumes after {after}"));
    }
    // Faults are left out one by one or made smaller, and the others keep their order.
    let mut kept = left.faults.iter().peekable();
    for fault in &whole.faults {
        let same = |it: &&Fault| {
            (it.kind, &it.target, &it.when) == (fault.kind, &fault.target, &fault.when)
        };
        match kept.next_if(same) {
            None => lacks.push(format!("no {}", fault.in_words())),
            Some(it) if it == fault => {}
            Some(it) if it.at != fault.at || it.jitter != fault.jitter => {
                lacks.push(format!("{} at once", it.in_words()));
            }
            Some(it) => lacks.push(it.in_words()),
        }
    }
    for deployment in &whole.deployments {
        if !left.deployments.contains(deployment) {
            lacks.push(format!(
                "{} deployed as its manifest has it",
                deployment.service
            ));
        }
    }
    if left.ledger != whole.ledger {
        lacks.push("an empty ledger".to_owned());
    }
    let intervals = |of: &Timing| (of.scrape_interval, of.poll_interval);
    if intervals(&left.timing) != intervals(&whole.timing) {
        lacks.push("the usual intervals".to_owned());
    }
    let (was, is) = (&whole.load, &left.load);
    if is.bursts != was.bursts {
        lacks.push("no bursts".to_owned());
    }
    if is.markets != was.markets {
        let markets = if is.markets == 1 { "market" } else { "markets" };
        lacks.push(format!("{} {markets}", is.markets));
    }
    if is.accounts != was.accounts {
        lacks.push(format!("{} accounts", is.accounts));
    }
    let (before, now) = (&whole.timing, &left.timing);
    if now.deploy_at != before.deploy_at {
        lacks.push(format!("deployed after {} s", now.deploy_at.as_secs()));
    }
    if now.duration != before.duration {
        lacks.push(format!("over after {} s", now.duration.as_secs()));
    }
    if is.rate_per_s != was.rate_per_s {
        lacks.push(format!("{} requests a second", is.rate_per_s));
    }
    lacks
}

/// Half of a time of a second or more, in tenths of a second; a shorter one is as short as it need be.
fn half(of: Duration) -> Option<Duration> {
    let tenths = of.as_millis() / 200;
    let tenths = u64::try_from(tenths).ok().filter(|&tenths| tenths >= 5)?;
    Some(Duration::from_millis(tenths * 100))
}

/// The scenarios that are one step simpler, the greatest simplification first.
/// Only such as would load from a file.
#[must_use]
pub fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut out: Vec<Scenario> = Vec::new();
    let mut offer = |edit: &dyn Fn(&mut Scenario)| {
        let simpler = scenario.clone().with(|s| edit(s));
        let loads = Scenario::parse("simpler", &simpler.text, &[]).is_ok();
        let differs = simpler.load != scenario.load
            || simpler.timing != scenario.timing
            || simpler.crash != scenario.crash
            || simpler.ledger != scenario.ledger
            || simpler.deployments != scenario.deployments
            || simpler.faults != scenario.faults;
        if loads && differs {
            out.push(simpler);
        }
    };
    if scenario.crash.is_some() {
        offer(&|s| s.crash = None);
    }
    for at in 0..scenario.faults.len() {
        offer(&|s| {
            s.faults.remove(at);
        });
    }
    for at in 0..scenario.faults.len() {
        let fault = &scenario.faults[at];
        if !fault.at.is_zero() {
            offer(&|s| s.faults[at].at = Duration::ZERO);
        }
        if !fault.jitter.is_zero() {
            offer(&|s| s.faults[at].jitter = Duration::ZERO);
        }
        if let Some(half) = fault.lasts.and_then(half) {
            offer(&|s| s.faults[at].lasts = Some(half));
        }
        if let Some(half) = fault.delay.and_then(half) {
            offer(&|s| s.faults[at].delay = Some(half));
        }
    }
    if let Some(half) = scenario.crash.and_then(|crash| half(crash.resume_after)) {
        offer(&|s| {
            if let Some(crash) = &mut s.crash {
                crash.resume_after = half;
            }
        });
    }
    let (load, timing) = (scenario.load, scenario.timing);
    for index in 0..scenario.deployments.len() {
        offer(&|s| drop(s.deployments.remove(index)));
    }
    offer(&|s| s.ledger = LedgerSize::default());
    offer(&|s| s.load.bursts = None);
    offer(&|s| {
        s.timing.scrape_interval = Timing::SCRAPE_INTERVAL;
        s.timing.poll_interval = Timing::POLL_INTERVAL;
    });
    offer(&|s| s.load.markets = 1);
    for accounts in [10, 100].into_iter().filter(|n| *n < load.accounts) {
        offer(&|s| s.load.accounts = accounts);
    }
    let hurried = timing.hurried();
    if hurried.deploy_at < timing.deploy_at {
        offer(&|s| s.timing = hurried);
    }
    let least = timing.deploy_at + scenario.expect.rto_max + timing.hold;
    if least < timing.duration {
        offer(&|s| s.timing.duration = least);
    }
    for percent in [50, 75, 90] {
        let rate = load.rate_per_s * percent / 100;
        if (1..load.rate_per_s).contains(&rate) {
            offer(&|s| s.load.rate_per_s = rate);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{cut_down, lacking, simpler};
    use crate::scenario::{Bursts, Crash, CrashSide, Deployment, Scenario, Strategy, Timing, find};

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
                s.ledger.more_mb = 100;
                s.timing.poll_interval = std::time::Duration::from_secs(2);
                s.load.bursts = Some(Bursts {
                    rate_per_s: 900,
                    every: Bursts::EVERY,
                    lasts: Bursts::LASTS,
                });
                s.deployments = ["gateway", "risk"]
                    .map(|service| Deployment {
                        service: service.to_owned(),
                        replicas: Some(4),
                        strategy: Some(Strategy::Recreate),
                    })
                    .to_vec();
            });
        let mut steps = 0;
        while let Some(next) = simpler(&scenario).into_iter().next() {
            // Each step is told, and as one thing.
            assert_eq!(lacking(&scenario, &next).len(), 1, "{next:?}");
            scenario = next;
            steps += 1;
            assert!(steps < 50, "{scenario:?}");
        }
        assert!(steps >= 11);
        assert!(scenario.faults.is_empty() && scenario.deployments.is_empty());
        assert_eq!((scenario.load.bursts, scenario.ledger.more_mb), (None, 0));
        assert_eq!(scenario.timing.poll_interval, Timing::POLL_INTERVAL);
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

    #[test]
    fn what_was_cut_further_is_not_told_as_it_was_on_the_way() {
        let built_in = find("unreachable").expect("it is built in");
        let rate = 2_000;
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect("loads");
        let scenario = Arc::new(scenario.with(|s| s.load.rate_per_s = rate));
        // Any rate shows it, and all else must stay.
        let shows = |simpler: &Scenario| {
            let all_else = simpler.clone().with(|s| s.load.rate_per_s = rate);
            all_else.text == scenario.text
        };
        let cut = cut_down(&scenario, 0, (), 1_000, |simpler, _| {
            Ok(shows(simpler).then_some(()))
        });
        let cut = cut.expect("no world is asked");
        assert!(cut.scenario.load.rate_per_s < rate / 2, "{cut:?}");
        let told = format!("{} requests a second", cut.scenario.load.rate_per_s);
        assert_eq!(cut.cut, [told]);
        // Of two faults that are alike in all but their instant, the right one is named.
        let mut twice = Scenario::clone(&scenario);
        twice.faults.push(twice.faults[0].clone());
        assert_eq!(
            lacking(&twice, &scenario),
            [format!("no {}", twice.faults[0].in_words())]
        );
    }
}
