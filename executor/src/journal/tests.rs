//! No order of entries other than the drawn state machine's is accepted, whatever is tried.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::store::{Met, met};
use super::{Entry, Record, State};
use crate::report::{Outcome, StepOutcome, StepReport};

const STEPS: usize = 3;

fn report() -> StepReport {
    StepReport {
        name: "n".to_owned(),
        title: "t".to_owned(),
        service: None,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        borrowed: std::time::Duration::ZERO,
        budget: Duration::from_secs(1),
        outcome: StepOutcome::Done,
        detail: String::new(),
    }
}

fn done(step: usize) -> Record {
    Record::Done {
        step,
        report: report(),
        data: Value::Null,
    }
}

fn failed(step: usize, go_on: bool) -> Record {
    Record::Failed {
        step,
        report: report(),
        go_on,
    }
}

fn escalated() -> Record {
    Record::Closed {
        outcome: Outcome::Escalated {
            reason: "r".to_owned(),
        },
    }
}

fn records() -> impl Strategy<Value = Record> {
    prop_oneof![
        1 => Just(Record::Planned { steps: STEPS }),
        4 => (0..=STEPS).prop_map(|step| Record::Intent { step, remedy: None }),
        4 => (0..=STEPS).prop_map(done),
        2 => (0..=STEPS, any::<bool>()).prop_map(|(step, go_on)| failed(step, go_on)),
        2 => (0..=STEPS).prop_map(|step| Record::MadeGood { step }),
        1 => Just(Record::Resumed),
        1 => Just(Record::Closed { outcome: Outcome::Recovered }),
        1 => Just(escalated()),
    ]
}

fn run(records: &[Record]) -> Result<State, super::IllegalTransition> {
    records
        .iter()
        .try_fold(State::Empty, |state, record| state.apply(record))
}

#[test]
fn the_ordinary_way() {
    let state = run(&[
        Record::Planned { steps: 2 },
        Record::Intent {
            step: 0,
            remedy: None,
        },
        done(0),
        done(1),
        Record::Closed {
            outcome: Outcome::Recovered,
        },
    ]);
    assert_eq!(state, Ok(State::Closed { stopped: None }));
}

#[test]
fn an_interrupted_step_is_done_again_and_a_failed_one_tried_again() {
    let plan = Record::Planned { steps: 2 };
    let intent = Record::Intent {
        step: 0,
        remedy: None,
    };
    let state = run(&[plan.clone(), intent.clone(), intent.clone(), done(0)]);
    assert_eq!(state.map(|state| state.next_step()), Ok(Some(1)));
    let state = run(&[
        plan,
        intent.clone(),
        failed(0, false),
        escalated(),
        intent,
        done(0),
    ]);
    assert_eq!(state, Ok(State::Ready { next: 1, steps: 2 }));
}

#[test]
fn what_is_made_good_leaves_its_step_to_do() {
    let by_remedy = Record::Intent {
        step: 0,
        remedy: Some("undo-app (gateway)".to_owned()),
    };
    let began = [Record::Planned { steps: 2 }, by_remedy];
    let with = |record: Record| run(&[began.as_slice(), &[record]].concat());
    let made_good = with(Record::MadeGood { step: 0 });
    assert_eq!(made_good, Ok(State::Ready { next: 0, steps: 2 }));
    assert!(with(Record::MadeGood { step: 1 }).is_err(), "another step");
    let unbegun = [Record::Planned { steps: 2 }, Record::MadeGood { step: 0 }];
    assert!(run(&unbegun).is_err());
}

#[test]
fn recovery_is_not_claimed_over_a_failed_or_missing_step() {
    let recovered = Record::Closed {
        outcome: Outcome::Recovered,
    };
    let plan = Record::Planned { steps: 1 };
    assert!(run(&[plan.clone(), recovered.clone()]).is_err());
    assert!(
        run(&[
            plan.clone(),
            Record::Intent {
                step: 0,
                remedy: None
            },
            recovered.clone()
        ])
        .is_err()
    );
    assert!(run(&[plan, failed(0, false), recovered]).is_err());
}

#[test]
fn a_conflict_is_anothers_only_if_another_wrote() {
    let entry = |seq: u32, by: &str, token: u64| Entry {
        seq,
        at: Timestamp::UNIX_EPOCH,
        token,
        by: by.to_owned(),
        record: Record::Resumed,
    };
    let known = [entry(1, "a", 3), entry(2, "a", 3)];
    let with = |more: Entry| [known.to_vec(), vec![more]].concat();
    // A label was set.
    assert_eq!(met(&known, &known, "a", Some(4)), Met::NoEntry);
    assert_eq!(met(&[], &[], "a", None), Met::NoEntry);
    // A write of an earlier attempt came late, of this host or another.
    for by in ["a", "b"] {
        let there = with(entry(3, by, 3));
        assert_eq!(met(&known, &there, "a", Some(4)), Met::Earlier);
    }
    assert_eq!(
        met(&known, &with(entry(3, "a", 4)), "a", Some(4)),
        Met::Earlier
    );
    assert_eq!(met(&known, &with(entry(3, "a", 3)), "a", None), Met::Other);
    // A successor of the same name, another host, another rollback, and entries that somebody removed.
    assert_eq!(
        met(&known, &with(entry(3, "a", 5)), "a", Some(4)),
        Met::Other
    );
    assert_eq!(
        met(&known, &with(entry(3, "b", 4)), "a", Some(4)),
        Met::Other
    );
    assert_eq!(met(&known, &[entry(1, "b", 9)], "a", Some(4)), Met::Other);
    assert_eq!(met(&known, &known[..1], "a", Some(4)), Met::Other);
    assert_eq!(met(&[], &known, "a", Some(4)), Met::Other);
}

proptest! {
    #[test]
    fn steps_are_never_skipped_or_repeated_once_done(tried in proptest::collection::vec(records(), 0..40)) {
        let mut state = State::Empty;
        let mut settled = 0;
        let mut planned = false;
        for record in &tried {
            let Ok(next) = state.apply(record) else { continue };
            match record {
                Record::Planned { .. } => {
                    prop_assert!(!state.is_open());
                    settled = 0;
                    planned = true;
                }
                Record::Intent { step, .. } | Record::MadeGood { step } => {
                    prop_assert_eq!(*step, settled);
                }
                Record::Done { step, .. } => {
                    prop_assert_eq!(*step, settled);
                    settled += 1;
                }
                Record::Failed { step, go_on, .. } => {
                    prop_assert_eq!(*step, settled);
                    settled += usize::from(*go_on);
                }
                Record::Closed { outcome: Outcome::Recovered } => prop_assert_eq!(settled, STEPS),
                Record::Resumed => prop_assert_eq!(&next, &state),
                Record::Closed { .. } => {}
            }
            prop_assert!(planned);
            if let Some(step) = next.next_step() {
                prop_assert_eq!(step, settled);
                prop_assert!(step < STEPS);
            }
            state = next;
        }
    }
}
