//! `junit.xml` of a comparison: a case for the answer, and one for each scenario.
//!
//! A scenario's case fails where the candidate fails newly or does new harm. It is an error where its pairs show
//! nothing. The answer's case fails on a rejection, and is an error where neither is shown, as that is no pass.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::compare::Comparison;
use super::judge::Judgement;
use super::reason::Answer;
use super::show::{of_pairs, pairs};
use crate::report::junit::{stamp, within_the_schema};
use crate::report::meta::Meta;
use crate::token;
use crate::verdict::Verdict;

/// The file's text.
#[must_use]
pub fn junit(j: &Judgement, meta: &[Meta]) -> String {
    let mut report = Report::new("firedrill runbook verify");
    for suite in suites(j, "verify") {
        report.add_test_suite(suite);
    }
    if let Some(reference) = &j.reference {
        for suite in suites(reference, "verify against the reference") {
            report.add_test_suite(suite);
        }
    }
    for suite in &mut report.test_suites {
        stamp(suite, meta);
    }
    within_the_schema(report)
}

fn suites(j: &Judgement, name: &str) -> [TestSuite; 2] {
    let class = name.replace(' ', "-");
    let mut answer = TestSuite::new(name);
    for (name, value) in [("baseline", &j.baseline), ("candidate", &j.candidate)] {
        answer.add_property((name, value.as_str()));
    }
    let mut case = TestCase::new("the candidate may replace the baseline", status(j));
    case.set_classname(format!("firedrill.{class}"));
    answer.add_test_case(case);
    let mut scenarios = TestSuite::new(format!("{name}, by scenario"));
    for comparison in &j.comparisons {
        let mut case = TestCase::new(comparison.scenario.name.as_str(), of_scenario(comparison));
        case.set_classname(format!("firedrill.{class}.scenario"));
        case.set_system_out(pairs(comparison));
        scenarios.add_test_case(case);
    }
    [answer, scenarios]
}

fn status(j: &Judgement) -> TestCaseStatus {
    let kind = match j.answer {
        Answer::Adopt => return TestCaseStatus::success(),
        Answer::Reject => NonSuccessKind::Failure,
        Answer::Inconclusive => NonSuccessKind::Error,
    };
    let mut lines: Vec<String> = j
        .reasons
        .iter()
        .map(|reason| {
            let remedy = reason.remedy.as_ref();
            let remedy = remedy.map_or_else(String::new, |remedy| format!(" → {remedy}"));
            format!("{}: {}{remedy}", reason.answer, reason.text)
        })
        .collect();
    let first = lines.first().cloned().unwrap_or_default();
    if let Some(smallest) = &j.smallest {
        lines.push(token::command(&smallest.candidate_replay));
    }
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(j.answer.as_str())
        .set_message(first)
        .set_description(lines.join("\n"));
    status
}

fn of_scenario(comparison: &Comparison) -> TestCaseStatus {
    let kind = match of_pairs(comparison) {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => NonSuccessKind::Failure,
        Verdict::Inconclusive => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let first = comparison.first_newly_failing();
    let replay = first.map_or_else(String::new, |pair| {
        format!("; seed {} is the first that fails newly", pair.seed)
    });
    status
        .set_type("pairs")
        .set_message(format!("{}{replay}", pairs(comparison)));
    status
}
