//! How the ledger is dealt with.

use jiff::Timestamp;

use super::base::{at, migrated, observed, row, runbook, trigger};
use crate::planner::{LedgerPath, PlanError, decide, header, plan};
use crate::ports::{LedgerPosition, Snapshot};
use crate::runbook::{Command, OnFail, TriggerClass};

#[test]
fn headers_are_comments_at_the_top() {
    for (sql, expected) in [
        ("-- rollback: compatible\nSELECT 1", Some("compatible")),
        ("\u{feff}--rollback:lossless", Some("lossless")),
        (
            "\n-- About it.\n--   rollback: breaking  \n",
            Some("breaking"),
        ),
        ("SELECT 1;\n-- rollback: compatible", None),
        ("-- rollbacks: compatible", None),
        ("", None),
    ] {
        assert_eq!(header(sql), expected, "{sql:?}");
    }
}

#[test]
fn the_ledgers_path() {
    use LedgerPath::{Application, Restore, Undo};
    for (v, u, success, expected) in [
        (Some("compatible"), None, true, Application),
        (Some("compatible"), Some("lossless"), true, Application),
        (Some("breaking"), Some("lossless"), true, Undo),
        (Some("breaking"), Some("lossy"), true, Restore),
        (Some("breaking"), None, true, Restore),
        (Some("breaking"), Some("whatever"), true, Restore),
        (None, Some("lossless"), true, Undo),
        (None, None, true, Restore),
        // A failed migration is never undone, and never compatible.
        (Some("breaking"), Some("lossless"), false, Restore),
        (Some("compatible"), Some("lossless"), false, Restore),
    ] {
        let found = decide(&migrated(v, u, success));
        assert_eq!(found.path, expected, "{v:?} {u:?} {success}: {}", found.why);
        assert_eq!(found.undo.len(), usize::from(expected == Undo));
    }
}

#[test]
fn every_newer_version_must_be_undoable_and_the_newest_goes_first() {
    let mut observed = migrated(Some("breaking"), Some("lossless"), true);
    observed.history.push(row(3, "3", true));
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
    observed
        .scripts
        .insert("U3__d.sql".to_owned(), "-- rollback: lossless\n".to_owned());
    let decision = decide(&observed);
    let versions: Vec<&str> = decision
        .undo
        .iter()
        .map(|script| script.version.as_str())
        .collect();
    assert_eq!(versions, ["3", "2"]);
    let mut repeatable = row(4, "x", true);
    repeatable.version = None;
    observed.history.push(repeatable);
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
}

#[test]
fn wrong_data_are_restored_whatever_the_schema() {
    let mut observed = observed(&[("matching", "2")]);
    observed.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    assert_eq!(decide(&observed).path, LedgerPath::Restore);
    observed.snapshot = None;
    assert!(matches!(
        plan(&runbook(), &observed),
        Err(PlanError::NoSnapshot { .. })
    ));
}

/// A snapshot that is not the recorded one is not put back: neither a later one nor an earlier one, an empty one, or
/// one at another schema.
#[test]
fn only_the_recorded_snapshot_may_be_restored() {
    let mut sound = observed(&[("matching", "2")]);
    sound.trigger = Some(trigger(TriggerClass::DataIntegrity, "anomaly"));
    let recorded = sound.baseline.snapshot.as_mut().expect("recorded");
    recorded.position.log_seq = 7;
    sound.snapshot.clone_from(&sound.baseline.snapshot);
    assert!(plan(&runbook(), &sound).is_ok(), "it is the recorded one");
    let others: [fn(&mut Snapshot); 5] = [
        |it| it.taken_at = at(50),
        |it| it.taken_at = Timestamp::UNIX_EPOCH,
        |it| it.position = LedgerPosition::default(),
        |it| it.schema_version = Some("2".to_owned()),
        |it| it.name.push('x'),
    ];
    let mut undoable = migrated(Some("breaking"), Some("lossless"), true);
    let mut with_fallback = runbook();
    for step in &mut with_fallback.steps {
        if step.command == Command::UndoSchema {
            step.on_fail = OnFail::Restore;
        }
    }
    for other in others {
        let mut observed = sound.clone();
        other(observed.snapshot.as_mut().expect("a snapshot"));
        if observed.snapshot == sound.snapshot {
            continue;
        }
        let refused = plan(&runbook(), &observed).expect_err("another snapshot");
        let said = refused.to_string();
        assert!(matches!(refused, PlanError::NoSnapshot { .. }), "{said}");
        assert!(said.contains("recorded was `before_release`"), "{said}");
        assert!(said.contains("a person must"), "{said}");
        // Nor does it stand by for an undo that fails.
        undoable.baseline.snapshot.clone_from(&sound.snapshot);
        undoable.snapshot.clone_from(&sound.snapshot);
        other(undoable.snapshot.as_mut().expect("a snapshot"));
        let made = plan(&with_fallback, &undoable).expect("a plan");
        assert!(made.steps.iter().all(|it| it.name != "restore"));
        let notes = made.notes.join("\n");
        assert!(notes.contains("nothing is restored"), "{notes}");
    }
    sound.baseline.snapshot = None;
    assert!(plan(&runbook(), &sound).is_err(), "nothing was recorded");
}
