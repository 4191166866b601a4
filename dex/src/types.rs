//! Identifiers and quantities, all integers: money is never a float, and nothing here depends on
//! the machine.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype!(
    /// A customer's account, `0..accounts`.
    AccountId(u32)
);
newtype!(
    /// A market, `0..markets`.
    MarketId(u16)
);
newtype!(
    /// An asset; 0 is the quote asset of the standard set-up.
    AssetId(u16)
);
newtype!(
    /// An order: the log sequence number of the command that placed it, so a replay gives the same
    /// ids and a smaller id means an earlier arrival.
    OrderId(u64)
);
newtype!(
    /// A trade: counted from 1 without gaps, in the order of execution.
    TradeId(u64)
);
newtype!(
    /// Position of a command in the order log, from 1 without gaps.
    Seq(u64)
);
newtype!(
    /// A price in ticks of its market.
    Price(i64)
);
newtype!(
    /// A quantity in lots of its market.
    Qty(i64)
);
newtype!(
    /// An amount in minor units of an asset. Whatever a sound ledger adds up stays within
    /// [`DEPOSITS_MAX`](crate::ledger::DEPOSITS_MAX).
    Amount(i64)
);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Its bits, for hashes.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }
}

impl std::ops::AddAssign for Amount {
    #[inline]
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl std::ops::SubAssign for Amount {
    #[inline]
    fn sub_assign(&mut self, rhs: Self) {
        self.0 -= rhs.0;
    }
}

impl std::ops::Add for Amount {
    type Output = Self;
    #[inline]
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl std::ops::Sub for Amount {
    type Output = Self;
    #[inline]
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        Self(iter.map(|a| a.0).sum())
    }
}

/// The side of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Buys the base asset, pays the quote asset.
    Buy,
    /// Sells the base asset, earns the quote asset.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tif {
    /// Good till cancelled: what is not filled rests in the book.
    Gtc,
    /// Immediate or cancel: what is not filled is closed.
    Ioc,
}

/// What a command cost, in units of work counted by the code that did it.
///
/// The simulated world turns units into time ([`UNIT_NANOS`]), so that a service is slow because
/// its code does more, not because a script says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(pub u64);

/// Suggested length of one unit of [`Work`], in nanoseconds.
pub const UNIT_NANOS: u64 = 1_000;

impl Work {
    /// The time that this work takes at `unit_nanos` a unit, in nanoseconds.
    #[must_use]
    pub const fn nanos(self, unit_nanos: u64) -> u64 {
        self.0 * unit_nanos
    }
}

/// A stable hash for states and chains: no key, no platform dependence, not cryptographic.
#[derive(Clone, Copy, Debug)]
pub struct StableHash(u64);

impl Default for StableHash {
    fn default() -> Self {
        Self(0x6a09_e667_f3bc_c908)
    }
}

impl StableHash {
    /// Continues from an earlier digest.
    #[must_use]
    pub const fn from_digest(digest: u64) -> Self {
        Self(digest)
    }

    /// Mixes in one word.
    #[inline]
    pub fn word(&mut self, w: u64) {
        self.0 = (self.0.rotate_left(23) ^ w).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.0 ^= self.0 >> 32;
    }

    /// Mixes in several words at the cost of one: they are combined beside the chain of [`StableHash::word`], each
    /// with its own odd multiplier, so exchanging two or moving a part from one to another shows.
    #[inline]
    pub fn words<const N: usize>(&mut self, words: [u64; N]) {
        let mut combined = 0_u64;
        let mut factor = 0xd6e8_feb8_6659_fd93_u64;
        for w in words {
            combined = combined.wrapping_add((w ^ (w >> 29)).wrapping_mul(factor));
            factor = factor.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        self.word(combined);
    }

    /// The digest so far.
    #[must_use]
    pub const fn digest(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_depend_on_value_place_and_order() {
        let digest = |groups: &[[u64; 2]]| {
            let mut hash = StableHash::default();
            for group in groups {
                hash.words(*group);
            }
            hash.digest()
        };
        let mut seen = BTreeSet::new();
        for groups in [
            &[[1, 2], [3, 4]],
            &[[2, 1], [3, 4]],
            &[[3, 4], [1, 2]],
            &[[2, 2], [3, 4]],
            &[[1, 2], [3, 5]],
            &[[0, 3], [3, 4]],
            &[[1 << 63, 2], [3, 4]],
        ] {
            assert!(seen.insert(digest(groups)), "{groups:?}");
        }
    }
}
