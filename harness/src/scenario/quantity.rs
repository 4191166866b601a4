//! Durations and rates as scenario files write them: `90s`, `15m`, `1m30s`, `0.01%`.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

use crate::evidence::ms;

/// What is said of a text that is no duration.
pub(super) const NOT_A_DURATION: &str = "is not a duration";
/// What is said of a text that is no rate.
pub(super) const NOT_A_RATE: &str = "is not a rate";

/// How far a clock is ahead or behind at most: what people and their machines do not notice for long.
pub(super) const SKEW_MAX: Duration = Duration::from_secs(3_600);

/// A rate in millionths: 100 is 0.01 %. An integer, because it decides outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartsPerMillion(pub u32);

impl PartsPerMillion {
    /// Whether `part` of `whole` is strictly below this rate. Nothing of nothing is not: no evidence is no pass.
    #[must_use]
    pub fn allows(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 < u128::from(whole) * u128::from(self.0)
    }

    /// Reads `0.01%`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` {NOT_A_RATE}: write a percentage with at most four decimals, such as \"0.01%\""
            )
        };
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 3
            || decimals.len() > 4
            || !digits(whole)
            || !digits(decimals)
        {
            return Err(wrong());
        }
        let millionths: u32 = format!("{whole}{decimals:0<4}")
            .parse()
            .map_err(|_| wrong())?;
        if millionths > 1_000_000 {
            return Err(format!("`{text}` is more than everything"));
        }
        Ok(Self(millionths))
    }
}

impl fmt::Display for PartsPerMillion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Reads `90s`, `250ms`, `15m`, `1h`, `1m30s`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let read = contract::duration::parse(text.trim());
    read.ok_or_else(|| {
        format!("`{text}` {NOT_A_DURATION}: write for instance \"90s\", \"15m\" or \"250ms\"")
    })
}

/// Writes a duration so that [`parse_duration`] reads it back; below a millisecond nothing is kept.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = ms(duration);
    let (m, s, ms) = (millis / 60_000, millis / 1_000 % 60, millis % 1_000);
    let mut out = String::new();
    for (n, unit) in [(m, "m"), (s, "s"), (ms, "ms")] {
        if n > 0 {
            out.push_str(&format!("{n}{unit}"));
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// Reads by how much a clock is ahead, or behind: `30s`, `-30s`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_skew(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let (behind, span) = match text.strip_prefix('-') {
        Some(span) => (true, span),
        None => (false, text),
    };
    let wrong = || format!("`{text}` {NOT_A_DURATION}: write for instance \"30s\" or \"-30s\"");
    if span.starts_with(char::is_whitespace) {
        return Err(wrong());
    }
    let span = parse_duration(span).map_err(|_| wrong())?;
    if span > SKEW_MAX {
        let most = format_duration(SKEW_MAX);
        return Err(format!(
            "`{text}` {NOT_A_DURATION} of a clock's skew: it is at most {most} either way"
        ));
    }
    let ahead = SignedDuration::try_from(span).map_err(|error| error.to_string())?;
    Ok(if behind { -ahead } else { ahead })
}

/// Writes a skew so that [`parse_skew`] reads it back; below a millisecond nothing is kept.
#[must_use]
pub fn format_skew(skew: SignedDuration) -> String {
    let span = format_duration(skew.unsigned_abs());
    if skew.is_negative() {
        format!("-{span}")
    } else {
        span
    }
}

/// By how much a clock is ahead, or behind, in a scenario file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skew(pub(crate) SignedDuration);

impl<'de> Deserialize<'de> for Skew {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = text(d, "a duration such as \"30s\" or \"-30s\"")?;
        parse_skew(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A [`Duration`] in a scenario file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = text(d, "a duration such as \"90s\"")?;
        parse_duration(&text).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for PartsPerMillion {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = text(d, "a percentage such as \"0.01%\"")?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

fn text<'de, D: Deserializer<'de>>(d: D, expected: &'static str) -> Result<String, D::Error> {
    struct Text(&'static str);
    impl de::Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, v: &str) -> Result<String, E> {
            Ok(v.to_owned())
        }
    }
    d.deserialize_str(Text(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, ms) in [
            ("90s", 90_000),
            ("15m", 900_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
            assert_eq!(
                parse_duration(&format_duration(Duration::from_millis(ms))),
                Ok(Duration::from_millis(ms))
            );
        }
        for text in [
            "",
            "90",
            "s",
            "1.5m",
            "-1s",
            "1d",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn skews_read_and_write() {
        for (text, ms) in [
            ("30s", 30_000),
            ("-30s", -30_000),
            ("-1m500ms", -60_500),
            ("1h", 3_600_000),
        ] {
            let skew = SignedDuration::from_millis(ms);
            assert_eq!(parse_skew(text), Ok(skew), "{text}");
            assert_eq!(parse_skew(&format_skew(skew)), Ok(skew));
        }
        for text in [
            "",
            "-",
            "--1s",
            "30",
            "+30s",
            "- 30",
            "- 30s",
            "61m",
            "-99999999999999999999s",
        ] {
            assert!(parse_skew(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_read_and_write() {
        for (text, ppm, back) in [
            ("0.01%", 100, "0.01%"),
            ("1%", 10_000, "1%"),
            ("0%", 0, "0%"),
            ("0.0001 %", 1, "0.0001%"),
            ("100%", 1_000_000, "100%"),
        ] {
            assert_eq!(
                PartsPerMillion::parse(text),
                Ok(PartsPerMillion(ppm)),
                "{text}"
            );
            assert_eq!(PartsPerMillion(ppm).to_string(), back);
        }
        for text in ["0.01", "%", "-1%", "0.00001%", "101%", "1e3%", ".5%"] {
            assert!(PartsPerMillion::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn below_is_strict_and_nothing_of_nothing_is_not_below() {
        let limit = PartsPerMillion(100);
        assert!(limit.allows(2, 30_000));
        assert!(!limit.allows(3, 30_000));
        assert!(!limit.allows(0, 0));
    }
}
