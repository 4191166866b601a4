//! What a pod exposes, in Prometheus' text format: the same page in the services and in the simulation.

use std::fmt::{Display, Write};

/// Upper bounds of the duration histogram in µs, and as Prometheus writes them.
pub const DURATION_BOUNDS: [(u64, &str); 11] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
];

/// A page of samples, a `# TYPE` line ahead of each family.
#[derive(Debug)]
pub struct Exposition {
    out: String,
    family: &'static str,
}

impl Default for Exposition {
    fn default() -> Self {
        Self {
            out: String::with_capacity(2_048),
            family: "",
        }
    }
}

impl Exposition {
    /// Adds a sample. Label values need no escapes; samples of one family come one after the other.
    pub fn sample(&mut self, metric: &'static str, labels: &[(&str, &str)], value: impl Display) {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| metric.strip_suffix(suffix))
            .unwrap_or(metric);
        if family != self.family {
            self.family = family;
            let kind = if family.ends_with("_seconds") {
                "histogram"
            } else if family.ends_with("_total") {
                "counter"
            } else {
                "gauge"
            };
            let _ = writeln!(self.out, "# TYPE {family} {kind}");
        }
        self.out.push_str(metric);
        for (n, (name, value)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{open}{name}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }
}
