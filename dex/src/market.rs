//! A market's fixed terms, and the arithmetic of notional, fee and reservation.
//!
//! What an order reserves is a function of the order alone ([`MarketSpec::reservation`]), so the
//! locked balance of an account can always be recomputed from its open orders.

use crate::types::{Amount, AssetId, MarketId, Price, Qty, Side};

/// Prices of one market lie within this many consecutive ticks.
pub const PRICE_LEVELS: usize = 4_096;

/// Basis points of one.
const BPS: i64 = 10_000;

/// The terms of one market.
///
/// `max_price × max_qty × quote_per_tick_lot × 10,000` must fit an `i64` ([`MarketSpec::is_sound`]), so that the
/// hot path never needs 128-bit division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketSpec {
    /// Which market.
    pub id: MarketId,
    /// What is bought and sold.
    pub base: AssetId,
    /// What it is paid with; fees are taken in it.
    pub quote: AssetId,
    /// Lowest price, in ticks, at least 1. The highest is [`PRICE_LEVELS`] − 1 ticks above.
    pub min_price: Price,
    /// Largest order, in lots.
    pub max_qty: Qty,
    /// Minor units of the base asset in one lot.
    pub base_per_lot: i64,
    /// Minor units of the quote asset for one lot at a price of one tick.
    pub quote_per_tick_lot: i64,
    /// Maker's fee in basis points of notional, at most the taker's.
    pub maker_fee_bps: i64,
    /// Taker's fee in basis points of notional, 0..=100.
    pub taker_fee_bps: i64,
}

impl MarketSpec {
    /// The standard market `id`: base asset `id + 1`, quoted in asset 0.
    #[must_use]
    pub const fn standard(id: u16) -> Self {
        Self {
            id: MarketId(id),
            base: AssetId(id + 1),
            quote: AssetId(0),
            min_price: Price(8_000),
            max_qty: Qty(1_000_000),
            base_per_lot: 1_000,
            quote_per_tick_lot: 3,
            maker_fee_bps: 2,
            taker_fee_bps: 7,
        }
    }

    /// Highest price of the band, in ticks.
    #[must_use]
    pub const fn max_price(&self) -> Price {
        Price(self.min_price.0 + PRICE_LEVELS as i64 - 1)
    }

    /// The middle of the price band, in ticks.
    #[must_use]
    pub const fn mid_price(&self) -> Price {
        Price(self.min_price.0 + PRICE_LEVELS as i64 / 2)
    }

    /// Whether the terms keep all arithmetic in range.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let product = i128::from(self.max_price().0)
            * i128::from(self.max_qty.0)
            * i128::from(self.quote_per_tick_lot)
            * i128::from(BPS);
        self.min_price.0 >= 1
            && self.max_qty.0 >= 1
            && self.base_per_lot >= 1
            && self.quote_per_tick_lot >= 1
            && (0..=100).contains(&self.taker_fee_bps)
            && (0..=self.taker_fee_bps).contains(&self.maker_fee_bps)
            && product <= i128::from(i64::MAX)
            && i128::from(self.max_qty.0) * i128::from(self.base_per_lot) <= i128::from(i64::MAX)
    }

    /// What `qty` costs at `price`, in minor units of the quote asset, fees apart.
    #[inline]
    #[must_use]
    pub const fn notional(&self, price: Price, qty: Qty) -> i64 {
        price.0 * qty.0 * self.quote_per_tick_lot
    }

    /// What `qty` is, in minor units of the base asset.
    #[inline]
    #[must_use]
    pub const fn base_amount(&self, qty: Qty) -> i64 {
        qty.0 * self.base_per_lot
    }

    /// The maker's fee on `notional`, rounded down.
    #[inline]
    #[must_use]
    pub const fn maker_fee(&self, notional: i64) -> i64 {
        notional * self.maker_fee_bps / BPS
    }

    /// The taker's fee on `notional`, rounded down.
    #[inline]
    #[must_use]
    pub const fn taker_fee(&self, notional: i64) -> i64 {
        notional * self.taker_fee_bps / BPS
    }

    /// What an open order with `remaining` lots locks: the base asset for a sale; for a purchase the
    /// notional at the limit plus the taker's fee rounded up, which covers any sequence of fills.
    #[inline]
    #[must_use]
    pub const fn reservation(&self, side: Side, price: Price, remaining: Qty) -> Amount {
        match side {
            Side::Sell => Amount(self.base_amount(remaining)),
            Side::Buy => {
                let notional = self.notional(price, remaining);
                Amount(notional + (notional * self.taker_fee_bps + BPS - 1) / BPS)
            }
        }
    }

    /// The asset that an order of `side` locks.
    #[inline]
    #[must_use]
    pub const fn reserved_asset(&self, side: Side) -> AssetId {
        match side {
            Side::Buy => self.quote,
            Side::Sell => self.base,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_market_keeps_arithmetic_in_range_and_a_huge_one_does_not() {
        assert!(MarketSpec::standard(3).is_sound());
        let huge = MarketSpec {
            max_qty: Qty(1_000_000_000_000),
            ..MarketSpec::standard(0)
        };
        assert!(!huge.is_sound());
    }

    #[test]
    fn a_reservation_covers_every_split_into_fills() {
        let spec = MarketSpec::standard(0);
        let price = Price(9_999);
        for total in [1_i64, 2, 7, 101] {
            for first in 0..=total {
                let freed = spec.reservation(Side::Buy, price, Qty(total))
                    - spec.reservation(Side::Buy, price, Qty(total - first));
                let notional = spec.notional(price, Qty(first));
                assert!(freed.0 >= notional + spec.taker_fee(notional));
            }
        }
    }
}
