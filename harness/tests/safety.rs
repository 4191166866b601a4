//! What comes from outside does no harm: not to the terminal, not to files that are there, not to results.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use binary::firedrill;
use scratch::Scratch;

const SCENARIO: &str = include_str!("../../scenarios/latency-regression.toml");
const GOOD: &str = include_str!("../../scenarios/extra/good-release.toml");
const RUNBOOK: &str = include_str!("../../runbooks/rollback.md");

/// A title, a clipboard, a colour, a C1 control, and a text that reads backwards.
const STEERING: &str = "\u{1b}]0;x\u{7}\u{1b}]52;c;eA==\u{7}\u{1b}[8m\u{9b}2J\u{202e}";

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

#[track_caller]
fn harmless(text: &str) {
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
    assert!(!text.contains(steers), "{text:?}");
}

#[test]
fn no_query_causes_a_panic() {
    let scratch = Scratch::new("queries");
    let from = RUNBOOK.find("query: ").expect("it has triggers");
    let line = RUNBOOK[from..].lines().next().expect("a line");
    for hostile in [
        "x offset 1e30",
        "x offset -1e30",
        "x offset nan",
        "rate(x[1e30])",
        "max_over_time(rate(x[1m])[1e30:1e30])",
        "max_over_time(max_over_time(x[1h:1e-30])[99999999999y:1m])",
    ] {
        let text = RUNBOOK.replacen(line, &format!("query: \"{hostile}\""), 1);
        let runbook = scratch.write("runbook.md", &text);
        let commands: [&[&str]; 3] = [
            &["runbook", "check", &runbook],
            &[
                "chaos",
                "good-release",
                "--seed",
                "0",
                "--runbook",
                &runbook,
            ],
            &[
                "runbook",
                "verify",
                "--baseline",
                &runbook,
                "--candidate",
                &runbook,
            ],
        ];
        for command in commands {
            let output = firedrill(command);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{hostile}: {said}");
            assert!(
                said.contains("the duration") && said.contains("runbook.md:"),
                "{said}"
            );
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

#[test]
fn nothing_from_a_file_steers_the_terminal() {
    let scratch = Scratch::new("steering");
    let in_a_name = scratch.write(
        "name.toml",
        &SCENARIO.replacen("latency-regression", STEERING, 1),
    );
    let description = SCENARIO.replacen(
        "description = \"",
        &format!("description = \"{STEERING}"),
        1,
    );
    let in_the_source = scratch.write(
        "source.toml",
        &format!("{description}\nx = 1 # {STEERING}\n"),
    );
    let escaped = STEERING
        .replace('\u{1b}', "\\u001b")
        .replace('\u{7}', "\\u0007")
        .replace('\u{9b}', "\\u009b");
    let in_a_value = scratch.write(
        "value.toml",
        &SCENARIO.replacen("sla-latency-p99", &escaped, 1),
    );
    let file = scratch.write(&format!("f{STEERING}.toml"), "name = 1\n");
    let runbook = scratch.write(
        "runbook.md",
        &format!("{RUNBOOK}\n```sh {{\"name\":\"{STEERING}\"}}\nrm {STEERING}\n```\n"),
    );
    for args in [
        vec!["chaos", &in_a_name],
        vec!["chaos", &in_the_source],
        vec!["chaos", &in_a_value],
        vec!["chaos", &file],
        vec!["chaos", STEERING],
        vec!["chaos", "--world", STEERING],
        vec!["replay", STEERING],
        vec!["replay", &format!("fd1-{STEERING}")],
        vec!["runbook", "check", &runbook],
        vec![
            "runbook",
            "verify",
            "--baseline",
            STEERING,
            "--candidate",
            &runbook,
        ],
        vec!["report", STEERING],
    ] {
        let output = firedrill(&args);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("\\u{"), "it is written out: {args:?}: {said}");
        harmless(&said);
    }
}

#[test]
fn a_journal_steers_neither_terminal_nor_shell() {
    let scratch = Scratch::new("journal");
    let made = scratch.at("made");
    let output = firedrill(&["chaos", "good-release", "--seed", "1", "--report", &made]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mut journal = scratch.journal("made/journal.json");
    journal["drills"][0]["findings"][0]["reason"] = STEERING.into();
    // So that the finding is shown, and the journal agrees with itself.
    let drill = &mut journal["drills"][0];
    drill["findings"][0]["verdict"] = "fail".into();
    drill["findings"][0]["severity"] = "missed-objective".into();
    drill["verdicts"]["injection"] = "fail".into();
    drill["verdict"] = "fail".into();
    let numbers = &mut journal["summary"];
    numbers["verdict"] = "fail".into();
    for place in ["/passed", "/scenarios/good-release/passed"] {
        *numbers.pointer_mut(place).expect("a number") = 0.into();
    }
    for place in ["/failed", "/scenarios/good-release/failed"] {
        *numbers.pointer_mut(place).expect("a number") = 1.into();
    }
    let hostile = scratch.write("hostile.json", &journal.to_string());
    let again = scratch.at("again");
    let output = firedrill(&["report", &hostile, "--report", &again]);
    let shown = said(&output);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("\\u{1b}]52"), "the reason is shown: {shown}");
    harmless(&shown);
    for name in ["summary.md", "report.html", "junit.xml"] {
        harmless(&scratch.read(&format!("again/{name}")));
    }
    for token in ["$(touch x)", "fd1-a; rm -rf ~", "fd1-a\nrm", ""] {
        let mut journal = journal.clone();
        journal["drills"][0]["replay"] = token.into();
        let hostile = scratch.write("hostile.json", &journal.to_string());
        let output = firedrill(&["report", &hostile]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("$.drills[0].replay") && !said.contains("rm -rf"),
            "{said}"
        );
    }
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_first_drill() {
    let scratch = Scratch::new("before");
    let file = scratch.write("file", "");
    let theirs = scratch.at("theirs");
    fs::create_dir_all(format!("{theirs}/evidence")).expect("a writable directory");
    let precious = scratch.write("theirs/evidence/precious", "mine");
    let linked = scratch.at("linked");
    fs::create_dir_all(&linked).expect("a writable directory");
    std::os::unix::fs::symlink(format!("{theirs}/evidence"), format!("{linked}/evidence"))
        .expect("a link");
    for directory in [&format!("{file}/sub"), &theirs, &linked] {
        let output = firedrill(&[
            "chaos",
            "good-release",
            "--seed",
            "0",
            "--report",
            directory,
        ]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("cannot write"), "{said}");
        assert!(!said.contains("passed"), "no drill was performed: {said}");
    }
    assert_eq!(fs::read_to_string(precious).expect("left alone"), "mine");
}

#[test]
fn evidence_is_private_and_of_one_run() {
    let scratch = Scratch::new("evidence");
    let report = scratch.at("report");
    let run = |seed: &str| {
        let output = firedrill(&[
            "chaos",
            "latency-regression",
            "--seed",
            seed,
            "--report",
            &report,
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    run("1");
    run("2");
    let evidence = Path::new(&report).join("evidence");
    let of = |seed: &str| evidence.join(format!("latency-regression/sim-{seed}"));
    assert!(
        of("2").exists() && !of("1").exists(),
        "the former run's is gone"
    );
    let mut folders = vec![evidence];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
    assert!(files > 2, "the executor puts something by");
    let left = fs::read_dir(&report).expect("readable").flatten();
    let hidden = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "no temporary file is left");
}

#[test]
fn a_terminated_campaign_is_never_green_and_names_what_never_began() {
    let scratch = Scratch::new("terminated");
    let report = scratch.at("report");
    let mut child = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args([
            "chaos",
            "good-release",
            "latency-regression",
            "--seeds",
            "100000",
            "--jobs",
            "1",
            "--report",
            &report,
        ])
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built for this test");
    // It listens before it tries the directory.
    while !Path::new(&report).exists() {
        assert_eq!(
            child.try_wait().expect("it can be asked"),
            None,
            "it runs for long"
        );
        std::thread::yield_now();
    }
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let journal = scratch.journal("report/journal.json");
    let summary = &journal["summary"];
    assert_eq!(summary["failed"], 0, "{summary}");
    assert_eq!(summary["verdict"], "inconclusive");
    assert_eq!(summary["skipped_scenarios"]["latency-regression"], 100_000);
    for text in [
        said,
        scratch.read("report/summary.md"),
        scratch.read("report/report.html"),
        scratch.read("report/junit.xml"),
    ] {
        let named = text.contains("interrupted")
            && text.contains("never begun: ")
            && text.contains("latency-regression (100000)");
        assert!(named, "{text}");
        assert!(!text.contains("PASS"), "{text}");
    }
    let again = firedrill(&["report", &scratch.at("report/journal.json")]);
    assert_eq!(
        again.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
}

#[test]
fn files_without_an_end_are_refused() {
    for args in [
        ["chaos", "/dev/zero"].as_slice(),
        &["chaos", "--runbook", "/dev/zero"],
        &["runbook", "check", "/dev/zero"],
        &["report", "/dev/zero"],
    ] {
        let output = firedrill(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
    }
}

#[test]
fn an_output_that_takes_nothing_is_an_error_and_a_reader_that_goes_away_is_none() {
    let run = |out: Stdio| {
        let runbook = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");
        Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .args(["runbook", "check", runbook])
            .stdout(out)
            .output()
            .expect("it was built for this test")
    };
    let full = run(File::create("/dev/full").expect("Linux has it").into());
    assert_eq!(full.status.code(), Some(2));
    assert!(
        said(&full).contains("cannot write to standard output"),
        "{}",
        said(&full)
    );
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = run(writer.into());
    assert_eq!(
        (closed.status.code(), said(&closed)),
        (Some(0), String::new())
    );
}

#[test]
fn a_runbooks_warnings_are_shown_and_strict_refuses_them() {
    let scratch = Scratch::new("warnings");
    let text = RUNBOOK.replace(" --to-revision=$TARGET_REVISION", "");
    assert_ne!(text, RUNBOOK);
    let runbook = scratch.write("unwise.md", &text);
    let scenario = scratch.write("good.toml", GOOD);
    let output = firedrill(&["chaos", &scenario, "--seed", "0", "--runbook", &runbook]);
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warned.contains("runbook::warnings") && !warned.contains("refused"),
        "{warned}"
    );
    assert_eq!(output.status.code(), Some(0), "{warned}");
    for args in [
        vec![
            "chaos",
            &scenario,
            "--seed",
            "0",
            "--strict",
            "--runbook",
            &runbook,
        ],
        vec!["runbook", "check", "--strict", &runbook],
    ] {
        assert_eq!(firedrill(&args).status.code(), Some(2), "{args:?}");
    }
}
