//! Did what had recovered stay recovered?

use super::recovery::recovered_ms;
use crate::evidence::{Evidence, Outcome};
use crate::stats::show_ms;
use crate::verdict::{Finding, Stage, Verdict};

/// From recovery to the drill's end at least the hold time. Recovery is defined over everything that
/// follows, so a relapse moves it behind the relapse; what the executor took for recovery is counted.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| Finding::new("hold", Stage::Recovery, verdict, reason);
    let Some(recovered) = recovered_ms(evidence) else {
        return finding(
            Verdict::Fail,
            "nothing that could have stayed recovered".to_owned(),
        );
    };
    let held = evidence.end_ms.saturating_sub(recovered);
    let relapsed = evidence.executor.outcome == Outcome::Recovered
        && evidence
            .executor
            .recovered_ms
            .is_some_and(|claimed| claimed + 30_000 < recovered);
    let (verdict, reason) = if relapsed {
        (
            Verdict::Fail,
            "it fell back after the executor had taken it for recovered".to_owned(),
        )
    } else if held < evidence.hold_ms {
        (
            Verdict::Inconclusive,
            format!(
                "held for {}, and {} are asked for",
                show_ms(held),
                show_ms(evidence.hold_ms)
            ),
        )
    } else {
        (Verdict::Pass, format!("held for {}", show_ms(held)))
    };
    finding(verdict, reason).number("held_ms", held)
}
