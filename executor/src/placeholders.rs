//! `$NAME` in commands and queries: upper-case letters, digits and underscores after a dollar sign.
//! Any other dollar sign (`=~"5..$"`) is itself.

/// Replaces the placeholders that `value` knows and leaves the others as they are.
#[must_use]
pub(crate) fn fill_known(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    walk(text, |piece| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Name(name) => match value(name) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('$');
                out.push_str(name);
            }
        },
    });
    out
}

/// Replaces every placeholder.
///
/// # Errors
/// The name of the first one that has no value, with its dollar sign.
pub(crate) fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut missing = None;
    walk(text, |piece| match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Name(name) => match value(name) {
            Some(value) => out.push_str(&value),
            None => {
                missing.get_or_insert_with(|| format!("${name}"));
            }
        },
    });
    missing.map_or(Ok(out), Err)
}

/// Whether `text` uses `$name`.
#[must_use]
pub(crate) fn uses(text: &str, name: &str) -> bool {
    let mut found = false;
    walk(text, |piece| {
        if let Piece::Name(this) = piece {
            found |= this == name;
        }
    });
    found
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn walk<'a>(text: &'a str, mut visit: impl FnMut(Piece<'a>)) {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let length = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
        if length == 0 || !after.starts_with(|c: char| c.is_ascii_uppercase()) {
            visit(Piece::Text(&rest[..=at]));
            rest = after;
            continue;
        }
        visit(Piece::Text(&rest[..at]));
        visit(Piece::Name(&after[..length]));
        rest = &after[length..];
    }
    visit(Piece::Text(rest));
}

#[cfg(test)]
mod tests {
    use super::{fill, fill_known, uses};

    fn value(name: &str) -> Option<String> {
        match name {
            "WINDOW" => Some("150s".to_owned()),
            "SERVICE" => Some("gateway".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn fills_names_and_leaves_other_dollars() {
        let text = r#"sum(increase(x{app="$SERVICE",code=~"5..$"}[$WINDOW]))"#;
        assert_eq!(
            fill(text, value).as_deref(),
            Ok(r#"sum(increase(x{app="gateway",code=~"5..$"}[150s]))"#)
        );
    }

    #[test]
    fn a_name_without_value_is_an_error_or_left() {
        assert_eq!(fill("a $POD b", value), Err("$POD".to_owned()));
        assert_eq!(fill_known("a $POD $SERVICE", value), "a $POD gateway");
    }

    #[test]
    fn names_end_where_they_end() {
        assert!(uses("x$WINDOW]", "WINDOW"));
        assert!(!uses("x$WINDOWS", "WINDOW"));
        assert!(!uses("$1 $ $", "WINDOW"));
    }
}
