//! The same piece of code in two files: none may come to those that are known.
//!
//! A piece is [`RUN`] lines of logic or more that follow one another. Lines are compared without what stands around
//! them. What no two files can help to share says nothing: blank lines, comments, attributes, imports, lone
//! punctuation, names of fields and parameters, and the heads of functions. Tests may say the same twice.

use std::collections::BTreeMap;

use crate::sources::{Source, without_tests};

/// How many equal lines of logic in a row make a copy.
const RUN: usize = 6;

/// Copies that are known: both files, and why the piece is there twice. A pair leaves this list when it is gone, and
/// none is added.
const KNOWN: [(&str, &str, &str); 0] = [];

/// A line of logic: its number in the file, from 1, and its text.
type Line<'a> = (usize, &'a str);

/// Two places with the same piece, and how many lines of logic it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Copied {
    first: (String, usize),
    second: (String, usize),
    lines: usize,
}

/// What is wrong with `sources`: every copy that is not known, and every known one that is gone.
pub(crate) fn problems(sources: &[Source]) -> Vec<String> {
    judged(&copies(sources), &KNOWN)
}

fn judged(copies: &[Copied], known: &[(&str, &str, &str)]) -> Vec<String> {
    let is = |copy: &Copied, pair: &(&str, &str, &str)| {
        (copy.first.0.as_str(), copy.second.0.as_str()) == (pair.0, pair.1)
    };
    let new = copies
        .iter()
        .filter(|copy| !known.iter().any(|pair| is(copy, pair)));
    let new = new.map(|copy| {
        let ((first, at), (second, there)) = (&copy.first, &copy.second);
        let lines = copy.lines;
        format!("{first}:{at} and {second}:{there} have the same {lines} lines: let one piece serve both")
    });
    let gone = known
        .iter()
        .filter(|pair| !copies.iter().any(|copy| is(copy, pair)));
    let gone = gone.map(|(first, second, _)| {
        format!("{first} and {second} share nothing any more; take them out of xtask/src/copies.rs")
    });
    new.chain(gone).collect()
}

/// The copies in `sources`, the longest piece for each pair of places.
fn copies(sources: &[Source]) -> Vec<Copied> {
    let files: Vec<(&str, Vec<Line<'_>>)> = sources
        .iter()
        .filter(|source| !is_test(&source.path))
        .map(|source| (source.path.as_str(), logic(&source.text)))
        .collect();
    // Where each run of lines begins: the file, and the place in its lines of logic.
    let mut runs: BTreeMap<Vec<&str>, Vec<(usize, usize)>> = BTreeMap::new();
    for (file, (_, lines)) in files.iter().enumerate() {
        for (at, run) in lines.windows(RUN).enumerate() {
            let run = run.iter().map(|(_, text)| *text).collect();
            runs.entry(run).or_default().push((file, at));
        }
    }
    let mut found = Vec::new();
    for places in runs.values() {
        for (index, &(a, at)) in places.iter().enumerate() {
            for &(b, there) in places[index + 1..].iter().filter(|(b, _)| *b != a) {
                let (one, other) = (&files[a].1, &files[b].1);
                let equal = |back: usize| {
                    at >= back && there >= back && one[at - back].1 == other[there - back].1
                };
                // The middle of a longer piece is told with its beginning.
                if equal(1) {
                    continue;
                }
                let pairs = one[at..].iter().zip(&other[there..]);
                found.push(Copied {
                    first: (files[a].0.to_owned(), one[at].0),
                    second: (files[b].0.to_owned(), other[there].0),
                    lines: pairs.take_while(|(x, y)| x.1 == y.1).count(),
                });
            }
        }
    }
    found.sort();
    found
}

/// Whether a file has tests, or what only tests use.
fn is_test(path: &str) -> bool {
    let mut parts = path.split('/');
    let whole = parts
        .next()
        .is_some_and(|it| it == "tests" || it == "benches");
    whole
        || parts.any(|part| part == "tests" || part == "examples")
        || path.ends_with("tests.rs")
        || path.ends_with("testing.rs")
}

/// The lines of a file that say something of their own.
fn logic(text: &str) -> Vec<Line<'_>> {
    let mut found = Vec::new();
    let mut in_import = false;
    for (index, line) in without_tests(text).lines().enumerate() {
        let line = line.trim();
        let code = line.strip_prefix("pub ").unwrap_or(line);
        in_import = in_import || code.starts_with("use ") || code.starts_with("pub(super) use ");
        if in_import {
            in_import = !line.ends_with(';');
        } else if !says_nothing(line) {
            found.push((index + 1, line));
        }
    }
    found
}

fn says_nothing(line: &str) -> bool {
    let has_word = line.contains(|c: char| c.is_alphanumeric());
    if !has_word || line.starts_with("//") || line.starts_with('#') || line.starts_with(") -> ") {
        return true;
    }
    let words = line.trim_start_matches("pub(super) ");
    let words = words.trim_start_matches("pub(crate) ");
    let words = words.trim_start_matches("pub ");
    let words = words.trim_start_matches("const ");
    let words = words.trim_start_matches("async ");
    words.starts_with("fn ") || is_name(words) || matches!(line, "} else {" | "Ok(())" | "loop {")
}

/// Whether a line is no more than the name of a field, a parameter or a variant, with its type if it has one, or what
/// begins a value or a pattern with such names.
fn is_name(line: &str) -> bool {
    let word = |text: &str| {
        let text = text.trim_start_matches(['&', '.']);
        let text = text.trim_start_matches("mut ");
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == ':')
    };
    if let Some(opened) = line.strip_suffix(" {") {
        return word(opened);
    }
    let line = line.trim_end_matches(',');
    match line.split_once(": ") {
        Some((name, of_type)) => word(name) && !of_type.contains(['(', '=']),
        None => word(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: &str = "let mut text = error.to_string();\nlet mut source = error.source();\n\
        while let Some(cause) = source {\ntext.push_str(\": \");\ntext.push_str(&cause.to_string());\n\
        source = cause.source();\n}\n";

    fn source(path: &str, text: &str) -> Source {
        let (path, text) = (path.to_owned(), text.to_owned());
        Source { path, text }
    }

    #[test]
    fn the_same_piece_in_two_files_is_found_whatever_stands_around_it() {
        let indented = PIECE.replace('\n', "\n    // What caused it.\n\n        ");
        let found = problems(&[
            source("a/src/one.rs", &format!("fn chain() {{\n{PIECE}}}\n")),
            source(
                "b/src/two.rs",
                &format!("fn other() {{\n    go();\n{indented}done()\n}}\n"),
            ),
        ]);
        assert_eq!(
            found,
            ["a/src/one.rs:2 and b/src/two.rs:3 have the same 6 lines: let one piece serve both"]
        );
    }

    #[test]
    fn a_shorter_piece_tests_and_the_same_file_are_no_copies() {
        let shorter = PIECE.replace("source = cause.source();", "source = None;");
        let tests = format!("#[cfg(test)]\nmod tests {{\n{PIECE}}}\n");
        let twice = format!("{PIECE}\ngo();\n{PIECE}");
        let found = problems(&[
            source("a/src/one.rs", &twice),
            source("a/src/shorter.rs", &shorter),
            source("a/src/two.rs", &tests),
            source("a/src/tests.rs", PIECE),
            source("a/tests/it.rs", PIECE),
            source("tests/src/lib.rs", PIECE),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn names_of_fields_and_heads_of_functions_say_nothing() {
        let names = "pub(super) struct Entry {\n/// Its id.\npub(super) id: u64,\naccount: AccountId,\nmarket,\n}\n\
            pub(super) async fn take(\n&mut self,\nnow: Micros,\n) -> Result<(), Error> {\nself.id\n}\n";
        assert_eq!(
            logic(names),
            [(1, "pub(super) struct Entry {"), (11, "self.id")]
        );
        assert_eq!(
            logic("pub use a::{\n    b,\n    c,\n};\nlet d = e();\n"),
            [(5, "let d = e();")]
        );
    }

    #[test]
    fn what_is_known_is_no_problem_and_must_leave_the_list_when_it_is_gone() {
        let copies = copies(&[source("a/src/one.rs", PIECE), source("a/src/two.rs", PIECE)]);
        let known = [("a/src/one.rs", "a/src/two.rs", "why")];
        assert!(judged(&copies, &known).is_empty());
        let gone = judged(&[], &known);
        assert!(gone.len() == 1 && gone[0].contains("any more"), "{gone:?}");
    }
}
