//! Did the right trigger fire, and only it?

use crate::evidence::Evidence;
use crate::oracles::finding::TriggerFinding;

/// The trigger that the watch reported is the expected one.
pub(super) fn check(evidence: &Evidence) -> TriggerFinding {
    let seen = evidence.executor.trigger.as_ref();
    let (expected, seen) = match (&evidence.expect.trigger, seen) {
        (None, None) => return TriggerFinding::NoneAsExpected,
        (Some(expected), None) => {
            let expected = expected.clone();
            return TriggerFinding::Never { expected };
        }
        (expected, Some(seen)) => (expected, seen),
    };
    let (at_ms, seen) = (seen.at_ms, seen.name.clone());
    let Some(expected) = expected else {
        return TriggerFinding::FalseAlarm { seen, at_ms };
    };
    let Some(deployed) = evidence.deployed_ms.filter(|&deployed| deployed <= at_ms) else {
        return TriggerFinding::BeforeDeployment { seen, at_ms };
    };
    let after_deployment_ms = at_ms - deployed;
    if *expected == seen {
        TriggerFinding::Fired {
            seen,
            at_ms,
            after_deployment_ms,
        }
    } else {
        TriggerFinding::Other {
            seen,
            expected: expected.clone(),
            at_ms,
            after_deployment_ms,
        }
    }
}
