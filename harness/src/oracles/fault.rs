//! Did the bad release run, and do its harm? If not, the drill shows nothing.

use super::recovery::first_harm_ms;
use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// A pod of the deployed release was live, and where a trigger is expected, clients or the ledger came
/// to harm between deployment and trigger.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("fault-fired", Stage::Injection, verdict, reason);
    let Some(deployed) = evidence.deployed_ms else {
        return finding(
            Verdict::Inconclusive,
            "the release was never deployed".to_owned(),
        );
    };
    if !evidence.deployed_build_seen {
        return finding(
            Verdict::Inconclusive,
            "no pod of the deployed release ever ran".to_owned(),
        );
    }
    if evidence.crash_ms == Some(None) {
        return finding(
            Verdict::Inconclusive,
            "the executor was to die at a request that it never made".to_owned(),
        );
    }
    if let Some(fault) = evidence.faults.iter().find(|fault| fault.hits == 0) {
        let why = match fault.began_ms {
            None => "its instant never came",
            Some(_) => "it hit nothing",
        };
        return finding(
            Verdict::Inconclusive,
            format!("the fault `{}` never fired: {why}", fault.what),
        );
    }
    if evidence.expect.trigger.is_none() {
        return finding(
            Verdict::Pass,
            "the release ran; no harm is expected of it".to_owned(),
        );
    }
    match first_harm_ms(evidence) {
        None => finding(
            Verdict::Inconclusive,
            "the release ran and did no harm".to_owned(),
        ),
        Some(harm) => finding(Verdict::Pass, "the release ran and did harm".to_owned())
            .number("first_harm_ms", harm)
            .number("deployed_ms", deployed),
    }
}
