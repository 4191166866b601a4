//! A campaign with a broken runbook: what it reports as the smallest case is smaller, and fails in the same way when it is replayed.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn firedrill(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(args)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test")
}

/// A directory of this test run's own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("firedrill-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a writable directory");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a writable directory");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).expect(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The built-in runbook without the fence of the step `name`.
fn without_step(name: &str) -> String {
    let text = include_str!("../../runbooks/rollback.md");
    let at = text.find(&format!(r#""name":"{name}""#)).expect(name);
    let from = text[..at].rfind("```sh").expect("a fence");
    let to = at + text[at..].find("\n```\n").expect("its end") + 5;
    format!("{}{}", &text[..from], &text[to..])
}

fn findings(journal: &Value, drill: usize) -> Vec<String> {
    let findings = journal["drills"][drill]["findings"].as_array();
    let failed = findings.into_iter().flatten();
    failed
        .filter(|finding| finding["verdict"] == "fail")
        .map(|finding| finding["oracle"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_first_failure_of_each_kind_is_cut_down_and_its_token_fails_alike() {
    let directory = Directory::new("smallest");
    let runbook = directory.write("runbook.md", &without_step("undo-app"));
    // Two faults and a crash that have nothing to do with it.
    let scenario = include_str!("../../scenarios/faults/api-duplicated.toml")
        .replace("name = \"api-duplicated\"", "name = \"busy\"");
    let slow = "[[faults]]\nkind = \"api-slow\"\nlasts = \"30s\"\ndelay = \"100ms\"\n\n[expect]";
    let scenario = scenario.replacen("[expect]", slow, 1);
    let crash = "[crash]\nrequest = 3\nside = \"after\"\nresume_after = \"2s\"\n\n[expect]";
    let scenario = directory.write("busy.toml", &scenario.replacen("[expect]", crash, 1));
    let report = directory.0.join("report");
    let chaos = |report: &str, seed: &str| {
        firedrill(&[
            "chaos",
            &scenario,
            "--runbook",
            &runbook,
            "--seed",
            seed,
            "--seeds",
            "2",
            "--jobs",
            "2",
            "--report",
            report,
        ])
    };
    let output = chaos(report.to_str().expect("UTF-8"), "7");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{output:?}");

    let journal: Value =
        serde_json::from_str(&directory.read("report/journal.json")).expect("JSON");
    let smallest = &journal["drills"][0]["smallest"];
    let what = smallest["what"].as_str().expect("the first drill has one");
    let token = smallest["replay"].as_str().expect("with its token");
    assert_eq!(
        journal["drills"][1].get("smallest"),
        None,
        "one of each kind is enough"
    );
    for cut in [
        "no crash",
        "no api-duplicated",
        "no api-slow",
        "1 market",
        "10 accounts",
    ] {
        assert!(what.contains(cut), "{what}");
    }
    assert_ne!(journal["drills"][0]["replay"], token);
    // Everybody is told.
    assert!(said.contains("smallest failing case: busy"), "{said}");
    assert!(said.contains(token), "{said}");
    for file in ["report.html", "summary.md", "junit.xml"] {
        assert!(
            directory.read(&format!("report/{file}")).contains(token),
            "{file}"
        );
    }

    let again = directory.0.join("again");
    let replayed = firedrill(&["replay", token, "--report", again.to_str().expect("UTF-8")]);
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
    let replayed: Value =
        serde_json::from_str(&directory.read("again/journal.json")).expect("JSON");
    let (first, again) = (findings(&journal, 0), findings(&replayed, 0));
    assert!(!first.is_empty());
    assert_eq!(first.first(), again.first());
    assert_eq!(
        replayed["drills"][0]["faults"].as_array().map(Vec::len),
        Some(1),
        "only the release is left"
    );
}
