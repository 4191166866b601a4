//! Every crash point of a drill: the executor dies at each of its requests, before and after it takes effect.

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::{Crash, CrashSide, Scenario};
use crate::worlds::Plan;

/// How long after the executor's death another host takes over.
const RESUME_AFTER: Duration = Duration::from_secs(1);

/// The drill of `plan` once for each of the `requests` that the executor makes from the trigger on, and each side of it: there
/// the executor is killed, and another host resumes.
pub fn all(plan: &Plan, requests: u64) -> impl Iterator<Item = Plan> {
    let sides = [CrashSide::Before, CrashSide::After];
    (1..=requests).flat_map(move |request| {
        sides.map(|side| {
            let crash = Crash {
                request,
                side,
                resume_after: RESUME_AFTER,
            };
            let killed = Scenario::clone(&plan.scenario).with(|s| s.crash = Some(crash));
            Plan {
                scenario: Arc::new(killed),
                ..plan.clone()
            }
        })
    })
}
