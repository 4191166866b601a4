//! Reads back the names of what there is a catalogue of: what none of them has is refused.

use executor::planner::Target;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::draw::Half;
use crate::drill::Ending;
use crate::drill::struck::{CRASH, Side};
use crate::finding::OracleName;
use crate::scenario::fault::FAULTS;

/// The one of `names` that is read. Where it is none of them, all are told, so that a slip of the pen is no name that
/// never comes.
fn one_of<'de, D: Deserializer<'de>, N: From<&'static str>>(
    deserializer: D,
    what: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> Result<N, D::Error> {
    found_in(what, &String::deserialize(deserializer)?, names)
}

fn found_in<E: Error, N: From<&'static str>>(
    what: &str,
    name: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> Result<N, E> {
    let names: Vec<&'static str> = names.into_iter().collect();
    let found = names.iter().find(|it| **it == name);
    found.map(|it| N::from(*it)).ok_or_else(|| {
        let names = names.join(", ");
        E::custom(format!("there is no {what} `{name}`; there are: {names}"))
    })
}

/// The kinds of fault, and the executor's death.
fn faults() -> impl Iterator<Item = &'static str> {
    FAULTS.iter().map(|it| it.name).chain([CRASH])
}

/// A kind of fault, or the executor's death.
pub(super) fn fault<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    one_of(deserializer, "kind of fault", faults())
}

/// An oracle.
pub(super) fn oracle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let oracles = OracleName::ALL.into_iter();
    one_of(deserializer, "oracle", oracles.map(OracleName::as_str))
}

/// A half of the drills.
pub(super) fn half<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let halves = [Half::Survivable, Half::Hostile];
    one_of(deserializer, "half", halves.map(Half::as_str))
}

/// Causes of a failure, one at least.
pub(super) fn causes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let causes = Vec::<String>::deserialize(deserializer)?;
    if causes.is_empty() {
        let why = "a known class names one cause at least: what fails without one is a failure";
        return Err(D::Error::custom(why));
    }
    let causes = causes.iter();
    causes.map(|it| found_in("cause", it, faults())).collect()
}

/// What the oracle called `oracle` can find.
pub(super) fn findings(oracle: &str) -> Vec<&'static str> {
    let mut oracles = OracleName::ALL.into_iter();
    let found = oracles.find(|it| it.as_str() == oracle);
    let kinds = found.map(OracleName::kinds).unwrap_or_default();
    kinds.iter().map(|kind| kind.name).collect()
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
    one_of(deserializer, "way back", targets())
}

/// How a drill ended for the exchange.
pub(super) fn ending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let endings = [
        Ending::NothingToRecover,
        Ending::Recovered,
        Ending::Escalated,
        Ending::NeverRecovered,
    ];
    one_of(deserializer, "ending", endings.map(Ending::as_str))
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
        .map(|kind| (oracle, kind.name))
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
