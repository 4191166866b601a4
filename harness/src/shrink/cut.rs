//! Cutting a failure down, within a budget of attempts.

use std::sync::Arc;

use super::simpler;
use crate::scenario::{Fault, Scenario, Timing, format_duration};
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

/// Cuts down `scenario`, in which `shown` shows a failure with `seed`, in at most `budget` attempts.
/// `attempt` tries a simpler case; `None`: the failure is not there, or another one.
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
pub(super) fn lacking(whole: &Scenario, left: &Scenario) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{cut_down, lacking};
    use crate::scenario::{Scenario, find};

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
