//! One number out of pairs, and how sure of it one may be.

use std::fmt;

use super::Pair;
use crate::stats::{median, show_ms};
use crate::verify::median_interval;

/// How often kubectl's time the executor's was, in the median of the pairs, with an exact interval of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Median of kubectl's, ms.
    pub kubectl_ms: u64,
    /// Median of the executor's, ms.
    pub executor_ms: u64,
    /// The median of executor over kubectl, pair by pair, in thousandths.
    pub permille: u64,
    /// An interval that holds the true median with 95 % or more, in thousandths; `None`: there are fewer than six
    /// pairs, of which no interval does.
    pub interval_permille: Option<(u64, u64)>,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = |permille: u64| format!("{}.{:03}", permille / 1_000, permille % 1_000);
        let interval = match self.interval_permille {
            Some((low, high)) => format!("95 %: {} to {}", thousandths(low), thousandths(high)),
            None => "95 %: not shown, which takes six rounds".to_owned(),
        };
        write!(
            f,
            "medians: kubectl {}, executor {}; ratio {} ({interval})",
            show_ms(self.kubectl_ms),
            show_ms(self.executor_ms),
            thousandths(self.permille),
        )
    }
}

/// Kubectl's and the executor's number of each pair.
type Numbers = fn(&[Pair]) -> Option<Vec<(u64, u64)>>;

/// What they took.
fn whole(pairs: &[Pair]) -> Option<Vec<(u64, u64)>> {
    let pairs = pairs.iter();
    Some(pairs.map(|it| (it.kubectl_ms, it.executor_ms)).collect())
}

/// What they took beyond their own rollout, over the median of all rollouts.
fn same_rollout(pairs: &[Pair]) -> Option<Vec<(u64, u64)>> {
    let rollouts = pairs.iter();
    let mut rollouts: Vec<u64> = rollouts
        .flat_map(|it| [it.kubectl_rollout_ms, it.executor_rollout_ms])
        .collect();
    let rollout = median(&mut rollouts)?;
    let beyond = |took: u64, own: u64| rollout + took.saturating_sub(own);
    let pairs = pairs.iter().map(|it| {
        (
            beyond(it.kubectl_ms, it.kubectl_rollout_ms),
            beyond(it.executor_ms, it.executor_rollout_ms),
        )
    });
    Some(pairs.collect())
}

impl Ratio {
    /// Of all pairs. `None` if there are none.
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
        let numbers = numbers(pairs)?;
        let middle = |side: fn(&(u64, u64)) -> u64| {
            median(&mut numbers.iter().map(side).collect::<Vec<_>>())
        };
        let ratio = |&(kubectl, executor): &(u64, u64)| executor * 1_000 / kubectl.max(1);
        let mut ratios: Vec<i64> = numbers
            .iter()
            .map(|pair| i64::try_from(ratio(pair)).unwrap_or(i64::MAX))
            .collect();
        let interval = median_interval(&mut ratios);
        Some(Self {
            kubectl_ms: middle(|pair| pair.0)?,
            executor_ms: middle(|pair| pair.1)?,
            permille: median(&mut numbers.iter().map(ratio).collect::<Vec<_>>())?,
            interval_permille: interval
                .map(|(low, high)| (low.unsigned_abs(), high.unsigned_abs())),
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
        let whole = Ratio::of(&pairs).expect("there are pairs");
        assert_eq!(whole.permille, 880, "{whole:?}");
    }

    #[test]
    fn medians_over_medians_with_an_interval_around_them() {
        let pairs: Vec<Pair> = (0..9)
            .map(|n| pair(1_000 + n * 10, 1_050 + n * 12))
            .collect();
        let ratio = Ratio::of(&pairs).expect("there are pairs");
        assert_eq!((ratio.kubectl_ms, ratio.executor_ms), (1_040, 1_098));
        assert_eq!(ratio.permille, 1_055);
        // Of nine pairs the second and the second to last hold the median with 96.1 %.
        assert_eq!(ratio.interval_permille, Some((1_051, 1_059)));
        assert!(
            ratio.to_string().contains("(95 %: 1.051 to 1.059)"),
            "{ratio}"
        );
    }

    #[test]
    fn pairs_that_differ_widen_it_and_none_has_none() {
        // Of an even number of rounds, the two in the middle count alike.
        let even = Ratio::of(&[pair(100, 100), pair(200, 300)]).expect("pairs");
        assert_eq!((even.kubectl_ms, even.executor_ms), (150, 200));
        // Five rounds hold the median with 93.75 % at most, however alike they are.
        let five = Ratio::of(&[pair(100, 100); 5]).expect("pairs");
        assert_eq!(five.interval_permille, None);
        assert!(
            five.to_string()
                .contains("not shown, which takes six rounds"),
            "{five}"
        );
        let six = Ratio::of(&[pair(100, 100); 6]).expect("pairs");
        assert_eq!(six.interval_permille, Some((1_000, 1_000)));
        assert_eq!(Ratio::of(&[]), None);
    }
}
