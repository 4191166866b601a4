//! Is nothing left in maintenance?

use crate::evidence::Evidence;
use crate::scenario::{Expected, Path};
use crate::verdict::{Finding, Stage, Verdict};

/// The halt flag says `open` and the fence is down. Where a person had to be called over a ledger that the old code can't
/// work on, trading must still be halted: a closed exchange costs money, a wrong ledger costs trust.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("maintenance", Stage::CleanUp, verdict, reason);
    let on_the_ledger = matches!(evidence.expect.path, Path::Undo | Path::Restore);
    if evidence.expect.outcome == Expected::Escalated && on_the_ledger {
        return match (&evidence.maintenance.flag, evidence.maintenance.fence_token) {
            (Some(flag), _) if flag == "maintenance" => finding(
                Verdict::Pass,
                "trading is halted until a person decides".to_owned(),
            ),
            (Some(flag), _) => finding(
                Verdict::Fail,
                format!("the halt flag is at `{flag}` over a ledger that nobody made right"),
            ),
            (None, _) => finding(Verdict::Fail, "the halt flag is gone".to_owned()),
        };
    }
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
