//! Changed runbooks that a drill without them in mind is blind to:
//! each with the answer that a careful engineer would give.

use std::sync::atomic::AtomicBool;

use e2e::drills::{SCENARIOS, changed, move_step, scenarios, without_step};
use firedrill::runbooks::BUILT_IN;
use firedrill::verify::{
    Answer, Judgement, Question, RunbookSide, Runs, Terms, details, text, verify,
};
use firedrill::worlds::WorldKind;

use Answer::{Adopt, Inconclusive, Reject};

/// Few drills, and terms that so few can meet: six that pass show that new failures are rarer than 40 %.
const TERMS: Terms = Terms {
    margin: firedrill::verify::Margin {
        least: std::time::Duration::from_secs(5),
        percent: 10,
    },
    new_failures_max_ppm: 400_000,
    pairs_min: 2,
    shrink_budget: 1,
};

fn read(text: &str) -> RunbookSide {
    RunbookSide::parse("candidate.md", text).unwrap_or_else(|e| panic!("{}", e.plain()))
}

fn judged(candidate: &str, names: &[&str], seeds: u64, runs: &mut Runs<'_>) -> Judgement {
    let question = Question {
        baseline: read(BUILT_IN),
        candidate: read(candidate),
        reference: None,
        scenarios: scenarios(names),
        seeds: 0..seeds,
        terms: TERMS,
    };
    verify(&question, runs).expect("the simulated world builds")
}

/// A change's name, the runbook, the answer, and what the details must say.
type Case = (&'static str, String, Answer, &'static str);

#[track_caller]
fn assert_all(names: &[&str], seeds: u64, cases: Vec<Case>) {
    let stop = AtomicBool::new(false);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runs = Runs::new(WorldKind::Sim, jobs, &stop, &|| {});
    let mut wrong = Vec::new();
    for (name, candidate, answer, says) in cases {
        let judgement = judged(&candidate, names, seeds, &mut runs);
        let said = format!("{}\n\n{}", text(&judgement), details(&judgement));
        let flat: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if judgement.answer != answer || !flat.contains(says) {
            wrong.push(format!(
                "--- {name}: expected {answer} and {says:?}\n{said}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// The step `name` of `text` with another attribute.
fn with(text: &str, name: &str, attribute: &str) -> String {
    let key = format!("\"name\":\"{name}\",");
    assert!(text.contains(&key), "{name}");
    text.replacen(&key, &format!("{key}{attribute},"), 1)
}

const BOOKS: &str = "promql 'max(dex_reconciliation_anomalies{namespace=\"dex-production\"})'";

#[test]
fn a_check_that_checks_nothing_is_not_adopted_where_no_drill_needs_it() {
    let errors = ["error-rate", "error-rate-worst-pod", "stay-recovered"];
    let no_proof = errors.iter().fold(BUILT_IN.to_owned(), |text, name| {
        let at = text.find(&format!("\"name\":\"{name}\"")).expect(name);
        let query = at + text[at..].find("promql '").expect("a query") + "promql '".len();
        let end = query + text[query..].find("'\n```").expect("closed");
        format!(
            "{}0 * ({}){}",
            &text[..query],
            &text[query..end],
            &text[end..]
        )
    });
    let cases = vec![
        (
            "every error rate times zero",
            no_proof,
            Inconclusive,
            "would be judged otherwise if `error-rate` took every value for good",
        ),
        (
            "the books times zero",
            changed(BOOKS, &BOOKS.replace("max(", "0 * max(")),
            Inconclusive,
            "`books-balance` now asks",
        ),
        (
            "the least of the books' anomalies",
            changed(BOOKS, &BOOKS.replace("max(", "min(")),
            Inconclusive,
            "`books-balance` now asks",
        ),
        (
            "another metric",
            changed(
                BOOKS,
                &BOOKS.replace("reconciliation_anomalies", "state_hash_mismatches_total"),
            ),
            Inconclusive,
            "`books-balance` now asks",
        ),
        (
            "an error rate that may be ten times as high",
            BUILT_IN.replace("\"rb.expect\":\"< 0.0001\"", "\"rb.expect\":\"< 0.001\""),
            Inconclusive,
            "`error-rate` expects `< 0.001` instead of `< 0.0001`",
        ),
        (
            "a level that nobody writes",
            changed("level=\"error\"", "level=\"fatal\""),
            Inconclusive,
            "`error-logs` now asks",
        ),
        (
            "no look at the books",
            without_step(BUILT_IN, "books-balance"),
            Inconclusive,
            "would be judged otherwise without `books-balance`",
        ),
        (
            "no look at the worst pod",
            without_step(BUILT_IN, "error-rate-worst-pod"),
            Inconclusive,
            "would be judged otherwise without `error-rate-worst-pod`",
        ),
        (
            "a check that may fail",
            with(BUILT_IN, "check-health", "\"rb.on-fail\":\"continue\""),
            Inconclusive,
            "`check-health`: on failure abort → continue",
        ),
        (
            "an undo that may fail",
            with(BUILT_IN, "undo-app", "\"rb.on-fail\":\"continue\""),
            Inconclusive,
            "`undo-app`: on failure abort → continue",
        ),
        (
            "a rollout that may fail",
            with(BUILT_IN, "rollout-status", "\"rb.on-fail\":\"continue\""),
            Inconclusive,
            "`rollout-status`: on failure abort → continue",
        ),
        (
            "another name and no consequence",
            with(BUILT_IN, "check-build", "\"rb.on-fail\":\"continue\"")
                .replace("\"name\":\"check-build\"", "\"name\":\"which-build\""),
            Inconclusive,
            "`check-build`: on failure abort → continue",
        ),
        (
            "another name and fewer requests",
            BUILT_IN
                .replace("\"name\":\"error-rate\"", "\"name\":\"few-errors\"")
                .replace(
                    "\"rb.min-requests\":\"30000\"",
                    "\"rb.min-requests\":\"3000\"",
                ),
            Reject,
            "content with 3000 requests, and 30000 are needed",
        ),
    ];
    assert_all(&SCENARIOS, 2, cases);
}

#[test]
fn a_trigger_is_tried_in_both_directions() {
    let latency = |to: &str| {
        changed(
            "    condition: \"> 0.1\"\n    for: 15s",
            &format!("    condition: \"{to}\"\n    for: 15s"),
        )
    };
    let cases = vec![
        (
            "one that fires more often, and no sound exchange comes near it",
            latency("> 0.095"),
            Inconclusive,
            "would be judged otherwise if `sla-latency-p99` fired as soon as",
        ),
        (
            "one that asks something else, seen to fire where it must",
            changed(
                "query: max(dex_reconciliation_anomalies{",
                "query: sum(dex_reconciliation_anomalies{",
            ),
            Inconclusive,
            "`data-balance-anomaly` asks sum(dex_reconciliation_…, not max(dex_reconciliation_…",
        ),
    ];
    assert_all(&[SCENARIOS[0], SCENARIOS[1], "good-release"], 3, cases);
}

#[test]
fn a_change_is_adopted_once_drills_in_which_it_matters_pass() {
    // A books' alarm of 11 s after a sound release: without any debounce it rolls back.
    let shorter = changed(
        "    condition: \"> 0\"\n    for: 15s\n---",
        "    condition: \"> 0\"\n    for: 14s\n---",
    );
    let too_short = shorter.replace("for: 14s\n---", "for: 5s\n---");
    let cases = vec![
        (
            "a debounce that is longer than every burst",
            shorter,
            Adopt,
            "must hold for 14s instead of 15s: tried by",
        ),
        (
            "one that is not",
            too_short,
            Reject,
            "drills that the baseline passes fail",
        ),
    ];
    assert_all(&["trigger-flaps-sound", "good-release"], 6, cases);
}

#[test]
fn names_line_ends_and_layout_are_no_change() {
    let cases = vec![
        (
            "a step on which a fault hangs has another name",
            changed("\"name\":\"undo-app\"", "\"name\":\"back-to-the-old\""),
            Adopt,
            "`undo-app` is called `back-to-the-old` now",
        ),
        (
            "line ends of another system",
            BUILT_IN.replace('\n', "\r\n"),
            Adopt,
            "nothing changes what is done",
        ),
        (
            "queries laid out otherwise",
            changed("query: >-", "query: |"),
            Adopt,
            "nothing changes what is done",
        ),
        (
            "what a person types saves ten lines of each log; the executor saves all",
            changed(" --tail=-1\n", "\n"),
            Reject,
            "--tail=-1",
        ),
    ];
    assert_all(&["api-throttling"], 1, cases);
    // Another name and another budget: the fault that hangs on the step still finds it.
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    let text = changed("\"name\":\"undo-app\"", "\"name\":\"back\"").replace(
        "\"rb.timeout\":\"16s\",\"rb.for-each\"",
        "\"rb.timeout\":\"17s\",\"rb.for-each\"",
    );
    let hanging: Vec<&str> = ["undo-app", "rollout-status"]
        .iter()
        .filter_map(|step| {
            let built_in = firedrill::scenario::BUILT_IN.iter();
            let mut hangs = built_in.filter(|b| b.text.contains(&format!("\"step {step}\"")));
            hangs.next().map(|b| b.name)
        })
        .collect();
    assert!(!hanging.is_empty(), "no fault hangs on a step");
    let judgement = judged(&text, &hanging, 2, &mut runs);
    let silent = |c: &firedrill::verify::Comparison| c.counts.newly_inconclusive;
    assert!(judgement.comparisons.iter().all(|c| silent(c) == 0));
}

#[test]
fn what_acts_has_its_place_and_what_only_looks_may_be_added() {
    let added = changed(
        "## Write the post-mortem",
        "## Look once more\n\n```sh {\"name\":\"look-again\",\"rb.phase\":\"after\",\"rb.timeout\":\"10s\"}\nkubectl get --raw /api/v1/namespaces/dex-production/pods/$POD:8080/proxy/health\n```\n\n## Write the post-mortem",
    );
    let cases = vec![
        (
            "trading is opened before the fence is lowered",
            move_step(BUILT_IN, "open-trading", "unfence-ledger"),
            Inconclusive,
            "the order may have a reason",
        ),
        (
            "a look after the proof",
            added,
            Adopt,
            "`look-again` (checks the health of every pod at port 8080) is new",
        ),
    ];
    // In one of them a person is paged, and the added step is never reached.
    assert_all(
        &[SCENARIOS[0], SCENARIOS[2], "image-gone", "good-release"],
        3,
        cases,
    );
}

#[test]
fn clients_that_are_refused_for_longer_are_counted() {
    let always = [("fence-ledger", "4s"), ("unfence-ledger", "3s")]
        .iter()
        .fold(BUILT_IN.to_owned(), |text, (name, budget)| {
            let from = format!(
                "\"name\":\"{name}\",\"rb.phase\":\"run\",\"rb.timeout\":\"{budget}\",\"rb.when\":\"ledger.breaking\""
            );
            assert!(text.contains(&from), "{from}");
            text.replace(&from, from.trim_end_matches(",\"rb.when\":\"ledger.breaking\""))
        });
    let says = "fewer requests are answered between trigger and recovery";
    assert_all(
        &["latency-regression"],
        10,
        vec![("a fence always", always, Reject, says)],
    );
}

#[test]
fn new_harm_rejects_whatever_else_came_of_the_baseline() {
    // The baseline leaves the bad release's configuration, which harms nobody; the candidate replays no orders, too.
    let no_config = without_step(BUILT_IN, "restore-config");
    let careless = without_step(&no_config, "replay-orders");
    let stop = AtomicBool::new(false);
    let mut runs = Runs::new(WorldKind::Sim, 2, &stop, &|| {});
    let question = Question {
        baseline: read(&no_config),
        candidate: read(&careless),
        reference: None,
        scenarios: scenarios(&["balance-anomaly"]),
        seeds: 0..2,
        terms: TERMS,
    };
    let judgement = verify(&question, &mut runs).expect("the simulated world builds");
    let said = format!("{}\n{}", text(&judgement), details(&judgement));
    let counts = judgement.comparisons[0].counts;
    assert_eq!(counts.both_fail, 2, "{said}");
    assert!(counts.newly_harmful > 0, "{said}");
    assert_eq!(judgement.answer, Reject, "{said}");
    assert!(
        said.contains("does harm that the baseline does not do"),
        "{said}"
    );
}
