//! Sessions to the ledger database, and what its refusals mean to the exchange.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::clock;
use super::log::Log;
use crate::causes::with_causes;

/// Waits between attempts to open a session.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// Why the ledger cannot be written or read right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// On purpose: the fence is up, or the ledger is closed to sessions while it is copied or swapped.
    Maintenance(String),
    /// Not on purpose; it may pass.
    Unavailable(String),
}

impl Trouble {
    /// What an error of the server or of the connection means.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            return Self::Unavailable(format!("ledger database: {}", with_causes(error)));
        };
        let text = format!("{} ({})", refusal.message(), refusal.code().code());
        match refusal.code() {
            &SqlState::INSUFFICIENT_PRIVILEGE => Self::Maintenance(text),
            // Only the connection attempt gives these: closed to sessions, or renamed away.
            &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE | &SqlState::INVALID_CATALOG_NAME => {
                Self::Maintenance(format!(
                    "ledger is closed to connections ({})",
                    refusal.code().code()
                ))
            }
            _ => Self::Unavailable(text),
        }
    }

    /// For the log.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Maintenance(text) | Self::Unavailable(text) => text,
        }
    }
}

/// One session that is opened again when it is lost, after a while if that fails.
pub(super) struct Database {
    config: Config,
    client: Option<Client>,
    opened_before: bool,
    backoff: Duration,
    /// No attempt before this, and what came of the last one.
    failed: Option<(Instant, Trouble)>,
}

impl Database {
    pub(super) fn new(mut config: Config, application: &str) -> Self {
        config
            .application_name(application)
            .connect_timeout(Duration::from_secs(1))
            .keepalives_idle(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(5));
        Self {
            config,
            client: None,
            opened_before: false,
            backoff: BACKOFF.0,
            failed: None,
        }
    }

    /// Whether there is a session, as far as is known without using it.
    pub(super) fn is_open(&self) -> bool {
        self.client.as_ref().is_some_and(|c| !c.is_closed())
    }

    /// The session, opened if need be; whether it is a new one.
    pub(super) async fn session(&mut self, log: &Log) -> Result<(&mut Client, bool), Trouble> {
        let fresh = !self.is_open();
        if fresh {
            self.open(log).await?;
        }
        match &mut self.client {
            Some(client) => Ok((client, fresh)),
            None => Err(Trouble::Unavailable("no session".to_owned())),
        }
    }

    async fn open(&mut self, log: &Log) -> Result<(), Trouble> {
        if let Some((not_before, trouble)) = &self.failed
            && clock::now() < *not_before
        {
            return Err(trouble.clone());
        }
        if self.client.take().is_some() {
            log.warn("the session to the ledger database was ended");
        }
        match self.config.connect(NoTls).await {
            Ok((client, connection)) => {
                // It ends with the client; whoever waits for an answer gets its error.
                drop(tokio::spawn(connection));
                if self.opened_before {
                    log.info("database sessions reopened");
                }
                self.client = Some(client);
                self.opened_before = true;
                self.failed = None;
                self.backoff = BACKOFF.0;
                Ok(())
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                if self
                    .failed
                    .as_ref()
                    .is_none_or(|(_, last)| *last != trouble)
                {
                    log.warn(&format!("no session: {}", trouble.text()));
                }
                self.failed = Some((clock::now() + self.backoff, trouble.clone()));
                self.backoff = (self.backoff * 2).min(BACKOFF.1);
                Err(trouble)
            }
        }
    }
}
