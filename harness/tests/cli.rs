//! The binary on bad input: the right exit code, and a message that points at the place.

#[path = "support/binary.rs"]
mod binary;

use std::path::PathBuf;
use std::process::{Command, Output};

use binary::firedrill;

/// Exit code and standard error.
fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = firedrill(args);
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A file of this test run's own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("firedrill-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a writable directory");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = std::fs::remove_file(&self.0);
    }
}

const SCENARIO: &str = include_str!("../../scenarios/latency-regression.toml");

#[test]
fn bad_input_gets_2_and_names_the_place() {
    let unknown_field = File::new(
        "unknown.toml",
        SCENARIO.replace("markets", "marketts").as_bytes(),
    );
    let lax = File::new(
        "lax.toml",
        SCENARIO
            .replace("rto_max = \"5m\"", "rto_max = \"20m\"")
            .as_bytes(),
    );
    let trigger = File::new(
        "trigger.toml",
        SCENARIO
            .replace("sla-latency-p99", "sla-latency-p98")
            .as_bytes(),
    );
    let malformed = File::new("malformed.toml", b"name = \n");
    let binary = File::new("binary.toml", &[0xff, 0xfe, 0x00]);
    let runbook = File::new(
        "runbook.md",
        b"# Nothing in here\n\n```sh {\"name\":\"x\"}\nrm -rf /\n```\n",
    );
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec![], "Usage"),
        (
            vec!["chaos", "latency-regresion"],
            "did you mean `latency-regression`",
        ),
        (vec!["chaos", "no/such/file.toml"], "no/such/file.toml"),
        (vec!["chaos", unknown_field.path()], ":13:1"),
        (vec!["chaos", lax.path()], "impossible expectation"),
        (
            vec!["chaos", trigger.path()],
            "did you mean `sla-latency-p99`",
        ),
        (vec!["chaos", malformed.path()], ":1:"),
        (vec!["chaos", binary.path()], "cannot read the scenario"),
        (vec!["chaos", "--runbook", runbook.path()], "runbook.md"),
        (
            vec!["chaos", "--runbook", "no-such-runbook.md"],
            "cannot read the runbook",
        ),
        (vec!["chaos", "--seeds", "0"], "--seeds"),
        (
            vec!["chaos", "--seed", "18446744073709551615", "--seeds", "2"],
            "smaller --seed",
        ),
        (vec!["chaos", "--jobs", "0"], "--jobs"),
        (vec!["chaos", "--world", "mars"], "sim"),
        (vec!["replay", "nonsense"], "must begin with `fd1-`"),
        (vec!["replay", "fd1-00000"], "length is wrong"),
        (vec!["replay", "fd1-000000000000000000000"], "checksum"),
        (vec!["replay", "fd9-000"], "version 9"),
        (vec!["runbook", "check", runbook.path()], "help"),
        (
            vec!["runbook", "check", "no-such-runbook.md"],
            "cannot read the runbook",
        ),
    ];
    for (args, expected) in cases {
        let (code, stderr) = refused(&args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(
            stderr.contains(expected),
            "{args:?} lacks `{expected}`: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[cfg(not(feature = "kind"))]
#[test]
fn a_world_that_is_not_built_gets_4() {
    let (code, stderr) = refused(&["chaos", "--world", "kind"]);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("lacks the world `kind`"), "{stderr}");
}

#[test]
fn bad_input_goes_before_a_missing_world() {
    assert_eq!(
        refused(&["chaos", "--world", "kind", "no-such-scenario"]).0,
        Some(2)
    );
}

#[test]
fn crash_points_without_a_rollback_are_refused_and_not_passed() {
    let (code, stderr) = refused(&["chaos", "good-release", "--crash-points"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("nothing triggers in `good-release`"),
        "{stderr}"
    );
}

#[test]
fn the_built_in_runbook_checks_clean() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");
    let output = firedrill(&["runbook", "check", path]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        output.stderr, b"",
        "the built-in runbook has no warnings either"
    );
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [["--help"], ["--version"]] {
        assert_eq!(firedrill(&args).status.code(), Some(0));
    }
}

/// A changed runbook and what `runbook verify` says of it against `baseline`.
fn verify(baseline: &str, candidate: &str) -> Output {
    firedrill(&[
        "runbook",
        "verify",
        "--baseline",
        baseline,
        "--candidate",
        candidate,
    ])
}

#[test]
fn verify_tells_bad_input_from_a_rejected_runbook() {
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");
    let text = std::fs::read_to_string(built_in).expect("the built-in runbook");
    let misspelled = File::new(
        "misspelled.md",
        text.replacen("rb.on-fail", "rb.on-fial", 1).as_bytes(),
    );
    let reworded = File::new(
        "reworded.md",
        text.replace("You are here because", "You read this because")
            .as_bytes(),
    );
    for (baseline, candidate, expected) in [
        (built_in, misspelled.path(), "misspelled.md"),
        (misspelled.path(), built_in, "misspelled.md"),
        (built_in, "no-such.md", "cannot read the runbook"),
        (
            "no-such-revision",
            reworded.path(),
            "`no-such-revision` is no file",
        ),
    ] {
        let output = verify(baseline, candidate);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{baseline}: {stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    let output = verify(built_in, reworded.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.starts_with("ADOPT") && said.contains("nothing changes what is done"),
        "{said}"
    );
}

#[test]
fn verify_finds_the_runbook_of_a_revision_and_writes_its_report() {
    let directory = std::env::temp_dir().join(format!("firedrill-revision-{}", std::process::id()));
    let candidate = directory.join("runbooks/rollback.md");
    std::fs::create_dir_all(directory.join("runbooks")).expect("a writable directory");
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");
    std::fs::copy(built_in, &candidate).expect("a copy");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(&directory)
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
            .args(args)
            .output()
            .expect("git is there");
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "x"]);
    let changed = std::fs::read_to_string(&candidate)
        .expect("ours")
        .replace("rto: 300s", "rto: 310s");
    std::fs::write(&candidate, changed).expect("ours");
    let report = directory.join("report");
    let output = firedrill(&[
        "runbook",
        "verify",
        "--baseline",
        "HEAD",
        "--candidate",
        candidate.to_str().expect("UTF-8"),
        "latency-regression",
        "--seeds",
        "1",
        "--report",
        report.to_str().expect("UTF-8"),
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    let json = std::fs::read_to_string(report.join("verify.json"));
    let markdown = std::fs::read_to_string(report.join("verify.md"));
    std::fs::remove_dir_all(&directory).expect("it is ours");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("instead of HEAD:runbooks/rollback.md"),
        "{said}"
    );
    assert!(said.contains("the RTO is raised"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&json.expect("written")).expect("JSON");
    assert_eq!(json["answer"], "REJECT");
    // The scenario that such an executor writes asks for no less than the procedure does, so no drill fails over it.
    assert_eq!(json["comparisons"][0]["counts"]["newly_failing"], 0);
    assert!(markdown.expect("written").starts_with("## REJECT"));
}
