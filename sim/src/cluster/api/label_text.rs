//! The text of a label selector, read as `k8s.io/apimachinery/pkg/labels` reads it: token by token, with its words for
//! what it finds and what it expects.

use super::selectors::Requirement;

/// The operators that stand between a key and values.
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";
const KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                   alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                   '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const NUMBER: &str = "for 'Gt', 'Lt' operators, the value must be an integer";

/// Reads a selector.
///
/// # Errors
/// What is wrong with the text, in the words of the real parser.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    let mut tokens = Tokens { rest: text };
    let mut all = Vec::new();
    loop {
        match tokens.peek() {
            "" => return Ok(all),
            first if is_symbol(first) && first != "!" => {
                return Err(format!(
                    "found '{first}', expected: !, identifier, or 'end of string'"
                ));
            }
            _ => {}
        }
        let one = requirement(&mut tokens);
        all.push(one.map_err(|why| format!("unable to parse requirement: {why}"))?);
        match tokens.next() {
            "" => return Ok(all),
            "," => {
                let after = tokens.peek();
                if after.is_empty() || is_symbol(after) && after != "!" {
                    return Err(format!("found '{after}', expected: identifier after ','"));
                }
            }
            other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
        }
    }
}

/// What is not read yet.
struct Tokens<'a> {
    rest: &'a str,
}

const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];

fn is_symbol(token: &str) -> bool {
    SYMBOLS.contains(&token)
}

impl<'a> Tokens<'a> {
    /// The next token, and what comes after it; an empty one at the end.
    fn split(&self) -> (&'a str, &'a str) {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let symbol = SYMBOLS.iter().find(|it| rest.starts_with(**it));
        let length = match symbol {
            Some(symbol) => symbol.len(),
            None => rest
                .find([' ', '\t', '\r', '\n', '!', '=', '(', ')', ',', '>', '<'])
                .unwrap_or(rest.len()),
        };
        rest.split_at(length)
    }

    fn peek(&self) -> &'a str {
        self.split().0
    }

    fn next(&mut self) -> &'a str {
        let (token, rest) = self.split();
        self.rest = rest;
        token
    }
}

fn requirement(tokens: &mut Tokens<'_>) -> Result<Requirement, String> {
    let mut key = tokens.next();
    let absent = key == "!";
    if absent {
        key = tokens.next();
    }
    if key.is_empty() || is_symbol(key) {
        return Err(format!("found '{key}', expected: identifier"));
    }
    if !is_valid(key) {
        return Err(format!("<nil>: Invalid value: \"{key}\": {KEY}"));
    }
    let key = key.to_owned();
    if absent {
        return Ok(Requirement::Absent(key));
    }
    if matches!(tokens.peek(), "" | ",") {
        return Ok(Requirement::Exists(key));
    }
    match tokens.next() {
        "in" => Ok(Requirement::In(key, values(tokens)?)),
        "notin" => Ok(Requirement::NotIn(key, values(tokens)?)),
        "=" | "==" => Ok(Requirement::In(key, vec![value(tokens)?])),
        "!=" => Ok(Requirement::NotIn(key, vec![value(tokens)?])),
        ">" => Ok(Requirement::Greater(key, number(tokens)?)),
        "<" => Ok(Requirement::Less(key, number(tokens)?)),
        other => Err(format!("found '{other}', expected: {OPERATORS}")),
    }
}

/// One value, which may be empty.
fn value(tokens: &mut Tokens<'_>) -> Result<String, String> {
    if matches!(tokens.peek(), "" | ",") {
        return Ok(String::new());
    }
    match tokens.next() {
        symbol if is_symbol(symbol) => Err(format!("found '{symbol}', expected: identifier")),
        value => Ok(value.to_owned()),
    }
}

fn number(tokens: &mut Tokens<'_>) -> Result<i64, String> {
    let value = value(tokens)?;
    let number = value.parse();
    number.map_err(|_| format!("values[0]: Invalid value: \"{value}\": {NUMBER}"))
}

/// Values in parentheses. Between two commas stands an empty one.
fn values(tokens: &mut Tokens<'_>) -> Result<Vec<String>, String> {
    let open = tokens.next();
    if open != "(" {
        return Err(format!("found '{open}' expected: '('"));
    }
    let mut all = Vec::new();
    let mut expects_value = true;
    loop {
        match tokens.next() {
            ")" => {
                if expects_value {
                    all.push(String::new());
                }
                return Ok(all);
            }
            "," => {
                if expects_value {
                    all.push(String::new());
                }
                expects_value = true;
            }
            other if other.is_empty() || is_symbol(other) || !expects_value => {
                let expected = if expects_value {
                    "',', or identifier"
                } else {
                    "',' or ')'"
                };
                return Err(format!("found '{other}', expected: {expected}"));
            }
            value => {
                all.push(value.to_owned());
                expects_value = false;
            }
        }
    }
}

/// Whether it is a label's key, but for its length.
fn is_valid(key: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let ends = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
    let inside = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.' | '/');
    ends(name.chars().next()) && ends(name.chars().last()) && key.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_selector_is_read() {
        for (text, read) in [
            ("", 0),
            ("app=web", 1),
            ("app==web,tier!=back", 2),
            ("app in (a, b),!beta, gamma ,n>3,m < 4", 5),
            ("app notin (a),in=notin", 2),
            ("app=,b=c", 2),
            ("app in (a,,b)", 1),
            ("app in ()", 1),
        ] {
            let found = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(found.len(), read, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told_as_the_server_tells_it() {
        for (text, why) in [
            (
                "==",
                "found '==', expected: !, identifier, or 'end of string'",
            ),
            (
                "app web",
                "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "app in web",
                "unable to parse requirement: found 'web' expected: '('",
            ),
            ("app=a b", "found 'b', expected: ',' or 'end of string'"),
            ("app=a,", "found '', expected: identifier after ','"),
            (
                "!=a",
                "found '!=', expected: !, identifier, or 'end of string'",
            ),
            (
                "!",
                "unable to parse requirement: found '', expected: identifier",
            ),
            (
                "app in (a b)",
                "unable to parse requirement: found 'b', expected: ',' or ')'",
            ),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
        let bad = parse("-a=b").expect_err("a key");
        assert!(
            bad.starts_with(
                "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must"
            ),
            "{bad}"
        );
    }
}
