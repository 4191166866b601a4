//! What names, labels and ports may look like (`apimachinery/pkg/util/validation/validation.go`,
//! `apimachinery/pkg/api/validation/path/name.go`). Each rule answers with everything that is wrong with a text, in the
//! words of the server; with nothing where it is right.

use super::field_errors::regex_error;

/// Longest label, value of a label, or name of one, bytes (`LabelValueMaxLength`, `DNS1123LabelMaxLength`).
const LABEL_MAX: usize = 63;
/// Longest subdomain, bytes (`DNS1123SubdomainMaxLength`).
pub(super) const SUBDOMAIN_MAX: usize = 253;
/// Longest name of a port, bytes.
const PORT_NAME_MAX: usize = 15;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const CONSISTS: &str = "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

pub(super) fn too_long(most: usize) -> String {
    format!("must be no more than {most} characters")
}

/// Whether there is something, it begins and ends with what `edge` takes, and all of it is that or `inside`.
fn is_made_of(text: &str, edge: impl Fn(char) -> bool, inside: &[char]) -> bool {
    text.starts_with(&edge)
        && text.ends_with(&edge)
        && text.chars().all(|c| edge(c) || inside.contains(&c))
}

fn lowercase(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    is_made_of(text, lowercase, &['-'])
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_qualified(text: &str) -> bool {
    is_made_of(text, |c| c.is_ascii_alphanumeric(), &['-', '_', '.'])
}

/// `IsDNS1123Label`.
pub(super) fn label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX {
        wrong.push(too_long(LABEL_MAX));
    }
    if is_label(text) {
        return wrong;
    }
    wrong.push(if is_subdomain(text) {
        "must not contain dots".to_owned()
    } else {
        regex_error(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            &["my-name", "123-abc"],
            LABEL,
        )
    });
    wrong
}

/// `IsDNS1035Label`.
pub(super) fn label_that_begins_with_a_letter(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX {
        wrong.push(too_long(LABEL_MAX));
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        wrong.push(regex_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            &["my-name", "abc-123"],
            "[a-z]([-a-z0-9]*[a-z0-9])?",
        ));
    }
    wrong
}

/// `IsDNS1123Subdomain`.
pub(super) fn subdomain(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        wrong.push(too_long(SUBDOMAIN_MAX));
    }
    if !is_subdomain(text) {
        wrong.push(regex_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            &["example.com"],
            SUBDOMAIN,
        ));
    }
    wrong
}

/// `IsWildcardDNS1123Subdomain`.
pub(super) fn wildcard(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        wrong.push(too_long(SUBDOMAIN_MAX));
    }
    if !text.strip_prefix("*.").is_some_and(is_subdomain) {
        wrong.push(regex_error(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &["*.example.com"],
            &format!(r"\*\.{SUBDOMAIN}"),
        ));
    }
    wrong
}

/// `IsQualifiedName`: the name of a label, an annotation or a resource.
pub(super) fn qualified(text: &str) -> Vec<String> {
    let must = || {
        regex_error(
            &format!("must {CONSISTS}"),
            &["MyName", "my.name", "123-abc"],
            QUALIFIED,
        )
    };
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, rest)) if rest.contains('/') => {
            return vec![format!(
                "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                must()
            )];
        }
        Some(("", name)) => {
            wrong.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            let of_prefix = subdomain(prefix).into_iter();
            wrong.extend(of_prefix.map(|why| format!("prefix part {why}")));
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        wrong.push(format!("name part {}", too_long(LABEL_MAX)));
    }
    if !is_qualified(name) {
        wrong.push(format!("name part {}", must()));
    }
    wrong
}

/// `IsValidLabelValue`.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > LABEL_MAX {
        wrong.push(too_long(LABEL_MAX));
    }
    if !text.is_empty() && !is_qualified(text) {
        wrong.push(regex_error(
            &format!("a valid label must be an empty string or {CONSISTS}"),
            &["MyValue", "my_value", "12345"],
            &format!("({QUALIFIED})?"),
        ));
    }
    wrong
}

/// `IsValidPortName`.
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > PORT_NAME_MAX {
        wrong.push(too_long(PORT_NAME_MAX));
    }
    if text.is_empty() || !text.chars().all(|c| lowercase(c) || c == '-') {
        wrong.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !text.contains(|c: char| c.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// `IsValidPortNum`.
pub(super) fn port_number(number: i64) -> Vec<String> {
    if (1..=65_535).contains(&number) {
        Vec::new()
    } else {
        vec!["must be between 1 and 65535, inclusive".to_owned()]
    }
}

/// `IsRelaxedEnvVarName`, which is what 1.34 goes by (`RelaxedEnvironmentVariableValidation`).
pub(super) fn variable(text: &str) -> Vec<String> {
    let printable = |c: char| matches!(c, ' '..='~') && c != '=';
    if text.is_empty() {
        vec!["environment variable name must be non-empty".to_owned()]
    } else if !text.chars().all(printable) {
        vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
    } else {
        Vec::new()
    }
}

/// `IsConfigMapKey`.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut wrong = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        wrong.push(too_long(SUBDOMAIN_MAX));
    }
    if text.is_empty() || !text.chars().all(part) {
        wrong.push(regex_error(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            &["key.name", "KEY_NAME", "key-name"],
            "[-._a-zA-Z0-9]+",
        ));
    }
    match text {
        "." | ".." => wrong.push(format!("must not be '{text}'")),
        _ if text.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// `IsHTTPHeaderName`.
pub(super) fn header(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !text.is_empty() && text.chars().all(part) {
        return Vec::new();
    }
    vec![regex_error(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        &["X-Header-Name"],
        "[-A-Za-z0-9]+",
    )]
}

/// `IsValidPathSegmentName`.
pub(super) fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    let unfit = ["/", "%"].into_iter().filter(|part| text.contains(part));
    unfit
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_what_the_server_takes_and_refuses_what_it_refuses() {
        type Rule = fn(&str) -> Vec<String>;
        let long = "a".repeat(64);
        let longest = "a".repeat(63);
        let rules: [(Rule, &[&str], &[&str]); 9] = [
            (
                label,
                &["a", "0-a", &longest],
                &["", "A", "-a", "a-", "a.b", "a_b", &long],
            ),
            (
                label_that_begins_with_a_letter,
                &["a", "a-0"],
                &["", "0a", "a.b", "A", "a-", &long],
            ),
            (
                subdomain,
                &["a", "a.b-c.0"],
                &["", "a..b", ".a", "a.", "a.-b", "a_b", "Ä"],
            ),
            (
                qualified,
                &["a", "A_b.c", "example.com/A-b"],
                &["", "/a", "a/", "a/b/c", "A.com/b", "a b", "-a", &long],
            ),
            (
                label_value,
                &["", "A_b.c-0"],
                &["a b", "a/b", "-a", "a.", &long],
            ),
            (
                port_name,
                &["http", "web-2", "2a"],
                &[
                    "",
                    "Http",
                    "80",
                    "a--b",
                    "-a",
                    "a-",
                    "a-name-too-long-for-it",
                ],
            ),
            (variable, &["A", "1 b.c"], &["", "A=B", "Ä", "a\tb"]),
            (
                config_key,
                &["a.b", "A_b-c", ".a"],
                &["", "a/b", ".", "..", "..a", "a b"],
            ),
            (
                path_segment,
                &["system:node", "a.b"],
                &[".", "..", "a/b", "a%b"],
            ),
        ];
        for (nth, (rule, right, wrong)) in rules.into_iter().enumerate() {
            for text in right {
                assert_eq!(rule(text), Vec::<String>::new(), "rule {nth}: {text:?}");
            }
            for text in wrong {
                assert!(!rule(text).is_empty(), "rule {nth}: {text:?}");
            }
        }
        assert_eq!(label("a.b"), ["must not contain dots"]);
        for (number, right) in [(0, false), (1, true), (65_535, true), (65_536, false)] {
            assert_eq!(port_number(number).is_empty(), right, "{number}");
        }
    }
}
