//! What an unquoted scalar of YAML means to `kubectl`, whose reader follows YAML 1.1 (`sigs.k8s.io/yaml`).

use serde_json::{Number, Value};

/// The value of the unquoted `text`.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Value::Number(number);
    }
    match float(text) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

/// Whether the unquoted `text` is infinity or no number, which JSON can't say.
pub(super) fn is_not_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// `12`, `-3`, `0x1F`, `0o17`, `0644` (octal, as a file mode is written), `0b101`, each with `_` between digits.
fn integer(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix(['-', '+']) {
        Some(rest) => (plain.starts_with('-'), rest),
        None => (false, plain.as_str()),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let magnitude = if let Some(hex) = digits.strip_prefix("0x") {
        u64::from_str_radix(hex, 16)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        u64::from_str_radix(octal, 8)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        u64::from_str_radix(binary, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    let magnitude = magnitude.ok()?;
    if !negative {
        return Some(Number::from(magnitude));
    }
    let negated = 0_i64.checked_sub_unsigned(magnitude)?;
    Some(Number::from(negated))
}

/// `1.5`, `-.25`, `1e3`. Not `1.2.3`, which is a version; for `.inf` see [`is_not_finite`].
fn float(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+');
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.chars().all(number)
    {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_not_finite, plain};

    #[test]
    fn infinity_is_told_from_text_that_looks_like_it() {
        for text in [".inf", "-.INF", "+.Inf", ".nan", ".NaN"] {
            assert!(is_not_finite(text), "{text}");
        }
        for text in ["inf", ".infinity", "-.nan", "nan", "1e999", ".5"] {
            assert!(!is_not_finite(text), "{text}");
        }
    }

    #[test]
    fn unquoted_scalars_mean_what_kubectl_takes_them_for() {
        let cases: [(&str, Value); 14] = [
            ("~", Value::Null),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("0644", json!(420)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("1.2.3", json!("1.2.3")),
            ("25%", json!("25%")),
            ("100m", json!("100m")),
            ("e5", json!("e5")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
