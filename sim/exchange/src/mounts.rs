//! When a changed ConfigMap reaches the files of a pod.
//!
//! The kubelet writes it when it next looks after the pod, which is not when the ConfigMap changes:
//! a look comes `syncFrequency` after the one before, and up to half as long again (`workerResyncIntervalJitterFactor`,
//! kubernetes `pkg/kubelet/pod_workers.go`), at the next tick of a clock of one second (`syncLoop`,
//! `pkg/kubelet/kubelet.go`); a pod that becomes ready is looked after at once (`handleProbeSync`). So a flag that is
//! set and taken back between two looks is never seen, and one that is seen stays for a whole round.

use sim::measured::Distribution;
use sim::rng::Rng;
use sim::time::Micros;

/// The kubelet's `syncFrequency` on the drills' cluster (`deploy/kind.yaml`).
pub const SYNC_FREQUENCY: Micros = Micros::from_secs(6);
/// The clock at whose ticks the kubelet finds out who is due.
const TICK: Micros = Micros::from_secs(1);
/// From a look to the process that acts upon the file: the volume manager's two loops of 100 ms
/// (`pkg/kubelet/volumemanager`) and the gateway's own look at the file, every 200 ms.
const WRITE: Distribution = Distribution::millis(20, 400);

/// The looks of a kubelet after one pod.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mounts {
    /// The next look, once the pod was ready.
    next: Option<Micros>,
    /// When the process sees the last change, and the number of that change.
    seen: Option<(Micros, u64)>,
}

impl Mounts {
    /// The kubelet has looked after the pod.
    pub(super) fn looked(&mut self, at: Micros, rng: &mut Rng) {
        self.next = Some(following(at, rng));
    }

    /// When the process acts upon change `number` of a ConfigMap, made at `now`; `None` before the pod is ready:
    /// it starts with what is there then.
    pub(super) fn changed(&mut self, now: Micros, number: u64, rng: &mut Rng) -> Option<Micros> {
        let mut next = self.next?;
        while next <= now {
            next = following(next, rng);
        }
        self.next = Some(next);
        let at = match self.seen {
            // The same look brings both.
            Some((at, _)) if at >= next => at,
            _ => next + WRITE.draw(rng),
        };
        self.seen = Some((at, number));
        Some(at)
    }

    /// Whether the look that brings change `number` at `at` brings a later one too.
    pub(super) fn brings_more(&self, at: Micros, number: u64) -> bool {
        self.seen
            .is_some_and(|(seen, last)| seen == at && last > number)
    }
}

fn following(look: Micros, rng: &mut Rng) -> Micros {
    let due = look.0 + rng.between(SYNC_FREQUENCY.0, SYNC_FREQUENCY.0 * 3 / 2);
    Micros(due.next_multiple_of(TICK.0))
}

#[cfg(test)]
mod tests {
    use super::{Mounts, SYNC_FREQUENCY};
    use crate::measured::Measured;
    use sim::rng::Rng;
    use sim::time::Micros;

    const CLUSTER: &str = include_str!("../../../deploy/kind.yaml");

    fn ready_at(at: Micros, rng: &mut Rng) -> Mounts {
        let mut mounts = Mounts::default();
        mounts.looked(at, rng);
        mounts
    }

    #[test]
    fn the_period_is_that_of_the_drills_cluster() {
        let line = format!("syncFrequency: {}s", SYNC_FREQUENCY.0 / 1_000_000);
        assert!(CLUSTER.contains(&line), "{line}");
    }

    #[test]
    fn a_change_takes_as_long_as_was_measured() {
        let mut rng = Rng::derive(3, "t");
        let mut took: Vec<u64> = (0..4_000)
            .map(|_| {
                let mut mounts = ready_at(Micros(rng.below(1_000_000)), &mut rng);
                let now = Micros(rng.between(20_000_000, 60_000_000));
                mounts.changed(now, 1, &mut rng).expect("it is ready").0 - now.0
            })
            .collect();
        took.sort_unstable();
        let measured = Measured::built_in().config.distribution;
        for (share, within) in [
            (250_000, 1_200_000),
            (500_000, 1_500_000),
            (900_000, 1_500_000),
        ] {
            let model = took[took.len() * share as usize / 1_000_000];
            let real = measured.quantile(share);
            assert!(
                model.abs_diff(real) < within,
                "{share}: {model} µs, measured {real} µs"
            );
        }
    }

    #[test]
    fn what_is_taken_back_before_the_next_look_is_not_seen() {
        let mut rng = Rng::derive(4, "t");
        let mut mounts = ready_at(Micros::from_secs(100), &mut rng);
        let halt = mounts
            .changed(Micros::from_secs(101), 1, &mut rng)
            .expect("ready");
        let open = mounts
            .changed(Micros::from_secs(104), 2, &mut rng)
            .expect("ready");
        assert_eq!(halt, open, "one look brings both");
        assert!(mounts.brings_more(halt, 1) && !mounts.brings_more(open, 2));
    }

    #[test]
    fn what_is_seen_stays_for_a_whole_round() {
        let mut rng = Rng::derive(5, "t");
        for _ in 0..200 {
            let mut mounts = ready_at(Micros::from_secs(100), &mut rng);
            let halt = mounts
                .changed(Micros::from_secs(105), 1, &mut rng)
                .expect("ready");
            let open = mounts
                .changed(Micros(halt.0 + 1), 2, &mut rng)
                .expect("ready");
            let apart = open.0 - halt.0;
            assert!((5_600_000..=10_400_000).contains(&apart), "{apart}");
        }
    }

    #[test]
    fn a_pod_that_is_not_ready_starts_with_what_is_there() {
        let mut rng = Rng::derive(6, "t");
        assert_eq!(
            Mounts::default().changed(Micros::from_secs(1), 1, &mut rng),
            None
        );
    }
}
