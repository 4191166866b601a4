//! Is everything that was acknowledged there, once, and with the same content?
//!
//! Where the executor ends without a claim of recovery in the middle of a restore, the ledger in use may hold the rows of the snapshot only. Nothing is lost as
//! long as what it lacks can be brought back exactly: the orders from a log that the database keeps, and the trades from them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::evidence::{Books, Entry, Evidence, Outcome, Recoverable};
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

fn check(
    evidence: &Evidence,
    of: Recorded,
    books: &Books,
    lost_max: u64,
    part: impl Fn(&Recoverable) -> &Vec<Entry>,
) -> BooksFinding {
    // Whoever claims recovery must have it in the ledger.
    let halfway = evidence.executor.outcome != Outcome::Recovered
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
    let present: BTreeSet<Entry> = books.present.iter().copied().collect();
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
pub(crate) fn acknowledged(books: &Books) -> u64 {
    let held: BTreeSet<&Entry> = books.acknowledged.iter().collect();
    held.len() as u64
}

/// Compares by id and content, and gives the id of one that is not as it must be. Both a client on each side of a trade holds an
/// acknowledgement, so the same entry acknowledged twice is one.
fn compared(books: &Books) -> (BookCounts, Option<u64>) {
    let mut acknowledged = sorted(&books.acknowledged);
    if acknowledged.windows(2).any(|pair| pair[0] == pair[1]) {
        acknowledged.to_mut().dedup();
    }
    let ascends = |all: &[Entry]| all.windows(2).all(|pair| pair[0].id < pair[1].id);
    let present = sorted(&books.present);
    // The usual case is quick: what is there is to the letter what was acknowledged.
    if present == acknowledged && ascends(&acknowledged) {
        let counts = BookCounts {
            acknowledged: acknowledged.len() as u64,
            ..BookCounts::default()
        };
        return (counts, None);
    }
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

/// By id and content. What a database or a client lists is in order but for a few neighbours (answers of
/// different gateways overtake each other), which insertion sorts in one pass; anything else is sorted as usual.
fn sorted(entries: &[Entry]) -> Cow<'_, [Entry]> {
    if entries.is_sorted() {
        return Cow::Borrowed(entries);
    }
    let mut entries = entries.to_vec();
    let mut moves_left = 16 * entries.len();
    for i in 1..entries.len() {
        let mut at = i;
        while at > 0 && entries[at - 1] > entries[at] {
            entries.swap(at - 1, at);
            at -= 1;
            if moves_left == 0 {
                entries.sort_unstable();
                return Cow::Owned(entries);
            }
            moves_left -= 1;
        }
    }
    Cow::Owned(entries)
}

fn compare(of: Recorded, books: &Books, lost_max: u64) -> BooksFinding {
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
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{acknowledged, compared};
    use crate::evidence::{Books, Entry};

    fn entries(all: &[(u64, u64)]) -> Vec<Entry> {
        all.iter()
            .map(|&(id, content)| Entry { id, content })
            .collect()
    }

    /// The definition, entry by entry.
    fn by_definition(books: &Books) -> (u64, u64, u64) {
        let mut contents: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for p in &books.present {
            contents.entry(p.id).or_default().push(p.content);
        }
        let held: BTreeSet<Entry> = books.acknowledged.iter().copied().collect();
        let twice_there = books.present.len() - contents.len();
        let ids: BTreeSet<u64> = held.iter().map(|entry| entry.id).collect();
        let with_two_contents = held.len() - ids.len();
        let there = |entry: &&Entry| contents.contains_key(&entry.id);
        let same = |entry: &&Entry| contents[&entry.id].contains(&entry.content);
        let lost = held.iter().filter(|entry| !there(entry)).count();
        let changed = held.iter().filter(|entry| there(entry) && !same(entry));
        let duplicated = twice_there + with_two_contents;
        (lost as u64, changed.count() as u64, duplicated as u64)
    }

    fn some_books() -> impl Strategy<Value = Books> {
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
            let twice: Vec<Entry> = acknowledged.iter().step_by(3).copied().collect();
            acknowledged.extend(twice);
            Books {
                acknowledged,
                present,
            }
        })
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
