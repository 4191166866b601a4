//! How long the processes of a workload take: to start, to stop, to initialise, and how long a pull of their images
//! takes. It comes from a file or from stated priors, and the answer says which.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use sim::measured::Distribution;
use sim::rng::Rng;
use sim::time::Micros;
use sim_services::mistake::{FileError, FileKind, Mistake};
use statrs::distribution::{ContinuousCDF as _, Normal};
use toml::Spanned;

const FILE: FileKind = FileKind {
    name: "file of start times",
    code: "firedrill::starts",
    language: "toml",
};

/// The longest time that a file may give, in seconds.
const MOST_S: f64 = 86_400.0;
/// How finely a distribution that is given by two of its quantiles is sampled.
const SAMPLES: u32 = 1_000;
/// All quantiles, in millionths.
const WHOLE: u64 = 1_000_000;

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration {
    distribution: Distribution,
    /// Whether it was measured, so that each pod takes its own time. What is only estimated is uncertain as a whole:
    /// all pods of a draw take the same time, give or take a tenth.
    measured: bool,
}

impl Duration {
    /// Log-normal, by its median and its 90th percentile in seconds.
    fn estimated(median: f64, p90: f64) -> Self {
        let sigma = (p90 / median).ln() / 1.281_552;
        let normal = Normal::new(0.0, 1.0).ok();
        let samples: Vec<u64> = (0..SAMPLES)
            .map(|n| {
                let share = (f64::from(n) + 0.5) / f64::from(SAMPLES);
                let z = normal.map_or(0.0, |it| it.inverse_cdf(share));
                // In whole milliseconds, so that no rounding of a machine's own matters.
                (median * (sigma * z).exp() * 1e3).round() as u64 * 1_000
            })
            .collect();
        Self {
            distribution: Distribution::of(&samples).unwrap_or(Distribution::fixed(0)),
            measured: false,
        }
    }

    /// Of samples in seconds.
    fn measured(samples: &[f64]) -> Self {
        let samples: Vec<u64> = samples.iter().map(|s| (s * 1e6).round() as u64).collect();
        Self {
            distribution: Distribution::of(&samples).unwrap_or(Distribution::fixed(0)),
            measured: true,
        }
    }

    /// What it takes in the draw `seed`, for the `nth` time, by the name of what it is drawn for.
    #[must_use]
    pub fn draw(&self, seed: u64, what: &str, nth: u64) -> Micros {
        let mut own = Rng::derive(seed, &format!("{what}/{nth}"));
        if self.measured {
            return self.distribution.draw(&mut own);
        }
        let shared = Rng::derive(seed, what).below(WHOLE + 1);
        let typical = self.distribution.quantile(shared);
        Micros(typical * own.between(900, 1_100) / 1_000)
    }

    /// The `percent` quantile.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Micros {
        Micros(self.distribution.quantile(percent * WHOLE / 100))
    }

    fn shown(&self) -> String {
        let seconds = |percent| self.percentile(percent).as_secs_f64();
        format!("median {:.1} s, p90 {:.1} s", seconds(50), seconds(90))
    }
}

/// How long what a container does takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From the start of its process until it can answer a probe.
    pub start: Duration,
    /// From SIGTERM to the end of its process.
    pub stop: Duration,
    /// From the start to the end of an init container.
    pub init: Duration,
    /// A pull of its image.
    pub pull: Duration,
}

/// Where the times of a workload come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file that gives samples of the start.
    Measured,
    /// A file that gives quantiles of the start.
    Stated,
    /// Nobody said anything about the start.
    Prior,
}

/// The times of all workloads.
#[derive(Clone, Debug)]
pub struct Starts {
    default: Given,
    workloads: BTreeMap<String, Given>,
    file: Option<String>,
}

/// What a file gives of a workload; what it does not give is that of `default`, and then a prior.
#[derive(Clone, Debug, Default)]
struct Given {
    times: [Option<Duration>; 4],
    containers: BTreeMap<String, [Option<Duration>; 4]>,
}

/// What is assumed of processes and images that nobody has measured.
#[must_use]
pub(super) fn priors() -> Times {
    Times {
        start: Duration::estimated(2.0, 8.0),
        stop: Duration::estimated(0.3, 2.0),
        init: Duration::estimated(1.0, 4.0),
        pull: Duration::estimated(5.0, 20.0),
    }
}

impl Default for Starts {
    /// The priors.
    fn default() -> Self {
        Self {
            default: Given::default(),
            workloads: BTreeMap::new(),
            file: None,
        }
    }
}

impl Starts {
    /// The times in `text`, which `file` holds.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its place and a remedy.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let wrong = |mistakes| FileError::new(FILE, file, text, mistakes);
        let raw: BTreeMap<String, Raw> = toml::from_str(text).map_err(|error| {
            let help = "a table for each workload has the keys start, stop, init and pull: \
                        `start = [2.1, 2.4]` in seconds, or `start = { median = 2, p90 = 5 }`";
            let span = error.span().unwrap_or_default();
            wrong(vec![Mistake::new(span, error.message(), "here", help)])
        })?;
        let mut mistakes = Vec::new();
        let mut starts = Self {
            file: Some(file.to_owned()),
            ..Self::default()
        };
        for (name, raw) in raw {
            let given = raw.check(&mut mistakes);
            if name == "default" {
                starts.default = given;
            } else {
                starts.workloads.insert(name, given);
            }
        }
        if mistakes.is_empty() {
            Ok(starts)
        } else {
            Err(wrong(mistakes))
        }
    }

    /// The times of a container of the workload `name` in `namespace`.
    #[must_use]
    pub fn of(&self, namespace: &str, name: &str, container: &str) -> Times {
        let own = self.workload(namespace, name);
        let mut levels = Vec::new();
        for given in own.into_iter().chain([&self.default]) {
            levels.extend(given.containers.get(container));
            levels.push(&given.times);
        }
        let first = |which: usize, prior: Duration| {
            let mut given = levels.iter().filter_map(|times| times[which]);
            given.next().unwrap_or(prior)
        };
        let priors = priors();
        Times {
            start: first(0, priors.start),
            stop: first(1, priors.stop),
            init: first(2, priors.init),
            pull: first(3, priors.pull),
        }
    }

    fn workload(&self, namespace: &str, name: &str) -> Option<&Given> {
        let whole = format!("{namespace}/{name}");
        let by_name = || self.workloads.get(name);
        self.workloads.get(&whole).or_else(by_name)
    }

    /// Where the start of a container of a workload comes from, and that in a sentence.
    #[must_use]
    pub fn source(&self, namespace: &str, name: &str, container: &str) -> (Source, String) {
        let own = self.workload(namespace, name);
        let start = |given: &Given| {
            let by_container = given.containers.get(container).and_then(|it| it[0]);
            by_container.or(given.times[0])
        };
        let given = own.and_then(start).or_else(|| start(&self.default));
        let times = self.of(namespace, name, container);
        let shown = times.start.shown();
        let file = self.file.as_deref().unwrap_or_default();
        match given {
            Some(given) if given.measured => (
                Source::Measured,
                format!("start measured, from {file}: {shown}"),
            ),
            Some(_) => (
                Source::Stated,
                format!("start estimated, from {file}: {shown}"),
            ),
            None => (
                Source::Prior,
                format!("start not known, a prior stands in: {shown}"),
            ),
        }
    }

    /// The names of workloads that the file gives, and that are not among `known` (each as namespace and name).
    #[must_use]
    pub fn unknown(&self, known: &[(&str, &str)]) -> Vec<&str> {
        let is_known = |key: &str| {
            let mut all = known.iter();
            all.any(|(namespace, name)| key == *name || key == format!("{namespace}/{name}"))
        };
        let keys = self.workloads.keys().map(String::as_str);
        keys.filter(|key| !is_known(key)).collect()
    }
}

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    start: Option<Spanned<RawTime>>,
    stop: Option<Spanned<RawTime>>,
    init: Option<Spanned<RawTime>>,
    pull: Option<Spanned<RawTime>>,
    #[serde(default)]
    containers: BTreeMap<String, RawContainer>,
}

/// A table of a container.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawContainer {
    start: Option<Spanned<RawTime>>,
    stop: Option<Spanned<RawTime>>,
    init: Option<Spanned<RawTime>>,
    pull: Option<Spanned<RawTime>>,
}

/// Samples, or two quantiles.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a list of seconds, or { median = SECONDS, p90 = SECONDS }"
)]
enum RawTime {
    Samples(Vec<f64>),
    Quantiles(Quantiles),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantiles {
    median: f64,
    p90: f64,
}

impl Raw {
    fn check(self, mistakes: &mut Vec<Mistake>) -> Given {
        let own = [self.start, self.stop, self.init, self.pull];
        Given {
            times: own.map(|it| checked(it, mistakes)),
            containers: self
                .containers
                .into_iter()
                .map(|(name, it)| {
                    let all = [it.start, it.stop, it.init, it.pull];
                    (name, all.map(|it| checked(it, mistakes)))
                })
                .collect(),
        }
    }
}

fn checked(raw: Option<Spanned<RawTime>>, mistakes: &mut Vec<Mistake>) -> Option<Duration> {
    let raw = raw?;
    let span: Range<usize> = raw.span();
    let mut wrong = |message: &str, help: &str| {
        mistakes.push(Mistake::new(span.clone(), message, "this value", help));
    };
    let in_range = |seconds: f64| (0.0..=MOST_S).contains(&seconds);
    match raw.into_inner() {
        RawTime::Samples(samples) if samples.is_empty() => {
            wrong("there is no sample", "give at least one: `start = [2.1]`");
            None
        }
        RawTime::Samples(samples) if !samples.iter().copied().all(in_range) => {
            wrong(
                "a sample is no time",
                "each is a number of seconds from 0 to 86400",
            );
            None
        }
        RawTime::Samples(samples) => Some(Duration::measured(&samples)),
        RawTime::Quantiles(Quantiles { median, p90 })
            if in_range(median) && in_range(p90) && median > 0.0 && p90 >= median =>
        {
            Some(Duration::estimated(median, p90))
        }
        RawTime::Quantiles(_) => {
            wrong(
                "these are no quantiles of a time",
                "`median` is above 0, and `p90` is at least `median` and at most 86400 seconds",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_for_the_nearest_counts() {
        let text = "[default]\nstart = { median = 4, p90 = 8 }\n[front]\nstart = [1.0, 1.5, 2.0]\nstop = [0.5]\n\
                    [front.containers.mesh]\nstart = [9]\n[\"shop/back\"]\npull = [3]\n";
        let starts = Starts::parse("starts.toml", text).expect("it is right");
        let median = |namespace, name, container| {
            let start = starts.of(namespace, name, container).start;
            start.percentile(50).as_millis()
        };
        assert_eq!(median("any", "front", "app"), 1_500);
        assert_eq!(median("any", "front", "mesh"), 9_000);
        assert_eq!(median("shop", "back", "app"), 4_000);
        assert_eq!(
            starts.of("shop", "back", "app").pull.percentile(50),
            Micros::from_secs(3)
        );
        let sources = ["front", "back"].map(|name| starts.source("shop", name, "app").0);
        assert_eq!(sources, [Source::Measured, Source::Stated]);
        assert_eq!(Starts::default().source("a", "b", "c").0, Source::Prior);
        assert_eq!(starts.unknown(&[("shop", "front")]), ["shop/back"]);
    }

    #[test]
    fn quantiles_are_kept() {
        let given = Duration::estimated(2.0, 8.0);
        assert_eq!(given.percentile(50).as_millis() / 100, 20);
        assert_eq!(given.percentile(90).as_millis().div_ceil(100), 80);
        let same = Duration::estimated(3.0, 3.0);
        assert_eq!(same.percentile(1), same.percentile(99));
    }

    #[test]
    fn what_is_estimated_differs_from_draw_to_draw_and_hardly_from_pod_to_pod() {
        let of = |given: Duration, seed, nth| given.draw(seed, "start/app", nth).0 as f64;
        let estimated = Duration::estimated(2.0, 8.0);
        for seed in 0..50 {
            let ratio = of(estimated, seed, 0) / of(estimated, seed, 1);
            assert!((0.8..1.25).contains(&ratio), "{ratio}");
        }
        let draws: Vec<f64> = (0..50).map(|seed| of(estimated, seed, 0)).collect();
        let (least, most) = (
            draws.iter().copied().fold(f64::MAX, f64::min),
            draws.iter().copied().fold(0.0, f64::max),
        );
        assert!(most > 4.0 * least, "{least} to {most}");
        let measured = Duration::measured(&[1.0, 10.0]);
        let pods: Vec<f64> = (0..50).map(|nth| of(measured, 0, nth)).collect();
        assert!(pods.iter().any(|it| *it < 3e6) && pods.iter().any(|it| *it > 8e6));
    }

    #[test]
    fn mistakes_have_a_place_and_a_remedy() {
        for (text, place, what) in [
            ("[front]\nstart = []\n", "starts.toml:2:9", "no sample"),
            ("[front]\nstart = [-1]\n", "starts.toml:2:9", "no time"),
            (
                "[front]\nstop = { median = 3, p90 = 1 }\n",
                "starts.toml:2:8",
                "quantiles",
            ),
            ("[front]\nbegin = [1]\n", "starts.toml:2:1", "unknown field"),
            (
                "[front]\nstart = \"2s\"\n",
                "starts.toml:2:9",
                "list of seconds",
            ),
        ] {
            let error = Starts::parse("starts.toml", text).expect_err("it is wrong");
            let shown = error.mistakes[0].to_string();
            assert!(shown.starts_with(place) && shown.contains(what), "{shown}");
            assert!(!error.mistakes[0].help.is_empty());
        }
    }
}
