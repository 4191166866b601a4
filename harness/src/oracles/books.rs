//! Is everything that was acknowledged there, once, and with the same content?
//!
//! Where the executor ends without a claim of recovery in the middle of a restore, the ledger in use may hold the rows
//! of the snapshot only. Nothing is lost as long as what it lacks can be brought back exactly: the orders from a log
//! that the database keeps, and the trades from them; the writes of another application from the log beside its store.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::evidence::{Acknowledgements, BookEntry, Evidence, ExecutorOutcome, Recoverable};
use crate::oracles::finding::{BookCounts, BooksFinding, BooksState, Recorded};
use crate::scenario::Path;

/// Acknowledged trades against those present.
pub(super) fn trades(evidence: &Evidence) -> BooksFinding {
    let books = &evidence.trades;
    let lost_max = evidence.expect.trades_lost_max;
    check(evidence, Recorded::Trade, books, lost_max, |r| &r.trades)
}

/// Acknowledged orders against those in the order log.
pub(super) fn orders(evidence: &Evidence) -> BooksFinding {
    let books = &evidence.orders;
    check(evidence, Recorded::Order, books, 0, |r| &r.orders)
}

/// Acknowledged writes against those in the store.
pub(super) fn writes(evidence: &Evidence) -> BooksFinding {
    let none = Acknowledgements::default();
    let stored = evidence.stored.as_ref().unwrap_or(&none);
    check(evidence, Recorded::Write, stored, 0, |r| &r.writes)
}

fn check(
    evidence: &Evidence,
    of: Recorded,
    books: &Acknowledgements,
    lost_max: u64,
    part: impl Fn(&Recoverable) -> &Vec<BookEntry>,
) -> BooksFinding {
    // Whoever claims recovery must have it in the ledger.
    let halfway = evidence.executor.outcome != ExecutorOutcome::Recovered
        && [evidence.expect.path, evidence.executor.path].contains(&Path::Restore);
    let plain = compare(of, books, lost_max);
    if !halfway || plain.state != BooksState::Damaged {
        return plain;
    }
    let Some(recoverable) = &evidence.recoverable else {
        let only_lost = plain.counts.changed == 0 && plain.counts.duplicated == 0;
        return BooksFinding {
            state: if only_lost {
                BooksState::Unsought
            } else {
                plain.state
            },
            ..plain
        };
    };
    let present: BTreeSet<BookEntry> = books.present.iter().copied().collect();
    let back = part(recoverable).iter().filter(|it| !present.contains(it));
    let mut with = books.clone();
    with.present.extend(back);
    let brought_back = with.present.len() - books.present.len();
    BooksFinding {
        to_bring_back: Some(brought_back as u64),
        ..compare(of, &with, lost_max)
    }
}

/// How many are acknowledged, each once, however many clients hold an acknowledgement for it.
pub(crate) fn acknowledged(books: &Acknowledgements) -> u64 {
    let held: BTreeSet<&BookEntry> = books.acknowledged.iter().collect();
    held.len() as u64
}

/// Compares by id and content, and gives the id of one that is not as it must be. Both a client on each side of a trade
/// holds an acknowledgement, so the same entry acknowledged twice is one.
fn compared(books: &Acknowledgements) -> (BookCounts, Option<u64>) {
    // The usual case is quick: everything that was acknowledged is there.
    if let Some(acknowledged) = all_there(books) {
        let counts = BookCounts {
            acknowledged,
            ..BookCounts::default()
        };
        return (counts, None);
    }
    let mut acknowledged = sorted(&books.acknowledged);
    if acknowledged.windows(2).any(|pair| pair[0] == pair[1]) {
        acknowledged.to_mut().dedup();
    }
    let present = sorted(&books.present);
    let mut example = None;
    let mut note = |count: &mut u64, id: u64| {
        *count += 1;
        example.get_or_insert(id);
    };
    let (mut lost, mut changed, mut duplicated) = (0, 0, 0);
    for pair in present.windows(2).chain(acknowledged.windows(2)) {
        if pair[0].id == pair[1].id {
            note(&mut duplicated, pair[0].id);
        }
    }
    let mut rest = &present[..];
    for entry in acknowledged.iter() {
        while rest.first().is_some_and(|p| p.id < entry.id) {
            rest = &rest[1..];
        }
        let same_id = rest.iter().take_while(|p| p.id == entry.id);
        match same_id.map(|p| p.content == entry.content).max() {
            None => note(&mut lost, entry.id),
            Some(false) => note(&mut changed, entry.id),
            Some(true) => {}
        }
    }
    let counts = BookCounts {
        acknowledged: acknowledged.len() as u64,
        lost,
        changed,
        duplicated,
    };
    (counts, example)
}

/// How many are acknowledged, if each of them is there once, with the same content; `None`: something is not as it must
/// be, or the ids are too sparse to tell in this way.
///
/// Ids are numbers without gaps: an order's is its position in the log, and trades are counted. So what is there is
/// noted by id, and nothing is sorted.
fn all_there(books: &Acknowledgements) -> Option<u64> {
    let last = books.present.iter().map(|entry| entry.id).max()?;
    let last = usize::try_from(last).ok()?;
    if last / 4 > books.present.len() + 1_024 {
        return None;
    }
    let mut contents = vec![0_u64; last + 1];
    let (mut there, mut held) = (Bits::new(last), Bits::new(last));
    for entry in &books.present {
        let id = usize::try_from(entry.id).ok()?;
        if there.set(id) {
            return None;
        }
        contents[id] = entry.content;
    }
    let mut acknowledged = 0;
    for entry in &books.acknowledged {
        let id = usize::try_from(entry.id).ok()?;
        if *contents.get(id)? != entry.content || !there.has(id) {
            return None;
        }
        acknowledged += u64::from(!held.set(id));
    }
    Some(acknowledged)
}

/// One bit for each id.
struct Bits(Vec<u64>);

impl Bits {
    /// For the ids up to `last`, none of them set.
    fn new(last: usize) -> Self {
        Self(vec![0; last / 64 + 1])
    }

    fn has(&self, id: usize) -> bool {
        self.0[id / 64] >> (id % 64) & 1 == 1
    }

    /// Sets a bit; whether it was set before.
    fn set(&mut self, id: usize) -> bool {
        let was = self.has(id);
        self.0[id / 64] |= 1 << (id % 64);
        was
    }
}

/// By id and content. What a database or a client lists is in order but for a few neighbours: answers of different
/// gateways overtake each other.
fn sorted(entries: &[BookEntry]) -> Cow<'_, [BookEntry]> {
    if entries.is_sorted() {
        return Cow::Borrowed(entries);
    }
    let mut entries = entries.to_vec();
    // Quick where most of it is in order already.
    entries.sort();
    Cow::Owned(entries)
}

fn compare(of: Recorded, books: &Acknowledgements, lost_max: u64) -> BooksFinding {
    let (counts, example) = compared(books);
    let state = if books.acknowledged.is_empty() {
        BooksState::Empty
    } else if counts.duplicated > 0 || counts.changed > 0 || counts.lost > lost_max {
        BooksState::Damaged
    } else {
        BooksState::There
    };
    BooksFinding {
        of,
        counts,
        example,
        to_bring_back: None,
        state,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{acknowledged, compared, writes};
    use crate::evidence::{Acknowledgements, BookEntry, Evidence, ExecutorOutcome, Recoverable};
    use crate::oracles::finding::{Because, Fact as _, Finding};
    use crate::oracles::tests::{Case, good};
    use crate::oracles::{OracleName, ask};
    use crate::scenario::Path;
    use crate::verdict::Verdict::{Fail, Inconclusive, Pass};

    fn entries(all: &[(u64, u64)]) -> Vec<BookEntry> {
        all.iter()
            .map(|&(id, content)| BookEntry { id, content })
            .collect()
    }

    fn with_writes(e: &mut Evidence, change: impl FnOnce(&mut Acknowledgements)) {
        let all = entries(&[(1, 7), (2, 14), (3, 21)]);
        let mut stored = Acknowledgements {
            acknowledged: all.clone(),
            present: all,
        };
        change(&mut stored);
        e.stored = Some(stored);
    }

    /// Evidence that the oracle of acknowledged writes must see through.
    pub(in crate::oracles) fn doctored() -> Vec<Case> {
        const WRITES: OracleName = OracleName::AcknowledgedWrites;
        vec![
            (
                "an acknowledged write is gone",
                |e| with_writes(e, |it| it.present.truncate(2)),
                WRITES,
                Fail,
            ),
            (
                "an acknowledged write says something else",
                |e| with_writes(e, |it| it.present[1].content = 8),
                WRITES,
                Fail,
            ),
            (
                "an acknowledged write is there twice",
                |e| with_writes(e, |it| it.present.push(it.present[0])),
                WRITES,
                Fail,
            ),
            (
                "nothing was ever acknowledged",
                |e| with_writes(e, |it| it.acknowledged.clear()),
                WRITES,
                Inconclusive,
            ),
        ]
    }

    #[test]
    fn writes_that_are_there_once_and_unchanged_pass_and_without_a_store_nothing_is_asked() {
        let mut evidence = good();
        let found = ask(OracleName::AcknowledgedWrites, &evidence);
        assert!(
            matches!(&found, Finding::Withheld(it) if it.because == Because::NoStore),
            "{found}"
        );
        assert_eq!(found.verdict(), Pass);
        // What nobody holds an acknowledgement for may be there, too.
        with_writes(&mut evidence, |it| it.present.extend(entries(&[(9, 1)])));
        let found = ask(OracleName::AcknowledgedWrites, &evidence);
        assert_eq!(found.verdict(), Pass, "{found}");
        assert_eq!(found.to_string(), "3 of 3 acknowledged writes are there");
        with_writes(&mut evidence, |it| it.present.truncate(1));
        assert_eq!(writes(&evidence).numbers().0["lost"], 2);
    }

    #[test]
    fn a_restore_that_was_given_up_loses_no_write_that_the_log_brings_back() {
        let mut evidence = good();
        with_writes(&mut evidence, |it| it.present.truncate(1));
        evidence.expect.path = Path::Restore;
        evidence.executor.outcome = ExecutorOutcome::Escalated("the replay fails".to_owned());
        let kind = |evidence: &Evidence| ask(OracleName::AcknowledgedWrites, evidence).kind();
        let in_the_log = |all: &[(u64, u64)]| {
            Some(Recoverable {
                writes: entries(all),
                ..Recoverable::default()
            })
        };
        evidence.recoverable = in_the_log(&[(2, 14), (3, 21)]);
        assert_eq!(kind(&evidence), "there");
        evidence.recoverable = in_the_log(&[(2, 14)]);
        assert_eq!(kind(&evidence), "lost");
        // Whoever claims recovery must have them in the store.
        evidence.recoverable = in_the_log(&[(2, 14), (3, 21)]);
        evidence.executor.outcome = ExecutorOutcome::Recovered;
        assert_eq!(kind(&evidence), "lost");
    }

    /// The definition, entry by entry.
    fn by_definition(books: &Acknowledgements) -> (u64, u64, u64) {
        let mut contents: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for p in &books.present {
            contents.entry(p.id).or_default().push(p.content);
        }
        let held: BTreeSet<BookEntry> = books.acknowledged.iter().copied().collect();
        let twice_there = books.present.len() - contents.len();
        let ids: BTreeSet<u64> = held.iter().map(|entry| entry.id).collect();
        let with_two_contents = held.len() - ids.len();
        let there = |entry: &&BookEntry| contents.contains_key(&entry.id);
        let same = |entry: &&BookEntry| contents[&entry.id].contains(&entry.content);
        let lost = held.iter().filter(|entry| !there(entry)).count();
        let changed = held.iter().filter(|entry| there(entry) && !same(entry));
        let duplicated = twice_there + with_two_contents;
        (lost as u64, changed.count() as u64, duplicated as u64)
    }

    fn some_books() -> impl Strategy<Value = Acknowledgements> {
        let ledger = vec((0_u64..24, 0_u64..2), 0..24);
        (ledger, vec((0_u64..24, 0_u64..2), 0..4), any::<bool>()).prop_map(|(all, odd, sort)| {
            let mut present = entries(&all);
            if sort {
                present.sort_unstable();
                present.dedup_by_key(|entry| entry.id);
            }
            let mut acknowledged = present.clone();
            acknowledged.reverse();
            acknowledged.extend(entries(&odd));
            // The client on the other side of a trade holds an acknowledgement, too.
            let twice: Vec<BookEntry> = acknowledged.iter().step_by(3).copied().collect();
            acknowledged.extend(twice);
            Acknowledgements {
                acknowledged,
                present,
            }
        })
    }

    #[test]
    fn ids_that_are_far_apart_are_compared_all_the_same() {
        let all = entries(&[(7, 1), (u64::MAX, 2), (1 << 40, 3)]);
        let books = Acknowledgements {
            acknowledged: all.clone(),
            present: all,
        };
        let (counts, example) = compared(&books);
        assert_eq!((counts.acknowledged, counts.lost, example), (3, 0, None));
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_the_definition_counts(books in some_books()) {
            let (c, _) = compared(&books);
            prop_assert_eq!((c.lost, c.changed, c.duplicated), by_definition(&books));
            prop_assert_eq!(c.acknowledged, acknowledged(&books));
            // Each of them is there, gone or another one, and is no two of these.
            prop_assert!(c.lost + c.changed <= c.acknowledged);
        }
    }
}
