//! From arguments to an executor with its real ports.

use std::path::Path;
use std::sync::Arc;

use executor::live::{DirectoryEvidence, PostgresDatabase, Settings, SystemClock, http_client_for};
use executor::planner::LossKind;
use executor::ports::{Database, Ports};
use executor::runbook::Runbook;
use executor::{Executor, Options, no_ledger};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio_util::sync::CancellationToken;

use crate::arguments::Common;
use crate::commands::Failure;
use crate::no_database::NoDatabase;
use crate::show::Screen;

/// Reads a file.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    executor::read_text(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))
}

/// Reads the runbook.
pub(crate) fn runbook(common: &Common) -> Result<Runbook, Failure> {
    let text = read(&common.runbook)?;
    Runbook::parse(&common.runbook.display().to_string(), &text)
        .map_err(|errors| Failure::input(errors.plain()))
}

/// An executor that nothing was allowed to lose yet.
pub(crate) async fn executor(
    common: &Common,
    runbook: Arc<Runbook>,
    screen: Arc<Screen>,
    stop: CancellationToken,
) -> Result<Executor, Failure> {
    let settings = settings(common)?;
    let mut servers = vec![(runbook.prometheus.as_str(), &settings.prometheus)];
    servers.extend(runbook.loki.as_deref().map(|loki| (loki, &settings.loki)));
    let http = http_client_for(&servers).map_err(|error| Failure::input(error.to_string()))?;
    let database: Arc<dyn Database> = match &common.database_url {
        Some(url) => Arc::new(postgres(url, &settings)?),
        None => unnamed(&runbook),
    };
    let ports = Ports {
        kube: kube::Client::try_from(config(common).await?).map_err(cluster)?,
        http,
        database,
        clock: Arc::new(SystemClock),
        evidence: Arc::new(DirectoryEvidence::new(&common.evidence_dir)),
    };
    let options = Options {
        force: common.force,
        may_lose: LossKind::Nothing,
        application: settings.application,
        stop,
        ..Options::new(identity(common))
    }
    .with_observer(screen);
    Ok(Executor::new(ports, runbook, options))
}

async fn config(common: &Common) -> Result<kube::Config, Failure> {
    let options = KubeConfigOptions {
        context: common.context.clone(),
        ..Default::default()
    };
    match &common.kubeconfig {
        Some(file) => {
            let file =
                Kubeconfig::read_from(file).map_err(|error| Failure::input(error.to_string()))?;
            kube::Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(cluster)
        }
        None if common.context.is_some() => kube::Config::from_kubeconfig(&options)
            .await
            .map_err(cluster),
        None => kube::Config::infer().await.map_err(cluster),
    }
}

fn cluster(error: impl std::fmt::Display) -> Failure {
    Failure::input(format!("no way to the cluster: {error}"))
}

/// Who acts.
pub(crate) fn identity(common: &Common) -> String {
    if let Some(identity) = &common.identity {
        return identity.clone();
    }
    let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_else(|_| "somewhere".to_owned());
    format!("{user}@{}/{}", host.trim(), std::process::id())
}

/// The settings that a file says, or their defaults.
pub(crate) fn settings(common: &Common) -> Result<Settings, Failure> {
    let read = common.settings.as_deref().map(Settings::read);
    read.transpose()
        .map(Option::unwrap_or_default)
        .map_err(Failure::input)
}

/// The database port.
pub(crate) fn postgres(url: &str, settings: &Settings) -> Result<PostgresDatabase, Failure> {
    PostgresDatabase::from_url(url, settings.ledger.clone())
        .map_err(|error| Failure::input(format!("database URL: {error}")))
}

/// The database port where no database was named: a runbook with steps that ask for one needs it, and what any other
/// runbook rolls back has none.
fn unnamed(runbook: &Runbook) -> Arc<dyn Database> {
    if runbook.asks_the_database() {
        Arc::new(NoDatabase)
    } else {
        no_ledger()
    }
}

/// The command line that goes on after a stop, for a shell. A database URL given as an argument is left out: it holds a
/// password.
pub(crate) fn resume_command(common: &Common) -> String {
    let program = std::env::args_os().next().map_or_else(
        || "rollback".to_owned(),
        |program| program.to_string_lossy().into_owned(),
    );
    let mut words = vec![program, "resume".to_owned()];
    let mut option = |name: &str, value: &Path| {
        words.push(name.to_owned());
        words.push(value.display().to_string());
    };
    option("--runbook", &common.runbook);
    if let Some(file) = &common.kubeconfig {
        option("--kubeconfig", file);
    }
    if let Some(context) = &common.context {
        option("--context", Path::new(context));
    }
    if let Some(file) = &common.settings {
        option("--settings", file);
    }
    option("--evidence-dir", &common.evidence_dir);
    if common.yes {
        words.push("--yes".to_owned());
    }
    if common.accept_data_loss {
        words.push("--accept-data-loss".to_owned());
    }
    let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>();
    let line = line.join(" ");
    if common.database_url.is_some() && std::env::var_os("ROLLBACK_DATABASE_URL").is_none() {
        format!("ROLLBACK_DATABASE_URL=… {line}")
    } else {
        line
    }
}

/// `word` as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use executor::runbook::Runbook;

    use super::{quoted, resume_command, unnamed};
    use crate::arguments::Arguments;

    #[tokio::test]
    async fn only_a_runbook_that_asks_for_a_database_must_be_told_which() {
        let of = |text| unnamed(&Runbook::parse("rollback.md", text).expect("it is right"));
        let hello = include_str!("../../../../examples/apps/hello/rollback.md");
        let history = of(hello).history().await;
        assert_eq!(history.expect("there is none"), []);
        let exchange = include_str!("../../../../runbooks/rollback.md");
        let refused = of(exchange).history().await.expect_err("it needs one");
        assert!(refused.to_string().contains("no database was named"));
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("runbooks/rollback.md"), "runbooks/rollback.md");
        assert_eq!(quoted("my runbook's.md"), r"'my runbook'\''s.md'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_line_that_resumes_names_the_same_cluster_and_no_password() {
        let line = [
            "rollback",
            "run",
            "--yes",
            "--context",
            "prod 1",
            "--runbook",
            "r.md",
            "--database-url",
            "postgres://u:secret@h/d",
            "--settings",
            "s.toml",
            "--accept-data-loss",
        ];
        let arguments = Arguments::try_parse_from(line).expect("valid");
        let resume = resume_command(&arguments.common);
        assert!(
            resume.ends_with(
                " resume --runbook r.md --context 'prod 1' --settings s.toml --evidence-dir evidence --yes --accept-data-loss"
            ),
            "{resume}"
        );
        assert!(!resume.contains("secret"), "{resume}");
        let words = [
            "rollback",
            "resume",
            "--runbook",
            "r.md",
            "--accept-data-loss",
        ];
        Arguments::try_parse_from(words).expect("it can be typed");
    }
}
