//! Label matchers: `=`, `!=`, `=~`, `!~`, with the anchored regular expressions of Prometheus.

use regex::Regex;

use super::labels::{Labels, NAME};
use crate::guard::outside;

/// What a matcher demands of a label's value.
#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    NotEqual(String),
    Match(Regex),
    NoMatch(Regex),
}

/// One condition on one label. An absent label has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Name of the label.
    pub label: String,
    test: Test,
}

/// Compiles `pattern` as Prometheus and Loki do for label values: anchored at both ends,
/// and `.` also matches a newline.
///
/// # Errors
/// The pattern is no regular expression.
pub fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    outside(|| Regex::new(&format!("^(?s:{pattern})$")))
}

/// Does the expression match? The regex engine's caches are hash maps, which ask for random keys;
/// no result depends on them.
pub(crate) fn is_match(regex: &Regex, text: &str) -> bool {
    outside(|| regex.is_match(text))
}

impl Matcher {
    /// A matcher from its operator as written in a query.
    ///
    /// # Errors
    /// An unknown operator, or a value that is no regular expression.
    pub fn new(label: &str, op: &str, value: &str) -> Result<Self, String> {
        let regex = || anchored(value).map_err(|_| format!("invalid regular expression {value:?}"));
        let test = match op {
            "=" => Test::Equal(value.to_owned()),
            "!=" => Test::NotEqual(value.to_owned()),
            "=~" => Test::Match(regex()?),
            "!~" => Test::NoMatch(regex()?),
            _ => return Err(format!("unknown matcher {op:?}")),
        };
        Ok(Self {
            label: label.to_owned(),
            test,
        })
    }

    /// A matcher on a pattern that somebody else has compiled (already anchored).
    #[must_use]
    pub(crate) fn with_regex(label: &str, negated: bool, regex: Regex) -> Self {
        Self {
            label: label.to_owned(),
            test: if negated {
                Test::NoMatch(regex)
            } else {
                Test::Match(regex)
            },
        }
    }

    /// Does a label with this value satisfy the matcher?
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(v) => v == value,
            Test::NotEqual(v) => v != value,
            Test::Match(r) => is_match(r, value),
            Test::NoMatch(r) => !is_match(r, value),
        }
    }

    /// The value, if the matcher is an equality.
    #[must_use]
    pub fn equal_to(&self) -> Option<&str> {
        match &self.test {
            Test::Equal(v) => Some(v),
            _ => None,
        }
    }
}

/// Do all matchers accept the label set?
#[must_use]
pub fn accepts(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| m.matches(labels.get(&m.label)))
}

/// The metric name that the matchers pin down, if they do.
#[must_use]
pub fn pinned_name(matchers: &[Matcher]) -> Option<&str> {
    matchers
        .iter()
        .filter(|m| m.label == NAME)
        .find_map(Matcher::equal_to)
}

#[cfg(test)]
mod tests {
    use super::Matcher;

    #[test]
    fn regular_expressions_are_anchored_and_absent_labels_are_empty() {
        let table = [
            ("=", "a", "a", true),
            ("=", "", "", true),
            ("!=", "a", "", true),
            ("=~", "ga.*", "gateway", true),
            ("=~", "gate", "gateway", false),
            ("=~", "way", "gateway", false),
            ("=~", "a|b", "b", true),
            ("=~", "a|b", "ab", false),
            ("=~", ".*", "", true),
            ("=~", ".+", "", false),
            ("=~", "a.b", "a\nb", true),
            ("!~", "5..", "503", false),
            ("!~", "5..", "200", true),
        ];
        for (op, pattern, value, expected) in table {
            let m = Matcher::new("l", op, pattern).unwrap();
            assert_eq!(m.matches(value), expected, "{value:?} {op} {pattern:?}");
        }
        assert!(Matcher::new("l", "=~", "(").is_err());
    }
}
