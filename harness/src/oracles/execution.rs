//! Did the executor end as it should, by the way that it should take?

use crate::evidence::{Evidence, Outcome, ms};
use crate::scenario::{Expected, Path};
use crate::stats::show_ms;
use crate::verdict::{Finding, Stage, Verdict};

/// The executor's outcome and path are the expected ones.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| {
        Finding::new("outcome", Stage::Execution, verdict, reason)
            .number("steps", evidence.executor.steps.len())
    };
    let (expected, taken) = (evidence.expect.path, evidence.executor.path);
    match &evidence.executor.outcome {
        // Whatever the world was like: an executor that ends in an error has not done its work.
        Outcome::Failed(why) => {
            finding(Verdict::Fail, format!("the executor failed: {why}")).harmful()
        }
        Outcome::StillRunning => finding(
            Verdict::Fail,
            "the executor was still at work when the drill ended".to_owned(),
        ),
        Outcome::Escalated(why) if evidence.expect.outcome == Expected::Escalated => {
            called(evidence, why)
        }
        Outcome::Recovered if evidence.expect.outcome == Expected::Escalated => finding(
            Verdict::Fail,
            "the executor claims recovery, and a person should have been called".to_owned(),
        ),
        Outcome::Escalated(why) => finding(
            Verdict::Fail,
            format!("the executor called a person: {why}"),
        ),
        Outcome::NothingToDo(_) if expected == Path::None => finding(
            Verdict::Pass,
            "the executor did nothing, as it should".to_owned(),
        ),
        Outcome::NothingToDo(why) => {
            finding(Verdict::Fail, format!("the executor did nothing: {why}"))
        }
        Outcome::Recovered if expected == taken => finding(
            Verdict::Pass,
            format!("the executor took the path `{}` to its end", taken.as_str()),
        ),
        Outcome::Recovered => finding(
            Verdict::Fail,
            format!(
                "the executor took the path `{}` instead of `{}`",
                taken.as_str(),
                expected.as_str()
            ),
        ),
    }
}

/// A person must be called while the objective can still be met, or is just being missed, and not long after.
fn called(evidence: &Evidence, why: &str) -> Finding {
    let finding =
        |verdict, reason: String| Finding::new("outcome", Stage::Execution, verdict, reason);
    // Where nothing fired, from the deployment on.
    let (Some(from), Some(at)) = (evidence.anchor_ms(), evidence.executor.ended_ms) else {
        return finding(
            Verdict::Inconclusive,
            "a person was called, and it is not known when".to_owned(),
        );
    };
    let after = at.saturating_sub(from);
    let limit = ms(evidence.expect.rto_max);
    let (verdict, word) = if after <= limit {
        (Verdict::Pass, "within")
    } else {
        (Verdict::Fail, "only after")
    };
    finding(
        verdict,
        format!(
            "a person was called {word} {}, as there was no way back: {why}",
            show_ms(limit)
        ),
    )
    .number("called_after_ms", after)
}
