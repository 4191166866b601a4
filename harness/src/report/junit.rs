//! `junit.xml`: one suite for each scenario, one case for each seed, as CI systems read it.
//!
//! An inconclusive drill is an `error`, not `skipped`: it did run, nobody knows what it shows, and no data is never a
//! pass. Skipped cases turn no build red, errors do, as does the exit code 3 of such a run. So is what an interruption
//! or `--max-failures` kept from running.
//!
//! A case's time is its time to recover, in virtual seconds, so that the file is the same on every machine.
//! A drill that never recovered has the time from its first harm to its end, and one with nothing to recover from has
//! none. What says when and where the run was (`timestamp`, `hostname`, and the properties `run.*`) is the only thing
//! that differs between two runs of the same drills.
//!
//! The file keeps to what the schema of Jenkins' xUnit plugin allows (`junit-10.xsd`), which is the narrowest that is
//! public: no `skipped` at `testsuites`, and properties only at suites. GitLab reads a subset of that, and tells cases
//! apart by `classname` and `name`. A case's own numbers are in its `system-out`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::journal::{Drill, Journal};
use super::kept::{Kept, What};
use super::meta::Meta;
use super::summary::{ScenarioSummary, by_scenario_of};
use super::{problems, unfinished};
use crate::stats::{show_count, show_ms, show_ppm};
use crate::verdict::Verdict;

/// The file's text.
#[must_use]
pub fn render(journal: &Journal<'_>) -> String {
    let mut report = Report::new("firedrill");
    for summary in by_scenario_of(&journal.drills) {
        report.add_test_suite(suite(journal, &summary));
    }
    if journal.summary.skipped > 0 {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let why = if journal.summary.ended_on_purpose {
            "max-failures"
        } else {
            "interrupted"
        };
        status
            .set_type(why)
            .set_message(unfinished(&journal.summary).unwrap_or_default());
        let mut case = TestCase::new("drills that did not run", status);
        case.set_classname("firedrill");
        let mut suite = TestSuite::new("firedrill");
        suite.add_property(("schema", &*journal.schema));
        suite.set_time(Duration::ZERO);
        suite.add_test_case(case);
        stamp(&mut suite, &journal.meta);
        report.add_test_suite(suite);
    }
    let total = report.test_suites.iter().filter_map(|suite| suite.time);
    report.set_time(total.fold(Duration::ZERO, Duration::saturating_add));
    within_the_schema(report)
}

/// The text of `report`, without what the writer of the library says and the schema does not know.
pub(crate) fn within_the_schema(report: Report) -> String {
    // What went in is text without forbidden characters, and a string takes everything.
    let text = report.to_string().unwrap_or_default();
    // The first is that of the root element, whose name is not from outside. Nothing is ever skipped.
    text.replacen(" skipped=\"0\"", "", 1)
}

/// Says when and where the first of `runs` was.
pub(crate) fn stamp(suite: &mut TestSuite, runs: &[Meta]) {
    let Some(run) = runs.first() else { return };
    let mut attribute = |name: &str, value: &str| suite.extra.insert(name.into(), value.into());
    attribute("timestamp", &run.timestamp());
    attribute("hostname", &run.host.name);
    for (name, value) in [
        ("run.version", run.version.as_str()),
        ("run.commit", run.commit.as_deref().unwrap_or("unknown")),
        ("run.command", &run.command_line()),
    ] {
        suite.add_property((name, value));
    }
}

fn suite(journal: &Journal<'_>, summary: &ScenarioSummary) -> TestSuite {
    let mut suite = TestSuite::new(summary.label.as_str());
    let time = |ms: Option<u64>| ms.map_or_else(|| "none".to_owned(), |ms| ms.to_string());
    for (name, value) in [
        ("schema", journal.schema.to_string()),
        ("world", summary.world.to_string()),
        ("drills", summary.drills.to_string()),
        ("passed", summary.passed.to_string()),
        ("rto_p50_ms", time(summary.rto_p50_ms)),
        ("rto_p99_ms", time(summary.rto_p99_ms)),
        ("rto_max_ms", time(summary.rto_max_ms)),
        ("error_rate_max_ppm", time(summary.error_rate_max_ppm)),
        (
            "requests_after_recovery",
            summary.requests_after_recovery.to_string(),
        ),
    ] {
        suite.add_property((name, value.as_str()));
    }
    let kept = summary.kept;
    if kept.what != What::Nothing {
        for (name, number) in [("acknowledged", kept.acknowledged), ("lost", kept.lost)] {
            let name = format!("{}_{name}", kept.what.word());
            suite.add_property((name.as_str(), number.to_string().as_str()));
        }
    }
    let mut total = Duration::ZERO;
    let of_suite = |d: &&Drill<'_>| d.scenario == summary.scenario && d.world == summary.world;
    for drill in journal.drills.iter().filter(of_suite) {
        total = total.saturating_add(span(drill).unwrap_or_default());
        suite.add_test_case(case(drill));
    }
    suite.set_time(total);
    stamp(&mut suite, &journal.meta);
    suite
}

/// What a case's time is: to the recovery, or in harm where there was none.
fn span(drill: &Drill<'_>) -> Option<Duration> {
    drill.rto_ms.or(drill.impact_ms).map(Duration::from_millis)
}

fn case(drill: &Drill<'_>) -> TestCase {
    let status = match drill.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => trouble(drill, NonSuccessKind::Failure),
        Verdict::Inconclusive => trouble(drill, NonSuccessKind::Error),
    };
    let mut case = TestCase::new(format!("seed {} in {}", drill.seed, drill.world), status);
    case.set_classname(format!("firedrill.{}", drill.scenario));
    if let Some(span) = span(drill) {
        case.set_time(span);
    }
    if drill.verdict != Verdict::Pass {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let kept = Kept::of_drill(drill);
        let kept = match kept.what {
            What::Nothing => String::new(),
            what => format!(
                "{} acknowledged {}, lost {}\n",
                what.word(),
                show_count(kept.acknowledged),
                show_count(kept.lost)
            ),
        };
        case.set_system_out(format!(
            "recovery time {}, claimed {}, impact {}\nerror rate after recovery {} of {} requests\n{kept}faults: {}\nfingerprint {}\n",
            drill
                .rto_ms
                .map_or_else(|| drill.ending.as_str().to_owned(), show_ms),
            or_none(drill.rto_claimed_ms.map(show_ms)),
            or_none(drill.impact_ms.map(show_ms)),
            or_none(drill.error_rate_ppm.map(show_ppm)),
            show_count(drill.requests_after_recovery),
            drill.faults.join("; "),
            drill.fingerprint
        ));
    }
    case
}

fn trouble(drill: &Drill<'_>, kind: NonSuccessKind) -> TestCaseStatus {
    let found = drill.problems();
    let mut lines: String = found
        .iter()
        .map(|f| format!("{} {}: {}\n", f.verdict, f.oracle, f.reason))
        .collect();
    if let Some(smallest) = &drill.smallest {
        lines.push_str(&format!(
            "smallest failing case: {}\nreplay: {}\n",
            smallest.what,
            smallest.command()
        ));
    }
    lines.push_str(&format!("replay: {}", drill.command()));
    let oracle = found.first().map_or("stage", |f| f.oracle.as_str());
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(oracle)
        .set_message(format!(
            "{oracle}: {}; {}",
            problems::one_line(&problems::reason(drill)),
            drill.command()
        ))
        .set_description(lines);
    status
}
