//! Draws series and queries. A query is well typed, so that what either engine refuses it refuses for its values.

use sim::rng::Rng;

/// Unix ms at which series begin.
pub(crate) const START_MS: i64 = 1_700_000_000_000;
/// Over how many milliseconds samples are spread.
const SPAN_MS: u64 = 900_000;
/// What Prometheus writes where a series ends (prometheus `model/value/value.go`).
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// A drawn series: labels, and (Unix ms, bits of the value).
pub(crate) struct Series {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) samples: Vec<(i64, u64)>,
}

/// A drawn query.
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) ms: i64,
}

/// What is drawn from one seed.
pub(crate) struct Draw {
    rng: Rng,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::derive(seed, "promql/reference"),
        }
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.rng.ratio(percent, 100)
    }

    /// Counters, gauges and histograms of a few pods.
    pub(crate) fn series(&mut self) -> Vec<Series> {
        let mut out = Vec::new();
        for pod in ["a", "b", "c"] {
            for code in ["200", "500"] {
                let samples = self.samples(true);
                out.push(named("req", samples, &[("pod", pod), ("code", code)]));
            }
            let (gauge, limit) = (self.samples(false), self.samples(false));
            out.push(named("gauge", gauge, &[("pod", pod)]));
            out.push(named("limit", limit, &[("pod", pod), ("zone", "z")]));
            let version = self.one(&["1", "2"]);
            let one = vec![(START_MS, 1.0_f64.to_bits())];
            out.push(named("build", one, &[("pod", pod), ("version", version)]));
            for metric in ["lat_bucket", "wait_bucket"] {
                let mut counts = 0;
                let ends = START_MS + self.rng.between(0, SPAN_MS) as i64;
                for le in ["0.1", "0.5", "1", "+Inf"] {
                    counts += self.rng.below(20);
                    let grid = (0..60).map(|i| START_MS + i * 15_000);
                    let samples = grid.filter(|t| *t < ends).map(|t| {
                        (
                            t,
                            ((counts * (t - START_MS) as u64 / 15_000) as f64).to_bits(),
                        )
                    });
                    out.push(named(
                        metric,
                        samples.collect(),
                        &[("pod", pod), ("le", le)],
                    ));
                }
            }
        }
        out.retain(|series| !series.samples.is_empty());
        out
    }

    fn samples(&mut self, counter: bool) -> Vec<(i64, u64)> {
        let every = self.one(&[&5_000_u64, &15_000, &60_000]);
        let jitter = if self.chance(50) { 0 } else { every / 3 };
        let constant = self.chance(20);
        let mut value = self.rng.below(1_000) as f64 / 10.0;
        let mut out = Vec::new();
        let mut t = self.rng.below(*every);
        while t < SPAN_MS {
            if !constant {
                value = if counter {
                    let reset = self.chance(3);
                    if reset {
                        0.0
                    } else {
                        value + self.rng.below(50) as f64 / 4.0
                    }
                } else {
                    (self.rng.below(2_000) as f64 - 1_000.0) / 10.0
                };
            }
            let bits = if self.chance(2) {
                STALE
            } else if !counter && self.chance(3) {
                let odd = [
                    f64::NAN,
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    1e308,
                    -1e308,
                    5e-324,
                ];
                odd[self.rng.below(6) as usize].to_bits()
            } else {
                value.to_bits()
            };
            // A sample that is missing.
            if !self.chance(5) {
                out.push((START_MS + t as i64, bits));
            }
            t += every
                + if jitter > 0 {
                    self.rng.below(jitter)
                } else {
                    0
                };
        }
        out
    }

    pub(crate) fn query(&mut self) -> Query {
        let text = if self.chance(10) {
            self.scalar(3)
        } else {
            self.vector(3)
        };
        let ms = START_MS + self.rng.between(0, SPAN_MS + 400_000) as i64;
        Query { text, ms }
    }

    fn number(&mut self) -> String {
        let of = [
            "0", "0.1", "0.5", "0.99", "1", "2", "-1", "1000", "NaN", "Inf", "-Inf", "1e308",
        ];
        self.one(&of).to_owned()
    }

    fn scalar(&mut self, depth: u64) -> String {
        match self.rng.below(if depth == 0 { 2 } else { 5 }) {
            0 => self.number(),
            1 => self.one(&["time()", "pi()", "3"]).to_owned(),
            2 => format!("scalar({})", self.vector(depth - 1)),
            3 => {
                let op = self.one(&["+", "-", "*", "/", "%"]);
                format!(
                    "({} {op} {})",
                    self.scalar(depth - 1),
                    self.scalar(depth - 1)
                )
            }
            _ => {
                let op = self.one(&["==", "!=", "<", ">", "<=", ">="]);
                format!(
                    "({} {op} bool {})",
                    self.scalar(depth - 1),
                    self.scalar(depth - 1)
                )
            }
        }
    }

    fn when(&mut self) -> String {
        let mut out = String::new();
        if self.chance(15) {
            let at = START_MS as f64 / 1_000.0 + self.rng.below(900) as f64;
            out.push_str(&format!(" @ {at:.3}"));
        }
        if self.chance(20) {
            let by = self.one(&["15s", "1m", "5m", "-30s", "1m30s"]);
            out.push_str(&format!(" offset {by}"));
        }
        out
    }

    fn selector(&mut self) -> String {
        let metric = self.one(&[
            "req",
            "req",
            "gauge",
            "gauge",
            "limit",
            "build",
            "lat_bucket",
            "none",
        ]);
        let mut matchers = Vec::new();
        for _ in 0..self.rng.below(3) {
            matchers.push(self.one(&[
                "pod=\"a\"",
                "pod!=\"b\"",
                "pod=~\"a|c\"",
                "code=~\"5..\"",
                "code=\"200\"",
                "pod!~\"c\"",
                "zone=\"\"",
                "version=~\".+\"",
            ]));
        }
        if matchers.is_empty() {
            metric.to_owned()
        } else {
            format!("{metric}{{{}}}", matchers.join(","))
        }
    }

    fn range(&mut self, depth: u64) -> String {
        let span = self.one(&["15s", "30s", "1m", "2m", "5m", "10m"]);
        let when = self.when();
        if depth > 0 && self.chance(20) {
            let step = self.one(&["15s", "20s", "1m", ""]);
            format!("({})[{span}:{step}]{when}", self.vector(depth - 1))
        } else {
            format!("{}[{span}]{when}", self.selector())
        }
    }

    fn grouping(&mut self) -> String {
        let labels = self.one(&["pod", "code", "pod, code", "le, pod", "version", ""]);
        match self.rng.below(3) {
            0 => String::new(),
            1 => format!(" by ({labels})"),
            _ => format!(" without ({labels})"),
        }
    }

    fn vector(&mut self, depth: u64) -> String {
        if depth == 0 {
            return self.selector() + &self.when();
        }
        let deeper = depth - 1;
        match self.rng.below(12) {
            0 => self.selector() + &self.when(),
            1 | 2 => self.over_time(deeper),
            3 | 4 => {
                let op = self.one(&[
                    "sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "avg",
                    "stddev",
                ]);
                let of = self.vector(deeper);
                format!("{op}{} ({of})", self.grouping())
            }
            5 => {
                let of = self.vector(deeper);
                let grouping = self.grouping();
                if self.chance(50) {
                    format!("quantile{grouping} ({}, {of})", self.number())
                } else {
                    format!("count_values{grouping} (\"value\", {of})")
                }
            }
            6 => self.binary(deeper),
            7 => self.of_vector(deeper),
            8 => self.histogram(deeper),
            9 => self.labels(deeper),
            10 => format!("-({})", self.vector(deeper)),
            _ => format!("vector({})", self.scalar(deeper)),
        }
    }

    fn over_time(&mut self, depth: u64) -> String {
        let range = self.range(depth);
        match self.rng.below(10) {
            0 => format!("quantile_over_time({}, {range})", self.number()),
            1 => format!("predict_linear({range}, {})", self.number()),
            2 => format!("absent_over_time({})", self.selector() + "[1m]"),
            _ => {
                let f = self.one(&[
                    "rate",
                    "increase",
                    "delta",
                    "irate",
                    "idelta",
                    "resets",
                    "changes",
                    "avg_over_time",
                    "avg_over_time",
                    "sum_over_time",
                    "min_over_time",
                    "max_over_time",
                    "count_over_time",
                    "last_over_time",
                    "stddev_over_time",
                    "stdvar_over_time",
                    "present_over_time",
                    "deriv",
                ]);
                format!("{f}({range})")
            }
        }
    }

    fn binary(&mut self, depth: u64) -> String {
        let (left, right) = (self.vector(depth), self.vector(depth));
        let matching = self.one(&["", "", " on (pod)", " ignoring (code)", " on ()"]);
        match self.rng.below(5) {
            0 => {
                let op = self.one(&["and", "or", "unless"]);
                format!("({left}) {op}{matching} ({right})")
            }
            1 => {
                let op = self.one(&["==", "!=", "<", ">", "<=", ">="]);
                let bool = self.one(&["", " bool"]);
                format!("({left}) {op}{bool}{matching} ({right})")
            }
            2 => {
                let op = self.one(&["+", "-", "*", "/", "%"]);
                let side = self.one(&["group_left", "group_right"]);
                let include = self.one(&["", " (version)"]);
                format!("({left}) {op} on (pod) {side}{include} ({right})")
            }
            3 => {
                let op = self.one(&["+", "-", "*", "/", "%", "==", "<", ">="]);
                let number = self.scalar(depth.min(1));
                if self.chance(50) {
                    format!("({left}) {op} {number}")
                } else {
                    format!("{number} {op} ({left})")
                }
            }
            _ => {
                let op = self.one(&["+", "-", "*", "/", "%"]);
                format!("({left}) {op}{matching} ({right})")
            }
        }
    }

    fn of_vector(&mut self, depth: u64) -> String {
        let of = self.vector(depth);
        match self.rng.below(10) {
            0 => format!("clamp({of}, {}, {})", self.number(), self.number()),
            1 => format!("clamp_min({of}, {})", self.number()),
            2 => format!("clamp_max({of}, {})", self.number()),
            3 => format!("round({of}, {})", self.number()),
            4 => format!("absent({of})"),
            5 => {
                let selector = self.selector();
                format!("absent({selector})")
            }
            6 => {
                let f = self.one(&[
                    "minute",
                    "hour",
                    "day_of_week",
                    "day_of_month",
                    "day_of_year",
                    "days_in_month",
                    "month",
                    "year",
                ]);
                format!("{f}(vector(1.7e9 + 86400 * {}))", self.rng.below(4_000))
            }
            _ => {
                let f = self.one(&[
                    "abs",
                    "ceil",
                    "floor",
                    "sqrt",
                    "sgn",
                    "rad",
                    "deg",
                    "timestamp",
                    "sort",
                    "sort_desc",
                ]);
                format!("{f}({of})")
            }
        }
    }

    fn histogram(&mut self, depth: u64) -> String {
        let metric = self.one(&[
            "lat_bucket",
            "wait_bucket",
            "{__name__=~\"(lat|wait)_bucket\"}",
        ]);
        let of = match self.rng.below(4) {
            0 => metric.to_owned(),
            1 => format!("rate({metric}[1m])"),
            2 => format!("sum by (le) (rate({metric}[2m]))"),
            _ => self.vector(depth),
        };
        if self.chance(70) {
            format!("histogram_quantile({}, {of})", self.number())
        } else {
            format!(
                "histogram_fraction({}, {}, {of})",
                self.number(),
                self.number()
            )
        }
    }

    fn labels(&mut self, depth: u64) -> String {
        let of = self.vector(depth);
        if self.chance(60) {
            let (to, with) = (
                self.one(&["pod", "new", "code"]),
                self.one(&["$1", "x", "", "$1-$1"]),
            );
            let pattern = self.one(&["(.*)", "a", "(a|b)", "[bc]"]);
            format!("label_replace({of}, \"{to}\", \"{with}\", \"pod\", \"{pattern}\")")
        } else {
            let to = self.one(&["new", "pod"]);
            format!("label_join({of}, \"{to}\", \"-\", \"pod\", \"code\")")
        }
    }
}

fn named(
    metric: &'static str,
    samples: Vec<(i64, u64)>,
    labels: &[(&'static str, &str)],
) -> Series {
    let name = std::iter::once(("__name__", metric.to_owned()));
    let rest = labels.iter().map(|(k, v)| (*k, (*v).to_owned()));
    Series {
        labels: name.chain(rest).collect(),
        samples,
    }
}
