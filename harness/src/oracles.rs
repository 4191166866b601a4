//! Oracles: checks from outside the system under test, each a pure function of the [`Evidence`].
//!
//! The table below has a row for each. Each file answers one question; `books` asks it of trades and of orders.
//! `recovery` dates the recovery for the others, and `survivability` says whether any executor could have met the
//! objective. `finding` has what they find.
//!
//! What the executor says is compared with what was seen, and decides nothing in its favour:
//!
//! - The recovery time counts from the instant at which the harness saw the trigger fire, by the harness's own clock.
//!   `detection` (the oracle `trigger`) compares the trigger's name, and `detection_time` bounds how late it may fire.
//! - `execution` and `claim` compare how the executor ended and what it claims with what was seen, and `files` reads
//!   the files that it stored.
//! - A claim of recovery makes a broken ledger (`invariants`, `ledger`) or a missing trade (`books`) worse.
//!   Only where the executor claims nothing in the middle of a restore does `books` count what can still be brought
//!   back.
//!
//! Faults that wait for a step begin when the executor says that it begins that step.

mod books;
mod builds;
mod claim;
mod conduct;
mod detection;
mod detection_time;
mod error_rate;
mod execution;
mod fault;
mod files;
pub mod finding;
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
mod table;
mod writers;

use serde::{Deserialize, Serialize};

pub(crate) use self::books::acknowledged;
use self::finding::{
    Because, BooksFinding, BuildsFinding, ClaimFinding, ConductFinding, DetectionFinding,
    ErrorRateFinding, Fact, FilesFinding, HoldFinding, HostFinding, ImpactFinding,
    InjectionFinding, InvariantsFinding, Kind, LatencyFinding, LedgerFinding, MaintenanceFinding,
    OutcomeFinding, PhantomsFinding, Recorded, RtoFinding, StateFinding, SteadyFinding,
    TriggerFinding, WithheldFinding, WritersFinding,
};
pub(crate) use self::table::Asked;
use self::table::{Trait, oracles};
use crate::evidence::{Evidence, Reading};
use crate::scenario::{Expected, Stores};
use crate::verdict::Stage;

oracles! {
    /// Did the host let the clients do their work?
    Host = "host", {
        stage: Injection, asked: Always, finds: HostFinding, check: host::check,
    };
    /// Did the steady state hold until the deployment?
    SteadyState = "steady-state", {
        stage: Injection, asked: Always, finds: SteadyFinding, check: steady::check, is: [RestsOnClients],
    };
    /// Did the bad release run and do its harm, and did every fault hit something?
    FaultFired = "fault-fired", {
        stage: Injection, asked: Always, finds: InjectionFinding, check: fault::check,
    };
    /// Did the right trigger fire?
    Trigger = "trigger", {
        stage: Detection, asked: Always, finds: TriggerFinding, check: detection::check,
    };
    /// Was the harm noticed in time?
    Detection = "detection", {
        stage: Detection, asked: Always, finds: DetectionFinding, check: detection_time::check, is: [RestsOnClients],
    };
    /// Did the executor end as it should?
    Outcome = "outcome", {
        stage: Execution, asked: Always, finds: OutcomeFinding, check: execution::check,
    };
    /// Does what the executor claims agree with what the clients saw?
    Claim = "claim", {
        stage: Execution, asked: Always, finds: ClaimFinding, check: claim::check, is: [RestsOnClients],
    };
    /// Is what the post-mortem needs saved?
    Files = "files", {
        stage: Execution, asked: Always, finds: FilesFinding, check: files::check,
    };
    /// Did every host that wrote hold the lease?
    Writers = "writers", {
        stage: Execution, asked: OfRecordedWrites, finds: WritersFinding, check: writers::check,
    };
    /// Did a program do nothing that nobody may do in a rollback?
    Conduct = "conduct", {
        stage: Execution, asked: OfPrograms, finds: ConductFinding, check: conduct::check,
        doctored: conduct::tests::doctored,
    };
    /// Did the clients see recovery within the objective?
    Rto = "rto", {
        stage: Recovery, asked: OfARecovery, finds: RtoFinding, check: rto::check, is: [RestsOnClients],
    };
    /// Were clients and books harmed for no longer than they may be?
    Impact = "impact", {
        stage: Recovery, asked: OfARecovery, finds: ImpactFinding, check: impact::check, is: [RestsOnClients],
    };
    /// Is the error rate after recovery below its bound?
    ErrorRate = "error-rate", {
        stage: Recovery, asked: OfARecovery, finds: ErrorRateFinding, check: error_rate::check, is: [RestsOnClients],
    };
    /// Is p99 latency after recovery within its target?
    Latency = "latency", {
        stage: Recovery, asked: OfARecovery, finds: LatencyFinding, check: latency::check, is: [RestsOnClients],
    };
    /// Do the ledger's invariants hold since recovery?
    Invariants = "invariants", {
        stage: Recovery, asked: OfARecovery, finds: InvariantsFinding, check: invariants::check,
        is: [AboutData, OfTheLedger],
    };
    /// Is every acknowledged trade there?
    Trades = "trades", {
        stage: Recovery, asked: Always, shares: BooksFinding, check: books::trades, reads: Books,
        is: [AboutData, OfTheLedger],
    };
    /// Is every acknowledged order there?
    Orders = "orders", {
        stage: Recovery, asked: Always, shares: BooksFinding, check: books::orders, reads: Books,
        is: [AboutData, OfTheLedger],
    };
    /// Was every order in the log sent by a client, and is it there once?
    Phantoms = "phantoms", {
        stage: Recovery, asked: Always, finds: PhantomsFinding, check: phantoms::check, reads: Books,
        is: [AboutData, OfTheLedger],
    };
    /// Is the ledger what the prior release's engine makes of the order log?
    Ledger = "ledger", {
        stage: Recovery, asked: OfARightLedger, finds: LedgerFinding, check: ledger::check, reads: Reckoning,
        is: [AboutData, OfTheLedger],
    };
    /// Is every acknowledged write in the store, once and as it was acknowledged?
    AcknowledgedWrites = "acknowledged-writes", {
        stage: Recovery, asked: OfApplications, shares: BooksFinding, check: books::writes,
        is: [AboutData], doctored: books::tests::doctored,
    };
    /// Does every live pod run the right build?
    Builds = "builds", {
        stage: Recovery, asked: OfARecovery, finds: BuildsFinding, check: builds::check, reads: Pods,
        doctored: builds::tests::doctored,
    };
    /// Did what had recovered stay recovered?
    Hold = "hold", {
        stage: Recovery, asked: OfARecovery, finds: HoldFinding, check: hold::check, is: [RestsOnClients],
    };
    /// Is nothing left in maintenance?
    Maintenance = "maintenance", {
        stage: CleanUp, asked: Always, finds: MaintenanceFinding, check: maintenance::check, reads: Maintenance,
        is: [OfAStore], doctored: maintenance::tests::doctored,
    };
    /// Is the lasting state as it was?
    State = "state", {
        stage: CleanUp, asked: OfARecovery, finds: StateFinding, check: state::check, reads: State,
    };
}

/// Trades, orders and writes are told apart by what the finding is of.
impl From<BooksFinding> for Finding {
    fn from(books: BooksFinding) -> Self {
        match books.of {
            Recorded::Trade => Self::Trades(books),
            Recorded::Order => Self::Orders(books),
            Recorded::Write => Self::AcknowledgedWrites(books),
        }
    }
}

impl From<WithheldFinding> for Finding {
    fn from(withheld: WithheldFinding) -> Self {
        Self::Withheld(withheld)
    }
}

/// Whether the drill's expectation has a question for this oracle.
fn is_asked(oracle: OracleName, evidence: &Evidence) -> bool {
    let recovers = evidence.expect.outcome == Expected::Recovered;
    match oracle.asked() {
        Asked::Always => true,
        Asked::OfARecovery => recovers,
        Asked::OfARightLedger => recovers && !evidence.expect.ledger_kept,
        Asked::OfApplications => !evidence.application.is_the_exchange(),
        Asked::OfRecordedWrites => evidence.writes.is_some(),
        Asked::OfPrograms => evidence.executor.is_program && evidence.writes.is_some(),
    }
}

/// Asks one oracle, which has no answer where what it asks about is not there, or could not be read.
#[must_use]
pub fn ask(oracle: OracleName, evidence: &Evidence) -> Finding {
    let stores = evidence.application.stores();
    if oracle.is_of_the_ledger() && stores != Stores::Ledger
        || oracle.is_of_a_store() && stores == Stores::Nothing
    {
        let because = Because::NoLedger;
        return WithheldFinding { oracle, because }.into();
    }
    if oracle == OracleName::AcknowledgedWrites && evidence.stored.is_none() {
        let because = Because::NoStore;
        return WithheldFinding { oracle, because }.into();
    }
    if let Some(what) = oracle.reads()
        && let Some(why) = evidence.unread.get(&what)
    {
        let why = why.clone();
        let because = Because::Unread { what, why };
        return WithheldFinding { oracle, because }.into();
    }
    oracle.check(evidence)
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
