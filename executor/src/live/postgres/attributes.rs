//! What a database has beside its contents, and a copy by TEMPLATE lacks: rights to connect, a limit of connections,
//! and settings (PostgreSQL, "Template Databases": "none of … database-level properties … are copied").

use super::session::{Session, failure, identifier, literal};
use crate::ports::DatabaseError;

/// Gives `to` the rights, the connection limit and the settings of `from`; both have the same owner.
///
/// # Errors
/// A setting is one that this role may not make, such as `ALTER ROLE … IN DATABASE … SET`: the text says which.
pub(super) async fn carry_over(
    maintenance: &Session,
    from: &str,
    to: &str,
) -> Result<(), DatabaseError> {
    let database = identifier(to);
    let row = maintenance
        .query_one(
            "SELECT datconnlimit FROM pg_database WHERE datname = $1",
            &[&from],
        )
        .await
        .map_err(failure)?;
    let limit: i32 = row.get(0);
    let mut statements = vec![
        format!("ALTER DATABASE {database} CONNECTION LIMIT {limit}"),
        format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
    ];
    let rights = maintenance
        .query(
            "SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                    bool_or(a.is_grantable)
             FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
             WHERE d.datname = $1 AND a.grantee <> d.datdba
             GROUP BY 1, 2 ORDER BY 1, 2",
            &[&from],
        )
        .await
        .map_err(failure)?;
    for row in &rights {
        let (privilege, grantee, grantable): (String, String, bool) =
            (row.get(0), row.get(1), row.get(2));
        let option = if grantable { " WITH GRANT OPTION" } else { "" };
        statements.push(format!(
            "GRANT {privilege} ON DATABASE {database} TO {grantee}{option}"
        ));
    }
    for statement in statements {
        maintenance
            .batch_execute(&statement)
            .await
            .map_err(failure)?;
    }
    settings(maintenance, from, &database).await
}

async fn settings(maintenance: &Session, from: &str, database: &str) -> Result<(), DatabaseError> {
    let rows = maintenance
        .query(
            "SELECT CASE s.setrole WHEN 0 THEN NULL ELSE quote_ident(pg_get_userbyid(s.setrole)) END, s.setconfig
             FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
             WHERE d.datname = $1 ORDER BY 1",
            &[&from],
        )
        .await
        .map_err(failure)?;
    for row in &rows {
        let role: Option<String> = row.get(0);
        let target = match &role {
            Some(role) => format!("ROLE {role} IN DATABASE {database}"),
            None => format!("DATABASE {database}"),
        };
        for setting in row.get::<_, Vec<String>>(1) {
            let Some((name, value)) = setting.split_once('=') else {
                continue;
            };
            let statement = format!(
                "ALTER {target} SET {} TO {}",
                identifier(name),
                quoted(name, value)
            );
            let made = maintenance.batch_execute(&statement).await.map_err(failure);
            if let Err(DatabaseError::Refused { sqlstate, message }) = made {
                return Err(DatabaseError::Precondition(format!(
                    "a copy of {from} would lack what ALTER {} SET {name} says, as this role may not set it ({sqlstate}: {message}): \
                     set it for the role or the database alone",
                    role.map_or_else(
                        || "DATABASE".to_owned(),
                        |role| format!("ROLE {role} IN DATABASE")
                    )
                )));
            }
            made?;
        }
    }
    Ok(())
}

/// A setting's value for SET. Of those that are lists of names, each name is a literal of its own (`pg_dump`,
/// `makeAlterConfigCommand`).
fn quoted(name: &str, value: &str) -> String {
    const LISTS: [&str; 6] = [
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    if !LISTS.contains(&name.to_ascii_lowercase().as_str()) {
        return literal(value);
    }
    let names: Vec<String> = names(value).iter().map(|name| literal(name)).collect();
    if names.is_empty() {
        return literal("");
    }
    names.join(", ")
}

/// The names of a list, whose quotes are taken off.
fn names(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut is_quoted = false;
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => found.push(std::mem::take(&mut name)),
            c if c.is_whitespace() && !is_quoted => {}
            other => name.push(other),
        }
    }
    found.push(name);
    found.retain(|name| !name.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn lists_of_names_stay_lists() {
        assert_eq!(quoted("work_mem", "64MB"), "'64MB'");
        assert_eq!(quoted("application_name", "a, 'b'"), "'a, ''b'''");
        assert_eq!(
            quoted("search_path", r#""$user", public, "a ""b"", c""#),
            r#"'$user', 'public', 'a "b", c'"#
        );
        assert_eq!(quoted("search_path", ""), "''");
    }
}
