//! Builds: what runs in a container, and the defects that builds carry.

use super::release::{Release, STABLE};
use super::service::Service;

/// A defect in the code of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// The gateway looks for duplicates by walking a list that it hardly ever prunes.
    SlowPath,
    /// The gateway answers one request in so many with status 500.
    FailsOneIn(u16),
    /// The gateway does so in one pod of three, by the number of the process ([`Build::hits`]).
    FailsInOnePod(u16),
    /// The gateway does so in every pod but its first ones: whoever replaces a pod has it ([`Build::hits`]).
    FailsOnceReplaced(u16),
    /// The gateway forgets so many requests of ten: they get no answer, and are counted nowhere.
    LosesOfTen(u16),
    /// The matching engine comes up, and a few seconds later it crashes.
    CrashLoop,
    /// Settlement credits the seller a second time on some fills.
    DoubleCredit,
    /// Settlement credits another account than the seller's on some fills. Every sum is right all the same.
    Misdirected,
    /// The request path cannot decode amounts whose first decimal is 0.
    DecimalDecode,
    /// A price level is served newest order first.
    PriorityInversion,
    /// State depends on which process computed it.
    UnstableHash,
}

impl Defect {
    /// Whether it grows with every request that a process takes: how soon it shows depends on how many that are.
    #[must_use]
    pub const fn grows(self) -> bool {
        matches!(self, Self::SlowPath)
    }
}

/// How long after it can serve a process with [`Defect::CrashLoop`] crashes, in seconds.
pub const CRASHES_AFTER_S: u64 = 8;
/// In one of how many pods a defect shows that does not show in all of them.
pub const ONE_POD_OF: u64 = 3;
/// How many processes of a gateway with [`Defect::FailsOnceReplaced`] are sound: those of its first rollout.
pub const FIRST_PODS: u64 = 3;

/// Layout of the ledger's rows in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaVersion {
    /// Amounts are BIGINT minor units.
    V1,
    /// Amounts are decimal text.
    V2,
}

impl SchemaVersion {
    /// A short name: the version of the base migration, or of the first one that brought the layout.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }
}

/// Form of the list of markets, which a gateway reads from the matching engine when it starts, and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarketList {
    /// Served at `/markets`.
    V1,
    /// Served at `/v2/markets`.
    V2,
}

impl MarketList {
    /// The path at which an engine serves it.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::V1 => "/markets",
            Self::V2 => "/v2/markets",
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
    pub fault: Option<Defect>,
    /// The rows that it reads and writes.
    pub schema: SchemaVersion,
    /// The forms of the list of markets that an engine serves, or that a gateway can read, the preferred one first.
    pub market_lists: &'static [MarketList],
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
            market_lists: &[MarketList::V1],
        }
    }

    /// The stable build of `service` with `fault` planted in it; for tests.
    #[must_use]
    pub const fn with_fault(service: Service, fault: Defect) -> Self {
        Self {
            fault: Some(fault),
            version: "0.0.0-fault",
            revision: "0badc0d",
            ..Self::stable(service)
        }
    }

    /// Whether the build carries `fault`.
    #[must_use]
    pub fn has(&self, fault: Defect) -> bool {
        self.fault == Some(fault)
    }

    /// Whether a gateway of the build can start beside an engine of the build `engine`, whose list of markets it reads.
    #[must_use]
    pub fn starts_beside(&self, engine: &Self) -> bool {
        let served = engine.market_lists;
        self.market_lists.iter().any(|list| served.contains(list))
    }

    /// The defect that shows in process number `instance` of the build. A defect of one pod of three hides in the
    /// others, and one of replaced pods in the first ones.
    #[must_use]
    pub const fn hits(&self, instance: u64) -> Option<Defect> {
        match self.fault {
            Some(Defect::FailsInOnePod(one_in)) if instance.is_multiple_of(ONE_POD_OF) => {
                Some(Defect::FailsOneIn(one_in))
            }
            Some(Defect::FailsOnceReplaced(one_in)) if instance >= FIRST_PODS => {
                Some(Defect::FailsOneIn(one_in))
            }
            Some(Defect::FailsInOnePod(_) | Defect::FailsOnceReplaced(_)) => None,
            other => other,
        }
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
            .filter(|release| !release.unpublished.contains(&service))
            .flat_map(|release| release.builds)
            .find(|b| b.service == service && b.version == tag)
    }
}
