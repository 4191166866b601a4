//! Edits of the runbook that no drill shows, as another step stands against the same trouble.

use crate::checks::Edit;

/// Edits that `verify` does not reject, as another step stands against the same trouble; and that it does not adopt
/// either. Each with the step, and who stands against it.
pub const COVERED: &[(&str, Edit, &str)] = &[
    (
        "snapshot-ledger",
        Edit::PassedOver,
        "`rollback prepare` ends with the failure whatever the step says",
    ),
    (
        "resume-rollout",
        Edit::PassedOver,
        "the undo finds that the Deployment is still paused, and resumes it",
    ),
    (
        "restore-replicas",
        Edit::PassedOver,
        "`rollout-status` finds that the service is still too small, and scales it up",
    ),
    (
        "rollout-status",
        Edit::Removed,
        "`review-replica-sets` waits for the same while it has time left",
    ),
    (
        "orders-flow",
        Edit::Removed,
        "`error-rate` takes a refusal for maintenance for a failure, and begins its window anew after it",
    ),
    (
        "orders-flow",
        Edit::Vacuous,
        "`error-rate` takes a refusal for maintenance for a failure, and begins its window anew after it",
    ),
    (
        "orders-flow",
        Edit::PassedOver,
        "it fails only if gateways refuse orders for good, and no scenario can expect the page that follows",
    ),
    (
        "books-balance",
        Edit::Removed,
        "`still-books-balance` asks once more, a minute later",
    ),
    (
        "books-balance",
        Edit::Vacuous,
        "`still-books-balance` asks once more, a minute later",
    ),
    (
        "books-balance",
        Edit::PassedOver,
        "`still-books-balance` asks once more, a minute later",
    ),
    (
        "still-prior-build",
        Edit::Removed,
        "`stay-recovered` and `still-no-error-logs` see that pods were started meanwhile",
    ),
    (
        "still-prior-build",
        Edit::PassedOver,
        "`stay-recovered` and `still-no-error-logs` see that pods were started meanwhile",
    ),
];

/// The book's list of edits that are covered.
#[must_use]
pub fn list_of_covered() -> String {
    let line =
        |(step, edit, by): &(&str, Edit, &str)| format!("- `{step}`, {}: {by}.\n", edit.in_words());
    COVERED.iter().map(line).collect()
}
