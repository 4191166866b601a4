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
            ("ledger-not-fenced", "rollback db replay --log"),
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
            "kubectl logs -n web -l app=$SERVICE --timestamps --since=10m --tail=-1",
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
fn a_proof_must_be_able_to_fail() {
    let query = "promql 'sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW]))'";
    let constant = "promql 'sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW])) or vector(0)'";
    check(&[(query, constant)], &[("vacuous-proof", constant)]);
    let nothing = "promql '0 * sum(rate(errors_total[$WINDOW]))'";
    check(&[(query, nothing)], &[("vacuous-proof", nothing)]);
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
fn steps_that_stand_by_count_in_the_worst_case() {
    let first = "```sh {\"name\":\"record\",\"rb.phase\":\"prepare\",\"rb.timeout\":\"60s\"}";
    let with = |timeout: &str, when: &str, command: &str| {
        format!(
            "{}\n```sh {{\"name\":\"more\",\"rb.phase\":\"run\",\"rb.timeout\":\"{timeout}\",\"rb.for-each\":\"service\",\"rb.when\":\"{when}\"}}\n{command}\n```\n",
            block("resume")
        )
    };
    // 291 s without it.
    let scale = "kubectl scale deployment/$SERVICE -n web --replicas=$TARGET_REPLICAS";
    let replace = "rollback pods replace --service $SERVICE";
    for (more, too_long) in [
        (with("4s", "replicas.reduced", scale), false),
        (with("5s", "replicas.reduced", scale), true),
        // Instead of the rollout, which has 23 s for each service.
        (with("27s", "config.only", replace), false),
        (with("28s", "config.only", replace), true),
    ] {
        let expected: &[_] = if too_long {
            &[("budget-worst-case", first)]
        } else {
            &[]
        };
        check(&[(block("resume"), &more)], expected);
    }
}

#[test]
fn a_trigger_must_be_able_to_fire_and_not_for_one_sample() {
    check(
        &[("validation-window: 1h", "validation-window: 19s")],
        &[("trigger-never-fires", "    for: 20s")],
    );
    check(&[("validation-window: 1h", "validation-window: 20s")], &[]);
    let query = "histogram_quantile(0.99, sum by (le) (rate(seconds_bucket[30s])))";
    for (code, other) in [
        ("trigger-two-samples", "max(irate(slow_total[30s]))"),
        ("rate-of-sum", "rate(sum(slow_total)[30s:5s])"),
        ("query-namespace", "max(slow{namespace=\"wb\"})"),
    ] {
        let line = format!("    query: {other}");
        check(&[(query, other)], &[(code, &line)]);
    }
}

#[test]
fn queries_ask_about_this_namespace() {
    let line = |wanted: &str| {
        let found = GOOD.lines().find(|line| line.contains(wanted));
        found.expect("the line").to_owned()
    };
    for (from, to) in [
        (
            "rate(errors_total[$WINDOW])",
            "rate(errors_total{namespace=\"wb\"}[$WINDOW])",
        ),
        (
            "increase(requests_total[$WINDOW])",
            "increase(requests_total{namespace='wb'}[$WINDOW])",
        ),
        (
            "{app=\"gateway\", level=\"error\"}",
            "{namespace=\"wb\", level=\"error\"}",
        ),
    ] {
        let changed = line(from).replace(from, to);
        check(&[(from, to)], &[("query-namespace", &changed)]);
        check(&[(from, &to.replace("wb", "web"))], &[]);
        let text = GOOD.replace(from, to);
        let found = parsed(&text);
        let [warning] = found.warnings() else {
            panic!("{}", found.plain());
        };
        assert_eq!(&text[warning.span.clone()], "wb");
        assert_eq!(warning.help, "did you mean `web`?");
    }
}

#[test]
fn what_is_waited_for_must_be_able_to_come() {
    let errors = GOOD
        .lines()
        .find(|line| line.contains("\"name\":\"errors\""))
        .expect("the step");
    for (code, from, to) in [
        (
            "hold-too-long",
            "\"rb.hold\":\"60s\"",
            "\"rb.hold\":\"160s\"",
        ),
        (
            "requests-window",
            "increase(requests_total[$WINDOW])",
            "increase(requests_total[10s])",
        ),
        (
            "requests-too-many",
            "\"rb.min-requests\":\"30000\"",
            "\"rb.min-requests\":\"3000000\"",
        ),
    ] {
        let line = errors.replace(from, to);
        assert_ne!(line, errors);
        check(&[(from, to)], &[(code, &line)]);
    }
}

#[test]
fn a_phase_carries_out_what_belongs_to_it() {
    check(
        &[(
            "\"name\":\"undo-schema\",\"rb.phase\":\"run\"",
            "\"name\":\"undo-schema\",\"rb.phase\":\"prepare\"",
        )],
        &[("prepare-ignored", "flyway undo -target=$TARGET_SCHEMA")],
    );
    let late = "```sh {\"name\":\"record\",\"rb.phase\":\"after\",\"rb.timeout\":\"60s\"}";
    check(
        &[(
            "\"name\":\"record\",\"rb.phase\":\"prepare\"",
            "\"name\":\"record\",\"rb.phase\":\"after\"",
        )],
        &[
            ("no-record", late),
            ("recorded-late", "kubectl get deployments -n web -o yaml"),
        ],
    );
}

#[test]
fn a_timeout_typed_by_hand_is_the_steps_budget() {
    let status = "kubectl rollout status deployment/$SERVICE -n web";
    let other = format!("{status} --timeout=60s");
    check(&[(status, &other)], &[("timeout-differs", &other)]);
}

#[test]
fn nothing_rolled_back_is_said() {
    let found = parsed(&GOOD.replace(block("undo"), ""));
    assert!(found.warnings().iter().any(|it| it.code == "no-undo"));
}
