//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use firedrill::worlds::WorldKind;

use crate::{complete, help};

/// Fire drills on rollbacks: deploys a bad release, lets the rollback executor follow the runbook, and
/// judges from outside whether the exchange recovered.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, after_help = help::PROGRAM, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios, each with many seeds
    #[command(after_help = help::CHAOS)]
    Chaos(ChaosArgs),
    /// Draw drills that nobody wrote down, and find the smallest case of each class of failure
    #[command(after_help = help::SEARCH)]
    Search(SearchArgs),
    /// Run `chaos` or `search` in many pods of a cluster, and merge what they found
    #[command(after_help = help::CAMPAIGN)]
    Campaign(Box<CampaignArgs>),
    /// Run one share of a campaign: what its pods do
    #[command(after_help = help::SHARD)]
    Shard(ShardArgs),
    /// List what there is: scenarios, releases, faults, triggers, or the keys of a scenario file
    #[command(after_help = help::LIST)]
    List(ListArgs),
    /// How long a rollback of each workload takes, from manifests alone
    #[command(after_help = help::FORECAST)]
    Forecast(crate::forecast::ForecastArgs),
    /// Where the time of a rollback goes, and what each parameter is worth
    #[command(after_help = help::BUDGET)]
    Budget(crate::budget::BudgetArgs),
    /// Show everything about a scenario, a release, a fault or a trigger
    #[command(after_help = help::SHOW)]
    Show(ShowArgs),
    /// Write a scenario to begin with
    #[command(after_help = help::NEW)]
    New(NewArgs),
    /// Name every mistake in scenarios and runbooks, with its place and a remedy
    #[command(after_help = help::CHECK)]
    Check(CheckFilesArgs),
    /// Run one drill again, and show its timeline
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Print what a shell needs to complete this program's command line
    #[command(after_help = help::COMPLETIONS)]
    Completions(crate::shell::CompletionsArgs),
    /// Write this program's manual pages
    #[command(after_help = help::MAN)]
    Man(crate::shell::ManArgs),
    /// Make the reports again from journals, or merge those of several runs
    #[command(after_help = help::REPORT)]
    Report(ReportArgs),
    /// Measure on a kind cluster what the simulation assumes
    #[command(after_help = help::CALIBRATE)]
    Calibrate(CalibrateArgs),
    /// Time the executor against bare kubectl on a kind cluster
    #[command(after_help = help::BENCHMARK)]
    Benchmark(BenchmarkArgs),
    /// Measure recoveries on a kind cluster beside the simulation's, step by step
    #[command(after_help = help::COMPARE)]
    Compare(CompareArgs),
    /// Serve the simulated world to a person or a tool, who work on it by hand
    #[command(after_help = help::SERVE)]
    Serve(crate::serve::ServeArgs),
    /// A command of a drill's `PATH`, for an executor that is a program of its own
    #[command(hide = true)]
    Tool(crate::outside::ToolArgs),
    /// Look at runbooks
    #[command(after_help = help::RUNBOOK)]
    Runbook {
        #[command(subcommand)]
        command: RunbookCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunbookCommand {
    /// Name every mistake in a runbook, with its place and a remedy
    #[command(after_help = help::RUNBOOK_CHECK)]
    Check(CheckArgs),
    /// May a changed runbook be adopted? ADOPT, REJECT or INCONCLUSIVE, with the evidence
    #[command(after_help = help::VERIFY)]
    Verify(crate::verify::VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Built-in scenarios by name, patterns of names or files (`'faults/*'`, `'drills/*.toml'`), `all`, paths of
    /// scenario files or folders; none: the three default ones
    #[arg(value_name = "SCENARIO", add = ArgValueCompleter::new(complete::scenarios_and_files))]
    pub(crate) scenarios: Vec<String>,
    /// Every built-in scenario that the world can do, as the word `all`
    #[arg(long, conflicts_with = "scenarios")]
    pub(crate) all: bool,
    /// The drills that did not pass in the last run, with the files as they are now
    #[arg(long, conflicts_with_all = ["scenarios", "all", "seed", "seeds", "crash_points"])]
    pub(crate) last_failed: bool,
    /// Drill an application of your own, which this file describes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["all", "last_failed"])]
    pub(crate) app: Option<PathBuf>,
    /// Where to drill
    #[arg(long, value_enum, default_value_t = World::Sim)]
    pub(crate) world: World,
    /// How many seeds for each scenario [default: 100, or 1 with --seed or in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) seeds: Option<u32>,
    /// The first seed [default: 0]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Kill the executor at each of its requests in turn, before and after it takes effect, and let another host resume
    /// [default: 1 seed]
    #[arg(long, conflicts_with = "world")]
    pub(crate) crash_points: bool,
    /// Drills at a time [default: as many as there are processors; always 1 in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) jobs: Option<u16>,
    /// The runbook to follow instead of the built-in one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) runbook: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: crate::outside::ExecutorArgs,
    /// Refuse a runbook with warnings
    #[arg(long)]
    pub(crate) strict: bool,
    /// Perform each drill to the end of the scenario's `duration`,
    /// even where nothing could change its judgement any more
    #[arg(long, conflicts_with = "world")]
    pub(crate) whole: bool,
    /// Leave failures as they are: do not look for the smallest case of each
    #[arg(long)]
    pub(crate) no_cut: bool,
    /// Begin no further drill once so many have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_failures: Option<u32>,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list
    #[arg(value_enum, value_name = "WHAT", default_value_t = Listed::Scenarios)]
    pub(crate) what: Listed,
    /// The runbook whose triggers are listed, instead of the built-in one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) runbook: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Its name; where several things have it, all are shown, and `scenario/NAME`, `release/NAME`, `fault/NAME` and
    /// `trigger/NAME` tell them apart
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(complete::everything))]
    pub(crate) name: String,
    /// The runbook whose triggers are known, instead of the built-in one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) runbook: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The scenario's name, or the path of its file, which ends in its name; with -f, the folder of an application
    #[arg(value_name = "NAME", value_hint = ValueHint::FilePath)]
    pub(crate) name: PathBuf,
    /// Write an application to begin with for these manifests: files, folders, or `-` for standard input
    #[arg(short = 'f', long = "manifests", value_name = "PATH", value_hint = ValueHint::AnyPath, conflicts_with_all = ["like", "release"])]
    pub(crate) manifests: Vec<PathBuf>,
    /// The built-in scenario to begin with
    #[arg(long, value_name = "SCENARIO", add = ArgValueCandidates::new(complete::scenarios))]
    pub(crate) like: Option<String>,
    /// The release that it deploys; of a release with scenarios of its own, the first one is what it begins with
    #[arg(long, value_name = "RELEASE", conflicts_with = "like", add = ArgValueCandidates::new(complete::releases))]
    pub(crate) release: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckFilesArgs {
    /// Scenarios and runbooks, told apart by their endings (.toml, .md), else by what is in them; `-`: standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Refuse runbooks with warnings, too
    #[arg(long)]
    pub(crate) strict: bool,
    /// The runbook that scenarios must fit, instead of the built-in one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) runbook: Option<PathBuf>,
    /// The description of the application that scenarios and runbooks are of, where it does not name them itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) app: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Say nothing of files that are right
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What is said, and how.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// What standard output gets: a table for people, or JSON, as in the report's file
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Say only what did not pass, and the last line
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say how each drill ended, as it ends
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
    /// The built-in scenarios
    Scenarios,
    /// The releases that scenarios may deploy
    Releases,
    /// The kinds of faults
    Faults,
    /// The triggers of the runbook
    Triggers,
    /// What a scenario file may say
    Keys,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// For how long, for instance `90s` or `10m` [default: 1m unless --seeds is given]
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) duration: Option<String>,
    /// How many drills, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) seeds: Option<u64>,
    /// Which drills are drawn, or which mutants are sampled: the same seed and numbers give the same ones [default: 0]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// The number of the first drill: where an earlier search with this seed ended; of the first mutant [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) first: Option<u64>,
    /// Drills at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) jobs: Option<u16>,
    /// The runbook to follow instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(crate) runbook: Option<PathBuf>,
    /// Refuse a runbook with warnings
    #[arg(long)]
    pub(crate) strict: bool,
    /// Try mutants instead: each change that a person might make of the runbook must be caught
    #[arg(long, value_enum, conflicts_with_all = ["duration", "known", "corpus"])]
    pub(crate) mutants: Option<Mutants>,
    /// Try that many mutants at most, in an order that the seed shuffles [default: all]
    #[arg(long, value_name = "N", requires = "mutants", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: Option<u32>,
    /// Try that many pairs of changes, too, which the seed draws
    #[arg(long, value_name = "N", requires = "mutants", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) pairs: u32,
    /// Begin where the searches that left this folder ended, try their smallest cases first,
    /// and write there what was found
    #[arg(long, value_name = "DIR", conflicts_with = "first")]
    pub(crate) corpus: Option<PathBuf>,
    /// Classes of failure that are known, as `[[known]]` tables, beside those that are built in
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// Write search.json, search.html, summary.md and a scenario for each class there; mutants.md with --mutants
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CampaignArgs {
    /// The context of the kubeconfig; nothing is done in any other cluster
    #[arg(long, value_name = "CTX", required_unless_present = "manifest")]
    pub(crate) context: Option<String>,
    /// A kubeconfig file instead of KUBECONFIG or the one in the home directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Shards: pods that share the seeds or the numbers of the drills
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) shards: u32,
    /// Shards that run at a time [default: all, at most 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) parallelism: Option<u32>,
    /// The image of `cargo xtask dist`, as the cluster's nodes find it;
    /// `cargo xtask campaign` gives it for clusters of kind
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// A namespace that is there and has the label firedrill-campaigns=allowed, instead of one that is made and removed
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Processors of a shard, as Kubernetes writes them
    #[arg(long, value_name = "QUANTITY", default_value = "1", value_parser = quantity)]
    pub(crate) cpu: String,
    /// Memory of a shard, as Kubernetes writes it
    #[arg(long, value_name = "QUANTITY", default_value = "1Gi", value_parser = quantity)]
    pub(crate) memory: String,
    /// How often a shard is tried again that was killed or had no world
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) retries: u32,
    /// Give up once more than so many shards have failed; 0: at the first failure [default: run all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) max_failed_shards: Option<u32>,
    /// Give up after this time, for instance `8h` [default: never]
    #[arg(long, value_name = "DURATION")]
    pub(crate) deadline: Option<String>,
    /// Create the Job suspended: it waits until somebody starts it
    #[arg(long)]
    pub(crate) suspend: bool,
    /// A LocalQueue of Kueue in the namespace; the Job is created suspended, and Kueue starts it
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub(crate) queue: Option<String>,
    /// A PersistentVolumeClaim in the namespace: each shard writes its whole report there
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub(crate) claim: Option<String>,
    /// Collect only what did not pass; what passed is counted. For campaigns whose journals would fill the memory
    #[arg(long)]
    pub(crate) failures_only: bool,
    /// Leave what was created in the cluster
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print what would be created, as JSON for `kubectl apply -f -`, and do nothing
    #[arg(long, conflicts_with_all = ["report", "keep"])]
    pub(crate) manifest: bool,
    /// Write campaign.json and the merged report there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    /// Say only what did not pass, and the last lines
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// `chaos` or `search` with its own options; `--seeds` is the number for all shards together
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) work: Vec<String>,
}

/// A quantity in the notation of Kubernetes, as far as processors and memory need it.
fn quantity(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let is_number = digits.parse::<f64>().is_ok_and(|number| number > 0.0);
    let known = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];
    if is_number && digits.starts_with(|c: char| c.is_ascii_digit()) && known.contains(&suffix) {
        Ok(text.to_owned())
    } else {
        Err("write for instance 1, 500m or 2Gi".to_owned())
    }
}

#[derive(Debug, Args)]
pub(crate) struct ShardArgs {
    /// Which shard this is, counted from 0
    #[arg(long, value_name = "N", env = "JOB_COMPLETION_INDEX")]
    pub(crate) index: u32,
    /// How many shards there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shards: u32,
    /// Digest of the campaign, 16 hexadecimal digits; it is handed on
    #[arg(long, value_name = "DIGEST", default_value = "0", value_parser = hexadecimal)]
    pub(crate) campaign: u64,
    /// Where the summary of at most 4096 bytes goes
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log", value_hint = ValueHint::FilePath)]
    pub(crate) message: PathBuf,
    /// Write the whole report into the folder of this shard there, too
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) reports: Option<PathBuf>,
    /// Print only what did not pass as results; what passed is counted
    #[arg(long)]
    pub(crate) failures_only: bool,
    /// `chaos` or `search` with its own options; `--seeds` is the number for all shards together
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) work: Vec<String>,
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A replay token, as findings and journal.json show it
    #[arg(value_name = "TOKEN", required_unless_present = "recording")]
    pub(crate) token: Option<String>,
    /// The scenario and the runbook, where the token only names them; they must be as they were
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// The application that was drilled, where the token only names its scenario; all of its files must be as they were
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) app: Option<PathBuf>,
    /// What a program outside asked for in a drill, to be played back without the program
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token", "executor"], value_hint = ValueHint::FilePath)]
    pub(crate) recording: Option<PathBuf>,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: crate::outside::ExecutorArgs,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Journals that runs with --report wrote; several are merged. Of a folder that holds journals of several runs, the
    /// trend is shown, and the report is that of the latest run
    #[arg(value_name = "JOURNAL|FOLDER", required_unless_present = "schema", value_hint = ValueHint::FilePath)]
    pub(crate) journals: Vec<PathBuf>,
    /// Show what changed since this run: verdicts, classes of failure, and times to recover
    #[arg(long, value_name = "JOURNAL")]
    pub(crate) against: Option<PathBuf>,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Print the JSON Schema of journals
    #[arg(long, conflicts_with_all = ["journals", "report", "against"])]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// How many rollouts of each service
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub(crate) rounds: u32,
    /// Where to write what was measured of the cluster
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Where to write what was measured of the exchange on it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out_exchange: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BenchmarkArgs {
    /// How many rollbacks by each
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Built-in scenarios by name, patterns of names or files (`'faults/*'`, `'drills/*.toml'`), `all`, paths of
    /// scenario files or folders; none: the three default ones
    #[arg(value_name = "SCENARIO", add = ArgValueCompleter::new(complete::scenarios_and_files))]
    pub(crate) scenarios: Vec<String>,
    /// How many recoveries of each on the cluster
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) runs: u32,
    /// How many drills of each in the simulation
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) seeds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The runbook; `-`: standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Refuse it for warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mutants {
    /// Of the runbook: every step, check, trigger and key, changed in each way that its form allows
    Runbook,
    /// Of the executor: bugs that are planted in it, which only `cargo xtask search` can do
    Executor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum World {
    /// The deterministic simulation: needs nothing
    Sim,
    /// A kind cluster with real PostgreSQL and Prometheus, in real time
    Kind,
}

impl From<World> for WorldKind {
    fn from(world: World) -> Self {
        match world {
            World::Sim => Self::Sim,
            World::Kind => Self::Kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    /// Every command with its name, those that have others in them, too.
    fn commands(command: &clap::Command, name: &str) -> Vec<(String, clap::Command)> {
        // What is hidden is for programs.
        let inner = command.get_subcommands().filter(|it| !it.is_hide_set());
        let named = |it: &clap::Command| format!("{name} {}", it.get_name());
        let own = std::iter::once((name.to_owned(), command.clone()));
        own.chain(inner.flat_map(|it| commands(it, &named(it))))
            .collect()
    }

    #[test]
    fn the_help_of_every_command_has_exit_codes_and_examples_that_are_understood() {
        let program = <Cli as clap::CommandFactory>::command();
        let commands = commands(&program, "firedrill");
        assert!(commands.len() > 10, "{}", commands.len());
        let mut understood = 0;
        for (name, command) in commands {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains("Exit codes:"), "{name}: {help}");
            let examples = help.split("Exit codes:").next().unwrap_or_default();
            assert!(examples.contains(&name), "{name}: {help}");
            for line in examples
                .lines()
                .filter_map(|line| line.trim().strip_prefix("firedrill "))
            {
                // What follows two spaces is said to people, and what is redirected to the shell.
                let line = line.split("  ").next().unwrap_or_default();
                let line = line.split(['<', '>', '|']).next().unwrap_or_default();
                let words = line.split_whitespace().map(|word| word.trim_matches('\''));
                if let Err(error) = Cli::try_parse_from(std::iter::once("firedrill").chain(words)) {
                    panic!("{name}: {line}: {error}");
                }
                understood += 1;
            }
        }
        assert!(understood > 20, "{understood}");
    }

    #[test]
    fn defaults_are_a_hundred_seeds_in_sim() {
        let cli = Cli::try_parse_from(["firedrill", "chaos"]).expect("valid");
        let Command::Chaos(args) = cli.command else {
            panic!("chaos")
        };
        assert_eq!(
            (args.world, args.seeds, args.seed),
            (World::Sim, None, None)
        );
        assert!(args.scenarios.is_empty());
    }
}
