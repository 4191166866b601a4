//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use firedrill::worlds::WorldKind;

const EXIT_CODES: &str = "Exit codes:\n  0  all passed\n  1  a drill failed\n  2  bad input or usage\n  3  inconclusive, and none failed\n  4  the world could not be built\n  130  interrupted";

const VERIFY_EXIT_CODES: &str = "Exit codes:\n  0  ADOPT\n  1  REJECT\n  2  bad input or usage\n  3  INCONCLUSIVE\n  4  the world could not be built\n  130  interrupted";

/// Fire drills on rollbacks: deploys a bad release, lets the rollback executor follow the runbook, and
/// judges from outside whether the exchange recovered.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios, each with many seeds
    Chaos(ChaosArgs),
    /// Run one drill again, and show its timeline
    Replay(ReplayArgs),
    /// Print what a shell needs to complete this program's command line
    Completions(crate::shell::CompletionsArgs),
    /// Write this program's manual pages
    Man(crate::shell::ManArgs),
    /// Make the reports again from journals, or merge those of several runs
    Report(ReportArgs),
    /// Measure on a kind cluster what the simulation assumes
    Calibrate(CalibrateArgs),
    /// Time the executor against bare kubectl on a kind cluster
    Benchmark(BenchmarkArgs),
    /// Measure recoveries on a kind cluster beside the simulation's, step by step
    Compare(CompareArgs),
    /// Look at runbooks
    Runbook {
        #[command(subcommand)]
        command: RunbookCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunbookCommand {
    /// Name every mistake in a runbook, with its place and a remedy
    Check(CheckArgs),
    /// May a changed runbook be adopted? ADOPT, REJECT or INCONCLUSIVE, with the evidence
    #[command(after_help = VERIFY_EXIT_CODES)]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Names of built-in scenarios, or paths of scenario files; none: the three default ones
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// Every built-in scenario that the world can do
    #[arg(long, conflicts_with = "scenarios")]
    pub(crate) all: bool,
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
    #[arg(long, value_name = "FILE")]
    pub(crate) runbook: Option<PathBuf>,
    /// Refuse a runbook with warnings
    #[arg(long)]
    pub(crate) strict: bool,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A replay token, as findings and journal.json show it
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Journals that runs with --report wrote; several are merged
    #[arg(value_name = "JOURNAL", required_unless_present = "schema")]
    pub(crate) journals: Vec<PathBuf>,
    /// Write journal.json, report.html, junit.xml and summary.md there
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Print the JSON Schema of journals
    #[arg(long, conflicts_with_all = ["journals", "report"])]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// How many rollouts of each service
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub(crate) rounds: u32,
    /// Where to write what was measured
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BenchmarkArgs {
    /// How many rollbacks by each
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Names of built-in scenarios, or paths of scenario files; none: the three default ones
    #[arg(value_name = "SCENARIO")]
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
    /// The runbook
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Refuse it for warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Names of built-in scenarios, or paths of scenario files; none: all that are built in (in `kind`: the default ones)
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// The runbook in use: a file, a git revision (its version of the candidate's path), or `procedure` for the bare
    /// commands of the written procedure
    #[arg(long, value_name = "FILE|GITREV|procedure")]
    pub(crate) baseline: String,
    /// The runbook that would replace it
    #[arg(long, value_name = "FILE")]
    pub(crate) candidate: PathBuf,
    /// A runbook that stays the same while the baseline moves on: the candidate is held against it, too, so that many small steps for the
    /// worse are not adopted one after the other
    #[arg(long, value_name = "FILE|GITREV|procedure")]
    pub(crate) reference: Option<String>,
    /// Where to drill
    #[arg(long, value_enum, default_value_t = World::Sim)]
    pub(crate) world: World,
    /// How many seeds for each scenario, at most [default: 100, or 1 in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) seeds: Option<u32>,
    /// The first seed [default: 0]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Drills at a time [default: as many as there are processors; always 1 in `kind`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) jobs: Option<u16>,
    /// By how much RTO and impact of a drill may grow, the larger of a duration and a percentage; as many requests may go unanswered
    /// [default: 5s,10%]
    #[arg(long, value_name = "MARGIN")]
    pub(crate) margin: Option<String>,
    /// Show every reason, every plan's changes and the numbers of each scenario, too
    #[arg(long)]
    pub(crate) details: bool,
    /// Write verify.json and verify.md there
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
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
