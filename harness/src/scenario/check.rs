//! What a scenario must satisfy beyond its form. All mistakes are found at once.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::error::{Mistakes, SCENARIO, ScenarioError};
use super::quantity::{Span, format_duration};
use super::raw::Raw;
use super::{
    Expect, Expected, Load, Path, ReleaseChange, Scenario, Subject, Timing, check_application,
    check_faults, check_settings, keys,
};
use crate::evidence::{REQUESTS_MIN, requests_that_show};
use crate::suggest;

pub(super) fn check(
    file: &str,
    text: &str,
    mut raw: Raw,
    triggers: &[String],
    application: Subject,
) -> Result<Scenario, ScenarioError> {
    let mut m = Mistakes::default();
    let wrong = std::mem::take(&mut raw.wrong);
    check_name(&mut m, &raw.name);
    if !application.is_the_exchange() {
        check_application::settle(&mut m, &mut raw, &application);
    }
    let own = !application.is_the_exchange();
    check_releases(&mut m, &raw, &application);
    let load = Load {
        rate_per_s: m.within("rate_per_s", &raw.load.rate_per_s, keys::RATE_PER_S),
        accounts: m.within("accounts", &raw.load.accounts, keys::ACCOUNTS),
        markets: m.within("markets", &raw.load.markets, keys::MARKETS),
        bursts: check_settings::bursts(&mut m, &raw.load),
    };
    let ledger = check_settings::ledger(&mut m, &raw.ledger);
    let deployments = check_settings::deployments(&mut m, &raw.deployments);
    let expect = check_expect(&mut m, &raw, triggers, own);
    let timing = check_timing(&mut m, &raw, &load, &expect, own);
    let crash = raw
        .crash
        .as_ref()
        .and_then(|crash| check_faults::crash(&mut m, crash));
    let faults = check_faults::faults(&mut m, &raw.faults, &timing, &application);
    m.beside(wrong);
    m.into_result(SCENARIO, file, text)?;
    Ok(Scenario {
        name: raw.name.into_inner(),
        description: raw.description,
        release: ReleaseChange {
            from: canonical(&application, &raw.release.from),
            to: canonical(&application, &raw.release.to),
        },
        load,
        ledger,
        deployments,
        timing,
        crash,
        faults,
        expect,
        application,
        text: text.to_owned(),
    })
}

fn check_name(m: &mut Mistakes, name: &Spanned<String>) {
    let word = name.get_ref();
    let kebab = !word.is_empty()
        && word.len() <= 63
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !word.starts_with('-')
        && !word.ends_with('-');
    if !kebab {
        m.add(name.span(), format!("`{word}` is not a scenario name"), "not kebab-case", "lower-case letters, digits and inner hyphens, at most 63, such as `latency-regression`");
    }
}

/// A release as it is called in full.
fn canonical(application: &Subject, release: &Spanned<String>) -> String {
    let word = release.get_ref();
    application.release_named(word).unwrap_or(word).to_owned()
}

fn check_releases(m: &mut Mistakes, raw: &Raw, application: &Subject) {
    let known = application.release_names();
    for release in [&raw.release.from, &raw.release.to] {
        let word = release.get_ref().as_str();
        if application.release_named(word).is_none() {
            m.add(
                release.span(),
                format!("unknown release `{word}`"),
                "not in the catalogue of releases",
                suggest::help(word, &known),
            );
        }
    }
    let [from, to] = [&raw.release.from, &raw.release.to].map(|it| canonical(application, it));
    if from == to {
        m.add(
            raw.release.to.span(),
            "the release deploys itself",
            "same as `from`",
            "name the release that is to be deployed, for instance `1.5.0-slow-path`",
        );
    }
}

fn check_expect(m: &mut Mistakes, raw: &Raw, triggers: &[String], own: bool) -> Expect {
    let e = &raw.expect;
    let outcome = match e.outcome.as_ref() {
        None => Expected::Recovered,
        Some(word) => match word.get_ref().as_str() {
            "recovered" => Expected::Recovered,
            "escalated" => Expected::Escalated,
            word_given => {
                m.add(
                    word.span(),
                    format!("unknown outcome `{word_given}`"),
                    "neither `recovered` nor `escalated`",
                    suggest::help(word_given, &keys::OUTCOMES),
                );
                Expected::Recovered
            }
        },
    };
    let word = e.trigger.get_ref().as_str();
    let trigger = (word != "none").then(|| word.to_owned());
    let path = check_path(m, e.path.as_ref(), trigger.is_some());
    if let Some(word) = &trigger
        && !triggers.is_empty()
        && !triggers.contains(word)
    {
        let mut known: Vec<&str> = triggers.iter().map(String::as_str).collect();
        known.push("none");
        m.add(
            e.trigger.span(),
            format!("the runbook has no trigger `{word}`"),
            "unknown trigger",
            suggest::help(word, &known),
        );
    }
    if let Some(given) = &e.path
        && keys::PATHS.contains(&given.get_ref().as_str())
        && trigger.is_none() != (path == Path::None)
    {
        let (label, help) = if trigger.is_none() {
            (
                "without a trigger nothing is rolled back",
                "set `path = \"none\"`, or name the trigger",
            )
        } else {
            (
                "a trigger leads to a rollback",
                "set `path` to application, undo or restore, or `trigger = \"none\"`",
            )
        };
        m.add(
            given.span(),
            "impossible expectation: trigger and path do not go together",
            label,
            help,
        );
    }
    let rto = e.rto_max.get_ref().0;
    // The procedure of an application of one's own is its runbook, which is not known here.
    if own && rto > keys::DURATION_MAX {
        m.add(
            e.rto_max.span(),
            format!(
                "impossible expectation: no drill lasts {}",
                format_duration(rto)
            ),
            "longer than 4h",
            "at most what the runbook's `rto` says",
        );
    } else if !own && rto > keys::RTO_MAX {
        m.add(
            e.rto_max.span(),
            format!(
                "impossible expectation: rto_max of {} is beyond the procedure's RTO",
                format_duration(rto)
            ),
            "longer than 5m",
            "at most \"5m\": a scenario may be stricter than the procedure, never laxer",
        );
    } else if rto.is_zero() {
        m.add(
            e.rto_max.span(),
            "impossible expectation: no rollback takes no time",
            "zero",
            "at most \"5m\", and more than nothing",
        );
    }
    let span_of = |given: &Option<Spanned<Span>>, default| {
        given.as_ref().map_or(default, |it| it.get_ref().0)
    };
    let detect_max = span_of(&e.detect_max, Expect::DETECT_MAX);
    let impact_max = span_of(&e.impact_max, detect_max + rto);
    for (what, given) in [("detect_max", &e.detect_max), ("impact_max", &e.impact_max)] {
        if let Some(given) = given.as_ref().filter(|it| it.get_ref().0.is_zero()) {
            m.add(
                given.span(),
                format!("impossible expectation: {what} is zero"),
                "harm is neither noticed nor over at once",
                "more than nothing; without it, \"3m\" to notice, and `rto_max` more until it is over",
            );
        }
    }
    let rate = *e.error_rate_max.get_ref();
    // The bound of 0.01 % is the exchange's own.
    if rate > keys::ERROR_RATE_MAX && !own {
        m.add(
            e.error_rate_max.span(),
            format!(
                "impossible expectation: error_rate_max of {rate} is beyond the procedure's bound"
            ),
            "more than 0.01%",
            "at most \"0.01%\"",
        );
    } else if rate.0 == 0 {
        m.add(
            e.error_rate_max.span(),
            "impossible expectation: no rate is below 0%",
            "the error rate must stay strictly below this",
            "for instance \"0.01%\"",
        );
    }
    let p99 = e.p99_max.get_ref().0;
    if !keys::P99.contains(&p99) {
        m.add(
            e.p99_max.span(),
            format!("p99_max is {}", format_duration(p99)),
            "must be 1ms to 2.5s",
            if own {
                "the latency target of your clients, for instance \"500ms\""
            } else {
                "the latency target of the exchange, for instance \"100ms\""
            },
        );
    }
    let lost = *e.trades_lost_max.get_ref();
    if lost < 0 {
        m.add(
            e.trades_lost_max.span(),
            format!("trades_lost_max is {lost}"),
            "must not be negative",
            "0: no acknowledged trade may be lost",
        );
    } else if lost > 0 && path != Path::Restore {
        m.add(
            e.trades_lost_max.span(),
            format!(
                "impossible expectation: the path `{}` loses no trade",
                path.as_str()
            ),
            "trades can be lost only where a snapshot is restored",
            "set it to 0, or `path = \"restore\"`",
        );
    }
    let kept = e.ledger_kept.as_ref().filter(|kept| *kept.get_ref());
    if let Some(kept) = kept
        && path != Path::Application
    {
        m.add(
            kept.span(),
            format!(
                "impossible expectation: the path `{}` rewrites the ledger",
                path.as_str()
            ),
            "the bad engine's ledger is kept only where the application alone is rolled back",
            "leave it out, or `path = \"application\"`",
        );
    }
    Expect {
        trigger,
        path,
        outcome,
        detect_max,
        impact_max,
        rto_max: rto,
        error_rate_max: rate,
        p99_max: p99,
        trades_lost_max: u64::try_from(lost).unwrap_or(0),
        ledger_kept: kept.is_some(),
    }
}

/// The path that is named, else what a trigger leads to where the ledger is sound: the application alone.
fn check_path(m: &mut Mistakes, path: Option<&Spanned<String>>, triggered: bool) -> Path {
    let Some(path) = path else {
        return if triggered {
            Path::Application
        } else {
            Path::None
        };
    };
    match path.get_ref().as_str() {
        "none" => Path::None,
        "application" => Path::Application,
        "undo" => Path::Undo,
        "restore" => Path::Restore,
        word => {
            m.add(
                path.span(),
                format!("unknown path `{word}`"),
                "not a way to roll back",
                suggest::help(word, &keys::PATHS),
            );
            Path::None
        }
    }
}

/// The first of the places of `values` that the file gives: a mistake about a default is one of what does not go with
/// it. Every key that has a part in the mistake is among them, as the file gives one of them at least.
fn place<const N: usize>(values: [Range<usize>; N]) -> Range<usize> {
    let mut given = values.into_iter().filter(|span| !span.is_empty());
    given.next().unwrap_or(0..0)
}

fn check_timing(m: &mut Mistakes, raw: &Raw, load: &Load, expect: &Expect, own: bool) -> Timing {
    let t = &raw.timing;
    let of = |s: &Spanned<Span>| s.get_ref().0;
    let timing = Timing {
        warm_up: of(&t.warm_up),
        deploy_at: of(&t.deploy_at),
        duration: of(&t.duration),
        hold: of(&t.hold),
        scrape_interval: of(&t.scrape_interval),
        poll_interval: of(&t.poll_interval),
    };
    let show = format_duration;
    for (name, given, range) in [
        ("scrape_interval", &t.scrape_interval, keys::SCRAPE_INTERVAL),
        ("poll_interval", &t.poll_interval, keys::POLL_INTERVAL),
    ] {
        let value = of(given);
        if !range.contains(&value) {
            let (least, most) = (show(*range.start()), show(*range.end()));
            m.add(
                given.span(),
                format!("{name} is {}", show(value)),
                format!("must be {least} to {most}"),
                format!("choose a value from \"{least}\" to \"{most}\""),
            );
        }
    }
    if timing.warm_up < keys::WARM_UP_MIN {
        m.add(
            t.warm_up.span(),
            format!("warm_up of {} shows no steady state", show(timing.warm_up)),
            "shorter than 20s: clients begin after 10s",
            "at least \"20s\", for instance \"60s\"",
        );
    }
    if timing.duration > keys::DURATION_MAX {
        m.add(
            t.duration.span(),
            format!("a drill of {} is too long", show(timing.duration)),
            "longer than 4h",
            "for instance \"15m\"",
        );
    }
    if timing.deploy_at <= timing.warm_up {
        m.add(
            place([t.deploy_at.span(), t.warm_up.span()]),
            "the release is deployed before the warm-up is over",
            format!("warm_up lasts until {}", show(timing.warm_up)),
            "leave room for `prepare` too: at least warm_up plus 10s",
        );
    }
    if timing.deploy_at >= timing.duration {
        m.add(
            place([t.deploy_at.span(), t.duration.span()]),
            "the release is deployed after the drill's end",
            format!("the drill ends at {}", show(timing.duration)),
            "deploy earlier, or lengthen `duration`",
        );
        return timing;
    }
    let rest = timing.duration.saturating_sub(timing.deploy_at);
    if timing.hold > rest {
        m.add(
            place([t.hold.span(), t.duration.span(), t.deploy_at.span()]),
            format!("the hold of {} does not fit", show(timing.hold)),
            format!("only {} are left after the deployment", show(rest)),
            "shorten `hold`, or lengthen `duration`",
        );
    } else if expect.trigger.is_some() && timing.hold + expect.rto_max > rest {
        m.add(
            place([
                t.duration.span(),
                t.hold.span(),
                t.deploy_at.span(),
                raw.expect.rto_max.span(),
            ]),
            "the drill is too short for its own expectations",
            format!(
                "deploy_at + rto_max + hold is {}",
                show(timing.deploy_at + expect.rto_max + timing.hold)
            ),
            "lengthen `duration` (detection takes time too), or shorten `hold`",
        );
    }
    if load.rate_per_s == 0 {
        return timing;
    }
    let requests = if own {
        requests_that_show(expect.error_rate_max)
    } else {
        REQUESTS_MIN
    };
    let enough = requests.div_ceil(u64::from(load.rate_per_s));
    if timing.hold < Duration::from_secs(enough) && timing.hold <= rest {
        m.add(
            place([t.hold.span(), raw.load.rate_per_s.span()]),
            format!("a hold of {} holds too few requests", show(timing.hold)),
            format!(
                "{} requests, and {requests} are needed to show a rate below {}",
                timing.hold.as_secs() * u64::from(load.rate_per_s),
                if own {
                    expect.error_rate_max
                } else {
                    keys::ERROR_RATE_MAX
                }
            ),
            format!("at least \"{enough}s\" at this rate"),
        );
    }
    timing
}
