//! What is unwise in a query: a namespace that is not the front matter's, the rate of a sum, the rate of two samples.

use promql::ast::Expr;
use promql::walk;

use crate::runbook::query::filled_in;
use crate::steps::streams::Selector;

/// What is unwise, with the part of the query that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unwise {
    /// It selects the series or streams of another namespace.
    Namespace(String),
    /// It takes the rate, by this function, of what was added up first.
    RateOfSum(&'static str),
    /// It looks at the last two samples only, by this function.
    TwoSamples(&'static str),
}

/// What is unwise in PromQL.
pub(super) fn of_promql(query: &str, namespace: &str) -> Vec<Unwise> {
    let mut found = Vec::new();
    let filled = filled_in(&query.replace("$NAMESPACE", namespace));
    if let Ok(parsed) = promql::parse(&filled) {
        walk(&parsed, &mut |expr| look(expr, namespace, &mut found));
    }
    found
}

/// What is unwise in LogQL.
pub(super) fn of_logql(query: &str, namespace: &str) -> Vec<Unwise> {
    let mut found = Vec::new();
    let query = query.replace("$NAMESPACE", namespace);
    let mut rest = query.as_str();
    while let Some((selector, after)) = Selector::first_of(rest) {
        let is_known = |label: &str| (label == "namespace").then(|| namespace.to_owned());
        if !selector.accepts(is_known) {
            let others = selector
                .matchers
                .iter()
                .filter(|it| it.label == "namespace");
            for matcher in others {
                add(&mut found, Unwise::Namespace(matcher.value.clone()));
            }
        }
        rest = after;
    }
    found
}

fn look(expr: &Expr, namespace: &str, found: &mut Vec<Unwise>) {
    match expr {
        Expr::VectorSelector(it) => {
            let all = it.matchers.matchers.iter();
            for matcher in all.chain(it.matchers.or_matchers.iter().flatten()) {
                if matcher.name == "namespace" && !matcher.is_match(namespace) {
                    add(found, Unwise::Namespace(matcher.value.clone()));
                }
            }
        }
        Expr::Call(call) => match call.func.name {
            name @ ("rate" | "increase" | "irate") if call.args.args.iter().any(|it| adds(it)) => {
                add(found, Unwise::RateOfSum(name));
            }
            name @ ("irate" | "idelta") => add(found, Unwise::TwoSamples(name)),
            _ => {}
        },
        _ => {}
    }
}

fn add(found: &mut Vec<Unwise>, unwise: Unwise) {
    if !found.contains(&unwise) {
        found.push(unwise);
    }
}

/// Whether it is a subquery over several series that are made one.
fn adds(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(it) => adds(&it.expr),
        Expr::Subquery(it) => {
            let mut found = false;
            walk(&it.expr, &mut |expr| {
                found |= matches!(expr, Expr::Aggregate(_));
            });
            found
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Unwise, of_logql, of_promql};

    #[test]
    fn other_namespaces_are_found_and_patterns_that_match_are_not() {
        let other = |name: &str| vec![Unwise::Namespace(name.to_owned())];
        for (query, expected) in [
            ("up", vec![]),
            (r#"up{namespace="web"}"#, vec![]),
            (r#"up{namespace="$NAMESPACE"}"#, vec![]),
            (r#"up{namespace=~"we.|other"}"#, vec![]),
            (r#"up{namespace!="other"}"#, vec![]),
            (r#"up{app="dx"}"#, vec![]),
            (
                r#"sum(rate(x{namespace="dx"}[1m])) / sum(rate(x{namespace="dx"}[1m]))"#,
                other("dx"),
            ),
            (r#"max_over_time(sum(x{namespace="dx"})[5m:])"#, other("dx")),
            (r#"up{namespace=~"we"}"#, other("we")),
            (r#"up{a="b" or namespace="dx"}"#, other("dx")),
        ] {
            assert_eq!(of_promql(query, "web"), expected, "{query}");
        }
        for (query, expected) in [
            (r#"rate({app="a"}[1m])"#, vec![]),
            (r#"rate({namespace="web"}[1m])"#, vec![]),
            (r#"rate({namespace="$NAMESPACE"}[1m])"#, vec![]),
            (r#"rate({namespace="dx"} |= "x" [1m])"#, other("dx")),
            (
                r#"rate({app="a"}[1m]) / rate({namespace=~"d"}[1m])"#,
                other("d"),
            ),
        ] {
            assert_eq!(of_logql(query, "web"), expected, "{query}");
        }
    }

    #[test]
    fn a_rate_comes_before_the_sum_and_over_more_than_two_samples() {
        for (query, expected) in [
            ("sum(rate(x[5m]))", vec![]),
            ("max_over_time(sum(rate(x[1m]))[5m:])", vec![]),
            ("rate(x[5m:30s])", vec![]),
            ("rate(sum(x)[5m:])", vec![Unwise::RateOfSum("rate")]),
            (
                "increase((sum by (app) (x))[5m:30s])",
                vec![Unwise::RateOfSum("increase")],
            ),
            ("1 - max(irate(x[5m]))", vec![Unwise::TwoSamples("irate")]),
        ] {
            assert_eq!(of_promql(query, "web"), expected, "{query}");
        }
    }
}
