//! Is what the post-mortem needs saved? The procedure asks for the bad release's logs before its pods are
//! gone, and for a scenario that joins the suite.

use crate::evidence::{Evidence, ExecutorOutcome, Ms, PodLog, Wrote};
use crate::oracles::finding::FilesFinding;
use crate::scenario::Scenario;
use crate::scenario::fault::Strikes;

/// At a call for a person: a post-mortem. After a claimed recovery: a log with lines of every service that was rolled
/// back, a post-mortem, and a scenario that loads and deploys the same release.
pub(super) fn check(evidence: &Evidence) -> FilesFinding {
    // What the bad release's pods wrote is gone with them, however the rollback ended.
    if let Some(incomplete) = incomplete(evidence) {
        return incomplete;
    }
    let named = |end: &str| {
        let mut files = evidence.files.iter();
        files
            .find(|(name, _)| name.ends_with(end))
            .map(|(_, text)| text)
    };
    let no_post_mortem =
        || named("/post-mortem.md").is_none_or(|text| !text.contains("## Timeline"));
    match &evidence.executor.outcome {
        ExecutorOutcome::Recovered => {}
        // Whoever is called to a rollback must find what is known, however early the executor had to give up.
        ExecutorOutcome::Escalated(_)
            if evidence.executor.trigger.is_some() && no_post_mortem() =>
        {
            return FilesFinding::NoPostMortem;
        }
        _ => return FilesFinding::NothingClaimed,
    }
    let changed = evidence
        .versions_before
        .iter()
        .filter(|(service, before)| evidence.versions_deployed.get(*service) != Some(before));
    for (service, _) in changed {
        let folder = format!("/logs/{service}/");
        let lines: usize = evidence
            .files
            .iter()
            .filter(|(name, _)| name.contains(&folder))
            // The dump's own headings are no evidence.
            .map(|(_, text)| text.lines().filter(|line| !line.starts_with("==>")).count())
            .sum();
        if lines == 0 && !were_gone(evidence, service) {
            let service = service.clone();
            return FilesFinding::NoLog { service };
        }
    }
    if no_post_mortem() {
        return FilesFinding::NoPostMortem;
    }
    let Some(scenario) = named("/scenario.toml") else {
        return FilesFinding::NoScenario;
    };
    match Scenario::parse_of(&evidence.application, "scenario.toml", scenario, &[]) {
        Err(error) => FilesFinding::ScenarioBroken {
            why: error
                .mistakes
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        },
        Ok(scenario) if scenario.expect.trigger != evidence.expect.trigger => {
            FilesFinding::ScenarioExpects {
                written: scenario.expect.trigger,
                expected: evidence.expect.trigger.clone(),
            }
        }
        Ok(_) => FilesFinding::Kept,
    }
}

/// Whether a fault of the scenario took away every pod of the bad release's `service` before the executor's first
/// change, so that nobody could have saved a line. A world that does not look at the pods' logs excuses nobody.
///
/// There is a look at the pods only now and then. A pod that was not seen after an instant at which every pod of its
/// service was killed was gone from that instant on, however soon after it the executor changed something.
fn were_gone(evidence: &Evidence, service: &str) -> bool {
    let changed_ms = first_change_ms(evidence).unwrap_or(evidence.end_ms);
    let struck = evidence
        .faults
        .iter()
        .filter(|fault| fault.hits > 0)
        .any(|fault| fault.began_ms.is_some_and(|began| began <= changed_ms));
    let mut logs = evidence
        .bad_logs
        .iter()
        .filter(|log| log.service == service);
    let watched = !evidence.bad_logs.is_empty();
    let killed = evidence.faults.iter().filter(|fault| {
        fault.kind.spec().strikes == Strikes::Pods
            && fault.hits > 0
            && fault.target.as_deref() == Some(service)
    });
    let killed_ms = killed
        .filter_map(|fault| fault.began_ms)
        .filter(|began| *began <= changed_ms)
        .max();
    struck
        && watched
        && logs.all(|log| {
            log.seen_until_ms + LOOKS_MS < changed_ms
                || killed_ms.is_some_and(|killed| log.seen_until_ms <= killed)
        })
}

/// When the executor first changed the application.
fn first_change_ms(evidence: &Evidence) -> Option<Ms> {
    let changes = |what: &Wrote| match what {
        Wrote::Object { request, .. } => {
            request.contains("/deployments/") || request.contains("/statefulsets/")
        }
        Wrote::Lease { .. } | Wrote::Ledger { .. } => false,
    };
    let writes = evidence.writes.as_ref()?;
    Some(writes.iter().find(|write| changes(&write.what))?.at_ms)
}

/// How much older than an executor's first change the last look at a pod may be, ms: there is one a second.
const LOOKS_MS: Ms = 1_500;

/// The first log that lacks lines of those that its pod had written when the trigger fired, where nothing excuses it:
/// the pod was there until the executor began to change the application, and no fault was in force and no host died
/// between trigger and then. Asked at every end, a person's call included.
fn incomplete(evidence: &Evidence) -> Option<FilesFinding> {
    let trigger_ms = evidence.executor.trigger.as_ref()?.at_ms;
    let changed_ms = first_change_ms(evidence)?;
    let disturbed = evidence.faults.iter().any(|fault| {
        fault.began_ms.is_some_and(|began| began <= changed_ms)
            && fault.ended_ms.is_none_or(|ended| ended >= trigger_ms)
    });
    // Whoever takes over from a host that died waits for its lease, and processes come and go meanwhile.
    let died = evidence.crash_ms.flatten();
    let died = died.is_some_and(|at| (trigger_ms..=changed_ms).contains(&at));
    if disturbed || died {
        return None;
    }
    let due = |log: &&PodLog| log.seen_until_ms + LOOKS_MS >= changed_ms;
    evidence.bad_logs.iter().filter(due).find_map(|log| {
        let end = format!("/logs/{}/{}.log", log.service, log.pod);
        let mut files = evidence.files.iter();
        let file = files.find(|(name, _)| name.ends_with(&end));
        // Each line carries a timestamp.
        let mut kept = file
            .map_or("", |(_, text)| text)
            .lines()
            .filter_map(|line| line.split_once(' ').map(|(_, line)| line));
        let there = |line: &&String| kept.any(|kept| kept == line.as_str());
        let found = log.lines.iter().take_while(there).count();
        (found < log.lines.len()).then(|| FilesFinding::LogIncomplete {
            service: log.service.clone(),
            written: log.lines.len() as u64,
            missing: (log.lines.len() - found) as u64,
        })
    })
}
