//! An executor that is somebody else's program, on the cluster: one process of it for each phase, with the rights of
//! an account of its own (`deploy/program.yaml`). Our own executor watches the triggers for it.
//!
//! Time is real, and so are `sleep`, `date`, `kubectl`, `flyway` and `rollback`: the program finds them on its `PATH`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use contract::wire::ReportLine;
use executor::clock::Clock as _;
use executor::live::SystemClock;
use executor::{Executor, TriggerEvent};
use futures::channel::oneshot;
use kube::config::Kubeconfig;

use super::place::Place;
use super::process::{Victim, clear, start};
use super::stage::ActsRecord;
use crate::worlds::common::acts::Record as _;
use crate::worlds::common::host::{Death, Failed, Host};
use crate::worlds::common::output::{ERROR_LINES, LAST_WORDS, Reading};
use crate::worlds::common::{claims, left};
use crate::worlds::recording::Ended;

/// What whoever carries out a rollback works on.
pub(super) struct Task<'a> {
    /// Namespace of the application.
    pub(super) namespace: &'a str,
    /// The release to go back to.
    pub(super) prior: &'a str,
    /// Its ledger; `None`: it has none.
    pub(super) ledger: Option<TaskLedger>,
}

/// The ledger of a task.
pub(super) struct TaskLedger {
    /// The executor's role in the database.
    pub(super) url: String,
    /// The migration files of the release that is deployed, by name.
    pub(super) migrations: BTreeMap<String, String>,
}

/// What tells a program of a database. What this process has of it is about another one, and is taken away.
const OF_DATABASES: [&str; 5] = [
    "FLYWAY_LOCATIONS",
    "FLYWAY_PASSWORD",
    "FLYWAY_URL",
    "FLYWAY_USER",
    "ROLLBACK_DATABASE_URL",
];

/// The program, and the files that it gets and leaves. They go with this value.
pub(super) struct Outsider {
    command: String,
    workshop: PathBuf,
    /// What it is told, in every phase.
    told: BTreeMap<&'static str, String>,
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.workshop);
    }
}

/// Where the ledger's database is, as the programs that work on it want to be told; `url` is the executor's.
///
/// # Errors
/// The URL is none.
fn database(url: &str) -> Result<BTreeMap<&'static str, String>, String> {
    let wrong = || "the database's URL names no host, user or database".to_owned();
    let rest = url.strip_prefix("postgresql://").ok_or_else(wrong)?;
    let (account, place) = rest.rsplit_once('@').ok_or_else(wrong)?;
    let (user, password) = account.split_once(':').ok_or_else(wrong)?;
    Ok(BTreeMap::from([
        ("FLYWAY_PASSWORD", password.to_owned()),
        ("FLYWAY_URL", format!("jdbc:postgresql://{place}")),
        ("FLYWAY_USER", user.to_owned()),
        ("ROLLBACK_DATABASE_URL", url.to_owned()),
    ]))
}

/// The kubeconfig in `file`, whose commands act in `namespace` where they name none, as one value in JSON, which is
/// YAML, too.
///
/// # Errors
/// It can't be read.
fn in_namespace(file: &Path, namespace: &str) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut config = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
    for context in &mut config.contexts {
        if let Some(context) = &mut context.context {
            context.namespace = Some(namespace.to_owned());
        }
    }
    serde_json::to_string(&config).map_err(|error| failed(&error))
}

/// Writes a new file that nobody else may read.
fn write_secret(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(text.as_bytes())
}

impl Outsider {
    /// `command` on the cluster at `place`, which does `task`.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub(super) fn new(command: &str, place: &Place, task: &Task<'_>) -> Result<Self, String> {
        let workshop = place.workshop();
        clear(&workshop)?;
        let failed = |error: std::io::Error| format!("{}: {error}", workshop.display());
        let text = |path: &Path| path.display().to_string();
        let mut told = BTreeMap::new();
        let scripts = workshop.join("migrations");
        fs::create_dir_all(&scripts).map_err(failed)?;
        if let Some(ledger) = &task.ledger {
            for (name, sql) in &ledger.migrations {
                fs::write(scripts.join(name), sql).map_err(failed)?;
            }
            told.extend(database(&ledger.url)?);
            told.insert("FLYWAY_LOCATIONS", format!("filesystem:{}", text(&scripts)));
        }
        let given = place.program_kubeconfig();
        let kubeconfig = workshop.join("kubeconfig");
        let config = in_namespace(given, task.namespace)?;
        write_secret(&kubeconfig, &config).map_err(failed)?;
        told.extend([
            ("FIREDRILL_NAMESPACE", task.namespace.to_owned()),
            ("FIREDRILL_PRIOR_RELEASE", task.prior.to_owned()),
            ("KUBECACHEDIR", text(&workshop.join("cache"))),
            ("KUBECONFIG", text(&kubeconfig)),
            ("PROMETHEUS_URL", place.prometheus.clone()),
        ]);
        Ok(Self {
            command: command.to_owned(),
            workshop,
            told,
        })
    }

    fn evidence(&self, host: u32) -> PathBuf {
        self.workshop.join(format!("evidence-{host}"))
    }

    fn recovered_at(&self, host: u32) -> PathBuf {
        self.workshop.join(format!("recovered-at-{host}"))
    }

    /// The process of `phase` on host `host`.
    fn process(
        &self,
        host: u32,
        phase: &str,
        trigger: Option<&TriggerEvent>,
    ) -> Result<Command, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.workshop.display());
        let evidence = self.evidence(host);
        fs::create_dir_all(&evidence).map_err(failed)?;
        let mut command = super::process::tied_to_us(Path::new("sh"));
        command.arg("-c").arg(&self.command);
        for name in OF_DATABASES {
            command.env_remove(name);
        }
        command
            .envs(&self.told)
            .env("FIREDRILL_EVIDENCE", evidence)
            .env("FIREDRILL_PHASE", phase)
            .env("FIREDRILL_RECOVERED_AT", self.recovered_at(host))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(trigger) = trigger {
            command.env("FIREDRILL_TRIGGER", &trigger.name);
        }
        // Ctrl-C is for us, and whatever it starts dies with it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// With what host `host` has left.
    fn with_files(&self, host: u32, ended: Ended) -> Ended {
        left::with_files(&self.evidence(host), &self.recovered_at(host), ended)
    }
}

/// Runs `command` to its end, or to its death if it is `victim`'s: how it ended, and when another one resumes if it was
/// killed.
///
/// # Errors
/// It can't be started or waited for.
async fn run(command: Command, victim: &Victim) -> Result<(Ended, Option<Duration>), String> {
    let mut process = start(command, victim)?;
    let output = Reading::of(process.output.take(), usize::MAX);
    let errors = Reading::of(process.errors.take(), ERROR_LINES);
    let (status, resume_after) = process.ended().await?;
    process.kill_rest();
    // Where somebody holds them open all the same, it is another thread that waits, and not the clients' load.
    let (send, taken) = oneshot::channel();
    thread::spawn(move || {
        let taken = (output.take(LAST_WORDS), errors.take(LAST_WORDS));
        // Nobody waits any more where the drill was interrupted.
        let _ = send.send(taken);
    });
    let (output, errors) = taken
        .await
        .map_err(|_| "the thread that reads what the program writes has died".to_owned())?;
    let ended = Ended {
        code: status.code(),
        incomplete: output.incomplete || errors.incomplete,
        output: output.lines.into(),
        errors: errors.lines.into(),
        ..Ended::default()
    };
    Ok((ended, resume_after))
}

/// A host that runs the program.
pub(super) struct ByCommand {
    pub(super) program: Arc<Outsider>,
    pub(super) watcher: Executor,
    pub(super) number: u32,
    pub(super) record: ActsRecord,
}

impl ByCommand {
    /// Runs a phase to its end, or to its death if it is `victim`'s.
    async fn phase(
        &self,
        phase: &str,
        trigger: Option<&TriggerEvent>,
        victim: &Victim,
    ) -> Result<Ended, Failed> {
        self.record
            .tell("harness", "", format!("runs the program for `{phase}`"));
        let command = self.program.process(self.number, phase, trigger);
        let command = command.map_err(Failed::Harness)?;
        let outcome = run(command, victim).await;
        let (ended, resume_after) = outcome.map_err(Failed::Harness)?;
        let ended = self.program.with_files(self.number, ended);
        let mut files = ended.files.clone();
        self.record
            .evidence(|evidence| evidence.files.append(&mut files));
        if let Some(resume_after) = resume_after {
            return Err(Failed::Killed(Death {
                at_request: false,
                resume_after,
            }));
        }
        self.record
            .tell("executor", phase, claims::in_words(&ended));
        Ok(ended)
    }

    async fn roll_back(
        &self,
        phase: &str,
        trigger: Option<&TriggerEvent>,
    ) -> Result<ReportLine, Failed> {
        let began = SystemClock.now();
        let victim = &self.record.injector.victim;
        let ended = self.phase(phase, trigger, victim).await?;
        claims::report(began, SystemClock.now(), &ended)
    }
}

#[async_trait]
impl Host for ByCommand {
    async fn prepare(&self) -> Result<(), Failed> {
        self.watcher.prepare().await?;
        let ended = self.phase("prepare", None, &Victim::default()).await?;
        claims::prepared(&ended)
    }

    async fn watch(&self) -> Result<Option<TriggerEvent>, Failed> {
        Host::watch(&self.watcher).await
    }

    async fn run(&self, event: &TriggerEvent) -> Result<ReportLine, Failed> {
        self.roll_back("run", Some(event)).await
    }

    async fn resume(&self) -> Result<ReportLine, Failed> {
        self.roll_back("resume", None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outsider(command: &str) -> (tempfile::TempDir, Outsider) {
        let folder = tempfile::tempdir().expect("a folder");
        let outsider = Outsider {
            command: command.to_owned(),
            workshop: folder.path().join("drill"),
            told: BTreeMap::from([("FIREDRILL_PRIOR_RELEASE", "1.4.0".to_owned())]),
        };
        fs::create_dir_all(&outsider.workshop).expect("it is ours");
        (folder, outsider)
    }

    async fn run(outsider: &Outsider, phase: &str) -> Ended {
        let command = outsider.process(1, phase, None).expect("a command");
        let outcome = super::run(command, &Victim::default()).await;
        let (ended, resume_after) = outcome.expect("it starts");
        assert_eq!(resume_after, None);
        outsider.with_files(1, ended)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(work)
    }

    #[test]
    fn a_process_is_told_of_its_phase_and_leaves_output_errors_and_files() {
        let script = "echo \"$FIREDRILL_PHASE $FIREDRILL_PRIOR_RELEASE\"; echo why >&2; \
                      mkdir -p \"$FIREDRILL_EVIDENCE/logs\"; echo log > \"$FIREDRILL_EVIDENCE/logs/a\"; \
                      echo 2026-05-04T10:00:00Z > \"$FIREDRILL_RECOVERED_AT\"; exit 3";
        let (_folder, outsider) = outsider(script);
        let ended = block_on(run(&outsider, "run"));
        assert_eq!(ended.code, Some(3));
        assert_eq!(ended.output, ["run 1.4.0"]);
        assert_eq!(ended.errors, ["why"]);
        assert_eq!(
            ended.files.get("/logs/a").map(String::as_str),
            Some("log\n")
        );
        assert!(ended.recovered_at.is_some());
    }

    #[test]
    fn what_a_process_writes_is_bounded_and_what_it_leaves_running_is_not_waited_for() {
        let script = "yes why | head -n 1000 >&2; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; \
                      head -c 100000 /dev/zero > \"$FIREDRILL_RECOVERED_AT\"; sleep 1000 &";
        let (_folder, outsider) = outsider(script);
        let ended = block_on(run(&outsider, "run"));
        assert_eq!(ended.code, Some(0));
        assert_eq!(ended.errors.len(), ERROR_LINES);
        assert_eq!(ended.output.last().map(String::as_str), Some("end"));
        let kept: usize = ended.output.iter().map(String::len).sum();
        assert!(kept < 1_000_000 && ended.incomplete, "{kept}");
        let instant = ended.recovered_at.map_or(0, |text| text.len());
        assert!(instant < 10_000, "{instant}");
    }

    #[test]
    fn a_kubeconfig_is_the_same_in_another_namespace() {
        let folder = tempfile::tempdir().expect("a folder");
        let given = folder.path().join("given");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: drills\n\
                    clusters: [{name: c, cluster: {server: 'https://10.0.0.1:6443'}}]\n\
                    users: [{name: u, user: {token: secret}}]\n\
                    contexts: [{name: drills, context: {cluster: c, user: u, namespace: dex-production}}]\n";
        fs::write(&given, text).expect("it is ours");
        let (own, file) = (in_namespace(&given, "shop"), folder.path().join("own"));
        write_secret(&file, &own.expect("it can be read")).expect("it is ours");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(&file).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let read = |file| Kubeconfig::read_from(file).expect("a kubeconfig");
        let json = |config: &Kubeconfig| serde_json::to_value(config).expect("JSON");
        let (mut before, own) = (json(&read(&given)), json(&read(&file)));
        assert_eq!(own["users"][0]["user"]["token"], "secret");
        before["contexts"][0]["context"]["namespace"] = "shop".into();
        assert_eq!(own, before);
    }

    #[test]
    fn a_program_is_told_of_no_database_where_there_is_none() {
        let (_folder, outsider) = outsider("true");
        let command = outsider.process(1, "run", None).expect("a command");
        let told: BTreeMap<_, _> = command.get_envs().collect();
        for name in OF_DATABASES {
            assert_eq!(told.get(std::ffi::OsStr::new(name)), Some(&None), "{name}");
        }
    }

    #[test]
    fn a_database_is_told_to_flyway_and_to_rollback() {
        let told = database("postgresql://who:secret@10.0.0.1:5432/ledger").expect("a URL");
        assert_eq!(told["FLYWAY_URL"], "jdbc:postgresql://10.0.0.1:5432/ledger");
        assert_eq!(
            (&*told["FLYWAY_USER"], &*told["FLYWAY_PASSWORD"]),
            ("who", "secret")
        );
        assert!(database("10.0.0.1").is_err());
    }
}
