//! What a process exposes: the metrics of well-known libraries and proxies, by the names and labels that they have.

use sim::observe::SampleSink;

/// Upper ends of the buckets of a latency histogram, in µs, and as text in seconds and in milliseconds.
pub const BUCKETS: [(u64, &str, &str); 12] = [
    (1_000, "0.001", "1"),
    (5_000, "0.005", "5"),
    (10_000, "0.01", "10"),
    (25_000, "0.025", "25"),
    (50_000, "0.05", "50"),
    (100_000, "0.1", "100"),
    (250_000, "0.25", "250"),
    (500_000, "0.5", "500"),
    (1_000_000, "1", "1000"),
    (2_500_000, "2.5", "2500"),
    (5_000_000, "5", "5000"),
    (10_000_000, "10", "10000"),
];

/// Status codes that are counted apart.
pub const CODES: [&str; 3] = ["200", "500", "503"];

/// What a process counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers by [`CODES`].
    pub codes: [u64; CODES.len()],
    /// Answers by [`BUCKETS`], each in one; the last: slower ones.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// How long all answers took together, in µs.
    pub sum_us: u64,
}

impl Counts {
    /// One more answer with the code at that position, after `us` µs.
    pub fn answer(&mut self, code: usize, us: u64) {
        if let Some(count) = self.codes.get_mut(code) {
            *count += 1;
        }
        let bucket = BUCKETS.partition_point(|(end, _, _)| *end < us);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum_us += us;
    }

    /// How many answers there were.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.codes.iter().sum()
    }
}

/// Whose metrics they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// A Prometheus client library with the names of its own guide: `http_requests_total{code}`.
    Prometheus,
    /// Micrometer, as Spring Boot has it: `http_server_requests_seconds{status}`.
    Micrometer,
    /// OpenTelemetry's semantic conventions: `http_server_request_duration_seconds{http_response_status_code}`.
    OpenTelemetry,
    /// Istio's proxies: `istio_requests_total{response_code}`.
    Istio,
    /// The ingress controller on nginx: `nginx_ingress_controller_requests{status}`.
    IngressNginx,
}

/// Names of a preset: the counter of requests, its label of the code, and the histogram with its three series.
struct Names {
    requests: &'static str,
    code: &'static str,
    bucket: &'static str,
    sum: &'static str,
    /// Where that is a series of its own, and not the counter of requests.
    count: Option<&'static str>,
    millis: bool,
}

impl Preset {
    /// The words in a description.
    pub const NAMES: [&'static str; 5] = [
        "prometheus",
        "micrometer",
        "opentelemetry",
        "istio",
        "ingress-nginx",
    ];

    /// The preset of that name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Prometheus,
            Self::Micrometer,
            Self::OpenTelemetry,
            Self::Istio,
            Self::IngressNginx,
        ];
        let at = Self::NAMES.iter().position(|name| *name == word)?;
        all.get(at).copied()
    }

    fn names(self) -> Names {
        match self {
            Self::Prometheus => Names {
                requests: "http_requests_total",
                code: "code",
                bucket: "http_request_duration_seconds_bucket",
                sum: "http_request_duration_seconds_sum",
                count: Some("http_request_duration_seconds_count"),
                millis: false,
            },
            Self::Micrometer => Names {
                requests: "http_server_requests_seconds_count",
                code: "status",
                bucket: "http_server_requests_seconds_bucket",
                sum: "http_server_requests_seconds_sum",
                count: None,
                millis: false,
            },
            Self::OpenTelemetry => Names {
                requests: "http_server_request_duration_seconds_count",
                code: "http_response_status_code",
                bucket: "http_server_request_duration_seconds_bucket",
                sum: "http_server_request_duration_seconds_sum",
                count: None,
                millis: false,
            },
            Self::Istio => Names {
                requests: "istio_requests_total",
                code: "response_code",
                bucket: "istio_request_duration_milliseconds_bucket",
                sum: "istio_request_duration_milliseconds_sum",
                count: Some("istio_request_duration_milliseconds_count"),
                millis: true,
            },
            Self::IngressNginx => Names {
                requests: "nginx_ingress_controller_requests",
                code: "status",
                bucket: "nginx_ingress_controller_request_duration_seconds_bucket",
                sum: "nginx_ingress_controller_request_duration_seconds_sum",
                count: Some("nginx_ingress_controller_request_duration_seconds_count"),
                millis: false,
            },
        }
    }

    /// The counter of requests, and its label of the status code: what an error rate is made of.
    #[must_use]
    pub fn requests(self) -> (&'static str, &'static str) {
        let names = self.names();
        (names.requests, names.code)
    }

    /// The histogram of latencies, and how many of its units a second has.
    #[must_use]
    pub fn latency(self) -> (&'static str, u32) {
        let names = self.names();
        (names.bucket, if names.millis { 1_000 } else { 1 })
    }

    /// Exposes what was counted, always in the same order.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn expose(self, version: &str, counts: &Counts, sink: &mut dyn SampleSink) {
        let names = self.names();
        sink.sample("app_build_info", &[("version", version)], 1.0);
        for (code, count) in CODES.iter().zip(counts.codes) {
            sink.sample(names.requests, &[(names.code, code)], count as f64);
        }
        let mut sum = 0;
        for ((_, seconds, millis), count) in BUCKETS.iter().zip(counts.buckets) {
            sum += count;
            let end = if names.millis { millis } else { seconds };
            sink.sample(names.bucket, &[("le", end)], sum as f64);
        }
        let all = counts.answers() as f64;
        sink.sample(names.bucket, &[("le", "+Inf")], all);
        let unit = if names.millis { 1e3 } else { 1e6 };
        sink.sample(names.sum, &[], counts.sum_us as f64 / unit);
        if let Some(count) = names.count {
            sink.sample(count, &[], all);
        }
    }
}
