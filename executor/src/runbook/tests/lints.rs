//! What is unwise, and is said without refusing the runbook.

use super::base::{GOOD, parsed};

/// A runbook, changed by `edits`, has exactly the warnings `expected` (code, and the line's text that is pointed at).
fn check(edits: &[(&str, &str)], expected: &[(&str, &str)]) {
    let mut text = GOOD.to_owned();
    for (from, to) in edits {
        assert_eq!(
            text.matches(from).count(),
            1,
            "`{from}` must be in the text once"
        );
        text = text.replacen(from, to, 1);
    }
    let parsed = parsed(&text);
    let found: Vec<(&str, &str)> = parsed
        .warnings()
        .iter()
        .map(|it| (it.code, text.lines().nth(it.line - 1).expect("its line")))
        .collect();
    assert_eq!(found, expected, "{}", parsed.plain());
    assert!(
        parsed
            .warnings()
            .iter()
            .all(|it| it.is_warning && !it.help.is_empty())
    );
    assert_eq!(parsed.diagnostic().is_some(), !expected.is_empty());
}

/// The block of the step `name`, to be cut out.
fn block(name: &str) -> &'static str {
    let start = GOOD
        .find(&format!("```sh {{\"name\":\"{name}\""))
        .expect("the step");
    let end = GOOD[start..].find("```\n").expect("its end") + start + 4;
    &GOOD[start..end]
}

#[test]
fn a_good_runbook_has_no_warnings() {
    check(&[], &[]);
}

#[test]
fn an_undo_should_be_pinned() {
    check(
        &[(" --to-revision=$TARGET_REVISION", "")],
        &[(
            "undo-not-pinned",
            "kubectl rollout undo deployment/$SERVICE \\",
        )],
    );
}

#[test]
fn a_ledger_change_needs_a_fence() {
    check(
        &[(block("fence"), "")],
        &[
            ("ledger-not-fenced", "flyway undo -target=$TARGET_SCHEMA"),
            ("ledger-not-fenced", "rollback db restore --snapshot before"),
            ("ledger-not-fenced", "rollback db replay --orders"),
        ],
    );
    check(
        &[(
            "\"name\":\"fence\",\"rb.phase\":\"run\",\"rb.timeout\":\"5s\",\"rb.when\":\"ledger.breaking\"",
            "\"name\":\"fence\",\"rb.phase\":\"run\",\"rb.timeout\":\"5s\",\"rb.when\":\"ledger.restore\"",
        )],
        &[("ledger-not-fenced", "flyway undo -target=$TARGET_SCHEMA")],
    );
}

#[test]
fn a_fence_must_come_down() {
    check(
        &[(block("unfence"), "")],
        &[("fence-stays", "rollback db fence")],
    );
}

#[test]
fn a_restore_needs_a_replay() {
    check(
        &[(block("replay"), "")],
        &[(
            "restore-without-replay",
            "rollback db restore --snapshot before",
        )],
    );
}

#[test]
fn logs_are_dumped_before_the_undo() {
    check(
        &[
            (block("logs"), ""),
            (
                block("health"),
                &format!("{}\n{}", block("logs"), block("health")),
            ),
        ],
        &[(
            "logs-late",
            "kubectl logs -n dex -l app=$SERVICE --timestamps --since=10m",
        )],
    );
    check(
        &[(block("logs"), "")],
        &[("logs-lost", "kubectl rollout undo deployment/$SERVICE \\")],
    );
}

#[test]
fn the_application_comes_after_the_ledger() {
    let moved = format!("{}\n{}", block("undo"), block("undo-schema"));
    check(
        &[(block("undo"), ""), (block("undo-schema"), &moved)],
        &[(
            "application-first",
            "kubectl rollout undo deployment/$SERVICE \\",
        )],
    );
}

#[test]
fn what_is_not_verified_is_said() {
    let first = "```sh {\"name\":\"record\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"60s\"}";
    for (name, code) in [
        ("status", "no-rollout-status"),
        ("health", "no-health-check"),
        ("build", "no-build-check"),
        ("errors", "no-error-rate"),
    ] {
        check(&[(block(name), "")], &[(code, first)]);
    }
    let snapshot = "```sh {\"name\":\"snapshot\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"400s\"}";
    check(&[(block("record"), "")], &[("no-record", snapshot)]);
}

#[test]
fn an_error_rate_needs_traffic_and_the_right_window() {
    check(
        &[(
            "\"rb.min-requests\":\"30000\"",
            "\"rb.min-requests\":\"2999\"",
        )],
        &[(
            "too-few-requests",
            "promql 'sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW]))'",
        )],
    );
    check(
        &[(
            "promql 'sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW]))'",
            "promql 'sum(rate(errors_total[5m]))'",
        )],
        &[("fixed-window", "promql 'sum(rate(errors_total[5m]))'")],
    );
}

#[test]
fn the_worst_case_should_fit_too() {
    check(
        &[
            ("rto: 300s", "rto: 290s"),
            (
                "\"name\":\"resume\",\"rb.phase\":\"run\",\"rb.timeout\":\"2s\"",
                "\"name\":\"resume\",\"rb.phase\":\"run\",\"rb.timeout\":\"60s\"",
            ),
        ],
        &[(
            "budget-worst-case",
            "```sh {\"name\":\"record\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"60s\"}",
        )],
    );
}

#[test]
fn an_undo_that_fails_and_the_restore_instead_should_fit_too() {
    let undo = "\"name\":\"undo-schema\",\"rb.phase\":\"run\",\"rb.timeout\":\"10s\"";
    let made_good = "\"name\":\"undo-schema\",\"rb.phase\":\"run\",\"rb.timeout\":\"10s\",\"rb.on-fail\":\"restore\"";
    // Either way takes at most 291 s, both one after the other 301 s.
    let short = ("rto: 300s", "rto: 295s");
    check(&[short], &[]);
    check(
        &[short, (undo, made_good)],
        &[("budget-fallback", "flyway undo -target=$TARGET_SCHEMA")],
    );
}

#[test]
fn nothing_rolled_back_is_said() {
    let found = parsed(&GOOD.replace(block("undo"), ""));
    assert!(found.warnings().iter().any(|it| it.code == "no-undo"));
}
