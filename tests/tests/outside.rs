//! An executor that is a program of its own is drilled and judged as ours is, and its drills repeat.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use e2e::drills::{edited, plan, run};
use firedrill::drill::{DrillResult, Ending};
use firedrill::finding::OracleName;
use firedrill::runbooks::BUILT_IN;
use firedrill::scenario::{Anchor, Crash, CrashSide, Fault, FaultKind};
use firedrill::verdict::Verdict;
use firedrill::verify::{Answer, Question, RunbookSide, Runs, Terms, verify};
use firedrill::worlds::recording::Recording;
use firedrill::worlds::{DrillPlan, Program, Record, WorldKind, sim};

/// A drill of `latency-regression` by the program, which behaves like that.
fn by_program(how: &str, seed: u64) -> DrillPlan {
    of_scenario("latency-regression", how, seed)
}

fn of_scenario(scenario: &str, how: &str, seed: u64) -> DrillPlan {
    let program = env!("CARGO_BIN_EXE_outside-executor");
    let executor = Program {
        command: format!("exec '{program}' {how}"),
        pace: None,
        patience: Program::PATIENCE,
        // This program calls none of its tools.
        tools: PathBuf::from("/bin/false"),
        record: None,
    };
    DrillPlan {
        executor: Some(Arc::new(executor)),
        ..plan(scenario, seed)
    }
}

/// A drill of `latency-regression` by a shell, which runs `script` for the rollback.
fn by_shell(script: &str) -> DrillPlan {
    let mut drill = by_program("careful", 1);
    if let Some(program) = &mut drill.executor {
        Arc::make_mut(program).command =
            format!("test $FIREDRILL_PHASE = prepare && exit; {script}");
    }
    drill
}

/// What the timeline says of the end of its phase `run`.
fn end_of_run(result: &DrillResult) -> &str {
    let mut entries = result.timeline.iter();
    let end = entries.find(|it| it.who == "executor" && it.step == "run");
    &end.expect("it ended").what
}

/// The drill, and what is recorded of it.
fn recorded(drill: &DrillPlan) -> (DrillResult, Recording) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("drill.jsonl");
    let program = drill.executor.as_deref().expect("a program").clone();
    let recorded = DrillPlan {
        executor: Some(Arc::new(Program {
            record: Some(Record::File(file.clone())),
            ..program
        })),
        ..drill.clone()
    };
    let result = run(&recorded);
    let text = std::fs::read_to_string(&file).expect("it is written");
    (result, Recording::parse(&text).expect("a recording"))
}

fn killed_at(request: u64, seed: u64) -> DrillPlan {
    edited(by_program("careful", seed), |scenario| {
        scenario.crash = Some(Crash {
            request,
            side: CrashSide::After,
            resume_after: Duration::from_secs(5),
        });
    })
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
    let killed = killed_at(4, 4);
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

#[test]
fn a_program_that_a_fault_kills_is_resumed_by_another_process() {
    let killed = edited(by_program("careful", 4), |scenario| {
        scenario.faults.push(Fault {
            kind: FaultKind::ExecutorKilled,
            when: Anchor::Request(3),
            at: Duration::ZERO,
            jitter: Duration::ZERO,
            lasts: None,
            target: None,
            delay: Some(Duration::from_secs(5)),
            chance: None,
            by: None,
        });
    });
    // It dies while the request is under way, which never gets an answer.
    let result = run(&killed);
    assert_eq!(result.ending, Ending::Recovered, "{:#?}", result.findings);
    let mut phases = result.timeline.iter().filter(|it| it.who == "harness");
    assert!(phases.any(|it| it.what == "runs the program for `resume`"));
}

#[test]
fn the_drills_of_a_program_that_is_killed_repeat() {
    for request in [2, 9] {
        let (one, other) = (run(&killed_at(request, 5)), run(&killed_at(request, 5)));
        assert_eq!(one.timeline, other.timeline, "request {request}");
        assert_eq!(one.fingerprint, other.fingerprint, "request {request}");
    }
}

#[test]
fn a_recording_plays_back_without_the_program() {
    for drill in [by_program("careful", 7), killed_at(5, 8)] {
        let (result, recording) = recorded(&drill);
        assert!(recording.requests() > 10);
        assert_eq!(recorded(&drill).1, recording, "it repeats to the byte");
        let without = DrillPlan {
            executor: None,
            ..drill
        };
        let (performed, played) = sim::play(&without, &recording).expect("the world builds");
        assert_eq!(recording.difference(&played), None);
        assert_eq!(performed.fingerprint, result.fingerprint);
        assert_eq!(performed.timeline, result.timeline);
        // In another world the same requests get other answers.
        let other = DrillPlan {
            seed: 1_000,
            ..without
        };
        let (_, played) = sim::play(&other, &recording).expect("the world builds");
        let difference = recording.difference(&played).expect("another world");
        assert!(difference.starts_with("request "), "{difference}");
    }
}

#[test]
fn a_fault_can_wait_for_a_request_of_the_program() {
    let drill = edited(by_program("careful", 6), |scenario| {
        scenario.faults.push(Fault {
            kind: FaultKind::ApiSlow,
            when: Anchor::Request(3),
            at: Duration::ZERO,
            jitter: Duration::ZERO,
            lasts: Some(Duration::from_secs(20)),
            target: None,
            delay: Some(Duration::from_millis(800)),
            chance: None,
            by: None,
        });
    });
    let (one, other) = (run(&drill), run(&drill));
    let (began_ms, hits) = one.faults_seen[0].expect("it began");
    assert!(hits > 0, "it hit what was sent later");
    let entries = one.timeline.iter();
    let began = entries
        .clone()
        .position(|it| it.who == "harness" && it.what.ends_with("`run`"));
    let mut requests = entries
        .skip(began.expect("it ran"))
        .filter(|it| it.step == "request");
    let third = requests.nth(2).expect("three requests");
    assert_eq!(third.at_ms, began_ms);
    assert_eq!(one.fingerprint, other.fingerprint);
}

#[test]
fn a_program_that_writes_without_an_end_is_drilled_all_the_same() {
    let result = run(&by_shell(
        "head -c 100000000 /dev/zero; echo no; echo why >&2; exit 3",
    ));
    assert_eq!(
        end_of_run(&result),
        "exit code 3: why; not all that it wrote is kept"
    );
    assert_eq!(result.ending, Ending::Escalated, "{:#?}", result.findings);
}

#[test]
fn a_pipe_is_no_instant() {
    let result = run(&by_shell("mkfifo \"$FIREDRILL_RECOVERED_AT\""));
    assert_eq!(end_of_run(&result), "exit code 0");
}

/// The processes that were started with these arguments.
fn processes(arguments: &[&str]) -> usize {
    let line = format!("{}\0", arguments.join("\0"));
    let entries = std::fs::read_dir("/proc").expect("Linux has it").flatten();
    let of = entries.map(|it| std::fs::read(it.path().join("cmdline")).unwrap_or_default());
    of.filter(|it| *it == line.as_bytes()).count()
}

#[test]
fn a_child_in_a_session_of_its_own_ends_with_the_program() {
    // So many seconds that no other process has these arguments.
    let seconds = (100_000 + std::process::id()).to_string();
    let child = ["/bin/sleep", &seconds];
    let script = format!(
        "setsid {} & until grep -qx sleep /proc/$!/comm; do :; done; exit 1",
        child.join(" ")
    );
    let result = run(&by_shell(&script));
    assert_eq!(end_of_run(&result), "exit code 1");
    assert_eq!(processes(&child), 0, "it holds the output open no longer");
}

#[test]
fn a_program_is_not_drilled_where_it_would_be_judged_by_what_others_do() {
    let fault = |kind, when| Fault {
        kind,
        when,
        at: Duration::ZERO,
        jitter: Duration::ZERO,
        lasts: Some(Duration::from_secs(5)),
        target: None,
        delay: None,
        chance: None,
        by: None,
    };
    let step = Anchor::Step("undo-app".to_owned());
    for (fault, why) in [
        (
            fault(FaultKind::SecondExecutor, Anchor::Trigger),
            "needs two executors",
        ),
        (
            fault(FaultKind::ExecutorPaused, Anchor::Trigger),
            "needs two executors",
        ),
        (fault(FaultKind::ApiSlow, step), "says nothing of its steps"),
    ] {
        let drill = edited(by_program("careful", 1), |scenario| {
            scenario.faults.push(fault)
        });
        let refused = firedrill::drill::run(&drill)
            .expect_err("it is refused")
            .to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_program_that_waits_by_its_own_clock_is_killed_and_shows_nothing() {
    let mut drill = by_shell("while :; do :; done");
    if let Some(program) = &mut drill.executor {
        Arc::make_mut(program).patience = Duration::from_secs(1);
    }
    let result = run(&drill);
    let mut findings = result.findings.iter();
    let host = findings.find(|it| it.oracle() == OracleName::Host);
    let host = host.expect("every drill is asked about its host");
    assert_eq!(host.verdict(), Verdict::Inconclusive);
    let said = host.to_string();
    for part in ["in `run`", "--executor-timeout", "--pace"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn the_command_that_replays_a_drill_names_the_program() {
    let drill = by_shell("exit 1");
    let command = firedrill::token::command(&drill.token());
    let program = drill.executor.expect("a program").command.clone();
    assert!(
        command.ends_with(&format!(" --executor '{program}'")),
        "{command}"
    );
}

#[test]
fn a_program_undoes_a_migration_through_the_served_database() {
    let result = run(&of_scenario("breaking-migration", "undoes", 9));
    assert_eq!(result.ending, Ending::Recovered, "{:#?}", result.findings);
    for of in [OracleName::Ledger, OracleName::Trades, OracleName::Builds] {
        assert_eq!(
            verdict(&result, of),
            Verdict::Pass,
            "{of}: {:#?}",
            result.findings
        );
    }
    let mut told = result.timeline.iter();
    assert!(told.any(|it| it.what == "POST /firedrill/v1/store/undo -> 200"));
}

#[test]
fn a_hasty_program_may_not_replace_a_careful_one() {
    let side = |how| {
        let side = RunbookSide::parse("runbooks/rollback.md", BUILT_IN).expect("it is right");
        side.by(by_program(how, 0).executor)
    };
    let asked = |candidate| {
        let question = Question {
            baseline: side("careful"),
            candidate: side(candidate),
            reference: None,
            scenarios: vec![plan("latency-regression", 0).scenario],
            seeds: 0..3,
            terms: Terms {
                shrink_budget: 1,
                ..Terms::default()
            },
        };
        let stop = AtomicBool::new(false);
        let mut runs = Runs::new(WorldKind::Sim, 1, &stop, &|| {});
        let judgement = verify(&question, &mut runs).expect("the simulated world builds");
        (judgement, runs.performed())
    };
    let (judgement, performed) = asked("hasty");
    assert_eq!(judgement.answer, Answer::Reject, "{:?}", judgement.reasons);
    assert!(
        judgement.candidate.ends_with("hasty`"),
        "{}",
        judgement.candidate
    );
    assert!(performed >= 6, "{performed}");
    // Nothing needs to be drilled to know that a program does as it does.
    assert_eq!(asked("careful").1, 0);
}
