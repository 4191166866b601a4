//! Is the lasting state as it was before the deployment?

use crate::evidence::Evidence;
use crate::verdict::{Finding, Stage, Verdict};

/// What may differ after a rollback, by the beginning of its path, and why. Everything else (each
/// Deployment's template, size and pause, configuration, Services, budgets, schema version and history,
/// the exchange's sessions) must be equal.
const MAY_DIFFER: [(&str, &str); 6] = [
    ("configmap/rollback-", "the executor's baseline and journal"),
    ("lease/rollback", "the executor's lease"),
    (
        "configmap/dex-migrations/",
        "the files of migrations are kept: undoing needs them, and unapplied ones do nothing",
    ),
    (
        "deployment/gateway/annotation/",
        "revision numbers only grow, and undo drops annotations that kubectl drops",
    ),
    ("deployment/matching/annotation/", "as for the gateway"),
    ("deployment/risk/annotation/", "as for the gateway"),
];

/// Equal but for [`MAY_DIFFER`]. Where nothing was to be rolled back, there is nothing to compare.
pub(super) fn check(evidence: &Evidence) -> Finding {
    let finding = |verdict, reason: String| Finding::new("state", Stage::CleanUp, verdict, reason);
    if evidence.expect.trigger.is_none() {
        return finding(Verdict::Pass, "nothing was to be rolled back".to_owned());
    }
    let (before, after) = (&evidence.state_before, &evidence.state_after);
    if before.is_empty() {
        return finding(
            Verdict::Inconclusive,
            "the state before the deployment was not recorded".to_owned(),
        );
    }
    let excused = |path: &str| MAY_DIFFER.iter().any(|(start, _)| path.starts_with(start));
    let mut differences = Vec::new();
    for (path, value) in before {
        match after.get(path) {
            _ if excused(path) => {}
            None => differences.push(format!("{path} is gone")),
            Some(now) if now != value => differences.push(format!(
                "{path} was `{}` and is `{}`",
                short(value),
                short(now)
            )),
            Some(_) => {}
        }
    }
    for path in after.keys() {
        if !before.contains_key(path) && !excused(path) {
            differences.push(format!("{path} is new"));
        }
    }
    let n = differences.len();
    match differences.first() {
        None => finding(Verdict::Pass, "as before the deployment".to_owned()),
        Some(first) if n == 1 => finding(Verdict::Fail, first.clone()),
        Some(first) => finding(Verdict::Fail, format!("{first}, and {} more", n - 1)),
    }
    .number("compared", before.len())
    .number("differences", n)
}

fn short(value: &str) -> String {
    if value.chars().count() <= 60 {
        return value.to_owned();
    }
    value.chars().take(57).chain("...".chars()).collect()
}
