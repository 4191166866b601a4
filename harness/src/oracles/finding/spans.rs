//! How long the clients and the books were harmed: until it was noticed, and until it was over.

use std::fmt;

use super::fact::{Bearing, Fact, MISSED, Numbers};
use super::kinds;
use crate::evidence::Ms;
use crate::stats::show_ms;

/// How long it took from the first harm to the trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectionFinding {
    /// There was no harm that should have been noticed.
    NothingToDetect,
    /// No trigger ever fired.
    Never {
        /// How long that may take.
        limit_ms: Ms,
    },
    /// Too long.
    Late {
        /// How long, without the time in which nothing could be seen.
        after_ms: Ms,
        /// How long that may take.
        limit_ms: Ms,
    },
    /// In time.
    InTime {
        /// How long, without the time in which nothing could be seen.
        after_ms: Ms,
        /// How long that may take.
        limit_ms: Ms,
    },
}

impl Fact for DetectionFinding {
    kinds! { self => self;
        Self::NothingToDetect => "nothing-to-detect", Bearing::Good, "There was nothing to detect";
        Self::Never { .. } => "never", MISSED, "The harm was never detected";
        Self::Late { .. } => "late", MISSED, "The harm was detected too late";
        Self::InTime { .. } => "in-time", Bearing::Good, "The harm was detected in time";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NothingToDetect => numbers,
            Self::Never { limit_ms } => numbers.with("limit_ms", limit_ms),
            Self::Late { after_ms, limit_ms } | Self::InTime { after_ms, limit_ms } => numbers
                .with("detected_after_ms", after_ms)
                .with("limit_ms", limit_ms),
        }
    }
}

impl fmt::Display for DetectionFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NothingToDetect => f.write_str("there was no harm that a trigger should notice"),
            Self::Never { .. } => f.write_str("clients or books were harmed, and no trigger fired"),
            Self::Late { after_ms, limit_ms } => write!(
                f,
                "the trigger fired {} after the first harm, and {} is the most",
                show_ms(after_ms),
                show_ms(limit_ms)
            ),
            Self::InTime { after_ms, .. } => write!(
                f,
                "the trigger fired {} after the first harm",
                show_ms(after_ms)
            ),
        }
    }
}

/// How long it took from the first harm to recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImpactFinding {
    /// There was no harm.
    NoHarm,
    /// Harm came and went, and nothing should trigger at it.
    Passing {
        /// How long it lasted, at most to the drill's end.
        impact_ms: Ms,
    },
    /// The clients were badly off before anything was deployed, so that no release is to blame.
    BeforeDeployment {
        /// For how many seconds.
        bad_s: u64,
    },
    /// It was never over.
    Never {
        /// How long it had lasted when the drill ended.
        so_far_ms: Ms,
        /// How long it may last.
        limit_ms: Ms,
    },
    /// Too long.
    Beyond {
        /// How long it lasted.
        impact_ms: Ms,
        /// How long it may last.
        limit_ms: Ms,
    },
    /// Too long, and no executor could have ended it in time.
    Unsurvivable {
        /// How long it had lasted at recovery or at the drill's end.
        so_far_ms: Ms,
        /// How long it may last.
        limit_ms: Ms,
    },
    /// Not too long.
    Within {
        /// How long it lasted.
        impact_ms: Ms,
        /// How long it may last.
        limit_ms: Ms,
    },
}

impl Fact for ImpactFinding {
    kinds! { self => self;
        Self::NoHarm => "no-harm", Bearing::Good, "The clients saw no harm";
        Self::Passing { .. } => "passing", Bearing::Good,
            "The clients saw harm that passed by itself";
        Self::BeforeDeployment { .. } => "before-deployment", MISSED,
            "The clients saw harm before the release was deployed";
        Self::Never { .. } => "never-over", MISSED, "The harm was never over";
        Self::Beyond { .. } => "beyond", MISSED, "The harm lasted too long";
        Self::Unsurvivable { .. } => "unsurvivable", Bearing::Open,
            "No rollback could have ended the harm in time";
        Self::Within { .. } => "within", Bearing::Good, "The harm was over within its limit";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NoHarm => numbers,
            Self::BeforeDeployment { bad_s } => numbers.with("bad_s", bad_s),
            Self::Passing { impact_ms } => numbers.with("impact_ms", impact_ms),
            Self::Never {
                so_far_ms: impact_ms,
                limit_ms,
            }
            | Self::Unsurvivable {
                so_far_ms: impact_ms,
                limit_ms,
            }
            | Self::Beyond {
                impact_ms,
                limit_ms,
            }
            | Self::Within {
                impact_ms,
                limit_ms,
            } => numbers
                .with("impact_ms", impact_ms)
                .with("limit_ms", limit_ms),
        }
    }
}

impl fmt::Display for ImpactFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoHarm => f.write_str("nobody came to harm"),
            Self::Passing { impact_ms } => write!(
                f,
                "clients or books were harmed for {}, and no trigger should fire at that",
                show_ms(impact_ms)
            ),
            Self::BeforeDeployment { bad_s } => write!(
                f,
                "the clients were badly off for {bad_s} s before anything was deployed"
            ),
            Self::Never { so_far_ms, .. } => write!(
                f,
                "the harm was never over, {} after it had begun",
                show_ms(so_far_ms)
            ),
            Self::Beyond {
                impact_ms,
                limit_ms,
            } => write!(
                f,
                "the harm lasted {}, and {} is the most",
                show_ms(impact_ms),
                show_ms(limit_ms)
            ),
            Self::Unsurvivable { so_far_ms, .. } => write!(
                f,
                "the harm lasted {} and more; the faults left no executor the time to end it",
                show_ms(so_far_ms)
            ),
            Self::Within { impact_ms, .. } => {
                write!(f, "the harm lasted {}", show_ms(impact_ms))
            }
        }
    }
}
