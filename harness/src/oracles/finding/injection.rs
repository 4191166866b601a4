//! May the drill be judged? What the oracles of the stage `injection` find.

use std::fmt;

use super::fact::{Bearing, Fact, Numbers};
use super::kinds;
use crate::evidence::{Contention, HostSeen, LATE_MS, Ms, Share};
use crate::stats::{parts_per_million, show_ms, show_permille, show_ppm};

/// Whether the host let the clients do their work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFinding {
    /// In a simulation nothing can hold them up.
    Simulated,
    /// The harness itself failed, so that nobody knows whose doing the rest is.
    HarnessFailed {
        /// How.
        why: String,
    },
    /// They sent nothing.
    SentNothing,
    /// Too many requests were sent late.
    Busy(HostSeen),
    /// It stood still for a while, by its own record, and what the clients saw was not as it should be.
    StoodStill(HostSeen),
    /// Requests were sent when they were due.
    Punctual(HostSeen),
}

impl Fact for HostFinding {
    kinds! { self => self;
        Self::Simulated => "simulated", Bearing::Good,
            "The drill was simulated, so that no host could disturb it";
        Self::HarnessFailed { .. } => "harness-failed", Bearing::Void,
            "The harness itself failed, so the drill shows nothing";
        // What the clients saw is withheld by whoever rests on it; the rest is as certain as ever.
        Self::SentNothing => "sent-nothing", Bearing::Open, "The clients sent nothing";
        Self::Busy(_) => "busy", Bearing::Open,
            "The host was too busy for the clients to keep their rate";
        Self::StoodStill(_) => "stood-still", Bearing::Open, "The host stood still for a while";
        Self::Punctual(_) => "punctual", Bearing::Good, "The clients sent their requests in time";
    }

    fn numbers(&self) -> Numbers {
        let (Self::Busy(host) | Self::StoodStill(host) | Self::Punctual(host)) = self else {
            return Numbers::default();
        };
        let mut numbers = Numbers::default()
            .with("sent", host.sent)
            .with("late", host.late)
            .with("late_worst_ms", host.worst_ms);
        let Contention { stolen, waited } = host.contention;
        if let Some(share) = worth_telling(stolen) {
            numbers = numbers
                .with("stolen_permille", share.permille)
                .with("stolen_worst_permille", share.worst_permille)
                .with("stolen_worst_ms", share.worst_ms);
        }
        if let Some(share) = worth_telling(waited) {
            numbers = numbers
                .with("waited_permille", share.permille)
                .with("waited_worst_permille", share.worst_permille)
                .with("waited_worst_ms", share.worst_ms);
        }
        numbers
    }
}

fn worth_telling(share: Option<Share>) -> Option<Share> {
    share.filter(|share| share.worst_permille > 0)
}

impl fmt::Display for HostFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self {
            Self::Simulated => {
                return f.write_str("nothing can hold the clients of a simulation up");
            }
            Self::HarnessFailed { why } => {
                return write!(
                    f,
                    "the harness itself failed, so that the drill shows nothing: {why}"
                );
            }
            Self::SentNothing => return f.write_str("the clients sent nothing"),
            Self::Busy(host) => {
                write!(
                    f,
                    "this host was too busy for its own clients: {} of {} requests ({}) were sent more than {LATE_MS} ms late, by up to {}, the last one at {}; give it less to do and drill again",
                    host.late,
                    host.sent,
                    show_ppm(parts_per_million(host.late, host.sent).unwrap_or(0)),
                    show_ms(host.worst_ms),
                    show_ms(host.delays.last().map_or(0, |(_, ended)| *ended))
                )?;
                host
            }
            Self::StoodStill(host) => {
                write!(
                    f,
                    "this host stood still, and what its clients saw is not the exchange's doing for certain: requests were sent up to {} late; drill again",
                    show_ms(host.worst_ms)
                )?;
                host
            }
            Self::Punctual(host) => {
                let (late, sent) = (host.late, host.sent);
                write!(
                    f,
                    "{late} of {sent} requests were sent more than {LATE_MS} ms late"
                )?;
                host
            }
        };
        let Contention { stolen, waited } = host.contention;
        if let Some(share) = worth_telling(stolen) {
            let permille = show_permille(share.permille);
            write!(
                f,
                "; its hypervisor gave {permille} of its CPU time to other machines"
            )?;
            worst(f, share)?;
        }
        if let Some(share) = worth_telling(waited) {
            let permille = show_permille(share.permille);
            write!(f, "; processes waited for a CPU in {permille} of the time")?;
            worst(f, share)?;
        }
        Ok(())
    }
}

fn worst(f: &mut fmt::Formatter<'_>, share: Share) -> fmt::Result {
    write!(
        f,
        ", {} in the second before {}",
        show_permille(share.worst_permille),
        show_ms(share.worst_ms)
    )
}

/// Whether the steady state held until the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteadyFinding {
    /// Requests in the warm-up that count for the error rate.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// What it was like.
    pub state: SteadyState,
}

/// What the exchange was like before anything was touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SteadyState {
    /// As it should be.
    Held,
    /// The warm-up never ended, or no client was served in it.
    NoWarmUp,
    /// Too many requests failed.
    Failing,
    /// Trading was halted.
    Halted,
    /// p99 latency was beyond its target.
    Slow {
        /// In the ten seconds from this one.
        second: u64,
    },
    /// An invariant of the ledger was broken.
    Broken {
        /// Which.
        violation: String,
    },
    /// Nobody looked at the ledger.
    NobodyLooked,
}

impl Fact for SteadyFinding {
    kinds! { self => self.state;
        SteadyState::Held => "held", Bearing::Good,
            "The application was healthy before anything was touched";
        SteadyState::NoWarmUp => "no-warm-up", Bearing::Void,
            "There was no time before the release in which the application could be seen healthy";
        SteadyState::Failing => "failing", Bearing::Void,
            "Requests failed before anything was touched";
        SteadyState::Halted => "halted", Bearing::Void,
            "Trading was halted before anything was touched";
        SteadyState::Slow { .. } => "slow", Bearing::Void,
            "Requests were slow before anything was touched";
        SteadyState::Broken { .. } => "broken", Bearing::Void,
            "An invariant was broken before anything was touched";
        SteadyState::NobodyLooked => "nobody-looked", Bearing::Void,
            "Nobody looked at the application before it was touched";
    }

    fn numbers(&self) -> Numbers {
        Numbers::default()
            .with("requests", self.requests)
            .with("errors", self.errors)
    }
}

impl fmt::Display for SteadyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            SteadyState::Held => f.write_str("the steady state held"),
            SteadyState::NoWarmUp => {
                f.write_str("the warm-up never ended, or no client was served in it")
            }
            SteadyState::Failing => write!(
                f,
                "{} of {} requests failed before anything was touched",
                self.errors, self.requests
            ),
            SteadyState::Halted => f.write_str("trading was halted before anything was touched"),
            SteadyState::Slow { second } => write!(
                f,
                "p99 latency was beyond its target at {second} s, before anything was touched"
            ),
            SteadyState::Broken { violation } => write!(
                f,
                "an invariant was broken before anything was touched: {violation}"
            ),
            SteadyState::NobodyLooked => {
                f.write_str("nobody looked at the ledger during the warm-up")
            }
        }
    }
}

/// Whether the bad release ran and did its harm, and whether every fault hit something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectionFinding {
    /// The release was never deployed.
    NeverDeployed,
    /// No pod of it ever ran.
    NeverRan,
    /// It ran and did no harm, though it should have.
    NoHarm,
    /// The executor was to die at a request that it never made.
    CrashNeverCame,
    /// A fault of the scenario hit nothing.
    FaultNeverFired {
        /// Which, in words.
        fault: String,
        /// Whether its instant came.
        began: bool,
    },
    /// It ran, and no harm is expected of it.
    NoHarmExpected,
    /// It ran and did harm.
    Harm {
        /// When that began.
        first_harm_ms: Ms,
        /// When it was deployed.
        deployed_ms: Ms,
    },
}

impl Fact for InjectionFinding {
    kinds! { self => self;
        Self::NeverDeployed => "never-deployed", Bearing::Void, "The release was never deployed";
        Self::NeverRan => "never-ran", Bearing::Void, "The release never ran";
        Self::NoHarm => "no-harm", Bearing::Void,
            "The release did no harm, so there was nothing to roll back";
        // What else was seen was seen without this fault, which makes a failure no better.
        Self::CrashNeverCame => "crash-never-came", Bearing::Open,
            "The program was to be killed, and never was";
        Self::FaultNeverFired { .. } => "fault-never-fired", Bearing::Open,
            "A fault of the scenario never struck";
        Self::NoHarmExpected => "no-harm-expected", Bearing::Good,
            "No harm was expected, and none was done";
        Self::Harm { .. } => "harm", Bearing::Good, "The release did harm";
    }

    fn subject(&self) -> Option<&str> {
        match self {
            Self::FaultNeverFired { fault, .. } => Some(fault),
            _ => None,
        }
    }

    fn numbers(&self) -> Numbers {
        match *self {
            Self::Harm {
                first_harm_ms,
                deployed_ms,
            } => Numbers::default()
                .with("first_harm_ms", first_harm_ms)
                .with("deployed_ms", deployed_ms),
            _ => Numbers::default(),
        }
    }
}

impl fmt::Display for InjectionFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverDeployed => f.write_str("the release was never deployed"),
            Self::NeverRan => f.write_str("no pod of the deployed release ever ran"),
            Self::NoHarm => f.write_str("the release ran and did no harm"),
            Self::CrashNeverCame => {
                f.write_str("the executor was to die at a request that it never made")
            }
            Self::FaultNeverFired { fault, began } => {
                let why = if *began {
                    "it hit nothing"
                } else {
                    "its instant never came"
                };
                write!(f, "the fault `{fault}` never fired: {why}")
            }
            Self::NoHarmExpected => f.write_str("the release ran; no harm is expected of it"),
            Self::Harm { .. } => f.write_str("the release ran and did harm"),
        }
    }
}
