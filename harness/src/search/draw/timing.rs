//! When what happens: warm-up, deployment, and how often Prometheus and the executor look.

use std::time::Duration;

use sim::rng::Rng;

use super::dice::seconds;
use super::space::Half;
use crate::scenario::Timing;

/// Draws the times before the deployment and the intervals; in half of the drills they are as usual.
///
/// A release whose scenario deploys it late needs what comes before, so that it is deployed no sooner.
pub(super) fn timing(rng: &mut Rng, half: Half, own: Timing) -> Timing {
    let usual = rng.ratio(1, 2);
    let warm_up = seconds(rng, 30, 90);
    let pause = match rng.below(8) {
        0 => seconds(rng, 60, 300),
        _ => seconds(rng, 10, 60),
    };
    // The executor counts on what it sees being at most two scrapes of two seconds old.
    let (scrape, poll) = match half {
        Half::Survivable => (2, 8),
        Half::Hostile => (4, 20),
    };
    let scrape_interval = Duration::from_millis(rng.between(1_000, scrape * 1_000));
    let poll_interval = Duration::from_millis(rng.between(1_000, poll * 1_000));
    if usual {
        return own;
    }
    Timing {
        warm_up,
        deploy_at: if own.deploy_at > Duration::from_secs(90) {
            own.deploy_at.max(warm_up + pause)
        } else {
            warm_up + pause
        },
        scrape_interval,
        poll_interval,
        ..own
    }
}
