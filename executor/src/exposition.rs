//! The Prometheus text format, as far as steps read it: `*_build_info` metrics and counters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::baseline::Build;

/// Every metric whose name ends in `_build_info` and whose value is 1, with its labels.
pub(crate) fn builds(text: &str) -> Build {
    text.lines().filter_map(build).collect()
}

fn build(line: &str) -> Option<(String, BTreeMap<String, String>)> {
    let line = line.trim();
    let (name, rest) = line.split_once('{')?;
    if line.starts_with('#') || !name.ends_with("_build_info") {
        return None;
    }
    let (labels, rest) = labels(rest)?;
    let value = rest.split_whitespace().next()?;
    (value.parse::<f64>() == Ok(1.0)).then(|| (name.to_owned(), labels))
}

/// A counter by name and labels, written as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Metric.
    pub name: String,
    /// Labels that must have these values; others may stand beside them.
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// `NAME` or `NAME{LABEL="VALUE",…}`; `None` if it is anything else, a pattern for instance.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, labels) = match text.split_once('{') {
            None => (text, BTreeMap::new()),
            Some((name, rest)) => match labels(rest)? {
                (labels, "") => (name, labels),
                _ => return None,
            },
        };
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let good = is_name(name) && labels.keys().all(|label| is_name(label));
        good.then(|| Self {
            name: name.to_owned(),
            labels,
        })
    }

    /// The sum over a page; `None` if the page has no such series, or one without a number.
    pub(crate) fn sum(&self, page: &str) -> Option<f64> {
        let mut values = page.lines().filter_map(|line| self.value(line)).peekable();
        values.peek()?;
        values.sum()
    }

    /// The value in a line of this series, `Some(None)` if it can't be read; `None` for any other line.
    fn value(&self, line: &str) -> Option<Option<f64>> {
        let rest = line.trim().strip_prefix(self.name.as_str())?;
        let (have, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None if rest.starts_with(char::is_whitespace) => (BTreeMap::new(), rest),
            None => return None,
        };
        let wanted = self
            .labels
            .iter()
            .all(|(label, value)| have.get(label) == Some(value));
        let value = rest
            .split_whitespace()
            .next()
            .and_then(|it| it.parse().ok());
        wanted.then_some(value.filter(|value: &f64| value.is_finite()))
    }
}

impl std::fmt::Display for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (n, (label, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{label}={value:?}", if n == 0 { '{' } else { ',' })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

/// Labels up to the closing brace, and what follows it. Values escape `\\`, `\"` and `\n`.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        rest = loop {
            let (at, c) = chars.next()?;
            match c {
                '"' => break &after[at + 1..],
                '\\' => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        };
        labels.insert(name.trim().to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::{Series, builds};

    #[test]
    fn finds_builds_among_other_metrics() {
        let text = "# HELP dex_build_info {} 1\n# TYPE dex_build_info gauge\n\
            dex_build_info{version=\"1.4.2\",revision=\"a\\\"}b\"} 1\n\
            old_build_info{version=\"0\"} 0\nother{version=\"1\"} 1\nx_build_info 1\n";
        let found = builds(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found["dex_build_info"]["version"], "1.4.2");
        assert_eq!(found["dex_build_info"]["revision"], "a\"}b");
    }

    #[test]
    fn a_counter_is_summed_over_what_its_labels_name() {
        let page = "# TYPE n_total counter\nn_total{code=\"503\",halt=\"true\"} 3\nn_total{code=\"503\",halt=\"false\"} 5\n\
            n_total{code=\"200\",halt=\"false\"} 1e2 1700000000\nn_total_other{code=\"503\"} 9\nplain 7\nbad{code=\"503\"} x\n";
        let sum = |series: &str| Series::parse(series).expect(series).sum(page);
        assert_eq!(sum("n_total"), Some(108.0));
        assert_eq!(sum(r#"n_total{code="503"}"#), Some(8.0));
        assert_eq!(sum(r#"n_total{code="503",halt="true"}"#), Some(3.0));
        assert_eq!(sum("plain"), Some(7.0));
        assert_eq!(sum(r#"n_total{code="404"}"#), None, "absent is not zero");
        assert_eq!(sum("bad"), None, "nor is what can't be read");
    }

    #[test]
    fn a_pattern_is_no_series() {
        for text in [
            "",
            "n.*",
            "n_total{",
            r#"n_total{code="503"} 3"#,
            r#"{code="503"}"#,
            r#"n_total{code=~"5.."}"#,
            "a b",
        ] {
            assert_eq!(Series::parse(text), None, "{text}");
        }
        let text = r#"n_total{code="503",halt="true"}"#;
        assert_eq!(
            Series::parse(text).map(|it| it.to_string()).as_deref(),
            Some(text)
        );
    }

    #[test]
    fn a_truncated_line_is_no_build() {
        assert!(builds("dex_build_info{version=\"1.4").is_empty());
        assert!(builds("dex_build_info{version=\"1.4\"").is_empty());
    }
}
