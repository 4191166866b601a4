//! How long a line of prose in the code and a file of it may be.

use crate::sources::Source;

/// Columns of a line with a comment, its indentation included.
const COMMENT_MAX: usize = 120;
/// Lines of a file.
const FILE_MAX: usize = 620;

/// What is too long in `sources`, with its place.
pub(crate) fn problems(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(of_one).collect()
}

fn of_one(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut problems = Vec::new();
    let mut fenced = false;
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        let Some(text) = comment(line) else {
            fenced = false;
            continue;
        };
        if text.starts_with("```") {
            fenced = !fenced;
        } else if columns > COMMENT_MAX && !fenced && can_be_broken(text) {
            let line = index + 1;
            problems.push(format!(
                "{path}:{line}: a comment of {columns} columns: break it before {COMMENT_MAX}"
            ));
        }
    }
    let lines = source.text.lines().count();
    if lines > FILE_MAX {
        problems.push(format!(
            "{path}:{lines}: a file of {lines} lines: give a part of it a file of its own, {FILE_MAX} are the most"
        ));
    }
    problems
}

/// The text of a line that is a comment and nothing else.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// Whether there is a place to break the text of a comment at. An address has none, and a row of a table must not be
/// broken.
fn can_be_broken(text: &str) -> bool {
    !text.starts_with('|') && text.contains(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let (path, text) = ("a.rs".to_owned(), text.to_owned());
        problems(&[Source { path, text }])
    }

    #[test]
    fn a_long_comment_is_named_with_its_line() {
        let long = format!("fn a() {{}}\n    /// {}\n", "word ".repeat(22).trim_end());
        assert_eq!(found(&long), Vec::<String>::new(), "{long}");
        let longer = long.replace("/// ", "/// a few more words ");
        assert_eq!(
            found(&longer),
            ["a.rs:2: a comment of 134 columns: break it before 120"]
        );
        assert!(found(&longer.replace("/// ", "let a = ")).is_empty());
    }

    #[test]
    fn what_can_t_be_broken_may_be_long() {
        assert!(found(&format!("// <https://example.org/{}>\n", "a".repeat(120))).is_empty());
        assert!(found(&format!("//! | {} |\n", "cell | ".repeat(20))).is_empty());
        let fenced = format!("//! ```text\n//! {}\n//! ```\n", "word ".repeat(30));
        assert!(found(&fenced).is_empty());
        assert_eq!(
            found(&format!("{fenced}// {}\n", "word ".repeat(30))).len(),
            1
        );
    }

    #[test]
    fn a_long_file_is_named() {
        assert!(found(&"go();\n".repeat(FILE_MAX)).is_empty());
        let long = found(&"go();\n".repeat(FILE_MAX + 1));
        assert!(
            long.len() == 1 && long[0].starts_with("a.rs:621: "),
            "{long:?}"
        );
    }
}
