//! Runs of many drills: what ends them early, what is kept of them, and what they say where.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use binary::{command, firedrill};
use scratch::Scratch;
use serde_json::Value;

const SCENARIO: &str = include_str!("../../scenarios/latency-regression.toml");

/// Standard output of a run that must end with `code`.
fn said(code: i32, args: &[&str]) -> String {
    let output = firedrill(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The built-in runbook without the step that rolls the application back: every drill fails.
fn broken_runbook(directory: &Scratch) -> String {
    let text = include_str!("../../runbooks/rollback.md");
    let at = text.find(r#""name":"undo-app""#).expect("the step");
    let from = text[..at].rfind("```sh").expect("a fence");
    let to = at + text[at..].find("\n```\n").expect("its end") + 5;
    directory.write("broken.md", &format!("{}{}", &text[..from], &text[to..]))
}

#[test]
fn enough_failures_end_a_run_and_the_last_ones_run_again() {
    let directory = Scratch::new("failures");
    let (broken, state) = (broken_runbook(&directory), directory.at("state"));
    let chaos = |args: &[&str]| {
        let all = [&["chaos", "--jobs", "1"][..], args].concat();
        let output = command(&all).env("FIREDRILL_STATE", &state).output();
        let output = output.expect("the binary was built for this test");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, _, stderr) = chaos(&["--last-failed"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("nobody knows what the last run was"),
        "{stderr}"
    );
    let failing = [
        "latency-regression",
        "--runbook",
        &broken,
        "--seeds",
        "50",
        "--max-failures",
        "2",
    ];
    let (code, stdout, stderr) = chaos(&failing);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("2 drills: 0 passed, 2 failed"), "{stdout}");
    // It was not interrupted: somebody wanted it so.
    assert!(
        stdout.contains("; ended by --max-failures, 48 did not run")
            && !stdout.contains("interrupted"),
        "{stdout}"
    );
    assert!(
        stderr.contains("2 failed, and --max-failures allows no more"),
        "{stderr}"
    );
    assert!(stderr.contains("last-failed.json"), "{stderr}");
    // With the right runbook they pass, and then nothing is left.
    let (code, stdout, stderr) = chaos(&["--last-failed"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.contains("2 drills: 2 passed"), "{stdout}");
    let (code, _, stderr) = chaos(&["--last-failed"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("passed"), "{stderr}");
    assert_eq!(chaos(&["--last-failed", "--seeds", "3"]).0, Some(2));
}

#[test]
fn a_killed_executor_is_killed_again_by_last_failed() {
    let directory = Scratch::new("killed-again");
    let (broken, state) = (broken_runbook(&directory), directory.at("state"));
    let run = |args: &[&str]| {
        let output = command(args).env("FIREDRILL_STATE", &state).output();
        output.expect("the binary was built for this test")
    };
    let args = [
        "chaos",
        "latency-regression",
        "--runbook",
        &broken,
        "--crash-points",
        "--jobs",
        "1",
    ];
    let output = run(&[&args[..], &["--max-failures", "3", "-q"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let kept = json(&directory.read("state/last-failed.json"));
    let killed = |it: &&Value| it["killed"]["request"].is_u64();
    let count = kept["drills"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(killed)
        .count();
    assert_eq!(count, 2, "the first drill is the whole one: {kept}");
    let output = run(&["chaos", "--last-failed", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let journal = json(&String::from_utf8_lossy(&output.stdout));
    let drills = journal["drills"].as_array().expect("a list");
    let crashed = |it: &&Value| it["faults"].to_string().contains("executor");
    assert_eq!(
        drills.iter().filter(crashed).count(),
        2,
        "{}",
        drills[1]["faults"]
    );
}

#[test]
fn what_a_program_did_is_never_replayed_by_our_own_executor() {
    let directory = Scratch::new("by-a-program");
    let state = directory.at("state");
    let run = |args: &[&str]| {
        let output = command(args).env("FIREDRILL_STATE", &state).output();
        let output = output.expect("the binary was built for this test");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        (output.status.code(), out, errors)
    };
    let program = "test $FIREDRILL_PHASE = prepare";
    let drill = ["chaos", "latency-regression", "--seed", "1", "--no-cut"];
    let (code, out, errors) = run(&[&drill[..], &["--executor", program]].concat());
    assert_eq!(code, Some(1), "{out}{errors}");
    let option = format!("--executor '{program}'");
    let command = out.lines().find(|line| line.contains(" replay fd1-"));
    let command = command.expect("the command that replays it");
    assert!(command.ends_with(&option), "{command}");
    let mut words = command.split_whitespace();
    let token = words.find(|word| word.starts_with("fd1-")).expect("one");
    // A token runs no command, and says which one it was.
    let (code, out, errors) = run(&["replay", token]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{errors}");
    let unwrapped = errors.replace(['\n', '│'], " ");
    let unwrapped = unwrapped.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains(&option), "{errors}");
    let (code, out, errors) = run(&["replay", token, "--executor", program]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(out.contains("runs the program for `run`"), "{out}");
    assert!(!errors.contains("another way"), "{errors}");
    // The last run is run again by the same program, and by another one if that is named.
    let kept = json(&directory.read("state/last-failed.json"));
    assert_eq!(kept["drills"][0]["program"]["executor"], program);
    let (code, out, errors) = run(&["chaos", "--last-failed", "--no-cut"]);
    assert_eq!(code, Some(1), "{out}{errors}");
    assert!(out.contains("runs the program for `run`"), "{out}");
    let other = "test $FIREDRILL_PHASE != run";
    let (_, out, errors) = run(&["chaos", "--last-failed", "--no-cut", "--executor", other]);
    assert!(
        out.contains("--executor 'test $FIREDRILL_PHASE != run'"),
        "{out}{errors}"
    );
    let kept = json(&directory.read("state/last-failed.json"));
    assert_eq!(kept["drills"].as_array().map(Vec::len), Some(1), "{kept}");
    assert_eq!(kept["drills"][0]["program"]["executor"], other);
}

#[test]
fn scenarios_that_a_program_cannot_meet_are_refused() {
    let directory = Scratch::new("not-by-a-program");
    let faults = "[[faults]]\nkind = \"api-server-restarted\"\nwhen = \"step undo-app\"\n";
    let text = SCENARIO.replace("[expect]", &format!("{faults}[expect]"));
    let mine = directory.write("mine.toml", &text);
    let by_program = ["--seed", "1", "--executor", "exit 1"];
    for (scenario, why) in [
        (mine.as_str(), "a program says nothing of its steps"),
        ("second-executor", "needs two executors at once"),
        ("executor-paused", "needs two executors at once"),
    ] {
        let output = firedrill(&[&["chaos", scenario][..], &by_program].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        let unwrapped = errors.replace(['\n', '│'], " ");
        let unwrapped = unwrapped.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(why), "{errors}");
        assert!(unwrapped.contains(".toml:"), "{errors}");
    }
}

#[test]
fn json_on_standard_output_is_the_journal() {
    let directory = Scratch::new("json");
    let report = directory.at("report");
    let args = [
        "chaos",
        "good-release",
        "--seeds",
        "2",
        "--format",
        "json",
        "--report",
        &report,
    ];
    let journal = json(&said(0, &args));
    assert_eq!(journal["drills"].as_array().map(Vec::len), Some(2));
    assert_eq!(journal, directory.journal("report/journal.json"));
    let file = directory.at("report/journal.json");
    assert_eq!(
        json(&said(0, &["report", &file, "--format", "json"])),
        journal
    );
    let token = journal["drills"][1]["replay"].as_str().expect("a token");
    let again = json(&said(0, &["replay", token, "--format", "json"]));
    assert_eq!(
        again["drills"][0]["fingerprint"],
        journal["drills"][1]["fingerprint"]
    );
}

#[test]
fn quiet_says_the_last_line_and_verbose_each_drill() {
    let args = ["chaos", "good-release", "--seeds", "2"];
    let quiet = firedrill(&[&args[..], &["-q"]].concat());
    let stdout = String::from_utf8_lossy(&quiet.stdout);
    assert_eq!(stdout, "2 drills: 2 passed, 0 failed, 0 inconclusive\n");
    assert_eq!(quiet.stderr, b"");
    let verbose = firedrill(&[&args[..], &["-v"]].concat());
    let stderr = String::from_utf8_lossy(&verbose.stderr);
    let drills = stderr.lines().filter(|line| line.starts_with("pass "));
    assert_eq!(drills.count(), 2, "{stderr}");
    assert_eq!(
        firedrill(&[&args[..], &["-q", "-v"]].concat())
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn the_table_of_long_names_fits_eighty_columns() {
    let table = said(0, &["chaos", "regressions/*", "--seeds", "1"]);
    assert!(table.contains("39 drills: 39 passed"), "{table}");
    let wide = table.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "{table}");
}

/// Sends `signal` to `firedrill` with `args` once it has said a line that begins with `begun`; exit code,
/// standard output and error.
fn interrupted(signal: &str, begun: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut child = command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut told = String::new();
    while !told
        .lines()
        .last()
        .is_some_and(|line| line.starts_with(begun))
    {
        let read = stderr.read_line(&mut told).expect("text");
        assert_ne!(read, 0, "it ended before: {told}");
    }
    let kill = format!("kill -{signal} {}", child.id());
    let killed = Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.expect("there is a shell").success());
    stderr.read_to_string(&mut told).expect("text");
    let mut stdout = String::new();
    let mut out = child.stdout.take().expect("it is piped");
    out.read_to_string(&mut stdout).expect("text");
    (child.wait().expect("it ends").code(), stdout, told)
}

#[test]
fn an_interrupted_run_says_so_and_reports_what_was_done() {
    for signal in ["INT", "TERM"] {
        let directory = Scratch::new(&format!("interrupted-{signal}"));
        let report = directory.at("report");
        let args = [
            "chaos",
            "good-release",
            "--seeds",
            "100000",
            "-v",
            "--report",
            &report,
        ];
        let (code, stdout, stderr) = interrupted(signal, "pass ", &args);
        assert_eq!(code, Some(130), "{stdout}{stderr}");
        assert!(
            stderr.contains("interrupted: the drills in flight are abandoned"),
            "{stderr}"
        );
        assert!(stdout.contains("interrupted, "), "{stdout}");
        let summary = &directory.journal("report/journal.json")["summary"];
        let count = |key: &str| summary[key].as_u64().expect(key);
        assert!(count("drills") >= 1 && count("skipped") > 0, "{summary}");
        assert_eq!(count("drills") + count("skipped"), 100_000);
    }
}

#[test]
fn a_drill_that_takes_minutes_has_an_estimate_and_is_abandoned_at_once() {
    let directory = Scratch::new("long");
    let long = SCENARIO
        .replace("rate_per_s = 200", "rate_per_s = 10000")
        .replace("duration = \"15m\"", "duration = \"4h\"");
    let long = directory.write("long.toml", &long);
    let (code, stdout, stderr) = interrupted(
        "INT",
        "estimate: 1 drill, about ",
        &["chaos", &long, "--seed", "1"],
    );
    assert_eq!(code, Some(130), "{stdout}{stderr}");
    assert!(stdout.contains("0 drills: "), "{stdout}");
}
