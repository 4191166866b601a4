//! Metrics in Prometheus' text format, by the names that the runbook's queries use.

use std::sync::Mutex;
use std::time::Duration;

use crate::exposition::{DURATION_BOUNDS, Exposition};
use crate::release::Build;

/// `Content-Type` of the exposition.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    Rejected,
    Maintenance,
    Unavailable,
    Internal,
}

impl Answer {
    const ALL: [Self; 5] = [
        Self::Ok,
        Self::Rejected,
        Self::Maintenance,
        Self::Unavailable,
        Self::Internal,
    ];

    /// Labels `code` and `maintenance` of the request counter.
    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("200", "false"),
            Self::Rejected => ("400", "false"),
            Self::Maintenance => ("503", "true"),
            Self::Unavailable => ("503", "false"),
            Self::Internal => ("500", "false"),
        }
    }
}

#[derive(Default)]
struct Counts {
    answers: [u64; 5],
    durations: [u64; DURATION_BOUNDS.len() + 1],
    sum_us: u64,
}

/// What a gateway counts.
#[derive(Default)]
pub(super) struct Requests(Mutex<Counts>);

impl Requests {
    /// Counts an answer, written `after` the request came.
    pub(super) fn count(&self, answer: Answer, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        let bucket = DURATION_BOUNDS
            .iter()
            .position(|(bound, _)| us <= *bound)
            .unwrap_or(DURATION_BOUNDS.len());
        if let Ok(mut counts) = self.0.lock() {
            counts.answers[answer as usize] += 1;
            counts.durations[bucket] += 1;
            counts.sum_us += us;
        }
    }

    pub(super) fn expose(&self, page: &mut Page) {
        let Ok(counts) = self.0.lock() else { return };
        for (count, answer) in counts.answers.iter().zip(Answer::ALL) {
            let (code, maintenance) = answer.labels();
            page.sample(
                "dex_requests_total",
                &[("code", code), ("maintenance", maintenance)],
                &count.to_string(),
            );
        }
        let mut sum = 0;
        let bounds = DURATION_BOUNDS.iter().map(|(_, text)| *text);
        for (count, le) in counts.durations.iter().zip(bounds.chain(["+Inf"])) {
            sum += count;
            page.sample(
                "dex_request_duration_seconds_bucket",
                &[("le", le)],
                &sum.to_string(),
            );
        }
        let seconds = format!(
            "{}.{:06}",
            counts.sum_us / 1_000_000,
            counts.sum_us % 1_000_000
        );
        page.sample("dex_request_duration_seconds_sum", &[], &seconds);
        page.sample("dex_request_duration_seconds_count", &[], &sum.to_string());
    }
}

/// An exposition in the making.
pub(super) struct Page(Exposition);

impl Page {
    /// A page that begins with `dex_build_info`.
    pub(super) fn of(build: &Build) -> Self {
        let mut page = Self(Exposition::default());
        page.sample(
            "dex_build_info",
            &[("version", build.version), ("revision", build.revision)],
            "1",
        );
        page
    }

    /// Adds a sample without labels.
    pub(super) fn number(&mut self, metric: &'static str, value: u64) {
        self.sample(metric, &[], &value.to_string());
    }

    /// Adds a sample. Label values need no escapes.
    fn sample(&mut self, metric: &'static str, labels: &[(&str, &str)], value: &str) {
        self.0.sample(metric, labels, value);
    }

    pub(super) fn finish(self) -> String {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Service;

    #[test]
    fn buckets_are_cumulative_and_seconds_exact() {
        let requests = Requests::default();
        requests.count(Answer::Ok, Duration::from_micros(1_000));
        requests.count(Answer::Ok, Duration::from_micros(1_001));
        requests.count(Answer::Maintenance, Duration::from_secs(3));
        let mut page = Page::of(&Build::stable(Service::Gateway));
        requests.expose(&mut page);
        let text = page.finish();
        for line in [
            "dex_build_info{version=\"1.4.2\",revision=\"7c1e04b\"} 1",
            "# TYPE dex_requests_total counter",
            "dex_requests_total{code=\"200\",maintenance=\"false\"} 2",
            "dex_requests_total{code=\"503\",maintenance=\"true\"} 1",
            "# TYPE dex_request_duration_seconds histogram",
            "dex_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "dex_request_duration_seconds_bucket{le=\"2.5\"} 2",
            "dex_request_duration_seconds_bucket{le=\"+Inf\"} 3",
            "dex_request_duration_seconds_sum 3.002001",
            "dex_request_duration_seconds_count 3",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
