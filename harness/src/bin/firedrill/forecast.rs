//! `firedrill forecast`: how long a rollback of each workload takes, from manifests alone, or from what a cluster has.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use firedrill::evidence::ms;
use firedrill::forecast::{
    Forecast, Images, Options, Starts, comment, forecast, over_budget, page, slow, table, time,
};
use firedrill::report;
use firedrill::scenario::{format_duration, parse_duration};
use sim_services::manifests::{Document, Manifests};

use crate::args::Format;
use crate::context::ContextArgs;
use crate::exit::{Failure, INTERRUPTED};
use crate::interrupt::Interrupt;
use crate::{chaos, files, terminal};

#[derive(Debug, Args)]
pub(crate) struct ForecastArgs {
    /// Manifests: files, folders, or `-` for standard input, as `kubectl apply -f` reads them. With the output of
    /// `kubectl get nodes -o yaml` among them, pods need room on those nodes
    #[arg(short, long = "file", value_name = "FILE|DIR|-", required_unless_present = "context", num_args = 1.., value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ContextArgs,
    /// The time in which an undo must have recovered
    #[arg(long, value_name = "DURATION", default_value = "300s")]
    pub(crate) rto: String,
    /// Simulated undos for each case
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) draws: u32,
    /// The first seed: the same seed gives the same forecast
    #[arg(long, value_name = "S", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000_000_000))]
    pub(crate) seed: u64,
    /// How long processes take to start and to stop, and images to be pulled (TOML); without it priors stand in
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) starts: Option<PathBuf>,
    /// Where the images of the release are that is undone to
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = ImagesAre::Cached)]
    pub(crate) images: ImagesAre,
    /// The kubelets' `syncFrequency`, from 1s: how often they take up a pod of which there is no news, and ask what is
    /// not ready. The default is Kubernetes' own
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) sync_frequency: String,
    /// Do not try what a line of YAML is worth
    #[arg(long)]
    pub(crate) no_changes: bool,
    /// Draws at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub(crate) jobs: Option<u16>,
    /// Fail if nine of ten undos of a workload take longer than this
    #[arg(long, value_name = "DURATION")]
    pub(crate) budget: Option<String>,
    /// An earlier version of the manifests (a file or folder): show what changed
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) against: Option<PathBuf>,
    /// Write forecast.json, forecast.html and forecast.md there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) report: Option<PathBuf>,
    /// In which form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImagesAre {
    /// On every node
    Cached,
    /// In the registry alone
    Cold,
}

/// The namespace of objects that name none, if no cluster is read.
const NAMESPACE: &str = "default";

/// Runs it; the exit code.
pub(crate) fn run(args: &ForecastArgs) -> Result<u8, Failure> {
    // What is in a file stands for what the cluster has of the same name.
    let (cluster, namespace) = args.cluster.documents()?;
    let namespace = namespace.as_deref().unwrap_or(NAMESPACE);
    let manifests = load(cluster, &args.files, namespace)?;
    let before = args
        .against
        .as_ref()
        .map(|it| load(Vec::new(), std::slice::from_ref(it), namespace));
    let before = before.transpose()?;
    let starts = starts(args.starts.as_deref(), &manifests)?;
    let options = Options {
        rto: duration(&args.rto, "--rto")?,
        draws: args.draws,
        seed: args.seed,
        images: match args.images {
            ImagesAre::Cached => Images::Cached,
            ImagesAre::Cold => Images::Cold,
        },
        sync_frequency: sync_frequency(&args.sync_frequency)?,
        jobs: args.jobs.map_or_else(chaos::processors, usize::from),
        changes: !args.no_changes,
    };
    let budget = args.budget.as_deref();
    let budget = budget.map(|it| duration(it, "--budget")).transpose()?;
    if let Some(directory) = &args.report {
        report::prepare(directory)?;
    }
    for (name, pods) in slow(&manifests) {
        terminal::complain(&format!(
            "{name} has {pods} pods, so that each of its {} simulated undos takes a second or more: `--draws 20 \
             --no-changes` gives a first answer sooner",
            options.draws
        ));
    }
    let interrupt = Interrupt::listen();
    let stopped = || interrupt.stop().load(Ordering::Relaxed);
    let found = forecast(&manifests, &starts, &options, &stopped);
    let old = before.map(|manifests| {
        let options = Options {
            changes: false,
            ..options
        };
        forecast(&manifests, &starts, &options, &stopped)
    });
    if stopped() {
        return Ok(INTERRUPTED);
    }
    if found.workloads.is_empty() {
        let others: Vec<String> = found
            .left_out
            .iter()
            .map(|it| format!("{}: {}: {}", it.place, it.name, it.why))
            .collect();
        return Err(if others.is_empty() {
            Failure::input(
                "there is no Deployment and no StatefulSet in these manifests",
                "a forecast is made of them: give the files or folders that hold them with -f",
            )
        } else {
            let none = "there is nothing in these manifests that can be forecast";
            Failure::input(none, others.join("\n"))
        });
    }
    let text = comment(&found, old.as_ref(), budget);
    match args.format {
        Format::Json => terminal::say_json(&found),
        Format::Table => terminal::say(&table(&found)),
    }
    if let (Some(_), Format::Table) = (&old, args.format) {
        terminal::say(&format!("\n{}", text.trim_end()));
    }
    if let Some(directory) = &args.report {
        write(directory, &found, &text, budget)?;
    }
    Ok(gate(&found, budget))
}

/// 1 if an undo is over the budget.
fn gate(found: &Forecast, budget: Option<Duration>) -> u8 {
    let Some(budget) = budget else {
        return 0;
    };
    let over = over_budget(found, budget);
    for it in &over {
        terminal::complain(&format!(
            "over the budget of {}: {}: p90 {}",
            format_duration(budget),
            it.what,
            time(it.p90_ms)
        ));
    }
    u8::from(!over.is_empty())
}

fn write(
    directory: &Path,
    found: &Forecast,
    comment: &str,
    budget: Option<Duration>,
) -> Result<(), Failure> {
    let budget_ms = budget.map(ms);
    let json = serde_json::to_string_pretty(found).map_err(|error| {
        Failure::input(
            format!("this can't be written as JSON: {error}"),
            "report it as a bug",
        )
    })?;
    report::write_texts(
        directory,
        &[
            ("forecast.json", &json),
            ("forecast.html", &page(found, budget_ms)),
            ("forecast.md", comment),
        ],
    )?;
    Ok(())
}

fn load(
    documents: Vec<Document>,
    paths: &[PathBuf],
    namespace: &str,
) -> Result<Manifests, Failure> {
    let loaded = Manifests::load_over(documents, paths, namespace);
    loaded.map_err(|error| Failure::Input(error.into()))
}

fn starts(file: Option<&Path>, manifests: &Manifests) -> Result<Starts, Failure> {
    let Some(path) = file else {
        return Ok(Starts::default());
    };
    let text = files::read(path, "file of start times")?;
    let starts = Starts::parse(&files::called(path), &text);
    let starts = starts.map_err(|error| Failure::Input((*error).into()))?;
    let objects = manifests.objects.iter();
    let known: Vec<(&str, &str)> = objects
        .filter(|it| matches!(it.kind(), "Deployment" | "StatefulSet"))
        .map(|it| (it.namespace().unwrap_or(NAMESPACE), it.name()))
        .collect();
    let unknown = starts.unknown(&known);
    if !unknown.is_empty() {
        let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
        return Err(Failure::input(
            format!(
                "{} gives times of {}, and the manifests have no such workload",
                files::called(path),
                unknown.join(", ")
            ),
            format!("the workloads are {}", names.join(", ")),
        ));
    }
    Ok(starts)
}

fn sync_frequency(text: &str) -> Result<Duration, Failure> {
    let given = duration(text, "--sync-frequency")?;
    if given < Duration::from_secs(1) {
        return Err(Failure::input(
            format!("{text} is too short for --sync-frequency"),
            "give what the kubelets' configuration says, 1s or more: `kubectl get --raw \
             /api/v1/nodes/NODE/proxy/configz` shows it",
        ));
    }
    Ok(given)
}

fn duration(text: &str, option: &str) -> Result<Duration, Failure> {
    let duration = parse_duration(text).ok().filter(|it| !it.is_zero());
    duration.ok_or_else(|| {
        Failure::input(
            format!("`{text}` is no duration for {option}"),
            "write for instance 300s, 5m or 1m30s",
        )
    })
}
