//! Is nothing left in maintenance?

use crate::evidence::Evidence;
use crate::finding::MaintenanceFinding;
use crate::scenario::{Expected, Path};

/// The halt flag says `open` and the fence is down. Where a person had to be called over a ledger that the old code can't
/// work on, trading must still be halted: a closed exchange costs money, a wrong ledger costs trust.
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
