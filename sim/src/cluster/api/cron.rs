//! Schedules and time zones of CronJobs, as the API server reads them (`github.com/robfig/cron/v3` parser.go, Go's
//! `time.LoadLocation` and `time.ParseDuration`). What is wrong is told in the words of those.

use std::num::IntErrorKind;

/// The time zones that Go's `time/tzdata` has, in the order of their bytes.
const ZONES: &str = include_str!("time_zones.txt");

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The fields of a schedule: the least and the greatest number, and the names of numbers, from the least on.
const FIELDS: [(u64, u64, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &MONTHS),
    (0, 6, &DAYS),
];

/// `LoadLocation`.
///
/// # Errors
/// There is no such time zone.
pub(super) fn zone(name: &str) -> Result<(), String> {
    if matches!(name, "" | "UTC" | "Local") || ZONES.lines().any(|it| it == name) {
        return Ok(());
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err("time: invalid location name".to_owned());
    }
    Err(format!("unknown time zone {name}"))
}

/// `ParseStandard`.
///
/// # Errors
/// What is wrong with the schedule.
pub(super) fn schedule(spec: &str) -> Result<(), String> {
    let mut spec = spec;
    if spec.starts_with("TZ=") || spec.starts_with("CRON_TZ=") {
        let of_zone = spec.split_once('=').map_or("", |(_, rest)| rest);
        let (name, rest) = of_zone.split_once(' ').unwrap_or((of_zone, ""));
        zone(name).map_err(|why| format!("provided bad location {name}: {why}"))?;
        spec = rest.trim();
    }
    if spec.starts_with('@') {
        return descriptor(spec);
    }
    let fields: Vec<&str> = spec.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "expected exactly {} fields, found {}: [{}]",
            FIELDS.len(),
            fields.len(),
            fields.join(" ")
        ));
    }
    for (field, bounds) in fields.into_iter().zip(FIELDS) {
        for expression in field.split(',').filter(|it| !it.is_empty()) {
            range(expression, bounds)?;
        }
    }
    Ok(())
}

/// `getRange`: a number, or a number, a hyphen, a number, and maybe a slash and a step.
fn range(expression: &str, (least, most, names): (u64, u64, &[&str])) -> Result<(), String> {
    let parts: Vec<&str> = expression.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let named = |text: &str| {
        let lower = text.to_lowercase();
        match names.iter().position(|name| *name == lower) {
            Some(nth) => Ok(least + nth as u64),
            None => number(text),
        }
    };
    let (start, mut end) = match ends[..] {
        ["*" | "?", ..] => (least, most),
        [one] => {
            let one = named(one)?;
            (one, one)
        }
        [start, end] => (named(start)?, named(end)?),
        _ => return Err(format!("too many hyphens: {expression}")),
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            // A step goes on to the end.
            if ends.len() == 1 {
                end = most;
            }
            number(step)?
        }
        _ => return Err(format!("too many slashes: {expression}")),
    };
    if start < least {
        let bound = format!("below minimum ({least})");
        return Err(format!(
            "beginning of range ({start}) {bound}: {expression}"
        ));
    }
    if end > most {
        let bound = format!("above maximum ({most})");
        return Err(format!("end of range ({end}) {bound}: {expression}"));
    }
    if start > end {
        let bound = format!("beyond end of range ({end})");
        return Err(format!(
            "beginning of range ({start}) {bound}: {expression}"
        ));
    }
    if step == 0 {
        return Err(format!(
            "step of range should be a positive number: {expression}"
        ));
    }
    Ok(())
}

/// `mustParseInt`.
fn number(text: &str) -> Result<u64, String> {
    let parsed: Result<i64, _> = text.parse();
    match parsed {
        Ok(number) => u64::try_from(number)
            .map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(error) => {
            let why = match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Err(format!(
                "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}"
            ))
        }
    }
}

/// `parseDescriptor`: a schedule that has a name.
fn descriptor(spec: &str) -> Result<(), String> {
    const NAMED: [&str; 7] = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if NAMED.contains(&spec) {
        return Ok(());
    }
    let Some(span) = spec.strip_prefix("@every ") else {
        return Err(format!("unrecognized descriptor: {spec}"));
    };
    duration(span).map_err(|why| format!("failed to parse duration {spec}: {why}"))
}

/// `ParseDuration`: numbers with units, one after the other.
fn duration(text: &str) -> Result<(), String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
        let whole = digits.split('.').next().unwrap_or("");
        let is_number = digits.bytes().any(|b| b.is_ascii_digit());
        let fits = whole.is_empty() || whole.parse::<i64>().is_ok();
        if !is_number || !fits {
            return Err(invalid());
        }
        // A second dot begins what should be a unit.
        let dots = digits.match_indices('.').nth(1);
        let after = dots.map_or(after, |(at, _)| &rest[at..]);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, next) = after.split_at(end.unwrap_or(after.len()));
        match unit {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" => {}
            _ => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        }
        rest = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ZONES, duration, number, schedule, zone};

    #[test]
    fn the_zones_are_in_order_and_each_is_there_once() {
        let zones: Vec<&str> = ZONES.lines().collect();
        assert!(zones.is_sorted_by(|a, b| a < b));
        assert!(zones.iter().all(|it| zone(it).is_ok()));
        for wrong in [
            "europe/berlin",
            "Europe",
            "Europe/Berlin ",
            "/UTC",
            "../UTC",
        ] {
            assert!(zone(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        assert_eq!(number("+5"), Ok(5));
        let wrong = "negative number (-5) not allowed: -5";
        assert_eq!(number("-5"), Err(wrong.to_owned()));
        let wrong = "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax";
        assert_eq!(number(""), Err(wrong.to_owned()));
    }

    #[test]
    fn durations_have_units() {
        for right in ["0", "-0", "5m", "1h30m", "1.5s", ".5s", "1.s", "5µs"] {
            assert_eq!(duration(right), Ok(()), "{right}");
        }
        for (wrong, why) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("m", "time: invalid duration \"m\""),
            (".s", "time: invalid duration \".s\""),
            ("5", "time: missing unit in duration \"5\""),
            ("1h5", "time: missing unit in duration \"1h5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            (
                "99999999999999999999s",
                "time: invalid duration \"99999999999999999999s\"",
            ),
        ] {
            assert_eq!(duration(wrong), Err(why.to_owned()), "{wrong}");
        }
    }

    #[test]
    fn a_zone_in_a_schedule_is_looked_up_before_its_fields() {
        let wrong = "provided bad location Mars/X: unknown time zone Mars/X";
        assert_eq!(schedule("TZ=Mars/X 0 3 * * *"), Err(wrong.to_owned()));
        assert_eq!(schedule("CRON_TZ=UTC 0 3 * * *"), Ok(()));
        assert!(schedule("TZ=UTC").is_err());
    }
}
