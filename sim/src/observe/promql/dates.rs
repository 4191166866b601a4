//! The date functions: parts of a Unix time, in UTC (prometheus `promql/functions.go`, dateWrapper).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateFn {
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

impl DateFn {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day_of_week" => Self::DayOfWeek,
            "day_of_month" => Self::DayOfMonth,
            "day_of_year" => Self::DayOfYear,
            "days_in_month" => Self::DaysInMonth,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The part of the Unix time `seconds`, whose fraction is cut off; NaN beyond the years -9999 to 9999.
    pub(super) fn of(self, seconds: f64) -> f64 {
        // A conversion of NaN is 0 in Rust, and any number in Go.
        let Ok(at) = Timestamp::from_second(seconds as i64) else {
            return f64::NAN;
        };
        let at: DateTime = TimeZone::UTC.to_datetime(at);
        match self {
            Self::Minute => f64::from(at.minute()),
            Self::Hour => f64::from(at.hour()),
            Self::DayOfWeek => f64::from(at.weekday().to_sunday_zero_offset()),
            Self::DayOfMonth => f64::from(at.day()),
            Self::DayOfYear => f64::from(at.day_of_year()),
            Self::DaysInMonth => f64::from(at.days_in_month()),
            Self::Month => f64::from(at.month()),
            Self::Year => f64::from(at.year()),
        }
    }
}
