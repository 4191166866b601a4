//! Is everything that was acknowledged there, once, and with the same content?
//!
//! Where a person is rightly called in the middle of a restore, the ledger in use may hold the rows of the snapshot only. Nothing is lost as
//! long as what it lacks can be brought back exactly: the orders from a log that the database keeps, and the trades from them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::evidence::{Books, Entry, Evidence, Recoverable};
use crate::scenario::{Expected, Path};
use crate::verdict::{Finding, Stage, Verdict};

/// Acknowledged trades against those present.
pub(super) fn trades(evidence: &Evidence) -> Finding {
    let books = &evidence.trades;
    let lost_max = evidence.expect.trades_lost_max;
    check(evidence, "trades", "trade", books, lost_max, |r| &r.trades)
}

/// Acknowledged orders against those in the order log.
pub(super) fn orders(evidence: &Evidence) -> Finding {
    check(evidence, "orders", "order", &evidence.orders, 0, |r| {
        &r.orders
    })
}

fn check(
    evidence: &Evidence,
    oracle: &'static str,
    word: &str,
    books: &Books,
    lost_max: u64,
    part: impl Fn(&Recoverable) -> &Vec<Entry>,
) -> Finding {
    let expect = &evidence.expect;
    let halfway = expect.outcome == Expected::Escalated && expect.path == Path::Restore;
    let plain = compare(oracle, word, books, lost_max);
    if !halfway || plain.verdict != Verdict::Fail {
        return plain;
    }
    let Some(recoverable) = &evidence.recoverable else {
        let lost = plain.numbers.get("lost").copied().unwrap_or_default();
        let only_lost = ["changed", "duplicated"]
            .iter()
            .all(|number| plain.numbers.get(number) == Some(&0));
        if !only_lost {
            return plain;
        }
        let reason = format!(
            "{lost} acknowledged {word}s are not in the ledger, and nobody looked whether they can be brought back"
        );
        return Finding::new(oracle, Stage::Recovery, Verdict::Inconclusive, reason)
            .number("acknowledged", books.acknowledged.len())
            .number("lost", lost);
    };
    let present: BTreeSet<Entry> = books.present.iter().copied().collect();
    let back = part(recoverable).iter().filter(|it| !present.contains(it));
    let mut with = books.clone();
    with.present.extend(back);
    let brought_back = with.present.len() - books.present.len();
    let mut finding = compare(oracle, word, &with, lost_max).number("to_bring_back", brought_back);
    if finding.verdict == Verdict::Pass {
        finding.reason.push_str(&format!(
            ", {brought_back} of them to be brought back by a replay of the order log"
        ));
    }
    finding
}

/// What the comparison counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Comparison {
    /// Acknowledged and absent.
    lost: u64,
    /// Acknowledged and present with another content.
    changed: u64,
    /// Present more than once, or acknowledged with two contents.
    duplicated: u64,
    /// One of the worst, for the message.
    example: Option<u64>,
}

/// Compares by id and content. Both a client on each side of a trade holds an acknowledgement, so
/// the same entry acknowledged twice is one.
fn compared(books: &Books) -> Comparison {
    let mut acknowledged = sorted(&books.acknowledged);
    if acknowledged.windows(2).any(|pair| pair[0] == pair[1]) {
        acknowledged.to_mut().dedup();
    }
    let ascends = |all: &[Entry]| all.windows(2).all(|pair| pair[0].id < pair[1].id);
    let present = sorted(&books.present);
    // The usual case is quick: what is there is to the letter what was acknowledged.
    if present == acknowledged && ascends(&acknowledged) {
        return Comparison::default();
    }
    let mut result = Comparison::default();
    let mut note = |count: &mut u64, id: u64| {
        *count += 1;
        result.example.get_or_insert(id);
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
    Comparison {
        lost,
        changed,
        duplicated,
        ..result
    }
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

fn compare(oracle: &'static str, word: &str, books: &Books, lost_max: u64) -> Finding {
    let c = compared(books);
    let example = c
        .example
        .map_or_else(String::new, |id| format!(", for instance {word} {id}"));
    let (verdict, reason) = if books.acknowledged.is_empty() {
        (
            Verdict::Inconclusive,
            format!("no {word} was ever acknowledged"),
        )
    } else if c.duplicated > 0 {
        (
            Verdict::Fail,
            format!("{} {word}s are there twice{example}", c.duplicated),
        )
    } else if c.changed > 0 {
        (
            Verdict::Fail,
            format!(
                "{} acknowledged {word}s are there with another content{example}",
                c.changed
            ),
        )
    } else if c.lost > lost_max {
        (
            Verdict::Fail,
            format!("{} acknowledged {word}s are gone{example}", c.lost),
        )
    } else {
        (
            Verdict::Pass,
            format!(
                "{} of {} acknowledged {word}s are there",
                books.acknowledged.len() as u64 - c.lost.min(books.acknowledged.len() as u64),
                books.acknowledged.len()
            ),
        )
    };
    Finding::new(oracle, Stage::Recovery, verdict, reason)
        .number("acknowledged", books.acknowledged.len())
        .number("lost", c.lost)
        .number("changed", c.changed)
        .number("duplicated", c.duplicated)
        .harmful()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

    use super::compared;
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
            Books {
                acknowledged,
                present,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_the_definition_counts(books in some_books()) {
            let c = compared(&books);
            prop_assert_eq!((c.lost, c.changed, c.duplicated), by_definition(&books));
        }
    }
}
