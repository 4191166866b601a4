//! Plays a session of kubectl commands, and says which answers deviate. Exit code 1 if any does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io::Write as _};

use clap::Parser;
use conformance::play::Stage;
use conformance::session::{Entry, parse, print};
use conformance::world::with_cluster;

/// Plays a session of kubectl commands, and compares the answers with those that it has.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask conformance")]
struct Args {
    /// The kubectl that is run, of version 1.31 to 1.34. For `1.31`, `1.32` and `1.33` in the place of a path,
    /// `cargo xtask conformance` builds that version
    #[arg(long, value_name = "PATH", env = "FIREDRILL_KUBECTL")]
    kubectl: PathBuf,
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

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// Whether no answer deviates.
fn run(args: Args) -> Result<bool, String> {
    let path = args.session.clone();
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let entries = parse(&text).map_err(|why| format!("{}: {why}", path.display()))?;
    match args.kubeconfig.clone() {
        Some(kubeconfig) => play(&args, &kubeconfig, None, entries),
        None => with_cluster(args.pace, move |reach| {
            let file = tempfile::NamedTempFile::new();
            let file = file
                .and_then(|mut file| file.write_all(reach.kubeconfig.as_bytes()).map(|()| file));
            let file = file.map_err(|error| format!("a kubeconfig: {error}"))?;
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
    let stage = Stage::new(&args.kubectl, kubeconfig, &folder.join("files"), sleep)?;
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
