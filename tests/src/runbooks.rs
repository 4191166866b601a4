//! Runbooks that use what the built-in one does not.

use firedrill::runbooks::BUILT_IN;

use crate::drills::changed_step;

/// The built-in runbook, which pauses every service first and resumes it ahead of the undo.
///
/// # Panics
/// If the built-in one has no step to put it before.
#[must_use]
pub fn pausing() -> String {
    const FIRST: &str = "```sh {\"name\":\"dump-logs\"";
    let step = "```sh {\"name\":\"pause-rollout\",\"rb.phase\":\"run\",\"rb.timeout\":\"1s\",\"rb.for-each\":\"service\"}\n\
                kubectl rollout pause deployment/$SERVICE -n dex-production\n```\n\n";
    assert_eq!(BUILT_IN.matches(FIRST).count(), 1);
    let text = BUILT_IN.replacen(FIRST, &format!("{step}{FIRST}"), 1);
    changed_step(
        &text,
        "resume-rollout",
        ",\"rb.when\":\"deployment.paused\"",
        "",
    )
}
