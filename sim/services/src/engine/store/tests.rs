//! What the store does with operations and requests.

use contract::ledger::DatabaseError;
use sim::time::Micros;

use super::ops::{StoreChange, StoreReply};
use super::requests::Served;
use super::server::Server;
use super::tables::{Reads, Stored};
use crate::describe::{
    Loses, Migration, Mismatch, SchemaNeed, SchemaRange, Script, Spread, Store, Undo,
};

const SECOND: Micros = Micros::from_secs(1);

fn at(second: u64) -> Micros {
    Micros::from_secs(second)
}

fn script(name: &str) -> Script {
    Script {
        name: name.to_owned(),
        sql: format!("-- {name}"),
    }
}

fn store(loses: Loses, has_log: bool) -> Server {
    let takes = Spread::of(SECOND, SECOND);
    let migration = |version: u32, undo| Migration {
        script: script(&format!("V{version}__step.sql")),
        takes,
        online: false,
        undo,
    };
    let undo = Undo {
        script: script("U2__step.sql"),
        takes,
        loses,
    };
    let store = Store {
        services: vec![0],
        scripts: Some("scripts".to_owned()),
        schema: 1,
        migrations: [
            (1, migration(1, None)),
            (2, migration(2, Some(undo))),
            (3, migration(3, None)),
        ]
        .into(),
        has_log,
        snapshot: takes,
        restore: takes,
    };
    Server::new(&store, 7)
}

fn reads(from: u32, to: u32) -> Reads {
    Reads {
        need: SchemaNeed {
            range: SchemaRange { from, to: Some(to) },
            otherwise: Mismatch::Exits,
        },
        broken_by: None,
    }
}

fn undo(token: u64) -> StoreChange {
    StoreChange::Undo(
        "U2__step.sql".to_owned(),
        "-- U2__step.sql".to_owned(),
        token,
    )
}

fn restore(token: u64) -> StoreChange {
    StoreChange::Restore {
        snapshot: "before".to_owned(),
        set_aside: "aside".to_owned(),
        token,
    }
}

/// Does it, from that second on; it ends within ten.
#[track_caller]
fn done(server: &mut Server, second: u64, change: &StoreChange) -> StoreReply {
    server.begin(at(second), change).expect("it may begin");
    server
        .finish(at(second + 10), change, 3)
        .expect("it ends well")
}

fn ids(server: &Server) -> Vec<u64> {
    server.rows().map(|row| row.id).collect()
}

#[test]
fn requests_wait_for_a_migration_and_fail_on_a_schema_that_they_can_not_read() {
    let mut server = store(Loses::Nothing, false);
    let old = reads(1, 1);
    assert_eq!(server.serve(at(0), old, 1), Served::Done);
    let takes = server
        .begin(at(1), &StoreChange::Migrate(2))
        .expect("it may");
    assert_eq!(takes, SECOND);
    assert_eq!(server.serve(at(1), old, 2), Served::Waits(at(2)));
    server
        .finish(at(2), &StoreChange::Migrate(2), 0)
        .expect("it ends well");
    let failed = "the schema is at version 2, and this build works on 1";
    assert_eq!(
        server.serve(at(2), old, 2),
        Served::Fails(failed.to_owned())
    );
    assert_eq!(
        server.keeps_out(old).as_deref(),
        Some(&*format!("cannot start: {failed}"))
    );
    assert_eq!(server.serve(at(2), reads(2, 2), 2), Served::Done);
    assert_eq!(server.keeps_out(reads(1, 2)), None);
    // Whatever is described, the builds that the migration breaks read no more.
    let broken = Reads {
        broken_by: Some(2),
        ..reads(1, 2)
    };
    assert!(matches!(server.serve(at(2), broken, 3), Served::Fails(_)));
    // Whoever starts all the same says so.
    let mut lenient = old;
    lenient.need.otherwise = Mismatch::Errors;
    assert_eq!(server.keeps_out(lenient), None);
    assert_eq!(ids(&server), [1, 2]);
}

#[test]
fn a_write_that_comes_again_is_there_once() {
    let mut server = store(Loses::Nothing, true);
    for _ in 0..3 {
        assert_eq!(server.serve(at(0), reads(1, 1), 5), Served::Done);
    }
    assert_eq!(server.seen().position.log_seq, 1);
    let rows: Vec<Stored> = server.rows().collect();
    assert_eq!(rows, [server.content(5)]);
}

#[test]
fn an_undo_loses_what_is_described_of_what_was_written_since_and_nothing_before() {
    for (loses, kept, unchanged) in [
        (Loses::Nothing, vec![1, 2], vec![1, 2]),
        (Loses::Values, vec![1, 2], vec![1]),
        (Loses::Rows, vec![1], vec![1]),
    ] {
        let mut server = store(loses, false);
        server.serve(at(0), reads(1, 1), 1);
        done(&mut server, 0, &StoreChange::Migrate(2));
        server.serve(at(20), reads(2, 2), 2);
        let unfenced = server.begin(at(21), &undo(1));
        assert_eq!(
            unfenced,
            Err(DatabaseError::Precondition(
                "the fence is not up".to_owned()
            ))
        );
        done(&mut server, 30, &StoreChange::Fence(1));
        done(&mut server, 40, &undo(1));
        assert_eq!(server.version(), 1, "{loses:?}");
        assert_eq!(ids(&server), kept, "{loses:?}");
        let same = server.rows().filter(|row| *row == server.content(row.id));
        let same: Vec<u64> = same.map(|row| row.id).collect();
        assert_eq!(same, unchanged, "{loses:?}");
        // Once more, nothing is left to do.
        assert_eq!(server.begin(at(60), &undo(1)), Ok(Micros::ZERO));
        done(&mut server, 60, &undo(1));
        assert_eq!(ids(&server), kept, "{loses:?}");
    }
}

#[test]
fn a_restore_brings_back_the_rows_of_before_and_a_log_those_since() {
    for has_log in [false, true] {
        let mut server = store(Loses::Nothing, has_log);
        server.serve(at(0), reads(1, 1), 1);
        done(&mut server, 0, &StoreChange::Snapshot("before".to_owned()));
        done(&mut server, 20, &StoreChange::Migrate(2));
        server.serve(at(31), reads(2, 2), 2);
        done(&mut server, 40, &StoreChange::Fence(4));
        let closed = server
            .begin(at(60), &restore(4))
            .map(|takes| at(60) + takes);
        assert_eq!(closed, Ok(at(61)));
        assert!(matches!(
            server.serve(at(60), reads(2, 2), 0),
            Served::Fails(_)
        ));
        let restored = server.finish(at(61), &restore(4), 0).expect("it ends well");
        let StoreReply::Restored(report) = restored else {
            panic!("{restored:?}");
        };
        assert_eq!((report.before.trades, report.after.trades), (2, 1));
        assert_eq!((ids(&server), server.version()), (vec![1], 1));
        let again = done(&mut server, 62, &restore(4));
        assert!(matches!(again, StoreReply::Restored(it) if it.already_done));
        let replayed = done(&mut server, 80, &StoreChange::Replay("aside".to_owned(), 4));
        let StoreReply::Replayed(report) = replayed else {
            panic!("{replayed:?}");
        };
        assert_eq!(report.entries, u64::from(has_log));
        assert_eq!(ids(&server).len(), 1 + usize::from(has_log));
        assert!(server.rows().all(|row| row == server.content(row.id)));
    }
}

#[test]
fn behind_the_fence_nobody_writes_and_a_lower_token_is_refused() {
    let mut server = store(Loses::Nothing, false);
    done(&mut server, 0, &StoreChange::Fence(5));
    let refused = server.serve(at(20), reads(1, 1), 1);
    assert!(matches!(refused, Served::Fails(_)), "{refused:?}");
    assert_eq!(
        server.serve(at(20), reads(1, 1), 0),
        Served::Done,
        "reads go on"
    );
    for change in [
        StoreChange::Fence(4),
        StoreChange::Unfence(4),
        undo(4),
        restore(4),
        StoreChange::Replay("aside".to_owned(), 4),
    ] {
        let refused = server.begin(at(21), &change);
        assert_eq!(refused, Err(DatabaseError::StaleToken(5)), "{change:?}");
    }
    for change in [
        StoreChange::Migrate(2),
        StoreChange::Snapshot("x".to_owned()),
    ] {
        assert!(server.begin(at(21), &change).is_err(), "{change:?}");
    }
    done(&mut server, 30, &StoreChange::Unfence(5));
    assert_eq!(server.serve(at(50), reads(1, 1), 1), Served::Done);
    assert_eq!(server.seen().token_max, 5);
}

#[test]
fn what_can_not_be_done_is_refused_and_changes_nothing() {
    let mut server = store(Loses::Nothing, false);
    server.serve(at(0), reads(1, 1), 1);
    done(&mut server, 0, &StoreChange::Fence(1));
    let odd = |name: &str, sql: &str| StoreChange::Undo(name.to_owned(), sql.to_owned(), 1);
    for change in [
        odd("U2__step.sql", "-- another text"),
        odd("U9__step.sql", "-- U9__step.sql"),
        restore(1),
        StoreChange::Replay("aside".to_owned(), 1),
        StoreChange::Migrate(9),
    ] {
        assert!(server.begin(at(20), &change).is_err(), "{change:?}");
    }
    done(&mut server, 30, &StoreChange::Unfence(1));
    // While one has the store to itself, another one is refused and may be tried again.
    server
        .begin(at(50), &StoreChange::Migrate(2))
        .expect("it may");
    let busy = server.begin(at(50), &StoreChange::Migrate(3));
    assert!(busy.is_err_and(|error| error.is_transient()));
    server
        .finish(at(51), &StoreChange::Migrate(2), 0)
        .expect("it ends well");
    done(&mut server, 52, &StoreChange::Migrate(3));
    // The newest version is undone first.
    done(&mut server, 70, &StoreChange::Fence(1));
    let below = server.begin(at(90), &undo(1)).expect_err("3 is the newest");
    assert_eq!(below.to_string(), "version 2 is not the newest: 3 is");
    let history = server.seen().history;
    let versions: Vec<_> = history
        .iter()
        .filter_map(|row| row.version.as_deref())
        .collect();
    assert_eq!(versions, ["1", "2", "3"]);
    assert_eq!(history[1].description, "step");
    assert_eq!(ids(&server), [1]);
}

/// As Flyway's `migrate`, which validates first: a file below the newest applied one is not applied on the quiet.
#[test]
fn nothing_is_migrated_out_of_order() {
    let mut server = store(Loses::Nothing, false);
    let to = |version| StoreChange::Migrate(version);
    server.begin(at(1), &to(3)).expect("it is above all others");
    server.finish(at(2), &to(3), 0).expect("it is applied");
    let refused = server.begin(at(3), &to(2)).expect_err("it is below 3");
    assert!(
        matches!(refused, DatabaseError::Precondition(_)),
        "{refused}"
    );
    assert!(refused.to_string().contains("outOfOrder"), "{refused}");
    // What is applied already is no migration that is left.
    server.begin(at(4), &to(3)).expect("there is nothing to do");
}
