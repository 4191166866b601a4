//! From arguments to calls of the library.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::CommandFactory as _;
use executor::planner::{LossKind, PlanError};
use executor::runbook::{Runbook, Trigger};
use executor::{Document, Error, ErrorKind, Executor, Report, TriggerEvent, WatchOutcome};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, Command, Common, ConfigCommand, PodsCommand, Reason};
use crate::show::Screen;
use crate::signals::INTERRUPTED;
use crate::{ask, connect, db, signals};

/// Why the program ends without having done its work.
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
    /// Of the error of a phase.
    pub(crate) kind: Option<ErrorKind>,
}

impl Failure {
    /// It was tried and failed.
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            code: 1,
            text: text.into(),
            kind: None,
        }
    }

    /// It could not be tried.
    pub(crate) fn input(text: impl Into<String>) -> Self {
        Self {
            code: 2,
            text: text.into(),
            kind: None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Plan(PlanError::NothingDiffers)
            | Error::NoBaseline
            | Error::NothingToResume
            | Error::WouldLose { .. }
            | Error::InProgress { .. }
            | Error::WasEscalated { .. } => 2,
            Error::Interrupted => INTERRUPTED,
            _ => 1,
        };
        Self {
            code,
            text: error.chain(),
            kind: Some(error.kind()),
        }
    }
}

/// Runs the command; the exit code.
pub(crate) async fn run(arguments: Arguments) -> u8 {
    let Arguments { common, command } = arguments;
    let screen = Arc::new(Screen::new(&common, &command));
    let code = match perform(&common, command, &screen).await {
        Ok(code) => code,
        Err(failure) => {
            screen.fail(&failure);
            failure.code
        }
    };
    screen.close();
    code
}

async fn perform(common: &Common, command: Command, screen: &Arc<Screen>) -> Result<u8, Failure> {
    match command {
        Command::Check { file } => check(&file, screen),
        Command::Db(steps) => {
            screen.done(&db::db(common, steps, screen).await?, &[]);
            Ok(0)
        }
        Command::Completions { shell } => {
            // Into memory first: a closed pipe is the reader's business.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "rollback", &mut script);
            let _ = std::io::stdout().lock().write_all(&script);
            Ok(0)
        }
        Command::Man { directory } => {
            let failed =
                |error: std::io::Error| Failure::input(format!("{}: {error}", directory.display()));
            std::fs::create_dir_all(&directory).map_err(failed)?;
            clap_mangen::generate_to(Arguments::command(), &directory).map_err(failed)?;
            screen.done(&format!("manual pages: {}", directory.display()), &[]);
            Ok(0)
        }
        Command::Prepare => {
            let session = Session::new(common, screen).await?;
            // A signal must not end it while the ledger is closed for its copy.
            signals::listen(Arc::clone(screen), session.stop.clone())?;
            let baseline = session.executor.prepare().await?;
            let services: Vec<String> = baseline
                .services
                .iter()
                .map(|(name, service)| format!("{name} {}", service.version()))
                .collect();
            screen.done(&format!("Recorded: {}", services.join(", ")), &[]);
            Ok(0)
        }
        Command::Watch { run } => watch(Session::new(common, screen).await?, run).await,
        Command::Plan(reason) => {
            let session = Session::new(common, screen).await?;
            let cause = Cause::of(&session.runbook, &reason)?;
            let trigger = cause.fires(&session.executor).await;
            screen.plan(&session.executor.plan(Some(trigger)).await?);
            Ok(0)
        }
        Command::Run(reason) => {
            let session = Session::new(common, screen).await?;
            run_now(session, &reason).await
        }
        Command::Resume => {
            let session = Session::new(common, screen).await?;
            signals::listen(Arc::clone(screen), session.stop.clone())?;
            let report = session
                .consented(
                    session.told(),
                    |executor| async move { executor.resume().await },
                )
                .await?;
            Ok(screen.report(&report))
        }
        Command::PostMortem => document(common, screen, Document::PostMortem).await,
        Command::Scenario => document(common, screen, Document::Scenario).await,
        Command::Config {
            command: ConfigCommand::Restore { service },
        } => {
            let session = Session::new(common, screen).await?;
            let changed = session.executor.restore_config(&service).await?;
            let text = format!("{} ConfigMaps of {service} put back", changed.len());
            screen.done(&text, &[]);
            Ok(0)
        }
        Command::Pods {
            command: PodsCommand::Replace { service },
        } => {
            let session = Session::new(common, screen).await?;
            let evicted = session.executor.replace_pods(&service).await?;
            screen.done(&format!("{evicted} pods of {service} replaced"), &[]);
            Ok(0)
        }
    }
}

/// What the commands work with that act on the cluster.
struct Session<'a> {
    common: &'a Common,
    screen: &'a Arc<Screen>,
    stop: CancellationToken,
    runbook: Arc<Runbook>,
    executor: Executor,
}

impl<'a> Session<'a> {
    async fn new(common: &'a Common, screen: &'a Arc<Screen>) -> Result<Self, Failure> {
        let runbook = Arc::new(connect::runbook(common)?);
        let stop = CancellationToken::new();
        screen.began(runbook.rto);
        let (book, look) = (Arc::clone(&runbook), Arc::clone(screen));
        let executor = connect::executor(common, book, look, stop.clone()).await?;
        Ok(Self {
            common,
            screen,
            stop,
            runbook,
            executor,
        })
    }

    /// What may be lost by what the command line says.
    fn told(&self) -> LossKind {
        match (self.common.yes, self.common.accept_data_loss) {
            (_, true) => LossKind::Acknowledged,
            (true, false) => LossKind::OutsideTheLog,
            (false, false) => LossKind::Nothing,
        }
    }

    /// Does `act`; if it would lose more than `allowed`, asks, and then does it with what was accepted.
    async fn consented<F, Fut>(&self, allowed: LossKind, act: F) -> Result<Report, Failure>
    where
        F: Fn(Executor) -> Fut,
        Fut: Future<Output = Result<Report, Error>>,
    {
        match act(self.executor.clone().that_may_lose(allowed)).await {
            Err(Error::WouldLose { losses }) => {
                let accepted = self.screen.aside(ask::accept(&losses, &self.stop)).await?;
                Ok(act(self.executor.clone().that_may_lose(accepted)).await?)
            }
            other => Ok(other?),
        }
    }

    /// Rolls back for `trigger`, and asks before more than `allowed` is lost.
    async fn roll_back(
        &self,
        allowed: LossKind,
        trigger: &TriggerEvent,
    ) -> Result<Report, Failure> {
        self.consented(allowed, |executor| {
            let trigger = trigger.clone();
            async move { executor.run(trigger).await }
        })
        .await
    }
}

/// Shows the plan and asks, unless told; then rolls back.
async fn run_now(session: Session<'_>, reason: &Reason) -> Result<u8, Failure> {
    let cause = Cause::of(&session.runbook, reason)?;
    if session.common.yes {
        signals::listen(Arc::clone(session.screen), session.stop.clone())?;
    } else {
        // Until something is done, a signal ends the program where it is.
        ask::somebody()?;
    }
    let trigger = cause.fires(&session.executor).await;
    let mut allowed = session.told();
    if !session.common.yes {
        let plan = session.executor.plan(Some(trigger.clone())).await?;
        session.screen.plan(&plan);
        let never = CancellationToken::new();
        let losses: Vec<_> = plan
            .losses_from(0)
            .into_iter()
            .filter(|loss| loss.kind > allowed)
            .collect();
        allowed = allowed.max(ask::accept(&losses, &never).await?);
        ask::go_ahead("Do this?", &never).await?;
        signals::listen(Arc::clone(session.screen), session.stop.clone())?;
    }
    let report = session.roll_back(allowed, &trigger).await?;
    Ok(session.screen.report(&report))
}

async fn watch(session: Session<'_>, run: bool) -> Result<u8, Failure> {
    signals::listen(Arc::clone(session.screen), session.stop.clone())?;
    let watched = {
        let watch = std::pin::pin!(session.executor.watch());
        let stop = std::pin::pin!(session.stop.cancelled());
        match futures::future::select(watch, stop).await {
            futures::future::Either::Left((watched, _)) => watched?,
            futures::future::Either::Right(_) => return Err(Error::Interrupted.into()),
        }
    };
    match watched {
        WatchOutcome::Triggered(trigger) if run => {
            // Being told to roll back by itself covers what `--yes` covers.
            let allowed = session.told().max(LossKind::OutsideTheLog);
            let report = session.roll_back(allowed, &trigger).await?;
            Ok(session.screen.report(&report))
        }
        WatchOutcome::Triggered(trigger) => {
            session.screen.watch_ended(Some(trigger), Vec::new(), 1);
            Ok(1)
        }
        WatchOutcome::WindowClosed { predating, .. } => {
            let code = u8::from(!predating.is_empty());
            session.screen.watch_ended(None, predating, code);
            Ok(code)
        }
    }
}

async fn document(
    common: &Common,
    screen: &Arc<Screen>,
    document: Document,
) -> Result<u8, Failure> {
    let session = Session::new(common, screen).await?;
    let names = session.executor.document(document).await?;
    screen.done(&names.join("\n"), &names);
    Ok(0)
}

fn check(file: &Path, screen: &Screen) -> Result<u8, Failure> {
    let name = file.display().to_string();
    let parsed = Runbook::parse_and_lint(&name, &connect::read(file)?)
        .map_err(|errors| Failure::input(errors.plain()))?;
    let warnings = parsed.warnings().len();
    let text = format!("{}{name}: {warnings} warnings, no errors", parsed.plain());
    screen.done(&text, &[]);
    Ok(0)
}

/// Why it is rolled back, from the command line.
struct Cause<'a> {
    /// What a trigger of the runbook would have measured; `None` for a person's own reason.
    known: Option<&'a Trigger>,
    reason: &'a Reason,
}

impl<'a> Cause<'a> {
    /// What `reason` says. Nothing is asked of anybody.
    fn of(runbook: &'a Runbook, reason: &'a Reason) -> Result<Self, Failure> {
        let triggers = &runbook.triggers;
        let known = match &reason.trigger {
            None => None,
            Some(name) => {
                let known = triggers.iter().find(|known| known.name == *name);
                Some(known.ok_or_else(|| {
                    let names: Vec<&str> =
                        triggers.iter().map(|known| known.name.as_str()).collect();
                    Failure::input(format!(
                        "the runbook has no trigger `{name}`; it has {}",
                        names.join(", ")
                    ))
                })?)
            }
        };
        Ok(Self { known, reason })
    }

    /// The trigger that fires now. The API server may be asked for the time.
    async fn fires(&self, executor: &Executor) -> TriggerEvent {
        let now = executor.present().await;
        let Some(known) = self.known else {
            return TriggerEvent::manual(self.reason.class.into(), now, &self.reason.reason);
        };
        let why = format!("{} {}", known.query, known.condition);
        TriggerEvent {
            name: known.name.clone(),
            ..TriggerEvent::manual(known.class, now, &why)
        }
    }
}
