//! When the faults of a scenario are due: known only once the drill comes to what they wait for.
//! Pure; both worlds go by it.

use sim::rng::Rng;
use sim::time::Micros;

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::{Anchor, Fault, FaultKind, Scenario};

/// The faults of a drill, and which anchors it has come to.
#[derive(Debug)]
pub(in crate::worlds) struct Schedule {
    seed: u64,
    faults: Vec<(Fault, String)>,
    reached: Vec<Anchor>,
}

impl Schedule {
    /// Of `scenario`'s faults; each draws its jitter from a stream of its own.
    pub(in crate::worlds) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut ordinals: BTreeMap<FaultKind, u32> = BTreeMap::new();
        let faults = scenario.faults.iter().map(|fault| {
            let ordinal = ordinals.entry(fault.kind).or_default();
            *ordinal += 1;
            let label = format!("fault/{}/{ordinal}", fault.kind.as_str());
            (fault.clone(), label)
        });
        Self {
            seed,
            faults: faults.collect(),
            reached: Vec::new(),
        }
    }

    /// How many there are.
    pub(in crate::worlds) fn len(&self) -> usize {
        self.faults.len()
    }

    /// The numbers of ready pods that faults wait for, the smallest first.
    pub(in crate::worlds) fn ready_awaited(&self) -> Vec<u32> {
        let awaited = self
            .faults
            .iter()
            .filter_map(|(fault, _)| match fault.when {
                Anchor::Ready(pods) => Some(pods),
                _ => None,
            });
        awaited.collect::<BTreeSet<u32>>().into_iter().collect()
    }

    /// The numbers of the executor's requests that faults wait for, the smallest first.
    pub(in crate::worlds) fn requests_awaited(&self) -> Vec<u32> {
        let awaited = self
            .faults
            .iter()
            .filter_map(|(fault, _)| match fault.when {
                Anchor::Request(number) => Some(number),
                _ => None,
            });
        awaited.collect::<BTreeSet<u32>>().into_iter().collect()
    }

    /// A fault, and the label that names its stream: its kind, and which one of that kind it is.
    pub(in crate::worlds) fn get(&self, index: usize) -> (&Fault, &str) {
        let (fault, label) = &self.faults[index];
        (fault, label)
    }

    /// What a fault draws from beside its jitter; `label` is the one that [`get`](Self::get) says.
    pub(in crate::worlds) fn stream(&self, label: &str) -> Rng {
        Rng::derive(self.seed, &format!("{label}/what"))
    }

    /// The drill has come to `anchor`: the faults that waited for it, and how long after it each one begins.
    /// Only the first time counts.
    pub(in crate::worlds) fn reached(&mut self, anchor: &Anchor) -> Vec<(usize, Micros)> {
        if self.reached.contains(anchor) {
            return Vec::new();
        }
        self.reached.push(anchor.clone());
        let due = self.faults.iter().enumerate();
        due.filter(|(_, (fault, _))| fault.when == *anchor)
            .map(|(index, (fault, label))| {
                let jitter = match Micros::from(fault.jitter).0 {
                    0 => 0,
                    most => Rng::derive(self.seed, &format!("{label}/when")).between(0, most),
                };
                (index, Micros::from(fault.at) + Micros(jitter))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::built_in;

    #[test]
    fn an_anchor_counts_once_and_each_seed_draws_within_the_jitter() {
        let scenario = built_in("executor-killed", &[])
            .expect("built in")
            .expect("right");
        let step = Anchor::Step("rollout-status".to_owned());
        let mut drawn = Vec::new();
        for seed in 0..5 {
            let mut schedule = Schedule::new(&scenario, seed);
            assert!(schedule.reached(&Anchor::Trigger).is_empty());
            let due = schedule.reached(&step);
            assert_eq!(due.len(), 1);
            assert_eq!(due[0].0, 0);
            assert!(due[0].1 <= Micros::from_secs(3), "{:?}", due[0]);
            drawn.push(due[0].1);
            assert!(schedule.reached(&step).is_empty(), "only the first time");
            let mut again = Schedule::new(&scenario, seed);
            assert_eq!(again.reached(&step), due);
        }
        drawn.dedup();
        assert!(drawn.len() > 1, "seeds differ: {drawn:?}");
    }
}
