//! The scenarios that are one step simpler than one.

use std::time::Duration;

use crate::scenario::{LedgerSize, Scenario, Timing};

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
    // Only the exchange has markets and accounts.
    if scenario.application.is_the_exchange() {
        offer(&|s| s.load.markets = 1);
        for accounts in [10, 100].into_iter().filter(|n| *n < load.accounts) {
            offer(&|s| s.load.accounts = accounts);
        }
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
    use super::super::cut::lacking;
    use super::simpler;
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
                        probe_period_s: None,
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
}
