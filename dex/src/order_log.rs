//! The order log: every accepted command in sequence, chained by hash.
//!
//! The log is the truth. Its entry format is never migrated, so any build can replay it: the state of the
//! exchange is a snapshot plus the log behind it.

use serde::{Deserialize, Serialize};

use crate::command::{Command, EventSink, Outcome};
use crate::exchange::Exchange;
use crate::types::{Seq, Side, StableHash, Tif};

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its position.
    pub seq: Seq,
    /// The command.
    pub command: Command,
    /// Hash over this entry and all before it.
    pub chain: u64,
}

/// A log that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// An entry does not follow its predecessor.
    #[error("expected entry {expected}, found {found}")]
    Gap {
        /// The sequence number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// An entry was altered, or belongs to another history.
    #[error("hash chain broken at entry {0}")]
    Chain(Seq),
}

/// An append-only log from entry 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderLog {
    entries: Vec<LogEntry>,
}

impl OrderLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for `entries` more, so that a long run does not copy the log again and again.
    pub fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
    }

    /// Appends the next command and returns its entry.
    ///
    /// # Errors
    /// [`LogError::Gap`] if `seq` is not the next number.
    pub fn append(&mut self, seq: Seq, command: Command) -> Result<LogEntry, LogError> {
        self.expect_next(seq)?;
        let entry = LogEntry {
            seq,
            command,
            chain: link(self.chain(), seq, &command),
        };
        self.entries.push(entry);
        Ok(entry)
    }

    /// Appends entries of another copy of this log, for instance a tail kept elsewhere.
    /// Entries that are already here are passed over if they are the same. Returns how many were new.
    ///
    /// # Errors
    /// What makes the entries not fit; those before the misfit are kept.
    pub fn extend(&mut self, entries: &[LogEntry]) -> Result<u64, LogError> {
        let mut added = 0;
        for entry in entries {
            if let Some(own) = self.get(entry.seq) {
                if own != entry {
                    return Err(LogError::Chain(entry.seq));
                }
                continue;
            }
            self.expect_next(entry.seq)?;
            if link(self.chain(), entry.seq, &entry.command) != entry.chain {
                return Err(LogError::Chain(entry.seq));
            }
            self.entries.push(*entry);
            added += 1;
        }
        Ok(added)
    }

    fn expect_next(&self, seq: Seq) -> Result<(), LogError> {
        let expected = self.last_seq().0 + 1;
        if seq.0 == expected {
            Ok(())
        } else {
            Err(LogError::Gap {
                expected,
                found: seq.0,
            })
        }
    }

    /// Drops every entry after `seq`: what a restore of an older copy does.
    pub fn truncate(&mut self, seq: Seq) {
        self.entries.truncate(seq.0 as usize);
    }

    /// The last entry's number, 0 if there is none.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        Seq(self.entries.len() as u64)
    }

    /// The hash chain's head.
    #[must_use]
    pub fn chain(&self) -> u64 {
        self.entries
            .last()
            .map_or(StableHash::default().digest(), |e| e.chain)
    }

    /// One entry.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&LogEntry> {
        self.entries.get((seq.0 as usize).checked_sub(1)?)
    }

    /// The entries behind `seq`, oldest first.
    #[must_use]
    pub fn after(&self, seq: Seq) -> &[LogEntry] {
        &self.entries[(seq.0 as usize).min(self.entries.len())..]
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }
}

/// Checks that `entries` follow entry `from` (whose chain hash is `chain`) without a gap or alteration.
///
/// # Errors
/// The first defect.
pub fn verify(from: Seq, chain: u64, entries: &[LogEntry]) -> Result<(), LogError> {
    let (mut seq, mut chain) = (from, chain);
    for entry in entries {
        if entry.seq.0 != seq.0 + 1 {
            return Err(LogError::Gap {
                expected: seq.0 + 1,
                found: entry.seq.0,
            });
        }
        if link(chain, entry.seq, &entry.command) != entry.chain {
            return Err(LogError::Chain(entry.seq));
        }
        seq = entry.seq;
        chain = entry.chain;
    }
    Ok(())
}

pub(crate) fn link(chain: u64, seq: Seq, command: &Command) -> u64 {
    let mut hash = StableHash::from_digest(chain);
    hash.word(seq.0);
    match *command {
        Command::Place {
            account,
            market,
            side,
            price,
            qty,
            tif,
        } => {
            let flags = 1
                | u64::from(side == Side::Sell) << 1
                | u64::from(tif == Tif::Ioc) << 2
                | u64::from(market.0) << 8
                | u64::from(account.0) << 32;
            hash.word(flags);
            hash.word(price.0 as u64);
            hash.word(qty.0 as u64);
        }
        Command::Cancel { account, order } => {
            hash.word(u64::from(account.0) << 32);
            hash.word(order.0);
        }
    }
    hash.digest()
}

/// Replays log entries on `from`. Entries that `from` has already applied are passed over, so a tail may overlap.
#[must_use]
pub fn replay(from: Exchange, entries: &[LogEntry]) -> Exchange {
    // Nobody reads what happened.
    replay_into(from, entries, &mut ()).0
}

/// Replays log entries on `from` and tells `events` what happens. The second value names
/// the entries that the build refused although they are in the log: none unless two builds disagree.
///
/// # Panics
/// If the entries leave a gap.
#[must_use]
pub fn replay_into(
    mut from: Exchange,
    entries: &[LogEntry],
    events: &mut impl EventSink,
) -> (Exchange, Vec<Seq>) {
    let mut refused = Vec::new();
    for entry in entries {
        if entry.seq <= from.seq() {
            continue;
        }
        if !matches!(
            from.execute(entry.seq, &entry.command, events),
            Outcome::Accepted { .. }
        ) {
            refused.push(entry.seq);
            from.skip(entry.seq);
        }
    }
    (from, refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Defect;
    use crate::testing::{History, genesis, matching, place};
    use crate::types::AccountId;

    fn command(n: u32) -> Command {
        place(n, Side::Buy, 0, 1)
    }

    #[test]
    fn appends_only_the_next_entry() {
        let mut log = OrderLog::new();
        assert_eq!(log.last_seq(), Seq(0));
        assert_eq!(
            log.append(Seq(2), command(0)),
            Err(LogError::Gap {
                expected: 1,
                found: 2
            })
        );
        log.append(Seq(1), command(0)).unwrap();
        assert_eq!(
            log.append(Seq(1), command(0)),
            Err(LogError::Gap {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(log.after(Seq(0)).len(), 1);
        assert_eq!(log.after(Seq(9)), []);
        assert_eq!(log.get(Seq(0)), None);
    }

    #[test]
    fn the_chain_depends_on_every_field() {
        let Command::Place {
            account,
            market,
            side,
            price,
            qty,
            tif,
        } = command(1)
        else {
            panic!("an order");
        };
        let place = |account, side, price, tif| Command::Place {
            account,
            market,
            side,
            price,
            qty,
            tif,
        };
        let cancel = |order| Command::Cancel { account, order };
        let commands = [
            command(1),
            place(AccountId(2), side, price, tif),
            place(account, Side::Sell, price, tif),
            place(account, side, crate::types::Price(price.0 + 1), tif),
            place(account, side, price, Tif::Ioc),
            cancel(crate::types::OrderId(1)),
            cancel(crate::types::OrderId(2)),
        ];
        let chains: std::collections::BTreeSet<u64> =
            commands.iter().map(|c| link(7, Seq(1), c)).collect();
        assert_eq!(chains.len(), commands.len());
        assert_ne!(link(7, Seq(1), &command(1)), link(7, Seq(2), &command(1)));
        assert_ne!(link(7, Seq(1), &command(1)), link(8, Seq(1), &command(1)));
    }

    #[test]
    fn a_cut_off_tail_is_put_back_and_an_alien_one_is_not() {
        let history = History::new(genesis(None, 10)).drive(400, 1);
        let whole = history.log;
        let mut cut = whole.clone();
        cut.truncate(Seq(150));
        assert_eq!(cut.last_seq(), Seq(150));
        let added = cut.extend(whole.after(Seq(100))).unwrap();
        assert_eq!(added, whole.last_seq().0 - 150);
        assert_eq!(cut, whole);
        assert_eq!(
            cut.extend(whole.entries()),
            Ok(0),
            "repeating it does nothing"
        );

        let alien = History::new(genesis(None, 10)).drive(400, 2).log;
        cut.truncate(Seq(150));
        assert_eq!(
            cut.extend(alien.after(Seq(150))),
            Err(LogError::Chain(Seq(151)))
        );
        assert_eq!(
            cut.extend(whole.after(Seq(151))),
            Err(LogError::Gap {
                expected: 151,
                found: 152
            })
        );
        assert_eq!(cut.last_seq(), Seq(150));
    }

    #[test]
    fn a_snapshot_and_an_overlapping_tail_give_the_state_and_the_same_trades() {
        let mut history = History::new(genesis(None, 10)).drive(300, 1);
        let snapshot = history.exchange.clone();
        let seen = history.events.len();
        history = history.drive(300, 2);
        let mut events = Vec::new();
        let (replayed, refused) = replay_into(snapshot, history.log.entries(), &mut events);
        assert_eq!(refused, []);
        assert_eq!(events, history.events[seen..]);
        assert_eq!(replayed.state_hash(), history.exchange.state_hash());
    }

    #[test]
    fn builds_that_match_differently_disagree_without_a_stop() {
        let history = History::new(genesis(Some(Defect::PriorityInversion), 10)).drive(2_000, 1);
        let good = history.from.clone().under(matching(None), 0);
        let (replayed, refused) = replay_into(good, history.log.entries(), &mut Vec::new());
        assert!(
            !refused.is_empty(),
            "orders that were open there are filled here"
        );
        assert_eq!(replayed.seq(), history.exchange.seq());
        assert_eq!(crate::invariants::state(&replayed), []);
    }
}
