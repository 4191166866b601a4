//! Is the lasting state as it was before the deployment?

use dex::release::MIGRATIONS;

use crate::evidence::Evidence;
use crate::oracles::finding::{Difference, StateFinding};
use crate::scenario::Path;

/// Whether `path` may differ after a rollback. Everything else (each Deployment's template, size and pause,
/// configuration, Services, budgets, schema version and history, the exchange's sessions) must be equal.
fn may_differ(path: &str) -> bool {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        // The executor's baseline and journal. The files of migrations are kept: undoing needs them, and unapplied ones
        // do nothing.
        (Some("configmap"), Some(name), field) => {
            name.starts_with("rollback-") || name == MIGRATIONS && field.is_some()
        }
        // The executor's lease.
        (Some("lease"), Some(name), _) => name.starts_with("rollback"),
        // Revision numbers only grow, and undo drops annotations that kubectl drops.
        (Some("deployment"), Some(_), Some("annotation")) => true,
        _ => false,
    }
}

/// Equal but for what [`may_differ`]. Where nothing was to be rolled back, there is nothing to compare.
pub(super) fn check(evidence: &Evidence) -> StateFinding {
    if evidence.expect.trigger.is_none() {
        return StateFinding::NothingToCompare;
    }
    let (before, after) = (&evidence.state_before, &evidence.state_after);
    if before.is_empty() {
        return StateFinding::NotRecorded;
    }
    let excused =
        |path: &str| may_differ(path) || stays(evidence, path) || is_theirs(evidence, path);
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

/// Where the application alone goes back, a migration that the prior release gets on with stays: a new row of the
/// history, and with it a new version. No row that was there may change, nor the layout of the tables.
fn stays(evidence: &Evidence, path: &str) -> bool {
    let is_new = |path: &str| {
        path.starts_with("schema/history/") && !evidence.state_before.contains_key(path)
    };
    let migrated = || evidence.state_after.keys().any(|path| is_new(path));
    evidence.expect.path == Path::Application
        && (is_new(path) || path == "schema/version" && migrated())
}
