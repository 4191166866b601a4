//! The command line: what it takes, what it says, and which exit codes it has.
//! On bad input the message points at the place.

#[path = "support/binary.rs"]
mod binary;
#[path = "cli/context.rs"]
mod context;

#[path = "support/scratch.rs"]
mod scratch;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use binary::{command, firedrill};
use scratch::Scratch;
use serde_json::Value;

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
    let directory = Scratch::new("revision");
    let candidate = directory.at("runbooks/rollback.md");
    std::fs::create_dir_all(directory.at("runbooks")).expect("a writable directory");
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks/rollback.md");
    std::fs::copy(built_in, &candidate).expect("a copy");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory.at("."))
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
            .args(args)
            .output()
            .expect("git is there");
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "x"]);
    let changed = directory
        .read("runbooks/rollback.md")
        .replace("rto: 300s", "rto: 310s");
    directory.write("runbooks/rollback.md", &changed);
    let report = directory.at("report");
    let output = firedrill(&[
        "runbook",
        "verify",
        "--baseline",
        "HEAD",
        "--candidate",
        &candidate,
        "latency-regression",
        "--seeds",
        "1",
        "--report",
        &report,
    ]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("instead of HEAD:runbooks/rollback.md"),
        "{said}"
    );
    assert!(said.contains("the RTO is raised"), "{said}");
    let json = directory.journal("report/verify.json");
    assert_eq!(json["answer"], "REJECT");
    // A longer objective is wrong whatever drills would say, so none is made.
    assert_eq!(json["comparisons"], serde_json::json!([]));
    assert!(directory.read("report/verify.md").starts_with("## REJECT"));
    assert_eq!(json["meta"][0]["command"][1], "runbook");
    let page = directory.read("report/report.html");
    let junit = directory.read("report/junit.xml");
    for told in [
        "✕ Reject",
        "May it be adopted?",
        "The RTO is raised",
        "id=\"what-changes\"",
        "latency-regression",
        "firedrill runbook verify --baseline HEAD",
    ] {
        assert!(page.contains(told), "{told}");
    }
    assert!(!page.contains("src=") && !page.contains("://"), "one file");
    assert!(
        junit.contains("type=\"REJECT\"") && junit.contains("the RTO is raised"),
        "{junit}"
    );
    assert!(
        !junit.contains("<testsuites name=\"firedrill runbook verify\" tests=\"2\" skipped"),
        "{junit}"
    );
}

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

#[test]
fn list_names_what_there_is_within_eighty_columns() {
    for (what, name) in [
        ("scenarios", "latency-regression"),
        ("releases", "1.5.0-slow-path"),
        ("faults", "executor-killed"),
        ("triggers", "sla-latency-p99"),
        ("keys", "load.rate_per_s"),
    ] {
        let table = said(0, &["list", what]);
        assert!(table.contains(name), "{table}");
        assert!(
            table.lines().all(|line| line.chars().count() <= 80),
            "{table}"
        );
        let all = json(&said(0, &["list", what, "--format", "json"]));
        let names = all.as_array().expect("a list").iter();
        let mut names = names.filter_map(|it| it["name"].as_str().or(it["key"].as_str()));
        assert!(names.any(|it| it == name), "{what}");
    }
    assert_eq!(said(0, &["list"]), said(0, &["list", "scenarios"]));
}

#[test]
fn show_tells_everything_of_a_name_and_suggests_another_one() {
    let both = said(0, &["show", "api-slow"]);
    assert!(both.starts_with("scenario api-slow\n"), "{both}");
    assert!(both.contains("\nfault api-slow\n"), "{both}");
    let fault = said(0, &["show", "fault/api-slow"]);
    assert!(fault.starts_with("fault api-slow\n"), "{fault}");
    assert!(fault.contains("Default: \"trigger\"."), "{fault}");
    let scenario = json(&said(0, &["show", "scenario/api-slow", "--format", "json"]));
    let keys = scenario[0]["keys"].as_array().expect("keys").iter();
    let rate = keys.clone().find(|key| key["key"] == "load.rate_per_s");
    let rate = rate.expect("every scenario has a load");
    assert_eq!(
        (&rate["value"], &rate["default"]),
        (&"200".into(), &"200".into())
    );
    assert_eq!(rate["values"], "a number from 1 to 10000");
    for (args, expected) in [
        (["show", "api-slwo"], "did you mean `api-slow`"),
        (["show", "faul/api-slow"], "did you mean `fault`"),
        (["show", "release/api-slow"], "nothing is called"),
    ] {
        let (code, stderr) = refused(&args);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn new_writes_a_scenario_that_passes_and_leaves_files_as_they_are() {
    let directory = Scratch::new("new");
    let mine = directory.at("mine.toml");
    let told = said(0, &["new", &directory.at("mine")]);
    assert!(told.contains(&format!("firedrill chaos {mine}")), "{told}");
    said(0, &["check", &mine]);
    let table = said(0, &["chaos", &mine, "--seeds", "2"]);
    assert!(table.contains("2 drills: 2 passed"), "{table}");
    let text = directory.read("mine.toml");
    let (code, stderr) = refused(&["new", &mine]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("is there already"), "{stderr}");
    assert_eq!(directory.read("mine.toml"), text);
    // Another one to begin with, by scenario and by release.
    said(0, &["new", &directory.at("like"), "--like", "api-slow"]);
    assert!(directory.read("like.toml").contains("name = \"like\""));
    said(0, &["new", &directory.at("release"), "--release", "2.0.0"]);
    assert!(
        directory
            .read("release.toml")
            .contains("to = \"2.0.0-decimal-ledger\"")
    );
    for (args, expected) in [
        (vec!["new", "No Name"], "not kebab-case"),
        (
            vec!["new", "x", "--like", "api-slwo"],
            "did you mean `api-slow`",
        ),
        (
            vec!["new", "x", "--release", "1.5.0-slow-pth"],
            "did you mean `1.5.0-slow-path`",
        ),
        (vec!["new", "no/such/folder/x"], "cannot write"),
    ] {
        let (code, stderr) = refused(&args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}

#[test]
fn check_looks_at_all_files_that_an_application_names() {
    let directory = Scratch::new("check-app");
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/apps/shop/k8s");
    said(0, &["new", &directory.at("mine"), "-f", shop]);
    let app = directory.at("mine/app.toml");
    let told = said(0, &["check", &app]);
    for file in ["app.toml", "rollback.md", "failing-requests.toml"] {
        assert!(told.contains(&format!("{file}: `")), "{told}");
    }
    let scenario = directory.at("mine/scenarios/failing-requests.toml");
    let runbook = directory.at("mine/rollback.md");
    for (file, from, to, expected) in [
        (&scenario, "[expect]", "[expcet]", "expcet"),
        (
            &scenario,
            "too-many-errors",
            "too-few-errors",
            "too-few-errors",
        ),
        (&runbook, "rb.timeout", "rb.timout", "rb.timout"),
        (
            &runbook,
            "services: [catalog",
            "services: [nobody",
            "nobody",
        ),
    ] {
        let text = std::fs::read_to_string(file).expect("it is there");
        std::fs::write(file, text.replacen(from, to, 1)).expect("it is written");
        let (code, stderr) = refused(&["check", &app]);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        std::fs::write(file, text).expect("it is written");
    }
    std::fs::remove_file(&runbook).expect("it is there");
    let (code, stderr) = refused(&["check", &app]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("rollback.md"), "{stderr}");
}

/// What `firedrill` with `args` makes of standard input.
fn fed(args: &[&str], input: &str) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn check_looks_at_every_file_and_tells_runbooks_from_scenarios() {
    let directory = Scratch::new("check");
    let runbook = include_str!("../../runbooks/rollback.md");
    let right = directory.write("right.toml", SCENARIO);
    let wrong = directory.write("wrong.toml", &SCENARIO.replace("[load]", "[laod]"));
    let misfit =
        format!("{SCENARIO}\n[[faults]]\nkind = \"watch-gone\"\nwhen = \"step undo-ap\"\n");
    let misfit = directory.write("misfit.toml", &misfit);
    let good = directory.write("good.md", runbook);
    let bad = directory.write("bad.md", &runbook.replacen("rb.on-fail", "rb.on-fial", 1));
    let table = said(0, &["check", &right, &good]);
    assert_eq!(table.lines().count(), 2, "{table}");
    let (code, stderr) = refused(&["check", &wrong, &right, &misfit, &bad, "no-such.toml"]);
    assert_eq!(code, Some(2));
    for part in [
        "wrong.toml",
        "did you mean `undo-app`",
        "rb.on-fial",
        "no-such.toml",
        "4 of 5 files",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert_eq!(said(0, &["check", "--quiet", &right]), "");
    // Standard input, of both kinds.
    for (text, code) in [(SCENARIO, 0), (runbook, 0), ("name = \n", 2)] {
        let output = fed(&["check", "-"], text);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
    }
    let output = firedrill(&["check", "--format", "json", &right, &wrong]);
    let found = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(
        (&found[0]["passes"], &found[0]["kind"]),
        (&true.into(), &"scenario".into())
    );
    assert_eq!(found[1]["passes"], false);
    assert!(found[1]["found"].to_string().contains("laod"), "{found}");
}

#[test]
fn warnings_of_a_runbook_count_if_check_is_strict() {
    let directory = Scratch::new("strict");
    let runbook = include_str!("../../runbooks/rollback.md");
    assert!(runbook.contains(" --tail=-1"));
    let unwise = directory.write("unwise.md", &runbook.replacen(" --tail=-1", "", 1));
    let output = firedrill(&["check", &unwise]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("warning") || stderr.contains('⚠'),
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(refused(&["check", "--strict", &unwise]).0, Some(2));
}

#[test]
fn scenarios_are_named_by_patterns_folders_and_all() {
    let directory = Scratch::new("patterns");
    for name in ["one", "two"] {
        let text = SCENARIO.replacen(
            "name = \"latency-regression\"",
            &format!("name = \"{name}\""),
            1,
        );
        directory.write(&format!("{name}.toml"), &text);
    }
    for word in [directory.at("*.toml"), directory.at("")] {
        let table = said(0, &["chaos", &word, "--seed", "1"]);
        assert!(table.contains("2 drills: 2 passed"), "{word}: {table}");
    }
    let near = said(
        0,
        &["chaos", "near-lat*", "near-latency", "--seed", "1", "-q"],
    );
    assert_eq!(near, "1 drill: 1 passed, 0 failed, 0 inconclusive\n");
    let (code, stderr) = refused(&["chaos", "nothing-like-*"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("no scenario matches `nothing-like-*`"),
        "{stderr}"
    );
}

#[test]
fn shells_complete_the_names_of_scenarios_releases_and_faults() {
    let complete = |words: &[&str]| {
        let output = command(&["--", "firedrill"])
            .args(words)
            .env("FIREDRILL_COMPLETE", "fish")
            .output()
            .expect("the binary was built for this test");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for (words, expected) in [
        (vec!["chaos", "latency-r"], "latency-regression"),
        (vec!["chaos", "al"], "all"),
        (vec!["show", "executor-k"], "executor-killed"),
        (vec!["show", "1.5.0"], "1.5.0-slow-path"),
        (vec!["show", "sla-lat"], "sla-latency-p99"),
        (
            vec!["new", "mine", "--release", "2.0.0"],
            "2.0.0-decimal-ledger",
        ),
        (vec!["runbook", "verify", "near-lat"], "near-latency"),
        (vec!["li"], "list"),
    ] {
        let shown = complete(&words);
        assert!(
            shown.lines().any(|line| line.starts_with(expected)),
            "{words:?}: {shown}"
        );
    }
    let script = said(0, &["completions", "bash"]);
    assert!(script.contains("FIREDRILL_COMPLETE"), "{script}");
}
