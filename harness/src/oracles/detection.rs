//! Did the right trigger fire, and only it?

use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// The trigger that the watch reported is the expected one.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("trigger", Stage::Detection, verdict, reason);
    match (&evidence.expect.trigger, &evidence.executor.trigger) {
        (None, None) => finding(
            Verdict::Pass,
            "no trigger fired, and none should".to_owned(),
        ),
        (None, Some(seen)) => finding(
            Verdict::Fail,
            format!("`{}` fired on a release without a fault", seen.name),
        )
        .number("trigger_ms", seen.at_ms),
        (Some(expected), None) => finding(Verdict::Fail, format!("`{expected}` never fired")),
        (Some(expected), Some(seen)) => {
            let since = evidence
                .deployed_ms
                .map_or(0, |d| seen.at_ms.saturating_sub(d));
            let (verdict, reason) = if evidence.deployed_ms.is_none_or(|d| seen.at_ms < d) {
                (
                    Verdict::Fail,
                    format!("`{}` fired before the deployment", seen.name),
                )
            } else if expected == &seen.name {
                (Verdict::Pass, format!("`{expected}` fired"))
            } else {
                (
                    Verdict::Fail,
                    format!("`{}` fired instead of `{expected}`", seen.name),
                )
            };
            finding(verdict, reason)
                .number("trigger_ms", seen.at_ms)
                .number("after_deployment_ms", since)
        }
    }
}
