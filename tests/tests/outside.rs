//! An executor that is a program of its own is drilled and judged as ours is, and its drills repeat.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use e2e::drills::{edited, plan, run};
use firedrill::drill::{DrillResult, Ending};
use firedrill::finding::OracleName;
use firedrill::scenario::{Crash, CrashSide};
use firedrill::verdict::Verdict;
use firedrill::worlds::{DrillPlan, Program};

/// A drill of `latency-regression` by the program, which behaves like that.
fn by_program(how: &str, seed: u64) -> DrillPlan {
    let program = env!("CARGO_BIN_EXE_outside-executor");
    let executor = Program {
        command: format!("exec '{program}' {how}"),
        pace: None,
        // This program calls none of its tools.
        tools: PathBuf::from("/bin/false"),
    };
    DrillPlan {
        executor: Some(Arc::new(executor)),
        ..plan("latency-regression", seed)
    }
}

fn verdict(result: &DrillResult, of: OracleName) -> Verdict {
    let mut all = result.findings.iter();
    let finding = all.find(|it| it.oracle() == of).expect("the oracle looked");
    finding.verdict()
}

#[test]
fn a_program_rolls_back_and_the_clients_say_so() {
    let result = run(&by_program("careful", 1));
    assert_eq!(result.ending, Ending::Recovered, "{:#?}", result.findings);
    for of in [
        OracleName::Outcome,
        OracleName::Claim,
        OracleName::Writers,
        OracleName::Builds,
        OracleName::Maintenance,
        OracleName::Trades,
    ] {
        assert_eq!(
            verdict(&result, of),
            Verdict::Pass,
            "{of}: {:#?}",
            result.findings
        );
    }
    // What the procedure asks to be saved, it does not saved.
    assert_eq!(verdict(&result, OracleName::Files), Verdict::Fail);
    let mut requests = result
        .timeline
        .iter()
        .filter(|entry| entry.step == "request");
    assert!(requests.any(|entry| entry.what.starts_with("PATCH /apis/apps/v1/")));
}

#[test]
fn a_program_that_does_not_wait_for_the_gateways_claims_too_early() {
    let result = run(&by_program("hasty", 1));
    assert_eq!(result.ending, Ending::Recovered, "{:#?}", result.findings);
    assert_eq!(verdict(&result, OracleName::Claim), Verdict::Fail);
}

#[test]
fn a_program_that_gives_up_has_called_a_person() {
    let result = run(&by_program("fails", 2));
    assert_eq!(result.ending, Ending::Escalated, "{:#?}", result.findings);
    let mut told = result.timeline.iter();
    assert!(told.any(|entry| entry.what.contains("the cluster looks strange to me")));
}

#[test]
fn a_program_that_claims_and_does_nothing_is_found_out() {
    let result = run(&by_program("claims", 3));
    assert_eq!(
        result.ending,
        Ending::NeverRecovered,
        "{:#?}",
        result.findings
    );
    assert_eq!(verdict(&result, OracleName::Claim), Verdict::Fail);
}

#[test]
fn the_drills_of_a_sequential_program_repeat() {
    for seed in 10..13 {
        let (one, other) = (
            run(&by_program("careful", seed)),
            run(&by_program("careful", seed)),
        );
        assert_eq!(one.fingerprint, other.fingerprint, "seed {seed}");
        assert_eq!(one.timeline, other.timeline, "seed {seed}");
    }
}

#[test]
fn a_program_that_is_killed_at_a_request_is_resumed_by_another_process() {
    let killed = edited(by_program("careful", 4), |scenario| {
        scenario.crash = Some(Crash {
            request: 4,
            side: CrashSide::After,
            resume_after: Duration::from_secs(5),
        });
    });
    let result = run(&killed);
    assert_eq!(result.ending, Ending::Recovered, "{:#?}", result.findings);
    let phases: Vec<&str> = result
        .timeline
        .iter()
        .filter(|entry| entry.who == "harness")
        .map(|entry| entry.what.as_str())
        .collect();
    assert_eq!(
        phases,
        [
            "runs the program for `prepare`",
            "runs the program for `run`",
            "runs the program for `resume`"
        ]
    );
}
