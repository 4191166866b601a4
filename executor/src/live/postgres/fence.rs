//! The fence: whoever writes to the ledger loses the right to, however it was given: to a role, a group role or PUBLIC,
//! on a table, a column, or a function that runs with its owner's rights (SECURITY DEFINER).
//!
//! What was lost is kept in the table `rollback_fence_rights`, so that lowering the fence gives back exactly that.
//! The row of `rollback_fence` stays after the fence is down: a lower token is refused for good.
//!
//! Superusers, and whoever may act for a table's owner, can't be fenced off by rights: they can give them back to
//! themselves. The application's own role must be none of them.

use tokio_postgres::{Row, Transaction};

use super::session::{Session, failure, is_refusal, limit_waits, qualified};
use super::{Layout, PATIENCE};
use crate::ports::DatabaseError;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS rollback_fence (
        only_row   BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
        token      BIGINT NOT NULL,
        up         BOOLEAN NOT NULL,
        changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS rollback_fence_rights (
        kind       TEXT NOT NULL,
        object     TEXT NOT NULL,
        col        TEXT NOT NULL,
        grantee    TEXT NOT NULL,
        privilege  TEXT NOT NULL,
        grantable  BOOLEAN NOT NULL,
        PRIMARY KEY (kind, object, col, grantee, privilege)
    )";

/// Every right to write: kind, object as SQL writes it, column, who has it (empty: PUBLIC), privilege, whether it can
/// be passed on, and the role's name. `$1` is the leader's table.
/// Tables of extensions and of the server are left out, and what an owner has.
const RIGHTS: &str = "
    WITH things AS (
        SELECT c.oid, c.relowner AS owner, c.relacl AS acl,
               format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND c.oid IS DISTINCT FROM to_regclass($1)
    ), rights AS (
        SELECT 'TABLE' AS kind, t.name AS object, '' AS col, a.grantee, a.privilege_type AS privilege, a.is_grantable
        FROM things t, aclexplode(coalesce(t.acl, acldefault('r', t.owner))) a
        WHERE a.grantee <> t.owner AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
        UNION ALL
        SELECT 'COLUMN', t.name, quote_ident(col.attname), a.grantee, a.privilege_type, a.is_grantable
        FROM things t JOIN pg_attribute col ON col.attrelid = t.oid AND NOT col.attisdropped, aclexplode(col.attacl) a
        WHERE a.grantee <> t.owner AND a.privilege_type IN ('INSERT', 'UPDATE')
        UNION ALL
        SELECT 'ROUTINE', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '',
               a.grantee, a.privilege_type, a.is_grantable
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
             aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.prosecdef AND p.provolatile = 'v' AND a.grantee <> p.proowner
          AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    )
    SELECT kind, object, col,
           CASE grantee WHEN 0 THEN '' ELSE quote_ident(pg_get_userbyid(grantee)) END, privilege, bool_or(is_grantable)
    FROM rights GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5";

/// Who can still write, and what: roles that may log in and connect here, beside superusers and whoever may act for a
/// table's owner. The application's role, `$2`, must be none of those. `$1` is the leader's table.
const WRITERS: &str = "
    SELECT r.rolname::text, format('%I.%I', n.nspname, c.relname),
           pg_has_role(r.oid, c.relowner, 'MEMBER'), r.rolsuper
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r
    WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND c.oid IS DISTINCT FROM to_regclass($1)
      AND c.relname NOT IN ('rollback_fence', 'rollback_fence_rights')
      AND r.rolcanlogin AND (r.rolname = $2 OR NOT r.rolsuper)
      AND has_database_privilege(r.oid, current_database(), 'CONNECT')
      AND (r.rolname = $2 OR NOT pg_has_role(r.oid, c.relowner, 'MEMBER'))
      AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
    ORDER BY 1, 2
    LIMIT 5";

/// The fence's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) token: u64,
    pub(super) up: bool,
}

fn number(token: u64) -> Result<i64, DatabaseError> {
    i64::try_from(token)
        .map_err(|_| DatabaseError::Precondition(format!("token {token} is too large")))
}

/// Reads the fence; `None` if there never was one.
pub(super) async fn read(session: &Session) -> Result<Option<Fence>, DatabaseError> {
    let row = session
        .query_opt("SELECT token, up FROM rollback_fence", &[])
        .await;
    match row.map_err(failure) {
        Ok(row) => Ok(row.map(|row| Fence {
            token: u64::try_from(row.get::<_, i64>(0)).unwrap_or(0),
            up: row.get(1),
        })),
        // undefined_table
        Err(error) if is_refusal(&error, "42P01") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a token lower than the fence's. Whether the fence is up.
async fn check(transaction: &Transaction<'_>, token: u64) -> Result<bool, DatabaseError> {
    let row = transaction
        .query_opt("SELECT token, up FROM rollback_fence FOR UPDATE", &[])
        .await
        .map_err(failure)?;
    let Some(row) = row else {
        return Ok(false);
    };
    let highest = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
    if highest > token {
        return Err(DatabaseError::StaleToken(highest));
    }
    Ok(row.get(1))
}

/// Checks that the fence is up and that no higher token raised it; a higher `token` takes it over.
pub(super) async fn hold(transaction: &Transaction<'_>, token: u64) -> Result<(), DatabaseError> {
    let up = match check(transaction, token).await {
        Err(error) if is_refusal(&error, "42P01") => false,
        outcome => outcome?,
    };
    if !up {
        return Err(DatabaseError::Precondition(
            "the fence is not up".to_owned(),
        ));
    }
    transaction
        .execute("UPDATE rollback_fence SET token = $1", &[&number(token)?])
        .await
        .map_err(failure)?;
    Ok(())
}

/// Names of the roles that lost a right by the fence, beside superusers and whoever may act for an owner of tables.
pub(super) async fn fenced_off(session: &Session) -> Result<Vec<String>, DatabaseError> {
    let roles = session
        .query(
            "SELECT r.rolname::text FROM pg_roles r
             WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user
               AND EXISTS (SELECT FROM rollback_fence_rights f
                           WHERE f.grantee = '' OR pg_has_role(r.oid, to_regrole(f.grantee)::oid, 'USAGE'))
               AND NOT EXISTS (SELECT FROM rollback_fence_rights f JOIN pg_class c ON c.oid = to_regclass(f.object)
                               WHERE f.kind <> 'ROUTINE' AND pg_has_role(r.oid, c.relowner, 'MEMBER'))",
            &[],
        )
        .await
        .map_err(failure)?;
    Ok(roles.iter().map(|row| row.get(0)).collect())
}

/// Raises the fence, in one transaction. Whether it was up with this token already.
///
/// # Errors
/// Somebody can write all the same: then nothing was changed, and the text says who and why.
pub(super) async fn raise(
    session: &mut Session,
    layout: &Layout,
    token: u64,
) -> Result<bool, DatabaseError> {
    let transaction = session.transaction().await.map_err(failure)?;
    // A hung migration may hold the row of a table whose rights are to be taken.
    limit_waits(&transaction, PATIENCE).await?;
    transaction.batch_execute(TABLES).await.map_err(failure)?;
    are_ours(&transaction, layout).await?;
    let before = transaction
        .query_opt("SELECT token FROM rollback_fence WHERE up", &[])
        .await
        .map_err(failure)?;
    let already_up = before.is_some_and(|row| row.get::<_, i64>(0).try_into() == Ok(token));
    check(&transaction, token).await?;
    transaction
        .execute(
            "INSERT INTO rollback_fence (token, up) VALUES ($1, TRUE)
             ON CONFLICT (only_row) DO UPDATE SET token = excluded.token, up = TRUE, changed_at = now()",
            &[&number(token)?],
        )
        .await
        .map_err(failure)?;
    let leader = qualified(&layout.leader);
    let rows = transaction.query(RIGHTS, &[&leader]).await;
    for row in rows.map_err(failure)? {
        let right = Right::of(&row);
        transaction
            .execute(
                "INSERT INTO rollback_fence_rights VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                &[
                    &right.kind,
                    &right.object,
                    &right.col,
                    &right.grantee,
                    &right.privilege,
                    &right.grantable,
                ],
            )
            .await
            .map_err(failure)?;
        let statement = right.statement(false)?;
        transaction
            .batch_execute(&statement)
            .await
            .map_err(failure)?;
    }
    nobody_writes(&transaction, layout).await?;
    transaction.commit().await.map_err(failure)?;
    Ok(already_up)
}

/// The fence's tables must not be the application's: where everybody may create tables, as in PostgreSQL 14,
/// it could have made them.
async fn are_ours(transaction: &Transaction<'_>, layout: &Layout) -> Result<(), DatabaseError> {
    let row = transaction
        .query_opt(
            "SELECT relname::text FROM pg_class
             WHERE oid IN ('rollback_fence'::regclass, 'rollback_fence_rights'::regclass)
               AND pg_get_userbyid(relowner) = $1",
            &[&layout.role],
        )
        .await
        .map_err(failure)?;
    row.map_or(Ok(()), |row| {
        let table: String = row.get(0);
        Err(DatabaseError::Precondition(format!(
            "table {table} belongs to {}, so the fence means nothing: drop it, and REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            layout.role
        )))
    })
}

/// Asks for whoever can connect whether it can still write.
async fn nobody_writes(
    transaction: &Transaction<'_>,
    layout: &Layout,
) -> Result<(), DatabaseError> {
    let leader = qualified(&layout.leader);
    // A REVOKE of what another has given is no error but a warning.
    let kept = transaction.query(RIGHTS, &[&leader]).await;
    if let Some(row) = kept.map_err(failure)?.first() {
        let (object, grantee, privilege): (String, String, String) =
            (row.get(1), row.get(3), row.get(4));
        let grantee = if grantee.is_empty() {
            "PUBLIC"
        } else {
            &grantee
        };
        return Err(DatabaseError::Precondition(format!(
            "the fence would not hold: {privilege} on {object} can't be taken from {grantee}, as it was given by a role that this one \
             does not act for"
        )));
    }
    let left = transaction
        .query(WRITERS, &[&leader, &layout.role])
        .await
        .map_err(failure)?;
    if left.is_empty() {
        return Ok(());
    }
    let writers: Vec<String> = left
        .iter()
        .map(|row| {
            let (role, table): (String, String) = (row.get(0), row.get(1));
            match (row.get(2), row.get(3)) {
                (_, true) => {
                    format!("{role} to {table}, as a superuser (ALTER ROLE {role} NOSUPERUSER)")
                }
                (true, _) => format!("{role} to {table}, which it owns"),
                (false, false) => format!("{role} to {table}"),
            }
        })
        .collect();
    Err(DatabaseError::Precondition(format!(
        "the fence would not hold: these can still write: {}. It takes rights given by the table's owner; a role that is a superuser, \
         owns a table, is a member of pg_write_all_data, or was given its right by another must lose that first",
        writers.join(", ")
    )))
}

/// A right as the fence keeps it. Object, column and grantee are quoted.
struct Right {
    kind: String,
    object: String,
    col: String,
    grantee: String,
    privilege: String,
    grantable: bool,
}

impl Right {
    /// From a row of [`RIGHTS`], or of the table that keeps what the fence took.
    fn of(row: &Row) -> Self {
        Self {
            kind: row.get(0),
            object: row.get(1),
            col: row.get(2),
            grantee: row.get(3),
            privilege: row.get(4),
            grantable: row.get(5),
        }
    }

    /// The statement that gives it, or takes it away with all that it was passed on to. What a table says is a
    /// privilege is not taken for one unless it is.
    fn statement(&self, give: bool) -> Result<String, DatabaseError> {
        let Self { object, col, .. } = self;
        let privilege = match (self.kind.as_str(), self.privilege.as_str()) {
            ("TABLE", word @ ("INSERT" | "UPDATE" | "DELETE" | "TRUNCATE")) => {
                format!("{word} ON TABLE {object}")
            }
            ("COLUMN", word @ ("INSERT" | "UPDATE")) => format!("{word} ({col}) ON TABLE {object}"),
            ("ROUTINE", "EXECUTE") => format!("EXECUTE ON ROUTINE {object}"),
            (kind, word) => {
                return Err(DatabaseError::Precondition(format!(
                    "rollback_fence_rights holds a right that the fence never takes: {word} on {kind} {object}"
                )));
            }
        };
        let grantee = if self.grantee.is_empty() {
            "PUBLIC"
        } else {
            &self.grantee
        };
        Ok(match (give, self.grantable) {
            (false, _) => format!("REVOKE {privilege} FROM {grantee} CASCADE"),
            (true, false) => format!("GRANT {privilege} TO {grantee}"),
            (true, true) => format!("GRANT {privilege} TO {grantee} WITH GRANT OPTION"),
        })
    }
}

/// Lowers the fence, in one transaction. Does nothing if it is down.
pub(super) async fn lower(session: &mut Session, token: u64) -> Result<(), DatabaseError> {
    if read(session).await?.is_none() {
        return Ok(());
    }
    let transaction = session.transaction().await.map_err(failure)?;
    if !check(&transaction, token).await? {
        return Ok(());
    }
    // A table, column, function or role that is gone has nothing to be given back.
    let taken = transaction
        .query(
            "SELECT kind, object, col, grantee, privilege, grantable FROM rollback_fence_rights
             WHERE CASE kind
                       WHEN 'TABLE' THEN to_regclass(object) IS NOT NULL
                       WHEN 'COLUMN' THEN EXISTS (
                           SELECT FROM pg_attribute
                           WHERE attrelid = to_regclass(object) AND quote_ident(attname) = col AND NOT attisdropped)
                       ELSE EXISTS (
                           SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                           WHERE format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) = object)
                   END
               AND (grantee = '' OR to_regrole(grantee) IS NOT NULL)
             ORDER BY 1, 2, 3, 4, 5",
            &[],
        )
        .await
        .map_err(failure)?;
    for row in &taken {
        let right = Right::of(row);
        let statement = right.statement(true)?;
        transaction
            .batch_execute(&statement)
            .await
            .map_err(failure)?;
    }
    transaction
        .execute("DELETE FROM rollback_fence_rights", &[])
        .await
        .map_err(failure)?;
    transaction
        .execute(
            "UPDATE rollback_fence SET up = FALSE, token = $1, changed_at = now()",
            &[&number(token)?],
        )
        .await
        .map_err(failure)?;
    transaction.commit().await.map_err(failure)
}
