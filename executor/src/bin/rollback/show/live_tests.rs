//! The block that is redrawn.

use super::super::progress::Progress;
use super::super::progress::tests::{RTO, after, at};
use super::block;

fn plain(progress: &Progress, second: i64) -> Vec<String> {
    block(progress, at(second), RTO)
        .iter()
        .map(|line| anstream::adapter::strip_str(line).to_string())
        .collect()
}

#[test]
fn it_shows_both_clocks_the_reason_and_what_comes_next() {
    let mut progress = after(1);
    let waiting = executor::Event::StepWaiting {
        name: "fence".to_owned(),
        service: None,
        why: "3 sessions left".to_owned(),
    };
    progress.take_in(at(3), &waiting);
    assert_eq!(
        plain(&progress, 5),
        [
            "4:55 left of the RTO of 5:00 (0:05 gone)  step 2 of 6",
            "> fence  7 s left of 10 s",
            "    3 sessions left",
            "  then undo-app (gateway), unfence, open, and 1 more",
        ]
    );
}

#[test]
fn it_says_when_the_rto_is_missed_and_when_only_the_proof_is_left() {
    assert_eq!(
        plain(&after(1), 312)[0],
        "RTO of 5:00 missed by 0:12  step 2 of 6"
    );
    let proving = plain(&after(5), 60);
    assert_eq!(
        proving[0],
        "back after 0:06 of 5:00, if the checks hold  step 6 of 6"
    );
    assert_eq!(proving[3], "");
}

#[test]
fn it_says_that_a_stop_was_asked_for() {
    let mut progress = after(1);
    progress.stopping = true;
    assert!(plain(&progress, 5)[0].ends_with("stopping at the next safe point"));
}

#[test]
fn before_there_is_a_plan_it_is_empty() {
    assert!(plain(&Progress::default(), 5).iter().all(String::is_empty));
}
