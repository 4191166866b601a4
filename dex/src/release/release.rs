//! A release, and what is known about all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::catalogue;
use super::service::Service;
use super::template::TemplateChange;
use crate::migrations::{self, Migration};

/// What a release breaches when nobody rolls it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Nothing: it is good.
    Nothing,
    /// The p99 of the latency, within two minutes of the deployment.
    LatencyP99,
    /// Throughput: more than three in ten requests get no answer.
    Throughput,
    /// Conservation in the ledger: reconciliation reports anomalies.
    BalanceAnomaly,
    /// More than one request in a hundred fails with a status of 5xx.
    RequestErrors,
    /// Price-time priority: reconciliation reports matching irregularities.
    MatchingIrregularity,
    /// State determinism: reconciliation reports state hash mismatches.
    StateDeterminism,
}

/// A set of builds, their configuration and the schema they need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Name, as scenario files use it.
    pub name: &'static str,
    /// One build for each service, in the order of [`Service::ALL`].
    pub builds: [Build; Service::ALL.len()],
    /// Services whose image of this release was never pushed to the registry.
    pub unpublished: &'static [Service],
    /// What the release changes of the services' pod templates, besides the images.
    pub template: &'static [(Service, TemplateChange)],
    /// Content of the release's ConfigMaps, by name.
    pub config: BTreeMap<&'static str, BTreeMap<&'static str, &'static str>>,
    /// What it breaches.
    pub promise: Promise,
    /// Which migrations it ships.
    pub migrations: migrations::Set,
}

/// Name of the stable release.
pub const STABLE: &str = "1.4.2";

impl Release {
    /// All releases, the stable one first.
    #[must_use]
    pub fn catalogue() -> Vec<Self> {
        Self::all().collect()
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        catalogue::ROWS.iter().map(catalogue::Row::release)
    }

    /// The release called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let mut rows = catalogue::ROWS.iter();
        rows.find(|row| row.name == name)
            .map(catalogue::Row::release)
    }

    /// Names of the releases in the catalogue.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        catalogue::ROWS.iter().map(|row| row.name).collect()
    }

    /// The images of all releases' services that were pushed to a registry, each once.
    #[must_use]
    pub fn images() -> BTreeSet<String> {
        let images = |release: Self| {
            let published = move |it: &Service| !release.unpublished.contains(it);
            let services = Service::ALL.into_iter().filter(published);
            services
                .map(|service| release.build(service).image())
                .collect::<Vec<_>>()
        };
        Self::all().flat_map(images).collect()
    }

    /// The build of `service`.
    #[must_use]
    pub const fn build(&self, service: Service) -> Build {
        // `Service::ALL` has the services as they are declared.
        self.builds[service as usize]
    }

    /// Whether none of its builds has a [`Defect`](super::Defect).
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.builds.iter().all(|build| build.fault.is_none())
    }

    /// What the release changes of the pod template of `service`, besides the image.
    pub fn template(&self, service: Service) -> impl Iterator<Item = TemplateChange> {
        let of = move |(whose, _): &&(Service, TemplateChange)| *whose == service;
        self.template.iter().filter(of).map(|(_, change)| *change)
    }

    /// The migrations that the release ships: what its ConfigMap [`MIGRATIONS`](super::service::MIGRATIONS) holds.
    #[must_use]
    pub fn migrations(&self) -> Vec<Migration> {
        self.migrations.files()
    }
}
