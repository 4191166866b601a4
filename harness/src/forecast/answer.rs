//! What a forecast says.

use serde::Serialize;

use super::path::Phase;
use super::pods::Release;
use super::processes::Bad;
use super::workload::Place;

/// The forecast of all workloads.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// Version of this form.
    pub schema: u32,
    /// The time in which an undo must have recovered, in ms.
    pub rto_ms: u64,
    /// Draws for each case.
    pub draws: u32,
    /// The first seed.
    pub seed: u64,
    /// What is assumed of nodes and images, in sentences.
    pub assumed: Vec<String>,
    /// The workloads, in the order of the manifests.
    pub workloads: Vec<Workload>,
    /// What has pods and is not forecast, and why.
    pub left_out: Vec<LeftOut>,
}

/// Something that is not forecast.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub name: String,
    /// Why.
    pub why: String,
}

/// The forecast of one workload.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    /// `deployment/front`, with its namespace unless that is `default`.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// How many pods it has.
    pub replicas: u32,
    /// Pods that there may be beside its replicas during a rollout.
    pub surge: u32,
    /// Pods that may be missing during a rollout.
    pub unavailable: u32,
    /// Whether its pods are replaced one after the other, as a StatefulSet's are.
    pub ordered: bool,
    /// Where the start times of its containers come from, each in a sentence.
    pub starts: Vec<String>,
    /// The undo of a release whose pods work and are wrong, and of one whose pods never become ready.
    pub undos: Vec<Undo>,
    /// What single lines of YAML are worth, those that save the most first.
    pub changes: Vec<Worth>,
    /// What will go wrong with an undo, or may.
    pub warnings: Vec<Warning>,
    /// What it has that the simulation leaves out.
    pub not_simulated: Vec<Warning>,
}

/// The undo of one kind of bad release.
#[derive(Clone, Debug, Serialize)]
pub struct Undo {
    /// What is wrong with the release.
    pub of: Bad,
    /// From the undo to recovered, by the quantiles of the draws, in ms; `None`: as many draws did not recover.
    pub median_ms: Option<u64>,
    /// See `median_ms`.
    pub p90_ms: Option<u64>,
    /// See `median_ms`.
    pub p99_ms: Option<u64>,
    /// Draws that took longer than the RTO, in thousandths of all; those that did not recover are among them.
    pub over_rto_permille: u32,
    /// How many draws there were.
    pub draws: u32,
    /// How many of them did not recover in the time that they had.
    pub never: u32,
    /// Why, in the first that did not.
    pub why_never: Option<String>,
    /// Mean time of each phase on the critical path, in ms, of those that recovered.
    pub phases: Vec<PhaseMean>,
    /// The draw whose time is the nearest to the median, as a chart.
    pub typical: Option<Chart>,
    /// Every draw, in the order of the seeds, in ms.
    #[serde(skip)]
    pub times_ms: Vec<Option<u64>>,
}

/// What a phase takes on the critical path.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhaseMean {
    /// Which.
    pub phase: Phase,
    /// Mean, in ms.
    pub mean_ms: u64,
}

/// A draw as a Gantt chart. Instants are in ms from the undo.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// When it had recovered.
    pub recovered_ms: u64,
    /// The pods, in the order of their creation.
    pub rows: Vec<Row>,
    /// What decides: the spans of the critical path, without a gap.
    pub path: Vec<Bar>,
}

/// A pod of the chart.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub pod: String,
    /// Its release.
    pub release: Release,
    /// Whether it is on the critical path.
    pub decides: bool,
    /// Its spans.
    pub bars: Vec<Bar>,
}

/// A span of the chart.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// What it is spent on.
    pub phase: Phase,
    /// Its beginning.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// The pod; none for what the controllers do.
    pub pod: Option<String>,
}

/// What a line of YAML is worth.
#[derive(Clone, Debug, Serialize)]
pub struct Worth {
    /// Where the line stands, or what it would be added to.
    pub place: Place,
    /// The field.
    pub field: String,
    /// What is there.
    pub from: String,
    /// What would be there.
    pub to: String,
    /// The mean of what is saved in pairs of draws, in ms; negative if it takes longer.
    pub saves_ms: i64,
    /// The lower end of its interval at 95 %.
    pub least_ms: i64,
    /// The upper end.
    pub most_ms: i64,
    /// Pairs that recovered both with and without the change.
    pub pairs: u32,
    /// What the change costs.
    pub price: String,
}

impl Worth {
    /// Whether it is shown to save time: half a second at least.
    #[must_use]
    pub fn saves(&self) -> bool {
        self.least_ms > 0 && self.saves_ms >= 500
    }
}

/// What may go wrong, with its place and a remedy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// The rule that found it: a name that stays.
    pub rule: &'static str,
    /// What happens.
    pub text: String,
    /// What would be right.
    pub remedy: String,
}
