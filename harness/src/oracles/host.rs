//! Did host and harness do their work? If not, whatever rests on them is not certain.
//!
//! CPU time that a hypervisor or other processes had is told, not judged: how much of it an exchange bears depends on
//! what it is doing just then. The host excuses only what it can have caused: the seconds in which it stood still by
//! its own record, or sent requests late although it is too busy for its clients, and those shortly after.
//! What an oracle finds is withheld ([`withheld`]) if it would have passed without them. What does not rest on the
//! clients is as certain as ever.

use std::time::Duration;

use super::recovery::{is_bad, recovered_ms};
use super::{ask, asked};
use crate::evidence::{Evidence, HostSeen, Ms, Second};
use crate::oracles::finding::{
    Because, ClaimFinding, Ended, Finding, HostFinding, OracleName, TriggerFinding, WithheldFinding,
};
use crate::stats::parts_per_million;
use crate::verdict::Verdict;

/// Late requests in a million that are too many: as many as the errors that fail a drill (0.01 %).
/// Fewer can't decide one.
const LATE_PPM_MAX: u64 = 100;

pub(super) fn check(evidence: &Evidence) -> HostFinding {
    if let Some(why) = &evidence.harness_failed {
        return HostFinding::HarnessFailed { why: why.clone() };
    }
    let Some(host) = &evidence.host else {
        return HostFinding::Simulated;
    };
    let holds_up = || {
        let withholds = |oracle| withheld(evidence, &ask(oracle, evidence)).is_some();
        !host.stalls.is_empty() && asked(evidence).any(withholds)
    };
    match parts_per_million(host.late, host.sent) {
        None => HostFinding::SentNothing,
        Some(_) if is_busy(host) => HostFinding::Busy(host.clone()),
        Some(_) if holds_up() => HostFinding::StoodStill(host.clone()),
        Some(_) => HostFinding::Punctual(host.clone()),
    }
}

/// Whether the host was too busy for its clients.
fn is_busy(host: &HostSeen) -> bool {
    parts_per_million(host.late, host.sent).is_some_and(|ppm| ppm > LATE_PPM_MAX)
}

/// What is said instead of `found`, if that is not a pass and may be the host's doing.
pub(super) fn withheld(evidence: &Evidence, found: &Finding) -> Option<WithheldFinding> {
    let host = evidence.host.as_ref()?;
    let oracle = found.oracle();
    if found.verdict() == Verdict::Pass {
        return None;
    }
    let busy = is_busy(host);
    let withheld = if is_of_the_executor(found) {
        let (from_ms, to_ms) = executor_worked(evidence);
        host.sent == 0 || host.held_up_within(from_ms, to_ms, busy)
    } else if !oracle.rests_on_clients() {
        false
    } else if host.sent == 0 {
        true
    } else if host.stalls.is_empty() && !busy {
        false
    } else {
        let healed = healed(evidence, host, busy);
        let passes = |oracle| ask(oracle, &healed).verdict() == Verdict::Pass;
        // Where it is not known whether all was well before, nothing that clients saw later says whose doing it is.
        let steady = OracleName::SteadyState;
        let from_the_start = || ask(steady, evidence).verdict() != Verdict::Pass && passes(steady);
        passes(oracle) || from_the_start()
    };
    withheld.then(|| WithheldFinding {
        oracle,
        because: Because::HeldUp {
            found: Box::new(found.clone()),
        },
    })
}

/// Whether `found` says that the executor, which works on the same host, was too slow. One that breaks down has told
/// nobody where things stand, and one that claims what nobody saw has told something false, however slow its host was.
fn is_of_the_executor(found: &Finding) -> bool {
    match found {
        Finding::Outcome(outcome) => matches!(
            outcome.end,
            Ended::Paged { .. } | Ended::PagedLate { .. } | Ended::StillRunning
        ),
        Finding::Trigger(trigger) => matches!(
            trigger,
            TriggerFinding::Never { .. } | TriggerFinding::Other { .. }
        ),
        Finding::Claim(claim) => matches!(claim, ClaimFinding::Late { .. }),
        _ => false,
    }
}

/// From when to when the executor watched and worked.
fn executor_worked(evidence: &Evidence) -> (Ms, Ms) {
    let deployed_ms = evidence.deployed_ms.unwrap_or(0);
    let claimed_ms = evidence.executor.recovered_ms.unwrap_or(0);
    let measured_ms = recovered_ms(evidence).unwrap_or(0);
    let ended_ms = evidence.executor.ended_ms.unwrap_or(evidence.end_ms);
    (deployed_ms, ended_ms.max(claimed_ms).max(measured_ms))
}

/// The evidence, had clients seen nothing amiss in the seconds that may be the host's doing, and had everybody as much
/// more time. Where all is as bad right after such seconds, it was so without the host's doing.
fn healed(evidence: &Evidence, host: &HostSeen, busy: bool) -> Evidence {
    let mut healed = evidence.clone();
    let mut lost = Duration::ZERO;
    // From the end, so that what comes right after is known.
    let mut after: Option<&Second> = None;
    for (at, second) in evidence.seconds.iter().enumerate().rev() {
        let from_ms = at as Ms * 1_000;
        if !host.held_up_within(from_ms, from_ms + 999, busy) {
            after = Some(second);
            continue;
        }
        lost += Duration::from_secs(1);
        if after.is_some_and(|second| is_bad(evidence, second)) {
            continue;
        }
        healed.seconds[at] = Second {
            answered: second.answered.max(1),
            // No host refuses anybody for maintenance.
            maintenance: second.maintenance,
            ..Second::default()
        };
    }
    healed.expect.rto_max += lost;
    healed.expect.impact_max += lost;
    healed.expect.detect_max += lost;
    healed
}
