//! Scenario files: the built-in ones are right, and each kind of mistake is pointed at.

use std::fmt::Write as _;

use super::*;

const GOOD: &str = include_str!("../../../scenarios/latency-regression.toml");

fn triggers() -> Vec<String> {
    [
        "sla-latency-p99",
        "data-balance-anomaly",
        "p0-order-failures",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn built_in_scenarios_read_and_survive_rewriting() {
    for built_in in BUILT_IN {
        let scenario = Scenario::parse(built_in.file, built_in.text, &[]).expect(built_in.name);
        assert_eq!(scenario.name, built_in.name);
        let rewritten = scenario.to_toml();
        let again = Scenario::parse("rewritten", &rewritten, &[]).expect("rewritten");
        assert_eq!(
            Scenario {
                text: String::new(),
                ..again
            },
            Scenario {
                text: String::new(),
                ..scenario
            }
        );
    }
    let defaults: Vec<&str> = BUILT_IN
        .iter()
        .filter(|b| b.by_default)
        .map(|b| b.name)
        .collect();
    assert_eq!(
        defaults,
        [
            "latency-regression",
            "balance-anomaly",
            "breaking-migration"
        ]
    );
}

#[test]
fn each_mistake_is_pointed_at() {
    let cases = [
        ("not TOML", "rate_per_s = 200", "rate_per_s = = 200"),
        ("unknown field", "duration = ", "durration = "),
        ("unknown table", "[load]", "[laod]"),
        ("missing field", "markets = 4\n", ""),
        ("wrong type", "rate_per_s = 200", "rate_per_s = \"200\""),
        ("bare duration", "warm_up = \"60s\"", "warm_up = 60"),
        ("bad duration", "hold = \"3m\"", "hold = \"3 minutes\""),
        ("bad rate", "\"0.01%\"", "\"0.01\""),
        (
            "bad name",
            "name = \"latency-regression\"",
            "name = \"Latency regression\"",
        ),
        ("unknown release", "1.5.0-slow-path", "1.5.0-slow-pth"),
        ("deploys itself", "1.5.0-slow-path", "1.4.2"),
        ("rate 0", "rate_per_s = 200", "rate_per_s = 0"),
        ("negative accounts", "accounts = 1000", "accounts = -5"),
        ("unknown trigger", "sla-latency-p99", "sla-latency-p95"),
        (
            "unknown path",
            "path = \"application\"",
            "path = \"aplication\"",
        ),
        (
            "path without trigger",
            "trigger = \"sla-latency-p99\"",
            "trigger = \"none\"",
        ),
        (
            "trigger without path",
            "path = \"application\"",
            "path = \"none\"",
        ),
        ("lax rto", "rto_max = \"5m\"", "rto_max = \"6m\""),
        ("zero rto", "rto_max = \"5m\"", "rto_max = \"0s\""),
        ("lax error rate", "\"0.01%\"", "\"1%\""),
        ("zero error rate", "\"0.01%\"", "\"0%\""),
        (
            "p99 out of range",
            "p99_max = \"100ms\"",
            "p99_max = \"10s\"",
        ),
        (
            "negative losses",
            "trades_lost_max = 0",
            "trades_lost_max = -1",
        ),
        (
            "losses on a path without restore",
            "trades_lost_max = 0",
            "trades_lost_max = 5",
        ),
        ("short warm-up", "warm_up = \"60s\"", "warm_up = \"1s\""),
        (
            "deploy during warm-up",
            "deploy_at = \"90s\"",
            "deploy_at = \"30s\"",
        ),
        (
            "deploy after the end",
            "deploy_at = \"90s\"",
            "deploy_at = \"20m\"",
        ),
        (
            "hold longer than the rest",
            "hold = \"3m\"",
            "hold = \"14m\"",
        ),
        ("does not fit", "duration = \"15m\"", "duration = \"6m\""),
        (
            "hold too short for the evidence",
            "hold = \"3m\"",
            "hold = \"20s\"",
        ),
        ("too long", "duration = \"15m\"", "duration = \"5h\""),
    ];
    insta::assert_snapshot!(told(GOOD, &cases));
}

#[test]
fn each_mistake_in_a_fault_is_pointed_at() {
    let good = GOOD.replace(
        "[expect]",
        "[[faults]]\nkind = \"api-slow\"\nwhen = \"trigger\"\ndelay = \"800ms\"\n\n[[faults]]\nkind = \"unreachable\"\ntarget = \"prometheus\"\nlasts = \"5s\"\n\n[expect]\noutcome = \"recovered\"",
    );
    let scenario = Scenario::parse("s.toml", &good, &triggers()).expect("right");
    assert_eq!(scenario.faults.len(), 2);
    let cases = [
        ("unknown kind", "api-slow", "api-slwo"),
        ("unknown instant", "when = \"trigger\"", "when = \"tigger\""),
        (
            "step without a name",
            "when = \"trigger\"",
            "when = \"step\"",
        ),
        ("delay missing", "delay = \"800ms\"\n", ""),
        ("no delay", "delay = \"800ms\"", "delay = \"0s\""),
        (
            "no chance",
            "delay = \"800ms\"",
            "delay = \"800ms\"\nchance = \"0%\"",
        ),
        ("delay means nothing", "lasts = \"5s\"", "delay = \"5s\""),
        ("target missing", "target = \"prometheus\"\n", ""),
        (
            "unknown target",
            "target = \"prometheus\"",
            "target = \"promtheus\"",
        ),
        (
            "target means nothing",
            "delay = \"800ms\"",
            "delay = \"800ms\"\ntarget = \"database\"",
        ),
        ("unknown field", "lasts = \"5s\"", "last = \"5s\""),
        ("unknown outcome", "\"recovered\"", "\"escalate\""),
    ];
    insta::assert_snapshot!(told(&good, &cases));
}

/// What is said about `good` with each of `cases` (what, from, to) made wrong.
fn told(good: &str, cases: &[(&str, &str, &str)]) -> String {
    let mut out = String::new();
    for &(what, from, to) in cases {
        assert!(good.contains(from), "{what}");
        let text = good.replacen(from, to, if what == "deploys itself" { 9 } else { 1 });
        let error = Scenario::parse("s.toml", &text, &triggers()).expect_err(what);
        let _ = writeln!(out, "## {what}");
        for mistake in &error.mistakes {
            let _ = writeln!(
                out,
                "{mistake}\n    {}\n    help: {}",
                mistake.label,
                mistake.help.replace('\n', " / ")
            );
        }
    }
    out
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = GOOD
        .replace("rate_per_s = 200", "rate_per_s = 0")
        .replace("1.5.0-slow-path", "9.9.9")
        .replace("rto_max = \"5m\"", "rto_max = \"10m\"");
    let error = Scenario::parse("s.toml", &text, &triggers()).expect_err("three mistakes");
    let lines: Vec<usize> = error.mistakes.iter().map(Mistake::line).collect();
    assert!(lines.len() >= 3 && lines.is_sorted(), "{lines:?}");
}

#[test]
fn arbitrary_text_is_refused_politely() {
    for text in [
        "",
        "\u{feff}",
        "[",
        "name = 1",
        "= \n=",
        "[[release]]\nfrom=1",
        "a.b.c = {}",
        "é = \"ü\"",
    ] {
        let error = Scenario::parse("s.toml", text, &[]).expect_err(text);
        assert!(!error.mistakes.is_empty());
    }
}
