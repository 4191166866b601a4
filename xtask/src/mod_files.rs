//! What stands in a `mod.rs`: it names its modules and hands on what others may take. Whatever does something has a
//! file with a name of its own.

use crate::sources::Source;

/// What in `sources` stands in a `mod.rs` and is neither `mod …;` nor `use …;`, with its place.
pub(crate) fn problems(sources: &[Source]) -> Vec<String> {
    let files = sources
        .iter()
        .filter(|it| it.path == "mod.rs" || it.path.ends_with("/mod.rs"));
    files.flat_map(of_one).collect()
}

fn of_one(source: &Source) -> Vec<String> {
    let items = items(&source.text);
    let others = items.iter().filter(|(_, item)| !names_or_hands_on(item));
    others
        .map(|(line, item)| {
            let (path, first) = (&source.path, item.lines().next().unwrap_or_default());
            format!(
                "{path}:{line}: `{first}` stands in a mod.rs, which only names modules and hands on: give it a file of \
                 its own beside it"
            )
        })
        .collect()
}

/// Each item with its line, from 1, without comments and attributes. One ends with a semicolon or where the first brace
/// that it opens is closed, unless it hands on.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut items = Vec::new();
    let (mut item, mut began, mut depth, mut attribute) = (String::new(), 0, 0_usize, 0_usize);
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for c in code.trim().chars().chain(['\n']) {
            if attribute > 0 || item.is_empty() && c == '#' {
                attribute = match c {
                    '#' if attribute == 0 => 1,
                    '[' => attribute + 1,
                    // The bracket that `#` waits for is the first one.
                    ']' if attribute == 2 => 0,
                    ']' => attribute - 1,
                    _ => attribute,
                };
                continue;
            }
            if item.is_empty() && c.is_whitespace() {
                continue;
            }
            if item.is_empty() {
                began = index + 1;
            }
            item.push(c);
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let closed = c == '}' && !hands_on(&item);
            if depth == 0 && (c == ';' || closed) {
                items.push((began, std::mem::take(&mut item)));
            }
        }
    }
    items.extend((!item.is_empty()).then_some((began, item)));
    items
}

/// The item without `pub` and whom it is for.
fn without_visibility(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else {
        return item;
    };
    let inside = rest.strip_prefix('(').and_then(|it| it.split_once(')'));
    inside.map_or(rest, |(_, rest)| rest).trim_start()
}

fn hands_on(item: &str) -> bool {
    without_visibility(item).starts_with("use ")
}

fn names_or_hands_on(item: &str) -> bool {
    let name = without_visibility(item).strip_prefix("mod ");
    let names = name
        .and_then(|it| it.strip_suffix(';'))
        .is_some_and(|it| it.chars().all(|c| c.is_alphanumeric() || c == '_'));
    names || hands_on(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let (path, text) = (path.to_owned(), text.to_owned());
        problems(&[Source { path, text }])
    }

    const GOOD: &str = "//! What it is; and `fn` in a comment.\n\
        #![allow(unused)]\n\
        mod a;\n\
        /// For people.\n\
        #[cfg(all(test, feature = \"x\"))]\npub mod b;\n\
        pub(in crate::c) mod d; // beside it\n\
        #[path = \"../e.rs\"]\nmod e;\n\n\
        pub use a::{\n    A,\n    inner::{B, C},\n};\n\
        use b::D;\n";

    #[test]
    fn modules_are_named_and_handed_on() {
        assert_eq!(found("x/src/y/mod.rs", GOOD), Vec::<String>::new());
    }

    #[test]
    fn whatever_does_something_is_named_with_its_line() {
        for item in [
            "fn f() {\n    g();\n}",
            "pub const A: [u8; 2] = [1, 2];",
            "struct S;",
            "pub(crate) struct S {\n    a: u8,\n}",
            "impl S {\n    fn f() {}\n}",
            "mod tests {\n    fn f() {}\n}",
            "macro_rules! m {\n    () => {};\n}",
            "use_it!();",
            "module!(a);",
        ] {
            let text = format!("{GOOD}\n{item}\nmod f;\n");
            let found = found("x/src/y/mod.rs", &text);
            let line = GOOD.lines().count() + 2;
            let place = format!("x/src/y/mod.rs:{line}: ");
            assert!(
                !found.is_empty() && found[0].starts_with(&place),
                "{item}: {found:?}"
            );
        }
    }

    #[test]
    fn other_files_may_do_something() {
        assert!(found("x/src/y.rs", "fn f() {}\n").is_empty());
        assert!(found("x/src/amod.rs", "fn f() {}\n").is_empty());
        assert_eq!(found("mod.rs", "fn f() {}\n").len(), 1);
    }
}
