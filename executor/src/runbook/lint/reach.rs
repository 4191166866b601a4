//! Which values a query can have, as far as its form tells: a comparison that holds for all of them proves nothing.

use promql::ast::{Expr, VectorSelector};
use promql::selectors;

use crate::runbook::model::{Condition, Operator};
use crate::runbook::query::filled_in;

/// The lowest and the highest value that there can be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range(f64, f64);

const ANY: Range = Range(f64::NEG_INFINITY, f64::INFINITY);
/// Counts, times and rates of counters.
const NOT_NEGATIVE: Range = Range(0.0, f64::INFINITY);
const SHARE: Range = Range(0.0, 1.0);

/// Why a comparison is vacuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vacuous {
    /// Every value satisfies it.
    Always,
    /// No value satisfies it.
    Never,
    /// A constant that stands for missing data satisfies it.
    WithoutData,
}

/// What is vacuous in comparing `query` by `condition`, if anything is.
pub(super) fn of(query: &str, namespace: &str, condition: Condition) -> Option<Vacuous> {
    let filled = filled_in(&query.replace("$NAMESPACE", namespace));
    let parsed = promql::parse(&filled).ok()?;
    let range = reach(&parsed);
    if holds_for_all(condition, range) {
        return Some(Vacuous::Always);
    }
    if holds_for_none(condition, range) {
        return Some(Vacuous::Never);
    }
    let fallback = fallback(&parsed)?;
    holds_for_all(condition, fallback).then_some(Vacuous::WithoutData)
}

fn holds_for_all(condition: Condition, Range(low, high): Range) -> bool {
    let value = condition.value;
    match condition.operator {
        Operator::Less => high < value,
        Operator::LessOrEqual => high <= value,
        Operator::Greater => low > value,
        Operator::GreaterOrEqual => low >= value,
        Operator::Equal => low == value && high == value,
    }
}

fn holds_for_none(condition: Condition, Range(low, high): Range) -> bool {
    let value = condition.value;
    match condition.operator {
        Operator::Less => low >= value,
        Operator::LessOrEqual => low > value,
        Operator::Greater => high <= value,
        Operator::GreaterOrEqual => high < value,
        Operator::Equal => value < low || value > high,
    }
}

/// What the query is where its data are missing: a right side of its outermost `or` that asks for no series.
fn fallback(expr: &Expr) -> Option<Range> {
    match expr {
        Expr::Paren(it) => fallback(&it.expr),
        Expr::Binary(it) if it.op.to_string() == "or" => {
            let asks = |side: &Expr| !selectors(side).is_empty();
            (asks(&it.lhs) && !asks(&it.rhs)).then(|| reach(&it.rhs))
        }
        _ => None,
    }
}

/// What is always 1 where there is anything, such as `absent` and `group`, has any value here: whoever compares it asks
/// whether there is anything.
fn reach(expr: &Expr) -> Range {
    match expr {
        Expr::NumberLiteral(it) if !it.val.is_nan() => Range(it.val, it.val),
        Expr::Paren(it) => reach(&it.expr),
        Expr::Unary(it) => {
            let Range(low, high) = reach(&it.expr);
            Range(-high, -low)
        }
        Expr::Subquery(it) => reach(&it.expr),
        Expr::Call(call) => match call.func.name {
            "rate" | "increase" | "irate" | "changes" | "resets" | "count_over_time" | "abs"
            | "stddev_over_time" | "stdvar_over_time" => NOT_NEGATIVE,
            "vector" | "scalar" | "min_over_time" | "max_over_time" | "avg_over_time"
            | "last_over_time" | "quantile_over_time" | "sort" | "sort_desc" => {
                let of = call.args.args.last();
                of.map_or(ANY, |it| reach(it))
            }
            _ => ANY,
        },
        Expr::Aggregate(it) => {
            let of = reach(&it.expr);
            match it.op.to_string().as_str() {
                "avg" | "min" | "max" | "topk" | "bottomk" | "quantile" | "limitk" => of,
                "count" | "stddev" | "stdvar" => NOT_NEGATIVE,
                "sum" => Range(
                    if of.0 >= 0.0 { of.0 } else { f64::NEG_INFINITY },
                    if of.1 <= 0.0 { of.1 } else { f64::INFINITY },
                ),
                _ => ANY,
            }
        }
        Expr::Binary(it) => {
            let (left, right) = (reach(&it.lhs), reach(&it.rhs));
            match it.op.to_string().as_str() {
                "or" => Range(left.0.min(right.0), left.1.max(right.1)),
                "and" | "unless" => left,
                "+" => whole([left.0 + right.0, left.1 + right.1]),
                "-" => whole([left.0 - right.1, left.1 - right.0]),
                "*" => times(left, right),
                "/" if is_share(&it.lhs, &it.rhs) => SHARE,
                "/" if left.0 >= 0.0 && right.0 >= 0.0 => NOT_NEGATIVE,
                _ => ANY,
            }
        }
        _ => ANY,
    }
}

/// Both ends, unless one of them is no number.
fn whole([low, high]: [f64; 2]) -> Range {
    if low.is_nan() || high.is_nan() {
        ANY
    } else {
        Range(low, high)
    }
}

fn times(left: Range, right: Range) -> Range {
    let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
    let all = [
        product(left.0, right.0),
        product(left.0, right.1),
        product(left.1, right.0),
        product(left.1, right.1),
    ];
    let low = all.into_iter().fold(f64::INFINITY, f64::min);
    let high = all.into_iter().fold(f64::NEG_INFINITY, f64::max);
    Range(low, high)
}

/// Whether the one counts a part of what the other counts: sums of the same series, with more labels given.
fn is_share(part: &Expr, all: &Expr) -> bool {
    let (parts, whole) = (selectors(part), selectors(all));
    let [first, rest @ ..] = whole.as_slice() else {
        return false;
    };
    let is_part = |it: &VectorSelector| {
        it.name == first.name
            && it.offset == first.offset
            && it.matchers.or_matchers.is_empty()
            && first.matchers.or_matchers.is_empty()
            && first
                .matchers
                .matchers
                .iter()
                .all(|matcher| it.matchers.matchers.contains(matcher))
    };
    rest.is_empty() && !parts.is_empty() && parts.iter().all(is_part) && is_sum(part) && is_sum(all)
}

/// Whether it only adds up how much counters have grown; `or 0 * sum(…)` may stand beside.
fn is_sum(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(it) => is_sum(&it.expr),
        Expr::Aggregate(it) => {
            let grows = |expr: &Expr| {
                let Expr::Call(call) = expr else { return false };
                matches!(call.func.name, "rate" | "increase")
            };
            it.op.to_string() == "sum" && grows(&it.expr)
        }
        Expr::Binary(it) if it.op.to_string() == "or" => {
            is_sum(&it.lhs) && reach(&it.rhs) == Range(0.0, 0.0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Vacuous, of};
    use crate::runbook::suggest;

    #[test]
    fn comparisons_that_no_value_fails_are_found() {
        let share = r#"(sum(increase(x{a="b", code=~"5.."}[5m])) or 0 * sum(increase(x{a="b"}[5m])))
            / sum(increase(x{a="b"}[5m]))"#;
        let other = r#"sum(rate(x{a="c"}[5m])) / sum(rate(x{a="b"}[5m]))"#;
        for (query, condition, expected) in [
            (share, "< 0.0001", None),
            (share, "< 2", Some(Vacuous::Always)),
            (share, "<= 1", Some(Vacuous::Always)),
            (share, "> 1", Some(Vacuous::Never)),
            (other, "< 2", None),
            ("vector(0)", "< 0.0001", Some(Vacuous::Always)),
            ("0 * sum(rate(x[1m]))", "== 0", Some(Vacuous::Always)),
            ("sum(rate(x[1m]))", ">= 0", Some(Vacuous::Always)),
            ("sum(rate(x[1m]))", "== 0", None),
            ("count(up)", "> -1", Some(Vacuous::Always)),
            ("up", "> -1", None),
            ("absent(up)", "== 1", None),
            ("-sum(rate(x[1m]))", "<= 0", Some(Vacuous::Always)),
            (
                "sum(rate(x[1m])) or vector(0)",
                "< 1",
                Some(Vacuous::WithoutData),
            ),
            ("sum(rate(x[1m])) or vector(0)", "> 1", None),
            ("sum(rate(x[1m])) or vector(5)", "< 1", None),
        ] {
            let condition = suggest::condition(condition).expect("it is one");
            assert_eq!(of(query, "web", condition), expected, "{query} {condition}");
        }
    }
}
