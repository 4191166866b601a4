//! Whether the exchange recovered, as its clients see it: what the oracles of the stage `recovery` find,
//! but for the books.

use std::fmt;

use super::fact::{Bearing, Fact, HARM, MISSED, Numbers};
use super::kinds;
use crate::evidence::{Ms, requests_that_show};
use crate::scenario::PartsPerMillion;
use crate::stats::{parts_per_million, show_count, show_ms, show_ppb, show_ppm, upper_bound_ppb};

/// Whether the clients saw recovery within the objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RtoFinding {
    /// Nothing had to be recovered.
    NothingToRecover,
    /// The release harmed the clients, and nothing triggered though nothing should have.
    HarmUntriggered,
    /// Nothing triggered, so nothing was recovered in time.
    NothingTriggered,
    /// The clients never saw recovery.
    Never {
        /// The objective.
        limit_ms: Ms,
    },
    /// In time.
    Within {
        /// Trigger to recovery.
        rto_ms: Ms,
        /// The objective.
        limit_ms: Ms,
    },
    /// Too late.
    Beyond {
        /// Trigger to recovery.
        rto_ms: Ms,
        /// The objective.
        limit_ms: Ms,
    },
    /// Too late or never, and no executor could have been in time.
    Unsurvivable {
        /// Trigger to recovery.
        rto_ms: Option<Ms>,
        /// The objective.
        limit_ms: Ms,
    },
}

impl Fact for RtoFinding {
    kinds! { self => self;
        Self::NothingToRecover => "nothing-to-recover", Bearing::Good,
            "There was nothing to recover from";
        Self::HarmUntriggered => "harm-untriggered", MISSED, "The harm set off no trigger";
        Self::NothingTriggered => "nothing-triggered", MISSED, "No trigger fired";
        Self::Never { .. } => "never", MISSED, "The application never recovered";
        Self::Within { .. } => "within", Bearing::Good,
            "The application recovered within its limit";
        Self::Beyond { .. } => "beyond", MISSED, "The application recovered too late";
        Self::Unsurvivable { .. } => "unsurvivable", Bearing::Open,
            "No rollback could have recovered in time";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NothingToRecover | Self::HarmUntriggered | Self::NothingTriggered => numbers,
            Self::Never { limit_ms }
            | Self::Unsurvivable {
                rto_ms: None,
                limit_ms,
            } => numbers.with("limit_ms", limit_ms),
            Self::Within { rto_ms, limit_ms }
            | Self::Beyond { rto_ms, limit_ms }
            | Self::Unsurvivable {
                rto_ms: Some(rto_ms),
                limit_ms,
            } => numbers.with("rto_ms", rto_ms).with("limit_ms", limit_ms),
        }
    }
}

impl fmt::Display for RtoFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beyond = |f: &mut fmt::Formatter<'_>, rto_ms, limit_ms| {
            let (rto, limit) = (show_ms(rto_ms), show_ms(limit_ms));
            write!(f, "recovered in {rto}, beyond {limit}")
        };
        match *self {
            Self::NothingToRecover => f.write_str("nothing had to be recovered"),
            Self::HarmUntriggered => {
                f.write_str("the release harmed the clients and nothing triggered")
            }
            Self::NothingTriggered => {
                f.write_str("nothing triggered, so nothing was recovered in time")
            }
            Self::Never { .. } => f.write_str("the clients never saw recovery"),
            Self::Within { rto_ms, limit_ms } => {
                let (rto, limit) = (show_ms(rto_ms), show_ms(limit_ms));
                write!(f, "recovered in {rto}, within {limit}")
            }
            Self::Beyond { rto_ms, limit_ms } => beyond(f, rto_ms, limit_ms),
            Self::Unsurvivable { rto_ms, limit_ms } => {
                match rto_ms {
                    None => f.write_str("the clients never saw recovery")?,
                    Some(rto_ms) => beyond(f, rto_ms, limit_ms)?,
                }
                f.write_str("; the faults left no executor the time to meet the objective")
            }
        }
    }
}

/// Whether the error rate after recovery is shown to be below its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorRateFinding {
    /// There is no recovery to count from.
    NoRecovery,
    /// Requests were refused for maintenance.
    Refused {
        /// How many.
        refused: u64,
        /// What counts.
        counted: Counted,
    },
    /// Not below.
    Beyond(Counted),
    /// Too few requests, for as many errors, to show that it is below.
    NotShown(Counted),
    /// Below.
    Below(Counted),
}

/// Requests after recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many count.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// The bound.
    pub limit: PartsPerMillion,
}

impl Counted {
    fn ppm(self) -> u64 {
        parts_per_million(self.errors, self.requests).unwrap_or(0)
    }

    /// The exact upper bound of the error rate at 95 %, in thousandths of a millionth.
    #[must_use]
    pub fn bound_ppb(self) -> u64 {
        upper_bound_ppb(self.errors, self.requests)
    }
}

impl Fact for ErrorRateFinding {
    kinds! { self => self;
        Self::NoRecovery => "no-recovery", MISSED,
            "There was no recovery after which errors could be counted";
        Self::Refused { .. } => "refused", MISSED,
            "Requests were refused for maintenance after the recovery";
        Self::Beyond(_) => "beyond", MISSED, "Too many requests failed after the recovery";
        Self::NotShown(_) => "not-shown", Bearing::Open,
            "Too few requests were sent after the recovery to show the error rate";
        Self::Below(_) => "below", Bearing::Good, "Few enough requests failed after the recovery";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NoRecovery => numbers,
            Self::Refused { counted, .. }
            | Self::Beyond(counted)
            | Self::NotShown(counted)
            | Self::Below(counted) => numbers
                .with("requests", counted.requests)
                .with("errors", counted.errors)
                .with("error_rate_ppm", counted.ppm())
                .with("error_rate_bound_ppb", counted.bound_ppb()),
        }
    }
}

impl fmt::Display for ErrorRateFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoRecovery => f.write_str("there is no recovery to count errors from"),
            Self::Refused { refused, .. } => write!(
                f,
                "{refused} requests were refused for maintenance after recovery"
            ),
            Self::Beyond(counted) => write!(
                f,
                "{} of requests failed after recovery, not below {}",
                show_ppm(counted.ppm()),
                counted.limit
            ),
            Self::NotShown(counted) => write!(
                f,
                "{} of {} requests failed after recovery: the rate is shown to be below {}, not below {}; a bound of {} takes {} requests without an error",
                counted.errors,
                counted.requests,
                show_ppb(counted.bound_ppb()),
                counted.limit,
                counted.limit,
                requests_that_show(counted.limit)
            ),
            Self::Below(counted) => write!(
                f,
                "{} of {} requests failed after recovery: at 95 % confidence below {}, and {} is the bound",
                counted.errors,
                show_count(counted.requests),
                show_ppb(counted.bound_ppb()),
                counted.limit
            ),
        }
    }
}

/// Whether the ledger's invariants hold since recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvariantsFinding {
    /// Nobody looked at the ledger.
    NobodyLooked,
    /// One was broken.
    Broken {
        /// When.
        at_ms: Ms,
        /// Which.
        violation: String,
        /// Looks since recovery.
        looks: u64,
        /// Whether the executor claims recovery over it.
        claimed: bool,
    },
    /// Nobody looked at the end.
    NotAtTheEnd {
        /// Looks since recovery.
        looks: u64,
    },
    /// All hold.
    Hold {
        /// Looks since recovery.
        looks: u64,
    },
}

impl Fact for InvariantsFinding {
    kinds! { self => self;
        Self::NobodyLooked => "nobody-looked", Bearing::Open, "Nobody looked at the invariants";
        Self::Broken { claimed: true, .. } => "broken-and-claimed", HARM,
            "An invariant was broken while the program claimed a recovery";
        Self::Broken { .. } => "broken", MISSED, "An invariant was broken";
        Self::NotAtTheEnd { .. } => "not-at-the-end", Bearing::Open,
            "The invariants were not seen at the end";
        Self::Hold { .. } => "hold", Bearing::Good, "The invariants hold";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NobodyLooked => numbers,
            Self::Broken { at_ms, looks, .. } => {
                numbers.with("looks", looks).with("broken_ms", at_ms)
            }
            Self::NotAtTheEnd { looks } | Self::Hold { looks } => numbers.with("looks", looks),
        }
    }
}

impl fmt::Display for InvariantsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyLooked => f.write_str("nobody looked at the ledger"),
            Self::Broken {
                at_ms, violation, ..
            } => write!(f, "at {at_ms} ms: {violation}"),
            Self::NotAtTheEnd { .. } => f.write_str("nobody looked at the ledger at the end"),
            Self::Hold { .. } => f.write_str("the ledger's invariants hold"),
        }
    }
}

/// Whether every live pod runs the right build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildsFinding {
    /// It is not known which builds should run.
    Unknown,
    /// A pod belongs to no service.
    Foreign {
        /// Its name.
        pod: String,
    },
    /// A pod runs nothing.
    Idle {
        /// Its name.
        pod: String,
    },
    /// A pod runs another build.
    Wrong {
        /// Its name.
        pod: String,
        /// Its service.
        service: String,
        /// The version that it runs.
        runs: String,
        /// The version that it should.
        expected: String,
    },
    /// A pod is not ready.
    NotReady {
        /// Its name.
        pod: String,
    },
    /// A service has no live pod.
    NoPod {
        /// Which.
        service: String,
    },
    /// All run the right build.
    Right {
        /// How many.
        pods: u64,
    },
}

impl Fact for BuildsFinding {
    kinds! { self => self;
        Self::Unknown => "unknown", Bearing::Open, "Nobody knows which builds should run";
        Self::Foreign { .. } => "foreign", MISSED, "A pod runs that belongs to no service";
        Self::Idle { .. } => "idle", MISSED, "A pod runs nothing";
        Self::Wrong { .. } => "wrong", MISSED, "A pod runs another build than it should";
        Self::NotReady { .. } => "not-ready", MISSED, "A pod is not ready";
        Self::NoPod { .. } => "no-pod", MISSED, "A service has no live pod";
        Self::Right { .. } => "right", Bearing::Good, "Every pod runs the build that it should";
    }

    fn subject(&self) -> Option<&str> {
        match self {
            Self::Wrong { service, .. } | Self::NoPod { service } => Some(service),
            _ => None,
        }
    }

    fn numbers(&self) -> Numbers {
        match *self {
            Self::Right { pods } => Numbers::default().with("pods", pods),
            _ => Numbers::default(),
        }
    }
}

impl fmt::Display for BuildsFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("it is not known which builds should run"),
            Self::Foreign { pod } => write!(f, "pod {pod} belongs to no service"),
            Self::Idle { pod } => write!(f, "pod {pod} runs nothing"),
            Self::Wrong {
                pod,
                runs,
                expected,
                ..
            } => write!(f, "pod {pod} runs {runs} instead of {expected}"),
            Self::NotReady { pod } => write!(f, "pod {pod} is not ready"),
            Self::NoPod { service } => write!(f, "no pod of {service} is live"),
            Self::Right { .. } => f.write_str("every live pod runs the right build"),
        }
    }
}

/// Whether what had recovered stayed recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldFinding {
    /// There is nothing that could have.
    NoRecovery,
    /// It fell back.
    Relapsed {
        /// When.
        at_ms: Ms,
        /// For how long it had held.
        held_ms: Ms,
    },
    /// The drill ended too soon to show it.
    Short {
        /// For how long it held.
        held_ms: Ms,
        /// How long is asked for.
        asked_ms: Ms,
    },
    /// It did.
    Held {
        /// For how long.
        held_ms: Ms,
    },
}

impl Fact for HoldFinding {
    kinds! { self => self;
        Self::NoRecovery => "no-recovery", MISSED, "There was no recovery that could hold";
        Self::Relapsed { .. } => "relapsed", MISSED,
            "The application fell back after it had recovered";
        Self::Short { .. } => "short", Bearing::Open,
            "The recovery was watched for too short a time";
        Self::Held { .. } => "held", Bearing::Good, "The recovery held";
    }

    fn numbers(&self) -> Numbers {
        match *self {
            Self::NoRecovery => Numbers::default(),
            Self::Relapsed { at_ms, held_ms } => Numbers::default()
                .with("held_ms", held_ms)
                .with("relapsed_ms", at_ms),
            Self::Short { held_ms, .. } | Self::Held { held_ms } => {
                Numbers::default().with("held_ms", held_ms)
            }
        }
    }
}

impl fmt::Display for HoldFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoRecovery => f.write_str("nothing that could have stayed recovered"),
            Self::Relapsed { held_ms, .. } => {
                write!(f, "it fell back after it had held for {}", show_ms(held_ms))
            }
            Self::Short { held_ms, asked_ms } => write!(
                f,
                "held for {}, and {} are asked for",
                show_ms(held_ms),
                show_ms(asked_ms)
            ),
            Self::Held { held_ms } => write!(f, "held for {}", show_ms(held_ms)),
        }
    }
}

/// Whether latency stayed within its target after recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LatencyFinding {
    /// There is no recovery to look from.
    NoRecovery,
    /// Nothing was answered after it.
    NothingSeen,
    /// More than one request in a hundred was slower than the target.
    Slow {
        /// How many requests count.
        requests: u64,
        /// How many of them were slower.
        slow: u64,
    },
    /// At most one in a hundred was.
    Within {
        /// How many requests count.
        requests: u64,
        /// How many of them were slower.
        slow: u64,
    },
}

impl Fact for LatencyFinding {
    kinds! { self => self;
        Self::NoRecovery => "no-recovery", MISSED,
            "There was no recovery after which requests could be timed";
        Self::NothingSeen => "nothing-seen", Bearing::Open,
            "No request was answered after the recovery";
        Self::Slow { .. } => "slow", MISSED, "Requests were too slow after the recovery";
        Self::Within { .. } => "within", Bearing::Good,
            "Requests were fast enough after the recovery";
    }

    fn numbers(&self) -> Numbers {
        match *self {
            Self::NoRecovery | Self::NothingSeen => Numbers::default(),
            Self::Slow { requests, slow } | Self::Within { requests, slow } => Numbers::default()
                .with("requests", requests)
                .with("slow", slow),
        }
    }
}

impl fmt::Display for LatencyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoRecovery => f.write_str("there is no recovery to look at latency from"),
            Self::NothingSeen => f.write_str("nothing was answered after recovery"),
            Self::Slow { requests, slow } => write!(
                f,
                "{} of {} requests after recovery were slower than the target, more than one in a hundred",
                show_count(slow),
                show_count(requests)
            ),
            Self::Within { requests, slow } => write!(
                f,
                "{} of {} requests after recovery were slower than the target",
                show_count(slow),
                show_count(requests)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, ErrorRateFinding};
    use crate::scenario::PartsPerMillion;

    #[test]
    fn too_few_requests_are_told_with_how_many_the_bound_takes() {
        for (limit, takes) in [
            (100, "a bound of 0.01% takes 30000 requests"),
            (10_000, "a bound of 1% takes 300 requests"),
        ] {
            let found = ErrorRateFinding::NotShown(Counted {
                requests: 20,
                errors: 0,
                limit: PartsPerMillion(limit),
            });
            assert!(found.to_string().contains(takes), "{found}");
        }
    }
}
