//! The executor's death at one of its requests.

use sim::rng::Rng;

use super::dice::span;
use super::space::Half;
use crate::scenario::{Crash, CrashSide};

/// The requests with which a rollback changes the exchange are among its first ones; those after them prove it.
const CHANGES: u64 = 60;

/// Draws where the executor dies. `requests`: how many it makes in an undisturbed drill of that release, which is asked
/// only if the death is to come later than among the first ones; a disturbed drill has more of them rather than fewer.
pub(super) fn death(rng: &mut Rng, half: Half, requests: impl FnOnce() -> u64) -> Crash {
    let late = rng.ratio(1, 3);
    let side = if rng.ratio(1, 2) {
        CrashSide::Before
    } else {
        CrashSide::After
    };
    let away = match half {
        Half::Survivable => 10_000,
        Half::Hostile => 120_000,
    };
    let resume_after = span(rng, 500, away);
    let last = if late { requests() } else { 0 };
    let request = if last > CHANGES {
        // A run that is resumed has its last requests on the other host, so that the very last ones may not come.
        rng.between(CHANGES + 1, last.max(CHANGES + 1))
    } else {
        rng.between(1, CHANGES)
    };
    Crash {
        request,
        side,
        resume_after,
    }
}
