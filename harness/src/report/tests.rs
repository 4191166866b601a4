//! The shape of each report.

use super::*;
use crate::drill::{DrillResult, timeline};
use crate::evidence::StepSaid;
use crate::verdict::{Finding, Stage, Survivability, Verdict, judge};
use crate::worlds::WorldKind;

fn result(scenario: &str, seed: u64, rto_ms: Option<u64>, trouble: Option<Finding>) -> DrillResult {
    let mut findings: Vec<Finding> = Stage::ALL
        .map(|s| Finding::new("fine", s, Verdict::Pass, "as it must be").number("n", 1))
        .to_vec();
    findings.extend(trouble);
    DrillResult {
        scenario: scenario.to_owned(),
        seed,
        world: WorldKind::Sim,
        verdicts: judge(&findings, Survivability::Survivable),
        findings,
        rto_ms,
        rto_claimed_ms: rto_ms.map(|r| r - 500),
        impact_ms: rto_ms.map(|r| r + 40_000),
        error_rate_ppm: rto_ms.map(|_| 12),
        requests_after_recovery: 120_000,
        trades_acknowledged: 90_000,
        trades_lost: 0,
        steps: vec![StepSaid {
            name: "undo-app".to_owned(),
            title: "Roll back".to_owned(),
            service: Some("gateway".to_owned()),
            started_ms: 151_000,
            finished_ms: Some(158_250),
            budget_ms: 60_000,
            outcome: "done".to_owned(),
            detail: "1.5.0 to 1.4.2".to_owned(),
        }],
        fingerprint: 0xfeed_f00d,
        executor_requests: 0,
        replay: "fd1-abc".to_owned(),
        faults: vec!["90000 ms: release 1.5.0-slow-path deployed".to_owned()],
        files: std::collections::BTreeMap::from([(
            "incident-1/post-mortem.md".to_owned(),
            "# Post-mortem\n".to_owned(),
        )]),
        timeline: vec![
            timeline::Entry::new(90_000, "deployer", "", "deploys 1.5.0-slow-path"),
            timeline::Entry::new(150_400, "executor", "watch", "sla-latency-p99 fired"),
        ],
    }
}

fn results() -> Vec<DrillResult> {
    let late = Finding::new(
        "rto",
        Stage::Recovery,
        Verdict::Fail,
        "recovered in 5m 10s, beyond <5m> & \"late\"",
    );
    let unknown = Finding::new(
        "steady-state",
        Stage::Injection,
        Verdict::Inconclusive,
        "never held",
    );
    vec![
        result("latency-regression", 0, Some(31_000), None),
        result("latency-regression", 1, Some(310_000), Some(late)),
        result("balance-anomaly", 0, Some(42_500), None),
        result("balance-anomaly", 1, None, Some(unknown)),
    ]
}

#[test]
fn the_journal_has_the_agreed_shape() {
    let results = results();
    let journal = serde_json::to_value(journal::Journal::new(&results, 2)).expect("plain data");
    assert_eq!(journal["schema"], "firedrill/1");
    let drill = journal["drills"][1].as_object().expect("an object");
    for key in [
        "scenario",
        "seed",
        "world",
        "verdict",
        "verdicts",
        "rto_ms",
        "rto_claimed_ms",
        "impact_ms",
        "error_rate",
        "requests_after_recovery",
        "trades_acknowledged",
        "trades_lost",
        "faults",
        "steps",
        "fingerprint",
        "replay",
    ] {
        assert!(drill.contains_key(key), "{key}");
    }
    let stages: Vec<&String> = drill["verdicts"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    assert_eq!(stages.len(), 5);
    insta::assert_snapshot!(serde_json::to_string_pretty(&journal).expect("plain data"));
}

#[test]
fn junit_is_escaped_and_counts() {
    insta::assert_snapshot!(junit::render(&results()));
}

#[test]
fn the_page_is_self_contained_and_escaped() {
    let page = html::render(&results(), 0);
    assert!(page.contains("beyond &lt;5m&gt; &amp; &quot;late&quot;"));
    for outside in ["http://", "https://", "<script", "url(", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_terminal_shows_numbers_and_replay_commands() {
    let results = results();
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        table::summary(&results),
        table::findings(&results)
    ));
    assert_eq!(table::findings(&results[..1]), "");
}

#[test]
fn a_timeline_reads_from_top_to_bottom() {
    insta::assert_snapshot!(timeline::render(&results()[1]));
}

#[test]
fn files_are_written_whole_and_replace_older_ones() {
    let directory = std::env::temp_dir().join(format!("firedrill-report-{}", std::process::id()));
    for round in 0..2 {
        write_all(&directory, &results(), round).expect("a writable directory");
    }
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .expect("it was made")
        .map(|e| {
            e.expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let post_mortem = std::fs::read_to_string(directory.join("evidence/incident-1/post-mortem.md"));
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert_eq!(
        names,
        ["evidence", "journal.json", "junit.xml", "report.html"]
    );
    assert_eq!(post_mortem.expect("kept"), "# Post-mortem\n");
}

#[test]
fn evidence_cannot_leave_its_directory() {
    let outside = format!("firedrill-outside-{}", std::process::id());
    let directory = std::env::temp_dir().join(format!("firedrill-inside-{}", std::process::id()));
    let mut results = results();
    let name = format!("../../{outside}");
    results[0].files = std::collections::BTreeMap::from([(name, "x".to_owned())]);
    write_all(&directory, &results, 0).expect("a writable directory");
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert!(!std::env::temp_dir().join(outside).exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = std::env::temp_dir().join(format!("firedrill-file-{}", std::process::id()));
    std::fs::write(&file, "").expect("writable");
    let error = write_all(&file.join("sub"), &results(), 0).expect_err("a file is no directory");
    std::fs::remove_file(&file).expect("it is ours");
    assert!(error.to_string().contains("sub"));
}

#[test]
fn what_xml_forbids_is_replaced() {
    assert_eq!(
        escaped("a<b>&\"'\u{1}\n"),
        "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\n"
    );
}
