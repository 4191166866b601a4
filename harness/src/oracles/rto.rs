//! Did the clients see recovery within the objective?

use super::recovery::{first_harm_ms, recovered_ms};
use super::survivability::is_survivable;
use crate::evidence::{Evidence, Ms, ms};
use crate::oracles::finding::RtoFinding;

/// Trigger to recovery, at most the scenario's `rto_max`.
pub(super) fn check(evidence: &Evidence) -> RtoFinding {
    let limit_ms = ms(evidence.expect.rto_max);
    let recovered = recovered_ms(evidence);
    let Some(trigger) = &evidence.executor.trigger else {
        return match (&evidence.expect.trigger, recovered) {
            (Some(_), _) => RtoFinding::NothingTriggered,
            (None, Some(at)) if harmed_ms(evidence, at) <= limit_ms => RtoFinding::NothingToRecover,
            (None, _) => RtoFinding::HarmUntriggered,
        };
    };
    match recovered.map(|at| at.saturating_sub(trigger.at_ms)) {
        Some(rto_ms) if rto_ms <= limit_ms => RtoFinding::Within { rto_ms, limit_ms },
        rto_ms if !is_survivable(evidence) => RtoFinding::Unsurvivable { rto_ms, limit_ms },
        None => RtoFinding::Never { limit_ms },
        Some(rto_ms) => RtoFinding::Beyond { rto_ms, limit_ms },
    }
}

/// For how long clients or books had been harmed when all was well at `at`.
fn harmed_ms(evidence: &Evidence, at: Ms) -> Ms {
    first_harm_ms(evidence).map_or(0, |harm| at.saturating_sub(harm))
}
