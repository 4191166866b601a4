//! A campaign with a broken runbook: what it reports as the smallest case is smaller,
//! and fails in the same way when it is replayed.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;

use binary::firedrill;
use scratch::Scratch;
use serde_json::Value;

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
    let directory = Scratch::new("smallest");
    let runbook = directory.write("runbook.md", &without_step("undo-app"));
    // Two faults and a crash that have nothing to do with it.
    let scenario = include_str!("../../scenarios/faults/api-duplicated.toml")
        .replace("name = \"api-duplicated\"", "name = \"busy\"");
    let slow = "[[faults]]\nkind = \"api-slow\"\nlasts = \"30s\"\ndelay = \"100ms\"\n\n[expect]";
    let scenario = scenario.replacen("[expect]", slow, 1);
    let crash = "[crash]\nrequest = 3\nside = \"after\"\nresume_after = \"2s\"\n\n[expect]";
    let scenario = directory.write("busy.toml", &scenario.replacen("[expect]", crash, 1));
    let report = directory.at("report");
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
    let output = chaos(&report, "7");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{output:?}");

    let journal = directory.journal("report/journal.json");
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
    // On the terminal, the file of the scenario stands for its text.
    let mut lines = said.lines().map(str::trim);
    lines.find(|line| line.starts_with("smallest failing case: busy"));
    let command = lines.next().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert_eq!(words[0], "replay", "{command}");
    assert_eq!(firedrill(&words).status.code(), Some(1), "{command}");
    for file in ["report.html", "summary.md", "junit.xml"] {
        assert!(
            directory.read(&format!("report/{file}")).contains(token),
            "{file}"
        );
    }

    let again = directory.at("again");
    let replayed = firedrill(&["replay", token, "--report", &again]);
    assert_eq!(replayed.status.code(), Some(1), "{replayed:?}");
    let replayed = directory.journal("again/journal.json");
    let (first, again) = (findings(&journal, 0), findings(&replayed, 0));
    assert!(!first.is_empty());
    assert_eq!(first.first(), again.first());
    assert_eq!(
        replayed["drills"][0]["faults"].as_array().map(Vec::len),
        Some(1),
        "only the release is left"
    );
}
