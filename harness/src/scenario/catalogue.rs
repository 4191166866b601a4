//! The scenarios that are built in, and the releases that scenarios may name.

use super::{Scenario, ScenarioError};

/// A scenario whose text is part of the program, so that its name and digest stand for it.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Name, as in the file.
    pub name: &'static str,
    /// Where the file lies in the repository.
    pub file: &'static str,
    /// The file.
    pub text: &'static str,
    /// Whether `chaos` without arguments runs it.
    pub by_default: bool,
}

/// Declares built-in scenarios by family: the default ones, further ones, and those with faults.
macro_rules! built_in {
    ($($by_default:literal $file:literal;)*) => {
        /// All built-in scenarios.
        pub const BUILT_IN: &[BuiltIn] = &[$(BuiltIn {
            name: stem($file),
            file: $file,
            text: include_str!(concat!("../../../", $file)),
            by_default: $by_default,
        },)*];
    };
}

built_in! {
    true "scenarios/latency-regression.toml";
    true "scenarios/balance-anomaly.toml";
    true "scenarios/breaking-migration.toml";
    false "scenarios/extra/breaking-migration-snapshot.toml";
    false "scenarios/extra/good-release.toml";
    false "scenarios/extra/quiet-exchange.toml";
    false "scenarios/faults/api-cut.toml";
    false "scenarios/faults/api-duplicated.toml";
    false "scenarios/faults/api-failing.toml";
    false "scenarios/faults/api-server-restarted.toml";
    false "scenarios/faults/api-slow.toml";
    false "scenarios/faults/api-throttling.toml";
    false "scenarios/faults/connections-dropped.toml";
    false "scenarios/faults/deployment-paused.toml";
    false "scenarios/faults/executor-killed.toml";
    false "scenarios/faults/history-pruned.toml";
    false "scenarios/faults/image-gone.toml";
    false "scenarios/faults/node-full.toml";
    false "scenarios/faults/node-paused.toml";
    false "scenarios/faults/pods-killed.toml";
    false "scenarios/faults/pods-slow.toml";
    false "scenarios/faults/pods-stuck-a-while.toml";
    false "scenarios/faults/pods-stuck.toml";
    false "scenarios/faults/quota.toml";
    false "scenarios/faults/replicas-scaled.toml";
    false "scenarios/faults/second-undo.toml";
    false "scenarios/faults/self-heal.toml";
    false "scenarios/faults/terminating-slow.toml";
    false "scenarios/faults/unreachable.toml";
    false "scenarios/faults/undo-script-missing.toml";
    false "scenarios/faults/undo-script-lossy.toml";
    false "scenarios/faults/undo-script-failing.toml";
    false "scenarios/faults/ledger-busy.toml";
    false "scenarios/faults/sessions-reconnect.toml";
    false "scenarios/faults/database-restarted.toml";
    false "scenarios/faults/database-slow.toml";
    false "scenarios/faults/flag-missed.toml";
    false "scenarios/faults/metrics-missing.toml";
    false "scenarios/faults/metrics-missing-for-good.toml";
    false "scenarios/faults/metrics-stale.toml";
    false "scenarios/faults/logs-missing.toml";
    false "scenarios/faults/logs-late.toml";
    false "scenarios/faults/second-executor.toml";
    false "scenarios/faults/sessions-stay.toml";
    false "scenarios/faults/executor-paused.toml";
    false "scenarios/faults/executor-paused-restoring.toml";
    false "scenarios/faults/clock-ahead.toml";
    false "scenarios/faults/clocks-disagree.toml";
    false "scenarios/faults/watch-gone.toml";
    false "scenarios/faults/trigger-flaps.toml";
    false "scenarios/faults/trigger-flaps-sound.toml";
    false "scenarios/faults/trigger-after-window.toml";
    false "scenarios/faults/anomaly-predates.toml";
    false "scenarios/faults/alarm-at-baseline.toml";
    false "scenarios/faults/second-release.toml";
    false "scenarios/faults/second-release-elsewhere.toml";
    false "scenarios/faults/second-trigger.toml";
    false "scenarios/faults/gateways-killed-proving.toml";
    false "scenarios/faults/errors-while-proving.toml";
    false "scenarios/faults/logs-stopping.toml";
    false "scenarios/regressions/api-server-back-at-halt.toml";
    false "scenarios/regressions/node-paused-before-unfence.toml";
    false "scenarios/regressions/database-away-at-trigger.toml";
    false "scenarios/regressions/host-stalls-during-undo.toml";
    false "scenarios/regressions/lease-outlasted.toml";
    false "scenarios/regressions/registry-away-a-moment.toml";
    false "scenarios/regressions/replay-of-a-long-log.toml";
    false "scenarios/regressions/api-server-gone.toml";
    false "scenarios/regressions/errors-after-a-late-rollout.toml";
    false "scenarios/regressions/errors-in-the-first-second.toml";
    false "scenarios/regressions/late-answers-while-proving.toml";
    false "scenarios/regressions/node-paused-before-a-quiet-time.toml";
    false "scenarios/regressions/node-paused-after-proof.toml";
    false "scenarios/regressions/node-paused-while-it-holds.toml";
    false "scenarios/regressions/node-paused-while-logs-are-asked.toml";
    false "scenarios/regressions/node-paused-at-the-last-look.toml";
    false "scenarios/regressions/node-paused-as-it-ends.toml";
    false "scenarios/regressions/node-paused-once-it-held.toml";
    false "scenarios/regressions/flag-missed-until-it-reopens.toml";
    false "scenarios/regressions/metrics-missing-for-a-moment.toml";
    false "scenarios/regressions/killed-once-it-was-made-good.toml";
    false "scenarios/regressions/put-back-while-proving.toml";
    false "scenarios/regressions/errors-while-unscraped.toml";
    false "scenarios/regressions/prometheus-away-while-counting.toml";
    false "scenarios/regressions/api-server-back-at-the-build.toml";
    false "scenarios/regressions/clock-set-while-fencing.toml";
    false "scenarios/regressions/renewed-after-its-death.toml";
    false "scenarios/regressions/taken-over-five-minutes-behind.toml";
    false "scenarios/regressions/taken-over-behind-an-outage.toml";
    false "scenarios/regressions/halted-unheard.toml";
    false "scenarios/regressions/opened-unheard.toml";
    false "scenarios/regressions/logs-asked-behind-a-restart.toml";
    false "scenarios/regressions/opened-without-an-answer.toml";
    false "scenarios/regressions/written-late.toml";
    false "scenarios/regressions/pods-killed-before-their-logs.toml";
    false "scenarios/regressions/paused-during-rollout.toml";
    false "scenarios/regressions/scaled-during-rollout.toml";
    false "scenarios/regressions/scaled-while-reopening.toml";
    false "scenarios/regressions/second-release-after-rollout.toml";
    false "scenarios/releases/bad-configuration.toml";
    false "scenarios/releases/canary.toml";
    false "scenarios/releases/compatible-migration.toml";
    false "scenarios/releases/configuration-only.toml";
    false "scenarios/releases/crash-loop.toml";
    false "scenarios/releases/irregular-matching.toml";
    false "scenarios/releases/just-too-many-errors.toml";
    false "scenarios/releases/missing-image.toml";
    false "scenarios/releases/new-market-list.toml";
    false "scenarios/releases/new-template.toml";
    false "scenarios/releases/nine-to-ten.toml";
    false "scenarios/releases/one-bad-pod.toml";
    false "scenarios/releases/state-hash-mismatch.toml";
    false "scenarios/releases/throughput-collapse.toml";
    false "scenarios/releases/two-migrations.toml";
    false "scenarios/triggers/near-balance-anomaly.toml";
    false "scenarios/triggers/near-latency.toml";
    false "scenarios/triggers/near-matching.toml";
    false "scenarios/triggers/near-order-failures.toml";
    false "scenarios/triggers/near-state-hash.toml";
    false "scenarios/triggers/near-throughput.toml";
    false "scenarios/checks/check-books.toml";
    false "scenarios/checks/check-build.toml";
    false "scenarios/checks/check-error-logs.toml";
    false "scenarios/checks/check-error-rate.toml";
    false "scenarios/checks/check-health.toml";
    false "scenarios/checks/check-orders-flow.toml";
    false "scenarios/checks/check-stay-recovered.toml";
    false "scenarios/checks/check-still-no-error-logs.toml";
    false "scenarios/checks/check-still-books.toml";
    false "scenarios/checks/check-still-prior.toml";
    false "scenarios/checks/check-worst-pod.toml";
    false "scenarios/checks/held-up-halting.toml";
    false "scenarios/checks/held-up-fencing.toml";
    false "scenarios/checks/held-up-restoring.toml";
    false "scenarios/checks/held-up-replaying.toml";
    false "scenarios/checks/held-up-config.toml";
    false "scenarios/checks/held-up-resuming.toml";
    false "scenarios/checks/held-up-scaling.toml";
    false "scenarios/checks/held-up-undoing.toml";
    false "scenarios/checks/held-up-replacing.toml";
    false "scenarios/checks/held-up-rollout.toml";
    false "scenarios/checks/held-up-unfencing.toml";
    false "scenarios/checks/held-up-opening.toml";
    false "scenarios/checks/check-build-halted.toml";
    false "scenarios/faults/executor-killed-restoring.toml";
    false "scenarios/releases/bad-prior.toml";
}

/// A file's name without folders and `.toml`.
const fn stem(file: &'static str) -> &'static str {
    let bytes = file.as_bytes();
    let end = bytes.len() - ".toml".len();
    let mut start = end;
    while start > 0 && bytes[start - 1] != b'/' {
        start -= 1;
    }
    let (_, name) = file.split_at(start);
    let (name, _) = name.split_at(end - start);
    name
}

/// The built-in scenario called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|b| b.name == name)
}

/// Reads the built-in scenario called `name`; `None` if there is none.
///
/// # Errors
/// Mistakes in it: its trigger may be missing from a changed runbook.
pub fn built_in(name: &str, triggers: &[String]) -> Option<Result<Scenario, ScenarioError>> {
    find(name).map(|b| Scenario::parse(b.file, b.text, triggers))
}

/// The release that `word` names: by its name, or by the version that its images are tagged with, which is the
/// name up to its first hyphen and all that an executor can know.
#[must_use]
pub fn release_named(word: &str) -> Option<&'static str> {
    let known = known_releases();
    let version = |name: &&str| name.split('-').next() == Some(word);
    let exact = known.iter().find(|name| **name == word);
    exact
        .or_else(|| known.iter().find(|name| version(name)))
        .copied()
}

/// Names of the releases that scenarios may deploy.
#[must_use]
pub fn known_releases() -> Vec<&'static str> {
    dex::Release::names()
}
