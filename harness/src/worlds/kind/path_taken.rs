//! Which way a rollback took, of a program that does not say it: what was there at the trigger beside what is there at
//! the end.

use std::collections::BTreeMap;

use super::stage::Notes;
use crate::scenario::Path;

/// What of a rollback's way can be seen.
#[derive(Clone)]
pub(super) struct Seen {
    /// The lasting state, as path to value.
    pub(super) state: BTreeMap<String, String>,
    /// The ledger's own identity in the server (`pg_database.oid`), where there is a ledger. A restore puts another
    /// database in its place.
    pub(super) ledger: Option<u32>,
}

/// Tells in the evidence which way the rollback took until `after`, if a program did not say it.
pub(super) fn tell(notes: &mut Notes, after: &Seen) {
    let said = &mut notes.evidence.executor.path;
    if let (Path::None, Some(before)) = (*said, &notes.at_trigger) {
        *said = path_between(before, after);
    }
}

/// The way from `before` to `after`.
fn path_between(before: &Seen, after: &Seen) -> Path {
    if before.ledger != after.ledger {
        Path::Restore
    } else if undone(&after.state).any(|row| !undone(&before.state).any(|it| it == row)) {
        Path::Undo
    } else if before.state != after.state {
        Path::Application
    } else {
        Path::None
    }
}

/// The rows of Flyway's history that say that a version was undone.
fn undone(state: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let is_undo = |kind: &str| kind.starts_with("UNDO");
    state.iter().filter(move |(path, row)| {
        path.starts_with("schema/history/") && row.split(' ').nth(1).is_some_and(is_undo)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ledger: u32, state: &[(&str, &str)]) -> Seen {
        let pair = |(path, value): &(&str, &str)| ((*path).to_owned(), (*value).to_owned());
        Seen {
            state: state.iter().map(pair).collect(),
            ledger: Some(ledger),
        }
    }

    #[test]
    fn the_way_is_known_by_what_it_leaves() {
        let old = ("schema/history/1", "1 SQL V1__a.sql success=true");
        let new = ("schema/history/2", "2 SQL V2__b.sql success=true");
        let undo = ("schema/history/3", "2 UNDO_SQL U2__b.sql success=true");
        let (bad, good) = (
            ("deployment/a/template", "2"),
            ("deployment/a/template", "1"),
        );
        let before = seen(7, &[old, new, bad]);
        assert_eq!(path_between(&before, &before.clone()), Path::None);
        let application = seen(7, &[old, new, good]);
        assert_eq!(path_between(&before, &application), Path::Application);
        let undone = seen(7, &[old, new, undo, good]);
        assert_eq!(path_between(&before, &undone), Path::Undo);
        // What was undone before the trigger is not this rollback's.
        assert_eq!(
            path_between(&undone, &seen(7, &[old, new, undo, bad])),
            Path::Application
        );
        assert_eq!(path_between(&before, &seen(8, &[old, good])), Path::Restore);
    }
}
