//! `firedrill campaign`: `chaos` or `search` in the pods of an Indexed Job, merged into one answer.

#[cfg(feature = "kind")]
mod cluster;
#[cfg(feature = "kind")]
mod conclude;

use firedrill::campaign::{Cluster, Objects, Settings, objects};
use firedrill::digest::digest64;
use firedrill::scenario::parse_duration;
use serde_json::{Value, json};

use crate::args::CampaignArgs;
use crate::exit::Failure;
use crate::terminal;
use crate::work::Work;

/// Seconds for which a cluster keeps a Job that ended, if whoever made it is gone.
const KEEP_S: u32 = 24 * 3_600;
/// Most pods at a time. A larger campaign goes on as pods end.
const PARALLELISM_MAX: u32 = 10_000;

/// Runs it; the exit code.
pub(crate) fn run(args: &CampaignArgs) -> Result<u8, Failure> {
    let work = Work::read(&args.work)?;
    let whole = work.interval();
    whole.share(0, args.shards).map_err(|error| {
        Failure::input(error.to_string(), "--shards and --seeds must fit together")
    })?;
    let scenarios = work.check()?;
    let settings = settings(args, &work)?;
    let objects = objects(&settings);
    if args.manifest {
        terminal::say_json(&list(&objects));
        return Ok(0);
    }
    perform(args, &work, &scenarios, &settings, &objects)
}

#[cfg(feature = "kind")]
fn perform(
    args: &CampaignArgs,
    work: &Work,
    scenarios: &[String],
    settings: &Settings,
    objects: &Objects,
) -> Result<u8, Failure> {
    use crate::interrupt::Interrupt;

    if let Some(directory) = &args.report {
        firedrill::report::prepare(directory)?;
    }
    let interrupt = Interrupt::listen();
    let collected = cluster::perform(args, settings, objects, &interrupt)?;
    conclude::conclude(args, work, scenarios, settings, collected, &interrupt)
}

/// This build has no way to a cluster.
#[cfg(not(feature = "kind"))]
fn perform(
    _: &CampaignArgs,
    _: &Work,
    _: &[String],
    _: &Settings,
    _: &Objects,
) -> Result<u8, Failure> {
    use firedrill::worlds::{WorldError, WorldKind};

    Err(WorldError::NotBuilt(WorldKind::Kind).into())
}

/// What the campaign is. Its name follows from what it does, so that the same command finds what it began.
fn settings(args: &CampaignArgs, work: &Work) -> Result<Settings, Failure> {
    let Some(image) = args.image.clone() else {
        return Err(Failure::input(
            "a campaign needs an image of firedrill that the cluster's nodes find",
            "`cargo xtask campaign` makes one for clusters of kind; for others, `cargo xtask dist` writes it as an archive: \
             push it to a registry of yours, and give its name with --image",
        ));
    };
    let deadline_s = match &args.deadline {
        None => None,
        Some(text) => {
            let duration = parse_duration(text).map_err(|error| {
                let said = format!("`{text}` is no duration: {error}");
                Failure::input(said, "write for instance --deadline 8h")
            })?;
            Some(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1))
        }
    };
    let (words, files) = work.for_pods()?;
    let what = (&words, &files, args.shards, &image, args.failures_only);
    let what = serde_json::to_vec(&what).unwrap_or_default();
    let campaign = digest64(&what);
    let name = format!("firedrill-{:012x}", campaign >> 16);
    Ok(Settings {
        cluster: Cluster {
            namespace: args.namespace.clone().unwrap_or_else(|| name.clone()),
            own_namespace: args.namespace.is_none(),
            image,
            parallelism: args.parallelism.unwrap_or(args.shards).min(PARALLELISM_MAX),
            cpu: args.cpu.clone(),
            memory: args.memory.clone(),
            retries: args.retries,
            max_failed: args.max_failed_shards,
            suspend: args.suspend,
            queue: args.queue.clone(),
            claim: args.claim.clone(),
            deadline_s,
            keep_s: KEEP_S,
        },
        name,
        campaign,
        shards: args.shards,
        work: words,
        files,
        failures_only: args.failures_only,
    })
}

/// The objects as one that kubectl applies.
fn list(objects: &Objects) -> Value {
    let Objects {
        namespace,
        files,
        job,
    } = objects;
    let items: Vec<Value> = [json!(namespace), json!(files), json!(job)]
        .into_iter()
        .filter(|item| !item.is_null())
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
