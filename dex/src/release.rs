//! The catalogue of releases: which builds they ship, which faults those carry, and what a release
//! promises to breach when nobody rolls it back.

use std::collections::BTreeMap;

use crate::migrations::{self, Migration};

/// One of the exchange's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The matching engine and its ledger.
    Matching,
    /// Reconciliation.
    Risk,
    /// The front door.
    Gateway,
}

impl Service {
    /// All services, in the order in which they roll back: what others depend on goes first.
    pub const ALL: [Self; 3] = [Self::Matching, Self::Risk, Self::Gateway];

    /// Name of the Deployment, the container and the image.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Matching => "matching",
            Self::Risk => "risk",
            Self::Gateway => "gateway",
        }
    }

    /// The service called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A defect in the code of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The gateway looks for duplicates by walking a list that it hardly ever prunes.
    SlowPath,
    /// Settlement credits the seller a second time on some fills.
    DoubleCredit,
    /// The request path cannot decode amounts whose first decimal is 0.
    DecimalDecode,
    /// A price level is served newest order first.
    PriorityInversion,
    /// State depends on which process computed it.
    UnstableHash,
}

/// Layout of the ledger's rows in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaVersion {
    /// Amounts are BIGINT minor units.
    V1,
    /// Amounts are decimal text.
    V2,
}

impl SchemaVersion {
    /// Flyway's version string.
    #[must_use]
    pub const fn flyway(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }

    /// The schema whose newest migration is `version`.
    #[must_use]
    pub fn from_flyway(version: &str) -> Option<Self> {
        match version {
            "1" => Some(Self::V1),
            "2" => Some(Self::V2),
            _ => None,
        }
    }
}

/// One service of one version: what runs in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Which service.
    pub service: Service,
    /// Version, as in the image's tag.
    pub version: &'static str,
    /// Revision of the source, short hex.
    pub revision: &'static str,
    /// The defect it carries, if any.
    pub fault: Option<Fault>,
    /// The rows that it reads and writes.
    pub schema: SchemaVersion,
}

impl Build {
    /// The stable build of `service`.
    #[must_use]
    pub const fn stable(service: Service) -> Self {
        Self {
            service,
            version: STABLE,
            revision: "7c1e04b",
            fault: None,
            schema: SchemaVersion::V1,
        }
    }

    /// The stable build of `service` with `fault` planted in it; for tests.
    #[must_use]
    pub const fn with_fault(service: Service, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            version: "0.0.0-fault",
            revision: "0badc0d",
            ..Self::stable(service)
        }
    }

    /// Whether the build carries `fault`.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Image reference, for instance `dex/gateway:1.4.2`.
    #[must_use]
    pub fn image(&self) -> String {
        format!("dex/{}:{}", self.service.name(), self.version)
    }

    /// The build behind an image reference (any registry prefix), if it is in the catalogue.
    #[must_use]
    pub fn by_image(image: &str) -> Option<Self> {
        let (path, tag) = image.rsplit_once(':')?;
        let service = Service::by_name(path.strip_suffix('/').unwrap_or(path).rsplit('/').next()?)?;
        if !path.ends_with(&format!("dex/{}", service.name())) {
            return None;
        }
        Release::all()
            .flat_map(|release| release.builds)
            .find(|b| b.service == service && b.version == tag)
    }
}

/// What a release breaches when nobody rolls it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Nothing: it is good.
    Nothing,
    /// The p99 of the latency, within two minutes of the deployment.
    LatencyP99,
    /// Conservation in the ledger: reconciliation reports anomalies.
    BalanceAnomaly,
    /// Requests fail with status 500.
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
    pub builds: [Build; 3],
    /// The schema that its builds read and write.
    pub schema_version: SchemaVersion,
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
        let stable = |service| Build::stable(service);
        let all = |version, revision, fault: Option<(Service, Fault)>, schema| {
            Service::ALL.map(|service| Build {
                service,
                version,
                revision,
                fault: fault.and_then(|(at, fault)| (at == service).then_some(fault)),
                schema,
            })
        };
        let one =
            |build: Build| Service::ALL.map(|s| if s == build.service { build } else { stable(s) });
        let single = |service, version, revision, fault| {
            one(Build {
                service,
                version,
                revision,
                fault: Some(fault),
                schema: SchemaVersion::V1,
            })
        };
        vec![
            Self {
                name: STABLE,
                builds: Service::ALL.map(stable),
                schema_version: SchemaVersion::V1,
                config: config("250", "64"),
                promise: Promise::Nothing,
                migrations: migrations::Set::Base,
            },
            Self {
                name: "1.4.3",
                builds: all("1.4.3", "b3f9a62", None, SchemaVersion::V1),
                schema_version: SchemaVersion::V1,
                config: config("250", "64"),
                promise: Promise::Nothing,
                migrations: migrations::Set::Base,
            },
            Self {
                name: "1.5.0-slow-path",
                builds: single(Service::Gateway, "1.5.0", "e02d815", Fault::SlowPath),
                schema_version: SchemaVersion::V1,
                config: config("300", "64"),
                promise: Promise::LatencyP99,
                migrations: migrations::Set::Base,
            },
            Self {
                name: "1.5.1-double-credit",
                builds: single(Service::Matching, "1.5.1", "4fa7c90", Fault::DoubleCredit),
                schema_version: SchemaVersion::V1,
                config: config("250", "128"),
                promise: Promise::BalanceAnomaly,
                migrations: migrations::Set::Base,
            },
            Self {
                name: "2.0.0-decimal-ledger",
                builds: all(
                    "2.0.0",
                    "9d50c3e",
                    Some((Service::Matching, Fault::DecimalDecode)),
                    SchemaVersion::V2,
                ),
                schema_version: SchemaVersion::V2,
                config: config("250", "128"),
                promise: Promise::RequestErrors,
                migrations: migrations::Set::Decimal,
            },
            Self {
                name: "2.0.1-decimal-lossy",
                builds: all(
                    "2.0.1",
                    "c86b17f",
                    Some((Service::Matching, Fault::DecimalDecode)),
                    SchemaVersion::V2,
                ),
                schema_version: SchemaVersion::V2,
                config: config("250", "128"),
                promise: Promise::RequestErrors,
                migrations: migrations::Set::DecimalLossy,
            },
        ]
    }

    /// Releases whose damage no rollback can heal without changing trades that clients were told of, or that only
    /// tests of the invariants need. They are found by name and by image, but are not in the catalogue.
    #[must_use]
    pub fn defective_for_tests() -> Vec<Self> {
        let release = |name, version, revision, fault, promise| Self {
            name,
            builds: Service::ALL.map(|service| match service {
                Service::Matching => Build {
                    version,
                    revision,
                    fault: Some(fault),
                    ..Build::stable(service)
                },
                Service::Risk | Service::Gateway => Build::stable(service),
            }),
            schema_version: SchemaVersion::V1,
            config: config("250", "64"),
            promise,
            migrations: migrations::Set::Base,
        };
        vec![
            release(
                "1.5.2-priority-inversion",
                "1.5.2",
                "5a1d3fe",
                Fault::PriorityInversion,
                Promise::MatchingIrregularity,
            ),
            release(
                "1.5.3-unstable-hash",
                "1.5.3",
                "f70b2c6",
                Fault::UnstableHash,
                Promise::StateDeterminism,
            ),
        ]
    }

    fn all() -> impl Iterator<Item = Self> {
        Self::catalogue()
            .into_iter()
            .chain(Self::defective_for_tests())
    }

    /// The release called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|r| r.name == name)
    }

    /// Names of the releases in the catalogue.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::catalogue().into_iter().map(|r| r.name).collect()
    }

    /// The build of `service`.
    #[must_use]
    pub fn build(&self, service: Service) -> Build {
        self.builds[Service::ALL
            .iter()
            .position(|s| *s == service)
            .expect("ALL is complete")]
    }

    /// The migrations that the release ships: what its `dex-migrations` ConfigMap holds.
    #[must_use]
    pub fn migrations(&self) -> Vec<Migration> {
        self.migrations.files()
    }
}

fn config(
    rate_limit: &'static str,
    log_batch: &'static str,
) -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    BTreeMap::from([
        (
            "gateway-config",
            BTreeMap::from([("RATE_LIMIT_PER_ACCOUNT", rate_limit)]),
        ),
        (
            "matching-config",
            BTreeMap::from([("LOG_BATCH", log_batch)]),
        ),
        ("risk-config", BTreeMap::from([("RECONCILE_SECONDS", "5")])),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_is_found_by_its_image() {
        for release in Release::all() {
            for build in release.builds {
                assert_eq!(Build::by_image(&build.image()), Some(build));
                let mirrored = format!("registry.local:5000/{}", build.image());
                assert_eq!(Build::by_image(&mirrored), Some(build));
                assert_eq!(build, release.build(build.service));
            }
        }
    }

    #[test]
    fn unknown_images_and_names_are_not_found() {
        for image in [
            "dex/gateway",
            "dex/gateway:9.9.9",
            "dex/ledger:1.4.2",
            "gateway:1.4.2",
            ":1.4.2",
            "",
        ] {
            assert_eq!(Build::by_image(image), None, "{image}");
        }
        assert_eq!(Release::by_name("1.4.1"), None);
    }

    #[test]
    fn a_promise_and_a_fault_come_together() {
        for release in Release::all() {
            let faulty = release.builds.iter().any(|b| b.fault.is_some());
            assert_eq!(
                faulty,
                release.promise != Promise::Nothing,
                "{}",
                release.name
            );
            assert!(
                release
                    .builds
                    .iter()
                    .all(|b| b.schema == release.schema_version)
            );
        }
    }

    #[test]
    fn versions_and_revisions_name_one_source() {
        let mut seen = BTreeMap::new();
        for build in Release::all().flat_map(|r| r.builds) {
            assert_eq!(
                *seen.entry(build.version).or_insert(build.revision),
                build.revision
            );
        }
    }
}
