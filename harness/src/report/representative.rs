//! Which drill stands for its scenario in a report: the first that failed, else the first that was inconclusive, else
//! the one that took longest to recover. "First" is by seed, so that neither threads nor merging change the choice.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::evidence::Ms;
use crate::verdict::Verdict;
use crate::worlds::WorldKind;

/// Drills that stand for one another: scenario and world.
pub type Group = (String, WorldKind);

/// The least of a group represents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Reverse<Verdict>, Reverse<Option<Ms>>, u64);

impl Rank {
    /// The rank of a drill.
    #[must_use]
    pub fn of(verdict: Verdict, rto_ms: Option<Ms>, seed: u64) -> Self {
        let slowest = rto_ms.filter(|_| verdict == Verdict::Pass);
        Self(Reverse(verdict), Reverse(slowest), seed)
    }
}

/// Keeps one `T` for each group: that of its representative among those offered so far.
#[derive(Debug)]
pub struct Representatives<T>(BTreeMap<Group, (Rank, T)>);

impl<T> Default for Representatives<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Representatives<T> {
    /// Offers a candidate. `take` is called if it represents its group so far.
    pub fn offer(&mut self, group: Group, rank: Rank, take: impl FnOnce() -> T) {
        match self.0.get_mut(&group) {
            Some((best, _)) if *best <= rank => {}
            Some(kept) => *kept = (rank, take()),
            None => {
                self.0.insert(group, (rank, take()));
            }
        }
    }

    /// What was kept.
    pub fn into_kept(self) -> impl Iterator<Item = T> {
        self.0.into_values().map(|(_, kept)| kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fail, Inconclusive, Pass};

    type Case = (Verdict, Option<Ms>, u64);

    fn kept(cases: &[Case]) -> Vec<u64> {
        let mut kept = Representatives::default();
        for &(verdict, rto, seed) in cases {
            let group = ("s".to_owned(), WorldKind::Sim);
            kept.offer(group, Rank::of(verdict, rto, seed), || seed);
        }
        kept.into_kept().collect()
    }

    #[test]
    fn the_first_failure_then_the_first_doubt_then_the_slowest() {
        let slow: Case = (Pass, Some(90), 1);
        let cases: [(&[Case], u64); 5] = [
            (&[(Pass, Some(50), 0), slow, (Pass, None, 2)], 1),
            (&[slow, (Pass, Some(90), 0)], 0),
            (
                &[slow, (Inconclusive, None, 7), (Inconclusive, Some(1), 5)],
                5,
            ),
            (
                &[
                    slow,
                    (Inconclusive, None, 2),
                    (Fail, None, 4),
                    (Fail, Some(400), 3),
                ],
                3,
            ),
            (&[(Pass, None, 9), (Pass, None, 8)], 8),
        ];
        for (cases, expected) in cases {
            let mut backwards = cases.to_vec();
            backwards.reverse();
            assert_eq!(kept(cases), [expected], "{cases:?}");
            assert_eq!(
                kept(&backwards),
                [expected],
                "order must not matter: {cases:?}"
            );
        }
    }
}
