//! What both worlds read of the exchange and its clients, in one form.

use std::collections::BTreeMap;

use dex::release::{Release, Service};
use serde_json::Value;

use crate::drill::timeline::TimelineEntry as Told;
use crate::evidence::{Evidence, Second};
use crate::oracles::recovery;
use crate::stats::show_count;
use crate::worlds::DrillPlan;

/// Evidence of a drill that is about to begin; `versions` says which ones a release has, by service.
pub(in crate::worlds) fn beginning(
    plan: &DrillPlan,
    versions: impl Fn(&str) -> BTreeMap<String, String>,
) -> Evidence {
    let release = &plan.scenario.release;
    Evidence::empty(&plan.scenario)
        .with_triggers(&plan.runbook.runbook.triggers)
        .with_versions(versions(&release.from), versions(&release.to))
}

/// Versions of the builds of a release of the exchange, by service.
pub(in crate::worlds) fn versions(release: &str) -> BTreeMap<String, String> {
    let Some(release) = Release::by_name(release) else {
        return BTreeMap::new();
    };
    Service::ALL
        .into_iter()
        .map(|service| {
            (
                service.name().to_owned(),
                release.build(service).version.to_owned(),
            )
        })
        .collect()
}

/// The members of `map` below `path`, each as text.
pub(in crate::worlds) fn pairs(map: &Value, path: &str, out: &mut BTreeMap<String, String>) {
    for (key, value) in map.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        out.insert(format!("{path}/{key}"), value);
    }
}

/// What the clients saw, for the timeline.
pub(in crate::worlds) fn told_by_clients(evidence: &Evidence) -> Vec<Told> {
    let mut told = Vec::new();
    if let Some(at) = recovery::first_harm_ms(evidence) {
        told.push(Told::new(at, "clients", "", "first harm"));
    }
    let halted = |s: &Second| s.maintenance > 0;
    if let (Some(first), Some(last)) = (
        evidence.seconds.iter().position(halted),
        evidence.seconds.iter().rposition(halted),
    ) {
        let refused: u64 = evidence
            .seconds
            .iter()
            .map(|s| u64::from(s.maintenance))
            .sum();
        told.push(Told::new(
            first as u64 * 1_000,
            "clients",
            "",
            "first order refused for maintenance",
        ));
        told.push(Told::new(
            last as u64 * 1_000,
            "clients",
            "",
            format!(
                "last of {} orders refused for maintenance",
                show_count(refused)
            ),
        ));
    }
    if evidence.executor.trigger.is_some()
        && let Some(at) = recovery::recovered_ms(evidence)
    {
        told.push(Told::new(at, "clients", "", "recovered"));
    }
    if let Some(at) = recovery::another_incident_ms(evidence) {
        told.push(Told::new(at, "clients", "", recovery::ANOTHER_INCIDENT));
    }
    told
}

/// The version in the line `dex_build_info{…version="…"…} 1`.
pub(in crate::worlds) fn build_version(metrics: &str) -> Option<String> {
    let line = metrics
        .lines()
        .find(|line| line.starts_with("dex_build_info{"))?;
    let (_, rest) = line.split_once("version=\"")?;
    rest.split_once('"').map(|(version, _)| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{build_version, versions};

    #[test]
    fn a_release_names_a_version_for_each_service() {
        let found = versions("1.5.0-slow-path");
        assert_eq!(found["gateway"], "1.5.0");
        assert_eq!(found["matching"], "1.4.2");
        assert!(versions("9.9.9").is_empty());
    }

    #[test]
    fn the_version_is_read_from_the_metrics() {
        let metrics =
            "# HELP dex_build_info x\ndex_build_info{revision=\"abc\",version=\"1.4.2\"} 1\n";
        assert_eq!(build_version(metrics).as_deref(), Some("1.4.2"));
        assert_eq!(build_version("dex_orders_total 5\n"), None);
        assert_eq!(build_version("dex_build_info{} 1"), None);
    }
}
