//! One number out of pairs, and how sure of it one may be.

use std::fmt;

use sim::rng::Rng;

use super::Pair;
use crate::stats::{median, show_ms};

/// Resamples of the bootstrap.
const RESAMPLES: u32 = 10_000;

/// Median over median, in thousandths, with the interval that holds 95 % of the bootstrap's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Median of kubectl's, ms.
    pub kubectl_ms: u64,
    /// Median of the executor's, ms.
    pub executor_ms: u64,
    /// Executor over kubectl, thousandths.
    pub permille: u64,
    /// Lower end.
    pub low_permille: u64,
    /// Upper end.
    pub high_permille: u64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = |permille: u64| format!("{}.{:03}", permille / 1_000, permille % 1_000);
        write!(
            f,
            "medians: kubectl {}, executor {}; ratio {} (95 %: {} to {})",
            show_ms(self.kubectl_ms),
            show_ms(self.executor_ms),
            thousandths(self.permille),
            thousandths(self.low_permille),
            thousandths(self.high_permille),
        )
    }
}

/// Kubectl's and the executor's number of some pairs.
type Numbers = fn(&[Pair]) -> Option<(u64, u64)>;

fn of(pairs: &[Pair], took: fn(&Pair) -> u64) -> Option<u64> {
    median(&mut pairs.iter().map(took).collect::<Vec<_>>())
}

/// What they took.
fn whole(pairs: &[Pair]) -> Option<(u64, u64)> {
    let (kubectl, executor) = (
        of(pairs, |it| it.kubectl_ms),
        of(pairs, |it| it.executor_ms),
    );
    kubectl.zip(executor)
}

/// What they took beyond their own rollout, over the median of all rollouts.
fn same_rollout(pairs: &[Pair]) -> Option<(u64, u64)> {
    let rollouts = pairs.iter();
    let mut rollouts: Vec<u64> = rollouts
        .flat_map(|it| [it.kubectl_rollout_ms, it.executor_rollout_ms])
        .collect();
    let rollout = median(&mut rollouts)?;
    let kubectl = of(pairs, |it| {
        it.kubectl_ms.saturating_sub(it.kubectl_rollout_ms)
    })?;
    let executor = of(pairs, |it| {
        it.executor_ms.saturating_sub(it.executor_rollout_ms)
    })?;
    Some((rollout + kubectl, rollout + executor))
}

fn permille((kubectl, executor): (u64, u64)) -> u64 {
    executor * 1_000 / kubectl.max(1)
}

impl Ratio {
    /// Of all pairs; pairs stay together when they are drawn again. `None` if there are none.
    #[must_use]
    pub fn of(pairs: &[Pair]) -> Option<Self> {
        Self::by(whole, pairs)
    }

    /// As [`of`](Self::of), of what either takes beyond its rollout, over the median of all rollouts.
    #[must_use]
    pub fn over_the_same_rollout(pairs: &[Pair]) -> Option<Self> {
        Self::by(same_rollout, pairs)
    }

    fn by(numbers: Numbers, pairs: &[Pair]) -> Option<Self> {
        let (kubectl_ms, executor_ms) = numbers(pairs)?;
        // Seeded: the same pairs have the same interval.
        let mut rng = Rng::derive(0, "benchmark/bootstrap");
        let mut drawn: Vec<u64> = (0..RESAMPLES)
            .filter_map(|_| {
                let again: Vec<Pair> = pairs
                    .iter()
                    .filter_map(|_| {
                        let at = usize::try_from(rng.below(pairs.len() as u64)).ok()?;
                        pairs.get(at).copied()
                    })
                    .collect();
                numbers(&again).map(permille)
            })
            .collect();
        drawn.sort_unstable();
        let at = |share: usize| drawn.get(drawn.len() * share / 1_000).copied();
        Some(Self {
            kubectl_ms,
            executor_ms,
            permille: permille((kubectl_ms, executor_ms)),
            low_permille: at(25)?,
            high_permille: at(975)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Pair, Ratio};

    fn pair(kubectl_ms: u64, executor_ms: u64) -> Pair {
        Pair {
            kubectl_ms,
            executor_ms,
            ..Pair::default()
        }
    }

    #[test]
    fn what_a_rollout_takes_by_chance_does_not_count_over_the_same_one() {
        let pairs: Vec<Pair> = [(4_000, 7_000), (6_000, 5_000), (7_000, 6_000)]
            .map(|(kubectl_rollout_ms, executor_rollout_ms)| Pair {
                kubectl_ms: kubectl_rollout_ms + 100,
                kubectl_rollout_ms,
                executor_ms: executor_rollout_ms + 250,
                executor_rollout_ms,
                ..Pair::default()
            })
            .into();
        let ratio = Ratio::over_the_same_rollout(&pairs).expect("there are pairs");
        assert_eq!((ratio.kubectl_ms, ratio.executor_ms), (6_100, 6_250));
        assert_eq!(ratio.permille, 1_024);
        assert!(
            ratio.low_permille >= 1_020 && ratio.high_permille <= 1_037,
            "{ratio:?}"
        );
        let whole = Ratio::of(&pairs).expect("there are pairs");
        assert!(whole.high_permille > 1_500, "{whole:?}");
    }

    #[test]
    fn medians_over_medians_with_an_interval_around_them() {
        let pairs: Vec<Pair> = (0..9)
            .map(|n| pair(1_000 + n * 10, 1_050 + n * 12))
            .collect();
        let ratio = Ratio::of(&pairs).expect("there are pairs");
        assert_eq!((ratio.kubectl_ms, ratio.executor_ms), (1_040, 1_098));
        assert_eq!(ratio.permille, 1_055);
        assert!(ratio.low_permille <= ratio.permille && ratio.permille <= ratio.high_permille);
        assert!(
            ratio.low_permille > 1_040 && ratio.high_permille < 1_070,
            "{ratio:?}"
        );
        assert_eq!(Ratio::of(&pairs), Some(ratio), "the same every time");
    }

    #[test]
    fn pairs_that_differ_widen_it_and_none_has_none() {
        // Of an even number of rounds, the two in the middle count alike.
        let even = Ratio::of(&[pair(100, 100), pair(200, 300)]).expect("pairs");
        assert_eq!((even.kubectl_ms, even.executor_ms), (150, 200));
        let steady = Ratio::of(&[pair(100, 100), pair(100, 100)]).expect("pairs");
        assert_eq!((steady.low_permille, steady.high_permille), (1_000, 1_000));
        let wild = Ratio::of(&[pair(100, 100), pair(100, 300), pair(100, 200)]).expect("pairs");
        assert_eq!((wild.low_permille, wild.high_permille), (1_000, 3_000));
        assert_eq!(Ratio::of(&[]), None);
    }
}
