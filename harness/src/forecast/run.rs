//! The forecast of all workloads of some manifests: many draws of the undo of each, and pairs of draws for each line of
//! YAML that may be worth something.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use sim::cluster::{Timings, Value as Stored};
use sim::measured::{Distribution, Measured};
use sim::time::Micros;
use sim_services::manifests::{Manifests, Object};

use super::answer::{
    Bar, Chart, Forecast, LeftOut, PhaseMean, Row, Undo, Workload as Answer, Worth,
};
use super::change::{Change, changes};
use super::limits::not_simulated;
use super::path::{Ends, Phase, Span, critical, phases};
use super::processes::Bad;
use super::simulated::{Simulated, room_taken_by};
use super::starts::{Starts, Times};
use super::undo::{Case, Drawn, End};
use super::warnings::{Known, warnings};
use super::workload::{PODS_MAX, Workload, nodes, place, workloads};
use crate::evidence::ms;
use crate::runner;
use crate::scenario::format_duration;
use crate::stats::{paired, percentile};

/// Version of the answer's form.
const SCHEMA: u32 = 1;
/// Fewest pairs for a line of YAML, if there are as many draws.
const FEWEST_PAIRS: u32 = 20;
/// One pair for so many draws.
const DRAWS_FOR_A_PAIR: u32 = 5;
/// How long a draw goes on after twice the RTO.
const BEYOND: Duration = Duration::from_secs(600);

/// Where the prior release's images are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// On every node: it ran there a moment ago.
    Cached,
    /// In the registry alone: the nodes are new, or have removed them.
    Cold,
}

/// How to forecast.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time in which an undo must have recovered.
    pub rto: Duration,
    /// Draws for each case, at least 1.
    pub draws: u32,
    /// The first seed.
    pub seed: u64,
    /// Where the images are.
    pub images: Images,
    /// The kubelets' `syncFrequency`, from 1 s: how often one takes up a pod of which there is no news. Whatever is not
    /// ready then is asked at once.
    pub sync_frequency: Duration,
    /// Draws at a time, at least 1.
    pub jobs: usize,
    /// Whether lines of YAML are tried.
    pub changes: bool,
}

/// A workload with everything that its draws need.
struct Subject {
    workload: Workload,
    times: BTreeMap<String, Times>,
    beside: Vec<Value>,
    changes: Vec<Change>,
    /// The workload as it is, and with each of the changes.
    simulated: Vec<Simulated>,
}

/// One draw to be made.
#[derive(Clone, Copy)]
struct Job {
    subject: usize,
    bad: Bad,
    /// 0: as it is; n: with the change before the n-th.
    version: usize,
    seed: u64,
}

/// What is kept of a draw.
#[derive(Clone)]
struct Kept {
    ms: Option<u64>,
    why: Option<String>,
    phases: [u64; Phase::ALL.len()],
}

/// Forecasts the undo of every workload in `manifests`. `stop` ends it early: what was not drawn by then is missing.
#[must_use]
pub fn forecast(
    manifests: &Manifests,
    starts: &Starts,
    options: &Options,
    stop: &(dyn Fn() -> bool + Sync),
) -> Forecast {
    let (found, others) = workloads(manifests);
    let nodes: Vec<Stored> = nodes(manifests).into_values().map(node).collect();
    let subjects: Vec<Subject> = (0..found.len())
        .map(|at| subject(&found, at, starts, &nodes, options))
        .collect();
    let world = World {
        nodes,
        timings: timings(options.sync_frequency),
        most: Micros::from(options.rto * 2 + BEYOND),
        cold: options.images == Images::Cold,
    };
    let jobs = jobs(&subjects, options);
    let drawn = runner::each(jobs.len(), options.jobs, stop, &|at| {
        let job = jobs[at];
        let drawn = world.draw(&subjects[job.subject], job, stop)?;
        Some(kept(&drawn, job, &subjects))
    });
    let mut results: BTreeMap<(usize, Bad, usize), Vec<Kept>> = BTreeMap::new();
    for (at, kept) in drawn {
        let Some(kept) = kept else {
            continue;
        };
        let Job {
            subject,
            bad,
            version,
            ..
        } = jobs[at];
        let of = results.entry((subject, bad, version)).or_default();
        of.push(kept);
    }
    let answers = subjects.iter().enumerate().map(|(at, subject)| {
        let of = |bad, version| {
            results
                .get(&(at, bad, version))
                .map_or(&[][..], Vec::as_slice)
        };
        let undos = [Bad::Wrong, Bad::NeverReady].map(|bad| {
            let mut undo = undo(bad, of(bad, 0), options);
            undo.typical = typical(&undo)
                .and_then(|nth| {
                    let job = Job {
                        subject: at,
                        bad,
                        version: 0,
                        seed: options.seed + nth as u64,
                    };
                    world.draw(subject, job, stop)
                })
                .map(|drawn| chart(&drawn, &subject.simulated[0]));
            undo
        });
        let known = Known {
            starts: &subject.times,
            manifests,
            rto: options.rto,
            nodes: world.nodes.len(),
        };
        let mut worths: Vec<Worth> = subject
            .changes
            .iter()
            .enumerate()
            .filter_map(|(nth, change)| worth(change, of(Bad::Wrong, 0), of(Bad::Wrong, nth + 1)))
            .collect();
        worths.sort_by_key(|it| std::cmp::Reverse(it.saves_ms));
        let (surge, unavailable) = subject.workload.fenceposts();
        Answer {
            name: subject.workload.name(),
            place: subject.workload.place(&[]),
            replicas: subject.workload.replicas(),
            surge,
            unavailable,
            ordered: subject.workload.is_stateful(),
            starts: sources(&subject.workload, starts),
            undos: undos.into(),
            changes: worths,
            warnings: warnings(&subject.workload, &known),
            not_simulated: not_simulated(&subject.workload),
        }
    });
    Forecast {
        schema: SCHEMA,
        rto_ms: ms(options.rto),
        draws: options.draws,
        seed: options.seed,
        assumed: assumed(&world, options),
        workloads: answers.collect(),
        left_out: others.iter().map(left_out).collect(),
    }
}

/// What all draws share.
struct World {
    nodes: Vec<Stored>,
    timings: Timings,
    most: Micros,
    cold: bool,
}

impl World {
    /// `None`: it was stopped.
    fn draw(&self, subject: &Subject, job: Job, stop: &(dyn Fn() -> bool + Sync)) -> Option<Drawn> {
        let case = Case {
            simulated: &subject.simulated[job.version],
            times: &subject.times,
            bad: job.bad,
            nodes: &self.nodes,
            beside: &subject.beside,
            timings: &self.timings,
            cold: self.cold,
            most: self.most,
            stop,
        };
        case.draw(job.seed)
    }
}

fn subject(
    found: &[Workload],
    at: usize,
    starts: &Starts,
    nodes: &[Stored],
    options: &Options,
) -> Subject {
    let workload = found[at].clone();
    let known = !nodes.is_empty();
    let (namespace, name) = (
        workload.object.namespace().unwrap_or("default"),
        workload.object.name(),
    );
    let containers = workload.containers().into_iter();
    let times = containers
        .filter_map(|(_, it)| it["name"].as_str())
        .map(|it| (it.to_owned(), starts.of(namespace, name, it)))
        .collect();
    // Where there is room for everything, nobody takes it from anybody.
    let others = found.iter().enumerate().filter(|(n, _)| known && *n != at);
    let beside = others.map(|(_, it)| room_taken_by(it)).collect();
    let changes = if options.changes {
        changes(&workload)
    } else {
        Vec::new()
    };
    let changed = changes
        .iter()
        .map(|it| Simulated::of(&it.apply(&workload), known));
    let simulated = std::iter::once(Simulated::of(&workload, known))
        .chain(changed)
        .collect();
    Subject {
        times,
        beside,
        simulated,
        changes,
        workload,
    }
}

fn jobs(subjects: &[Subject], options: &Options) -> Vec<Job> {
    let pairs = (options.draws / DRAWS_FOR_A_PAIR)
        .max(FEWEST_PAIRS)
        .min(options.draws);
    let mut jobs = Vec::new();
    for (subject, it) in subjects.iter().enumerate() {
        let cases = [(Bad::Wrong, 0), (Bad::NeverReady, 0)]
            .into_iter()
            .map(|case| (case, options.draws));
        let changed = (1..it.simulated.len()).map(|version| ((Bad::Wrong, version), pairs));
        for ((bad, version), draws) in cases.chain(changed) {
            jobs.extend((0..u64::from(draws)).map(|nth| Job {
                subject,
                bad,
                version,
                seed: options.seed + nth,
            }));
        }
    }
    jobs
}

fn kept(drawn: &Drawn, job: Job, subjects: &[Subject]) -> Kept {
    let mut phases = [0; Phase::ALL.len()];
    let (ms, why) = match &drawn.end {
        End::Recovered(after) => (Some(after.as_millis()), None),
        End::Late(why) => (None, Some(why.clone())),
        End::NoHistory => {
            let why = "there is no revision to undo to: revisionHistoryLimit keeps none";
            (None, Some(why.to_owned()))
        }
        End::ReplacesNone => {
            let why = "an undo replaces no pod, as the update strategy is OnDelete: delete the pods of the bad release";
            (None, Some(why.to_owned()))
        }
        End::Paused => {
            let why = "the Deployment is paused: kubectl undoes none until it is resumed";
            (None, Some(why.to_owned()))
        }
        End::NeverRan(why) => (
            None,
            Some(format!("the release does not even roll out: {why}")),
        ),
        End::Refused(why) => (None, Some(format!("the API server refuses it: {why}"))),
    };
    if ms.is_some() {
        for span in path(drawn, &subjects[job.subject].simulated[job.version]) {
            phases[span.phase as usize] += span.to.0 - span.from.0;
        }
    }
    Kept { ms, why, phases }
}

fn path(drawn: &Drawn, simulated: &Simulated) -> Vec<Span> {
    let ends = Ends {
        complete: drawn.complete,
        traffic: drawn.traffic,
        ends_first: simulated.ends_first,
    };
    critical(&drawn.pods, &ends)
}

fn undo(of: Bad, draws: &[Kept], options: &Options) -> Undo {
    let times_ms: Vec<Option<u64>> = draws.iter().map(|it| it.ms).collect();
    let recovered = draws.iter().filter(|it| it.ms.is_some()).count() as u64;
    // A draw that did not recover is longer than any other.
    let mut times: Vec<u64> = times_ms.iter().map(|it| it.unwrap_or(u64::MAX)).collect();
    let mut quantile = |percent| percentile(&mut times, percent).filter(|it| *it < u64::MAX);
    let [median_ms, p90_ms, p99_ms] = [50, 90, 99].map(&mut quantile);
    let rto_ms = ms(options.rto);
    let over = times_ms
        .iter()
        .filter(|it| it.is_none_or(|ms| ms > rto_ms))
        .count();
    let mean = |phase: Phase| {
        let sum: u64 = draws.iter().map(|it| it.phases[phase as usize]).sum();
        let mean_ms = (sum / 1_000).checked_div(recovered)?;
        Some(PhaseMean { phase, mean_ms })
    };
    Undo {
        of,
        median_ms,
        p90_ms,
        p99_ms,
        over_rto_permille: share(over, draws.len()),
        draws: count(draws.len()),
        never: count(draws.len()) - u32::try_from(recovered).unwrap_or(u32::MAX),
        why_never: draws.iter().find_map(|it| it.why.clone()),
        phases: Phase::ALL.into_iter().filter_map(mean).collect(),
        typical: None,
        times_ms,
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Thousandths, rounded up, so that a single draw is never none.
fn share(part: usize, whole: usize) -> u32 {
    count((part * 1_000).div_ceil(whole.max(1)))
}

/// Which draw comes the nearest to the median.
fn typical(undo: &Undo) -> Option<usize> {
    let median = undo.median_ms?;
    let times = undo.times_ms.iter().enumerate();
    let distances = times.filter_map(|(nth, ms)| Some((ms.as_ref()?.abs_diff(median), nth)));
    distances.min().map(|(_, nth)| nth)
}

fn chart(drawn: &Drawn, simulated: &Simulated) -> Chart {
    let path = path(drawn, simulated);
    let end = drawn.complete.max(drawn.traffic);
    let bar = |span: &Span| Bar {
        phase: span.phase,
        from_ms: span.from.as_millis(),
        to_ms: span.to.min(end).as_millis(),
        pod: span.pod.clone(),
    };
    let rows = drawn.pods.iter().map(|life| {
        let mut spans = if life.old { Vec::new() } else { phases(life) };
        if let Some(from) = life.deleted {
            spans.push(Span {
                phase: Phase::Terminate,
                from,
                to: life.gone.unwrap_or(end),
                pod: Some(life.name.clone()),
            });
        }
        let on_path = |span: &Span| span.pod.as_ref() == Some(&life.name);
        let bars = spans.iter().map(bar).filter(|it| it.to_ms > it.from_ms);
        Row {
            pod: life.name.clone(),
            release: life.release,
            decides: path.iter().any(on_path),
            bars: bars.collect(),
        }
    });
    let rows = rows.filter(|row| !row.bars.is_empty()).collect();
    Chart {
        recovered_ms: end.as_millis(),
        rows,
        path: path.iter().map(bar).collect(),
    }
}

/// What a change is worth, by the pairs in which both draws recovered; `None`: there are fewer than two.
fn worth(change: &Change, as_it_is: &[Kept], changed: &[Kept]) -> Option<Worth> {
    let pairs = as_it_is.iter().zip(changed);
    let saved = paired(pairs.map(|(a, b)| (a.ms, b.ms)))?;
    Some(Worth {
        place: change.place.clone(),
        field: change.field.clone(),
        from: change.from.clone(),
        to: change.to.clone(),
        saves_ms: saved.mean,
        least_ms: saved.least,
        most_ms: saved.most,
        pairs: count(saved.pairs),
        price: change.price.to_owned(),
    })
}

fn sources(workload: &Workload, starts: &Starts) -> Vec<String> {
    let (namespace, name) = (
        workload.object.namespace().unwrap_or("default"),
        workload.object.name(),
    );
    let lasting: Vec<&str> = workload
        .lasting()
        .filter_map(|(_, it)| it["name"].as_str())
        .collect();
    let several = lasting.len() > 1;
    let source = |container: &&str| {
        let (_, told) = starts.source(namespace, name, container);
        if several {
            format!("{container}: {told}")
        } else {
            told
        }
    };
    lasting.iter().map(source).collect()
}

fn assumed(world: &World, options: &Options) -> Vec<String> {
    let machine = &Measured::built_in().machine;
    let nodes = match world.nodes.len() {
        0 => "Nodes are not known: there are three, with room for every pod. Give the output of \
              `kubectl get nodes -o yaml` as one more file."
            .to_owned(),
        1 => {
            "There is one node, as the manifests say, and the workloads share its room.".to_owned()
        }
        n => format!(
            "There are {n} nodes, as the manifests say, and the workloads share their room."
        ),
    };
    let images = match options.images {
        Images::Cached => "The images of the release that is undone to are on every node.",
        Images::Cold => "No node has the images of the release that is undone to: each pulls them.",
    };
    vec![
        nodes,
        images.to_owned(),
        format!(
            "Controllers, scheduler, kubelet and kube-proxy take what was measured on Kubernetes {} with {} processors. \
             The kubelets' syncFrequency is {}.",
            machine.kubernetes,
            machine.cores,
            format_duration(options.sync_frequency)
        ),
    ]
}

fn left_out(object: &Object) -> LeftOut {
    let (path, why): (&[&str], String) = match object.kind() {
        "Deployment" | "StatefulSet" => {
            let pods = object.at(&["spec", "replicas"]);
            let why = format!(
                "a forecast simulates up to {PODS_MAX} pods of a workload, and this one has {pods}: give it fewer \
                 `replicas` in a copy of the file, with `maxSurge` and `maxUnavailable` in percent"
            );
            (&["spec", "replicas"], why)
        }
        _ => {
            let why = "only Deployments and StatefulSets are forecast";
            (&[], why.to_owned())
        }
    };
    LeftOut {
        place: place(object, path),
        name: format!("{}/{}", object.kind().to_lowercase(), object.name()),
        why,
    }
}

/// A node of the manifests without what only its own cluster knows.
fn node(value: Value) -> Stored {
    let kept = serde_json::json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": value["metadata"]["name"], "labels": value["metadata"]["labels"]},
        "spec": {"taints": value["spec"]["taints"], "unschedulable": value["spec"]["unschedulable"]},
        "status": {
            "allocatable": value["status"]["allocatable"],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    });
    without_nulls(kept).into()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(key, it)| (key, without_nulls(it)))
            .collect(),
        other => other,
    }
}

/// The measured latencies, with this setting of the kubelets. A pod's sandbox takes what those of all measured services
/// took, taken together.
fn timings(sync_frequency: Duration) -> Timings {
    const STEP: u64 = 10_000;
    let mut timings = Timings {
        sync_frequency: Micros::from(sync_frequency),
        ..Timings::default()
    };
    let measured = sim_exchange::measured::Measured::built_in();
    let sandboxes = measured.process.values();
    let sandboxes = sandboxes.map(|it| Timings::sandbox_of_start(it.up.distribution));
    let samples: Vec<u64> = sandboxes
        .flat_map(|of| (0..=1_000_000 / STEP).map(move |n| of.quantile(n * STEP)))
        .collect();
    if let Some(all) = Distribution::of(&samples) {
        timings.sandbox = all;
    }
    timings
}
