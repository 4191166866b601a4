//! The streams that a LogQL query reads: its first selector, such as `{app="web", level=~"error|fatal"}`
//! (Loki, "Log queries", "Log stream selector").

use std::fmt;

use regex::Regex;

/// A stream selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) label: String,
    pub(crate) operator: Operator,
    pub(crate) value: String,
}

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Matches,
    Differs,
}

impl Operator {
    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::Differs => "!~",
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, matcher) in self.matchers.iter().enumerate() {
            let before = if n == 0 { "" } else { ", " };
            let value = matcher.value.replace('\\', "\\\\").replace('"', "\\\"");
            let value = value.replace('\n', "\\n").replace('\t', "\\t");
            let operator = matcher.operator.as_str();
            write!(f, "{before}{}{operator}\"{value}\"", matcher.label)?;
        }
        f.write_str("}")
    }
}

impl Selector {
    /// The first selector of `query`, and what follows it; `None` if there is none or it is broken.
    pub(crate) fn first_of(query: &str) -> Option<(Self, &str)> {
        let mut rest = &query[opening(query)? + 1..];
        let mut matchers = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return Some((Self { matchers }, after));
            }
            let (matcher, after) = matcher(rest)?;
            matchers.push(matcher);
            rest = after.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None if rest.starts_with('}') => {}
                None => return None,
            }
        }
    }

    /// The same streams, of whatever level.
    pub(crate) fn of_any_level(&self) -> Self {
        let mut matchers = self.matchers.clone();
        matchers.retain(|matcher| matcher.label != "level");
        Self { matchers }
    }

    /// Whether the streams of a thing with these labels are selected. A label that `value` does not know is not looked
    /// at.
    pub(crate) fn accepts(&self, value: impl Fn(&str) -> Option<String>) -> bool {
        self.matchers
            .iter()
            .all(|matcher| value(&matcher.label).is_none_or(|value| matcher.accepts(&value)))
    }
}

impl Matcher {
    fn accepts(&self, value: &str) -> bool {
        // Expressions match the whole value.
        let matches = || {
            let whole = format!("^(?:{})$", self.value);
            // One that can't be read excludes nobody: Loki refuses the query.
            Regex::new(&whole).map_or(true, |it| it.is_match(value))
        };
        match self.operator {
            Operator::Equal => self.value == value,
            Operator::NotEqual => self.value != value,
            Operator::Matches => matches(),
            Operator::Differs => !matches(),
        }
    }
}

/// Where the first `{` outside of quotes is.
fn opening(query: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(c) = query[at..].chars().next() {
        match c {
            '{' => return Some(at),
            '"' | '`' => at = query.len() - quoted(&query[at..])?.1.len(),
            other => at += other.len_utf8(),
        }
    }
    None
}

fn matcher(text: &str) -> Option<(Matcher, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    let (label, rest) = text.split_at(end);
    if !label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let rest = rest.trim_start();
    let (operator, rest) = [
        Operator::Matches,
        Operator::Differs,
        Operator::NotEqual,
        Operator::Equal,
    ]
    .into_iter()
    .find_map(|it| Some((it, rest.strip_prefix(it.as_str())?)))?;
    let (value, rest) = quoted(rest.trim_start())?;
    let matcher = Matcher {
        label: label.to_owned(),
        operator,
        value,
    };
    Some((matcher, rest))
}

/// A string as Go writes it, in double quotes or back quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix('`') {
        let (value, rest) = rest.split_once('`')?;
        return Some((value.to_owned(), rest));
    }
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    loop {
        let (at, c) = chars.next()?;
        match c {
            '"' => return Some((value, &inner[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other @ ('"' | '\\' | '\'') => other,
                // Others are rare, and a wrong guess would select other streams.
                _ => return None,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;

    fn any_level(query: &str) -> Option<String> {
        Selector::first_of(query).map(|(selector, _)| selector.of_any_level().to_string())
    }

    #[test]
    fn the_level_is_left_out_and_nothing_else() {
        for (query, streams) in [
            (
                r#"sum(count_over_time({namespace="a", app="gateway", level="error"}[$WINDOW]))"#,
                r#"{namespace="a", app="gateway"}"#,
            ),
            (
                r#"count_over_time({level_of="a,b",app=~"x|y}", level!="info"} |= "}" [5m])"#,
                r#"{level_of="a,b", app=~"x|y}"}"#,
            ),
            (
                "rate({ app = `a\"b` , levels!~\"x\" , }[1m])",
                r#"{app="a\"b", levels!~"x"}"#,
            ),
            (
                r#"label_replace(rate({app="a\\b"}[1m]), "x", "{y}", "z", "")"#,
                r#"{app="a\\b"}"#,
            ),
            (r#"count_over_time({level="error"}[5m])"#, "{}"),
        ] {
            assert_eq!(any_level(query).as_deref(), Some(streams), "{query}");
        }
        for query in [
            "up",
            r#"{app="a"#,
            r#"{app="a" b="c"}"#,
            r#"{app==" "}"#,
            r#"{1a="b"}"#,
        ] {
            assert_eq!(any_level(query), None, "{query}");
        }
    }

    #[test]
    fn it_says_whose_streams_it_selects() {
        let accepts = |query: &str| {
            let (selector, _) = Selector::first_of(query).expect(query);
            selector.accepts(|label| match label {
                "app" => Some("gateway".to_owned()),
                "namespace" => Some("dex".to_owned()),
                _ => None,
            })
        };
        for query in [
            r#"{app="gateway"}"#,
            r#"{app=~"gate.*|risk", container="main"}"#,
            r#"{app!="risk", namespace!~"test-.*"}"#,
        ] {
            assert!(accepts(query), "{query}");
        }
        for query in [
            r#"{app="risk"}"#,
            r#"{app=~"gate"}"#,
            r#"{namespace!="dex"}"#,
        ] {
            assert!(!accepts(query), "{query}");
        }
    }
}
