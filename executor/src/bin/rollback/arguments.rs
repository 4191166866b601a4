//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use executor::runbook::TriggerClass;

use crate::db_command::Db;

/// Carries out a written rollback runbook on a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "rollback", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What most commands need.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The runbook to follow.
    #[arg(
        long,
        global = true,
        default_value = "runbooks/rollback.md",
        env = "ROLLBACK_RUNBOOK"
    )]
    pub(crate) runbook: PathBuf,
    /// A kubeconfig file; otherwise KUBECONFIG, the home directory's, or the pod's own account.
    #[arg(long, global = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; otherwise its current one.
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
    /// The ledger database: postgres://USER:PASSWORD@HOST:PORT/LEDGER?sslmode=verify-full&sslrootcert=FILE.
    /// Best given in the environment.
    #[arg(
        long,
        global = true,
        env = "ROLLBACK_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// A TOML file: tokens, passwords and CA files for Prometheus and Loki,
    /// and the names of the ledger's tables and role.
    #[arg(long, global = true, env = "ROLLBACK_SETTINGS")]
    pub(crate) settings: Option<PathBuf>,
    /// Where logs, the post-mortem and the scenario are kept.
    #[arg(
        long,
        global = true,
        default_value = "evidence",
        env = "ROLLBACK_EVIDENCE_DIR"
    )]
    pub(crate) evidence_dir: PathBuf,
    /// Don't ask before acting. Doesn't cover the loss of what clients were told about.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Accept that what the plan says it may lose is lost, also what clients were told about.
    #[arg(long, global = true)]
    pub(crate) accept_data_loss: bool,
    /// One JSON object a line on standard output (format `rollback/1`) instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Roll back in spite of a closed validation window, an older anomaly or an unfinished journal.
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// Who acts, unique among executors; otherwise user, host and process.
    #[arg(long, global = true)]
    pub(crate) identity: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record the release and take the snapshot, before a deployment.
    Prepare,
    /// Evaluate the triggers through the validation window. Exit code 1: one fired.
    Watch {
        /// Roll back at once if a trigger fires.
        #[arg(long)]
        run: bool,
    },
    /// Print what `run` would do and why; change nothing.
    Plan(Reason),
    /// Roll back.
    Run(Reason),
    /// Carry on an interrupted rollback, on this host or another.
    Resume,
    /// Write the post-mortem's skeleton again, from the journal of the last rollback.
    PostMortem,
    /// Write the scenario that reproduces the incident again, from the journal of the last rollback.
    Scenario,
    /// Check a runbook. Exit code 2: it has mistakes.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Single steps on the ledger database, for a rollback by hand.
    Db(Db),
    /// Single steps on the configuration, for a rollback by hand.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Single steps on the pods, for a rollback by hand.
    Pods {
        #[command(subcommand)]
        command: PodsCommand,
    },
    /// Print what a shell needs to complete this program's command line.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write this program's manual pages.
    Man {
        /// Where; made if it is not there.
        directory: PathBuf,
    },
}

impl Command {
    /// As it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Watch { .. } => "watch",
            Self::Plan(_) => "plan",
            Self::Run(_) => "run",
            Self::Resume => "resume",
            Self::PostMortem => "post-mortem",
            Self::Scenario => "scenario",
            Self::Check { .. } => "check",
            Self::Db { .. } => "db",
            Self::Config { .. } => "config",
            Self::Pods { .. } => "pods",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
        }
    }

    /// Whether it takes its time, so that people look on.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self, Self::Watch { .. } | Self::Run(_) | Self::Resume)
    }
}

/// Why to roll back.
#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// A trigger of the runbook; otherwise it is a person's decision.
    #[arg(long)]
    pub(crate) trigger: Option<String>,
    /// Class of a person's decision.
    #[arg(long, value_enum, default_value_t = Class::Sla)]
    pub(crate) class: Class,
    /// Why a person decided so.
    #[arg(long, default_value = "a person's decision")]
    pub(crate) reason: String,
}

/// Trigger classes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Class {
    /// Matching irregularity, lost state determinism.
    P0,
    /// Latency or throughput.
    Sla,
    /// The data are wrong: the ledger is restored.
    DataIntegrity,
}

impl From<Class> for TriggerClass {
    fn from(class: Class) -> Self {
        match class {
            Class::P0 => Self::P0,
            Class::Sla => Self::Sla,
            Class::DataIntegrity => Self::DataIntegrity,
        }
    }
}

/// Steps on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Put back the recorded ConfigMaps of a service.
    Restore {
        /// Deployment.
        #[arg(long)]
        service: String,
    },
}

/// Steps on the pods.
#[derive(Debug, Subcommand)]
pub(crate) enum PodsCommand {
    /// Evict the pods of a service, one by one, each once all are available: they take up their configuration.
    Replace {
        /// Deployment.
        #[arg(long)]
        service: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn steps_on_the_database_say_which_token_they_take_and_what_they_replay() {
        use clap::Parser as _;
        let mut program = Arguments::command();
        let db = program.find_subcommand_mut("db").expect("there");
        let help = db.render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("the highest one that the database has seen"),
            "{help}"
        );
        let read = |words: &[&str]| Arguments::try_parse_from(words).err();
        assert!(read(&["rollback", "db", "replay", "--log"]).is_none());
        let refused = read(&["rollback", "db", "replay"]).expect("replay what?");
        assert!(refused.to_string().contains("--log"), "{refused}");
    }

    #[test]
    fn every_shell_gets_completions_for_every_command() {
        use clap_complete::Shell::{Bash, Fish, Zsh};
        for shell in [Bash, Zsh, Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "rollback", &mut script);
            let script = String::from_utf8_lossy(&script).into_owned();
            for word in ["resume", "post-mortem", "accept-data-loss"] {
                assert!(script.contains(word), "{shell}: no {word}");
            }
        }
    }
}
