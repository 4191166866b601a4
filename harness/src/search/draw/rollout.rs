//! The Deployments: how many pods a service has, and how they are replaced.

use dex::release::Service;
use sim::rng::Rng;

use super::dice::number;
use super::space::Half;
use crate::scenario::{Deployment, Share, Strategy};

/// Draws the Deployments that are not as their manifests have them: each in one drill of four.
pub(super) fn deployments(rng: &mut Rng, half: Half) -> Vec<Deployment> {
    let drawn = Service::ALL.map(|service| {
        let wanted = rng.ratio(1, 4);
        let deployment = match half {
            Half::Survivable => gentle(rng, service),
            Half::Hostile => any(rng, service),
        };
        wanted.then_some(deployment)
    });
    drawn.into_iter().flatten().collect()
}

/// Enough pods for the disruption budget, replaced so that some always serve and that a rollout keeps to the runbook's
/// budget.
fn gentle(rng: &mut Rng, service: Service) -> Deployment {
    let gateway = service == Service::Gateway;
    let replicas = if gateway {
        number(rng, 3, 6)
    } else {
        number(rng, 1, 2)
    };
    Deployment {
        service: service.name().to_owned(),
        replicas: Some(replicas),
        strategy: Some(Strategy::Rolling {
            max_surge: if gateway {
                Share::Percent(number(rng, 25, 100))
            } else {
                Share::Pods(replicas)
            },
            max_unavailable: if gateway {
                Share::Percent(number(rng, 0, 25))
            } else {
                Share::Pods(0)
            },
        }),
        probe_period_s: None,
    }
}

/// Whatever Kubernetes takes.
fn any(rng: &mut Rng, service: Service) -> Deployment {
    let most = if service == Service::Gateway { 10 } else { 3 };
    let replicas = Some(number(rng, 1, most)).filter(|_| rng.ratio(3, 4));
    let strategy = match rng.below(4) {
        0 => None,
        1 => Some(Strategy::Recreate),
        _ => {
            let max_surge = share(rng);
            let max_unavailable = share(rng);
            let none = max_surge.is_zero() && max_unavailable.is_zero();
            Some(Strategy::Rolling {
                max_surge: if none { Share::Pods(1) } else { max_surge },
                max_unavailable,
            })
        }
    };
    Deployment {
        service: service.name().to_owned(),
        replicas,
        strategy,
        probe_period_s: None,
    }
}

fn share(rng: &mut Rng) -> Share {
    if rng.ratio(1, 2) {
        Share::Pods(number(rng, 0, 3))
    } else {
        Share::Percent(number(rng, 0, 100))
    }
}
