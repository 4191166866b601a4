//! Is nothing left in maintenance?

use crate::evidence::Evidence;
use crate::oracles::finding::MaintenanceFinding;
use crate::scenario::{Expected, Path};

/// The halt flag says `open` and the fence is down. Where a person had to be called over a ledger that the old code
/// can't work on, trading must still be halted: a closed exchange costs money, a wrong ledger costs trust.
pub(super) fn check(evidence: &Evidence) -> MaintenanceFinding {
    let on_the_ledger = matches!(evidence.expect.path, Path::Undo | Path::Restore);
    let halted = evidence.expect.outcome == Expected::Escalated && on_the_ledger;
    let maintenance = &evidence.maintenance;
    match (&maintenance.flag, maintenance.fence_token) {
        (Some(flag), _) if halted && flag == "maintenance" => MaintenanceFinding::HaltedAsNeeded,
        (Some(flag), _) if halted => MaintenanceFinding::OpenOverWrongLedger { flag: flag.clone() },
        (_, Some(token)) if !halted => MaintenanceFinding::FenceUp { token },
        (None, _) => MaintenanceFinding::FlagGone,
        (Some(flag), _) if flag == "open" => MaintenanceFinding::Open,
        (Some(flag), _) => MaintenanceFinding::LeftAt { flag: flag.clone() },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::oracles::OracleName;
    use crate::oracles::tests::Case;
    use crate::verdict::Verdict::Fail;

    /// Evidence that this oracle must see through.
    pub(in crate::oracles) fn doctored() -> Vec<Case> {
        vec![
            (
                "the flag is left",
                |e| e.maintenance.flag = Some("maintenance".into()),
                OracleName::Maintenance,
                Fail,
            ),
            (
                "the flag is gone",
                |e| e.maintenance.flag = None,
                OracleName::Maintenance,
                Fail,
            ),
            (
                "the fence is left",
                |e| e.maintenance.fence_token = Some(3),
                OracleName::Maintenance,
                Fail,
            ),
        ]
    }
}
