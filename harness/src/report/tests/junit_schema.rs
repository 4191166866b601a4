//! `junit.xml` against what is public of the schemas of Jenkins and GitLab.
//!
//! The rules are those of `junit-10.xsd` of Jenkins' xUnit plugin: which elements and attributes there are, which of
//! them must be there, and how a time is written. That schema takes children in any order; Ant's task, which others go
//! by, wants properties first, then cases, then output, so that order is held, too. GitLab takes cases that differ
//! neither in `classname` nor in `name` for one, so these must differ.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::*;
use crate::report::meta::tests::example;

/// An element: its name, the attributes that it must have, those that it may have, and its children in their order.
type Rule = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const RULES: [Rule; 8] = [
    (
        "testsuites",
        &[],
        &["name", "time", "tests", "failures", "errors"],
        &["testsuite"],
    ),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["time", "skipped", "timestamp", "hostname", "id", "package"],
        &["properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &[], &["property"]),
    ("property", &["name", "value"], &[], &[]),
    (
        "testcase",
        &["name"],
        &["time", "classname", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
    ),
    ("failure", &[], &["message", "type"], &[]),
    ("error", &[], &["message", "type"], &[]),
    ("system-out", &[], &[], &[]),
];

/// What of `text` the rules forbid.
pub(crate) fn misfits(text: &str) -> Vec<String> {
    let xml = match Document::parse(text) {
        Ok(xml) => xml,
        Err(error) => return vec![error.to_string()],
    };
    let mut wrong = Vec::new();
    if !xml.root_element().has_tag_name("testsuites") {
        wrong.push("the root is no <testsuites>".to_owned());
    }
    for element in xml.descendants().filter(Node::is_element) {
        let name = element.tag_name().name();
        let Some((_, must, may, order)) = RULES.iter().find(|rule| rule.0 == name) else {
            wrong.push(format!("<{name}> is not known"));
            continue;
        };
        for needed in must.iter().filter(|it| !element.has_attribute(**it)) {
            wrong.push(format!("<{name}> lacks {needed}"));
        }
        for attribute in element.attributes().map(|it| it.name()) {
            if !must.contains(&attribute) && !may.contains(&attribute) {
                wrong.push(format!("<{name}> has {attribute}"));
            }
        }
        let mut at = 0;
        for child in element.children().filter(Node::is_element) {
            let child = child.tag_name().name();
            match order.iter().position(|it| *it == child) {
                None => wrong.push(format!("<{name}> has <{child}>")),
                Some(place) if place < at => {
                    wrong.push(format!("<{child}> comes late in <{name}>"))
                }
                Some(place) => at = place,
            }
        }
        if let Some(time) = element.attribute("time")
            && !is_time(time)
        {
            wrong.push(format!("<{name}> has the time {time}"));
        }
        if let Some(stamp) = element.attribute("timestamp")
            && !is_timestamp(stamp)
        {
            wrong.push(format!("<{name}> has the timestamp {stamp}"));
        }
        for count in ["tests", "failures", "errors", "skipped"] {
            if element
                .attribute(count)
                .is_some_and(|n| n.parse::<u64>().is_err())
            {
                wrong.push(format!("<{name}> has {count} that is no number"));
            }
        }
    }
    let mut cases = BTreeSet::new();
    for case in xml.descendants().filter(|it| it.has_tag_name("testcase")) {
        let key = (case.attribute("classname"), case.attribute("name"));
        if !cases.insert(key) {
            wrong.push(format!("{key:?} is there twice"));
        }
    }
    wrong
}

/// Seconds with a fraction, as Surefire writes them.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !whole.is_empty() && digits(whole) && digits(fraction)
}

/// `2026-11-30T19:00:00`: without a fraction or a zone, which Ant's schema refuses.
fn is_timestamp(text: &str) -> bool {
    let form = "0000-00-00T00:00:00";
    text.len() == form.len()
        && text.chars().zip(form.chars()).all(|(c, is)| match is {
            '0' => c.is_ascii_digit(),
            other => c == other,
        })
}

#[test]
fn every_file_fits_the_schemas_of_jenkins_and_gitlab() {
    let runs = vec![example("2026-11-30T19:00:00Z")];
    let mut hostile = hostile();
    hostile.extend(results());
    for (results, skipped, runs) in [
        (results(), 2, Vec::new()),
        (results(), 0, runs.clone()),
        (hostile, 0, runs.clone()),
        (Vec::new(), 3, runs),
    ] {
        let text = junit::render(&Journal::new(&results, skipped).with_meta(runs));
        assert_eq!(misfits(&text), [""; 0], "{text}");
    }
}

#[test]
fn what_does_not_fit_is_seen() {
    let text = junit::render(&Journal::new(&results(), 2));
    for (was, is) in [
        ("<testsuites name", "<testsuites skipped=\"0\" name"),
        ("time=\"31.000\"", "time=\"31 s\""),
        ("<testsuite name=\"balance-anomaly\"", "<testsuite"),
        ("seed 1 in sim", "seed 0 in sim"),
        ("</properties>", "</properties><skipped/>"),
        ("<system-out>", "<system-out/><failure/><system-out>"),
        ("tests=\"2\"", "tests=\"two\""),
    ] {
        let broken = text.replacen(was, is, 1);
        assert_ne!(broken, text, "{was}");
        assert_ne!(misfits(&broken), [""; 0], "{was}");
    }
}

#[test]
fn counts_are_right_and_no_data_is_never_a_pass() {
    let results = results();
    let runs = vec![example("2026-11-30T19:00:00Z")];
    let text = junit::render(&Journal::new(&results, 2).with_meta(runs));
    let xml = Document::parse(&text).expect("well-formed");
    let elements = || xml.descendants().filter(Node::is_element);
    let number = |node: Node<'_, '_>, name: &str| -> usize {
        let value = node.attribute(name).expect("it is counted");
        value.parse().expect("a number")
    };
    for suite in elements().filter(|e| e.has_tag_name("testsuite")) {
        let under = |name: &str| suite.descendants().filter(|e| e.has_tag_name(name)).count();
        assert_eq!(number(suite, "tests"), under("testcase"));
        assert_eq!(number(suite, "failures"), under("failure"));
        assert_eq!(number(suite, "errors"), under("error"));
        assert_eq!(number(suite, "skipped"), under("skipped"));
        assert_eq!(suite.attribute("timestamp"), Some("2026-11-30T19:00:00"));
        assert_eq!(suite.attribute("hostname"), Some("runner-7"));
    }
    let error = elements().find(|e| e.has_tag_name("error"));
    let error = error.expect("one drill is inconclusive");
    let message = error.attribute("message").expect("a reason");
    assert!(
        message.contains("before anything was touched") && message.contains("cargo xtask replay")
    );
    let interrupted = elements().find(|e| e.attribute("type") == Some("interrupted"));
    let interrupted = interrupted.expect("two did not run");
    assert!(
        interrupted.has_tag_name("error"),
        "no interrupted run is green"
    );
}

#[test]
fn who_never_recovered_did_not_take_no_time() {
    let mut results = results();
    let time = |results: &[DrillResult]| {
        let text = junit::render(&Journal::new(results, 0));
        let xml = Document::parse(&text).expect("well-formed");
        let mut cases = xml.descendants().filter(|it| it.has_tag_name("testcase"));
        let last = cases.next_back().expect("four of them");
        last.attribute("time").map(str::to_owned)
    };
    assert_eq!(time(&results), None);
    results[3].impact_ms = Some(780_000);
    assert_eq!(time(&results).as_deref(), Some("780.000"));
}
