//! Oracles: checks from outside the system under test, each a pure function of the [`Evidence`].
//!
//! One file, one question. What the executor says is looked at by `detection`, `execution` and
//! `claim` only, and there it is compared with what was seen; nothing else reads it.

mod books;
mod builds;
mod claim;
mod detection;
mod error_rate;
mod execution;
mod fault;
mod files;
mod hold;
mod host;
mod invariants;
mod maintenance;
pub mod recovery;
mod rto;
mod state;
mod steady;

use crate::evidence::Evidence;
use crate::scenario::Expected;
use crate::verdict::Finding;

/// An oracle.
#[derive(Clone, Copy)]
pub struct Oracle {
    /// Its name, as in findings.
    pub name: &'static str,
    /// What it finds.
    pub check: fn(&Evidence) -> Finding,
}

/// What only a recovered exchange can answer: not asked where the right end is that a person is called.
const OF_RECOVERED: [&str; 6] = ["rto", "error-rate", "invariants", "builds", "hold", "state"];

/// All oracles, in the order of the stages.
pub const ORACLES: [Oracle; 16] = [
    Oracle {
        name: "host",
        check: host::check,
    },
    Oracle {
        name: "steady-state",
        check: steady::check,
    },
    Oracle {
        name: "fault-fired",
        check: fault::check,
    },
    Oracle {
        name: "trigger",
        check: detection::check,
    },
    Oracle {
        name: "outcome",
        check: execution::check,
    },
    Oracle {
        name: "claim",
        check: claim::check,
    },
    Oracle {
        name: "files",
        check: files::check,
    },
    Oracle {
        name: "rto",
        check: rto::check,
    },
    Oracle {
        name: "error-rate",
        check: error_rate::check,
    },
    Oracle {
        name: "invariants",
        check: invariants::check,
    },
    Oracle {
        name: "trades",
        check: books::trades,
    },
    Oracle {
        name: "orders",
        check: books::orders,
    },
    Oracle {
        name: "builds",
        check: builds::check,
    },
    Oracle {
        name: "hold",
        check: hold::check,
    },
    Oracle {
        name: "maintenance",
        check: maintenance::check,
    },
    Oracle {
        name: "state",
        check: state::check,
    },
];

/// Whether the drill's expectation has a question for this oracle.
fn asked(oracle: &str, evidence: &Evidence) -> bool {
    evidence.expect.outcome == Expected::Recovered || !OF_RECOVERED.contains(&oracle)
}

/// Asks every oracle that the drill's expectation has a question for.
#[must_use]
pub fn ask_all(evidence: &Evidence) -> Vec<Finding> {
    ORACLES
        .iter()
        .filter(|oracle| asked(oracle.name, evidence))
        .map(|oracle| (oracle.check)(evidence))
        .collect()
}

#[cfg(test)]
mod tests;
