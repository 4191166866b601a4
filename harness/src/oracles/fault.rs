//! Did the bad release run, and do its harm? If not, the drill shows nothing. Did every fault hit something? If not, it
//! shows less than it should.

use super::recovery::first_harm_ms;
use crate::evidence::Evidence;
use crate::oracles::finding::InjectionFinding;

/// A pod of the deployed release was live, and where a trigger is expected, clients or the ledger came
/// to harm after the deployment; the executor died where it was to die; each fault hit.
pub(super) fn check(evidence: &Evidence) -> InjectionFinding {
    let Some(deployed_ms) = evidence.deployed_ms else {
        return InjectionFinding::NeverDeployed;
    };
    if !evidence.deployed_build_seen {
        return InjectionFinding::NeverRan;
    }
    let harm = first_harm_ms(evidence);
    if evidence.expect.trigger.is_some() && harm.is_none() {
        return InjectionFinding::NoHarm;
    }
    if evidence.crash_ms == Some(None) {
        return InjectionFinding::CrashNeverCame;
    }
    if let Some(fault) = evidence.faults.iter().find(|fault| fault.hits == 0) {
        return InjectionFinding::FaultNeverFired {
            fault: fault.what.clone(),
            began: fault.began_ms.is_some(),
        };
    }
    match harm.filter(|_| evidence.expect.trigger.is_some()) {
        None => InjectionFinding::NoHarmExpected,
        Some(first_harm_ms) => InjectionFinding::Harm {
            first_harm_ms,
            deployed_ms,
        },
    }
}
