//! Did you mean …? The nearest of a few known words.

/// The candidate nearest to `word`, if it is near enough to be a likely misspelling: at most a third
/// of the word's length in edits (at least 2), or one contains the other.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    let lowered = word.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let mut edits = distance(&lowered, &candidate.to_lowercase());
        if lowered.len() >= 3 && candidate.contains(&lowered) {
            edits = edits.min(limit);
        }
        if edits <= limit && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits (insertion, deletion, substitution, swap of neighbours) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `known` as a list for a sentence: `a, b, c`.
#[must_use]
pub fn listed<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    known.into_iter().collect::<Vec<_>>().join(", ")
}

/// The help text for an unknown `word`: the nearest candidate if there is one, else all of them.
#[must_use]
pub fn help(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known: {}", listed(candidates.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn misspellings_find_their_word() {
        let known = [
            "latency-regression",
            "balance-anomaly",
            "breaking-migration",
        ];
        for (word, expected) in [
            ("latency-regresion", Some("latency-regression")),
            ("balance-anomoly", Some("balance-anomaly")),
            ("Breaking-Migration", Some("breaking-migration")),
            ("latency", Some("latency-regression")),
            ("xyzzy", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn distance_counts_edits_and_swaps() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("dulation", "duration"), 1);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
