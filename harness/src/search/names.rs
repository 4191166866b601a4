//! Reads back the names of what there is a catalogue of: what none of them has is refused.

use executor::planner::Target;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::drill::Ending;
use crate::drill::struck::{CRASH, Side};
use crate::finding::OracleName;
use crate::scenario::FaultKind;

fn one_of<'de, D: Deserializer<'de>>(
    deserializer: D,
    what: &str,
    find: impl FnOnce(&str) -> Option<&'static str>,
) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    find(&name).ok_or_else(|| D::Error::custom(format!("there is no {what} `{name}`")))
}

/// A kind of fault, or the executor's death.
pub(super) fn fault<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    one_of(deserializer, "kind of fault", |name| {
        let crash = (name == CRASH).then_some(CRASH);
        FaultKind::named(name).map(FaultKind::as_str).or(crash)
    })
}

/// The ways in which a service is brought back.
pub(super) fn targets() -> [&'static str; 3] {
    let replica_set = Target::ReplicaSet {
        name: String::new(),
        revision: 0,
    };
    [replica_set, Target::Recorded, Target::Unchanged].map(|target| target.as_str())
}

/// How a service is brought back.
pub(super) fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    one_of(deserializer, "way back", |name| {
        targets().into_iter().find(|target| *target == name)
    })
}

/// How a drill ended for the exchange.
pub(super) fn ending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    one_of(deserializer, "ending", |name| {
        let endings = [
            Ending::NothingToRecover,
            Ending::Recovered,
            Ending::Escalated,
            Ending::NeverRecovered,
        ];
        let mut endings = endings.into_iter().map(Ending::as_str);
        endings.find(|ending| *ending == name)
    })
}

/// An oracle with what it found.
pub(super) fn found<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(OracleName, &'static str), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Found {
        oracle: OracleName,
        kind: String,
    }
    let Found { oracle, kind } = Found::deserialize(deserializer)?;
    let known = oracle.kind_named(&kind);
    known
        .map(|kind| (oracle, kind))
        .ok_or_else(|| D::Error::custom(format!("{oracle} finds no `{kind}`")))
}

/// A side of a step's effect.
pub(super) mod side {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Side;

    pub(in crate::search) fn serialize<S: Serializer>(
        side: &Side,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(side.as_str())
    }

    pub(in crate::search) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Side, D::Error> {
        let name = String::deserialize(deserializer)?;
        let mut sides = Side::ALL.into_iter();
        let found = sides.find(|side| side.as_str() == name);
        found.ok_or_else(|| D::Error::custom(format!("a step has no side `{name}`")))
    }
}
