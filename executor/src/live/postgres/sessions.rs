//! The sessions of others, and how they are ended.

use super::session::{Session, failure};
use crate::ports::DatabaseError;

/// Clients in a database. The server's own workers leave by themselves, and signalling them takes more rights.
/// What kind of session it is, a role of few rights is not told (PostgreSQL,
/// "Server Signaling Functions" and "pg_stat_activity").
const CLIENTS: &str = "
    SELECT a.pid, r.rolname::text, r.rolsuper,
           (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
           OR (NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend'::name, 'USAGE')))
    FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = $1 AND a.pid <> pg_backend_pid()
      AND (a.backend_type IS NULL OR a.backend_type = 'client backend')
      AND ($2::text[] IS NULL OR r.rolname::text = ANY ($2::text[]))
    ORDER BY 1";

/// Ends sessions, and waits for each to be gone.
const END: &str =
    "SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::integer[]) AS ended (pid)";

/// Somebody's session.
struct Client {
    pid: i32,
    role: String,
    is_superuser: bool,
    may_be_ended: bool,
}

async fn clients(
    exclusive: &Session,
    database: &str,
    roles: Option<&[String]>,
) -> Result<Vec<Client>, DatabaseError> {
    let rows = exclusive.query(CLIENTS, &[&database, &roles]).await;
    let rows = rows.map_err(failure)?;
    Ok(rows
        .iter()
        .map(|row| Client {
            pid: row.get(0),
            role: row.get(1),
            is_superuser: row.get(2),
            may_be_ended: row.get(3),
        })
        .collect())
}

/// Ends the sessions in `database`, or those of `roles` there. How many.
///
/// # Errors
/// One is still there: the text says whose, and what to do. A superuser's, or one that is slow to end,
/// may be gone later.
pub(super) async fn end(
    exclusive: &Session,
    database: &str,
    roles: Option<&[String]>,
) -> Result<u32, DatabaseError> {
    let before = clients(exclusive, database, roles).await?;
    if before.is_empty() {
        return Ok(0);
    }
    let pids: Vec<i32> = before
        .iter()
        .filter(|client| client.may_be_ended)
        .map(|client| client.pid)
        .collect();
    let rows = exclusive.query(END, &[&pids]).await.map_err(failure)?;
    let ended = rows.iter().filter(|row| row.get::<_, bool>(0)).count();
    // Not ended in time, or gone before: only those that are still there matter. Who came since is somebody else.
    let mut left = clients(exclusive, database, roles).await?;
    left.retain(|now| before.iter().any(|client| client.pid == now.pid));
    if left.is_empty() {
        return Ok(u32::try_from(ended).unwrap_or(u32::MAX));
    }
    Err(still_there(&left))
}

fn still_there(left: &[Client]) -> DatabaseError {
    let of = |wanted: &dyn Fn(&Client) -> bool| {
        let named: Vec<String> = left
            .iter()
            .filter(|client| wanted(client))
            .map(|client| format!("{} (pid {})", client.role, client.pid))
            .collect();
        (!named.is_empty()).then(|| named.join(", "))
    };
    let slow = of(&|client| client.may_be_ended);
    let superusers = of(&|client| !client.may_be_ended && client.is_superuser);
    let forbidden = of(&|client| !client.may_be_ended && !client.is_superuser);
    // Insufficient privilege stays so; an object in use may be free later.
    let sqlstate = if forbidden.is_some() {
        "42501"
    } else {
        "55006"
    };
    let parts = [
        slow.map(|it| format!("a session did not end within 5 s: {it}")),
        superusers.map(|it| {
            format!("only a superuser can end a superuser's session, so end that session: {it}")
        }),
        forbidden.map(|it| {
            format!(
                "this role may not end a session, so end it, or GRANT its role to this one: {it}"
            )
        }),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    DatabaseError::Refused {
        sqlstate: sqlstate.to_owned(),
        message: parts.join("; "),
    }
}
