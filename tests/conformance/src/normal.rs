//! What does not count in an answer.

use regex::Regex;

use crate::session::Answer;
use crate::versions::{self, Rule};

/// The letters of names that a server makes up (`k8s.io/apimachinery/pkg/util/rand`).
const LETTERS: &str = "[bcdfghjklmnpqrstvwxz2456789]";
/// Those of them that the hash of a template can have: it is a number whose digits are written so.
const DIGITS: &str = "[456789bcdf]";

/// Replaces what differs from run to run by names.
pub struct Normal {
    rules: Vec<(Regex, &'static str)>,
    /// How commands begin whose lines come in any order.
    unordered: Vec<&'static str>,
}

impl Normal {
    /// For a cluster with these `nodes`, whose API server is at `server`, and a kubectl of version 1.`minor`. What an
    /// older one prints otherwise ([`versions`]) does not count for it.
    ///
    /// # Panics
    /// If a rule is no regular expression; a test of this module makes them all.
    #[must_use]
    pub fn new(server: &str, nodes: &[String], minor: u32) -> Self {
        let literal = |text: &str| regex::escape(text);
        let mut rules = vec![(literal(server), "SERVER")];
        rules.retain(|(rule, _)| !rule.is_empty());
        rules.extend(
            nodes
                .iter()
                .map(|node| (format!(r"\b{}\b", literal(node)), "NODE")),
        );
        rules.extend([
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".to_owned(),
                "UID",
            ),
            (
                r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b".to_owned(),
                "TIME",
            ),
            (
                r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}".to_owned(),
                "TIME",
            ),
            (r"\b\d{1,3}(\.\d{1,3}){3}\b".to_owned(), "ADDRESS"),
            (format!(r"-{DIGITS}{{7,10}}-{LETTERS}{{5}}\b"), "-HASH-POD"),
            (format!(r"-{DIGITS}{{7,10}}\b"), "-HASH"),
            (
                format!(r"pod-template-hash([=:] ?){DIGITS}{{7,10}}\b"),
                "pod-template-hash${1}HASH",
            ),
            (
                r"(containerd|docker-pullable)://\S+".to_owned(),
                "CONTAINER",
            ),
            (r"\bsha256:[0-9a-f]{64}\b".to_owned(), "DIGEST"),
            (
                r#"(?i)(resource ?version"?: )"?\d+"?"#.to_owned(),
                "${1}VERSION",
            ),
            // Events of the same kind are counted, and come again as long as somebody waits.
            (r"\(x\d+ over \S+\)".to_owned(), ""),
            (r"\b\d+(y|d|h|m|s)(\d+(d|h|m|s))?\b".to_owned(), "AGE"),
            (r"<unknown>|<invalid>".to_owned(), "AGE"),
            (r"\bv1\.34\.\d+\b".to_owned(), "v1.34"),
        ]);
        let mut unordered = Vec::new();
        for rule in versions::rules(minor) {
            match rule {
                Rule::Lacks(line) => rules.push((line.to_owned(), "$1")),
                Rule::AnyOrder(command) => unordered.push(command),
            }
        }
        let rules = rules.into_iter().map(|(rule, name)| {
            let rule = Regex::new(&rule).unwrap_or_else(|error| panic!("{error}"));
            (rule, name)
        });
        Self {
            rules: rules.collect(),
            unordered,
        }
    }

    /// What counts of an answer to `command`; only its last line if `last_only`.
    #[must_use]
    pub fn answer(&self, command: &str, answer: &Answer, last_only: bool) -> Answer {
        let in_order = !self.unordered.iter().any(|it| command.starts_with(it));
        let lines = |lines: &[String]| {
            let lines = lines.iter().map(|line| self.line(line));
            let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
            if last_only && lines.len() > 1 {
                lines.drain(..lines.len() - 1);
            }
            if !in_order {
                lines.sort();
            }
            lines
        };
        Answer {
            output: lines(&answer.output),
            errors: lines(&answer.errors),
            code: answer.code,
        }
    }

    fn line(&self, line: &str) -> String {
        let mut line = line.replace('\t', "  ");
        for (rule, name) in &self.rules {
            if rule.is_match(&line) {
                line = rule.replace_all(&line, *name).into_owned();
            }
        }
        let indent = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(indent);
        format!("{indent}{}", narrow(rest.trim_end()))
    }
}

/// Columns stand two spaces apart: their width goes by names and ages.
fn narrow(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut spaces = 0;
    for letter in line.chars() {
        spaces = if letter == ' ' { spaces + 1 } else { 0 };
        if spaces <= 2 {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Normal;
    use crate::session::Answer;

    fn line(text: &str) -> String {
        let normal = Normal::new("http://127.0.0.1:4711/secret", &["node-1".to_owned()], 34);
        normal.line(text)
    }

    #[test]
    fn what_differs_from_run_to_run_is_gone() {
        for (text, normal) in [
            (
                "web-6d4b75cb6d-x7k2p   1/1     Running   0          2m3s",
                "web-HASH-POD  1/1  Running  0  AGE",
            ),
            (
                "NewReplicaSet:   web-7b9f8c6d45 (3/3 replicas created)",
                "NewReplicaSet:  web-HASH (3/3 replicas created)",
            ),
            (
                "    pod-template-hash: 6d4b75cb6d",
                "    pod-template-hash: HASH",
            ),
            (
                "app=web,pod-template-hash=6d4b75cb6d",
                "app=web,pod-template-hash=HASH",
            ),
            ("  resourceVersion: \"4711\"", "  resourceVersion: VERSION"),
            (
                "  creationTimestamp: \"2025-12-01T06:36:35Z\"",
                "  creationTimestamp: \"TIME\"",
            ),
            (
                "kubernetes  ClusterIP  10.96.0.1  443/TCP",
                "kubernetes  ClusterIP  ADDRESS  443/TCP",
            ),
            ("Node:  node-1/172.18.0.2", "Node:  NODE/ADDRESS"),
            ("at http://127.0.0.1:4711/secret", "at SERVER"),
            ("deployment.apps/web created", "deployment.apps/web created"),
        ] {
            assert_eq!(line(text), normal);
        }
    }

    #[test]
    fn only_the_last_line_counts_where_it_is_said_so() {
        let answer = Answer {
            output: vec!["a".to_owned(), String::new(), "b".to_owned()],
            ..Answer::default()
        };
        let normal = Normal::new("", &[], 34);
        assert_eq!(normal.answer("", &answer, false).output, ["a", "b"]);
        assert_eq!(normal.answer("", &answer, true).output, ["b"]);
    }

    #[test]
    fn what_an_older_kubectl_does_not_print_does_not_count_for_it() {
        for (newer, older) in [
            ("    Port:  8080/TCP (http)", "    Port:  8080/TCP"),
            ("    Host Port:  0/TCP (http)", "    Host Port:  0/TCP"),
            (
                "pod \"lone\" deleted from conformance namespace",
                "pod \"lone\" deleted",
            ),
        ] {
            assert_eq!(Normal::new("", &[], 33).line(newer), older);
            assert_eq!(Normal::new("", &[], 34).line(newer), newer);
        }
    }

    #[test]
    fn an_older_kubectl_may_describe_the_keys_of_a_config_map_in_any_order() {
        let answer = Answer {
            output: vec!["b".to_owned(), "a".to_owned()],
            ..Answer::default()
        };
        let lines = |command, minor| {
            let normal = Normal::new("", &[], minor);
            normal.answer(command, &answer, false).output
        };
        assert_eq!(lines("kubectl describe configmap c", 33), ["a", "b"]);
        assert_eq!(lines("kubectl describe configmap c", 34), ["b", "a"]);
        assert_eq!(lines("kubectl get pods", 33), ["b", "a"]);
    }
}
