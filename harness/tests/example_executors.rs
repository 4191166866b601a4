//! The executors in `examples/executors` are drilled as their pages in the book say. What a machine lacks (kubectl, the
//! Python client, Go and its modules) is named, and its drills are left out. Helm's example has no test.

#[path = "../../tests/support/go.rs"]
mod go;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The first of the seeds and how many there are, of which the stand-in errs in one and not in the other.
const AGENT: (&str, &str) = ("6", "2");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a program can be run with these arguments.
fn runs(program: impl Into<OsString>, arguments: &[&str]) -> bool {
    let program = program.into();
    let run = Command::new(program).args(arguments).output();
    run.is_ok_and(|done| done.status.success())
}

/// The search path, with the folder of the kubectl that CI names before everything else; `None`: there is no kubectl.
fn path_with_kubectl() -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("FIREDRILL_KUBECTL").map(PathBuf::from);
    let folder = named.as_deref().and_then(Path::parent);
    let folders = folder.map(Path::to_owned).into_iter();
    let folders: Vec<PathBuf> = folders.chain(std::env::split_paths(&path)).collect();
    let found = folders
        .iter()
        .any(|folder| folder.join("kubectl").is_file());
    found.then(|| std::env::join_paths(folders).expect("they come from a path"))
}

/// Says on standard output what is left out.
fn left_out(why: &str) {
    println!("left out: {why}");
}

/// Drills `scenario` by `executor`; what `chaos --format json` says of each drill.
fn drill(scenario: &str, executor: &str, more: &[&str]) -> Vec<Value> {
    let done = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args([
            "chaos",
            scenario,
            "--executor",
            executor,
            "--format",
            "json",
            "--no-cut",
            "--jobs",
            "2",
        ])
        .args(more)
        .current_dir(root())
        .env(
            "PATH",
            path_with_kubectl().unwrap_or_else(|| std::env::var_os("PATH").unwrap_or_default()),
        )
        .env("FIREDRILL_STATE", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("firedrill runs");
    let journal: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    journal["drills"].as_array().expect("drills").clone()
}

/// The findings of a drill that are no pass: who found what.
fn problems(drill: &Value) -> Vec<(String, String)> {
    let findings = drill["findings"].as_array().expect("findings").iter();
    let problems = findings.filter(|finding| finding["verdict"] != "pass");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    problems
        .map(|finding| (text(&finding["oracle"]), text(&finding["reason"])))
        .collect()
}

#[track_caller]
fn assert_passes(drills: &[Value]) {
    for drill in drills {
        assert_eq!(drill["verdict"], "pass", "{:#?}", problems(drill));
    }
}

/// The names of the oracles that did not pass.
fn names(drill: &Value) -> Vec<String> {
    problems(drill)
        .into_iter()
        .map(|(oracle, _)| oracle)
        .collect()
}

#[test]
fn shell_scripts_are_judged_as_the_book_says() {
    if path_with_kubectl().is_none() {
        return left_out("no kubectl on this machine");
    }
    let seed = ["--seed", "1"];
    let plain = drill(
        "latency-regression",
        "bash examples/executors/procedure.sh",
        &seed,
    );
    // It leaves the configuration of the bad release, and writes no post-mortem.
    assert_eq!(
        names(&plain[0]),
        ["files", "state"],
        "{:#?}",
        problems(&plain[0])
    );
    assert_passes(&drill(
        "latency-regression",
        "bash examples/executors/careful.sh",
        &seed,
    ));
}

/// The words of a line, without their numbers: two runs of kubectl may differ by tenths of a second.
fn words(line: &str) -> String {
    let is_number = |word: &&str| word.contains(|c: char| c.is_ascii_digit());
    let words = line.split_whitespace().filter(|word| !is_number(word));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_found_of_common_commands_is_still_so() {
    let Some(path) = path_with_kubectl() else {
        return left_out("no kubectl on this machine");
    };
    let page = root().join("book/src/executor-findings.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let mut repeated = 0;
    for finding in page.split("\n## ").skip(1) {
        let mut lines = finding.lines().map(str::trim);
        let found: Vec<String> = lines
            .clone()
            .filter(|line| line.starts_with("fail "))
            .map(words)
            .collect();
        let replay = lines
            .by_ref()
            .skip_while(|it| !it.starts_with("cargo xtask replay"));
        let mut command = String::new();
        for line in replay {
            let begun = line.strip_suffix('\\');
            command.push_str(begun.unwrap_or(line));
            if begun.is_none() {
                break;
            }
        }
        let command = command.replace("cargo xtask", env!("CARGO_BIN_EXE_firedrill"));
        let replayed = Command::new("bash")
            .args(["-c", &command])
            .current_dir(root())
            .env("PATH", &path)
            .output()
            .expect("bash runs");
        let told = String::from_utf8_lossy(&replayed.stdout);
        let told: Vec<String> = told.lines().map(words).collect();
        let missing = found.iter().find(|line| !told.contains(line));
        assert_eq!(
            missing,
            None,
            "{command}: {told:#?} {}",
            String::from_utf8_lossy(&replayed.stderr)
        );
        repeated += found.len();
    }
    assert_eq!(
        repeated, 4,
        "the page has two findings, of one and three lines"
    );
}

/// kubectl hangs up at the very instant at which it has read what it waits for.
#[test]
fn a_recording_of_kubectl_plays_back() {
    let Some(path) = path_with_kubectl() else {
        return left_out("no kubectl");
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let recording = folder.join("kubectl.jsonl");
    let named = recording.to_str().expect("UTF-8");
    let script = "bash examples/executors/procedure.sh";
    let more = ["--seeds", "1", "--record", named];
    let drills = drill("latency-regression", script, &more);
    assert_eq!(drills.len(), 1);
    let replayed = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["replay", "--recording", named])
        .current_dir(root())
        .env("PATH", path)
        .output()
        .expect("firedrill runs");
    let told = String::from_utf8_lossy(&replayed.stderr);
    assert!(!told.contains("can't be played back"), "{told}");
    assert!(!replayed.stdout.is_empty(), "{told}");
}

#[test]
fn a_python_script_with_the_official_client_passes() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-executor");
    let python = folder.join("bin/python");
    let requirements = root().join("examples/executors/python/requirements.txt");
    let has_client = || runs(&python, &["-c", "import kubernetes, requests"]);
    if !has_client() {
        let made = runs("python3", &["-m", "venv", &folder.display().to_string()]);
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--requirement",
            &requirements.display().to_string(),
        ];
        if !made || !runs(&python, &install) || !has_client() {
            return left_out("the Python client can't be had on this machine");
        }
    }
    let executor = format!(
        "'{}' examples/executors/python/rollback.py",
        python.display()
    );
    assert_passes(&drill("latency-regression", &executor, &["--seed", "1"]));
}

#[test]
fn a_go_program_with_client_go_passes() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-executor");
    let source = root().join("examples/executors/go");
    if !go::build(&source, &program, "the executor in Go") {
        return;
    }
    let output = program.display();
    assert_passes(&drill(
        "latency-regression",
        &format!("'{output}'"),
        &["--seed", "1"],
    ));
}

#[test]
fn an_agent_is_judged_by_what_the_api_server_saw() {
    if path_with_kubectl().is_none() || !runs("python3", &["--version"]) {
        return left_out("no kubectl or no Python on this machine");
    }
    let executor =
        "python3 examples/executors/agent/harness.py python3 examples/executors/agent/standin.py";
    let drills = drill(
        "latency-regression",
        executor,
        &["--seed", AGENT.0, "--seeds", AGENT.1],
    );
    let of = |drill: &Value| {
        let mut findings = drill["findings"].as_array().expect("findings").iter();
        let conduct = findings
            .find(|it| it["oracle"] == "conduct")
            .expect("it is asked of programs");
        conduct["numbers"]["unsafe_acts"]
            .as_i64()
            .expect("a number")
    };
    let acts: Vec<i64> = drills.iter().map(of).collect();
    assert!(acts.contains(&0), "{acts:?}");
    assert!(acts.iter().any(|acts| *acts > 0), "{acts:?}");
    // Whatever it says of itself, an unsafe act is no pass.
    for (drill, acts) in drills.iter().zip(&acts) {
        assert_eq!(names(drill).iter().any(|name| name == "conduct"), *acts > 0);
    }
}
