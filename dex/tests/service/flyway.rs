//! `dex-migrate` and the real Flyway on the same databases: each accepts what the other wrote,
//! and the tables are the same.
//!
//! `FLYWAY_JARS` names a folder with the jars of Maven's `org.flywaydb:flyway-database-postgresql` (13.6.0 was used)
//! and `org.postgresql:postgresql`, with all that they depend on: `mvn dependency:copy-dependencies` makes one.

use std::path::{Path, PathBuf};
use std::process::Command;

use dex::migrations::Set;

use crate::ledger::Ledger;
use crate::server::Server;

/// A folder of migrations, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn of(set: Set) -> Self {
        let name = format!("firedrill-flyway-{}-{set:?}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).expect("a folder");
        // The open-source Flyway does not know undo scripts.
        for file in set.files().iter().filter(|f| f.name.starts_with('V')) {
            std::fs::write(folder.0.join(file.name), file.sql).expect("a file");
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flyway(jars: &Path, ledger: &Ledger<'_>, folder: &Folder, what: &[&str]) -> String {
    let output = Command::new("java")
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/service/Check.java"
        ))
        .arg(ledger.jdbc())
        .arg("owner")
        .arg(&folder.0)
        .args(what)
        .output()
        .expect("java runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Both ways round. `None` if there is no Flyway.
pub(crate) async fn flyway_and_the_tool_agree(server: &Server) -> Option<()> {
    let jars = PathBuf::from(std::env::var_os("FLYWAY_JARS")?);
    let (base, decimal) = (Folder::of(Set::Base), Folder::of(Set::Decimal));
    let [v1, v2] = [0, 1].map(|n| Set::Decimal.files()[n].checksum());

    let ours = Ledger::open(server, "ours", "1.4.2").await;
    let run = |folder, what: &[&str]| flyway(&jars, &ours, folder, what);
    assert_eq!(
        run(&base, &["validate", "migrate", "info"]),
        format!("valid true\nmigrated 0\n1 SUCCESS {v1}\n")
    );
    assert_eq!(
        run(&decimal, &["info", "migrate", "validate", "info"]),
        format!(
            "1 SUCCESS {v1}\n2 PENDING {v2}\nmigrated 1\nvalid true\n1 SUCCESS {v1}\n2 SUCCESS {v2}\n"
        )
    );
    assert_eq!(
        ours.migrate("2.0.0-decimal-ledger").unwrap(),
        "nothing to apply\n"
    );

    let theirs = Ledger::create(server, "theirs").await;
    let run = |folder, what: &[&str]| flyway(&jars, &theirs, folder, what);
    assert_eq!(run(&base, &["migrate"]), "migrated 1\n");
    assert_eq!(
        theirs.migrate("2.0.0-decimal-ledger").unwrap(),
        "applied V2__decimal_ledger.sql\nopened the ledger\n"
    );
    assert_eq!(
        run(&decimal, &["validate", "migrate"]),
        "valid true\nmigrated 0\n"
    );
    // A newer schema does not keep an older release from starting.
    assert_eq!(
        run(&base, &["validate", "migrate"]),
        "valid true\nmigrated 0\n"
    );

    let columns = "SELECT string_agg(concat_ws(' ', column_name, data_type, character_maximum_length, is_nullable,
            column_default), ', ' ORDER BY ordinal_position)
        FROM information_schema.columns WHERE table_name = 'flyway_schema_history'";
    let indexes = "SELECT string_agg(indexdef, ', ' ORDER BY indexdef) FROM pg_indexes
        WHERE tablename = 'flyway_schema_history'";
    let rows = "SELECT string_agg(concat_ws(' ', installed_rank, version, description, type, script, checksum,
            installed_by, success), ', ' ORDER BY installed_rank) FROM flyway_schema_history";
    for query in [columns, indexes, rows] {
        assert_eq!(ours.text(query).await, theirs.text(query).await);
    }
    Some(())
}
