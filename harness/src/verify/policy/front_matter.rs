//! What a change of the front matter bears on: the terms, the services and the triggers.

use executor::runbook::Runbook;

use super::super::protection::Protection;
use super::super::vacuous::Vacuous;
use super::super::words;
use super::{Found, Needs, loosened};
use crate::scenario::format_duration as show;

/// What the front matter of `new` might do worse.
pub(super) fn front_matter(old: &Runbook, new: &Runbook, found: &mut Found) {
    if new.rto > old.rto {
        found.wrong(
            Protection::Objective,
            format!(
                "the RTO is raised from {} to {}",
                show(old.rto),
                show(new.rto)
            ),
            "every budget is held against it: a longer objective hides slower steps",
        );
    }
    if new.rpo_records > old.rpo_records {
        found.wrong(
            Protection::Objective,
            format!(
                "{} acknowledged {} may be lost instead of {}",
                new.rpo_records, new.naming.records, old.rpo_records
            ),
            "nothing that a client was told about may be missing",
        );
    }
    if new.validation_window != old.validation_window {
        found.add(
            Protection::Detection,
            format!(
                "triggers are watched for {} instead of {}",
                show(new.validation_window),
                show(old.validation_window)
            ),
            if new.validation_window < old.validation_window {
                "a release that goes bad later is not rolled back"
            } else {
                "what goes bad so late need not be the release's doing"
            },
            Needs::Person,
        );
    }
    for (what, was, is) in [
        ("namespace", Some(&old.namespace), Some(&new.namespace)),
        (
            "address of Prometheus",
            Some(&old.prometheus),
            Some(&new.prometheus),
        ),
        ("address of Loki", old.loki.as_ref(), new.loki.as_ref()),
        (
            "ConfigMap with the migrations",
            Some(&old.migrations),
            Some(&new.migrations),
        ),
    ] {
        if was != is {
            found.add(
                Protection::Address,
                format!("the {what} is another one"),
                "a wrong one is noticed only in the incident",
                Needs::Person,
            );
        }
    }
    services(old, new, found);
    triggers(old, new, found);
}

fn services(old: &Runbook, new: &Runbook, found: &mut Found) {
    if old.services == new.services {
        return;
    }
    let lacks = |of: &Runbook, name: &String| !of.services.contains(name);
    let missing: Vec<&str> = old
        .services
        .iter()
        .filter(|name| lacks(new, name))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        found.add(
            Protection::Order,
            format!(
                "services are rolled back in the order {}",
                new.services.join(", ")
            ),
            "whoever is depended on comes first",
            Needs::Mattering(vec![Vacuous::services_reversed(old)]),
        );
    } else {
        found.add(
            Protection::Order,
            format!("{} is not rolled back any more", missing.join(", ")),
            "all of a release goes back, or none of it",
            Needs::Mattering(vec![Vacuous::services_without(old, &missing)]),
        );
    }
}

fn triggers(old: &Runbook, new: &Runbook, found: &mut Found) {
    for was in &old.triggers {
        let Some(is) = words::find(new, &was.name) else {
            found.add(
                Protection::Detection,
                format!("the trigger `{}` is gone", was.name),
                "the procedure makes a rollback mandatory there",
                Needs::Mattering(vec![Vacuous::without_trigger(old, was)]),
            );
            continue;
        };
        let change = words::trigger_differences(was, is).join("; ");
        if change.is_empty() {
            continue;
        }
        // Whoever asks something else may fire less often or more often; nobody knows without trying both.
        let other = was.class != is.class || was.query != is.query;
        let (fires_less, fires_more) = (
            other || loosened(was.condition, is.condition, false) || is.hold_for > was.hold_for,
            other || loosened(was.condition, is.condition, true) || is.hold_for < was.hold_for,
        );
        let mut needs = Vec::new();
        if fires_less {
            needs.push(Vacuous::without_trigger(old, was));
        }
        if fires_more {
            needs.push(Vacuous::without_debounce(old, was));
        }
        let (protection, why) = match (fires_less, fires_more) {
            (true, true) => (
                Protection::Detection,
                "it may fire too late or never, and for a sound release",
            ),
            (false, _) => (
                Protection::Debounce,
                "a short burst must not roll back a sound release",
            ),
            (true, false) => (
                Protection::Detection,
                "what is noticed later, or not at all, harms clients for longer",
            ),
        };
        found.add(protection, change, why, Needs::Mattering(needs));
    }
    for is in &new.triggers {
        if words::find(old, &is.name).is_none() {
            found.add(
                Protection::Debounce,
                format!("the trigger `{}` is new", is.name),
                "it must not fire for a sound release",
                Needs::Mattering(vec![Vacuous::with_trigger(old, is)]),
            );
        }
    }
}
