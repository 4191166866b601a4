//! What the pods expose: the same numbers for a scrape and for `GET /metrics`.

use dex::exposition::{DURATION_BOUNDS, Exposition};

use super::faults::Alarm;
use super::pod::{Answer, Role};
use super::venue::Exchange;
use sim::observe::SampleSink;
use sim::time::Micros;

impl Exchange {
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
        match &pod.role {
            Role::Gateway(gateway) => {
                let gateway = &self.gateways[*gateway as usize];
                for (count, (code, maintenance)) in gateway.answers.iter().zip(Answer::LABELS) {
                    sink.sample(
                        "dex_requests_total",
                        &[("code", code), ("maintenance", maintenance)],
                        *count as f64,
                    );
                }
                let mut sum = 0;
                let bounds = DURATION_BOUNDS
                    .iter()
                    .map(|(_, text)| *text)
                    .chain(["+Inf"]);
                for (count, le) in gateway.durations.iter().zip(bounds) {
                    sum += count;
                    sink.sample(
                        "dex_request_duration_seconds_bucket",
                        &[("le", le)],
                        sum as f64,
                    );
                }
                let seconds = Micros(gateway.duration_sum_us).as_secs_f64();
                sink.sample("dex_request_duration_seconds_sum", &[], seconds);
                sink.sample("dex_request_duration_seconds_count", &[], sum as f64);
            }
            Role::Matching(state) => {
                let leads = self.leader.as_ref().filter(|leader| leader.pod == index);
                let (orders, trades) =
                    leads.map_or((0, 0), |leader| (leader.orders, leader.trades));
                sink.sample("dex_orders_total", &[], (state.orders + orders) as f64);
                sink.sample("dex_trades_total", &[], (state.trades + trades) as f64);
                let seq = self.db.ledger().log().last_seq();
                sink.sample("dex_order_log_seq", &[], seq.0 as f64);
                if state.refused > 0 {
                    sink.sample("dex_reconciliation_anomalies", &[], state.refused as f64);
                }
            }
            Role::Risk(risk) => {
                let reconciler = &risk.reconciler;
                let alarms = &self.faults.alarms;
                let raised = |alarm: Alarm| u64::from(alarms.contains_key(&alarm));
                for (metric, value) in [
                    (
                        "dex_reconciliation_anomalies",
                        reconciler.anomalies() + raised(Alarm::Books),
                    ),
                    ("dex_reconciliation_runs_total", reconciler.runs_total()),
                    (
                        "dex_matching_irregularities_total",
                        reconciler.irregularities_total() + raised(Alarm::Matching),
                    ),
                    (
                        "dex_state_hash_mismatches_total",
                        reconciler.hash_mismatches_total() + raised(Alarm::StateHash),
                    ),
                ] {
                    sink.sample(metric, &[], value as f64);
                }
            }
            Role::Broken => {}
        }
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
