//! What a shard says of its results, and what of them fits into its log.

use serde::{Deserialize, Serialize};

use super::payload::{Files, PAYLOAD_MAX, lines};
use super::searched::SearchFile;
use super::summary::{Failure, Summary};
use crate::digest::digest64;
use crate::report::journal::{Drill, Journal};
use crate::verdict::Verdict;

/// What of the results a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Nothing: they are counted in the summary.
    Nothing,
    /// Drills that did not pass, or classes without what was met. The others are counted.
    NotPassed,
    /// Everything.
    All,
}

/// A shard's results as they leave its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// For the termination message.
    pub summary: Summary,
    /// For the log.
    pub lines: Vec<String>,
}

/// What leaves the pod of a `chaos` with `journal`. `summary` says which shard it is, and how it ended.
/// Drills that passed are only counted if there is no room for them, or if `failures_only`.
#[must_use]
pub fn of_chaos(summary: Summary, journal: &Journal<'_>, failures_only: bool) -> Results {
    let counted = &journal.summary;
    let not_passed = || {
        journal
            .drills
            .iter()
            .filter(|it| it.verdict != Verdict::Pass)
    };
    let mut failures: Vec<&Drill<'_>> = not_passed().collect();
    // Those that failed come before those that show nothing.
    failures.sort_by_key(|drill| std::cmp::Reverse(drill.verdict));
    let summary = Summary {
        drills: counted.drills as u64,
        failed: counted.failed as u64,
        inconclusive: counted.inconclusive as u64,
        skipped: counted.skipped as u64,
        digest: digest(&journal.drills),
        failures: failures.into_iter().map(failure).collect(),
        ..summary
    };
    let file = |journal: &Journal<'_>| {
        // A journal has keys that are texts and no value that fails.
        let text = serde_json::to_string(journal).unwrap_or_default();
        Files::from([("journal.json".to_owned(), text)])
    };
    let only_not_passed = || {
        let drills: Vec<Drill<'_>> = not_passed().cloned().collect();
        file(&Journal::of(drills, 0.into()).with_meta(journal.meta.clone()))
    };
    let all: Way<'_> = (Kept::All, &|| file(journal));
    let fewer: Way<'_> = (Kept::NotPassed, &only_not_passed);
    let ways = [all, fewer];
    fitting(summary, &ways[usize::from(failures_only)..])
}

/// What leaves the pod of a `search` that wrote `files`: `search.json`, and a scenario for each class.
///
/// # Errors
/// `search.json` is missing or can't be read.
pub fn of_search(summary: Summary, files: &Files) -> Result<Results, serde_json::Error> {
    let text = files.get("search.json").map_or("", String::as_str);
    let search: SearchFile = serde_json::from_str(text)?;
    let of_class = search.classes.iter().map(|class| class.drills).sum();
    let failures = search.classes.iter().map(|class| Failure {
        what: class.class.clone(),
        number: class.first,
        why: format!("{} {}", class.oracle, class.finding),
        replay: Some(class.replay.clone()),
    });
    // What is written in words follows from the rest.
    let told: Files = files
        .iter()
        .filter(|(name, _)| !name.ends_with(".md"))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    // What was found, and not what the file may say besides.
    let scenarios: Files = told
        .iter()
        .filter(|(name, _)| name.ends_with(".toml"))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let compared = (&search, scenarios);
    let summary = Summary {
        drills: search.drills,
        failed: of_class,
        inconclusive: search.silent.values().sum(),
        digest: digest64(serde_json::to_string(&compared)?.as_bytes()),
        failures: failures.collect(),
        ..summary
    };
    let without_coverage = || {
        let mut fewer = told.clone();
        let mut search = search.clone();
        search.coverage.clear();
        let text = serde_json::to_string(&search).unwrap_or_default();
        fewer.insert("search.json".to_owned(), text);
        fewer
    };
    Ok(fitting(
        summary,
        &[
            (Kept::All, &|| told.clone()),
            (Kept::NotPassed, &without_coverage),
        ],
    ))
}

/// A way to keep something, and its files.
type Way<'a> = (Kept, &'a dyn Fn() -> Files);

/// The first of `ways` that fits into a log; nothing, if none does.
fn fitting(summary: Summary, ways: &[Way<'_>]) -> Results {
    for &(kept, files) in ways {
        let lines = lines(&files());
        if lines.iter().map(|line| line.len() + 1).sum::<usize>() <= PAYLOAD_MAX {
            let summary = Summary { kept, ..summary };
            return Results { summary, lines };
        }
    }
    Results {
        summary,
        lines: Vec::new(),
    }
}

fn failure(drill: &Drill<'_>) -> Failure {
    let why = match drill.problems().first() {
        Some(finding) => format!("{} {}", finding.oracle, finding.kind),
        None => drill.verdict.to_string(),
    };
    Failure {
        what: drill.scenario.clone().into_owned(),
        number: drill.seed,
        why,
        replay: Some(drill.replay.clone().into_owned()),
    }
}

/// Digest of what drills showed. Whether a drill kept its details depends on the others of its run.
fn digest(drills: &[Drill<'_>]) -> u64 {
    let mut all = String::new();
    for drill in drills {
        let plain = Drill {
            detail: None,
            smallest: None,
            ..drill.clone()
        };
        all.push_str(&serde_json::to_string(&plain).unwrap_or_default());
        all.push('\n');
    }
    digest64(all.as_bytes())
}
