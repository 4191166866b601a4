//! Does what the executor claims agree with what the clients saw?

use super::recovery::{is_only_noise, recovered_before};
use crate::evidence::{Evidence, ExecutorOutcome, InjectedFault, Ms, union_ms};
use crate::oracles::finding::ClaimFinding;
use crate::scenario::fault::Hosts;

/// How much earlier than the clients the executor may date recovery: measured recovery is up to one second late by
/// construction, and what was under way when the last gateway opened may take another.
const TOLERANCE_MS: u64 = 2_000;

/// How much later than the clients it may date recovery: it looks at every gateway,
/// and at each again and again until it has opened. What the manifests make it wait comes on top ([`settles_ms`]).
const LATE_MS: u64 = 30_000;

// A trigger that began the rollback may tell of the harm for longer than that, as far as its query looks back and its
// `for` lasts: the proof rightly begins anew while it fires ([`Evidence::echo_ms`]).

/// How long whoever takes over from a host that died waits for its lease to run out, as our executor sets it
/// (`executor::Options`).
const LEASE_MS: u64 = 20_000;

/// How long whoever watches takes to notice that a process stands still: the exchange's processes write a line every
/// ten seconds, and Prometheus scrapes them every two by default.
const NOTICE_MS: u64 = 12_000;

/// A claim of recovery that the clients do not confirm is the worst that an executor can say.
pub(super) fn check(evidence: &Evidence) -> ClaimFinding {
    if evidence.executor.outcome != ExecutorOutcome::Recovered {
        return stands_otherwise(evidence).unwrap_or(ClaimFinding::Nothing);
    }
    let Some(claimed_ms) = evidence.executor.recovered_ms else {
        return ClaimFinding::WithoutTime;
    };
    let strikes = evidence.strikes().filter(|at| *at <= claimed_ms);
    let struck_ms = strikes.max().unwrap_or(0);
    // What comes after the executor's end or right before it, it can't have known.
    let ended_ms = evidence.executor.ended_ms.unwrap_or(Ms::MAX);
    match recovered_before(evidence, ended_ms.saturating_sub(NOTICE_MS)) {
        None => ClaimFinding::Unseen { claimed_ms },
        Some(measured_ms)
            if measured_ms.saturating_sub(claimed_ms) > TOLERANCE_MS
                && !is_only_noise(evidence, claimed_ms + TOLERANCE_MS, measured_ms) =>
        {
            ClaimFinding::Early {
                claimed_ms,
                measured_ms,
            }
        }
        Some(measured_ms)
            // Whoever proves a recovery begins anew when the exchange is struck, seen by clients or not.
            if claimed_ms.saturating_sub(struck_ms.max(measured_ms))
                > LATE_MS.max(evidence.echo_ms())
                    + settles_ms(evidence)
                    + away_ms(evidence, measured_ms, claimed_ms) =>
        {
            ClaimFinding::Late {
                claimed_ms,
                measured_ms,
            }
        }
        Some(measured_ms) => ClaimFinding::Agrees {
            claimed_ms,
            measured_ms,
        },
    }
}

/// What a person who was called is told of the fence and of the halt, and is not so. Whoever goes by it trades on a
/// ledger that is wrong, or leaves an exchange closed that nobody knows to be closed. What the executor says it can't
/// know is no claim.
fn stands_otherwise(evidence: &Evidence) -> Option<ClaimFinding> {
    let standing = evidence.executor.standing?;
    let maintenance = &evidence.maintenance;
    let fenced = maintenance.fence_token.is_some();
    let halted = match maintenance.flag.as_deref() {
        // Gateways without the flag go by what they read last.
        None if evidence.application.is_the_exchange() => None,
        flag => Some(fenced || flag.is_some_and(|it| it != "open")),
    };
    let otherwise = |fence: bool, told: Option<bool>, is: Option<bool>| {
        let told = told?;
        (is? != told).then_some(ClaimFinding::StandsOtherwise { fence, told })
    };
    otherwise(true, standing.fenced, Some(fenced))
        .or_else(|| otherwise(false, standing.halted, halted))
}

/// How much longer than its clients whoever waits for the rollouts of an application must wait, as its manifests have
/// it: a pod that is ready and serves is rolled out only after `minReadySeconds`. The pods of a StatefulSet go back one
/// after the other, so that each may take as long, and the rollouts of several services are waited for in turn.
fn settles_ms(evidence: &Evidence) -> Ms {
    let Some(app) = evidence.application.described() else {
        return 0;
    };
    let goes_back =
        |name: &String| evidence.versions_before.get(name) != evidence.versions_deployed.get(name);
    // A release that changes no image changes a template or the configuration, of any of them.
    let any = app.services.iter().any(|it| goes_back(&it.name));
    let services = app.services.iter();
    services
        .filter(|it| !any || goes_back(&it.name))
        .map(|it| it.settles().as_millis())
        .sum()
}

/// For how long between `from` and `to` the executor may not have known: faults were at work, or its host was away.
/// What two of them took together counts once. A clock that is wrong keeps nobody from knowing.
fn away_ms(evidence: &Evidence, from: Ms, to: Ms) -> Ms {
    let hits = |fault: &&InjectedFault| fault.hits > 0 && fault.kind.spec().delays_knowing;
    let faults = || evidence.faults.iter().filter(hits);
    let began = |fault: &&InjectedFault| fault.began_ms.is_some_and(|began| began <= to);
    let away = faults()
        .filter(began)
        .map(|fault| match fault.kind.spec().hosts {
            Hosts::Killed => fault.away_ms + LEASE_MS,
            Hosts::Untouched | Hosts::Paused | Hosts::Joined | Hosts::ClockOff => fault.away_ms,
        });
    let crash = evidence.crash_ms.flatten().filter(|&at| at <= to);
    union_ms(faults().filter_map(InjectedFault::lasted), from, to)
        + away.sum::<Ms>()
        + crash.map_or(0, |_| evidence.resume_after_ms + LEASE_MS)
}
