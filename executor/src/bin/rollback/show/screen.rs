//! One place through which everything is said.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use executor::clock::Clock as _;
use executor::live::SystemClock;
use executor::planner::Plan;
use executor::wire::{self, Body};
use executor::{Event, Observer, Outcome, Report, TriggerEvent};
use jiff::Timestamp;

use super::live::Live;
use super::progress::Progress;
use super::{json, lines, terminal};
use crate::arguments::{Command, Common};
use crate::commands::Failure;
use crate::connect;
use crate::signals::INTERRUPTED;

/// How long a lease that was not given up outlives its last renewal.
const LEASE_S: u64 = 20;

/// How it is said.
enum Mode {
    Json,
    Lines,
    Live(Live),
}

/// What was said so far.
struct State {
    began: Option<Timestamp>,
    rto: Duration,
    progress: Progress,
    /// Whether the block may be drawn.
    drawing: bool,
}

/// Says it.
pub(crate) struct Screen {
    mode: Mode,
    command: &'static str,
    identity: String,
    runbook: String,
    evidence_dir: String,
    resume: String,
    state: Mutex<State>,
}

impl Screen {
    /// As the command line and the terminal call for.
    pub(crate) fn new(common: &Common, command: &Command) -> Self {
        let out = std::io::stdout();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let mode = if common.json {
            Mode::Json
        } else if out.is_terminal() && !dumb && command.is_watched() {
            let choice = anstream::AutoStream::choice(&out);
            Mode::Live(Live::new(choice != anstream::ColorChoice::Never))
        } else {
            Mode::Lines
        };
        Self {
            mode,
            command: command.name(),
            identity: connect::identity(common),
            runbook: common.runbook.display().to_string(),
            evidence_dir: common.evidence_dir.display().to_string(),
            resume: connect::resume_command(common),
            state: Mutex::new(State {
                began: None,
                rto: Duration::ZERO,
                progress: Progress::default(),
                drawing: true,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, body: Body) {
        json::write(SystemClock.now(), body);
    }

    /// Something for people.
    fn say(&self, text: &str) {
        match &self.mode {
            Mode::Json => {}
            Mode::Lines => terminal::say(text),
            Mode::Live(live) => {
                live.aside();
                terminal::say(text);
            }
        }
    }

    /// The runbook is read.
    pub(crate) fn began(&self, rto: Duration) {
        self.lock().rto = rto;
        if let Mode::Json = self.mode {
            self.line(Body::Began {
                command: self.command.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                runbook: self.runbook.clone(),
                identity: self.identity.clone(),
                rto_ms: wire::ms(rto),
            });
        }
    }

    /// The clocks of the live view moved on.
    pub(crate) fn tick(&self) {
        if let Mode::Live(live) = &self.mode {
            let state = self.lock();
            if state.drawing {
                live.draw(&state.progress, SystemClock.now(), state.rto);
            }
        }
    }

    /// Leaves the terminal to `work`, which asks something.
    pub(crate) async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        self.lock().drawing = false;
        if let Mode::Live(live) = &self.mode {
            live.aside();
        }
        let done = work.await;
        self.lock().drawing = true;
        done
    }

    /// What `run` would do.
    pub(crate) fn plan(&self, plan: &Plan) {
        if let Mode::Json = self.mode {
            let plan = wire::plan_line(plan);
            return self.line(Body::Plan { plan, next: 0 });
        }
        let mut text = plan.to_string();
        for loss in plan.losses_from(0) {
            text.push_str(&format!(
                "May lose, by step `{}`: {}\n",
                loss.step, loss.what
            ));
        }
        self.say(text.trim_end());
    }

    /// A command is done that has nothing else to show.
    pub(crate) fn done(&self, text: &str, files: &[String]) {
        if let Mode::Json = self.mode {
            let (text, files) = (text.to_owned(), files.to_vec());
            return self.line(Body::Done { text, files });
        }
        self.say(text);
    }

    /// The watch is over.
    pub(crate) fn watch_ended(
        &self,
        trigger: Option<TriggerEvent>,
        predating: Vec<String>,
        exit_code: u8,
    ) {
        match (&self.mode, trigger) {
            (Mode::Json, trigger) => self.line(Body::WatchEnded {
                trigger,
                predating,
                exit_code,
            }),
            (_, Some(trigger)) => {
                self.say(&format!(
                    "{} fired: run `rollback run --trigger {0}`",
                    trigger.name
                ));
            }
            (_, None) if predating.is_empty() => {
                self.say("The validation window closed; no trigger fired.");
            }
            (_, None) => self.say(&format!(
                "Not the release's doing, but wrong: {}",
                predating.join(", ")
            )),
        }
    }

    /// The end of a rollback; the exit code.
    pub(crate) fn report(&self, report: &Report) -> u8 {
        let code = match &report.outcome {
            Outcome::Escalated { .. } if report.is_inconclusive() => 3,
            Outcome::Escalated { .. } => 1,
            Outcome::Stopped { .. } => INTERRUPTED,
            Outcome::Recovered | Outcome::NothingToDo { .. } => 0,
        };
        // A refusal has no plan: there is nothing that could be gone on with.
        let open = matches!(
            report.outcome,
            Outcome::Escalated { .. } | Outcome::Stopped { .. }
        ) && report.plan.is_some();
        let resume = open.then(|| self.resume.clone());
        self.lock().drawing = false;
        if let Mode::Json = self.mode {
            let line = wire::report_line(report, &self.evidence_dir, resume, code);
            self.line(Body::Report(line));
        } else {
            let text = lines::report(report, &self.evidence_dir, resume.as_deref());
            self.say(text.trim_end());
        }
        code
    }

    /// It ends without a result.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.lock().drawing = false;
        if let Mode::Live(live) = &self.mode {
            live.aside();
        }
        terminal::complain(&format!("error: {}", failure.text));
        if let Mode::Json = self.mode {
            self.line(Body::Error {
                message: failure.text.clone(),
                kind: failure.kind,
                exit_code: failure.code,
            });
        }
    }

    /// A signal asks for a stop.
    pub(crate) fn stopping(&self, signal: &str) {
        let step = {
            let mut state = self.lock();
            state.progress.stopping = true;
            state.progress.current.clone()
        };
        let now = match step {
            Some(step) => format!(
                "`{}` is seen through if it changes something (at most {} s)",
                step.label,
                step.budget.as_secs()
            ),
            None => "no step is under way".to_owned(),
        };
        let text = format!(
            "{signal}: stopping at the next safe point; {now}. Once more ends the program at once."
        );
        match &self.mode {
            Mode::Live(live) => live.print(&text),
            Mode::Lines => terminal::complain(&text),
            Mode::Json => {
                terminal::complain(&text);
                let signal = signal.to_owned();
                self.line(Body::Stopping { signal });
            }
        }
    }

    /// A second signal: the program ends here and now.
    pub(crate) fn ended_at_once(&self) {
        let (step, standing) = {
            let mut state = self.lock();
            state.drawing = false;
            let step = state.progress.current.clone();
            (step, state.progress.standing())
        };
        if let Mode::Live(live) = &self.mode {
            live.aside();
        }
        let mut text = "ended at once.".to_owned();
        match (&step, &standing) {
            (None, None) => {
                text.push_str(" No step had begun; nothing was changed but, perhaps, the lease.")
            }
            (None, Some(_)) => text.push_str(" No step was under way."),
            (Some(step), _) => text.push_str(&format!(
                " Step `{}` may be half done; whoever resumes finds out.",
                step.label
            )),
        }
        if let Some(standing) = standing {
            text.push_str(&format!(" Before it: {standing}"));
        }
        text.push_str(&format!(
            " The lease was not given up: it runs out within {LEASE_S} s. To go on, on this host or another:\n  {}",
            self.resume
        ));
        terminal::complain(&text);
        if let Mode::Json = self.mode {
            self.line(Body::Error {
                message: text,
                kind: None,
                exit_code: INTERRUPTED,
            });
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn close(&self) {
        self.lock().drawing = false;
        if let Mode::Live(live) = &self.mode {
            live.aside();
        }
    }
}

impl Observer for Screen {
    fn event(&self, at: Timestamp, event: &Event) {
        let mut state = self.lock();
        state.progress.take_in(at, event);
        let began = *state.began.get_or_insert(at);
        match &self.mode {
            Mode::Json => {
                if let Some(body) = wire::body(event) {
                    json::write(at, body);
                }
            }
            Mode::Lines => {
                if let Some(line) = lines::line(began, at, event) {
                    terminal::say(&line);
                }
            }
            Mode::Live(live) => {
                // What it waits for stands in the block; the history keeps what came of it.
                let fleeting =
                    matches!(event, Event::StepStarted { .. } | Event::StepWaiting { .. });
                if let Some(line) = lines::line(began, at, event).filter(|_| !fleeting) {
                    live.print(&line);
                }
                if state.drawing {
                    live.draw(&state.progress, at, state.rto);
                }
            }
        }
    }
}
