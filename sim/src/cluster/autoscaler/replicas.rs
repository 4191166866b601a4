//! How many replicas a metric asks for (`replica_calculator.go`).

use crate::cluster::json::Value;
use crate::cluster::value::{condition, created, parse_timestamp, text};
use crate::time::Micros;

/// How far the usage may be from its target without a change (`horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: f64 = 0.1;
/// So long after its start a pod's usage counts only if it is ready (`…-cpu-initialization-period`).
const INITIALIZATION: Micros = Micros::from_secs(300);
/// A pod that was not ready from its start on counts as never ready so long (`…-initial-readiness-delay`).
const READINESS_DELAY: Micros = Micros::from_secs(30);

/// What is known of a pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// CPU that it used, in thousandths of a core, if that is known.
    pub(super) used: Option<f64>,
    /// CPU that it asks for, in the same unit.
    pub(super) requested: f64,
    /// Whether its usage does not count yet.
    pub(super) unready: bool,
}

/// Whether a pod's usage does not count yet (`groupPods`).
pub(super) fn is_unready(pod: &Value, now: Micros) -> bool {
    if text(pod, &["status", "phase"]) == "Pending" {
        return true;
    }
    let Some(ready) = condition(pod, "Ready") else {
        return true;
    };
    let started = parse_timestamp(text(pod, &["status", "startTime"]));
    let started = started.unwrap_or_else(|| created(pod));
    let changed = parse_timestamp(text(ready, &["lastTransitionTime"])).unwrap_or(started);
    let not_ready = text(ready, &["status"]) != "True";
    if started + INITIALIZATION > now {
        not_ready
    } else {
        not_ready && started + READINESS_DELAY > changed
    }
}

/// Replicas that are asked for, and the usage in percent of what the pods request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) replicas: i64,
    pub(super) utilization: i64,
}

fn near(ratio: f64) -> bool {
    (1.0 - ratio).abs() <= TOLERANCE
}

fn ceiling(ratio: f64, pods: usize) -> i64 {
    (ratio * pods as f64).ceil() as i64
}

/// `GetResourceReplicas`: so many replicas bring the usage to `target` percent of the requests. `None` if nothing is
/// measured.
pub(super) fn by_utilization(current: i64, target: i64, pods: &[Measured]) -> Option<Asked> {
    let ready: Vec<(f64, f64)> = pods
        .iter()
        .filter(|pod| !pod.unready)
        .filter_map(|pod| Some((pod.used?, pod.requested)))
        .collect();
    let ratio_of = |of: &[(f64, f64)]| {
        let (used, requested) = of.iter().fold((0.0, 0.0), |(u, r), (used, requested)| {
            (u + used, r + requested)
        });
        let utilization = (used * 100.0 / requested).trunc();
        (utilization / target as f64, utilization as i64)
    };
    if ready.is_empty() || ready.iter().all(|(_, requested)| *requested == 0.0) {
        return None;
    }
    let (ratio, utilization) = ratio_of(&ready);
    let asked = |replicas| {
        Some(Asked {
            replicas,
            utilization,
        })
    };
    let missing: Vec<&Measured> = pods
        .iter()
        .filter(|pod| !pod.unready && pod.used.is_none())
        .collect();
    let unready: Vec<&Measured> = pods.iter().filter(|pod| pod.unready).collect();
    let ignored_unready = !unready.is_empty() && ratio > 1.0;
    if !ignored_unready && missing.is_empty() {
        let replicas = if near(ratio) {
            current
        } else {
            ceiling(ratio, ready.len())
        };
        return asked(replicas);
    }
    // What is not known is taken to be against the change.
    let mut all = ready;
    let fallback = |pod: &Measured| {
        if ratio < 1.0 {
            pod.requested * (target.max(100) as f64) / 100.0
        } else {
            0.0
        }
    };
    all.extend(missing.iter().map(|pod| (fallback(pod), pod.requested)));
    if ignored_unready {
        all.extend(unready.iter().map(|pod| (0.0, pod.requested)));
    }
    let (new, _) = ratio_of(&all);
    let turned = (ratio < 1.0 && new > 1.0) || (ratio > 1.0 && new < 1.0);
    let replicas = ceiling(new, all.len());
    let backwards = (new < 1.0 && replicas > current) || (new > 1.0 && replicas < current);
    if near(new) || turned || backwards {
        return asked(current);
    }
    asked(replicas)
}

#[cfg(test)]
mod tests {
    use super::{Asked, Measured, by_utilization};

    fn pods(used: &[Option<u32>]) -> Vec<Measured> {
        let one = |used: &Option<u32>| Measured {
            used: used.map(f64::from),
            requested: 100.0,
            unready: false,
        };
        used.iter().map(one).collect()
    }

    fn replicas(current: i64, target: i64, used: &[Option<u32>]) -> Option<i64> {
        by_utilization(current, target, &pods(used)).map(|asked| asked.replicas)
    }

    #[test]
    fn replicas_bring_the_usage_to_its_target() {
        assert_eq!(replicas(2, 50, &[Some(100), Some(100)]), Some(4));
        assert_eq!(replicas(4, 50, &[Some(10); 4]), Some(1));
        assert_eq!(replicas(3, 50, &[Some(54); 3]), Some(3), "within a tenth");
        assert_eq!(replicas(3, 50, &[Some(56); 3]), Some(4), "beyond it");
        assert_eq!(replicas(1, 50, &[None]), None);
        let one = by_utilization(1, 50, &pods(&[Some(75)]));
        assert_eq!(
            one,
            Some(Asked {
                replicas: 2,
                utilization: 75
            })
        );
    }

    #[test]
    fn what_is_not_known_holds_a_change_back() {
        // The missing pod counts as idle when pods are to come, and as busy when pods are to go.
        assert_eq!(replicas(2, 50, &[Some(100), None]), Some(2));
        assert_eq!(replicas(2, 50, &[Some(10), None]), Some(2));
        let mut some = pods(&[Some(100), Some(100), Some(100)]);
        some[2].unready = true;
        let asked = by_utilization(3, 50, &some).map(|asked| asked.replicas);
        assert_eq!(asked, Some(4), "an unready pod counts as idle");
    }
}
