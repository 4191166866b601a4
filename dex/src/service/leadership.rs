//! Who leads: the row `leader`, which a fence leaves writable.
//!
//! A process that has just loaded the ledger takes the lead from whoever has it; so a rollout hands over as soon as the
//! new pod can serve. Another one takes it only when the leader gave it up or does not answer. Taking it raises the
//! epoch, which every write checks.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::Client;

use super::clock;
use super::database::Trouble;
use super::engine::{Engine, Obstacle};
use super::load::{LoadError, load};
use super::tables::unsigned;
use super::write::{Change, prepare};
use crate::command::Event;

/// Looks at a leader that does not answer until another one takes over.
const LOOKS: u32 = 4;
/// How long a leader may take to answer a look.
const ANSWER: Duration = Duration::from_millis(300);

/// The leader's row.
struct Row {
    epoch: i64,
    holder: String,
}

impl Row {
    /// The address that the holder begins with.
    fn address(&self) -> Option<String> {
        let address = self.holder.split(' ').next()?;
        address.parse::<SocketAddr>().ok()?;
        Some(address.to_owned())
    }
}

async fn read(client: &Client) -> Result<Row, tokio_postgres::Error> {
    let row = client
        .query_one("SELECT epoch, holder FROM leader", &[])
        .await?;
    Ok(Row {
        epoch: row.get(0),
        holder: row.get(1),
    })
}

impl Engine {
    /// Loads the ledger for the first time and takes the lead. Waits for a database that cannot be reached.
    ///
    /// # Errors
    /// What the build cannot read.
    pub(super) async fn start(&mut self) -> Result<(), String> {
        loop {
            if self.status.is_draining() {
                return Ok(());
            }
            match self.load().await {
                Ok(()) => break,
                Err(LoadError::Unreadable(reason)) => return Err(reason),
                Err(LoadError::Database(_)) => clock::sleep(Duration::from_millis(50)).await,
            }
        }
        self.status.set_ready();
        while !self.status.is_draining() {
            match self.take_lead(None).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Obstacle::Unreadable) => return Ok(()),
                Err(_) => clock::sleep(Duration::from_millis(50)).await,
            }
        }
        Ok(())
    }

    /// Loads rows and log in the session, which is opened if need be.
    async fn load(&mut self) -> Result<(), LoadError> {
        self.statement = None;
        let outcome = self.database.session(&self.log).await;
        self.status.set_connected(outcome.is_ok());
        let (client, _) = outcome.map_err(LoadError::Database)?;
        let loaded = load(client, &self.build, self.instance).await?;
        self.counters
            .log_seq
            .store(loaded.state.seq().0, Ordering::Relaxed);
        let markets = u16::try_from(loaded.state.markets().count()).unwrap_or(u16::MAX);
        self.counters.markets.store(markets, Ordering::Relaxed);
        if let Some(first) = loaded.refused.first() {
            let refused = loaded.refused.len();
            self.log.error(&format!(
                "the replay refused {refused} acknowledged entries of the order log, the first is {first}"
            ));
            // The same tail may be loaded again before it is written.
            self.counters
                .refused
                .fetch_max(refused as u64, Ordering::Relaxed);
        }
        self.ledger = Some(loaded);
        Ok(())
    }

    /// As [`Self::load`], for a process that has loaded before: what it cannot read now, it will not be able to read.
    async fn load_again(&mut self) -> Result<(), Obstacle> {
        self.load().await.map_err(|error| match error {
            LoadError::Database(trouble) => trouble.into(),
            LoadError::Unreadable(reason) => {
                self.log.error(&format!("cannot load the ledger: {reason}"));
                self.status.fail(reason);
                Obstacle::Unreadable
            }
        })
    }

    /// Takes the lead, from the holder of `from` if given. `false` if somebody else was faster.
    async fn take_lead(&mut self, from: Option<i64>) -> Result<bool, Obstacle> {
        let (client, _) = self.database.session(&self.log).await?;
        let from = match from {
            Some(epoch) => epoch,
            None => read(client).await?.epoch,
        };
        let taken = client
            .query_opt(
                "UPDATE leader SET epoch = epoch + 1, holder = $1 WHERE epoch = $2 RETURNING epoch",
                &[&self.holder, &from],
            )
            .await?;
        let Some(row) = taken else {
            return Ok(false);
        };
        let epoch: i64 = row.get(0);
        // The old leader can write no more, so this is all that it has written.
        self.load_again().await?;
        self.epoch = Some(epoch);
        self.leader = None;
        self.unanswered = 0;
        self.in_step = false;
        self.fresh = true;
        if let Some(ledger) = &self.ledger {
            let is_trade = |event: &&Event| matches!(event, Event::Trade(_));
            self.log.info(&format!(
                "leading in epoch {epoch} from entry {}, {} trades replayed",
                ledger.state.seq(),
                ledger.replayed.iter().filter(is_trade).count()
            ));
        }
        // Writes what it replayed if it may.
        match self.get_in_step().await {
            Err(Obstacle::Trouble(trouble)) => {
                self.log.info(&format!("waiting: {}", trouble.text()))
            }
            Err(Obstacle::Unreadable | Obstacle::NotLeading) | Ok(()) => {}
        }
        Ok(true)
    }

    /// Brings the leader in step with the database, or says why it is not.
    pub(super) async fn get_in_step(&mut self) -> Result<(), Obstacle> {
        if self.status.failed().is_some() {
            return Err(Obstacle::Unreadable);
        }
        let Some(epoch) = self.epoch else {
            return Err(Obstacle::NotLeading);
        };
        if self.in_step && self.database.is_open() {
            return Ok(());
        }
        self.in_step = false;
        let fresh = std::mem::take(&mut self.fresh);
        let outcome = self.database.session(&self.log).await;
        self.status.set_connected(outcome.is_ok());
        let (client, reopened) = outcome?;
        // Waits for a write of an earlier session that is still going on.
        let row = client
            .query_one("SELECT epoch, holder FROM leader FOR UPDATE", &[])
            .await?;
        let row = Row {
            epoch: row.get(0),
            holder: row.get(1),
        };
        if row.epoch != epoch {
            self.stand_by(row.address());
            return Err(Obstacle::NotLeading);
        }
        let may_write: bool = client
            .query_one(
                "SELECT has_table_privilege('order_log', 'INSERT') AND has_table_privilege('ledger_meta', 'UPDATE')",
                &[],
            )
            .await?
            .get(0);
        if !may_write {
            let text = "permission denied for table order_log (42501)";
            return Err(Trouble::Maintenance(text.to_owned()).into());
        }
        if !fresh || reopened {
            self.load_again().await?;
        }
        self.persist(epoch).await?;
        self.in_step = true;
        Ok(())
    }

    /// Writes what was replayed.
    async fn persist(&mut self, epoch: i64) -> Result<(), Obstacle> {
        let lost = || Trouble::Unavailable("the session was lost".to_owned());
        let (client, reopened) = self.database.session(&self.log).await?;
        if reopened {
            return Err(lost().into());
        }
        let statement = prepare(client, self.build.schema).await?;
        let Some(ledger) = &mut self.ledger else {
            return Err(lost().into());
        };
        if ledger.written.seq < ledger.state.seq() {
            let from = ledger.written.seq;
            let change = Change::between(&ledger.written, &ledger.state, &ledger.replayed, &[]);
            if !change.write(client, &statement, epoch).await? {
                return Err(lost().into());
            }
            change.note(&mut ledger.written, &ledger.state);
            ledger.replayed.clear();
            self.log.info(&format!(
                "wrote what was replayed, entries {} to {}",
                from.0 + 1,
                ledger.state.seq()
            ));
        }
        self.statement = Some(statement);
        Ok(())
    }

    fn stand_by(&mut self, leader: Option<String>) {
        self.log.info("a newer epoch leads, standing by");
        self.epoch = None;
        self.in_step = false;
        self.unanswered = 0;
        self.leader = leader;
    }

    /// Gives the lead up, so that another process takes it at once.
    pub(super) async fn step_down(&mut self) {
        self.retired = true;
        let Some(epoch) = self.epoch.take() else {
            return;
        };
        self.in_step = false;
        if let Ok((client, _)) = self.database.session(&self.log).await {
            let given = client
                .execute(
                    "UPDATE leader SET holder = '' WHERE epoch = $1 AND holder = $2",
                    &[&epoch, &self.holder],
                )
                .await;
            match given {
                Ok(_) => self.log.info("gave the lead up"),
                Err(error) => self
                    .log
                    .warn(&format!("could not give the lead up: {error}")),
            }
        }
    }

    /// What is done a few times a second: keeps the session, notices other leaders, and takes a lead that nobody has.
    pub(super) async fn look(&mut self) {
        // An obstacle is met again when it matters, or passes.
        let _ = self.try_look().await;
        self.status.set_connected(self.database.is_open());
    }

    async fn try_look(&mut self) -> Result<(), Obstacle> {
        if self.status.failed().is_some() {
            return Ok(());
        }
        if self.epoch.is_some() && !self.in_step {
            return self.get_in_step().await;
        }
        let (client, reopened) = self.database.session(&self.log).await?;
        let row = read(client).await?;
        if let Some(epoch) = self.epoch {
            if row.epoch != epoch {
                self.stand_by(row.address());
            } else if reopened {
                self.in_step = false;
            }
            return Ok(());
        }
        self.leader = row.address();
        let last = client
            .query_one("SELECT coalesce(max(seq), 0) FROM order_log", &[])
            .await?;
        self.counters
            .log_seq
            .store(unsigned(&last, 0), Ordering::Relaxed);
        if self.retired || self.status.is_draining() {
            return Ok(());
        }
        match &self.leader {
            // Taken by this process, which then could not load: again.
            _ if row.holder == self.holder => self.unanswered = LOOKS,
            Some(address) if answers(address).await => self.unanswered = 0,
            Some(_) => self.unanswered += 1,
            None => self.unanswered = LOOKS,
        }
        if self.unanswered >= LOOKS {
            self.take_lead(Some(row.epoch)).await?;
        }
        Ok(())
    }
}

/// Whether the leader at `address` says that it lives.
async fn answers(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        head.ends_with(b" 200").then_some(())
    };
    clock::by(clock::now() + ANSWER, ask)
        .await
        .flatten()
        .is_some()
}
