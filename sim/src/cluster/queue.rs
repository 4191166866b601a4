//! When a controller's work is done again: what its work queue remembers of delays and failures.
//!
//! `client-go/util/workqueue`: in the delaying queue an item waits once, for the earliest of the instants asked for
//! (`delaying_queue.go` insert), and the rate limiter doubles an item's delay with each failure since its last
//! success (`default_rate_limiters.go` ItemExponentialFailureRateLimiter).

use std::collections::BTreeMap;

use super::due_items::Work;
use crate::time::Micros;

/// Longest delay between two attempts (`DefaultTypedControllerRateLimiter`).
const LONGEST: Micros = Micros::from_secs(1_000);

/// How often a failed item is queued again before its controller drops it
/// (`maxRetries` of `deployment_controller.go` and of `endpointslice_controller.go`).
const MAX_RETRIES: u32 = 15;

/// The items that wait, and how often each has failed.
#[derive(Debug, Default)]
pub(crate) struct DelayingQueue {
    waiting: BTreeMap<Work, Micros>,
    failures: BTreeMap<Work, u32>,
}

/// The delay after the first failure.
fn first_delay(work: &Work) -> Micros {
    match work {
        // `defaultSyncBackOff` of `endpointslice_controller.go`.
        Work::Endpoints(_) => Micros::from_secs(1),
        // `DefaultJobApiBackOff` of `job_controller.go`.
        Work::Job(_) => Micros::from_secs(1),
        _ => Micros::from_millis(5),
    }
}

/// Whether the controller gives an item up after [`MAX_RETRIES`]. The ReplicaSet controller (`replica_set.go`
/// processNextWorkItem) and the disruption controller never do.
fn gives_up(work: &Work) -> bool {
    matches!(work, Work::Deployment(_) | Work::Endpoints(_))
}

impl DelayingQueue {
    /// Lets an item wait until `at`; false if it waits for that or an earlier instant already.
    pub(crate) fn wait_until(&mut self, at: Micros, work: &Work) -> bool {
        if self.waiting.get(work).is_some_and(|due| *due <= at) {
            return false;
        }
        self.waiting.insert(work.clone(), at);
        true
    }

    /// Takes out an item whose wait ends at `now`; false if it was taken out before.
    pub(crate) fn take_due(&mut self, now: Micros, work: &Work) -> bool {
        let due = self.waiting.get(work).is_some_and(|due| *due <= now);
        if due {
            self.waiting.remove(work);
        }
        due
    }

    /// Whether an item of this kind waits.
    #[cfg(test)]
    pub(crate) fn any_waits(&self, of: impl Fn(&Work) -> bool) -> bool {
        self.waiting.keys().any(of)
    }

    /// The item was done: its next failure is its first.
    pub(crate) fn forget(&mut self, work: &Work) {
        self.failures.remove(work);
    }

    /// The item has failed: how long it waits now, or `None` if its controller drops it.
    pub(crate) fn failed(&mut self, work: &Work) -> Option<Micros> {
        let failures = self.failures.entry(work.clone()).or_insert(0);
        if gives_up(work) && *failures >= MAX_RETRIES {
            self.failures.remove(work);
            return None;
        }
        // From some power on it is the longest delay anyway.
        let doubled = first_delay(work).0 << (*failures).min(30);
        *failures += 1;
        Some(Micros(doubled).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::{DelayingQueue, LONGEST};
    use crate::cluster::due_items::Work;
    use crate::time::Micros;

    #[test]
    fn delays_double_from_five_milliseconds_to_a_thousand_seconds_and_a_success_begins_anew() {
        let mut queue = DelayingQueue::default();
        let rs = Work::ReplicaSet("n/r".to_owned());
        for power in 0..18 {
            assert_eq!(queue.failed(&rs), Some(Micros(5_000 << power)));
        }
        for _ in 0..100 {
            assert_eq!(queue.failed(&rs), Some(LONGEST));
        }
        queue.forget(&rs);
        assert_eq!(queue.failed(&rs), Some(Micros::from_millis(5)));
    }

    #[test]
    fn a_deployment_is_dropped_after_fifteen_retries() {
        let mut queue = DelayingQueue::default();
        let deployment = Work::Deployment("n/d".to_owned());
        let delays: Vec<_> = (0..16).map(|_| queue.failed(&deployment)).collect();
        assert_eq!(delays[14], Some(Micros(5_000 << 14)));
        assert_eq!(delays[15], None);
        assert_eq!(queue.failed(&deployment), Some(Micros::from_millis(5)));
    }

    #[test]
    fn an_item_waits_once_for_the_earliest_instant() {
        let mut queue = DelayingQueue::default();
        let work = Work::ReplicaSet("n/r".to_owned());
        let at = Micros::from_secs;
        assert!(queue.wait_until(at(5), &work));
        assert!(!queue.wait_until(at(7), &work), "later");
        assert!(queue.wait_until(at(3), &work), "earlier");
        assert!(queue.take_due(at(3), &work));
        assert!(!queue.take_due(at(5), &work), "taken out already");
    }
}
