//! Is the lasting state as it was before the deployment?

use crate::evidence::Evidence;
use crate::finding::{Difference, StateFinding};
use crate::scenario::Path;

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
pub(super) fn check(evidence: &Evidence) -> StateFinding {
    if evidence.expect.trigger.is_none() {
        return StateFinding::NothingToCompare;
    }
    let (before, after) = (&evidence.state_before, &evidence.state_after);
    if before.is_empty() {
        return StateFinding::NotRecorded;
    }
    let excused = |path: &str| {
        MAY_DIFFER.iter().any(|(start, _)| path.starts_with(start))
            || stays(evidence, path)
            || is_theirs(evidence, path)
    };
    let kept = before.iter().filter_map(|(path, was)| {
        let path = path.clone();
        match after.get(&path) {
            None => Some(Difference::Gone { path }),
            Some(is) if is != was => Some(Difference::Changed {
                path,
                was: was.clone(),
                is: is.clone(),
            }),
            Some(_) => None,
        }
    });
    let new = after.keys().filter(|path| !before.contains_key(*path));
    let new = new.map(|path| Difference::New { path: path.clone() });
    let mut differences = kept.chain(new).filter(|it| !excused(it.path()));
    let compared = before.len() as u64;
    match differences.next() {
        None => StateFinding::Same { compared },
        Some(first) => StateFinding::Differs {
            first,
            differences: 1 + differences.count() as u64,
            compared,
        },
    }
}

/// Whether `path` is a field of a Deployment that somebody else set, as the scenario has it: it is theirs to take
/// back.
fn is_theirs(evidence: &Evidence, path: &str) -> bool {
    let mut hit = evidence.faults.iter().filter(|fault| fault.hits > 0);
    hit.any(|fault| {
        let theirs = fault.target.as_ref().zip(fault.kind.spec().theirs);
        theirs.is_some_and(|(service, field)| *path == format!("deployment/{service}/{field}"))
    })
}

/// Where the application alone goes back, a migration that the prior release gets on with stays: a new row of the history, and
/// with it a new version. No row that was there may change, nor the layout of the tables.
fn stays(evidence: &Evidence, path: &str) -> bool {
    let is_new = |path: &str| {
        path.starts_with("schema/history/") && !evidence.state_before.contains_key(path)
    };
    let migrated = || evidence.state_after.keys().any(|path| is_new(path));
    evidence.expect.path == Path::Application
        && (is_new(path) || path == "schema/version" && migrated())
}
