//! The oracles by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evidence::Reading;
use crate::verdict::Stage;

/// An oracle: one question about a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OracleName {
    /// Did the host let the clients do their work?
    Host,
    /// Did the steady state hold until the deployment?
    SteadyState,
    /// Did the bad release run and do its harm, and did every fault hit something?
    FaultFired,
    /// Did the right trigger fire?
    Trigger,
    /// Was the harm noticed in time?
    Detection,
    /// Did the executor end as it should?
    Outcome,
    /// Does what the executor claims agree with what the clients saw?
    Claim,
    /// Is what the post-mortem needs put by?
    Files,
    /// Did every host that wrote hold the lease?
    Writers,
    /// Did the clients see recovery within the objective?
    Rto,
    /// Were clients and books harmed for no longer than they may be?
    Impact,
    /// Is the error rate after recovery below its bound?
    ErrorRate,
    /// Is p99 latency after recovery within its target?
    Latency,
    /// Do the ledger's invariants hold since recovery?
    Invariants,
    /// Is every acknowledged trade there?
    Trades,
    /// Is every acknowledged order there?
    Orders,
    /// Was every order in the log sent by a client, and is it there once?
    Phantoms,
    /// Is the ledger what the prior release's engine makes of the order log?
    Ledger,
    /// Does every live pod run the right build?
    Builds,
    /// Did what had recovered stay recovered?
    Hold,
    /// Is nothing left in maintenance?
    Maintenance,
    /// Is the lasting state as it was?
    State,
}

impl OracleName {
    /// All oracles, in the order of the stages.
    pub const ALL: [Self; 22] = [
        Self::Host,
        Self::SteadyState,
        Self::FaultFired,
        Self::Trigger,
        Self::Detection,
        Self::Outcome,
        Self::Claim,
        Self::Files,
        Self::Writers,
        Self::Rto,
        Self::Impact,
        Self::ErrorRate,
        Self::Latency,
        Self::Invariants,
        Self::Trades,
        Self::Orders,
        Self::Phantoms,
        Self::Ledger,
        Self::Builds,
        Self::Hold,
        Self::Maintenance,
        Self::State,
    ];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::SteadyState => "steady-state",
            Self::FaultFired => "fault-fired",
            Self::Trigger => "trigger",
            Self::Detection => "detection",
            Self::Outcome => "outcome",
            Self::Claim => "claim",
            Self::Files => "files",
            Self::Writers => "writers",
            Self::Rto => "rto",
            Self::Impact => "impact",
            Self::ErrorRate => "error-rate",
            Self::Latency => "latency",
            Self::Invariants => "invariants",
            Self::Trades => "trades",
            Self::Orders => "orders",
            Self::Phantoms => "phantoms",
            Self::Ledger => "ledger",
            Self::Builds => "builds",
            Self::Hold => "hold",
            Self::Maintenance => "maintenance",
            Self::State => "state",
        }
    }

    /// The stage that it judges.
    #[must_use]
    pub fn stage(self) -> Stage {
        match self {
            Self::Host | Self::SteadyState | Self::FaultFired => Stage::Injection,
            Self::Trigger | Self::Detection => Stage::Detection,
            Self::Outcome | Self::Claim | Self::Files | Self::Writers => Stage::Execution,
            Self::Rto
            | Self::Impact
            | Self::ErrorRate
            | Self::Latency
            | Self::Invariants
            | Self::Trades
            | Self::Orders
            | Self::Phantoms
            | Self::Ledger
            | Self::Builds
            | Self::Hold => Stage::Recovery,
            Self::Maintenance | Self::State => Stage::CleanUp,
        }
    }

    /// Whether it rests on what the clients saw, and when: where their host held them up, that is not certain.
    #[must_use]
    pub fn rests_on_clients(self) -> bool {
        match self {
            Self::SteadyState
            | Self::Detection
            | Self::Claim
            | Self::Rto
            | Self::Impact
            | Self::ErrorRate
            | Self::Latency
            | Self::Hold => true,
            Self::Host
            | Self::FaultFired
            | Self::Trigger
            | Self::Outcome
            | Self::Files
            | Self::Writers
            | Self::Invariants
            | Self::Trades
            | Self::Orders
            | Self::Phantoms
            | Self::Ledger
            | Self::Builds
            | Self::Maintenance
            | Self::State => false,
        }
    }

    /// What it reads of the world at the end; `None`: nothing, as the drill's record is enough.
    #[must_use]
    pub fn reads(self) -> Option<Reading> {
        match self {
            Self::Trades | Self::Orders | Self::Phantoms => Some(Reading::Books),
            Self::Ledger => Some(Reading::Reckoning),
            Self::Builds => Some(Reading::Pods),
            Self::Maintenance => Some(Reading::Maintenance),
            Self::State => Some(Reading::State),
            Self::Host
            | Self::SteadyState
            | Self::FaultFired
            | Self::Trigger
            | Self::Detection
            | Self::Outcome
            | Self::Claim
            | Self::Files
            | Self::Writers
            | Self::Rto
            | Self::Impact
            | Self::ErrorRate
            | Self::Latency
            | Self::Invariants
            | Self::Hold => None,
        }
    }

    /// Whether it judges the data themselves: of several harms, what became of the data is told first.
    #[must_use]
    pub fn is_about_data(self) -> bool {
        matches!(
            self,
            Self::Trades | Self::Orders | Self::Phantoms | Self::Ledger | Self::Invariants
        )
    }
}

impl fmt::Display for OracleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::OracleName;

    #[test]
    fn every_oracle_is_listed_once_in_the_order_of_the_stages_and_by_its_word() {
        let all = OracleName::ALL;
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        assert!(all.is_sorted_by_key(|oracle| oracle.stage()));
        for oracle in all {
            let json = serde_json::to_value(oracle).expect("a word");
            assert_eq!(json, oracle.as_str());
        }
    }
}
