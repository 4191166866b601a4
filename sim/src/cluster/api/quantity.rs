//! Quantities in their canonical form (`apimachinery/pkg/api/resource/quantity.go` CanonicalizeBytes): `1000m` and `1`
//! are one value, and a server stores it in one way.

/// Nanos in one: a quantity has at most nine decimals, and more are rounded up.
const NANOS: i128 = 1_000_000_000;
/// The largest value that there is: anything larger is that one (`quantity.go` maxAllowed).
const MOST: i128 = i64::MAX as i128 * NANOS;

/// An exponent beyond this one makes the largest value, or the least one above zero, of anything but zero.
const EXPONENT_MOST: i64 = 60;
/// Decimals that are read. Those behind them are too small for any suffix to bring them back.
const DECIMALS_MOST: usize = 28;

/// What a suffix multiplies by.
enum Scale {
    /// By a power of 1000.
    Decimal(i32),
    /// By a power of 1024.
    Binary(u32),
    /// By a power of ten, written with an exponent.
    Exponent(i32),
}

fn scale(suffix: &str) -> Option<Scale> {
    Some(match suffix {
        "n" => Scale::Decimal(-3),
        "u" => Scale::Decimal(-2),
        "m" => Scale::Decimal(-1),
        "" => Scale::Decimal(0),
        "k" => Scale::Decimal(1),
        "M" => Scale::Decimal(2),
        "G" => Scale::Decimal(3),
        "T" => Scale::Decimal(4),
        "P" => Scale::Decimal(5),
        "E" => Scale::Decimal(6),
        "Ki" => Scale::Binary(1),
        "Mi" => Scale::Binary(2),
        "Gi" => Scale::Binary(3),
        "Ti" => Scale::Binary(4),
        "Pi" => Scale::Binary(5),
        "Ei" => Scale::Binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let exponent: i64 = exponent.parse().ok()?;
            Scale::Exponent(exponent.clamp(-EXPONENT_MOST, EXPONENT_MOST) as i32)
        }
    })
}

/// The value in nanos, rounded up, and the scale that it was written in.
fn parse(text: &str) -> Option<(i128, Scale)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let scale = scale(suffix)?;
    let read = fraction.get(..DECIMALS_MOST).unwrap_or(fraction);
    // More digits than there is room for make the largest value.
    let digits: i128 = format!("0{whole}{read}").parse().unwrap_or(i128::MAX);
    let mut divisor = 10_i128.checked_pow(u32::try_from(read.len()).ok()?)?;
    let mut value = digits.saturating_mul(NANOS);
    let power = match scale {
        Scale::Decimal(power) => 3 * power,
        Scale::Exponent(power) => power,
        Scale::Binary(power) => {
            value = value.saturating_mul(1024_i128.checked_pow(power)?);
            0
        }
    };
    let ten = 10_i128.checked_pow(power.unsigned_abs());
    let ten = ten.unwrap_or(i128::MAX);
    if power < 0 {
        divisor = divisor.saturating_mul(ten);
    } else {
        value = value.saturating_mul(ten);
    }
    // Away from zero.
    let nanos = (value / divisor + i128::from(value % divisor != 0)).min(MOST);
    Some((if negative { -nanos } else { nanos }, scale))
}

/// `mantissa × base^power` of a value, with as large a power up to `most` as leaves the mantissa whole.
fn reduced(mut value: i128, base: i128, mut power: i32, most: i32) -> (i128, i32) {
    while value != 0 && value % base == 0 && power < most {
        value /= base;
        power += 1;
    }
    (value, if value == 0 { 0 } else { power })
}

/// The value of a quantity in billionths, rounded up, or `None` if this is none. `500m`, `1.5Gi`, `1e9`. The largest is
/// 2^63 - 1.
#[must_use]
pub fn nanos(text: &str) -> Option<i128> {
    parse(text).map(|(nanos, _)| nanos)
}

/// The canonical form, or `None` if this is no quantity.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let (nanos, scale) = parse(text)?;
    let small = nanos.abs() < 1024 * NANOS;
    if matches!(scale, Scale::Binary(_)) && !small && nanos % NANOS == 0 {
        let (mantissa, power) = reduced(nanos / NANOS, 1024, 0, 6);
        let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        return Some(format!("{mantissa}{}", suffixes[power as usize]));
    }
    let (mantissa, power) = reduced(nanos, 1000, -3, 6);
    let suffix = match scale {
        Scale::Exponent(_) if power != 0 => format!("e{}", 3 * power),
        _ => ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][(power + 3) as usize].to_owned(),
    };
    Some(format!("{mantissa}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    /// The first rows are those of `quantity_test.go` TestQuantityParse and TestQuantityString.
    #[test]
    fn quantities_have_one_form() {
        for (given, stored) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("100n", "100n"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("128974848", "128974848"),
            ("0", "0"),
            ("0Mi", "0"),
            ("0.0000000001", "1n"),
            ("1e3", "1e3"),
            ("1000e3", "1e6"),
            ("1E2", "100"),
            ("-1000m", "-1"),
            ("+1.0", "1"),
            ("18446744073709551615E", "9223372036854775807"),
            ("1e100", "9223372036854775807"),
            ("1e-100", "1e-9"),
            ("0e100", "0"),
            ("1.", "1"),
            (".5", "500m"),
            ("0.10000000000000000000000000000000000000000", "100m"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(stored), "{given}");
        }
        for bad in [
            "", "m", "1.2.3", "1 Gi", "1kk", "1Gib", "ten", "1e", "1K", "256Mx", ".", "1.Ki.",
            "--1", "0x1",
        ] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }
}
