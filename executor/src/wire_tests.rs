//! The format as others read it: what is written here must not change its meaning.

use std::time::Duration;

use jiff::Timestamp;

use super::{Body, Line, OutcomeKind, SCHEMA, body, report_line};
use crate::event::Event;
use crate::report::{Outcome, Report, StepOutcome, StepReport, TriggerEvent};
use crate::runbook::TriggerClass;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_777_888_800 + second).expect("in range")
}

fn report(outcome: Outcome) -> Report {
    Report {
        outcome,
        trigger: Some(TriggerEvent::manual(TriggerClass::Sla, at(0), "slow")),
        started_at: at(1),
        recovered_at: Some(at(8)),
        standing: None,
        steps: vec![StepReport {
            name: "undo-app".to_owned(),
            title: "Roll back the application".to_owned(),
            service: Some("gateway".to_owned()),
            started_at: at(2),
            finished_at: at(3),
            budget: Duration::from_secs(2),
            borrowed: Duration::ZERO,
            outcome: StepOutcome::AlreadySo,
            detail: "it is so".to_owned(),
        }],
        plan: None,
        evidence: vec!["incident-1/post-mortem.md".to_owned()],
        notes: Vec::new(),
    }
}

#[test]
fn a_report_is_one_line_with_the_documented_fields() {
    let report = report(Outcome::Recovered);
    let line = report_line(&report, "evidence", None, 0);
    let text = serde_json::to_string(&Line::new(at(9), Body::Report(line))).expect("serialises");
    assert_eq!(
        text,
        concat!(
            r#"{"schema":"rollback/1","at":"2026-05-04T10:00:09Z","event":"report","outcome":"recovered","reason":null,"#,
            r#""path":null,"trigger":{"name":"manual","class":"sla","value":null,"since":"2026-05-04T10:00:00Z","#,
            r#""fired_at":"2026-05-04T10:00:00Z","reason":"slow"},"started_at":"2026-05-04T10:00:01Z","#,
            r#""recovered_at":"2026-05-04T10:00:08Z","standing":null,"rto_claimed_ms":8000,"steps":[{"name":"undo-app","#,
            r#""title":"Roll back the application","service":"gateway","started_at":"2026-05-04T10:00:02Z","#,
            r#""finished_at":"2026-05-04T10:00:03Z","budget_ms":2000,"outcome":"already-so","detail":"it is so"}],"#,
            r#""evidence_dir":"evidence","files":["incident-1/post-mortem.md"],"notes":[],"resume":null,"exit_code":0}"#
        )
    );
}

#[test]
fn every_outcome_has_its_word_and_its_reason() {
    let reason = || "why".to_owned();
    let cases = [
        (Outcome::Recovered, OutcomeKind::Recovered, "recovered"),
        (
            Outcome::Escalated { reason: reason() },
            OutcomeKind::Escalated,
            "escalated",
        ),
        (
            Outcome::Stopped { reason: reason() },
            OutcomeKind::Stopped,
            "stopped",
        ),
        (
            Outcome::NothingToDo { reason: reason() },
            OutcomeKind::NothingToDo,
            "nothing-to-do",
        ),
    ];
    for (outcome, kind, word) in cases {
        let line = report_line(&report(outcome), "evidence", None, 0);
        assert_eq!(line.outcome, kind);
        assert_eq!(line.reason.is_none(), kind == OutcomeKind::Recovered);
        let json = serde_json::to_value(&line).expect("serialises");
        assert_eq!(json["outcome"], word);
    }
}

#[test]
fn a_line_is_read_back_as_it_was_written() {
    let bodies = [
        body(&Event::StepStarted {
            name: "undo-app".to_owned(),
            service: Some("gateway".to_owned()),
            budget: Duration::from_millis(1500),
        }),
        body(&Event::TriggerFired(TriggerEvent::manual(
            TriggerClass::P0,
            at(0),
            "why",
        ))),
        Some(Body::Report(report_line(
            &report(Outcome::Recovered),
            "e",
            Some("rollback resume".to_owned()),
            0,
        ))),
    ];
    for said in bodies {
        let line = Line::new(at(3), said.expect("said"));
        let text = serde_json::to_string(&line).expect("serialises");
        assert!(!text.contains('\n'));
        let back: Line = serde_json::from_str(&text).expect("read back");
        assert_eq!(back, line);
        assert_eq!(back.schema, SCHEMA);
    }
}

#[test]
fn what_json_cannot_say_is_null() {
    let mut fired = TriggerEvent::manual(TriggerClass::Sla, at(0), "why");
    fired.value = Some(f64::NAN);
    for event in [
        Event::TriggerFired(fired),
        Event::TriggerPending {
            trigger: "sla".to_owned(),
            value: f64::INFINITY,
        },
    ] {
        let line = Line::new(at(0), body(&event).expect("said"));
        let json = serde_json::to_value(&line).expect("serialises");
        assert!(json["value"].is_null(), "{json}");
    }
}
