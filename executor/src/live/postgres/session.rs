//! Connections to the server, and what every operation does with them.

use tokio_postgres::{Client, NoTls};

use crate::ports::DatabaseError;

/// A connection that is closed when it is dropped.
pub(super) struct Session {
    client: Client,
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Connects to `database` on the server of `config`.
pub(super) async fn connect(
    config: &tokio_postgres::Config,
    database: &str,
) -> Result<Session, DatabaseError> {
    let mut config = config.clone();
    config.dbname(database).application_name("rollback");
    let (client, connection) = config.connect(NoTls).await.map_err(failure)?;
    // It ends with the client; its error reaches whoever waits for an answer.
    drop(tokio::spawn(connection));
    Ok(Session { client })
}

/// What the server said, or that the connection failed.
pub(super) fn failure(error: tokio_postgres::Error) -> DatabaseError {
    match error.as_db_error() {
        // Class 57P: the server ended the session, possibly after it did the work.
        Some(db) if matches!(db.code().code(), "57P01" | "57P02") => {
            DatabaseError::Connection(db.message().to_owned())
        }
        Some(db) => DatabaseError::Refused {
            sqlstate: db.code().code().to_owned(),
            message: db.message().to_owned(),
        },
        None => {
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text = format!("{text}: {source}");
            }
            DatabaseError::Connection(text)
        }
    }
}

/// Whether the server refused with `sqlstate`.
pub(super) fn is_refusal(error: &DatabaseError, sqlstate: &str) -> bool {
    matches!(error, DatabaseError::Refused { sqlstate: given, .. } if given == sqlstate)
}

/// Quotes an identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a literal (`standard_conforming_strings` is on by default).
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
