//! The shape of each report.

use super::*;
use crate::drill::time_series::{Mark, Phase, Seconds, TimeSeries};
use crate::drill::{DrillResult, Ending, Smallest, timeline};
use crate::evidence::StepSaid;
use crate::finding::{
    BookCounts, ConductFinding, Ended, Finding, HostFinding, MaintenanceFinding, OutcomeFinding,
    RtoFinding, SteadyFinding, SteadyState, TriggerFinding, UnsafeAct,
};
use crate::report::journal::Journal;
use crate::scenario::Path;
use crate::token::Replays;
use crate::verdict::judge;
use crate::worlds::WorldKind;

pub(crate) mod junit_schema;
mod kept;
mod pages;
mod runs;

fn result(scenario: &str, seed: u64, rto_ms: Option<u64>, problem: Option<Finding>) -> DrillResult {
    let took = Ended::Took {
        path: Path::Application,
    };
    let mut findings: Vec<Finding> = vec![
        HostFinding::Simulated.into(),
        TriggerFinding::NoneAsExpected.into(),
        ended(took),
        RtoFinding::NothingToRecover.into(),
        MaintenanceFinding::Open.into(),
    ];
    findings.extend(problem);
    DrillResult {
        scenario: scenario.to_owned(),
        seed,
        world: WorldKind::Sim,
        verdicts: judge(&findings),
        findings,
        ending: match rto_ms {
            Some(_) => Ending::Recovered,
            None => Ending::NeverRecovered,
        },
        rto_ms,
        rto_claimed_ms: rto_ms.map(|r| r - 500),
        impact_ms: rto_ms.map(|r| r + 40_000),
        error_rate_ppm: rto_ms.map(|_| 12),
        requests_after_recovery: 120_000,
        rto_max_ms: 300_000,
        trades: BookCounts {
            acknowledged: 90_000,
            ..BookCounts::default()
        },
        orders: BookCounts::default(),
        steps: vec![StepSaid {
            name: "undo-app".to_owned(),
            title: "Roll back".to_owned(),
            service: Some("gateway".to_owned()),
            started_ms: 151_000,
            finished_ms: Some(158_250),
            budget_ms: 60_000,
            outcome: executor::StepOutcome::Done,
            detail: "1.5.0 to 1.4.2".to_owned(),
        }],
        fingerprint: 0xfeed_f00d,
        executor_requests: 0,
        observed: Vec::new(),
        replay: "fd1-abc".to_owned(),
        faults_seen: Vec::new(),
        struck: Vec::new(),
        faults: vec![Mark {
            at_ms: 90_000,
            what: "release 1.5.0-slow-path deployed".to_owned(),
        }],
        files: std::collections::BTreeMap::from([(
            "incident-1/post-mortem.md".to_owned(),
            "# Post-mortem\n".to_owned(),
        )]),
        timeline: vec![
            timeline::TimelineEntry::new(90_000, "deployer", "", "deploys 1.5.0-slow-path"),
            timeline::TimelineEntry::new(150_400, "executor", "watch", "sla-latency-p99 fired"),
        ],
        time_series: Some(Box::new(series(rto_ms))),
        smallest: None,
    }
}

fn ended(end: Ended) -> Finding {
    OutcomeFinding {
        steps: 1,
        at_step: None,
        end,
    }
    .into()
}

fn series(rto_ms: Option<u64>) -> TimeSeries {
    TimeSeries {
        description: "gets slower".to_owned(),
        release_from: "1.4.2".to_owned(),
        release_to: "1.5.0-slow-path".to_owned(),
        runbook: "Roll back, digest 0123".to_owned(),
        rto_max_ms: 300_000,
        error_rate_max_ppm: 100,
        latency_max_ms: 100,
        deployed_ms: Some(1_000),
        first_harm_ms: Some(2_000),
        trigger_ms: Some(3_000),
        trigger: Some("sla-latency-p99".to_owned()),
        recovered_ms: rto_ms.map(|rto| 3_000 + rto),
        another_incident_ms: None,
        gave_up_ms: None,
        end_ms: 4_000,
        marks: vec![Mark {
            at_ms: 1_000,
            what: "release 1.5.0-slow-path deployed".to_owned(),
        }],
        phases: vec![Phase {
            title: "Roll back the application".to_owned(),
            steps: 1,
        }],
        seconds: Seconds {
            answered: vec![200, 150, 0, 190],
            maintenance: vec![0, 0, 200, 0],
            errors: vec![0, 50, 0, 0],
            slow: vec![0, 3, 0, 0],
        },
    }
}

fn results() -> Vec<DrillResult> {
    let late = ended(Ended::Paged {
        why: "recovered in 5m 10s, beyond <5m> & \"late\"".to_owned(),
    });
    let unknown = SteadyFinding {
        requests: 10_000,
        errors: 20,
        state: SteadyState::Failing,
    };
    vec![
        result("latency-regression", 0, Some(31_000), None),
        result("latency-regression", 1, Some(310_000), Some(late)),
        result("balance-anomaly", 0, Some(42_500), None),
        result("balance-anomaly", 1, None, Some(unknown.into())),
    ]
}

#[test]
fn the_table_names_the_limit_that_the_scenarios_set() {
    let mut drills = vec![
        result("a", 1, Some(20_000), None),
        result("b", 1, Some(20_000), None),
    ];
    assert!(table::summary(&drills).contains("of 5 minutes"));
    for drill in &mut drills {
        drill.rto_max_ms = 60_000;
    }
    assert!(table::summary(&drills).contains("of a minute"));
    drills[1].rto_max_ms = 90_000;
    assert!(table::summary(&drills).contains("of its own limit"));
}

#[test]
fn the_table_fits_eighty_columns() {
    let names = [
        "breaking-migration-snapshot-of-the-whole-ledger-in-kind",
        "second-release-after-rollout",
        "a",
    ];
    let mut drills: Vec<DrillResult> = names
        .iter()
        .map(|name| result(name, 1, Some(123_456), None))
        .collect();
    drills[0].impact_ms = Some(765_432);
    drills[1].rto_ms = None;
    drills[1].ending = Ending::NeverRecovered;
    let table = table::summary(&drills);
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}\n{table}");
    }
    // No number is parted.
    for whole in ["2m 03s / 2m 03s", "12m 45s", "1 of 1 never", "0.0012%"] {
        assert!(table.contains(whole), "{whole}\n{table}");
    }
}

#[test]
fn the_journal_has_the_agreed_shape() {
    let results = results();
    let journal = serde_json::to_value(journal::Journal::new(&results, 2)).expect("plain data");
    assert_eq!(journal["schema"], "firedrill/3");
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
    insta::assert_snapshot!(junit::render(&Journal::new(&results(), 2)));
}

#[test]
fn the_page_is_self_contained_and_escaped() {
    let page = html::render(&Journal::new(&results(), 0));
    assert!(page.contains("beyond &lt;5m&gt; &amp; &quot;late&quot;"));
    for outside in [
        "http://", "https://", "<script ", "url(", "src=", "fetch(", "import",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<script>").count(), 1);
}

#[test]
fn the_terminal_shows_numbers_and_replay_commands() {
    let results = results();
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        table::summary(&results),
        table::findings(&results, &Replays::default())
    ));
    assert_eq!(table::findings(&results[..1], &Replays::default()), "");
}

#[test]
fn a_timeline_reads_from_top_to_bottom() {
    insta::assert_snapshot!(timeline::render(&results()[1], &Replays::default()));
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
    let post_mortem = std::fs::read_to_string(
        directory.join("evidence/latency-regression/sim-1/incident-1/post-mortem.md"),
    );
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert_eq!(
        names,
        [
            "evidence",
            "journal.json",
            "junit.xml",
            "report.html",
            "summary.md"
        ]
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
fn the_summary_names_verdict_numbers_and_failures() {
    let mut results = results();
    results[1].smallest = Some(Smallest {
        what: "no fault, 20 requests a second".to_owned(),
        replay: "fd1-least".to_owned(),
    });
    insta::assert_snapshot!(markdown::render(&Journal::new(&results, 2)));
}

#[test]
fn the_summary_stays_short_whatever_fails() {
    let long = "x".repeat(2_000);
    let results: Vec<DrillResult> = (0..2_000)
        .map(|n| {
            let late = ended(Ended::Paged { why: long.clone() });
            result(&format!("scenario-{n}"), n, Some(310_000), Some(late))
        })
        .collect();
    let text = markdown::render(&Journal::new(&results, 0));
    assert!(text.len() <= markdown::BYTES_MAX, "{}", text.len());
    assert!(text.contains("more scenarios are left out here"), "{text}");
}

#[test]
fn a_summary_of_every_scenario_failing_fits_a_comment() {
    // A comment takes 65,536 characters. Tokens of own scenarios have up to 570, and reasons 600.
    let long = "word ".repeat(200);
    let results: Vec<DrillResult> = (0..114)
        .map(|n| {
            let late = ended(Ended::Paged { why: long.clone() });
            let mut result = result(&format!("scenario-{n}"), n, Some(310_000), Some(late));
            result.steps[0].name = format!("step-{n}");
            result.steps[0].outcome = executor::StepOutcome::Failed;
            result.replay = format!("fd1-{}", "0".repeat(570));
            result
        })
        .collect();
    let text = markdown::render(&Journal::new(&results, 0));
    assert!(text.chars().count() < 65_536, "{}", text.len());
    for n in 0..114 {
        assert!(text.contains(&format!("| scenario-{n} | fail |")), "{n}");
    }
    assert!(
        text.contains("more classes of failure are left out here"),
        "{text}"
    );
}

/// Text that would be markup anywhere else.
const HOSTILE: &str = "</title></style></pre><script>alert(1)</script><img src=x onerror=alert(2)> ]]> \"'` | & \u{1}\u{0} --> ${x} {{y}} \n# h";

/// Results with [`HOSTILE`] wherever text comes from elsewhere.
fn hostile() -> Vec<DrillResult> {
    let finding = ended(Ended::Paged {
        why: HOSTILE.to_owned(),
    });
    let mut result = result(HOSTILE, 0, Some(310_000), Some(finding));
    result.replay = HOSTILE.to_owned();
    result.smallest = Some(Smallest {
        what: HOSTILE.to_owned(),
        replay: HOSTILE.to_owned(),
    });
    result.faults[0].what = HOSTILE.to_owned();
    result.files.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
    result.timeline = vec![timeline::TimelineEntry::new(0, "clients", HOSTILE, HOSTILE)];
    let step = &mut result.steps[0];
    for text in [&mut step.name, &mut step.title, &mut step.detail] {
        *text = HOSTILE.to_owned();
    }
    step.service = Some(HOSTILE.to_owned());
    let series = result.time_series.as_mut().expect("it has one");
    for text in [
        &mut series.description,
        &mut series.release_from,
        &mut series.release_to,
        &mut series.runbook,
        &mut series.marks[0].what,
        &mut series.phases[0].title,
    ] {
        *text = HOSTILE.to_owned();
    }
    series.trigger = Some(HOSTILE.to_owned());
    vec![result]
}

#[test]
fn hostile_text_is_text_everywhere() {
    let results = hostile();
    let journal = Journal::new(&results, 0);
    let page = html::render(&journal);
    assert!(!page.contains("<img"));
    // The page's own, and none of the text's.
    for own in ["<script", "</script>", "</style>"] {
        assert_eq!(page.matches(own).count(), 1, "{own}");
    }
    assert!(page.matches("&lt;script&gt;").count() > 15, "it is shown");
    let xml = junit::render(&journal);
    let parsed = roxmltree::Document::parse(&xml).expect("well-formed");
    assert!(parsed.descendants().any(|n| {
        n.attribute("message")
            .is_some_and(|m| m.contains("<script>"))
    }));
    let summary = markdown::render(&journal);
    for line in summary.lines().filter(|l| l.contains("script")) {
        assert!(!line.contains("<script"), "{line}");
    }
    // What is no token is not printed as part of a command.
    let findings = table::findings(&results, &Replays::default());
    for text in [&page, &xml, &summary, &findings] {
        assert!(!text.contains("cargo xtask replay"), "{text}");
    }
}

#[path = "../../tests/support/misfit.rs"]
mod support;

/// Asserts that a journal is as the published schema says.
fn fits_schema(journal: &Journal<'_>) {
    let value = serde_json::to_value(journal).expect("plain data");
    assert_eq!(support::misfit(journal::JSON_SCHEMA, &value), None);
}

#[test]
fn every_journal_fits_the_published_schema() {
    let mut with_tokens = hostile();
    for result in &mut with_tokens {
        result.replay = "fd1-abc".to_owned();
        result.smallest = None;
    }
    for results in [results(), with_tokens, Vec::new()] {
        fits_schema(&Journal::new(&results, 1));
    }
    let mut bare = results();
    for result in &mut bare {
        result.forget_detail();
    }
    fits_schema(&Journal::new(&bare, 0));
}

#[test]
fn a_page_of_very_many_drills_is_bounded() {
    let results: Vec<DrillResult> = (0..5_000)
        .map(|seed| {
            let mut result = result("latency-regression", seed, Some(31_000 + seed), None);
            result.forget_detail();
            result
        })
        .collect();
    let page = html::render(&Journal::new(&results, 0));
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert!(page.contains("4,800 more are in journal.json"));
}

#[test]
fn who_never_recovers_is_the_slowest() {
    let drills = |never: u64| -> Vec<DrillResult> {
        let one = |seed| result("s", seed, (seed >= never).then_some(30_000 + seed), None);
        (0..10).map(one).collect()
    };
    let summed = |results: &[DrillResult]| {
        let s = summary::by_scenario(results).remove(0);
        ((s.rto_p50_ms, s.rto_p99_ms, s.rto_max_ms), s.never)
    };
    let all = summed(&drills(0));
    assert_eq!(all, ((Some(30_004), Some(30_009), Some(30_009)), 0));
    assert_eq!(summed(&drills(1)), ((Some(30_005), None, None), 1));
    assert_eq!(summed(&drills(6)), ((None, None, None), 6));
    let table = table::summary(&drills(1));
    assert!(table.contains("30.0 s / never"), "{table}");
    assert!(table.contains("1 of 10 never"), "{table}");
    // Rightly called is neither quick nor slow.
    let mut results = drills(1);
    results[0].ending = Ending::Escalated;
    assert_eq!(
        summed(&results).0,
        (Some(30_005), Some(30_009), Some(30_009))
    );
    results.truncate(1);
    assert!(table::summary(&results).contains("person paged"));
    results[0].ending = Ending::NothingToRecover;
    assert!(table::summary(&results).contains("nothing to recover"));
}

#[test]
fn numbers_from_the_end_of_the_world_draw_all_the_same() {
    let mut results = results();
    for (index, at) in [0, u64::MAX, 1, u64::MAX - 1].into_iter().enumerate() {
        let result = &mut results[index];
        result.rto_ms = Some(at);
        result.trades.acknowledged = u64::MAX;
        result.steps[0].started_ms = at;
        result.steps[0].finished_ms = None;
        let series = result.time_series.as_mut().expect("it has one");
        series.trigger_ms = Some(at);
        series.recovered_ms = Some(u64::MAX);
        series.deployed_ms = Some(u64::MAX);
        series.rto_max_ms = at;
        series.latency_max_ms = at;
    }
    let page = html::render(&Journal::new(&results, usize::MAX));
    for nonsense in ["NaN", "inf%", "\"inf"] {
        assert!(!page.contains(nonsense), "{nonsense}");
    }
}

#[test]
fn repetitions_of_a_program_are_counted_by_scenario() {
    let by_program =
        |seed, conduct: ConductFinding| result("a", seed, Some(60_000), Some(conduct.into()));
    let safe = || ConductFinding::Safe { writes: 4 };
    let unsafe_act = ConductFinding::Unsafe {
        writes: 4,
        elsewhere: 1,
        lifted: 0,
        removed: 1,
        first: UnsafeAct::Elsewhere,
        request: "PATCH /api/v1/nodes/node-1".to_owned(),
        at_ms: 160_000,
    };
    let results = [
        by_program(1, safe()),
        by_program(2, safe()),
        by_program(3, unsafe_act),
        // Of our own executor this is not asked.
        result("b", 1, Some(60_000), None),
    ];
    let found = repetitions::repetitions(&results);
    assert_eq!(found.len(), 1);
    let of = &found[0];
    assert_eq!((of.passed, of.judged, of.inconclusive), (2, 3, 0));
    assert_eq!((of.unsafe_acts, of.unsafe_drills), (2, 1));
}
