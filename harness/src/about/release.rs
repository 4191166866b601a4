//! The releases of the exchange's catalogue.

use std::collections::BTreeSet;

use dex::migrations::Set;
use dex::release::{
    Build, Defect, FIRST_PODS, MarketList, ONE_POD_OF, Promise, Release, Service, TemplateChange,
};

use super::page::{About, Fact, Kind, scenarios_with};
use crate::scenario::catalogue::release_named;

pub(super) fn all() -> Vec<About> {
    let releases = Release::catalogue();
    let stable = releases.first().cloned();
    releases
        .iter()
        .map(|release| one(release, stable.as_ref()))
        .collect()
}

fn one(release: &Release, stable: Option<&Release>) -> About {
    let mut facts = Vec::new();
    for service in Service::ALL {
        let build = release.build(service);
        if release.unpublished.contains(&service) {
            let gone = format!("{}: its image was never pushed", build.image());
            facts.push(Fact::new("build", gone));
        } else if build != Build::stable(service) || stable.is_some_and(|s| s.name == release.name)
        {
            let defect = build
                .fault
                .map_or_else(String::new, |fault| format!(": {}", defect(fault)));
            let shown = format!("{} at revision {}{defect}", build.image(), build.revision);
            facts.push(Fact::new("build", shown));
        }
    }
    facts.extend(stable.map_or_else(Vec::new, |stable| configuration(release, stable)));
    for (service, change) in release.template {
        let changed = format!("{}: {}", service.name(), template(*change));
        facts.push(Fact::new("template", changed));
    }
    for build in release.builds {
        let before = Build::stable(build.service);
        if build.market_lists != before.market_lists {
            let (service, paths) = (build.service.name(), market_lists(build.market_lists));
            let (how, when) = match build.service {
                Service::Matching => ("serves", ""),
                _ => ("reads", ", whichever there is, when it starts"),
            };
            let fact = format!("{service} {how} it at {paths}{when}");
            facts.push(Fact::new("list of markets", fact));
        }
    }
    facts.push(Fact::new("migrations", migrations(release.migrations)));
    About {
        kind: Kind::Release,
        name: release.name.to_owned(),
        group: "",
        what: what(release),
        facts,
        keys: Vec::new(),
        example: format!("[release]\nto = \"{}\"\n", release.name),
        scenarios: scenarios_with(|scenario| {
            release_named(&scenario.release.to) == Some(release.name)
        }),
    }
}

/// What it breaches, and by which defect of its code.
fn what(release: &Release) -> String {
    let mut what = breaches(release.promise).to_owned();
    for build in release.builds {
        if let Some(fault) = build.fault {
            let service = build.service.name();
            what.push_str(&format!(" In {service}, {}.", defect(fault)));
        }
    }
    what
}

fn breaches(promise: Promise) -> &'static str {
    match promise {
        Promise::Nothing => "Breaches nothing: it is good.",
        Promise::LatencyP99 => "Breaches the p99 of the latency.",
        Promise::Throughput => "Breaches throughput.",
        Promise::BalanceAnomaly => "Breaches the balance of the books.",
        Promise::RequestErrors => "Breaches the error rate.",
        Promise::MatchingIrregularity => "Breaches price-time priority.",
        Promise::StateDeterminism => "Breaches the determinism of the state.",
    }
}

fn defect(fault: Defect) -> String {
    match fault {
        Defect::SlowPath => "it gets slower with every order".to_owned(),
        Defect::FailsOneIn(n) => format!("it answers one request in {n} with status 500"),
        Defect::FailsInOnePod(n) => {
            format!("in one pod of {ONE_POD_OF} it answers one request in {n} with status 500")
        }
        Defect::FailsOnceReplaced(n) => format!(
            "in every pod but its first {FIRST_PODS} it answers one request in {n} with status 500"
        ),
        Defect::LosesOfTen(n) => format!("{n} of ten requests get no answer"),
        Defect::CrashLoop => "it comes up and crashes, over and over".to_owned(),
        Defect::DoubleCredit => "settlement credits some sellers twice".to_owned(),
        Defect::Misdirected => "settlement credits another account than the seller's".to_owned(),
        Defect::DecimalDecode => "it cannot decode some decimal amounts".to_owned(),
        Defect::PriorityInversion => "a price level is served newest order first".to_owned(),
        Defect::UnstableHash => "its state depends on which process computed it".to_owned(),
    }
}

fn template(change: TemplateChange) -> String {
    match change {
        TemplateChange::Env { name, value } => format!("environment {name}={value}"),
        TemplateChange::Args(args) => format!("arguments {}", args.join(" ")),
        TemplateChange::Limit { resource, quantity } => format!("limit of {resource} {quantity}"),
        TemplateChange::ReadinessPeriod(seconds) => format!("a readiness probe each {seconds} s"),
        TemplateChange::Annotation { key, value } => format!("annotation {key}={value}"),
    }
}

fn market_lists(lists: &[MarketList]) -> String {
    let paths: Vec<_> = lists.iter().map(|list| list.path()).collect();
    paths.join(" or ")
}

fn migrations(set: Set) -> &'static str {
    match set {
        Set::Base => "none",
        Set::Compatible | Set::Nine => "an index, which earlier releases can live with",
        Set::Ten => {
            "an index, and decimal amounts, which earlier releases can't read; undoing loses nothing"
        }
        Set::Decimal => "decimal amounts, which earlier releases can't read; undoing loses nothing",
        Set::DecimalLossy => "decimal amounts and a column; undoing loses what is in the column",
        Set::Two => "decimal amounts and an index, as two migrations; undoing loses nothing",
    }
}

/// In what the ConfigMaps differ from those of the stable release.
fn configuration(release: &Release, stable: &Release) -> Vec<Fact> {
    let mut facts = Vec::new();
    let maps: BTreeSet<_> = release.config.keys().chain(stable.config.keys()).collect();
    for map in maps {
        let (new, old) = (release.config.get(map), stable.config.get(map));
        let keys: BTreeSet<_> = new
            .into_iter()
            .chain(old)
            .flat_map(|data| data.keys())
            .collect();
        for key in keys {
            let value = |data: Option<&std::collections::BTreeMap<&str, &'static str>>| {
                data.and_then(|data| data.get(*key)).copied()
            };
            let said = match (value(new), value(old)) {
                (new, old) if new == old => continue,
                (Some(new), Some(old)) => format!("{map}: {key} {new} instead of {old}"),
                (Some(new), None) => format!("{map}: {key} {new}"),
                (None, _) => format!("{map}: no {key}"),
            };
            facts.push(Fact::new("configuration", said));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn what_a_release_changes_is_told() {
        let all = all();
        let facts = |name: &str| {
            let release = all.iter().find(|it| it.name == name).expect(name);
            release
                .facts
                .iter()
                .map(|fact| format!("{}: {}", fact.of, fact.is))
                .collect::<Vec<_>>()
        };
        assert!(
            facts("1.4.2")
                .iter()
                .any(|fact| fact.contains("dex/gateway:1.4.2"))
        );
        let template = facts("1.5.8-new-template");
        for part in [
            "LOG_FORMAT=json",
            "no RATE_LIMIT_PER_ACCOUNT",
            "one request in 40",
        ] {
            assert!(
                template.iter().any(|fact| fact.contains(part)),
                "{part}: {template:?}"
            );
        }
        assert!(
            facts("1.5.6-missing-image")
                .iter()
                .any(|fact| fact.contains("never pushed"))
        );
        assert!(
            facts("2.0.1-decimal-lossy")
                .iter()
                .any(|fact| fact.contains("loses what is in the column"))
        );
    }
}
