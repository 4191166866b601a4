//! The executor as a process of its own, where a scenario wants it killed: the `rollback` program, with the least
//! rights, telling what it does in its format `rollback/1`. SIGKILL ends it; another process resumes, with nothing of
//! the first one's but what is in the cluster.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::wire::{Body, Line, SCHEMA};
use executor::Application;
use futures::StreamExt as _;
use futures::channel::mpsc;
use rustix::process::{Pid, Signal, kill_process_group};

use super::clock::sleep;
use super::place::Place;
use crate::worlds::common::left::files_below;

/// Where its program is, if not beside this one.
const PROGRAM: &str = "FIREDRILL_ROLLBACK";
/// SIGKILL.
const KILLED: i32 = 9;

/// The executor's process, as far as it can be killed.
#[derive(Default)]
pub(super) struct Victim(Mutex<Life>);

#[derive(Default)]
struct Life {
    child: Option<Child>,
    /// Set by whoever killed it: when another one resumes.
    resume_after: Option<Duration>,
}

impl Victim {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills it. 1 if that signal ended it, 0 if there was none, or it had ended by itself.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn kill(&self, resume_after: Duration) -> Result<u64, String> {
        let mut life = self.lock();
        let Some(child) = life.child.as_mut() else {
            return Ok(0);
        };
        let failed = |error: std::io::Error| format!("kill the executor: {error}");
        kill(child).map_err(failed)?;
        let status = child.wait().map_err(failed)?;
        life.resume_after = Some(resume_after);
        Ok(u64::from(status.signal() == Some(KILLED)))
    }

    /// How it ended, if it has, and when another one resumes if it was killed.
    fn ended(&self) -> Result<Option<(ExitStatus, Option<Duration>)>, String> {
        let mut life = self.lock();
        let Some(child) = life.child.as_mut() else {
            return Err("the executor's process is not there".to_owned());
        };
        let status = child.try_wait().map_err(|error| error.to_string())?;
        let Some(status) = status else {
            return Ok(None);
        };
        life.child = None;
        let resume_after = life.resume_after.take();
        Ok(Some((
            status,
            resume_after.filter(|_| status.signal() == Some(KILLED)),
        )))
    }
}

/// No executor outlives its drill.
struct Leash<'a>(&'a Victim);

impl Drop for Leash<'_> {
    fn drop(&mut self) {
        let child = self.0.lock().child.take();
        if let Some(mut child) = child {
            let _ = kill(&mut child);
            let _ = child.wait();
        }
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ended {
    /// We killed it; another one resumes after that.
    Killed(Duration),
    /// Its last line, which is a result.
    Said(Box<Body>),
    /// It wrote no result; how it ended, and what is on its standard error.
    Silent(String),
}

/// The program, and the files that it gets and leaves. They go with this value, and those of a drill that was killed
/// with the next one.
pub(super) struct Program {
    path: PathBuf,
    workshop: PathBuf,
    kubeconfig: PathBuf,
    context: String,
    database: Option<String>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.workshop);
    }
}

impl Program {
    /// Finds it.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn find() -> Result<PathBuf, String> {
        let path = match std::env::var_os(PROGRAM) {
            Some(path) => PathBuf::from(path),
            None => std::env::current_exe()
                .map_err(|error| format!("where am I? {error}"))?
                .with_file_name(format!("rollback{}", std::env::consts::EXE_SUFFIX)),
        };
        if path.is_file() {
            return Ok(path);
        }
        Err(format!(
            "the executor's program is not at {}: `cargo xtask chaos --world kind` builds it, or {PROGRAM} names another place",
            path.display()
        ))
    }

    /// With the text of the `runbook`, the executor's account on the cluster, its role in the database at `database`
    /// where the application has one, and what it takes for granted of the `application`.
    ///
    /// # Errors
    /// The program is missing, or a file can't be written.
    pub(super) fn new(
        place: &Place,
        runbook: &str,
        database: Option<String>,
        application: &Application,
    ) -> Result<Self, String> {
        let path = Self::find()?;
        let workshop = place.workshop();
        clear(&workshop)?;
        let program = Self {
            path,
            kubeconfig: place.executor_kubeconfig.clone(),
            context: place.context.clone(),
            database,
            workshop,
        };
        let failed = |error: std::io::Error| format!("{}: {error}", program.workshop.display());
        fs::create_dir_all(&program.workshop).map_err(failed)?;
        let text = with_addresses(runbook, &place.prometheus);
        fs::write(program.runbook(), text).map_err(failed)?;
        fs::write(program.settings(), settings(application)?).map_err(failed)?;
        Ok(program)
    }

    fn settings(&self) -> PathBuf {
        self.workshop.join("rollback.toml")
    }

    fn runbook(&self) -> PathBuf {
        self.workshop.join("rollback.md")
    }

    fn evidence(&self, host: u32) -> PathBuf {
        self.workshop.join(format!("evidence-{host}"))
    }

    /// What host `host` saved.
    pub(super) fn files(&self, host: u32) -> BTreeMap<String, String> {
        files_below(&self.evidence(host))
    }

    fn command(&self, host: u32, identity: &str, arguments: &[&str]) -> Result<Command, String> {
        let errors = self.workshop.join(format!("errors-{host}"));
        let errors = File::create(&errors).map_err(|e| format!("{}: {e}", errors.display()))?;
        let mut command = tied_to_us(&self.path);
        command
            .arg("--json")
            .arg("--yes")
            .arg("--accept-data-loss")
            .arg("--runbook")
            .arg(self.runbook())
            .arg("--settings")
            .arg(self.settings())
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", &self.context, "--identity", identity])
            .arg("--evidence-dir")
            .arg(self.evidence(host))
            .args(arguments)
            .current_dir(&self.workshop)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(errors));
        match &self.database {
            // Not on the command line, which everybody can read.
            Some(url) => command.env("ROLLBACK_DATABASE_URL", url),
            None => command.env_remove("ROLLBACK_DATABASE_URL"),
        };
        // Ctrl-C is for us; what becomes of the executor is for us to say.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// Runs it to its end on host `host`; `hear` gets each line.
    ///
    /// # Errors
    /// It can't be started or waited for.
    pub(super) async fn run(
        &self,
        host: u32,
        identity: &str,
        arguments: &[&str],
        victim: &Victim,
        mut hear: impl FnMut(&Line) + Send,
    ) -> Result<Ended, String> {
        let command = self.command(host, identity, arguments)?;
        let mut last = None;
        let hear_line = |line: String| {
            // What a later version says that this one does not know is skipped, as the format wants it.
            if let Ok(line) = serde_json::from_str::<Line>(&line)
                && line.schema == SCHEMA
            {
                hear(&line);
                last = Some(line.body);
            }
        };
        let (status, resume_after) = outcome_of(command, victim, hear_line).await?;
        if let Some(resume_after) = resume_after {
            return Ok(Ended::Killed(resume_after));
        }
        let result = last.filter(|body| {
            matches!(
                body,
                Body::Report(_) | Body::WatchEnded { .. } | Body::Done { .. } | Body::Error { .. }
            )
        });
        Ok(if let Some(body) = result {
            Ended::Said(Box::new(body))
        } else {
            let errors = self.workshop.join(format!("errors-{host}"));
            let errors = fs::read_to_string(errors).unwrap_or_default();
            Ended::Silent(format!("{status}, without a result: {}", errors.trim()))
        })
    }
}

/// A process that is a victim's, and lives no longer than this value.
pub(super) struct Started<'a> {
    pub(super) output: Option<ChildStdout>,
    pub(super) errors: Option<ChildStderr>,
    id: u32,
    leash: Leash<'a>,
}

/// Starts `command`, whose process is `victim`'s from then on.
///
/// # Errors
/// It can't be started.
pub(super) fn start(mut command: Command, victim: &Victim) -> Result<Started<'_>, String> {
    let mut child = command.spawn().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("cannot run {program}: {error}")
    })?;
    let started = Started {
        output: child.stdout.take(),
        errors: child.stderr.take(),
        id: child.id(),
        leash: Leash(victim),
    };
    victim.lock().child = Some(child);
    Ok(started)
}

impl Started<'_> {
    /// Completes when it has ended: how, and when another one resumes if it was killed.
    ///
    /// # Errors
    /// It can't be waited for.
    pub(super) async fn ended(&self) -> Result<(ExitStatus, Option<Duration>), String> {
        loop {
            match self.leash.0.ended()? {
                Some(ended) => return Ok(ended),
                None => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Kills what it has left behind, which would hold its output open.
    pub(super) fn kill_rest(&self) {
        kill_group(self.id);
    }
}

/// Runs `command` to its end, or to its death if it is `victim`'s: how it ended, and when another one resumes if it was
/// killed. `hear` gets each line of its output.
///
/// # Errors
/// It can't be started or waited for.
async fn outcome_of(
    command: Command,
    victim: &Victim,
    mut hear: impl FnMut(String) + Send,
) -> Result<(ExitStatus, Option<Duration>), String> {
    let mut process = start(command, victim)?;
    let (send, mut lines) = mpsc::unbounded();
    if let Some(output) = process.output.take() {
        std::thread::Builder::new()
            .name("executor".to_owned())
            .spawn(move || {
                for line in BufReader::new(output).split(b'\n') {
                    let Ok(line) = line else { return };
                    // What is no text is shown as well as it can be.
                    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if send.unbounded_send(line).is_err() {
                        return;
                    }
                }
            })
            .map_err(|error| format!("no thread for the executor's lines: {error}"))?;
    }
    while let Some(line) = lines.next().await {
        hear(line);
    }
    process.ended().await
}

/// `program`, which ends with this process: one that outlived a killed drill would go on changing the cluster of the
/// next one.
pub(super) fn tied_to_us(program: &Path) -> Command {
    match setpriv() {
        None => Command::new(program),
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.arg("--pdeathsig=KILL").arg(program);
            command
        }
    }
}

/// Kills a child, and whatever it has started: a child leads a process group of its own.
fn kill(child: &mut Child) -> std::io::Result<()> {
    kill_group(child.id());
    child.kill()
}

/// Kills a process group, if it is still there.
fn kill_group(id: u32) {
    let group = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Removes what a drill that was killed left there.
pub(super) fn clear(workshop: &Path) -> Result<(), String> {
    match fs::remove_dir_all(workshop) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", workshop.display()))
        }
        _ => Ok(()),
    }
}

fn setpriv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("setpriv"))
        .find(|file| file.is_file())
}

/// The text of the program's settings, with what it takes for granted of the `application`.
fn settings(application: &Application) -> Result<String, String> {
    let settings = BTreeMap::from([("application", application)]);
    toml::to_string(&settings).map_err(|error| format!("the executor's settings: {error}"))
}

/// The runbook with this world's addresses in its front matter, and no Loki, which is not there.
fn with_addresses(runbook: &str, prometheus: &str) -> String {
    let mut head = 0;
    let lines = runbook.lines().filter_map(|line| {
        head += usize::from(line == "---");
        match line {
            _ if head >= 2 => Some(line.to_owned()),
            _ if line.starts_with("loki:") => None,
            _ if line.starts_with("prometheus:") => Some(format!("prometheus: {prometheus}")),
            _ => Some(line.to_owned()),
        }
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;

    #[test]
    fn the_runbook_gets_this_worlds_addresses_and_is_else_the_same() {
        let built_in = LoadedRunbook::built_in().expect("valid");
        let text = with_addresses(&built_in.text, "http://127.0.0.1:9");
        let parsed = executor::runbook::Runbook::parse("rollback.md", &text).expect("valid");
        assert_eq!(parsed.prometheus, "http://127.0.0.1:9");
        assert_eq!(parsed.loki, None);
        assert_eq!(parsed.steps.len(), built_in.runbook.steps.len());
    }

    #[test]
    fn the_program_reads_what_it_takes_for_granted_of_the_application() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rollback.toml");
        let application = Application {
            error_rate_max: 0.001,
            p99_max_ms: 7_000,
            ..Application::default()
        };
        let text = settings(&application).expect("it can be written");
        fs::write(&file, text).expect("it is ours");
        let read = executor::live::Settings::read(&file).expect("it can be read");
        assert_eq!(read.application, application);
    }

    #[test]
    fn a_kill_counts_only_if_it_ended_the_process() {
        let victim = Victim::default();
        assert_eq!(victim.kill(Duration::ZERO), Ok(0), "nobody there");
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().expect("it starts")
        };
        victim.lock().child = Some(start("cat"));
        let after = Duration::from_secs(5);
        assert_eq!(victim.kill(after), Ok(1));
        let (status, resume_after) = victim.ended().expect("there").expect("ended");
        assert_eq!(status.signal(), Some(KILLED));
        assert_eq!(resume_after, Some(after));
        let mut child = start("true");
        child.wait().expect("it ends");
        victim.lock().child = Some(child);
        assert_eq!(victim.kill(after), Ok(0), "it had ended by itself");
        let (status, resume_after) = victim.ended().expect("there").expect("ended");
        assert!(status.success());
        assert_eq!(resume_after, None);
    }
}
