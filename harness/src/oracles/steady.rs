//! Did the steady state hold until the deployment? If not, the drill shows nothing.

use super::recovery::slow_windows;
use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// The clients' error rate below its bound, p99 within its target, and the invariants intact, from the
/// second after start to the end of the warm-up. The first five seconds are the start itself.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("steady-state", Stage::Injection, verdict, reason);
    let from = 5;
    let to = usize::try_from(evidence.warm_up_ms / 1_000).unwrap_or(usize::MAX);
    let total = evidence.between(from, to);
    let broken = evidence
        .probes
        .iter()
        .find(|p| p.at_ms <= evidence.warm_up_ms && !p.violations.is_empty());
    let looked = evidence
        .probes
        .iter()
        .any(|p| p.at_ms <= evidence.warm_up_ms);
    let (verdict, reason) = if evidence.seconds.len() < to || total.answered == 0 {
        (
            Verdict::Inconclusive,
            "the warm-up never ended, or no client was served in it".to_owned(),
        )
    } else if total.errors > 0
        && !evidence
            .expect
            .error_rate_max
            .is_above(total.errors, total.counted())
    {
        (
            Verdict::Inconclusive,
            format!(
                "{} of {} requests failed before anything was touched",
                total.errors,
                total.counted()
            ),
        )
    } else if total.maintenance > 0 {
        (
            Verdict::Inconclusive,
            "trading was halted before anything was touched".to_owned(),
        )
    } else if let Some(second) = slow_windows(evidence).find(|&s| s >= from && s + 10 <= to) {
        (
            Verdict::Inconclusive,
            format!("p99 latency was beyond its target at {second} s, before anything was touched"),
        )
    } else if let Some(probe) = broken {
        (
            Verdict::Inconclusive,
            format!(
                "an invariant was broken before anything was touched: {}",
                probe.violations[0]
            ),
        )
    } else if !looked {
        (
            Verdict::Inconclusive,
            "nobody looked at the ledger during the warm-up".to_owned(),
        )
    } else {
        (Verdict::Pass, "the steady state held".to_owned())
    };
    finding(verdict, reason)
        .number("requests", total.counted())
        .number("errors", total.errors)
}
