//! How long did the harm go unnoticed? The RTO counts from the trigger,
//! so that an executor that notices late must not look quick.

use super::recovery::first_harm_ms;
use crate::evidence::{Evidence, InjectedFault, Ms, ms, union_ms};
use crate::oracles::finding::DetectionFinding;
use crate::scenario::HeldUp;

/// From the first harm that clients or books came to, to the trigger, at most `detect_max`. Time in which a fault kept
/// everybody from seeing anything does not count.
pub(super) fn check(evidence: &Evidence) -> DetectionFinding {
    let limit_ms = ms(evidence.expect.detect_max);
    let (Some(_), Some(harm)) = (&evidence.expect.trigger, first_harm_ms(evidence)) else {
        return DetectionFinding::NothingToDetect;
    };
    let Some(trigger) = &evidence.executor.trigger else {
        return DetectionFinding::Never { limit_ms };
    };
    let after_ms = trigger
        .at_ms
        .saturating_sub(harm)
        .saturating_sub(blind_ms(evidence, harm, trigger.at_ms))
        .saturating_sub(late_ms(evidence, harm, trigger.at_ms));
    if after_ms > limit_ms {
        DetectionFinding::Late { after_ms, limit_ms }
    } else {
        DetectionFinding::InTime { after_ms, limit_ms }
    }
}

/// For how long between `from` and `to` a fault kept everybody from seeing anything.
fn blind_ms(evidence: &Evidence, from: Ms, to: Ms) -> Ms {
    let blind = evidence.faults.iter();
    let blind = blind.filter(|fault| fault.hits > 0 && fault.certain && blinds(fault));
    union_ms(blind.filter_map(InjectedFault::lasted), from, to)
}

/// How much later than usual whoever waited saw what came between `from` and `to`: samples that come late are not gone,
/// so who waits as long as they are late sees everything.
fn late_ms(evidence: &Evidence, from: Ms, to: Ms) -> Ms {
    let is_late = |fault: &InjectedFault| fault.kind.spec().holds_up == Some(HeldUp::Observability);
    let faults = evidence.faults.iter();
    let stale = faults.filter(|fault| is_late(fault) && fault.hits > 0 && fault.certain);
    let late = stale.map(|fault| fault.lasted_within(from, to).min(fault.delay_ms));
    late.max().unwrap_or(0)
}

fn blinds(fault: &InjectedFault) -> bool {
    let blinds = fault.kind.spec().blinds;
    blinds.is_some_and(|it| it.blinds(fault.target.as_deref()))
}
