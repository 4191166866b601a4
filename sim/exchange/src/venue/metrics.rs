//! What the pods expose: the same numbers for a scrape and for `GET /metrics`.

use dex::exposition::Exposition;

use super::SimulatedExchange;
use sim::observe::SampleSink;

impl SimulatedExchange {
    /// Its samples, always in the same order.
    pub(super) fn expose(&self, index: usize, sink: &mut dyn SampleSink) {
        let pod = &self.pods[index];
        if let Some(build) = &pod.build {
            sink.sample(
                "dex_build_info",
                &[("version", build.version), ("revision", build.revision)],
                1.0,
            );
        }
        self.expose_role(index, sink);
    }

    /// The exposition in Prometheus' text format.
    pub(super) fn render_metrics(&self, index: usize) -> String {
        let mut text = Text::default();
        self.expose(index, &mut text);
        text.0.finish()
    }
}

/// Writes samples as text.
#[derive(Default)]
struct Text(Exposition);

impl SampleSink for Text {
    fn sample(&mut self, metric: &'static str, labels: &[(&'static str, &str)], value: f64) {
        self.0.sample(metric, labels, value);
    }
}
