//! What a good runbook is read as.

use std::time::Duration;

use miette::Diagnostic;

use super::base::{GOOD, mistakes, parsed, with};
use crate::pod_port::PodPort;
use crate::runbook::{Command, Naming, OnFail, Phase, Runbook, Series, TriggerClass, When};

const ROLLBACK: &str = include_str!("../../../../runbooks/rollback.md");

fn step(text: &str, name: &str) -> crate::runbook::Step {
    let found = parsed(text)
        .runbook
        .steps
        .into_iter()
        .find(|it| it.name == name);
    found.expect("the step")
}

#[test]
fn the_rollback_runbook_loads_without_a_warning() {
    let parsed = parsed(ROLLBACK);
    assert_eq!(parsed.plain(), "");
    assert!(parsed.diagnostic().is_none());
    assert_eq!(parsed.runbook.services, ["matching", "risk", "gateway"]);
    let triggers: Vec<&str> = parsed
        .runbook
        .triggers
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(
        triggers,
        [
            "p0-matching-irregularity",
            "p0-state-hash",
            "p0-order-failures",
            "sla-latency-p99",
            "sla-throughput",
            "data-balance-anomaly",
        ]
    );
    let outline = parsed
        .runbook
        .to_string()
        .replace(&parsed.runbook.digest[..12], "DIGEST");
    insta::assert_snapshot!(outline);
}

#[test]
fn the_front_matter_is_read() {
    let runbook = parsed(GOOD).runbook;
    assert_eq!(runbook.title, "Go back");
    assert_eq!(runbook.rto, Duration::from_secs(300));
    assert_eq!(runbook.rpo_records, 0);
    assert_eq!(runbook.validation_window, Duration::from_secs(3_600));
    assert_eq!(runbook.namespace, "web");
    assert_eq!(runbook.services, ["matching", "gateway"]);
    assert_eq!(runbook.prometheus, "http://prometheus:9090");
    assert_eq!(runbook.loki.as_deref(), Some("http://loki:3100"));
    let [trigger] = runbook.triggers.as_slice() else {
        panic!("one trigger");
    };
    assert_eq!(trigger.class, TriggerClass::Sla);
    assert_eq!(trigger.condition.to_string(), "> 0.1");
    assert_eq!(trigger.hold_for, Duration::from_secs(20));
    assert_eq!(
        parsed(&with("loki: http://loki:3100/\n", "")).runbook.loki,
        None
    );
    assert_eq!(runbook.migrations, "migrations");
    assert!(runbook.naming.is_default());
    let keys =
        "rpo: 0\nmigrations: shop-migrations\nhalts: ordering\nrecords: baskets\nlog: journal\n";
    let named = parsed(&with("rpo: 0\n", keys)).runbook;
    assert_eq!(named.migrations, "shop-migrations");
    assert_eq!(
        named.naming,
        Naming {
            halts: "ordering".to_owned(),
            records: "baskets".to_owned(),
            log: "journal".to_owned(),
        }
    );
}

#[test]
fn what_is_put_into_sentences_is_short_and_has_no_control_character() {
    let long = "x".repeat(61);
    for wrong in [long.as_str(), "\"new\\nline\"", "\"\\u001b[2J\""] {
        for key in ["halts", "records", "log"] {
            let text = with("rpo: 0\n", &format!("rpo: 0\n{key}: {wrong}\n"));
            let told = mistakes(&text);
            let of_it = |it: &crate::runbook::Mistake| it.message.contains("is put into sentences");
            assert!(told.iter().any(of_it), "{key}: {wrong}: {told:?}");
        }
    }
    let longest = with("rpo: 0\n", &format!("rpo: 0\nhalts: {}\n", &long[..60]));
    assert_eq!(parsed(&longest).runbook.naming.halts.len(), 60);
}

/// Services that listen at different ports are checked by one step.
#[test]
fn without_a_port_each_pod_is_asked_at_its_own() {
    let text = GOOD
        .replace("$POD:8080", "$POD")
        .replace("$POD:9000", "$POD");
    let steps = parsed(&text).runbook.steps;
    let words = |step: &crate::runbook::Step| step.command.in_words(|_| String::new());
    let at: Vec<String> = steps
        .iter()
        .map(words)
        .filter(|it| it.contains("port"))
        .collect();
    let wanted = [
        "checks the health of every pod at its first port",
        "checks the build of every pod at its first port",
        "asks every pod at its first port for the growth of ",
    ];
    assert_eq!(at.len(), wanted.len(), "{at:?}");
    assert!(
        at.iter()
            .zip(wanted)
            .all(|(at, wanted)| at.starts_with(wanted)),
        "{at:?}"
    );
}

#[test]
fn every_command_is_understood() {
    let steps = parsed(GOOD).runbook.steps;
    let commands: Vec<Command> = steps.iter().map(|it| it.command.clone()).collect();
    assert_eq!(
        commands,
        [
            Command::RecordRelease,
            Command::Snapshot {
                name: "before".into()
            },
            Command::SetConfigValue {
                name: "trading".into(),
                key: "mode".into(),
                value: "halted".into(),
            },
            Command::Fence,
            Command::DumpLogs {
                since: Duration::from_secs(600)
            },
            Command::UndoSchema,
            Command::RestoreSnapshot {
                name: "before".into()
            },
            Command::ReplayLog,
            Command::RestoreConfig,
            Command::RolloutResume,
            Command::RolloutUndo { pinned: true },
            Command::RolloutStatus,
            Command::ReviewReplicaSets,
            Command::CheckHealth {
                port: PodPort::Number(8080)
            },
            Command::CheckBuildInfo {
                port: PodPort::Number(9_000)
            },
            Command::Unfence,
            Command::CheckCounter {
                port: PodPort::Number(8080),
                series: Series {
                    name: "requests_total".into(),
                    labels: [("code", "503"), ("maintenance", "true")]
                        .map(|(label, value)| (label.into(), value.into()))
                        .into(),
                },
            },
            Command::PromQuery {
                query: "sum(rate(errors_total[$WINDOW])) / sum(rate(requests_total[$WINDOW]))"
                    .into(),
            },
            Command::LogQuery {
                query: "sum(count_over_time({app=\"gateway\", level=\"error\"}[$WINDOW]))".into(),
            },
            Command::WritePostMortem,
            Command::WriteScenario,
        ]
    );
}

#[test]
fn attributes_are_read() {
    let undo = step(GOOD, "undo");
    assert_eq!((undo.title.as_str(), undo.phase), ("Undo", Phase::Run));
    assert_eq!((undo.on_fail, undo.when), (OnFail::Abort, When::Always));
    assert!(undo.for_each_service);
    assert_eq!(undo.timeout, Duration::from_secs(3));
    assert_eq!(
        undo.text,
        "kubectl rollout undo deployment/$SERVICE \\\n  -n web --to-revision=$TARGET_REVISION"
    );
    assert_eq!(
        GOOD.lines().nth(undo.line - 1),
        Some("kubectl rollout undo deployment/$SERVICE \\")
    );
    let logs = step(GOOD, "logs");
    assert_eq!(logs.on_fail, OnFail::Continue);
    let errors = step(GOOD, "errors");
    assert_eq!(
        errors.expect.map(|it| it.to_string()).as_deref(),
        Some("< 0.0001")
    );
    assert_eq!(errors.min_requests, Some(30_000));
    assert_eq!(
        errors.count_query.as_deref(),
        Some("sum(increase(requests_total[$WINDOW]))")
    );
    assert_eq!(errors.hold, Some(Duration::from_secs(60)));
}

#[test]
fn a_command_may_be_written_in_several_ways() {
    let original =
        "kubectl rollout undo deployment/$SERVICE \\\n  -n web --to-revision=$TARGET_REVISION";
    for other in [
        "kubectl rollout undo --to-revision $TARGET_REVISION --namespace=web deployment $SERVICE",
        "kubectl -n web rollout undo deploy/$SERVICE --to-revision='$TARGET_REVISION'",
        "# the undo\nkubectl rollout undo deployment/$SERVICE --namespace \"web\" --to-revision=$TARGET_REVISION # pinned",
    ] {
        let read = step(&with(original, other), "undo");
        assert_eq!(
            read.command,
            Command::RolloutUndo { pinned: true },
            "{other}"
        );
    }
}

#[test]
fn line_ends_of_windows_are_line_ends() {
    let read = parsed(&GOOD.replace('\n', "\r\n")).runbook;
    let steps = |runbook: &Runbook| -> Vec<_> {
        runbook
            .steps
            .iter()
            .map(|it| (it.line, it.command.clone()))
            .collect()
    };
    assert_eq!(steps(&read), steps(&parsed(GOOD).runbook));
}

#[test]
fn the_digest_is_of_the_text() {
    let digest = parsed(GOOD).runbook.digest;
    assert_eq!(digest, parsed(GOOD).runbook.digest);
    assert_ne!(digest, parsed(&with("Prose.", "Prose!")).runbook.digest);
    assert_eq!(digest.len(), 32);
}

#[test]
fn blocks_in_other_languages_are_prose() {
    let text = with(
        "Prose.\n",
        "```json\n{\"a\": 1}\n```\n\n```\nsudo rm\n```\n\n````text\n```sh\nls\n```\n````\n",
    );
    let mut expected = parsed(GOOD).runbook.steps;
    for step in &mut expected {
        step.line += text.lines().count() - GOOD.lines().count();
    }
    assert_eq!(parsed(&text).runbook.steps, expected);
}

#[test]
fn all_mistakes_are_reported_in_one_go_and_in_order() {
    let text = with("rto: 300s", "rto: soon")
        .replace("rollback db fence", "rollback db fnce")
        .replace("\"name\":\"health\"", "\"nmae\":\"health\"")
        .replace("rollback scenario", "rollback scenario | tee log");
    let codes: Vec<&str> = mistakes(&text).iter().map(|it| it.code).collect();
    assert_eq!(
        codes,
        [
            "front-matter-type",
            "command-unknown",
            "attribute-missing",
            "attribute-unknown",
            "command-shell",
        ]
    );
}

#[test]
fn errors_are_diagnostics_with_their_source() {
    let text = with("rollback db fence", "rollback db fnce");
    let errors = Runbook::parse("runbooks/x.md", &text).expect_err("a mistake");
    assert_eq!(
        errors.to_string(),
        "runbooks/x.md has 1 mistake, first at 37:1"
    );
    assert_eq!(
        errors.plain(),
        "runbooks/x.md:37:1: error: `rollback db fnce` is not understood (unknown command)\n    help: did you mean `rollback db fence`?\n"
    );
    let mut shown = String::new();
    miette::NarratableReportHandler::new()
        .render_report(&mut shown, &errors)
        .expect("rendering");
    assert!(shown.contains("rollback db fnce"), "{shown}");
    assert!(shown.contains("37"), "{shown}");
    assert_eq!(errors.related().map(Iterator::count), Some(1));
}

#[test]
fn what_people_type_is_read_as_what_it_means() {
    for (from, to) in [
        (
            " -n web -l app=$SERVICE --timestamps",
            " -nweb -lapp=$SERVICE --timestamps",
        ),
        (
            " -n web -l app=$SERVICE --timestamps",
            " -n=web --selector app=$SERVICE --timestamps",
        ),
        (
            " -n web -l app=$SERVICE --timestamps",
            " -n web -l app.kubernetes.io/name=$SERVICE --timestamps",
        ),
        ("--since=10m --tail=-1", "--tail -1 --since 10m"),
        ("deployments -n web -o yaml", "deploy -nweb -oyaml"),
        (
            "deployments -n web -o yaml",
            "deployments.apps -o=yaml -n=web",
        ),
        ("replicasets -n web", "rs -n web"),
        ("replicasets -n web", "replicasets.apps -n web"),
        ("undo deployment/$SERVICE", "undo deployment.apps/$SERVICE"),
        (
            "status deployment/$SERVICE",
            "status deployment.v1.apps $SERVICE",
        ),
        (
            "status deployment/$SERVICE -n web",
            "status deployment/$SERVICE -n web --timeout=20s",
        ),
        ("patch configmap trading", "patch configmap/trading"),
        ("patch configmap trading", "patch cm trading"),
        ("| grep 'requests", "| grep -F 'requests"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let read = parsed(&GOOD.replacen(from, to, 1));
        assert_eq!(read.plain(), parsed(GOOD).plain(), "{to}");
        let steps = |runbook: &Runbook| -> Vec<Command> {
            runbook.steps.iter().map(|s| s.command.clone()).collect()
        };
        assert_eq!(steps(&read.runbook), steps(&parsed(GOOD).runbook), "{to}");
    }
    assert!(Runbook::parse("x.md", &format!("\u{feff}{GOOD}")).is_ok());
    // Prose that begins with a key is prose.
    let prose = GOOD.replacen("\nProse.\n", "\nrto: what it is.\n\n---\n\nProse.\n", 1);
    assert!(Runbook::parse("x.md", &prose).is_ok());
}

#[test]
fn a_dump_of_ten_lines_is_warned_of_and_a_warning_is_no_refusal() {
    let cut = parsed(&GOOD.replacen(" --tail=-1", "", 1));
    let codes: Vec<&str> = cut.warnings().iter().map(|it| it.code).collect();
    assert!(codes.contains(&"logs-cut"), "{codes:?}");
    let diagnostic = cut.diagnostic().expect("there is a warning");
    let code = diagnostic.code().map(|code| code.to_string());
    assert_eq!(code.as_deref(), Some("runbook::warnings"));
    assert!(diagnostic.to_string().contains("warning"), "{diagnostic}");
    let some = Runbook::parse("x.md", &GOOD.replacen("--tail=-1", "--tail=100", 1));
    assert!(some.is_err_and(|it| it.plain().contains("all lines are saved")));
}
