//! Steps of the built-in runbook at wrong places: the drills that must reject them, and those that need not. The book's
//! tables are made from these rows, and `tests/checks.rs` holds the drills against them.

use crate::drills::move_step;

/// A step at a wrong place, and the drill that must reject it.
#[derive(Clone, Copy, Debug)]
pub struct Misplaced {
    /// The step.
    pub step: &'static str,
    /// The step right before which it is put.
    pub before: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// What is wrong with it, for a reader; of an order that does no harm: why not.
    pub why: &'static str,
}

impl Misplaced {
    /// `runbook` with the step at the wrong place.
    #[must_use]
    pub fn in_runbook(&self, runbook: &str) -> String {
        move_step(runbook, self.step, self.before)
    }
}

const fn misplaced(
    step: &'static str,
    before: &'static str,
    scenario: &'static str,
    why: &'static str,
) -> Misplaced {
    Misplaced {
        step,
        before,
        scenario,
        why,
    }
}

/// Orders of steps that a drill must reject. Each drill passes with the step where it is.
pub const ORDERS: &[Misplaced] = &[
    misplaced(
        "halt-trading",
        "unfence-ledger",
        "image-gone",
        "where there is no way back, trading was never halted",
    ),
    misplaced(
        "fence-ledger",
        "restore-config",
        "flag-missed",
        "nothing keeps the gateways' writes out of the restore, which is refused",
    ),
    misplaced(
        "dump-logs",
        "review-replica-sets",
        "latency-regression",
        "the bad pods are gone, and their logs with them",
    ),
    misplaced(
        "undo-schema",
        "review-replica-sets",
        "breaking-migration",
        "the prior release starts on a ledger that it can't read",
    ),
    misplaced(
        "restore-ledger",
        "halt-trading",
        "balance-anomaly",
        "the ledger is replaced under writers, which is refused",
    ),
    misplaced(
        "restore-ledger",
        "fence-ledger",
        "balance-anomaly",
        "the ledger is replaced under writers, which is refused",
    ),
    misplaced(
        "replay-orders",
        "restore-ledger",
        "balance-anomaly",
        "there is nothing to replay from",
    ),
    misplaced(
        "restore-config",
        "review-replica-sets",
        "bad-configuration",
        "pods have started with the bad configuration by then",
    ),
    misplaced(
        "replace-pods",
        "restore-config",
        "configuration-only",
        "pods are replaced while the bad configuration is still there",
    ),
    misplaced(
        "rollout-status",
        "undo-app",
        "latency-regression",
        "it waits for what nobody has begun",
    ),
    misplaced(
        "check-health",
        "undo-app",
        "check-health",
        "it asks the pods that are about to go",
    ),
    misplaced(
        "check-build",
        "orders-flow",
        "check-build-halted",
        "trading is opened before anybody looks",
    ),
    misplaced(
        "unfence-ledger",
        "undo-schema",
        "breaking-migration",
        "the migration is undone under writers",
    ),
    misplaced(
        "unfence-ledger",
        "restore-config",
        "flag-missed",
        "gateways that missed the halt write by the bad release",
    ),
    misplaced(
        "open-trading",
        "restore-config",
        "image-gone",
        "where there is no way back, trading is open",
    ),
    misplaced(
        "orders-flow",
        "open-trading",
        "breaking-migration",
        "no order can flow yet",
    ),
    misplaced(
        "error-rate",
        "open-trading",
        "breaking-migration",
        "there are no requests to prove anything by",
    ),
    misplaced(
        "error-rate",
        "undo-app",
        "latency-regression",
        "it proves what the bad release does",
    ),
    misplaced(
        "still-books-balance",
        "stay-recovered",
        "check-still-books",
        "books that are off a little later go unseen",
    ),
    misplaced(
        "error-rate-worst-pod",
        "error-rate",
        "check-worst-pod",
        "a pod that gets few requests has failed none of them when the window is a few seconds long",
    ),
];

/// Orders that do no harm, and why. Each drill passes with them, too.
pub const INDIFFERENT: &[Misplaced] = &[
    misplaced(
        "fence-ledger",
        "halt-trading",
        "balance-anomaly",
        "gateways refuse orders as in maintenance while the fence is up",
    ),
    misplaced(
        "open-trading",
        "unfence-ledger",
        "breaking-migration",
        "gateways refuse orders as in maintenance while the fence is up",
    ),
    misplaced(
        "replay-orders",
        "review-replica-sets",
        "balance-anomaly",
        "the prior engine loads the ledger again when it has changed",
    ),
    misplaced(
        "resume-rollout",
        "rollout-status",
        "canary",
        "the undo finds the pause and resumes",
    ),
    misplaced(
        "restore-replicas",
        "check-health",
        "replicas-scaled",
        "the rollout finds that pods are missing and scales up",
    ),
    misplaced(
        "error-logs",
        "error-rate",
        "check-error-logs",
        "it waits for as many requests itself",
    ),
    misplaced(
        "books-balance",
        "error-rate",
        "check-books",
        "`still-books-balance` asks once more, a minute later",
    ),
    misplaced(
        "still-prior-build",
        "stay-recovered",
        "check-still-prior",
        "`stay-recovered` sees that pods were started",
    ),
];

/// A table of the book: steps at wrong places.
#[must_use]
pub fn table_of_orders(orders: &[Misplaced]) -> String {
    let mut out = "| step | put before | drill | why |\n| --- | --- | --- | --- |\n".to_owned();
    for row in orders {
        out.push_str(&format!(
            "| `{}` | `{}` | `{}` | {} |\n",
            row.step, row.before, row.scenario, row.why
        ));
    }
    out
}
