//! The fence: the exchange's role loses the right to write.
//!
//! What it lost is kept in the table `rollback_fence_grants`, so that lowering the fence gives back exactly that.
//! The row of `rollback_fence` stays after the fence is down: a lower token is refused for good.

use tokio_postgres::Transaction;

use super::Layout;
use super::session::{Session, failure, identifier, is_refusal};
use crate::ports::DatabaseError;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS rollback_fence (
        only_row   BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
        token      BIGINT NOT NULL,
        up         BOOLEAN NOT NULL,
        changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
    );
    CREATE TABLE IF NOT EXISTS rollback_fence_grants (
        table_schema TEXT NOT NULL,
        table_name   TEXT NOT NULL,
        privilege    TEXT NOT NULL,
        PRIMARY KEY (table_schema, table_name, privilege)
    )";

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

/// Raises the fence, in one transaction. Whether it was up with this token already.
pub(super) async fn raise(
    session: &mut Session,
    layout: &Layout,
    token: u64,
) -> Result<bool, DatabaseError> {
    let transaction = session.transaction().await.map_err(failure)?;
    transaction.batch_execute(TABLES).await.map_err(failure)?;
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
    let taken = transaction
        .query(
            "SELECT table_schema::text, table_name::text, privilege_type::text
             FROM information_schema.role_table_grants
             WHERE grantee = $1 AND table_name <> $2
               AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
             ORDER BY 1, 2, 3",
            &[&layout.role, &layout.leader],
        )
        .await
        .map_err(failure)?;
    for row in &taken {
        let (schema, table, privilege): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        transaction
            .execute(
                "INSERT INTO rollback_fence_grants VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[&schema, &table, &privilege],
            )
            .await
            .map_err(failure)?;
        // The view lists only these four words.
        let statement = format!(
            "REVOKE {privilege} ON {}.{} FROM {}",
            identifier(&schema),
            identifier(&table),
            identifier(&layout.role)
        );
        transaction
            .batch_execute(&statement)
            .await
            .map_err(failure)?;
    }
    transaction.commit().await.map_err(failure)?;
    Ok(already_up)
}

/// Lowers the fence, in one transaction. Does nothing if it is down.
pub(super) async fn lower(
    session: &mut Session,
    layout: &Layout,
    token: u64,
) -> Result<(), DatabaseError> {
    if read(session).await?.is_none() {
        return Ok(());
    }
    let transaction = session.transaction().await.map_err(failure)?;
    if !check(&transaction, token).await? {
        return Ok(());
    }
    // A table that an undo dropped has nothing to give back.
    let taken = transaction
        .query(
            "SELECT table_schema, table_name, privilege FROM rollback_fence_grants
             WHERE to_regclass(format('%I.%I', table_schema, table_name)) IS NOT NULL
             ORDER BY 1, 2, 3",
            &[],
        )
        .await
        .map_err(failure)?;
    for row in &taken {
        let (schema, table, privilege): (String, String, String) =
            (row.get(0), row.get(1), row.get(2));
        let statement = format!(
            "GRANT {privilege} ON {}.{} TO {}",
            identifier(&schema),
            identifier(&table),
            identifier(&layout.role)
        );
        transaction
            .batch_execute(&statement)
            .await
            .map_err(failure)?;
    }
    transaction
        .execute("DELETE FROM rollback_fence_grants", &[])
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
