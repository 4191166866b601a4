//! Which numbers are whose: an interval of seeds or drills, cut into shares.

use serde::{Deserialize, Serialize};

/// Consecutive numbers: the seeds of a `chaos`, or the drills of a `search`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// Why there is no such share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// There are more shards than numbers, or none.
    #[error("{count} numbers can't be cut into {shards} shares of one at least")]
    Shards {
        /// Shards.
        shards: u32,
        /// Numbers.
        count: u64,
    },
    /// The index is not that of a shard.
    #[error("there is no shard {index}: {shards} shards are counted from 0")]
    Index {
        /// Index.
        index: u32,
        /// Shards.
        shards: u32,
    },
    /// Numbers end at 2^64.
    #[error("there are no {count} numbers from {first} on: they are below 2^64")]
    Range {
        /// First number.
        first: u64,
        /// Numbers.
        count: u64,
    },
}

impl Interval {
    /// The share of shard `index` of `shards`. The shares of all shards are disjoint, follow one another, and make up
    /// the whole. They differ by one number at most, and the larger ones come first.
    ///
    /// # Errors
    /// There is no such share.
    pub fn share(self, index: u32, shards: u32) -> Result<Self, ShareError> {
        let Self { first, count } = self;
        if shards == 0 || u64::from(shards) > count {
            return Err(ShareError::Shards { shards, count });
        }
        if index >= shards {
            return Err(ShareError::Index { index, shards });
        }
        if first.checked_add(count).is_none() {
            return Err(ShareError::Range { first, count });
        }
        let (each, larger) = (count / u64::from(shards), count % u64::from(shards));
        let index = u64::from(index);
        Ok(Self {
            first: first + index * each + index.min(larger),
            count: each + u64::from(index < larger),
        })
    }

    /// The number after the last one.
    #[must_use]
    pub fn end(self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_follow_one_another_and_make_up_the_whole(
            first in 0..u64::MAX / 2, count in 1..10_000_u64, shards in 1..200_u32
        ) {
            let whole = Interval { first, count };
            prop_assume!(u64::from(shards) <= count);
            let shares: Vec<Interval> =
                (0..shards).map(|index| whole.share(index, shards).expect("it has a share")).collect();
            let mut next = first;
            for share in &shares {
                prop_assert_eq!(share.first, next);
                prop_assert!(share.count >= 1);
                next = share.end();
            }
            prop_assert_eq!(next, whole.end());
            let (most, least) = (shares[0].count, shares[shares.len() - 1].count);
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn what_has_no_share_is_refused() {
        let whole = Interval { first: 5, count: 3 };
        let (shards, count) = (4, 3);
        assert_eq!(whole.share(0, 4), Err(ShareError::Shards { shards, count }));
        assert!(whole.share(0, 0).is_err());
        let (index, shards) = (3, 3);
        assert_eq!(whole.share(3, 3), Err(ShareError::Index { index, shards }));
        let (first, count) = (u64::MAX, 2);
        assert_eq!(
            Interval { first, count }.share(0, 1),
            Err(ShareError::Range { first, count })
        );
    }
}
