//! Changes of the words in a runbook: times, conditions, queries and commands.

use super::mutate::Change;

/// By how much a time is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Half of it.
    Halved,
    /// Twice as much.
    Doubled,
    /// A twentieth of it.
    Twentieth,
    /// Ten times as much.
    Tenfold,
    /// Nothing of it.
    TakenAway,
}

impl Scale {
    /// As a change is told.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Halved => "halved",
            Self::Doubled => "doubled",
            Self::Twentieth => "a twentieth",
            Self::Tenfold => "tenfold",
            Self::TakenAway => "taken away",
        }
    }

    /// A time such as `16s`, `300ms` or `5m`, changed so; whole milliseconds.
    pub(super) fn of(self, text: &str) -> Option<String> {
        let (by, part) = match self {
            Self::Halved => (1, 2),
            Self::Doubled => (2, 1),
            Self::Twentieth => (1, 20),
            Self::Tenfold => (10, 1),
            Self::TakenAway => (0, 1),
        };
        let duration = crate::scenario::parse_duration(text).ok()?;
        let ms = u64::try_from(duration.as_millis()).ok()? * by / part;
        Some(format!("{ms}ms"))
    }
}

/// Changes of a condition such as `< 0.0001`: laxer, stricter, the other way round, and with or without its bound.
pub(super) fn conditions(condition: &str) -> Vec<(Change, String, String)> {
    let Some((operator, number)) = condition.split_once(' ') else {
        return Vec::new();
    };
    let Ok(value) = number.parse::<f64>() else {
        return Vec::new();
    };
    let (flipped, bound) = match operator {
        "<" => (">", "<="),
        ">" => ("<", ">="),
        "==" => ("!=", ">="),
        "!=" => ("==", ">="),
        "<=" => (">=", "<"),
        ">=" => ("<=", ">"),
        _ => return Vec::new(),
    };
    let mut out = vec![
        (
            Change::Sign,
            "sign changed".to_owned(),
            format!("{flipped} {number}"),
        ),
        (
            Change::Sign,
            format!("`{bound}` for `{operator}`"),
            format!("{bound} {number}"),
        ),
    ];
    // What is below a greater bound is more; so is what is above a smaller one.
    let (larger, smaller) = if operator.starts_with('<') {
        (Change::Weakened, Change::Sharpened)
    } else {
        (Change::Sharpened, Change::Weakened)
    };
    let mut bound = |kind, how: &str, value: f64| {
        out.push((kind, how.to_owned(), format!("{operator} {value}")));
    };
    if value == 0.0 {
        bound(larger, "bound raised to 1", 1.0);
        bound(larger, "bound raised to 10", 10.0);
    } else {
        bound(larger, "bound a hundred times as large", value * 100.0);
        bound(larger, "bound doubled", value * 2.0);
        bound(smaller, "bound halved", value / 2.0);
        bound(smaller, "bound a hundredth", value / 100.0);
    }
    out
}

/// What is replaced by what, and what kind of change that is.
const CHANGES: &[(Change, &str, &str)] = &[
    (Change::Label, "code=~\"5..\"", "code=~\"4..\""),
    (Change::Label, "code=~\"5..\", ", ""),
    (Change::Label, "code=~\"5..\"", "code!~\"5..\""),
    (Change::Label, "code=~\"200|400\"", "code=~\"200\""),
    (
        Change::Label,
        "maintenance=\"false\"",
        "maintenance=\"true\"",
    ),
    (Change::Label, ", maintenance=\"false\"", ""),
    (Change::Label, ",maintenance=\"true\"", ""),
    (Change::Label, ", maintenance='false'", ""),
    (
        Change::Label,
        "namespace=\"dex-production\"",
        "namespace=\"dex-staging\"",
    ),
    (
        Change::Label,
        "namespace='dex-production'",
        "namespace='dex-staging'",
    ),
    (Change::Label, "level=\"error\"", "level=\"warn\""),
    (Change::Label, ", level=\"error\"", ""),
    (Change::Label, "app=\"gateway\"", "app=\"risk\""),
    (Change::Label, "code=\"503\"", "code=\"500\""),
    (Change::Label, " == 1)", " >= 0)"),
    (Change::Label, "dex_requests_total", "dex_orders_total"),
    (Change::Aggregation, "sum by (pod)", "sum"),
    (Change::Aggregation, "sum by (le)", "sum"),
    (Change::Aggregation, "sum(", "max("),
    (Change::Aggregation, "sum(", "avg("),
    (Change::Aggregation, "max(", "min("),
    (Change::Aggregation, "max(", "avg("),
    (Change::Aggregation, "increase(", "rate("),
    (Change::Aggregation, "increase(", "delta("),
    (Change::Aggregation, "rate(", "delta("),
    (Change::Aggregation, "rate(", "irate("),
    (Change::Aggregation, "count_over_time", "rate"),
    (Change::Aggregation, "0.99", "0.5"),
    (Change::Aggregation, "\n  or 0 * sum", "\n  or sum"),
    (Change::Aggregation, "\n  / sum", "\n  * sum"),
    (Change::Aggregation, "\n      / sum", "\n      * sum"),
    (Change::Window, "[$WINDOW]", "[10s]"),
    (Change::Window, "[$WINDOW]", "[10m]"),
    (Change::Window, "[10s]", "[5m]"),
    (Change::Window, "[10s]", "[5s]"),
    (Change::Window, "[15s]", "[5m]"),
    (Change::Window, "[15s]", "[30s]"),
    (Change::Window, "[1m]", "[10m]"),
    (Change::Window, "[1m]", "[30s]"),
    (Change::Window, " offset 5m", ""),
    (Change::Window, " offset 5m", " offset 1m"),
    (Change::Command, "maintenance\"}", "open\"}"),
    (Change::Command, "open\"}", "maintenance\"}"),
    (Change::Command, " --to-revision=$TARGET_REVISION", ""),
    (Change::Command, "--since=15m", "--since=1s"),
    (Change::Command, " --tail=-1", ""),
    (Change::Command, ":8080", ":9090"),
    (Change::Command, "before_release", "other_release"),
    (Change::Command, "proxy/health", "proxy/metrics"),
    (Change::Command, "proxy/metrics", "proxy/health"),
    (Change::Command, "deployment/$SERVICE", "deployment/gateway"),
    (Change::Command, "app=$SERVICE", "app=gateway"),
    (Change::Command, "--service $SERVICE", "--service gateway"),
    (Change::Command, "dex-trading", "dex-other"),
    (Change::Command, "rollback db fence", "rollback db unfence"),
    (Change::Command, "rollback db unfence", "rollback db fence"),
    (Change::Command, "rollout undo", "rollout status"),
    (Change::Command, "rollout resume", "rollout pause"),
];

/// Changes of a query or command: the first place of each pattern is changed.
pub(super) fn queries(command: &str) -> Vec<(Change, String, String)> {
    CHANGES
        .iter()
        .filter(|(_, was, _)| command.contains(was))
        .map(|(kind, was, is)| {
            let change = format!("`{}` for `{}`", is.trim(), was.trim());
            (*kind, change, command.replacen(was, is, 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::BUILT_IN;

    #[test]
    fn a_laxer_bound_is_on_the_side_of_its_comparison() {
        let of = |condition: &str, kind| -> Vec<String> {
            let all = conditions(condition).into_iter();
            let of_kind = all.filter(|(it, _, _)| *it == kind);
            of_kind.map(|(_, _, is)| is).collect()
        };
        assert_eq!(of("< 0.001", Change::Weakened), ["< 0.1", "< 0.002"]);
        assert_eq!(of("> 10", Change::Weakened), ["> 5", "> 0.1"]);
        assert_eq!(of("> 0", Change::Sharpened), ["> 1", "> 10"]);
        assert_eq!(of("== 0", Change::Sign), ["!= 0", ">= 0"]);
        assert_eq!(conditions("about 3"), []);
        assert_eq!(conditions("<"), []);
    }

    #[test]
    fn every_pattern_is_in_the_runbook() {
        for (_, was, is) in CHANGES {
            assert_ne!(was, is);
            assert!(BUILT_IN.contains(was), "nothing is changed by `{was}`");
        }
        assert_eq!(Scale::Halved.of("16s").as_deref(), Some("8000ms"));
    }
}
