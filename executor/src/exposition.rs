//! `*_build_info` metrics in the Prometheus text format.

use std::collections::BTreeMap;

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
    use super::builds;

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
    fn a_truncated_line_is_no_build() {
        assert!(builds("dex_build_info{version=\"1.4").is_empty());
        assert!(builds("dex_build_info{version=\"1.4\"").is_empty());
    }
}
