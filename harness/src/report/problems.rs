//! Why a drill did not pass, in the words of the oracle that decided.

use super::journal::Drill;
use crate::drill::Smallest;

/// How much of a reason is shown where room is scarce; the whole is in journal.json.
const REASON_CHARS: usize = 600;

/// What is left of a smallest case, in one line and without what `oracle` found in it, where that is told already.
#[must_use]
pub fn without_reason(smallest: &Smallest, oracle: &str) -> String {
    let found = format!("; {oracle}: ");
    let what = smallest.what.split_once(&found);
    one_line(what.map_or(&*smallest.what, |(what, _)| what))
}

/// Why `drill` did not pass, in the words of the oracle that decided.
#[must_use]
pub fn reason(drill: &Drill<'_>) -> String {
    drill
        .problems()
        .first()
        .map_or("a stage that nothing looked at", |f| &*f.reason)
        .to_owned()
}

/// `text` on one line, cut between two words where it is too long for one.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(REASON_CHARS) {
        let end = line[..cut].rfind(' ').filter(|&end| end > 0);
        line.truncate(end.unwrap_or(cut));
        line.push_str(" ...");
    }
    line
}

/// Whether two reasons, neither of them empty, say the same of other numbers.
#[must_use]
pub fn differ_in_numbers_only(a: &str, b: &str) -> bool {
    !a.is_empty() && without_numbers(a) == without_numbers(b)
}

/// `text` with a sign in the place of each word that has a digit in it: numbers, and names that are made anew each
/// time.
#[must_use]
pub fn without_numbers(text: &str) -> String {
    let words = text.split_whitespace();
    let words = words.map(|word| {
        if word.contains(|c: char| c.is_ascii_digit()) {
            "#"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{REASON_CHARS, differ_in_numbers_only, one_line};

    #[test]
    fn a_long_reason_is_cut_between_words() {
        assert_eq!(one_line("a  b\nc"), "a b c");
        let long = "word ".repeat(200);
        let line = one_line(&long);
        assert!(line.ends_with("word ...") && line.chars().count() <= REASON_CHARS + 4);
        // What has no gap is cut all the same.
        let solid = "ü".repeat(2_000);
        assert_eq!(one_line(&solid).chars().count(), REASON_CHARS + 4);
    }

    #[test]
    fn the_same_of_other_numbers_is_the_same() {
        assert!(differ_in_numbers_only("3 of 9 are gone", "4 of 7 are gone"));
        assert!(!differ_in_numbers_only("3 are gone", "3 are there twice"));
        assert!(!differ_in_numbers_only("", ""));
    }
}
