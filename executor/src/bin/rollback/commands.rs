//! From arguments to calls of the library.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use executor::clock::Clock;
use executor::live::{DirectoryEvidence, Layout, PostgresDatabase, SystemClock, http_client};
use executor::planner::PlanError;
use executor::ports::{
    Database, DatabaseError, FenceReport, HistoryRow, LedgerPosition, Ports, ReplayReport,
    RestoreReport, Snapshot, UndoScript,
};
use executor::runbook::Runbook;
use executor::{Document, Error, Executor, Options, TriggerEvent, WatchOutcome};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::arguments::{Arguments, Command, Common, ConfigCommand, DbCommand, Reason};
use crate::console::{self, Console};

/// Why the program ends without having done its work.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// It was tried and failed.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            code: 1,
            text: text.into(),
        }
    }

    /// It could not be tried.
    fn input(text: impl Into<String>) -> Self {
        Self {
            code: 2,
            text: text.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Plan(PlanError::NothingDiffers)
            | Error::NoBaseline
            | Error::NothingToResume
            | Error::InProgress { .. } => 2,
            _ => 1,
        };
        Self {
            code,
            text: error.chain(),
        }
    }
}

/// Runs the command; the exit code.
pub(crate) async fn run(arguments: Arguments) -> Result<u8, Failure> {
    let common = &arguments.common;
    match arguments.command {
        Command::Check { file } => check(&file),
        Command::Db { command, token } => db(common, command, token).await,
        Command::Prepare => {
            let baseline = executor(common).await?.prepare().await?;
            let services: Vec<String> = baseline
                .services
                .iter()
                .map(|(name, service)| format!("{name} {}", service.version()))
                .collect();
            anstream::println!("Recorded: {}", services.join(", "));
            Ok(0)
        }
        Command::Watch { run } => {
            let executor = executor(common).await?;
            match executor.watch().await? {
                WatchOutcome::Triggered(trigger) if run => {
                    Ok(console::report(&executor.run(trigger).await?))
                }
                WatchOutcome::Triggered(trigger) => {
                    anstream::println!("{} fired: run `rollback run --trigger {0}`", trigger.name);
                    Ok(1)
                }
                WatchOutcome::WindowClosed { predating, .. } if predating.is_empty() => {
                    anstream::println!("The validation window closed; no trigger fired.");
                    Ok(0)
                }
                WatchOutcome::WindowClosed { predating, .. } => {
                    anstream::println!(
                        "Not the release's doing, but wrong: {}",
                        predating.join(", ")
                    );
                    Ok(1)
                }
            }
        }
        Command::Plan(reason) => {
            let (executor, trigger) = with_trigger(common, &reason).await?;
            anstream::print!("{}", executor.plan(Some(trigger)).await?);
            Ok(0)
        }
        Command::Run(reason) => {
            let (executor, trigger) = with_trigger(common, &reason).await?;
            if !common.yes {
                anstream::print!("{}", executor.plan(Some(trigger.clone())).await?);
                confirm("Do this?")?;
            }
            Ok(console::report(&executor.run(trigger).await?))
        }
        Command::Resume => Ok(console::report(&executor(common).await?.resume().await?)),
        Command::PostMortem => document(common, Document::PostMortem).await,
        Command::Scenario => document(common, Document::Scenario).await,
        Command::Config {
            command: ConfigCommand::Restore { service },
        } => {
            let changed = executor(common).await?.restore_config(&service).await?;
            anstream::println!("{} ConfigMaps of {service} put back", changed.len());
            Ok(0)
        }
    }
}

async fn document(common: &Common, document: Document) -> Result<u8, Failure> {
    for name in executor(common).await?.document(document).await? {
        anstream::println!("{name}");
    }
    Ok(0)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))
}

fn runbook(common: &Common) -> Result<Runbook, Failure> {
    let text = read(&common.runbook)?;
    Runbook::parse(&common.runbook.display().to_string(), &text)
        .map_err(|errors| Failure::input(errors.plain()))
}

fn check(file: &Path) -> Result<u8, Failure> {
    let name = file.display().to_string();
    let parsed = Runbook::parse_and_lint(&name, &read(file)?)
        .map_err(|errors| Failure::input(errors.plain()))?;
    anstream::print!("{}", parsed.plain());
    anstream::println!("{name}: {} warnings, no errors", parsed.warnings().len());
    Ok(0)
}

async fn with_trigger(
    common: &Common,
    reason: &Reason,
) -> Result<(Executor, TriggerEvent), Failure> {
    let runbook = runbook(common)?;
    let now = SystemClock.now();
    let trigger = match &reason.trigger {
        None => TriggerEvent::manual(reason.class.into(), now, &reason.reason),
        Some(name) => {
            let known = runbook.triggers.iter().find(|known| known.name == *name);
            let known = known.ok_or_else(|| {
                let names: Vec<&str> = runbook
                    .triggers
                    .iter()
                    .map(|known| known.name.as_str())
                    .collect();
                Failure::input(format!(
                    "the runbook has no trigger `{name}`; it has {}",
                    names.join(", ")
                ))
            })?;
            TriggerEvent {
                name: known.name.clone(),
                ..TriggerEvent::manual(
                    known.class,
                    now,
                    &format!("{} {}", known.query, known.condition),
                )
            }
        }
    };
    Ok((executor_of(common, runbook).await?, trigger))
}

async fn executor(common: &Common) -> Result<Executor, Failure> {
    executor_of(common, runbook(common)?).await
}

async fn executor_of(common: &Common, runbook: Runbook) -> Result<Executor, Failure> {
    let options = KubeConfigOptions {
        context: common.context.clone(),
        ..Default::default()
    };
    let config = match &common.kubeconfig {
        Some(file) => {
            let file =
                Kubeconfig::read_from(file).map_err(|error| Failure::input(error.to_string()))?;
            kube::Config::from_custom_kubeconfig(file, &options).await
        }
        None if common.context.is_some() => kube::Config::from_kubeconfig(&options).await,
        None => {
            return finish(
                common,
                runbook,
                kube::Config::infer().await.map_err(cluster)?,
            );
        }
    };
    finish(common, runbook, config.map_err(cluster)?)
}

fn cluster(error: impl std::fmt::Display) -> Failure {
    Failure::input(format!("no way to the cluster: {error}"))
}

fn finish(common: &Common, runbook: Runbook, config: kube::Config) -> Result<Executor, Failure> {
    let database: Arc<dyn Database> = match &common.database_url {
        Some(url) => Arc::new(postgres(url)?),
        None => Arc::new(NoDatabase),
    };
    let ports = Ports {
        kube: kube::Client::try_from(config).map_err(cluster)?,
        http: http_client().map_err(|error| Failure::input(error.to_string()))?,
        database,
        clock: Arc::new(SystemClock),
        evidence: Arc::new(DirectoryEvidence::new(&common.evidence_dir)),
    };
    let identity = common.identity.clone().unwrap_or_else(identity);
    let options = Options {
        force: common.force,
        ..Options::new(identity)
    }
    .with_observer(Arc::new(Console::default()));
    Ok(Executor::new(ports, Arc::new(runbook), options))
}

fn identity() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_else(|_| "somewhere".to_owned());
    format!("{user}@{}/{}", host.trim(), std::process::id())
}

fn postgres(url: &str) -> Result<PostgresDatabase, Failure> {
    PostgresDatabase::from_url(url, Layout::default())
        .map_err(|error| Failure::input(format!("database URL: {error}")))
}

fn confirm(question: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input("nobody to ask: add --yes"));
    }
    anstream::print!("{question} Type yes: ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure::input("nothing was done"))
    }
}

async fn db(common: &Common, command: DbCommand, token: Option<u64>) -> Result<u8, Failure> {
    let url = common.database_url.as_deref();
    let database =
        postgres(url.ok_or_else(|| Failure::input("which database? Set ROLLBACK_DATABASE_URL"))?)?;
    let failed = |error: DatabaseError| Failure::failed(error.to_string());
    let token = match token {
        Some(token) => token,
        None => database.fence_token().await.map_err(failed)?.unwrap_or(0),
    };
    if !common.yes && !matches!(command, DbCommand::Snapshot { .. }) {
        confirm(&format!("{command:?} on the ledger."))?;
    }
    match command {
        DbCommand::Fence => {
            let report = database.fence(token).await.map_err(failed)?;
            anstream::println!("fence up, {} sessions ended", report.sessions_terminated);
        }
        DbCommand::Unfence => {
            database.unfence(token).await.map_err(failed)?;
            anstream::println!("fence down");
        }
        DbCommand::Snapshot { name } => {
            let snapshot = database.snapshot(&name).await.map_err(failed)?;
            anstream::println!(
                "{}: {} bytes, order log up to {}",
                snapshot.name,
                snapshot.size_bytes,
                snapshot.position.log_seq
            );
        }
        DbCommand::Restore {
            snapshot,
            set_aside,
        } => {
            let report = database
                .restore(&snapshot, &set_aside, token)
                .await
                .map_err(failed)?;
            anstream::println!(
                "order log back from {} to {}; what was in use is {}",
                report.before.log_seq,
                report.after.log_seq,
                report.set_aside
            );
        }
        DbCommand::Replay { orders: false, .. } => {
            return Err(Failure::input("replay what? Add --orders"));
        }
        DbCommand::Replay { set_aside, .. } => {
            let report = database.replay(&set_aside, token).await.map_err(failed)?;
            anstream::println!(
                "{} entries, up to {}",
                report.entries,
                report.position.log_seq
            );
        }
    }
    Ok(0)
}

/// Stands in where no database was named: whatever needs one says so.
struct NoDatabase;

fn no_database<T>() -> Result<T, DatabaseError> {
    Err(DatabaseError::Precondition(
        "no database was named: set ROLLBACK_DATABASE_URL".to_owned(),
    ))
}

#[async_trait::async_trait]
impl Database for NoDatabase {
    async fn history(&self) -> Result<Vec<HistoryRow>, DatabaseError> {
        no_database()
    }
    async fn position(&self) -> Result<LedgerPosition, DatabaseError> {
        no_database()
    }
    async fn snapshot(&self, _: &str) -> Result<Snapshot, DatabaseError> {
        no_database()
    }
    async fn find_snapshot(&self, _: &str) -> Result<Option<Snapshot>, DatabaseError> {
        no_database()
    }
    async fn fence(&self, _: u64) -> Result<FenceReport, DatabaseError> {
        no_database()
    }
    async fn fence_token(&self) -> Result<Option<u64>, DatabaseError> {
        no_database()
    }
    async fn unfence(&self, _: u64) -> Result<(), DatabaseError> {
        no_database()
    }
    async fn undo(
        &self,
        _: &UndoScript,
        _: std::time::Duration,
        _: u64,
    ) -> Result<(), DatabaseError> {
        no_database()
    }
    async fn restore(&self, _: &str, _: &str, _: u64) -> Result<RestoreReport, DatabaseError> {
        no_database()
    }
    async fn replay(&self, _: &str, _: u64) -> Result<ReplayReport, DatabaseError> {
        no_database()
    }
}
