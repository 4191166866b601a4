//! What the events come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use executor::planner::{LedgerDecision, LedgerPath, Plan, PlannedStep};
use executor::runbook::{Command, Naming, OnFail, Phase, TriggerClass};
use executor::{Event, StepOutcome, TriggerEvent};
use jiff::Timestamp;

use super::{Clock, Progress};

pub(in crate::show) const RTO: Duration = Duration::from_secs(300);

pub(in crate::show) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_777_888_800 + second).expect("in range")
}

fn flag(value: &str) -> Command {
    Command::SetConfigValue {
        name: "dex-trading".to_owned(),
        key: "mode".to_owned(),
        value: value.to_owned(),
    }
}

fn plan() -> Plan {
    let window = Command::PromQuery {
        query: "errors[$WINDOW]".to_owned(),
    };
    let steps = [
        ("halt", flag("maintenance")),
        ("fence", Command::Fence),
        ("undo-app", Command::RolloutUndo { pinned: true }),
        ("unfence", Command::Unfence),
        ("open", flag("open")),
        ("error-rate", window),
    ];
    let step = |(index, (name, command)): (usize, (&str, Command))| PlannedStep {
        index,
        name: name.to_owned(),
        title: name.to_owned(),
        service: (name == "undo-app").then(|| "gateway".to_owned()),
        text: String::new(),
        command,
        phase: Phase::Run,
        budget: Duration::from_secs(10),
        on_fail: OnFail::Abort,
        instead_of: None,
        expect: None,
        min_requests: None,
        count_query: None,
        hold: None,
        because: None,
        why: String::new(),
    };
    Plan {
        runbook: "Roll back".to_owned(),
        digest: String::new(),
        observed_at: at(0),
        trigger: Some(TriggerEvent::manual(TriggerClass::Sla, at(0), "slow")),
        ledger: LedgerDecision {
            path: LedgerPath::Undo,
            because: None,
            why: String::new(),
            undo: Vec::new(),
        },
        target_schema: None,
        set_aside: String::new(),
        halts_nothing: false,
        naming: Naming {
            halts: "trading".to_owned(),
            ..Naming::default()
        },
        services: Vec::new(),
        unchanged: Vec::new(),
        left_alone: Vec::new(),
        steps: steps.into_iter().enumerate().map(step).collect(),
        stand_by: Vec::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

/// A rollback whose first `done` steps took a second each; the next one began.
pub(in crate::show) fn after(done: usize) -> Progress {
    let plan = Arc::new(plan());
    let mut progress = Progress::default();
    let force = Event::PlanInForce {
        plan: Arc::clone(&plan),
        next: 0,
    };
    progress.take_in(at(1), &force);
    let mut second = 1;
    for step in &plan.steps {
        let (name, service) = (step.name.clone(), step.service.clone());
        progress.take_in(
            at(second),
            &Event::StepStarted {
                name: name.clone(),
                service: service.clone(),
                budget: step.budget,
            },
        );
        if step.index == done {
            break;
        }
        second += 1;
        progress.take_in(
            at(second),
            &Event::StepFinished {
                name,
                service,
                outcome: StepOutcome::Done,
                detail: String::new(),
            },
        );
    }
    progress
}

#[test]
fn the_clock_runs_from_the_trigger_and_stops_when_only_checks_are_left() {
    let left = |gone| Clock::Left {
        left: RTO - Duration::from_secs(gone),
        gone: Duration::from_secs(gone),
    };
    assert_eq!(after(2).clock(at(3), RTO), left(3));
    assert_eq!(after(4).clock(at(40), RTO), left(40));
    let over = Clock::Over {
        by: Duration::from_secs(7),
    };
    assert_eq!(after(2).clock(at(307), RTO), over);
    let proving = Clock::Proving {
        took: Duration::from_secs(6),
    };
    assert_eq!(after(5).clock(at(160), RTO), proving);
    assert_eq!(Progress::default().clock(at(0), RTO), Clock::Unset);
}

#[test]
fn it_knows_what_is_under_way_and_what_is_to_come() {
    let progress = after(2);
    assert_eq!(progress.count(), (2, 6));
    assert_eq!(progress.to_come(), ["unfence", "open", "error-rate"]);
    let current = progress.current.expect("a step is under way");
    assert_eq!(current.label, "undo-app (gateway)");
    assert_eq!(current.since, at(3));
}

#[test]
fn it_says_whether_trading_is_halted() {
    let says: BTreeMap<usize, String> = (0..6)
        .map(|done| (done, after(done).standing().expect("there is a plan")))
        .collect();
    assert_eq!(says[&0], "The ledger is not fenced: trading is not halted.");
    assert_eq!(
        says[&1],
        "The ledger is not fenced, but dex-trading: mode=maintenance is set until `open`: trading is halted."
    );
    let fenced = "The ledger stays fenced (dex-trading: mode=maintenance): trading is halted.";
    assert_eq!(says[&2], fenced);
    assert_eq!(says[&3], fenced);
    assert_eq!(says[&4], says[&1]);
    assert_eq!(
        says[&5],
        "The ledger is not fenced (dex-trading: mode=open): trading is not halted."
    );
    assert_eq!(Progress::default().standing(), None);
}

#[test]
fn a_step_that_failed_may_have_taken_effect() {
    let mut progress = after(1);
    let failed = Event::StepFinished {
        name: "fence".to_owned(),
        service: None,
        outcome: StepOutcome::Failed,
        detail: "connection reset by peer".to_owned(),
    };
    progress.take_in(at(5), &failed);
    assert_eq!(
        progress.standing().as_deref(),
        Some(
            "It is not known whether `fence` took effect, so look at that first. If it did not: The ledger is not \
             fenced, but dex-trading: mode=maintenance is set until `open`: trading is halted. If it \
             did: The ledger stays fenced (dex-trading: mode=maintenance): trading is halted."
        )
    );
}
