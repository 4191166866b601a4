//! `firedrill report`: reports are made again from journals alone, byte for byte; journals merge; what does not
//! fit is refused with its place.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/scratch.rs"]
mod scratch;
#[path = "support/misfit.rs"]
mod support;
#[path = "support/unstamped.rs"]
mod unstamped;

use std::path::Path;

use binary::firedrill;
use firedrill::report::journal::JSON_SCHEMA;
use scratch::Scratch;
use serde_json::{Value, json};
use support::misfit;
use unstamped::without_runs;

const FILES: [&str; 4] = ["journal.json", "report.html", "junit.xml", "summary.md"];

/// Runs drills with a report in `directory`.
fn drill(directory: &str, args: &[&str]) {
    let mut all = vec!["chaos"];
    all.extend(args);
    all.extend(["--report", directory]);
    let output = firedrill(&all);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}

/// The files are the same to the byte, apart from when, where and by which command they were made.
fn assert_same_files(scratch: &Scratch, a: &str, b: &str) {
    for file in FILES {
        let (a, b) = (format!("{a}/{file}"), format!("{b}/{file}"));
        let text = |path: &str| without_runs(file, &scratch.read(path));
        assert!(text(&a) == text(&b), "{a} and {b} differ");
    }
}

/// Asserts that a journal says when, where and by which command it was made.
fn assert_stamped(journal: &Value, words: &[&str]) {
    let runs = journal["meta"].as_array().expect("a list");
    assert_eq!(runs.len(), 1, "{runs:?}");
    let run = &runs[0];
    let command = run["command"].as_array().expect("a list");
    let command: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
    assert_eq!(command[..2], ["firedrill", "chaos"]);
    for word in words {
        assert!(command.contains(word), "{command:?}");
    }
    assert_eq!(run["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(run["runbook"]["path"], "runbooks/rollback.md");
    assert!(run["seeds"]["count"].as_u64() > Some(0), "{run}");
    assert!(!run["host"]["name"].as_str().unwrap_or_default().is_empty());
}

#[test]
fn reports_are_made_again_and_merged_to_the_byte() {
    let scratch = Scratch::new("rebuild");
    let scenarios = ["good-release", "latency-regression"];
    let ranges = [("all", "0", "3"), ("first", "0", "2"), ("rest", "1", "2")];
    for (name, seed, seeds) in ranges {
        let mut args = scenarios.to_vec();
        args.extend(["--seed", seed, "--seeds", seeds]);
        drill(&scratch.at(name), &args);
        let journal = scratch.journal(&format!("{name}/journal.json"));
        assert_eq!(misfit(JSON_SCHEMA, &journal), None, "{name}");
        assert_stamped(&journal, &args);
    }
    // One scenario, one representative: the slowest.
    let journal = scratch.journal("all/journal.json");
    let drills = journal["drills"].as_array().expect("a list");
    for scenario in scenarios {
        let of = || drills.iter().filter(|d| d["scenario"] == scenario);
        let detailed: Vec<&Value> = of().filter(|d| d.get("detail").is_some()).collect();
        assert_eq!(detailed.len(), 1, "{scenario}");
        let slowest = of().filter_map(|d| d["rto_ms"].as_u64()).max();
        assert_eq!(detailed[0]["rto_ms"].as_u64(), slowest, "{scenario}");
    }
    let whole = scratch.at("all/journal.json");
    let again = scratch.at("again");
    let output = firedrill(&["report", &whole, "--report", &again]);
    assert_eq!(output.status.code(), Some(0));
    for file in FILES {
        let (made, again) = (format!("all/{file}"), format!("again/{file}"));
        assert!(scratch.read(&made) == scratch.read(&again), "{file}");
    }

    // Seed 1 is in both, and told alike: the parts merge into the whole, in any order.
    let (first, rest) = (
        scratch.at("first/journal.json"),
        scratch.at("rest/journal.json"),
    );
    for (name, parts) in [("merged", [&first, &rest]), ("reversed", [&rest, &first])] {
        let output = firedrill(&["report", parts[0], parts[1], "--report", &scratch.at(name)]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert_same_files(&scratch, "all", name);
        let merged = scratch.journal(&format!("{name}/journal.json"));
        let runs = merged["meta"].as_array().expect("a list");
        assert_eq!(runs.len(), 2, "each part's run is kept");
    }
    side_by_side(&scratch);

    // Told differently, they are refused.
    let mut other = scratch.journal("rest/journal.json");
    other["drills"][0]["fingerprint"] = json!("00000000deadbeef");
    let other = scratch.write("other.json", &other.to_string());
    let output = firedrill(&["report", &first, &other]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("differently"), "{stderr}");

    refusals(&scratch, &scratch.journal("first/journal.json"));
}

/// What changed between two runs, and a folder of runs over time; of journals that are there.
fn side_by_side(scratch: &Scratch) {
    let (first, rest) = (scratch.at("first"), scratch.at("rest/journal.json"));
    let page = scratch.at("against");
    let output = firedrill(&["report", "--against", &first, &rest, "--report", &page]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("pass as before"), "{said}");
    assert!(
        scratch
            .read("against/report.html")
            .contains("id=\"changes\"")
    );
    // The page alone shows it: the rest is that of the run.
    assert_eq!(
        scratch.journal("against/journal.json"),
        scratch.journal("rest/journal.json")
    );

    let nightly = scratch.at("nightly");
    std::fs::create_dir_all(scratch.at("nightly/second")).expect("ours");
    for (from, to) in [("first", "one.json"), ("rest", "second/journal.json")] {
        scratch.write(
            &format!("nightly/{to}"),
            &scratch.read(&format!("{from}/journal.json")),
        );
    }
    let trend = scratch.at("trend");
    let output = firedrill(&["report", &nightly, "--report", &trend]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("Start (UTC)"), "{said}");
    let page = scratch.read("trend/report.html");
    assert!(page.contains("nightly/one.json") && page.contains("second/journal.json"));
    for (args, expected) in [
        (vec!["report", &nightly, &rest], "folder of journals"),
        (
            vec!["report", &rest, "--against", "no/such.json"],
            "no/such.json",
        ),
    ] {
        let output = firedrill(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    let empty = scratch.at("empty");
    std::fs::create_dir_all(&empty).expect("ours");
    let output = firedrill(&["report", &empty]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("holds no journal"), "{stderr}");
}

/// How a journal is broken, the place that must be named, and whether the schema can see it, too.
type Case = (&'static str, fn(&mut Value), &'static str, bool);

const CASES: [Case; 31] = [
    (
        "another schema",
        |j| j["schema"] = json!("firedrill/9"),
        "$.schema",
        true,
    ),
    (
        "an unknown field",
        |j| j["drills"][0]["rto"] = json!(1),
        "$.drills[0]",
        true,
    ),
    (
        "a missing field",
        |j| drop(j["drills"][1].as_object_mut().map(|d| d.remove("replay"))),
        "$.drills[1]",
        true,
    ),
    (
        "a text for a number",
        |j| j["drills"][0]["seed"] = json!("0"),
        "$.drills[0].seed",
        true,
    ),
    (
        "a negative time",
        |j| j["drills"][0]["rto_ms"] = json!(-1),
        "$.drills[0].rto_ms",
        true,
    ),
    (
        "an unknown verdict",
        |j| j["drills"][0]["verdict"] = json!("passed"),
        "$.drills[0].verdict",
        true,
    ),
    (
        "an unknown world",
        |j| j["drills"][0]["world"] = json!("mars"),
        "$.drills[0].world",
        true,
    ),
    (
        "a stage less",
        |j| {
            drop(
                j["drills"][0]["verdicts"]
                    .as_object_mut()
                    .map(|v| v.remove("clean-up")),
            )
        },
        "$.drills[0].verdicts",
        true,
    ),
    (
        "a rate beyond all",
        |j| j["drills"][0]["error_rate"] = json!(1.5),
        "$.drills[0].error_rate",
        true,
    ),
    (
        "a short fingerprint",
        |j| j["drills"][0]["fingerprint"] = json!("abc"),
        "$.drills[0].fingerprint",
        true,
    ),
    (
        "a nameless scenario",
        |j| j["drills"][0]["scenario"] = json!(""),
        "$.drills[0].scenario",
        true,
    ),
    (
        "a number with a fraction",
        |j| j["drills"][0]["findings"][0]["numbers"]["n"] = json!(1.5),
        "$.drills[0].findings[0].numbers.n",
        true,
    ),
    (
        "an unknown field in the detail",
        |j| detail(j)["colour"] = json!("red"),
        ".detail",
        true,
    ),
    (
        "uneven columns",
        |j| {
            drop(
                detail(j)["course"]["seconds"]["slow"]
                    .as_array_mut()
                    .map(Vec::pop),
            )
        },
        ".detail.course.seconds",
        false,
    ),
    (
        "phases without their steps",
        |j| detail(j)["course"]["phases"] = json!([{"title": "x", "steps": 99}]),
        ".detail.course.phases",
        false,
    ),
    (
        "a drill twice",
        |j| {
            let d = j["drills"][0].clone();
            j["drills"].as_array_mut().expect("a list").push(d);
        },
        "the same drill as $.drills[0]",
        false,
    ),
    (
        "harm and a pass all the same",
        |j| {
            let found = finding(j, "trades");
            found["verdict"] = json!("fail");
            found["severity"] = json!("harm");
            found["harm"] = json!(true);
            j["drills"][0]["verdicts"]["recovery"] = json!("fail");
        },
        "$.drills[0].verdict: `pass`, and what `trades` found is harm",
        false,
    ),
    (
        "harm that is told as an objective missed",
        |j| {
            let found = finding(j, "trades");
            found["verdict"] = json!("fail");
            found["severity"] = json!("missed-objective");
            found["harm"] = json!(true);
        },
        ".harm",
        false,
    ),
    (
        "a failure without one",
        |j| j["drills"][0]["verdict"] = json!("fail"),
        "$.drills[0].verdict: `fail`, and `pass` follows",
        false,
    ),
    (
        "a stage that its findings do not fail",
        |j| j["drills"][0]["verdicts"]["recovery"] = json!("fail"),
        "$.drills[0].verdicts.recovery",
        false,
    ),
    (
        "a pass that weighs something",
        |j| finding(j, "rto")["severity"] = json!("hygiene"),
        ".severity",
        false,
    ),
    (
        "a finding of another stage",
        |j| finding(j, "rto")["stage"] = json!("clean-up"),
        ".stage",
        false,
    ),
    (
        "an oracle asked twice",
        |j| {
            let again = finding(j, "rto").clone();
            j["drills"][0]["findings"]
                .as_array_mut()
                .expect("a list")
                .push(again);
        },
        "`rto` has found something before",
        false,
    ),
    (
        "a failure that was cut out",
        |j| {
            let findings = j["drills"][0]["findings"].as_array_mut();
            findings
                .expect("a list")
                .retain(|it| it["oracle"] != "claim");
        },
        "`claim` was not asked",
        false,
    ),
    (
        "one of the questions of a recovery",
        |j| {
            let findings = j["drills"][0]["findings"].as_array_mut();
            findings
                .expect("a list")
                .retain(|it| it["oracle"] != "hold");
        },
        "`hold` was not asked",
        false,
    ),
    (
        "a steady state that never held, and fails",
        |j| {
            let steady = finding(j, "steady-state");
            steady["kind"] = json!("slow");
            steady["verdict"] = json!("fail");
            steady["severity"] = json!("missed-objective");
        },
        "`slow` shows nothing",
        false,
    ),
    (
        "more lost than there were",
        |j| j["drills"][0]["trades"]["lost"] = json!(90_000_000),
        "$.drills[0].trades: more are lost",
        false,
    ),
    (
        "another number of trades than was found",
        |j| j["drills"][0]["trades"]["acknowledged"] = json!(90_000_000),
        "$.drills[0].trades: they do not agree",
        false,
    ),
    (
        "a recovery without a time",
        |j| j["drills"][0]["ending"] = json!("recovered"),
        "$.drills[0].ending",
        false,
    ),
    (
        "a token that was cut",
        |j| {
            let token = &mut j["drills"][0]["replay"];
            let whole = token.as_str().expect("a text");
            *token = json!(whole[..whole.len() - 4]);
        },
        "$.drills[0].replay",
        false,
    ),
    (
        "a summary of others",
        |j| j["summary"]["passed"] = json!(7),
        "$.summary",
        false,
    ),
];

/// What `oracle` found in the first drill.
fn finding<'a>(journal: &'a mut Value, oracle: &str) -> &'a mut Value {
    let findings = journal["drills"][0]["findings"].as_array_mut();
    let mut findings = findings.expect("a list").iter_mut();
    findings
        .find(|it| it["oracle"] == oracle)
        .expect("it was asked")
}

/// The detail of the first drill that has one.
fn detail(journal: &mut Value) -> &mut Value {
    let drills = journal["drills"].as_array_mut().expect("a list");
    drills
        .iter_mut()
        .find_map(|d| d.get_mut("detail"))
        .expect("one has it")
}

fn refusals(scratch: &Scratch, sound: &Value) {
    for (what, break_it, place, seen_by_schema) in CASES {
        let mut broken = sound.clone();
        break_it(&mut broken);
        assert_ne!(&broken, sound, "{what} changes nothing");
        assert_eq!(
            misfit(JSON_SCHEMA, &broken).is_some(),
            seen_by_schema,
            "{what}"
        );
        refused(scratch, what, &broken.to_string(), place);
    }
    refused(scratch, "no JSON", "# a journal\n", "$: expected");
    refused(scratch, "a cut file", &sound.to_string()[..400], "$: EOF");
    refused(scratch, "a list", "[]", "$.schema");
}

fn refused(scratch: &Scratch, what: &str, text: &str, place: &str) {
    let broken = scratch.write("broken.json", text);
    let out = scratch.at("refused");
    let output = firedrill(&["report", &broken, "--report", &out]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{what}: {stderr}");
    // Messages are folded at the terminal's width.
    let flat: String = stderr.replace('│', "").split_whitespace().collect();
    let place: String = place.split_whitespace().collect();
    assert!(flat.contains(&place), "{what} lacks `{place}`: {stderr}");
    assert!(stderr.contains("help"), "{what}: {stderr}");
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert!(!Path::new(&out).exists(), "{what} leaves something behind");
}

#[test]
fn pages_print_commands_as_the_program_was_called() {
    let scratch = Scratch::new("called");
    drill(&scratch.at("run"), &["good-release", "--seed", "0"]);
    let journal = scratch.at("run/journal.json");
    let page = scratch.read("run/report.html");
    assert!(page.contains("firedrill replay fd1-") && !page.contains("cargo xtask"));
    let again = scratch.at("again");
    let mut in_a_checkout = binary::command(&["report", &journal, "--report", &again]);
    let done = in_a_checkout
        .env("FIREDRILL_CALLED_AS", "cargo xtask")
        .output();
    assert_eq!(done.expect("it runs").status.code(), Some(0));
    let page = scratch.read("again/report.html");
    assert!(page.contains("cargo xtask replay fd1-") && !page.contains("firedrill replay"));
}

#[test]
fn the_schema_is_printed_as_published() {
    let output = firedrill(&["report", "--schema"]);
    assert_eq!(output.status.code(), Some(0));
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let published: Value = serde_json::from_str(JSON_SCHEMA).expect("JSON");
    assert_eq!(printed, published);
    assert_eq!(
        printed["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
}

#[test]
fn a_journal_is_needed_and_must_be_there() {
    for (args, expected) in [
        (vec!["report"], "JOURNAL"),
        (vec!["report", "no/such.json"], "no/such.json"),
        (vec!["report", "--schema", "x.json"], "--schema"),
    ] {
        let output = firedrill(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}
