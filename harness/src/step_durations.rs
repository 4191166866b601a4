//! How long each step of a rollback takes: the same reading of a timeline in every world, and two worlds side by side.

use std::collections::BTreeMap;

use crate::drill::timeline::TimelineEntry;
use crate::evidence::{Evidence, Ms};
use crate::oracles::recovery;
use crate::stats::{median, percentile};

/// Steps of the runbook that only prove what is already so; how long they take is how long their windows are.
const PROOF: &str = "error-rate";

/// What one drill took, in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepDurations {
    /// From the trigger to recovery, as the clients saw it; `None`: they did not.
    pub rto_ms: Option<Ms>,
    /// Name and service of each step up to the proof, from the end of the one before it (the first:
    /// from the trigger) to its own.
    pub steps: Vec<(String, Ms)>,
}

impl StepDurations {
    /// Of a drill.
    #[must_use]
    pub fn of(evidence: &Evidence, timeline: &[TimelineEntry]) -> Self {
        let trigger = evidence.executor.trigger.as_ref().map(|said| said.at_ms);
        let recovered = recovery::recovered_ms(evidence);
        Self {
            rto_ms: trigger
                .zip(recovered)
                .map(|(from, to)| to.saturating_sub(from)),
            steps: trigger.map_or_else(Vec::new, |trigger| steps(timeline, trigger)),
        }
    }
}

/// The executor ends one step before it begins the next, so the ends alone say it all.
fn steps(timeline: &[TimelineEntry], trigger: Ms) -> Vec<(String, Ms)> {
    let ends = |entry: &&TimelineEntry| {
        entry.who == "executor" && entry.at_ms >= trigger && entry.told.is_over()
    };
    let mut before = trigger;
    timeline
        .iter()
        .filter(ends)
        .take_while(|entry| entry.step != PROOF)
        .map(|entry| {
            let took = entry.at_ms.saturating_sub(before);
            before = entry.at_ms;
            (entry.step.clone(), took)
        })
        .collect()
}

/// Median and worst of something in both worlds, in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What: the recovery time, or a step.
    pub what: String,
    /// How often it was measured on the cluster.
    pub kind_count: usize,
    /// Median on the cluster, and worst.
    pub kind: Option<(Ms, Ms)>,
    /// Median in the simulation, and worst.
    pub sim: Option<(Ms, Ms)>,
}

impl Row {
    fn new(what: &str, mut kind: Vec<Ms>, mut sim: Vec<Ms>) -> Self {
        let both = |values: &mut Vec<Ms>| Some((median(values)?, percentile(values, 100)?));
        Self {
            what: what.to_owned(),
            kind_count: kind.len(),
            kind: both(&mut kind),
            sim: both(&mut sim),
        }
    }

    /// The simulation's median over the cluster's, in thousandths; `None` if either is missing or the cluster's is 0.
    #[must_use]
    pub fn permille(&self) -> Option<u64> {
        let ((kind, _), (sim, _)) = (self.kind?, self.sim?);
        (sim * 1_000).checked_div(kind)
    }
}

/// The recovery time, and each step in the order in which the cluster's drills went through it,
/// then those of the simulation alone.
#[must_use]
pub fn compare(kind: &[StepDurations], sim: &[StepDurations]) -> Vec<Row> {
    let rto = |runs: &[StepDurations]| runs.iter().filter_map(|run| run.rto_ms).collect();
    let mut rows = vec![Row::new("recovery time", rto(kind), rto(sim))];
    let (of_kind, of_sim) = (by_step(kind), by_step(sim));
    let mut order: Vec<&String> = Vec::new();
    for (step, _) in kind.iter().chain(sim).flat_map(|run| &run.steps) {
        if !order.contains(&step) {
            order.push(step);
        }
    }
    let values = |of: &BTreeMap<&String, Vec<Ms>>, step| of.get(step).cloned().unwrap_or_default();
    rows.extend(
        order
            .into_iter()
            .map(|step| Row::new(step, values(&of_kind, step), values(&of_sim, step))),
    );
    rows
}

fn by_step(runs: &[StepDurations]) -> BTreeMap<&String, Vec<Ms>> {
    let mut by_step: BTreeMap<&String, Vec<Ms>> = BTreeMap::new();
    for (step, took) in runs.iter().flat_map(|run| &run.steps) {
        by_step.entry(step).or_default().push(*took);
    }
    by_step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::timeline::Told;

    fn over(at_ms: Ms, step: &str, what: &str) -> TimelineEntry {
        entry(at_ms, step, what).of(Told::Over)
    }

    fn entry(at_ms: Ms, step: &str, what: &str) -> TimelineEntry {
        TimelineEntry::new(at_ms, "executor", step, what)
    }

    #[test]
    fn steps_are_read_from_the_trigger_to_the_proof() {
        let timeline = [
            over(10, "snapshot-ledger", "done"),
            entry(100, "watch", "sla-latency-p99 fired"),
            entry(100, "run", "begins"),
            over(130, "lease", "taken, fencing token 1"),
            entry(150, "plan", "application: gateway in 14 steps").of(Told::Planned),
            TimelineEntry::new(160, "clients", "", "3 × timeout, until 2m 00s"),
            over(170, "undo-app gateway", "done: rolled back"),
            // What a step is called decides nothing.
            over(180, "note", "done"),
            entry(400, "rollout-status gateway", "waits: 1 of 3"),
            over(900, "rollout-status gateway", "already so: rolled out"),
            entry(950, "error-rate", "waits: no data"),
            over(9_000, "error-rate", "done: value 0"),
            over(9_100, "error-logs", "done: value 0"),
        ];
        let steps = steps(&timeline, 100);
        let expected = [
            ("lease", 30),
            ("plan", 20),
            ("undo-app gateway", 20),
            ("note", 10),
            ("rollout-status gateway", 720),
        ];
        let expected: Vec<(String, Ms)> = expected
            .into_iter()
            .map(|(step, took)| (step.to_owned(), took))
            .collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn rows_come_in_the_clusters_order_with_both_medians() {
        let durations = |rto, steps: &[(&str, Ms)]| StepDurations {
            rto_ms: rto,
            steps: steps
                .iter()
                .map(|(step, took)| ((*step).to_owned(), *took))
                .collect(),
        };
        let kind = [
            durations(Some(4_000), &[("undo", 40), ("rollout", 3_000)]),
            durations(Some(6_000), &[("undo", 60), ("rollout", 5_000)]),
            durations(None, &[("undo", 50)]),
        ];
        let sim = [durations(Some(5_500), &[("plan", 1), ("undo", 55)])];
        let rows = compare(&kind, &sim);
        let names: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
        assert_eq!(names, ["recovery time", "undo", "rollout", "plan"]);
        assert_eq!(rows[0].kind, Some((5_000, 6_000)));
        assert_eq!((rows[0].kind_count, rows[0].permille()), (2, Some(1_100)));
        assert_eq!(
            (rows[1].kind, rows[1].sim),
            (Some((50, 60)), Some((55, 55)))
        );
        assert_eq!((rows[2].sim, rows[2].permille()), (None, None));
        assert_eq!(rows[3].kind, None);
    }
}
