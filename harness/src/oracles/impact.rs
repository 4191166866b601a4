//! How long were clients and books harmed?

use super::recovery::{bad_before_deployment, first_harm_ms, recovered_ms};
use super::survivability::is_survivable;
use crate::evidence::{Evidence, ms};
use crate::oracles::finding::ImpactFinding;

/// How many bad seconds the preparation of a deployment may cost the clients:
/// a snapshot closes the ledger for a moment.
const PREPARATION_S: u64 = 10;

/// From the first harm to recovery, at most `impact_max`. Measured without the executor,
/// but for the instant from which recovery counts.
pub(super) fn check(evidence: &Evidence) -> ImpactFinding {
    let bad_s = bad_before_deployment(evidence);
    if bad_s > PREPARATION_S {
        return ImpactFinding::BeforeDeployment { bad_s };
    }
    let limit_ms = ms(evidence.expect.impact_max);
    let Some(harm) = first_harm_ms(evidence) else {
        return ImpactFinding::NoHarm;
    };
    let recovered = recovered_ms(evidence);
    let impact_ms = recovered.unwrap_or(evidence.end_ms).saturating_sub(harm);
    if evidence.expect.trigger.is_none() {
        // Whether it may last so long is for the objective to say.
        return ImpactFinding::Passing { impact_ms };
    }
    match recovered {
        Some(_) if impact_ms <= limit_ms => ImpactFinding::Within {
            impact_ms,
            limit_ms,
        },
        _ if !is_survivable(evidence) => ImpactFinding::Unsurvivable {
            so_far_ms: impact_ms,
            limit_ms,
        },
        Some(_) => ImpactFinding::Beyond {
            impact_ms,
            limit_ms,
        },
        None => ImpactFinding::Never {
            so_far_ms: impact_ms,
            limit_ms,
        },
    }
}
