//! Plays a session of kubectl commands, and says which answers deviate. `behaviours` tries what holds of every server
//! instead. Exit code 1 if any deviates.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io::Write as _};

use clap::{Parser, Subcommand};
use conformance::behaviours::{self, Behaviour};
use conformance::play::Stage;
use conformance::session::{Entry, parse, print};
use conformance::world::with_cluster;

/// Plays a session of kubectl commands, and compares the answers with those that it has.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo xtask conformance",
    subcommand_negates_reqs = true,
    args_conflicts_with_subcommands = true
)]
struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The kubectl that is run, of version 1.31 to 1.34. For `1.31`, `1.32` and `1.33` in the place of a path,
    /// `cargo xtask conformance` builds that version
    #[arg(long, value_name = "PATH", env = "FIREDRILL_KUBECTL", required = true)]
    kubectl: Option<PathBuf>,
    /// Play it on the real cluster of this kubeconfig, and not on the simulated one
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Let the simulated cluster's clock run N times as fast as the wall clock, for commands that keep time by
    /// themselves
    #[arg(long, value_name = "N", conflicts_with = "kubeconfig")]
    pace: Option<u32>,
    /// Write what comes into the session, as what must come
    #[arg(long)]
    record: bool,
    /// The session; the files that it names stand in `files` beside it
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/session.txt"))]
    session: PathBuf,
}

/// What is done instead of playing a session.
#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Tries behaviours of a server, each in a namespace of its own, and says which are not as in Kubernetes 1.34
    Behaviours {
        /// Try them on the real cluster of this kubeconfig, and not on the simulated one
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
        /// Print their names and the sources of their rules, and try none
        #[arg(long)]
        list: bool,
        /// The names of those that are tried; all, if none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.action.clone() {
        None => run(args),
        Some(Action::Behaviours {
            kubeconfig,
            list,
            names,
        }) => try_behaviours(kubeconfig, list, &names),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// The behaviours of these names; all, if there are none.
fn named(names: &[String]) -> Result<Vec<Behaviour>, String> {
    let all = behaviours::all();
    if names.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let found = all.iter().find(|it| it.name == name).copied();
        found.ok_or_else(|| {
            format!("there is no behaviour `{name}`; `behaviours --list` prints their names")
        })
    };
    // One that is named twice is tried once.
    let first = names.iter().enumerate();
    let first = first.filter(|&(at, name)| names.iter().position(|it| it == name) == Some(at));
    first.map(|(_, name)| find(name)).collect()
}

/// Whether no behaviour is otherwise.
fn try_behaviours(
    kubeconfig: Option<PathBuf>,
    list: bool,
    names: &[String],
) -> Result<bool, String> {
    let tried = named(names)?;
    if list {
        for behaviour in &tried {
            println!("{}  {}", behaviour.name, behaviour.of);
        }
        return Ok(true);
    }
    let count = tried.len();
    let failures = match kubeconfig {
        Some(kubeconfig) => behaviours::run(&kubeconfig, &tried)?,
        None => with_cluster(None, move |reach| {
            behaviours::run(kept(&reach.kubeconfig)?.path(), &tried)
        })??,
    };
    for failure in &failures {
        println!("{failure}");
    }
    println!("{count} behaviours, {} are otherwise", failures.len());
    Ok(failures.is_empty())
}

/// A file with the text of a kubeconfig.
fn kept(kubeconfig: &str) -> Result<tempfile::NamedTempFile, String> {
    let file = tempfile::NamedTempFile::new();
    let file = file.and_then(|mut file| file.write_all(kubeconfig.as_bytes()).map(|()| file));
    file.map_err(|error| format!("a kubeconfig: {error}"))
}

/// Whether no answer deviates.
fn run(args: Args) -> Result<bool, String> {
    let path = args.session.clone();
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let entries = parse(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    match args.kubeconfig.clone() {
        Some(kubeconfig) => play(&args, &kubeconfig, None, entries),
        None => with_cluster(args.pace, move |reach| {
            let file = kept(&reach.kubeconfig)?;
            play(&args, file.path(), Some(reach.sleep), entries)
        })?,
    }
}

fn play(
    args: &Args,
    kubeconfig: &Path,
    sleep: Option<String>,
    mut entries: Vec<Entry>,
) -> Result<bool, String> {
    let folder = args.session.parent().unwrap_or(Path::new("."));
    let kubectl = args.kubectl.as_deref().ok_or("no kubectl is named")?;
    let stage = Stage::new(kubectl, kubeconfig, &folder.join("files"), sleep)?;
    if args.record {
        stage.record(&mut entries)?;
        let path = &args.session;
        fs::write(path, print(&entries)).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}: recorded {} answers", path.display(), entries.len());
        return Ok(true);
    }
    let deviations = stage.compare(&entries)?;
    for deviation in &deviations {
        print!("{deviation}");
    }
    println!(
        "{} commands, {} answers deviate",
        entries.len(),
        deviations.len()
    );
    Ok(deviations.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--kubeconfig` before the action would be that of the session, and the simulation would be tried instead.
    #[test]
    fn an_option_of_the_session_is_refused_beside_another_action() {
        let read = |words: &[&str]| Args::try_parse_from([&["conformance"], words].concat());
        assert!(read(&["behaviours", "--kubeconfig", "real.yaml"]).is_ok());
        assert!(read(&["--kubeconfig", "real.yaml", "behaviours"]).is_err());
    }

    #[test]
    fn a_behaviour_that_is_named_twice_is_tried_once() {
        let all = behaviours::all();
        let name = all.first().expect("there are some").name.to_owned();
        let twice = named(&[name.clone(), name]).expect("it is there");
        assert_eq!(twice.len(), 1);
    }
}
