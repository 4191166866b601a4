//! `cargo xtask kind`: a cluster for live drills, and nothing left of it afterwards.
//!
//! Everything lies in `target/firedrill`: the kubeconfigs, and `cluster.json`, which tells the harness where things
//! are. The user's own kubeconfig is never touched. The cluster has a Docker network of its own, whose label says whose
//! it is (see [`owner`]).

mod cluster;
mod leftovers;
pub(crate) mod owner;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use xshell::Shell;

pub(crate) use self::cluster::{load, load_dex};
use self::owner::Owner;
use crate::firedrill::{self, manifest};
use crate::images::WORLD;
use crate::images::docker::Docker;

/// Name of the kind cluster; its kubeconfig context is `kind-firedrill`.
const CLUSTER: &str = "firedrill";
/// Its Docker network.
const NETWORK: &str = "firedrill";
/// Name of the context that kind makes.
pub(crate) const CONTEXT: &str = "kind-firedrill";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the cluster, unless it is there; remove what dead drills left
    Up {
        /// Process that the cluster is for; when that has ended, the next `up` removes it
        #[arg(long, value_name = "PID")]
        owner: Option<u32>,
    },
    /// Remove the cluster and everything else that Firedrill has in Docker
    Down,
    /// Say what is there
    Status,
    /// Measure on the cluster what the simulation assumes, and write it to sim/data/timings.toml and
    /// sim/exchange/data/timings.toml
    Calibrate {
        /// How many rollouts of each service
        #[arg(long, value_name = "N")]
        rounds: Option<u32>,
    },
    /// Time the executor's application rollback against bare kubectl, in turns
    Benchmark {
        /// How many rollbacks by each
        #[arg(long, value_name = "N")]
        rounds: Option<u32>,
    },
    /// Measure recoveries on the cluster beside the simulation's, step by step
    Compare {
        /// What `firedrill compare` takes: scenarios, --runs N, --seeds N
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Does it; exit code 4 if the world can't be built.
pub(crate) fn run(sh: &Shell, command: &Command) -> ExitCode {
    let done = Docker::connect(sh).and_then(|docker| {
        match command {
            Command::Up { owner } => up(&docker, *owner)?,
            Command::Down => down(&docker)?,
            Command::Status => print(&cluster::status(&docker)?),
            Command::Calibrate { rounds } => {
                let out = |file: &str| manifest().with_file_name(file).into();
                let mut arguments = vec![
                    "--out".into(),
                    out("sim/data/timings.toml"),
                    "--out-exchange".into(),
                    out("sim/exchange/data/timings.toml"),
                ];
                arguments.extend(rounds_of(*rounds));
                return firedrill::run_live(sh, "calibrate", &arguments);
            }
            Command::Benchmark { rounds } => {
                return firedrill::run_live(sh, "benchmark", &rounds_of(*rounds));
            }
            Command::Compare { arguments } => {
                return firedrill::run_live(sh, "compare", arguments);
            }
        }
        Ok(ExitCode::SUCCESS)
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(WORLD)
        }
    }
}

fn rounds_of(rounds: Option<u32>) -> Vec<OsString> {
    rounds.map_or_else(Vec::new, |n| vec!["--rounds".into(), n.to_string().into()])
}

/// Where the kubeconfigs and `cluster.json` are.
pub(crate) fn state_directory() -> Result<PathBuf, String> {
    let root = manifest();
    let root = root.parent().ok_or("the workspace has no directory")?;
    let root = root
        .canonicalize()
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let directory = root.join("target/firedrill");
    fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot create {}: {error}", directory.display()))?;
    Ok(directory)
}

/// Prints; a reader who has seen enough is no error.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// One line of progress.
fn say(text: &str) {
    eprintln!("kind: {text}");
}

/// One at a time: held until the returned file is dropped, or its process dies.
fn lock() -> Result<File, String> {
    let path = state_directory()?.join("lock");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Whether somebody uses the cluster: the holder of the lock that drills take on it.
fn is_in_use() -> Result<bool, String> {
    let path = state_directory()?.join("drill.lock");
    let Ok(file) = File::open(&path) else {
        return Ok(false);
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(format!("{}: {error}", path.display())),
    }
}

fn up(docker: &Docker<'_>, pid: Option<u32>) -> Result<(), String> {
    let owner = match pid {
        None => Owner::Hand,
        Some(pid) => Owner::process(pid).ok_or_else(|| format!("no process {pid} runs"))?,
    };
    let _lock = lock()?;
    for what in leftovers::reap(docker)? {
        say(&format!("removed {what}, whose owner is gone"));
    }
    cluster::up(docker, owner)
}

fn down(docker: &Docker<'_>) -> Result<(), String> {
    let _lock = lock()?;
    let removed = leftovers::remove_all(docker)?;
    for what in &removed {
        say(&format!("removed {what}"));
    }
    if removed.is_empty() {
        say("nothing was there");
    }
    cluster::forget()
}
