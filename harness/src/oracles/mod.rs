//! Oracles: checks from outside the system under test, each a pure function of the [`Evidence`].
//!
//! Each file has one question; `books` asks it of trades and of orders. `recovery` dates the recovery for the others, and
//! `survivability` says whether any executor could have met the objective.
//!
//! What the executor says is compared with what was seen, and decides nothing in its favour:
//!
//! - The recovery time counts from the instant at which the harness saw the trigger fire, by the harness's own clock.
//!   `detection` (the oracle `trigger`) compares the trigger's name, and `detection_time` bounds how late it may fire.
//! - `execution` and `claim` compare how the executor ended and what it claims with what was seen, and `files` reads the
//!   files that it stored.
//! - A claim of recovery makes a broken ledger (`invariants`, `ledger`) or a missing trade (`books`) worse. Only where the
//!   executor claims nothing in the middle of a restore does `books` count what can still be brought back.
//!
//! Faults that wait for a step begin when the executor says that it begins that step.

mod books;
mod builds;
mod claim;
mod detection;
mod detection_time;
mod error_rate;
mod execution;
mod fault;
mod files;
mod hold;
mod host;
mod impact;
mod invariants;
mod latency;
mod ledger;
mod maintenance;
mod phantoms;
pub mod recovery;
mod rto;
mod state;
mod steady;
mod survivability;
mod writers;

pub(crate) use self::books::acknowledged;
use crate::evidence::Evidence;
use crate::finding::{Because, Finding, OracleName, WithheldFinding};
use crate::scenario::Expected;

/// Of which drills an oracle is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Of every one.
    Always,
    /// Of those that are expected to recover: where the right end is that a person is called, there is nothing to ask.
    OfARecovery,
    /// Of those of them that do not expect the ledger to be left as it is.
    OfARightLedger,
    /// Of those in a world that keeps a record of who wrote: no other can tell.
    OfRecordedWrites,
}

/// Of which drills `oracle` is asked.
pub(crate) fn asked_when(oracle: OracleName) -> Asked {
    match oracle {
        OracleName::Writers => Asked::OfRecordedWrites,
        OracleName::Ledger => Asked::OfARightLedger,
        OracleName::Rto
        | OracleName::Impact
        | OracleName::ErrorRate
        | OracleName::Latency
        | OracleName::Invariants
        | OracleName::Builds
        | OracleName::Hold
        | OracleName::State => Asked::OfARecovery,
        OracleName::Host
        | OracleName::SteadyState
        | OracleName::FaultFired
        | OracleName::Trigger
        | OracleName::Detection
        | OracleName::Outcome
        | OracleName::Claim
        | OracleName::Files
        | OracleName::Trades
        | OracleName::Orders
        | OracleName::Phantoms
        | OracleName::Maintenance => Asked::Always,
    }
}

/// Whether the drill's expectation has a question for this oracle.
fn is_asked(oracle: OracleName, evidence: &Evidence) -> bool {
    let recovers = evidence.expect.outcome == Expected::Recovered;
    match asked_when(oracle) {
        Asked::Always => true,
        Asked::OfARecovery => recovers,
        Asked::OfARightLedger => recovers && !evidence.expect.ledger_kept,
        Asked::OfRecordedWrites => evidence.writes.is_some(),
    }
}

/// Asks one oracle, which has no answer where what it reads could not be read.
#[must_use]
pub fn ask(oracle: OracleName, evidence: &Evidence) -> Finding {
    if let Some(what) = oracle.reads()
        && let Some(why) = evidence.unread.get(&what)
    {
        let why = why.clone();
        let because = Because::Unread { what, why };
        return WithheldFinding { oracle, because }.into();
    }
    match oracle {
        OracleName::Host => host::check(evidence).into(),
        OracleName::SteadyState => steady::check(evidence).into(),
        OracleName::FaultFired => fault::check(evidence).into(),
        OracleName::Trigger => detection::check(evidence).into(),
        OracleName::Detection => detection_time::check(evidence).into(),
        OracleName::Outcome => execution::check(evidence).into(),
        OracleName::Claim => claim::check(evidence).into(),
        OracleName::Files => files::check(evidence).into(),
        OracleName::Writers => writers::check(evidence).into(),
        OracleName::Rto => rto::check(evidence).into(),
        OracleName::Impact => impact::check(evidence).into(),
        OracleName::Latency => latency::check(evidence).into(),
        OracleName::ErrorRate => error_rate::check(evidence).into(),
        OracleName::Invariants => invariants::check(evidence).into(),
        OracleName::Trades => books::trades(evidence).into(),
        OracleName::Orders => books::orders(evidence).into(),
        OracleName::Phantoms => phantoms::check(evidence).into(),
        OracleName::Ledger => ledger::check(evidence).into(),
        OracleName::Builds => builds::check(evidence).into(),
        OracleName::Hold => hold::check(evidence).into(),
        OracleName::Maintenance => maintenance::check(evidence).into(),
        OracleName::State => state::check(evidence).into(),
    }
}

/// The oracles that the drill's expectation has a question for, but for the host's.
fn asked(evidence: &Evidence) -> impl Iterator<Item = OracleName> {
    let others = OracleName::ALL.into_iter().skip(1);
    others.filter(|&oracle| is_asked(oracle, evidence))
}

/// Asks every oracle that the drill's expectation has a question for. What rests on somebody whom the host held up is
/// withheld.
#[must_use]
pub fn ask_all(evidence: &Evidence) -> Vec<Finding> {
    let others = asked(evidence).map(|oracle| {
        let found = ask(oracle, evidence);
        host::withheld(evidence, &found).map_or(found, Into::into)
    });
    std::iter::once(ask(OracleName::Host, evidence))
        .chain(others)
        .collect()
}

#[cfg(test)]
mod tests;
