//! The matching engine as a process: one task that owns the state, its session and its place in the order of leaders.
//!
//! Commands that wait while a commit is under way form the next batch. A batch is executed in memory, written as one
//! statement, and answered after that. When a write fails, what is in memory counts for nothing: the ledger is loaded
//! again, and the batch is executed again unless the log shows that it was committed after all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;

use super::api::OrderReply;
use super::clock;
use super::database::{Database, Trouble};
use super::load::Loaded;
use super::log::Log;
use super::status::Status;
use super::write::Change;
use crate::causes::with_causes;
use crate::command::{Command, Event, Failure, Outcome, Reject};
use crate::order_log::{LogEntry, link};
use crate::release::Build;
use crate::types::{OrderId, Qty, Seq};

/// How long a batch may wait for the database to come back.
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Between two looks at the leader's row.
pub(super) const TICK: Duration = Duration::from_millis(200);
/// Writes of one batch that may fail.
const ATTEMPTS: u32 = 5;

/// How the engine answers a command.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Committed.
    Done(OrderReply),
    /// Refused on business grounds.
    Rejected(Reject),
    /// The build could not do it.
    Failed(Failure),
    /// Refused on purpose.
    Maintenance(String),
    /// Could not be done, or nobody knows whether it was.
    Unavailable(String),
    /// The build cannot read the ledger.
    Unreadable,
    /// Another engine leads, at this address if it is known; nothing was done.
    NotLeading(Option<String>),
}

/// What the engine is asked to do.
pub(super) enum Job {
    /// A command, with the client's id of the request.
    Command(u64, Command, oneshot::Sender<Reply>),
    /// Give the lead up.
    StepDown(oneshot::Sender<()>),
}

/// Counters.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) orders: AtomicU64,
    pub(super) trades: AtomicU64,
    pub(super) log_seq: AtomicU64,
    /// 0 before the ledger has been loaded.
    pub(super) markets: AtomicU16,
    /// Acknowledged entries of the log that a replay refused.
    pub(super) refused: AtomicU64,
}

/// What keeps the leader from executing a command.
#[derive(Clone, Debug)]
pub(super) enum Obstacle {
    NotLeading,
    Trouble(Trouble),
    Unreadable,
}

impl From<Trouble> for Obstacle {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<tokio_postgres::Error> for Obstacle {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Trouble(Trouble::of(&error))
    }
}

/// The engine.
pub(super) struct Engine {
    pub(super) build: Build,
    /// Which process this is.
    pub(super) instance: u64,
    /// The leader's row when this process leads.
    pub(super) holder: String,
    pub(super) batch_max: usize,
    pub(super) database: Database,
    pub(super) log: Arc<Log>,
    pub(super) status: Arc<Status>,
    pub(super) counters: Arc<Counters>,
    /// Present while this process leads, as far as it knows.
    pub(super) epoch: Option<i64>,
    /// Where the leader is, when it is another one.
    pub(super) leader: Option<String>,
    /// Looks at a leader that did not answer.
    pub(super) unanswered: u32,
    pub(super) ledger: Option<Loaded>,
    /// It may write, and its state is the database's.
    pub(super) in_step: bool,
    /// The state was loaded since the lead was taken and nothing happened since.
    pub(super) fresh: bool,
    pub(super) statement: Option<Statement>,
    /// It gave the lead up for good.
    pub(super) retired: bool,
}

struct Waiting {
    request: u64,
    command: Command,
    reply: oneshot::Sender<Reply>,
}

/// A batch that was executed in memory.
struct Executed {
    replies: Vec<Reply>,
    seq: Seq,
    chain: u64,
    orders: u64,
    trades: u64,
}

impl Engine {
    /// Runs until every sender of jobs is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next_look = clock::now() + TICK;
        loop {
            match clock::by(next_look, jobs.recv()).await {
                Some(None) => return,
                Some(Some(job)) => self.take(job, &mut jobs).await,
                None => {}
            }
            if clock::now() >= next_look {
                self.look().await;
                next_look = clock::now() + TICK;
            }
        }
    }

    /// Executes a job and the commands that wait behind it.
    async fn take(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) {
        let mut batch = Vec::new();
        let mut stop = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Command(request, command, reply) => batch.push(Waiting {
                    request,
                    command,
                    reply,
                }),
                Job::StepDown(done) => {
                    stop = Some(done);
                    break;
                }
            }
            if batch.len() < self.batch_max {
                next = jobs.try_recv().ok();
            }
        }
        if !batch.is_empty() {
            let replies = self.serve(&batch).await;
            for (waiting, reply) in batch.into_iter().zip(replies) {
                // A client that has given up is not told.
                let _ = waiting.reply.send(reply);
            }
        }
        if let Some(done) = stop {
            self.step_down().await;
            let _ = done.send(());
        }
    }

    /// Executes a batch and commits it.
    async fn serve(&mut self, batch: &[Waiting]) -> Vec<Reply> {
        let deadline = clock::now() + PATIENCE;
        // A batch whose write ended without an answer.
        let mut unknown: Option<Executed> = None;
        let mut failures = 0;
        loop {
            match self.get_in_step().await {
                Ok(()) => {}
                Err(obstacle) => {
                    if let Some(executed) = &unknown {
                        match (&obstacle, self.was_committed(executed).await) {
                            (_, Some(true)) => return self.acknowledge(unknown),
                            // Both are found out after a wait for the leader's row, which that write held.
                            (
                                Obstacle::NotLeading | Obstacle::Trouble(Trouble::Maintenance(_)),
                                Some(false),
                            ) => {}
                            _ if clock::now() < deadline => {
                                clock::sleep(Duration::from_millis(50)).await;
                                continue;
                            }
                            _ => return all(batch, &Reply::Unavailable("outcome unknown".into())),
                        }
                    }
                    let reply = match obstacle {
                        Obstacle::NotLeading => Reply::NotLeading(self.leader.clone()),
                        Obstacle::Unreadable => Reply::Unreadable,
                        Obstacle::Trouble(Trouble::Maintenance(text)) => Reply::Maintenance(text),
                        Obstacle::Trouble(Trouble::Unavailable(_)) if clock::now() < deadline => {
                            clock::sleep(Duration::from_millis(50)).await;
                            continue;
                        }
                        Obstacle::Trouble(Trouble::Unavailable(text)) => Reply::Unavailable(text),
                    };
                    return all(batch, &reply);
                }
            }
            if let Some(executed) = &unknown
                && self
                    .ledger
                    .as_ref()
                    .is_some_and(|l| l.state.seq() == executed.seq && l.chain == executed.chain)
            {
                return self.acknowledge(unknown);
            }
            match self.execute_and_write(batch).await {
                (executed, Ok(true)) => return self.acknowledge(Some(executed)),
                (_, Ok(false)) => {
                    // The epoch is another's, or the rows were moved: a look says which.
                    self.in_step = false;
                    unknown = None;
                }
                (executed, Err(error)) => {
                    self.in_step = false;
                    if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                        let trouble = Trouble::of(&error);
                        return all(batch, &Reply::Maintenance(trouble.text().to_owned()));
                    }
                    self.log
                        .warn(&format!("a batch was not written: {}", with_causes(&error)));
                    // The server's refusal is certain; a session that broke leaves the question open.
                    unknown = error
                        .as_db_error()
                        .is_none_or(|e| e.code().code().starts_with("57"))
                        .then_some(executed);
                }
            }
            failures += 1;
            if failures >= ATTEMPTS || clock::now() >= deadline {
                return all(
                    batch,
                    &Reply::Unavailable("the ledger could not be written".into()),
                );
            }
        }
    }

    /// Executes a batch in memory and writes it.
    async fn execute_and_write(
        &mut self,
        batch: &[Waiting],
    ) -> (Executed, Result<bool, tokio_postgres::Error>) {
        let (Some(ledger), Some(epoch), Some(statement)) =
            (&mut self.ledger, self.epoch, &self.statement)
        else {
            return (Executed::default(), Ok(false));
        };
        let mut events = Vec::with_capacity(batch.len() * 4);
        let mut entries = Vec::with_capacity(batch.len());
        let mut executed = Executed::default();
        for waiting in batch {
            let seq = Seq(ledger.state.seq().0 + 1);
            let from = events.len();
            let reply = match ledger.state.apply(seq, &waiting.command, &mut events) {
                Outcome::Accepted {
                    order_id,
                    filled,
                    resting,
                } => {
                    ledger.chain = link(ledger.chain, seq, &waiting.command);
                    entries.push(LogEntry {
                        seq,
                        command: waiting.command,
                        chain: ledger.chain,
                    });
                    executed.orders += 1;
                    Reply::Done(order_reply(order_id, filled, resting, &events[from..]))
                }
                Outcome::Rejected(reject) => Reply::Rejected(reject),
                Outcome::Failed(failure) => {
                    self.log.failure(waiting.request, &failure.to_string());
                    Reply::Failed(failure)
                }
            };
            if let Reply::Done(reply) = &reply {
                executed.trades += reply.trades.len() as u64;
            }
            executed.replies.push(reply);
        }
        executed.seq = ledger.state.seq();
        executed.chain = ledger.chain;
        let change = Change::between(&ledger.written, &ledger.state, &events, &entries);
        let written = match self.database.session(&self.log).await {
            Ok((client, false)) => change.write(client, statement, epoch).await,
            // Never written: the state must be loaded in the new session first.
            Ok((_, true)) | Err(_) => Ok(false),
        };
        if let (Ok(true), Some(ledger)) = (&written, &mut self.ledger) {
            change.note(&mut ledger.written, &ledger.state);
        }
        (executed, written)
    }

    /// Counts a committed batch and answers it.
    fn acknowledge(&self, executed: Option<Executed>) -> Vec<Reply> {
        let executed = executed.unwrap_or_default();
        let counters = &self.counters;
        counters
            .orders
            .fetch_add(executed.orders, Ordering::Relaxed);
        counters
            .trades
            .fetch_add(executed.trades, Ordering::Relaxed);
        counters.log_seq.store(executed.seq.0, Ordering::Relaxed);
        executed.replies
    }

    /// Whether the log holds a batch whose write ended without an answer; `None` if it cannot be asked.
    async fn was_committed(&mut self, executed: &Executed) -> Option<bool> {
        let (client, _) = self.database.session(&self.log).await.ok()?;
        let row = client
            .query_opt(
                "SELECT chain FROM order_log WHERE seq = $1",
                &[&super::tables::signed(executed.seq.0)],
            )
            .await
            .ok()?;
        Some(row.is_some_and(|row| row.get::<_, i64>(0) as u64 == executed.chain))
    }
}

impl Default for Executed {
    fn default() -> Self {
        Self {
            replies: Vec::new(),
            seq: Seq(0),
            chain: 0,
            orders: 0,
            trades: 0,
        }
    }
}

fn all(batch: &[Waiting], reply: &Reply) -> Vec<Reply> {
    vec![reply.clone(); batch.len()]
}

fn order_reply(order_id: OrderId, filled: Qty, resting: Qty, events: &[Event]) -> OrderReply {
    let trades = events.iter().filter_map(|event| match event {
        Event::Trade(trade) => Some(*trade),
        _ => None,
    });
    OrderReply {
        order_id,
        filled,
        resting,
        trades: trades.collect(),
    }
}
