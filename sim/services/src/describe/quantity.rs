//! Spans of time and shares as a description writes them, `250ms`, `1m30s`, `0.5`, and memory as manifests write it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use sim::cluster::quantity_nanos;

/// Longest span of time in a description: a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Reads `250ms`, `90s`, `15m`, `1h`, `1m30s`; at most a week. `None`: it is none of these.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    contract::duration::parse(text.trim()).filter(|it| *it <= LONGEST)
}

/// A span of time in a description.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        parse_duration(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a duration: write for instance \"250ms\", \"90s\" or \"1m30s\", and at most a \
                 week (\"168h\")"
            ))
        })
    }
}

/// A share of all, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u32);

impl Share {
    /// All.
    pub const ALL: Self = Self(1_000_000);

    /// That share of `whole`, rounded down.
    #[must_use]
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0.min(Self::ALL.0));
        u64::try_from(part / u128::from(Self::ALL.0)).unwrap_or(whole)
    }
}

impl<'de> Deserialize<'de> for Share {
    /// `0.25`, or `1` for all.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(d)?;
        if !(0.0..=1.0).contains(&share) {
            return Err(de::Error::custom(format!(
                "{share} is not a share: write a number from 0 to 1, such as 0.25"
            )));
        }
        if share > 0.0 && share < 1e-6 {
            return Err(de::Error::custom(format!(
                "{share} is too small a share: write 0, or at least 0.000001"
            )));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and a million"
        )]
        Ok(Self((share * 1e6).round() as u32))
    }
}

/// Requests a second, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

impl Rate {
    /// So many a second.
    #[must_use]
    pub const fn whole(per_second: u32) -> Self {
        Self(per_second as u64 * 1_000)
    }

    /// The next whole number of requests a second.
    #[must_use]
    pub fn ceil(self) -> u32 {
        u32::try_from(self.0.div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    /// How long it is from one request to the next, in microseconds, on average.
    #[must_use]
    pub fn gap_us(self) -> u64 {
        1_000_000_000 / self.0.max(1)
    }

    /// This rate where all rates together are `wanted` and not `described`.
    #[must_use]
    pub fn scaled(self, wanted: Self, described: Self) -> Self {
        let scaled = u128::from(self.0) * u128::from(wanted.0) / u128::from(described.0.max(1));
        Self(u64::try_from(scaled).unwrap_or(u64::MAX).max(1))
    }
}

impl std::iter::Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        Self(rates.map(|it| it.0).sum())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// A number as it is written, with or without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Fraction(f64),
}

impl Number {
    /// So many a second, to a thousandth; `None`: it is none, or less, or too many to count.
    pub(super) fn rate(self) -> Option<Rate> {
        let rate = match self {
            Self::Whole(number) => u64::try_from(number).ok()?.checked_mul(1_000)?,
            Self::Fraction(number) => {
                let thousandths = (number * 1e3).round();
                if !(1.0..=1e15).contains(&thousandths) {
                    return None;
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is between 1 and 10^15"
                )]
                let thousandths = thousandths as u64;
                thousandths
            }
        };
        (rate > 0).then_some(Rate(rate))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Written;
        impl de::Visitor<'_> for Written {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number::Whole(number))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number::Fraction(number))
            }
        }
        d.deserialize_any(Written)
    }
}

/// A quantity of memory in MB, rounded down; 0 if it is none. `512Mi`, `1.5Gi`, `2G`, `1e9`.
pub(super) fn megabytes(quantity: &str) -> u64 {
    const NANOS_IN_A_MB: i128 = 1_000_000_000 * 1_000_000;
    let nanos = quantity_nanos(quantity).unwrap_or(0).max(0);
    u64::try_from(nanos / NANOS_IN_A_MB).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Number, Rate, megabytes, parse_duration};

    #[test]
    fn rates_are_exact_to_a_thousandth() {
        let read = |number: f64| Number::Fraction(number).rate();
        assert_eq!(read(0.5), Some(Rate(500)));
        assert_eq!(read(0.0004), None, "it would be no request at all");
        assert_eq!(
            (read(-1.0), read(f64::NAN), read(f64::INFINITY)),
            (None, None, None)
        );
        assert_eq!(Number::Whole(0).rate(), None);
        assert_eq!(Rate(500).gap_us(), 2_000_000);
        assert_eq!(Rate::whole(300).gap_us(), 3_333);
        assert_eq!(
            [Rate(500), Rate(20_000), Rate(1_250)].map(|it| it.to_string()),
            ["0.5", "20", "1.25"]
        );
        // A third and two thirds of ten are not four and seven.
        let all = Rate::whole(3);
        let scaled = [1, 2].map(|it| Rate::whole(it).scaled(Rate::whole(10), all));
        assert_eq!(scaled, [Rate(3_333), Rate(6_666)]);
    }

    #[test]
    fn memory_is_read_as_kubernetes_writes_it() {
        for (text, mb) in [
            ("512M", 512),
            ("512Mi", 536),
            ("1.5Gi", 1_610),
            (".5G", 500),
            ("2000000k", 2_000),
            ("1e9", 1_000),
            ("1Ti", 1_099_511),
            ("100", 0),
            ("", 0),
            (".", 0),
            ("-1Gi", 0),
            ("512MB", 0),
            ("inf", 0),
            ("1e99", 9_223_372_036_854),
            ("18446744073709551615E", 9_223_372_036_854),
        ] {
            assert_eq!(megabytes(text), mb, "{text}");
        }
    }

    #[test]
    fn spans_of_time_are_read_and_anything_else_is_not() {
        for (text, ms) in [
            ("250ms", 250),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in ["", "5", "s", "1.5s", "-1s", "1d", "9999999h", "1s!"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
