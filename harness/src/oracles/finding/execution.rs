//! What the executor noticed, did and said: what the oracles of the stages `detection` and `execution` find.

use std::fmt;

use super::fact::{Bearing, Fact, HARM, MISSED, Numbers, UNKEPT};
use super::kinds;
use crate::evidence::{Ms, Reading};
use crate::scenario::Path;
use crate::stats::show_ms;

/// Whether the right trigger fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerFinding {
    /// None fired, and none should.
    NoneAsExpected,
    /// One fired on a release without a fault.
    FalseAlarm {
        /// Which.
        seen: String,
        /// When.
        at_ms: Ms,
    },
    /// The expected one never fired.
    Never {
        /// Which.
        expected: String,
    },
    /// One fired before the deployment.
    BeforeDeployment {
        /// Which.
        seen: String,
        /// When.
        at_ms: Ms,
    },
    /// Another one fired.
    Other {
        /// Which.
        seen: String,
        /// Which should have.
        expected: String,
        /// When.
        at_ms: Ms,
        /// How long after the deployment.
        after_deployment_ms: Ms,
    },
    /// The expected one fired.
    Fired {
        /// Which.
        seen: String,
        /// When.
        at_ms: Ms,
        /// How long after the deployment.
        after_deployment_ms: Ms,
    },
}

impl Fact for TriggerFinding {
    kinds! { self => self;
        Self::NoneAsExpected => "none-as-expected", Bearing::Good, "No trigger fired, as expected";
        Self::FalseAlarm { .. } => "false-alarm", MISSED, "A trigger fired where none should have";
        Self::Never { .. } => "never", MISSED, "The expected trigger never fired";
        Self::BeforeDeployment { .. } => "before-deployment", MISSED,
            "A trigger fired before the release was deployed";
        Self::Other { .. } => "other", MISSED, "Another trigger fired than the expected one";
        Self::Fired { .. } => "fired", Bearing::Good, "The expected trigger fired";
    }

    fn subject(&self) -> Option<&str> {
        match self {
            Self::FalseAlarm { seen, .. }
            | Self::BeforeDeployment { seen, .. }
            | Self::Other { seen, .. } => Some(seen),
            Self::NoneAsExpected | Self::Never { .. } | Self::Fired { .. } => None,
        }
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::NoneAsExpected | Self::Never { .. } => numbers,
            Self::FalseAlarm { at_ms, .. } | Self::BeforeDeployment { at_ms, .. } => {
                numbers.with("trigger_ms", at_ms)
            }
            Self::Other {
                at_ms,
                after_deployment_ms,
                ..
            }
            | Self::Fired {
                at_ms,
                after_deployment_ms,
                ..
            } => numbers
                .with("trigger_ms", at_ms)
                .with("after_deployment_ms", after_deployment_ms),
        }
    }
}

impl fmt::Display for TriggerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneAsExpected => f.write_str("no trigger fired, and none should"),
            Self::FalseAlarm { seen, .. } => {
                write!(f, "`{seen}` fired, and no trigger should have")
            }
            Self::Never { expected } => write!(f, "`{expected}` never fired"),
            Self::BeforeDeployment { seen, .. } => {
                write!(f, "`{seen}` fired before the deployment")
            }
            Self::Other { seen, expected, .. } => {
                write!(f, "`{seen}` fired instead of `{expected}`")
            }
            Self::Fired { seen, .. } => write!(f, "`{seen}` fired"),
        }
    }
}

/// Whether the executor ended as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeFinding {
    /// How many steps it reports.
    pub steps: u64,
    /// The last step that it reports, if that did not end well.
    pub at_step: Option<String>,
    /// How it ended.
    pub end: Ended,
}

/// How the executor ended, against how it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It, or the world around it, panicked.
    Panicked {
        /// What it said.
        why: String,
    },
    /// It refused to prepare, so that nothing was deployed.
    NotPrepared {
        /// Why.
        why: String,
    },
    /// It was refused, as another host was at work.
    Refused {
        /// Why.
        why: String,
    },
    /// It was refused or had nothing to do, as the host before it had recovered everything.
    RecoveredBefore,
    /// It ended in an error.
    Failed {
        /// Which.
        why: String,
    },
    /// It was still at work when the drill ended.
    StillRunning,
    /// The harness failed while it was at work.
    CutShort {
        /// How.
        why: String,
    },
    /// It was refused or had nothing to do, and what would show whether the host before it had recovered everything
    /// could not be read.
    NotRead {
        /// What.
        what: Reading,
    },
    /// It claims recovery, and a person should have been paged.
    ClaimedInsteadOfPaging,
    /// It paged a person, and should have recovered.
    Paged {
        /// Why.
        why: String,
    },
    /// It rightly paged a person, in time.
    PagedInTime {
        /// Why.
        why: String,
        /// How long after the trigger.
        after_ms: Ms,
        /// How long that may take.
        limit_ms: Ms,
    },
    /// It rightly paged a person, too late.
    PagedLate {
        /// Why.
        why: String,
        /// How long after the trigger.
        after_ms: Ms,
        /// How long that may take.
        limit_ms: Ms,
    },
    /// It rightly paged a person, and it is not known when.
    PagedAtSomeTime,
    /// It did nothing, as it should.
    NothingAsExpected,
    /// It did nothing, and should have.
    DidNothing {
        /// Why.
        why: String,
    },
    /// It took the expected path.
    Took {
        /// Which.
        path: Path,
    },
    /// It took another path.
    TookOther {
        /// Which.
        path: Path,
        /// Which it should have.
        expected: Path,
    },
}

impl Fact for OutcomeFinding {
    kinds! { self => self.end;
        // Whatever the world was like: an executor that ends in an error has told nobody where things stand.
        Ended::Panicked { .. } => "panicked", HARM, "The program panicked";
        Ended::Failed { .. } => "failed", HARM, "The program failed";
        Ended::NotPrepared { .. } => "not-prepared", Bearing::Void,
            "The program refused to prepare, so that nothing was deployed";
        Ended::Refused { .. } => "refused", MISSED, "The program was refused";
        Ended::RecoveredBefore => "recovered-before", Bearing::Good,
            "The application had recovered before the program was done";
        Ended::StillRunning => "still-running", MISSED,
            "The program was still at work when the drill ended";
        Ended::CutShort { .. } => "cut-short", Bearing::Open,
            "The harness failed while the program was at work";
        Ended::NotRead { .. } => "not-read", Bearing::Open,
            "What the program did could not be read";
        Ended::ClaimedInsteadOfPaging => "claimed-instead-of-calling", HARM,
            "The program claimed a recovery where it had to page a person";
        Ended::Paged { .. } => "called", MISSED,
            "The program called a person instead of recovering";
        Ended::PagedInTime { .. } => "called-in-time", Bearing::Good,
            "The program called a person in time";
        Ended::PagedLate { .. } => "called-late", MISSED, "The program called a person too late";
        Ended::PagedAtSomeTime => "called-at-some-time", Bearing::Open,
            "The program called a person";
        Ended::NothingAsExpected => "nothing-as-expected", Bearing::Good,
            "The program did nothing, as expected";
        Ended::DidNothing { .. } => "did-nothing", MISSED,
            "The program did nothing where it had to act";
        Ended::Took { .. } => "took-path", Bearing::Good, "The program took the expected path";
        Ended::TookOther { .. } => "took-other-path", MISSED,
            "The program took another path than the expected one";
    }

    fn subject(&self) -> Option<&str> {
        match self.end {
            Ended::Paged { .. } | Ended::Failed { .. } => self.at_step.as_deref(),
            _ => None,
        }
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default().with("steps", self.steps);
        match self.end {
            Ended::PagedInTime { after_ms, .. } | Ended::PagedLate { after_ms, .. } => {
                numbers.with("called_after_ms", after_ms)
            }
            _ => numbers,
        }
    }
}

impl fmt::Display for OutcomeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.end {
            Ended::Panicked { why } => write!(f, "the drill panicked: {why}"),
            Ended::Failed { why } => write!(f, "the executor failed: {why}"),
            Ended::NotPrepared { why } => {
                write!(f, "nothing was deployed, as the executor refused: {why}")
            }
            Ended::Refused { why } => write!(f, "the executor was refused: {why}"),
            Ended::RecoveredBefore => f.write_str(
                "the host before had recovered everything, and this one had nothing to do",
            ),
            Ended::StillRunning => {
                f.write_str("the executor was still at work when the drill ended")
            }
            Ended::CutShort { why } => {
                write!(
                    f,
                    "the harness failed while the executor was at work: {why}"
                )
            }
            Ended::NotRead { what } => write!(
                f,
                "this host had nothing to do; {} could not be read, which would show whether the one before it recovered everything",
                what.as_str()
            ),
            Ended::ClaimedInsteadOfPaging => {
                f.write_str("the executor claims recovery, and a person should have been paged")
            }
            Ended::Paged { why } => write!(f, "the executor paged a person: {why}"),
            Ended::PagedInTime { why, limit_ms, .. } => write!(
                f,
                "a person was paged within {}, as there was no way back: {why}",
                show_ms(*limit_ms)
            ),
            Ended::PagedLate { why, limit_ms, .. } => write!(
                f,
                "a person was paged only after {}, as there was no way back: {why}",
                show_ms(*limit_ms)
            ),
            Ended::PagedAtSomeTime => f.write_str("a person was paged, and it is not known when"),
            Ended::NothingAsExpected => f.write_str("the executor did nothing, as it should"),
            Ended::DidNothing { why } => write!(f, "the executor did nothing: {why}"),
            Ended::Took { path } => {
                write!(
                    f,
                    "the executor took the path `{}` to its end",
                    path.as_str()
                )
            }
            Ended::TookOther { path, expected } => write!(
                f,
                "the executor took the path `{}` instead of `{}`",
                path.as_str(),
                expected.as_str()
            ),
        }
    }
}

/// A claim that lies so much later than the recovery gives a wrong instant: no drill takes so long.
const FAR_MS: Ms = 24 * 3_600_000;

/// Whether what the executor claims agrees with what the clients saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimFinding {
    /// It claims no recovery.
    Nothing,
    /// It claims recovery without saying when.
    WithoutTime,
    /// It claims recovery, and the clients saw none.
    Unseen {
        /// When, as it says.
        claimed_ms: Ms,
    },
    /// It dates recovery before the clients saw it.
    Early {
        /// When, as it says.
        claimed_ms: Ms,
        /// When the clients saw it.
        measured_ms: Ms,
    },
    /// It dates recovery long after the clients saw it.
    Late {
        /// When, as it says.
        claimed_ms: Ms,
        /// When the clients saw it.
        measured_ms: Ms,
    },
    /// A person is told that the ledger is fenced, or that trading is halted, and it is not so; or the other way round.
    StandsOtherwise {
        /// Whether it is the fence, and not the halt.
        fence: bool,
        /// What the person is told.
        told: bool,
    },
    /// Both agree.
    Agrees {
        /// When, as it says.
        claimed_ms: Ms,
        /// When the clients saw it.
        measured_ms: Ms,
    },
}

impl Fact for ClaimFinding {
    kinds! { self => self;
        Self::Nothing => "nothing", Bearing::Good, "The program claimed nothing";
        Self::WithoutTime => "without-time", MISSED,
            "The program claimed a recovery without a time";
        Self::Unseen { .. } => "unseen", HARM, "The program claimed a recovery that no client saw";
        Self::Early { .. } => "early", HARM,
            "The program claimed a recovery before the clients saw one";
        Self::Late { .. } => "late", MISSED,
            "The program claimed the recovery much later than the clients saw it";
        Self::StandsOtherwise { .. } => "stands-otherwise", HARM,
            "The person who was called was told that something is halted that is not, or the other way round";
        Self::Agrees { .. } => "agrees", Bearing::Good,
            "The program's claim agrees with what the clients saw";
    }

    fn numbers(&self) -> Numbers {
        let numbers = Numbers::default();
        match *self {
            Self::Nothing | Self::WithoutTime | Self::StandsOtherwise { .. } => numbers,
            Self::Unseen { claimed_ms } => numbers.with("claimed_ms", claimed_ms),
            Self::Early {
                claimed_ms,
                measured_ms,
            }
            | Self::Late {
                claimed_ms,
                measured_ms,
            }
            | Self::Agrees {
                claimed_ms,
                measured_ms,
            } => numbers
                .with("claimed_ms", claimed_ms)
                .with("measured_ms", measured_ms),
        }
    }
}

impl fmt::Display for ClaimFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => f.write_str("no recovery is claimed"),
            Self::WithoutTime => f.write_str("recovery is claimed without saying when"),
            Self::Unseen { .. } => f.write_str("recovery is claimed, and the clients saw none"),
            Self::Early {
                claimed_ms,
                measured_ms,
            } => write!(
                f,
                "recovery is claimed {} before the clients saw it",
                show_ms(measured_ms.saturating_sub(claimed_ms))
            ),
            Self::Late {
                claimed_ms,
                measured_ms,
            } if claimed_ms.saturating_sub(measured_ms) > FAR_MS => f.write_str(
                "recovery is dated more than a day after the clients saw it: the instant of the claim is wrong",
            ),
            Self::Late {
                claimed_ms,
                measured_ms,
            } => write!(
                f,
                "recovery is claimed {} after the clients saw it",
                show_ms(claimed_ms.saturating_sub(measured_ms))
            ),
            Self::StandsOtherwise { fence, told } => {
                let what = if fence { "fenced" } else { "halted" };
                let (is, is_not) = (format!("is {what}"), format!("is not {what}"));
                let (told, seen) = if told { (is, is_not) } else { (is_not, is) };
                let subject = if fence { "the ledger" } else { "trading" };
                write!(f, "a person is told that {subject} {told}, and it {seen}")
            }
            Self::Agrees { .. } => f.write_str("the claim agrees with what the clients saw"),
        }
    }
}

/// Whether what the post-mortem needs is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesFinding {
    /// No recovery is claimed, so nothing is asked for.
    NothingClaimed,
    /// It is.
    Kept,
    /// No line of a service's log was kept.
    NoLog {
        /// Of which.
        service: String,
    },
    /// Of a pod's log not all is kept that it had written when the trigger fired.
    LogIncomplete {
        /// Of which service.
        service: String,
        /// How many lines it had written.
        written: u64,
        /// Of them, how many are not kept.
        missing: u64,
    },
    /// There is no post-mortem with a timeline.
    NoPostMortem,
    /// There is no scenario.
    NoScenario,
    /// The scenario does not load.
    ScenarioBroken {
        /// Why.
        why: String,
    },
    /// The scenario expects another trigger.
    ScenarioExpects {
        /// The one that it expects.
        written: Option<String>,
        /// The one that it should.
        expected: Option<String>,
    },
}

impl Fact for FilesFinding {
    kinds! { self => self;
        Self::NothingClaimed => "nothing-claimed", Bearing::Good,
            "No recovery was claimed, so that no files were due";
        Self::Kept => "kept", Bearing::Good, "All evidence was kept";
        Self::NoLog { .. } => "no-log", UNKEPT, "The log of a service was not kept";
        Self::LogIncomplete { .. } => "log-incomplete", UNKEPT, "A log was kept only in part";
        Self::NoPostMortem => "no-post-mortem", UNKEPT, "There is no post-mortem";
        Self::NoScenario => "no-scenario", UNKEPT, "There is no scenario made of the incident";
        Self::ScenarioBroken { .. } => "scenario-broken", UNKEPT,
            "The scenario made of the incident does not load";
        Self::ScenarioExpects { .. } => "scenario-expects-other", UNKEPT,
            "The scenario made of the incident expects something else than what happened";
    }

    fn subject(&self) -> Option<&str> {
        match self {
            Self::NoLog { service } | Self::LogIncomplete { service, .. } => Some(service),
            _ => None,
        }
    }
}

impl fmt::Display for FilesFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingClaimed => f.write_str("no recovery is claimed"),
            Self::Kept => f.write_str("logs, post-mortem and scenario are kept"),
            Self::NoLog { service } => write!(f, "no line of {service}'s log was kept"),
            Self::LogIncomplete {
                service,
                written,
                missing,
            } => write!(
                f,
                "{missing} of {written} lines that a pod of {service} had written are not kept"
            ),
            Self::NoPostMortem => f.write_str("there is no post-mortem with a timeline"),
            Self::NoScenario => f.write_str("there is no scenario that reproduces the incident"),
            Self::ScenarioBroken { why } => write!(f, "the scenario does not load: {why}"),
            Self::ScenarioExpects { written, expected } => write!(
                f,
                "the scenario expects {} to fire, not {}",
                written.as_deref().unwrap_or("nothing"),
                expected.as_deref().unwrap_or("nothing")
            ),
        }
    }
}
