//! Three-valued logic over query results: no data and NaN are never a pass and never a breach.

use crate::runbook::Condition;

/// What a query's result says about a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConditionVerdict {
    /// It holds.
    Holds,
    /// It does not hold.
    Refuted,
    /// There is nothing to decide on.
    Unknown,
}

/// A gate: every series must satisfy the condition; one that does not refutes it, whatever the others lack.
pub(crate) fn all(values: &[f64], condition: Condition) -> ConditionVerdict {
    let answers: Vec<Option<bool>> = values.iter().map(|value| condition.holds(*value)).collect();
    if answers.contains(&Some(false)) {
        ConditionVerdict::Refuted
    } else if answers.is_empty() || answers.contains(&None) {
        ConditionVerdict::Unknown
    } else {
        ConditionVerdict::Holds
    }
}

/// A trigger: one series that satisfies the condition is enough. The value that decided comes along.
pub(crate) fn any(values: &[f64], condition: Condition) -> (ConditionVerdict, Option<f64>) {
    if let Some(value) = values
        .iter()
        .find(|value| condition.holds(**value) == Some(true))
    {
        return (ConditionVerdict::Holds, Some(*value));
    }
    let known = values
        .iter()
        .find(|value| condition.holds(**value) == Some(false));
    match known {
        Some(value) => (ConditionVerdict::Refuted, Some(*value)),
        None => (ConditionVerdict::Unknown, None),
    }
}

/// A query's value as people read it: whole numbers as they are,
/// others with four significant digits or down to the unit.
#[must_use]
pub fn show_value(value: f64) -> String {
    let rounded = if value.abs() >= 1_000.0 {
        value.round()
    } else {
        format!("{value:.3e}").parse().unwrap_or(value)
    };
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::{ConditionVerdict, all, any, show_value};
    use crate::runbook::{Condition, Operator};

    const BELOW_ONE: Condition = Condition {
        operator: Operator::Less,
        value: 1.0,
    };

    #[test]
    fn gates() {
        for (values, verdict) in [
            (&[][..], ConditionVerdict::Unknown),
            (&[f64::NAN], ConditionVerdict::Unknown),
            (&[0.0], ConditionVerdict::Holds),
            (&[0.0, f64::NAN], ConditionVerdict::Unknown),
            (&[2.0, f64::NAN], ConditionVerdict::Refuted),
            (&[0.0, 1.0], ConditionVerdict::Refuted),
            (&[f64::NEG_INFINITY], ConditionVerdict::Holds),
        ] {
            assert_eq!(all(values, BELOW_ONE), verdict, "{values:?}");
        }
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        for (value, shown) in [
            (0.240_039_999_999_999_98, "0.24"),
            (0.000_123_456, "0.0001235"),
            (17.0, "17"),
            (-2.5, "-2.5"),
            (999.96, "1000"),
            (123_456.7, "123457"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(show_value(value), shown);
        }
    }

    #[test]
    fn triggers() {
        assert_eq!(any(&[], BELOW_ONE), (ConditionVerdict::Unknown, None));
        assert_eq!(
            any(&[f64::NAN], BELOW_ONE),
            (ConditionVerdict::Unknown, None)
        );
        assert_eq!(
            any(&[f64::NAN, 3.0], BELOW_ONE),
            (ConditionVerdict::Refuted, Some(3.0))
        );
        assert_eq!(
            any(&[3.0, 0.5], BELOW_ONE),
            (ConditionVerdict::Holds, Some(0.5))
        );
    }
}
