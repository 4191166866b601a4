//! Is nothing left in maintenance?

use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// The halt flag says `open` and the fence is down.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("maintenance", Stage::CleanUp, verdict, reason);
    match (&evidence.maintenance.flag, evidence.maintenance.fence_token) {
        (_, Some(token)) => finding(
            Verdict::Fail,
            format!("the fence in the database is still up, with token {token}"),
        ),
        (None, _) => finding(Verdict::Fail, "the halt flag is gone".to_owned()),
        (Some(flag), None) if flag == "open" => {
            finding(Verdict::Pass, "trading is open".to_owned())
        }
        (Some(flag), None) => finding(Verdict::Fail, format!("the halt flag is left at `{flag}`")),
    }
}
