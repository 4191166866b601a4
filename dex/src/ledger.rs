//! The ledger: double entry, in minor units.
//!
//! Each account has a free and a locked balance in each asset; the venue has three accounts of its own. Every
//! posting moves an amount from one place to another; only a deposit brings an amount in, and the
//! total of deposits is kept beside the balances. So for each asset, at all times:
//! `Σ(free + locked) + fees + suspense + adjustments = net deposits`.
//!
//! Net deposits of an asset stay within [`DEPOSITS_MAX`], so every balance fits a BIGINT.

use crate::types::{AccountId, Amount, AssetId, StableHash};

/// Most that can be deposited in one asset, in minor units.
pub const DEPOSITS_MAX: Amount = Amount(1 << 62);

/// Accounts that are added up asset by asset before the next ones are.
const ACCOUNTS_AT_A_TIME: usize = 128;

/// Balance of one account in one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Can be reserved.
    pub free: Amount,
    /// Reserved by open orders.
    pub locked: Amount,
}

/// What the venue itself holds of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Venue {
    /// Fees earned.
    pub fees: Amount,
    /// Amounts that belong to nobody yet.
    pub suspense: Amount,
    /// Corrections by hand.
    pub adjustments: Amount,
    /// What customers brought in, net.
    pub deposits: Amount,
}

/// A refused posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The free balance is smaller than the amount.
    #[error("free balance too small")]
    InsufficientFree,
    /// A deposit must be positive and keep the asset's total within [`DEPOSITS_MAX`].
    #[error("deposit out of range")]
    DepositOutOfRange,
}

/// All balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    assets: usize,
    balances: Vec<Balance>,
    venue: Vec<Venue>,
}

impl Ledger {
    /// An empty ledger for `accounts` accounts and `assets` assets.
    #[must_use]
    pub fn new(accounts: u32, assets: u16) -> Self {
        let assets = usize::from(assets);
        Self {
            assets,
            balances: vec![Balance::default(); accounts as usize * assets],
            venue: vec![Venue::default(); assets],
        }
    }

    /// A ledger out of its parts: balances by account, then asset.
    ///
    /// # Panics
    /// If the number of balances is no multiple of the number of assets.
    #[must_use]
    pub fn from_parts(balances: Vec<Balance>, venue: Vec<Venue>) -> Self {
        let assets = venue.len();
        assert!(
            assets > 0 && balances.len().is_multiple_of(assets),
            "whole accounts"
        );
        Self {
            assets,
            balances,
            venue,
        }
    }

    /// Number of accounts.
    #[must_use]
    pub fn accounts(&self) -> u32 {
        (self.balances.len() / self.assets.max(1)) as u32
    }

    /// Number of assets.
    #[must_use]
    pub fn assets(&self) -> u16 {
        self.assets as u16
    }

    #[inline]
    fn index(&self, account: AccountId, asset: AssetId) -> usize {
        account.0 as usize * self.assets + usize::from(asset.0)
    }

    /// The balance of `account` in `asset`. Both must exist.
    #[inline]
    #[must_use]
    pub fn balance(&self, account: AccountId, asset: AssetId) -> Balance {
        self.balances[self.index(account, asset)]
    }

    #[inline]
    fn balance_mut(&mut self, account: AccountId, asset: AssetId) -> &mut Balance {
        let index = self.index(account, asset);
        &mut self.balances[index]
    }

    /// All balances of `account`, by asset.
    #[must_use]
    pub fn balances_of(&self, account: AccountId) -> &[Balance] {
        let from = account.0 as usize * self.assets;
        &self.balances[from..from + self.assets]
    }

    /// All balances, by account, then asset.
    #[must_use]
    pub fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// Whether a balance is below zero: all signs in one look, which tells of no account.
    #[must_use]
    pub fn has_negative(&self) -> bool {
        let signs = self
            .balances
            .iter()
            .fold(0, |signs, b| signs | b.free.0 | b.locked.0);
        signs < 0
    }

    /// The venue's holdings, by asset.
    #[must_use]
    pub fn venue(&self) -> &[Venue] {
        &self.venue
    }

    /// A customer brings in `amount`.
    ///
    /// # Errors
    /// [`LedgerError::DepositOutOfRange`]; nothing is changed then.
    pub fn deposit(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        let venue = &mut self.venue[usize::from(asset.0)];
        if amount <= Amount::ZERO || amount > DEPOSITS_MAX - venue.deposits {
            return Err(LedgerError::DepositOutOfRange);
        }
        venue.deposits += amount;
        self.balance_mut(account, asset).free += amount;
        Ok(())
    }

    /// Moves `amount` from free to locked.
    ///
    /// # Errors
    /// [`LedgerError::InsufficientFree`]; nothing is changed then.
    #[inline]
    pub fn reserve(
        &mut self,
        account: AccountId,
        asset: AssetId,
        amount: Amount,
    ) -> Result<(), LedgerError> {
        let balance = self.balance_mut(account, asset);
        if balance.free < amount {
            return Err(LedgerError::InsufficientFree);
        }
        balance.free -= amount;
        balance.locked += amount;
        Ok(())
    }

    /// Moves `amount` from locked back to free.
    #[inline]
    pub fn release(&mut self, account: AccountId, asset: AssetId, amount: Amount) {
        let balance = self.balance_mut(account, asset);
        balance.locked -= amount;
        balance.free += amount;
    }

    /// Moves `amount` from the payer's locked balance to the payee's free one.
    #[inline]
    pub fn settle(&mut self, payer: AccountId, payee: AccountId, asset: AssetId, amount: Amount) {
        self.balance_mut(payer, asset).locked -= amount;
        self.balance_mut(payee, asset).free += amount;
    }

    /// Moves a fee from the payer's locked balance to the venue.
    #[inline]
    pub fn fee_from_locked(&mut self, payer: AccountId, asset: AssetId, amount: Amount) {
        self.balance_mut(payer, asset).locked -= amount;
        self.venue[usize::from(asset.0)].fees += amount;
    }

    /// Moves a fee from the payer's free balance to the venue.
    #[inline]
    pub fn fee_from_free(&mut self, payer: AccountId, asset: AssetId, amount: Amount) {
        self.balance_mut(payer, asset).free -= amount;
        self.venue[usize::from(asset.0)].fees += amount;
    }

    /// Half an entry: a credit without its debit. No correct code calls it; it is what
    /// [`Defect::DoubleCredit`](crate::release::Defect::DoubleCredit) does.
    pub(crate) fn credit_without_debit(
        &mut self,
        payee: AccountId,
        asset: AssetId,
        amount: Amount,
    ) {
        self.balance_mut(payee, asset).free += amount;
    }

    /// `Σ(free + locked) + fees + suspense + adjustments − net deposits` of every asset, modulo 2⁶⁴; all zero in
    /// a sound ledger.
    #[must_use]
    pub fn imbalances(&self) -> Vec<Amount> {
        let own = |v: &Venue| {
            let held = v.fees.0.wrapping_add(v.suspense.0);
            let held = held.wrapping_add(v.adjustments.0);
            Amount(held.wrapping_sub(v.deposits.0))
        };
        let mut sums: Vec<Amount> = self.venue.iter().map(own).collect();
        // Asset by asset, so that the sum stays in registers; some accounts at a time,
        // so that they stay in the cache meanwhile.
        for accounts in self.balances.chunks(self.assets * ACCOUNTS_AT_A_TIME) {
            for (asset, sum) in sums.iter_mut().enumerate() {
                let accounts = accounts.chunks_exact(self.assets);
                sum.0 = accounts.fold(sum.0, |total, account| {
                    total
                        .wrapping_add(account[asset].free.0)
                        .wrapping_add(account[asset].locked.0)
                });
            }
        }
        sums
    }

    /// Mixes all balances into `hash`.
    pub fn hash_into(&self, hash: &mut StableHash) {
        for b in &self.balances {
            hash.words([b.free.bits(), b.locked.bits()]);
        }
        for v in &self.venue {
            let own = [v.fees, v.suspense, v.adjustments, v.deposits];
            hash.words(own.map(Amount::bits));
        }
    }

    /// A balance to overwrite, for tests that doctor a state.
    #[cfg(test)]
    pub(crate) fn doctor(&mut self, account: AccountId, asset: AssetId) -> &mut Balance {
        self.balance_mut(account, asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: AccountId = AccountId(0);
    const B: AccountId = AccountId(1);
    const USD: AssetId = AssetId(0);

    #[test]
    fn postings_move_and_never_create() {
        let mut ledger = Ledger::new(2, 2);
        ledger.deposit(A, USD, Amount(1_000)).unwrap();
        ledger.reserve(A, USD, Amount(600)).unwrap();
        ledger.settle(A, B, USD, Amount(500));
        ledger.fee_from_locked(A, USD, Amount(7));
        ledger.fee_from_free(B, USD, Amount(3));
        ledger.release(A, USD, Amount(93));
        assert_eq!(ledger.imbalances(), [Amount::ZERO, Amount::ZERO]);
        assert_eq!(ledger.balance(A, USD).free, Amount(493));
        assert_eq!(ledger.balance(B, USD).free, Amount(497));
        assert_eq!(ledger.venue()[0].fees, Amount(10));
        ledger.credit_without_debit(B, USD, Amount(5));
        assert_eq!(ledger.imbalances()[0], Amount(5));
    }

    #[test]
    fn refused_postings_change_nothing() {
        let mut ledger = Ledger::new(1, 1);
        ledger.deposit(A, USD, Amount(10)).unwrap();
        let before = ledger.clone();
        assert_eq!(
            ledger.reserve(A, USD, Amount(11)),
            Err(LedgerError::InsufficientFree)
        );
        for amount in [Amount::ZERO, Amount(-1), DEPOSITS_MAX, Amount(i64::MAX)] {
            assert_eq!(
                ledger.deposit(A, USD, amount),
                Err(LedgerError::DepositOutOfRange)
            );
        }
        assert_eq!(ledger, before);
    }
}
