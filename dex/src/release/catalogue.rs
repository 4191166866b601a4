//! The table of all releases. A row says only in what a release differs from the stable one.

use std::collections::BTreeMap;

use super::build::{Build, Defect, MarketList, SchemaVersion};
use super::release::{Promise, Release, STABLE};
use super::service::Service;
use super::template::TemplateChange;
use crate::migrations::Set;

/// Which services a release ships new builds of.
#[derive(Clone, Copy)]
enum Ships {
    All,
    One(Service),
    Two(Service, Service),
}

impl Ships {
    fn has(self, service: Service) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => service == one,
            Self::Two(one, other) => service == one || service == other,
        }
    }
}

/// A release, by its differences from the stable one.
pub(super) struct Row {
    pub(super) name: &'static str,
    version: &'static str,
    revision: &'static str,
    ships: Ships,
    /// Which of its builds carry which fault: at most one each.
    faults: &'static [(Service, Defect)],
    schema: SchemaVersion,
    /// Which of its builds serve or read the list of markets in which forms, if not in the first one.
    market_lists: &'static [(Service, &'static [MarketList])],
    /// ConfigMap, key, and value; `None`: the release drops the key.
    config: &'static [(&'static str, &'static str, Option<&'static str>)],
    template: &'static [(Service, TemplateChange)],
    unpublished: &'static [Service],
    migrations: Set,
    promise: Promise,
}

/// What each release's ConfigMaps hold unless its row says otherwise.
const CONFIG: &[(&str, &str, &str)] = &[
    (GATEWAY_CONFIG, "RATE_LIMIT_PER_ACCOUNT", "250"),
    (MATCHING_CONFIG, "LOG_BATCH", "64"),
    ("risk-config", "RECONCILE_SECONDS", "5"),
];
const GATEWAY_CONFIG: &str = "gateway-config";
const MATCHING_CONFIG: &str = "matching-config";
/// A larger batch of log entries, as several releases have it.
const LOG_BATCH_128: (&str, &str, Option<&str>) = (MATCHING_CONFIG, "LOG_BATCH", Some("128"));

/// A release that changes nothing.
const PLAIN: Row = Row {
    name: STABLE,
    version: STABLE,
    revision: "7c1e04b",
    ships: Ships::All,
    faults: &[],
    schema: SchemaVersion::V1,
    market_lists: &[],
    config: &[],
    template: &[],
    unpublished: &[],
    migrations: Set::Base,
    promise: Promise::Nothing,
};

/// All releases, the stable one first.
pub(super) const ROWS: &[Row] = &[
    PLAIN,
    Row {
        name: "1.4.3",
        version: "1.4.3",
        revision: "b3f9a62",
        ..PLAIN
    },
    // Nobody has noticed yet, as its first pods are sound. Whoever rolls back to it starts others.
    Row {
        name: "1.4.4-bad-once-replaced",
        version: "1.4.4",
        revision: "6d2f8e1",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOnceReplaced(40))],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "1.5.0-slow-path",
        version: "1.5.0",
        revision: "e02d815",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::SlowPath)],
        config: &[(GATEWAY_CONFIG, "RATE_LIMIT_PER_ACCOUNT", Some("300"))],
        promise: Promise::LatencyP99,
        ..PLAIN
    },
    Row {
        name: "1.5.1-double-credit",
        version: "1.5.1",
        revision: "4fa7c90",
        ships: Ships::One(Service::Matching),
        faults: &[(Service::Matching, Defect::DoubleCredit)],
        config: &[LOG_BATCH_128],
        promise: Promise::BalanceAnomaly,
        ..PLAIN
    },
    // Trades that it makes stay as clients were told of them: a rollback ends the harm, it doesn't undo it.
    Row {
        name: "1.5.2-priority-inversion",
        version: "1.5.2",
        revision: "5a1d3fe",
        ships: Ships::One(Service::Matching),
        faults: &[(Service::Matching, Defect::PriorityInversion)],
        promise: Promise::MatchingIrregularity,
        ..PLAIN
    },
    Row {
        name: "1.5.3-unstable-hash",
        version: "1.5.3",
        revision: "f70b2c6",
        ships: Ships::One(Service::Matching),
        faults: &[(Service::Matching, Defect::UnstableHash)],
        promise: Promise::StateDeterminism,
        ..PLAIN
    },
    Row {
        name: "1.5.4-lost-requests",
        version: "1.5.4",
        revision: "0c9e7d1",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::LosesOfTen(4))],
        promise: Promise::Throughput,
        ..PLAIN
    },
    Row {
        name: "1.5.5-crash-loop",
        version: "1.5.5",
        revision: "d41b8a3",
        ships: Ships::One(Service::Matching),
        faults: &[(Service::Matching, Defect::CrashLoop)],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // The pipeline pushed the image of the gateway and not that of the matching engine, which then never starts.
    Row {
        name: "1.5.6-missing-image",
        version: "1.5.6",
        revision: "63fa0be",
        ships: Ships::Two(Service::Matching, Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOneIn(40))],
        unpublished: &[Service::Matching],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // The code is good. A queue of one request is far too short, and the prior build reads the same variable.
    Row {
        name: "1.5.7-bad-configuration",
        version: "1.5.7",
        revision: "a95c214",
        ships: Ships::One(Service::Gateway),
        config: &[(GATEWAY_CONFIG, "QUEUE_MAX", Some("1"))],
        template: &[(
            Service::Gateway,
            TemplateChange::Annotation {
                key: "checksum/config",
                value: "5d41402a",
            },
        )],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "1.5.8-new-template",
        version: "1.5.8",
        revision: "1fe6b07",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOneIn(40))],
        config: &[
            (GATEWAY_CONFIG, "MAX_NOTIONAL", Some("900000000000")),
            (GATEWAY_CONFIG, "RATE_LIMIT_PER_ACCOUNT", None),
        ],
        template: &[
            (
                Service::Gateway,
                TemplateChange::Env {
                    name: "LOG_FORMAT",
                    value: "json",
                },
            ),
            (Service::Gateway, TemplateChange::Args(&["--verbose"])),
            (
                Service::Gateway,
                TemplateChange::Limit {
                    resource: "memory",
                    quantity: "512Mi",
                },
            ),
            (Service::Gateway, TemplateChange::ReadinessPeriod(2)),
            // A service whose image stays is changed, too.
            (
                Service::Risk,
                TemplateChange::Env {
                    name: "LOG_FORMAT",
                    value: "json",
                },
            ),
        ],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // The configuration of a service whose template stays: its pods keep what they began with,
    // until they are started again.
    Row {
        name: "1.5.10-configuration-only",
        version: "1.5.10",
        revision: "e7b3c95",
        ships: Ships::One(Service::Matching),
        config: &[(GATEWAY_CONFIG, "QUEUE_MAX", Some("1"))],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // One in 85 is 1.18 %, and a trigger fires above 1 %.
    Row {
        name: "1.5.9-just-too-many-errors",
        version: "1.5.9",
        revision: "c7720de",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOneIn(85))],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "1.6.0-one-bad-pod",
        version: "1.6.0",
        revision: "8be3f59",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsInOnePod(15))],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // So bad that one pod of it is enough.
    Row {
        name: "1.6.1-every-fourth",
        version: "1.6.1",
        revision: "50d4e77",
        ships: Ships::One(Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOneIn(4))],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // What is wrong with the ledger shows in no sum, so that it is the gateway's latency which is noticed.
    Row {
        name: "1.6.2-misdirected",
        version: "1.6.2",
        revision: "83d0e5c",
        ships: Ships::Two(Service::Matching, Service::Gateway),
        faults: &[
            (Service::Matching, Defect::Misdirected),
            (Service::Gateway, Defect::SlowPath),
        ],
        promise: Promise::LatencyP99,
        ..PLAIN
    },
    // Its gateway starts beside either engine, and the prior gateway only beside the prior engine.
    Row {
        name: "1.6.3-new-market-list",
        version: "1.6.3",
        revision: "b91e6d4",
        ships: Ships::Two(Service::Matching, Service::Gateway),
        faults: &[(Service::Gateway, Defect::FailsOneIn(40))],
        market_lists: &[
            (Service::Matching, &[MarketList::V2]),
            (Service::Gateway, &[MarketList::V2, MarketList::V1]),
        ],
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "1.7.0-compatible-migration",
        version: "1.7.0",
        revision: "2d06ac8",
        faults: &[(Service::Gateway, Defect::FailsOneIn(40))],
        migrations: Set::Compatible,
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    // As text, 1.10 comes before 1.9: of releases, and of their migrations.
    Row {
        name: "1.9.0",
        version: "1.9.0",
        revision: "f3a10d6",
        migrations: Set::Nine,
        ..PLAIN
    },
    Row {
        name: "1.10.0-decimal-ledger",
        version: "1.10.0",
        revision: "74d9e2b",
        faults: &[(Service::Matching, Defect::DecimalDecode)],
        schema: SchemaVersion::V2,
        migrations: Set::Ten,
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "2.0.0-decimal-ledger",
        version: "2.0.0",
        revision: "9d50c3e",
        faults: &[(Service::Matching, Defect::DecimalDecode)],
        schema: SchemaVersion::V2,
        config: &[LOG_BATCH_128],
        migrations: Set::Decimal,
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "2.0.1-decimal-lossy",
        version: "2.0.1",
        revision: "c86b17f",
        faults: &[(Service::Matching, Defect::DecimalDecode)],
        schema: SchemaVersion::V2,
        config: &[LOG_BATCH_128],
        migrations: Set::DecimalLossy,
        promise: Promise::RequestErrors,
        ..PLAIN
    },
    Row {
        name: "2.1.0-two-migrations",
        version: "2.1.0",
        revision: "be58f40",
        faults: &[(Service::Matching, Defect::DecimalDecode)],
        schema: SchemaVersion::V2,
        config: &[LOG_BATCH_128],
        migrations: Set::Two,
        promise: Promise::RequestErrors,
        ..PLAIN
    },
];

impl Row {
    pub(super) fn release(&self) -> Release {
        let build = |service| {
            if !self.ships.has(service) {
                return Build::stable(service);
            }
            let mut faults = self.faults.iter();
            Build {
                service,
                version: self.version,
                revision: self.revision,
                fault: faults
                    .find(|(at, _)| *at == service)
                    .map(|(_, fault)| *fault),
                schema: self.schema,
                market_lists: self
                    .market_lists
                    .iter()
                    .find(|(at, _)| *at == service)
                    .map_or(Build::stable(service).market_lists, |(_, lists)| *lists),
            }
        };
        let mut config: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for &(map, key, value) in CONFIG {
            config.entry(map).or_default().insert(key, value);
        }
        for (map, key, value) in self.config {
            let data = config.entry(map).or_default();
            match value {
                Some(value) => data.insert(key, value),
                None => data.remove(key),
            };
        }
        Release {
            name: self.name,
            builds: Service::ALL.map(build),
            unpublished: self.unpublished,
            template: self.template,
            config,
            promise: self.promise,
            migrations: self.migrations,
        }
    }
}
