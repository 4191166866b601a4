//! `junit.xml`: one suite for each scenario, one case for each seed, as CI systems read it.
//!
//! An inconclusive drill is an `error`, not `skipped`: it did run, nobody knows what it shows, and no data is never a
//! pass. Skipped cases turn no build red, errors do, as does the exit code 3 of such a run. So is what an interruption
//! kept from running.
//!
//! Times are virtual seconds (the RTO), so the file is the same on every machine. Properties stand at the
//! suites, where every reader takes them; a case's own numbers are in its `system-out`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::journal::{Drill, Journal};
use super::summary::{ScenarioSummary, by_scenario_of};
use super::{interruption, troubles};
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
        status
            .set_type("interrupted")
            .set_message(interruption(&journal.summary).unwrap_or_default());
        let mut case = TestCase::new("drills that did not run", status);
        case.set_classname("firedrill");
        let mut suite = TestSuite::new("firedrill");
        suite.add_test_case(case);
        report.add_test_suite(suite);
    }
    // What went in is text without forbidden characters, and a string takes everything.
    report.to_string().unwrap_or_default()
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
        (
            "trades_acknowledged",
            summary.trades_acknowledged.to_string(),
        ),
        ("trades_lost", summary.trades_lost.to_string()),
    ] {
        suite.add_property((name, value.as_str()));
    }
    let mut total = Duration::ZERO;
    let of_suite = |d: &&Drill<'_>| d.scenario == summary.scenario && d.world == summary.world;
    for drill in journal.drills.iter().filter(of_suite) {
        total = total.saturating_add(span(drill));
        suite.add_test_case(case(drill));
    }
    suite.set_time(total);
    suite
}

fn span(drill: &Drill<'_>) -> Duration {
    Duration::from_millis(drill.rto_ms.unwrap_or(0))
}

fn case(drill: &Drill<'_>) -> TestCase {
    let status = match drill.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => trouble(drill, NonSuccessKind::Failure),
        Verdict::Inconclusive => trouble(drill, NonSuccessKind::Error),
    };
    let mut case = TestCase::new(format!("seed {} in {}", drill.seed, drill.world), status);
    case.set_classname(format!("firedrill.{}", drill.scenario))
        .set_time(span(drill));
    if drill.verdict != Verdict::Pass {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        case.set_system_out(format!(
            "RTO {}, claimed {}, impact {}\nerror rate after recovery {} of {} requests\ntrades acknowledged {}, lost {}\nfaults: {}\nfingerprint {}\n",
            drill
                .rto_ms
                .map_or_else(|| drill.ending.as_str().to_owned(), show_ms),
            or_none(drill.rto_claimed_ms.map(show_ms)),
            or_none(drill.impact_ms.map(show_ms)),
            or_none(drill.error_rate_ppm.map(show_ppm)),
            show_count(drill.requests_after_recovery),
            show_count(drill.trades_acknowledged),
            show_count(drill.trades_lost),
            drill.faults.join("; "),
            drill.fingerprint
        ));
    }
    case
}

fn trouble(drill: &Drill<'_>, kind: NonSuccessKind) -> TestCaseStatus {
    let found = drill.troubles();
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
            troubles::one_line(&troubles::reason(drill)),
            drill.command()
        ))
        .set_description(lines);
    status
}
