//! The keys of a scenario file: what each says, which values it takes, and what holds where it is left out.
//!
//! The bounds are those that `check` holds files against. Tests hold the names and the defaults against the reader.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::{FaultSpec, Need, Targets};
use super::quantity::{PartsPerMillion, format_duration};

/// Requests a second, all clients together.
pub(super) const RATE_PER_S: RangeInclusive<i64> = 1..=10_000;
/// Trading accounts.
pub(super) const ACCOUNTS: RangeInclusive<i64> = 2..=100_000;
/// Markets.
pub(super) const MARKETS: RangeInclusive<i64> = 1..=64;
/// How often bursts come.
pub(super) const BURST_EVERY: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Megabytes that the ledger holds already.
pub(super) const MORE_MB: RangeInclusive<i64> = 0..=100_000;
/// Rows that its state tables hold already.
pub(super) const MORE_ROWS: RangeInclusive<i64> = 0..=100_000_000;
/// Pods of a service.
pub(super) const REPLICAS: RangeInclusive<i64> = 1..=50;
/// How pods are replaced.
pub(super) const STRATEGIES: [&str; 2] = ["rolling", "recreate"];
/// How often Prometheus may scrape. Queries look back over windows of some ten seconds.
pub(super) const SCRAPE_INTERVAL: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(30);
/// How often triggers may be evaluated.
pub(super) const POLL_INTERVAL: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(60);
/// Shortest warm-up: clients begin after 10 s.
pub(super) const WARM_UP_MIN: Duration = Duration::from_secs(20);
/// Longest drill.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(4 * 3_600);
/// The recovery time objective of the exchange's procedure: no scenario may ask for less strictness.
pub(super) const RTO_MAX: Duration = Duration::from_secs(300);
/// The procedure's bound of the error rate, 0.01 %.
pub(super) const ERROR_RATE_MAX: PartsPerMillion = PartsPerMillion(100);
/// The latencies that a scenario may hold the exchange to.
pub(super) const P99: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_millis(2_500);
/// The executor's requests, counted from the trigger.
pub(super) const CRASH_REQUEST: RangeInclusive<i64> = 1..=100_000;
/// How a rollback may go.
pub(super) const PATHS: [&str; 4] = ["none", "application", "undo", "restore"];
/// How an executor may end.
pub(super) const OUTCOMES: [&str; 2] = ["recovered", "escalated"];
/// On which side of a request's effect an executor may die.
pub(super) const SIDES: [&str; 2] = ["before", "after"];

/// What a key is worth where a file leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It must be given.
    Refused,
    /// This value, as a file would write it.
    Value(&'static str),
    /// In words, since it depends on other keys.
    Words(&'static str),
}

/// A key of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The table that it stands in, such as `load`; empty: above all tables.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Which values it takes, bounds included.
    pub values: String,
    /// What it is where it is left out.
    pub default: LeftOut,
    /// What it says.
    pub what: &'static str,
}

impl Key {
    /// Table and name, such as `load.rate_per_s`.
    #[must_use]
    pub fn path(&self) -> String {
        match self.table {
            "" => self.name.to_owned(),
            table => format!("{table}.{}", self.name),
        }
    }
}

fn counts(range: &RangeInclusive<i64>) -> String {
    format!("a number from {} to {}", range.start(), range.end())
}

fn words(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
    format!("one of {}", quoted.join(", "))
}

fn durations(range: &RangeInclusive<Duration>) -> String {
    let show = |duration: Duration| match duration.as_secs() {
        seconds if seconds > 0 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format_duration(duration),
    };
    format!(
        "a duration from \"{}\" to \"{}\"",
        show(*range.start()),
        show(*range.end())
    )
}

fn at_most(most: Duration) -> String {
    let most = match most.as_secs() {
        seconds if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format_duration(most),
    };
    format!("a duration above 0, at most \"{most}\"")
}

/// Every key outside of `[[faults]]` and `[[deployments]]`, in the order in which files are usually written.
#[must_use]
pub fn all() -> Vec<Key> {
    use LeftOut::{Refused, Value, Words};
    let key = |table, name, values: String, default, what| Key {
        table,
        name,
        values,
        default,
        what,
    };
    let lasting = "a duration above 0, such as \"90s\", \"15m\" or \"1m30s\"";
    vec![
        key(
            "",
            "name",
            "lower-case letters, digits and inner hyphens, at most 63".into(),
            Refused,
            "The name, by which results are told apart.",
        ),
        key(
            "",
            "description",
            "any text".into(),
            Value("\"\""),
            "One sentence for people.",
        ),
        key(
            "release",
            "from",
            "a release of the catalogue, or of your own application".into(),
            Value("\"1.4.2\""),
            "The release that runs first and last. For an application of your own: that of its manifests.",
        ),
        key(
            "release",
            "to",
            "a release of the catalogue, another one than `from`".into(),
            Refused,
            "The release that is deployed.",
        ),
        key(
            "load",
            "rate_per_s",
            counts(&RATE_PER_S),
            Value("200"),
            "Requests a second, all clients together.",
        ),
        key(
            "load",
            "accounts",
            counts(&ACCOUNTS),
            Value("1000"),
            "Trading accounts of the exchange.",
        ),
        key(
            "load",
            "markets",
            counts(&MARKETS),
            Value("4"),
            "Markets of the exchange.",
        ),
        key(
            "load",
            "burst_rate_per_s",
            counts(&RATE_PER_S),
            Words("as `rate_per_s`, so that there are no bursts"),
            "Requests a second during bursts; fewer than `rate_per_s` make quiet times.",
        ),
        key(
            "load",
            "burst_every",
            durations(&BURST_EVERY),
            Value("\"60s\""),
            "How often a burst comes. The first one ends so long after the drill's beginning.",
        ),
        key(
            "load",
            "burst_lasts",
            "a duration above 0, shorter than `burst_every`".into(),
            Value("\"10s\""),
            "How long each burst lasts.",
        ),
        key(
            "ledger",
            "more_mb",
            counts(&MORE_MB),
            Value("0"),
            "Megabytes of history that the ledger holds already; copies carry them along.",
        ),
        key(
            "ledger",
            "more_rows",
            counts(&MORE_ROWS),
            Value("0"),
            "Rows that its state tables hold already; migrations rewrite them.",
        ),
        key(
            "timing",
            "warm_up",
            format!("a duration, at least \"{}\"", format_duration(WARM_UP_MIN)),
            Value("\"60s\""),
            "How long the steady state must hold before anything is touched.",
        ),
        key(
            "timing",
            "deploy_at",
            "a duration, later than `warm_up` and before `duration`".into(),
            Value("\"90s\""),
            "When the release is deployed, counted from the drill's beginning.",
        ),
        key(
            "timing",
            "duration",
            at_most(DURATION_MAX),
            Value("\"15m\""),
            "When the drill ends. `deploy_at`, `rto_max` and `hold` must fit into it.",
        ),
        key(
            "timing",
            "hold",
            "a duration that holds at least 30,000 requests at the load's rate, and with an application of your own as \
             many as show its `error_rate_max`"
                .into(),
            Value("\"3m\""),
            "How long what has recovered must stay recovered, at least.",
        ),
        key(
            "timing",
            "scrape_interval",
            durations(&SCRAPE_INTERVAL),
            Value("\"2s\""),
            "How often Prometheus scrapes each pod. On a cluster it is the default.",
        ),
        key(
            "timing",
            "poll_interval",
            durations(&POLL_INTERVAL),
            Value("\"5s\""),
            "How often the executor evaluates the triggers. On a cluster it is the default.",
        ),
        key(
            "crash",
            "request",
            counts(&CRASH_REQUEST),
            Value("1"),
            "At which of its requests the executor is killed, counted from the trigger.",
        ),
        key(
            "crash",
            "side",
            words(&SIDES),
            Value("\"after\""),
            "Whether it dies before that request takes effect, or after.",
        ),
        key(
            "crash",
            "resume_after",
            lasting.into(),
            Value("\"5s\""),
            "How long after that another host resumes.",
        ),
        key(
            "expect",
            "trigger",
            "a trigger of the runbook, or \"none\"".into(),
            Refused,
            "The trigger that must fire; \"none\": none may fire.",
        ),
        key(
            "expect",
            "path",
            words(&PATHS),
            Words("\"application\" where a trigger is expected, else \"none\""),
            "What becomes of the ledger: nothing, its migration is undone, or a snapshot is restored.",
        ),
        key(
            "expect",
            "outcome",
            words(&OUTCOMES),
            Value("\"recovered\""),
            "How the executor ends: with the application recovered, or by paging a person in time.",
        ),
        key(
            "expect",
            "detect_max",
            lasting.into(),
            Value("\"3m\""),
            "First harm to trigger, at most.",
        ),
        key(
            "expect",
            "impact_max",
            lasting.into(),
            Words("`detect_max` and `rto_max` together"),
            "First harm to recovery, at most.",
        ),
        key(
            "expect",
            "rto_max",
            format!(
                "{}, and with an application of your own at most the `rto` of its runbook",
                at_most(RTO_MAX)
            ),
            Value("\"5m\""),
            "Trigger to recovery, at most.",
        ),
        key(
            "expect",
            "error_rate_max",
            format!(
                "a rate above 0%, at most \"{ERROR_RATE_MAX}\", and with an application of your own at most \"100%\""
            ),
            Value("\"0.01%\""),
            "The clients' error rate after recovery stays below this.",
        ),
        key(
            "expect",
            "p99_max",
            durations(&P99),
            Value("\"100ms\""),
            "The clients' p99 latency after recovery stays within this.",
        ),
        key(
            "expect",
            "trades_lost_max",
            "a number, 0 or more; above 0 only with `path = \"restore\"`".into(),
            Value("0"),
            "Acknowledged trades of the exchange that may be absent afterwards.",
        ),
        key(
            "expect",
            "ledger_kept",
            "true or false; true only with `path = \"application\"`".into(),
            Value("false"),
            "Whether the ledger keeps what the bad engine made of its orders, since clients were told so.",
        ),
    ]
}

/// The keys of `[[deployments]]`, each of which says of one service what is not as in its manifest.
#[must_use]
pub fn of_deployment() -> Vec<Key> {
    let key = |name, values: String, default, what| Key {
        table: "deployments",
        name,
        values,
        default,
        what,
    };
    let share = || "pods such as \"1\", or a percentage such as \"25%\"".to_owned();
    let as_is = LeftOut::Words("as in the manifest");
    let one_given = LeftOut::Words("as in the manifest; \"25%\" where one of the two is given");
    vec![
        key(
            "service",
            words(&dex::release::Service::NAMES),
            LeftOut::Refused,
            "Whose Deployment it is.",
        ),
        key(
            "replicas",
            counts(&REPLICAS),
            as_is,
            "How many pods it wants.",
        ),
        key(
            "strategy",
            words(&STRATEGIES),
            as_is,
            "Whether its pods are replaced a few at a time, or all of them end before new ones begin.",
        ),
        key(
            "max_surge",
            share(),
            one_given,
            "How many pods there may be beyond those that are wanted; not with \"recreate\".",
        ),
        key(
            "max_unavailable",
            share(),
            one_given,
            "How many of those that are wanted may be missing; not with \"recreate\".",
        ),
    ]
}

/// The keys of `[[faults]]` with which a fault of the kind `spec` is described.
#[must_use]
pub fn of_fault(spec: &FaultSpec) -> Vec<Key> {
    let key = |name, values: &str, default, what| Key {
        table: "faults",
        name,
        values: values.to_owned(),
        default,
        what,
    };
    let lasting = "a duration above 0, such as \"5s\"";
    let mut keys = vec![
        key(
            "kind",
            &format!("\"{}\"", spec.name),
            LeftOut::Refused,
            "What happens.",
        ),
        key(
            "when",
            "\"start\", \"deployment\", \"ready NUMBER\" (of pods), \"trigger\", \"request NUMBER\" (of the executor, from the trigger on), or \"step NAME\" or \"after NAME\" (its end) of the runbook",
            LeftOut::Value("\"trigger\""),
            "The instant that `at` counts from.",
        ),
        key(
            "at",
            "a duration that ends before the drill does",
            LeftOut::Value("\"0s\""),
            "How long after that instant it begins.",
        ),
        key(
            "jitter",
            "a duration",
            LeftOut::Value("\"0s\""),
            "Each seed draws up to this much more.",
        ),
    ];
    let mut may = |need, name, values: &str, left_out, what| {
        let default = match need {
            Need::No => return,
            Need::Must => LeftOut::Refused,
            Need::May => LeftOut::Words(left_out),
        };
        keys.push(key(name, values, default, what));
    };
    may(
        spec.lasts,
        "lasts",
        lasting,
        "until the drill's end",
        "For how long.",
    );
    let target = if spec.targets == Targets::NoChoice {
        Need::No
    } else {
        Need::Must
    };
    may(
        target,
        "target",
        &words(&spec.targets.names()),
        "",
        "Whom it hits.",
    );
    may(
        spec.delay,
        "delay",
        lasting,
        "never",
        "How much later what it delays happens.",
    );
    may(
        spec.chance,
        "chance",
        "a rate above 0%, at most \"100%\"",
        "each one",
        "How likely each message is hit.",
    );
    may(
        spec.by,
        "by",
        "a duration above 0 and up to \"1h\", or one with a minus before it",
        "not at all",
        "How far the clock is ahead; with a minus, how far it is behind.",
    );
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;

    use super::*;
    use crate::scenario::{FAULTS, Scenario};

    const HEAD: &str = "name = \"mine\"\n";

    /// The names that the reader knows in `table`, which its message about an unknown one lists.
    fn known_to_the_reader(table: &str) -> BTreeSet<String> {
        let text = match table {
            "" => "zzz = 1\n".to_owned(),
            "faults" | "deployments" => format!("{HEAD}[[{table}]]\nzzz = 1\n"),
            table => format!("{HEAD}[{table}]\nzzz = 1\n"),
        };
        let error = toml::from_str::<super::super::raw::Raw>(&text).expect_err("no such key");
        let message = error.message().to_owned();
        assert!(message.starts_with("unknown field"), "{table}: {message}");
        let quoted = message.split('`').skip(1).step_by(2).skip(1);
        quoted.map(str::to_owned).collect()
    }

    #[test]
    fn every_key_that_is_read_is_listed_and_no_other() {
        let mut listed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for key in all() {
            assert!(listed.entry(key.table).or_default().insert(key.name.into()));
        }
        let tables: BTreeSet<String> = listed.keys().map(|&table| table.to_owned()).collect();
        let top = listed.entry("").or_default();
        top.extend(tables.into_iter().filter(|table| !table.is_empty()));
        // The application stands in texts that tokens hold, and nobody writes it by hand.
        top.extend(["faults", "deployments", "application"].map(str::to_owned));
        let of_deployment = of_deployment().into_iter();
        let of_deployment = of_deployment.map(|key| key.name.to_owned());
        listed.insert("deployments", of_deployment.collect());
        let of_faults = FAULTS.iter().flat_map(of_fault);
        listed.insert("faults", of_faults.map(|key| key.name.to_owned()).collect());
        for (table, names) in listed {
            assert_eq!(names, known_to_the_reader(table), "[{table}]");
        }
    }

    #[test]
    fn the_defaults_are_what_holds_where_a_key_is_left_out() {
        let mut complete = String::new();
        let mut table = "";
        for key in all().iter().filter(|key| key.table != "crash") {
            if key.table != table {
                table = key.table;
                let _ = writeln!(complete, "[{table}]");
            }
            let value = match (key.default, key.name) {
                (LeftOut::Value(value), _) => value,
                (_, "name") => "\"mine\"",
                (_, "to") => "\"1.5.0-slow-path\"",
                (_, "trigger") => "\"sla-latency-p99\"",
                (_, "path") => "\"application\"",
                (_, "impact_max") => "\"8m\"",
                (_, "burst_rate_per_s") => "200",
                (_, name) => panic!("what is {name} where it is left out?"),
            };
            let _ = writeln!(complete, "{} = {value}", key.name);
        }
        let shortest = "name = \"mine\"\n[release]\nto = \"1.5.0-slow-path\"\n[expect]\ntrigger = \"sla-latency-p99\"\n";
        let read = |text: &str| {
            let scenario = Scenario::parse("mine.toml", text, &[]).expect(text);
            Scenario {
                text: String::new(),
                ..scenario
            }
        };
        assert_eq!(read(shortest), read(&complete));
        let crash = "[crash]\nrequest = 1\nside = \"after\"\nresume_after = \"5s\"\n";
        assert_eq!(
            read(&format!("{shortest}[crash]\n")),
            read(&format!("{shortest}{crash}"))
        );
    }

    #[test]
    fn bounds_are_where_they_are_said_to_be() {
        let refused = |key: &str, value: i64| {
            let text = match key {
                "request" => format!("{HEAD}[crash]\nrequest = {value}\n"),
                "more_mb" | "more_rows" => format!("{HEAD}[ledger]\n{key} = {value}\n"),
                key => format!("{HEAD}[load]\n{key} = {value}\n"),
            };
            let text = format!(
                "{text}[release]\nto = \"1.5.0-slow-path\"\n[expect]\ntrigger = \"sla-latency-p99\"\n"
            );
            let error = Scenario::parse("mine.toml", &text, &[]).err();
            let of_it = |error: super::super::ScenarioError| {
                error
                    .mistakes
                    .iter()
                    .any(|it| it.message == format!("{key} is {value}"))
            };
            error.is_some_and(of_it)
        };
        for (key, range) in [
            ("rate_per_s", RATE_PER_S),
            ("accounts", ACCOUNTS),
            ("markets", MARKETS),
            ("burst_rate_per_s", RATE_PER_S),
            ("more_mb", MORE_MB),
            ("more_rows", MORE_ROWS),
            ("request", CRASH_REQUEST),
        ] {
            let (least, most) = (*range.start(), *range.end());
            assert!(!refused(key, least) && refused(key, least - 1), "{key}");
            assert!(!refused(key, most) && refused(key, most + 1), "{key}");
        }
    }
}
