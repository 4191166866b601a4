//! How far back a trigger's query looks, and the same query over a shorter time.

use std::time::Duration;

use promql::ast::{Expr, Offset};
use promql::parse;

use super::model::Trigger;

impl Trigger {
    /// How far before the instant at which it is asked the query looks at most: ranges, offsets and subqueries added up
    /// as they are nested. The five minutes that Prometheus looks back for the last sample of a series don't count.
    /// A query that can't be parsed, which no runbook that loads has, looks back without an end.
    #[must_use]
    pub fn looks_back(&self) -> Duration {
        parse(&self.query).map_or(Duration::MAX, |query| of(&query))
    }
}

impl Trigger {
    /// Whether the query asks for the 99th percentile of a histogram, so that the condition bounds it.
    #[must_use]
    pub(crate) fn is_of_the_p99(&self) -> bool {
        let Ok(query) = parse(&self.query) else {
            return false;
        };
        let mut query = &query;
        while let Expr::Paren(within) = query {
            query = &within.expr;
        }
        match query {
            Expr::Call(call) if call.func.name == "histogram_quantile" => {
                let quantile = call.args.args.first().map(|it| &**it);
                matches!(quantile, Some(Expr::NumberLiteral(it)) if it.val == 0.99)
            }
            _ => false,
        }
    }

    /// For how long the trigger may still fire, or begin to, once what it asks about is over: as long as its ranges
    /// tell of it, and for its `for`. What an `offset` leads to is compared with on purpose, and tells of no harm.
    /// [`Duration::MAX`] for a query that can't be parsed.
    #[must_use]
    pub fn echoes(&self) -> Duration {
        let told = parse(&self.query).map_or(Duration::MAX, |query| told(&query));
        told.saturating_add(self.hold_for)
    }

    /// The query, with no range that reaches back further than `window`: what came before is cut off. What an
    /// `offset` leads to is left as it is, since the query compares with it on purpose. `window` counts in
    /// milliseconds, the least that PromQL can say.
    pub(crate) fn over(&self, window: Duration) -> String {
        let Ok(mut query) = parse(&self.query) else {
            return self.query.clone();
        };
        let window = whole_ms(window).max(SECOND);
        if !cut(&mut query, window) {
            return self.query.clone();
        }
        let text = query.to_string();
        // A text that is read otherwise than it is meant would be another question.
        let same = parse(&text).is_ok_and(|again| again == query);
        if same { text } else { self.query.clone() }
    }
}

/// Cuts the ranges of `query` to `window`. Whether there was anything to cut.
fn cut(query: &mut Expr, window: Duration) -> bool {
    match query {
        Expr::Aggregate(it) => {
            let param = it.param.as_deref_mut().is_some_and(|it| cut(it, window));
            cut(&mut it.expr, window) | param
        }
        Expr::Unary(it) => cut(&mut it.expr, window),
        Expr::Binary(it) => cut(&mut it.lhs, window) | cut(&mut it.rhs, window),
        Expr::Paren(it) => cut(&mut it.expr, window),
        // Each instant of the range looks back itself: both together must fit.
        Expr::Subquery(it) if it.offset.is_none() => {
            if of(&it.expr).saturating_add(it.range) <= window {
                return false;
            }
            let within = cut(&mut it.expr, whole_ms(window.max(2 * SECOND) / 2));
            let rest = window.saturating_sub(of(&it.expr)).max(SECOND);
            let cut = it.range > rest;
            it.range = it.range.min(rest);
            cut | within
        }
        Expr::MatrixSelector(it) if it.vs.offset.is_none() => {
            let cut = it.range > window;
            it.range = it.range.min(window);
            cut
        }
        // Every argument, whether an earlier one was cut or not.
        Expr::Call(it) => it
            .args
            .args
            .iter_mut()
            .fold(false, |before, arg| cut(arg, window) | before),
        Expr::Subquery(_)
        | Expr::MatrixSelector(_)
        | Expr::VectorSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => false,
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// The duration down to its milliseconds.
fn whole_ms(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn of(query: &Expr) -> Duration {
    match query {
        Expr::Aggregate(it) => {
            let param = it.param.as_deref().map_or(Duration::ZERO, of);
            of(&it.expr).max(param)
        }
        Expr::Unary(it) => of(&it.expr),
        Expr::Binary(it) => of(&it.lhs).max(of(&it.rhs)),
        Expr::Paren(it) => of(&it.expr),
        Expr::Subquery(it) => of(&it.expr)
            .saturating_add(it.range)
            .saturating_add(ago(it.offset.as_ref())),
        Expr::VectorSelector(it) => ago(it.offset.as_ref()),
        Expr::MatrixSelector(it) => it.range.saturating_add(ago(it.vs.offset.as_ref())),
        Expr::Call(it) => it
            .args
            .args
            .iter()
            .map(|arg| of(arg))
            .max()
            .unwrap_or_default(),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Duration::ZERO,
    }
}

/// For how long `query` tells of what is over: its ranges, added up as they are nested, without those that an
/// `offset` leads elsewhere.
fn told(query: &Expr) -> Duration {
    match query {
        Expr::Aggregate(it) => {
            let param = it.param.as_deref().map_or(Duration::ZERO, told);
            told(&it.expr).max(param)
        }
        Expr::Unary(it) => told(&it.expr),
        Expr::Binary(it) => told(&it.lhs).max(told(&it.rhs)),
        Expr::Paren(it) => told(&it.expr),
        Expr::Subquery(it) if it.offset.is_none() => told(&it.expr).saturating_add(it.range),
        Expr::MatrixSelector(it) if it.vs.offset.is_none() => it.range,
        Expr::Call(it) => {
            let args = it.args.args.iter().map(|arg| told(arg));
            args.max().unwrap_or_default()
        }
        Expr::Subquery(_)
        | Expr::MatrixSelector(_)
        | Expr::VectorSelector(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::Extension(_) => Duration::ZERO,
    }
}

fn ago(offset: Option<&Offset>) -> Duration {
    match offset {
        Some(Offset::Pos(ago)) => *ago,
        Some(Offset::Neg(_)) | None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use promql::parse;

    use super::of;
    use crate::runbook::{Condition, Operator, Trigger, TriggerClass};

    fn over(query: &str, seconds: u64) -> String {
        over_window(query, Duration::from_secs(seconds))
    }

    fn over_window(query: &str, window: Duration) -> String {
        trigger(query).over(window)
    }

    fn trigger(query: &str) -> Trigger {
        Trigger {
            name: "t".to_owned(),
            class: TriggerClass::Sla,
            query: query.to_owned(),
            condition: Condition {
                operator: Operator::Greater,
                value: 0.0,
            },
            hold_for: Duration::from_secs(15),
        }
    }

    #[test]
    fn a_trigger_echoes_for_its_ranges_and_its_for() {
        for (query, told) in [
            ("max(increase(a[1m]))", 60),
            ("a", 0),
            (
                "sum(rate(a[15s])) / sum(rate(a[1m] offset 5m)) > max_over_time(rate(a[30s])[2m:10s])",
                150,
            ),
        ] {
            let query = promql::parse(query).expect(query);
            assert_eq!(super::told(&query), Duration::from_secs(told), "{query}");
        }
    }

    #[test]
    fn what_reaches_back_too_far_is_cut_and_nothing_else_is_changed() {
        for (query, within) in [
            ("max(increase(a[10m]))", "max(increase(a[30s]))"),
            (
                "sum(rate(a[15s]))  /  sum(rate(b[1m] offset 5m))",
                "sum(rate(a[15s]))  /  sum(rate(b[1m] offset 5m))",
            ),
            (
                r#"sum(rate(a{code=~"5.."}[1m])) / sum(rate(a[15s]))"#,
                r#"sum(rate(a{code=~"5.."}[30s])) / sum(rate(a[15s]))"#,
            ),
            ("max(anomalies)", "max(anomalies)"),
            (
                "max_over_time(rate(a[1m])[10m:5s])",
                "max_over_time(rate(a[15s])[15s:5s])",
            ),
            (
                "increase(a[1m]) + increase(b[1m])",
                "increase(a[30s]) + increase(b[30s])",
            ),
        ] {
            assert_eq!(over(query, 30), within);
        }
        // No window is cut down to whole seconds, and none is finer than PromQL can say.
        for (query, within) in [
            ("increase(a[1m])", "increase(a[30s901ms])"),
            (
                "max_over_time(rate(a[1m])[10m:5s])",
                "max_over_time(rate(a[15s450ms])[15s451ms:5s])",
            ),
        ] {
            let window = Duration::from_nanos(30_901_999_999);
            assert_eq!(over_window(query, window), within);
        }
        for query in ["max_over_time(rate(a[1m])[10m:5s])", "increase(a[10m])"] {
            let query = over(query, 30);
            let parsed = parse(&query).expect("it is still a query");
            assert!(of(&parsed) <= Duration::from_secs(30), "{query}");
        }
    }

    /// What a trigger asks for says whether its bound is one of the latency, and its name does not.
    #[test]
    fn a_trigger_of_the_p99_is_known_by_its_query() {
        for (query, is) in [
            ("histogram_quantile(0.99, sum by (le) (rate(a[10s])))", true),
            ("(histogram_quantile(0.99, rate(a[10s])))", true),
            ("histogram_quantile(0.5, rate(a[10s]))", false),
            ("sum(rate(p99_errors_total[10s]))", false),
            ("histogram_quantile(", false),
        ] {
            assert_eq!(trigger(query).is_of_the_p99(), is, "{query}");
        }
    }

    #[test]
    fn ranges_offsets_and_subqueries_add_up() {
        for (query, seconds) in [
            ("up", 0),
            ("max(dex_reconciliation_anomalies)", 0),
            ("sum(rate(a[15s])) / sum(rate(b[1m] offset 5m))", 360),
            ("increase(a[10m])", 600),
            ("a offset -5m", 0),
            ("max_over_time(rate(a[1m])[10m:30s] offset 1m)", 720),
            ("histogram_quantile(0.99, sum by (le) (rate(a[10s])))", 10),
            // A label that says so looks no further back.
            (r#"a{what="offset"}"#, 0),
        ] {
            let parsed = parse(query).expect(query);
            assert_eq!(of(&parsed), Duration::from_secs(seconds), "{query}");
        }
    }
}
