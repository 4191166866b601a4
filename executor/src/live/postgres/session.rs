//! Connections to the server, and what every operation does with them.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::{CancelToken, Client, Config, NoTls, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::kubernetes::told_once;
use crate::ports::DatabaseError;

/// A connection that is closed when it is dropped. The server is at its statement all the same, until it has an answer.
pub(super) struct Session {
    client: Client,
    tls: Option<MakeRustlsConnect>,
}

impl Session {
    /// Ends the statement that the session is at if the guard is dropped before its work was done.
    pub(super) fn cancel_when_given_up(&self) -> GivenUp {
        GivenUp(Some((self.client.cancel_token(), self.tls.clone())))
    }
}

/// Ends what a session is at when it is dropped: whoever waited for it has given up.
pub(super) struct GivenUp(Option<(CancelToken, Option<MakeRustlsConnect>)>);

impl GivenUp {
    /// The work was done, or has failed.
    pub(super) fn in_time(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let (Some((token, tls)), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(async move {
                match tls {
                    Some(tls) => token.cancel_query(tls).await,
                    None => token.cancel_query(NoTls).await,
                }
            }));
        }
    }
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

/// A server that has vanished is noticed within seconds, unless the URL says something else: an operation that waits
/// for one costs the time that the others need.
fn notice_dead_connections(config: &mut Config) {
    /// What `tokio-postgres` takes if nothing is said.
    const UNSAID: Duration = Duration::from_secs(2 * 60 * 60);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(3));
    }
    if config.get_keepalives_idle() == UNSAID {
        config.keepalives_idle(Duration::from_secs(5));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(2));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(10));
    }
}

/// Connects to `database` on the server of `config`; without `tls` the connection is in the clear.
pub(super) async fn connect(
    config: &Config,
    tls: Option<&MakeRustlsConnect>,
    database: &str,
) -> Result<Session, DatabaseError> {
    let mut config = config.clone();
    config.dbname(database).application_name("rollback");
    notice_dead_connections(&mut config);
    // A connection ends with its client; its error reaches whoever waits for an answer.
    let client = match tls {
        Some(tls) => {
            let (client, connection) = config.connect(tls.clone()).await.map_err(failure)?;
            drop(tokio::spawn(connection));
            client
        }
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(failure)?;
            drop(tokio::spawn(connection));
            client
        }
    };
    Ok(Session {
        client,
        tls: tls.cloned(),
    })
}

/// From here on the transaction waits for no lock longer than this: then it is refused with 55P03.
pub(super) async fn limit_waits(
    transaction: &Transaction<'_>,
    longest: Duration,
) -> Result<(), DatabaseError> {
    // Zero would mean that there is no limit.
    let statement = format!("SET LOCAL lock_timeout = {}", longest.as_millis().max(1));
    transaction.batch_execute(&statement).await.map_err(failure)
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
        None => DatabaseError::Connection(told_once(&error)),
    }
}

/// Whether the server refused with `sqlstate`.
pub(super) fn is_refusal(error: &DatabaseError, sqlstate: &str) -> bool {
    matches!(error, DatabaseError::Refused { sqlstate: given, .. } if given == sqlstate)
}

/// The same error with its text changed. Its kind, and so whether it may pass, stays.
pub(super) fn reworded(
    error: DatabaseError,
    change: impl FnOnce(String) -> String,
) -> DatabaseError {
    match error {
        DatabaseError::Refused { sqlstate, message } => DatabaseError::Refused {
            sqlstate,
            message: change(message),
        },
        DatabaseError::Connection(text) => DatabaseError::Connection(change(text)),
        DatabaseError::Precondition(text) => DatabaseError::Precondition(change(text)),
        stale @ DatabaseError::StaleToken(_) => stale,
    }
}

/// Quotes an identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes `TABLE` or `SCHEMA.TABLE`.
pub(super) fn qualified(name: &str) -> String {
    let parts: Vec<String> = name.split('.').map(identifier).collect();
    parts.join(".")
}

/// Quotes a literal (`standard_conforming_strings` is on by default).
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::notice_dead_connections;

    #[test]
    fn a_dead_connection_is_noticed_in_seconds_unless_the_url_says_otherwise() {
        let seconds = |many| Some(Duration::from_secs(many));
        let mut config = tokio_postgres::Config::new();
        notice_dead_connections(&mut config);
        assert_eq!(config.get_connect_timeout().copied(), seconds(3));
        assert_eq!(Some(config.get_keepalives_idle()), seconds(5));
        assert_eq!(config.get_keepalives_interval(), seconds(2));
        assert_eq!(config.get_keepalives_retries(), Some(3));
        assert_eq!(config.get_tcp_user_timeout().copied(), seconds(10));
        let mut config: tokio_postgres::Config =
            "postgres://u@h/d?connect_timeout=30&keepalives_idle=60&tcp_user_timeout=20"
                .parse()
                .expect("a URL");
        notice_dead_connections(&mut config);
        assert_eq!(config.get_connect_timeout().copied(), seconds(30));
        assert_eq!(Some(config.get_keepalives_idle()), seconds(60));
        assert_eq!(config.get_tcp_user_timeout().copied(), seconds(20));
    }
}
