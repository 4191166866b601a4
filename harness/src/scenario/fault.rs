//! Faults: what else goes wrong in a drill, beside the bad release.
//!
//! ```toml
//! [[faults]]
//! kind = "api-slow"            # one of `FAULTS`
//! when = "trigger"             # start, deployment, `ready NUMBER` (of pods), trigger (the default), `request NUMBER`
//!                              # (of the executor), `step NAME`, `after NAME`
//! at = "2s"                    # after that; default: at once
//! jitter = "3s"                # each seed draws a further delay up to this; default: none
//! lasts = "20s"
//! delay = "800ms"
//! chance = "25%"
//! by = "-30s"                  # for kinds that set a clock: how far it is ahead, or behind
//! ```
//!
//! Each fault draws from a stream of its own, so that another one beside it changes nothing about it.

mod draws;
mod elsewhere;
mod kinds;
mod spec;

use std::time::Duration;

use jiff::SignedDuration;

pub use self::draws::{DrawnAt, Draws, Family, Needs, Place};
pub use self::elsewhere::OfTheExchange;
pub(crate) use self::kinds::kinds;
pub use self::kinds::{FAULTS, FaultKind};
pub use self::spec::{
    Asked, Blinds, Blocks, FaultSpec, HeldUp, Hosts, Live, Need, Strikes, Targets, UndoScripts,
    Which,
};

use super::quantity::PartsPerMillion;

/// A fault of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// From when on `at` counts.
    pub when: Anchor,
    /// How long after that.
    pub at: Duration,
    /// Each seed draws up to this much more.
    pub jitter: Duration,
    /// For how long; `None`: until the drill's end, or at one instant.
    pub lasts: Option<Duration>,
    /// Whom it hits, where the kind leaves a choice.
    pub target: Option<String>,
    /// How much later something happens, for kinds that slow something down.
    pub delay: Option<Duration>,
    /// How likely each message is hit, for kinds that hit messages; `None`: each one.
    pub chance: Option<PartsPerMillion>,
    /// By how much a clock is ahead, for kinds that set one; below zero: behind.
    pub by: Option<SignedDuration>,
}

/// An instant of the drill that is known only when it comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anchor {
    /// The drill's beginning.
    Start,
    /// The deployer begins.
    Deployment,
    /// So many pods of the deployed release are ready.
    Ready(u32),
    /// The watch reports a trigger.
    Trigger,
    /// The executor has sent so many requests since the trigger. Those of a host that takes over don't count.
    Request(u32),
    /// The executor says that it begins this step of the runbook, for the first time.
    Step(String),
    /// The executor says that this step of the runbook has ended, however it ended, for the first time: the instant
    /// between it and the next one.
    After(String),
}

impl Anchor {
    /// Reads `start`, `deployment`, `ready NUMBER`, `trigger`, `request NUMBER`, `step NAME`, `after NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "deployment" => Some(Self::Deployment),
            "trigger" => Some(Self::Trigger),
            _ => {
                let (word, step) = text.split_once(' ')?;
                let number = || step.trim().parse().ok().filter(|&number: &u32| number > 0);
                let step = Some(step.trim()).filter(|step| !step.is_empty())?;
                match word {
                    "ready" => number().map(Self::Ready),
                    "request" => number().map(Self::Request),
                    "step" => Some(Self::Step(step.to_owned())),
                    "after" => Some(Self::After(step.to_owned())),
                    _ => None,
                }
            }
        }
    }

    /// The step of the runbook that it is an instant of.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Step(step) | Self::After(step) => Some(step),
            Self::Start | Self::Deployment | Self::Ready(_) | Self::Trigger | Self::Request(_) => {
                None
            }
        }
    }

    /// The words that [`Anchor::parse`] reads back.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::Deployment => "deployment".to_owned(),
            Self::Ready(pods) => format!("ready {pods}"),
            Self::Trigger => "trigger".to_owned(),
            Self::Request(number) => format!("request {number}"),
            Self::Step(step) => format!("step {step}"),
            Self::After(step) => format!("after {step}"),
        }
    }
}

impl Fault {
    /// The fault in a few words, for timelines: kind, target, and what its numbers are.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = self.kind.as_str().to_owned();
        if let Some(target) = &self.target {
            words.push_str(&format!(" of {target}"));
        }
        if let Some(delay) = self.delay {
            words.push_str(&format!(", delay {}", super::format_duration(delay)));
        }
        if let Some(chance) = self.chance {
            words.push_str(&format!(", chance {chance}"));
        }
        if let Some(by) = self.by {
            words.push_str(&format!(", by {}", super::format_skew(by)));
        }
        if let Some(lasts) = self.lasts {
            words.push_str(&format!(", for {}", super::format_duration(lasts)));
        }
        words
    }

    /// The fault as `[[faults]]` in a scenario file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        use std::fmt::Write as _;
        let quoted = |s: &str| toml::Value::String(s.to_owned()).to_string();
        let span = |d: Duration| quoted(&super::format_duration(d));
        let mut out = format!(
            "\n[[faults]]\nkind = {}\nwhen = {}\n",
            quoted(self.kind.as_str()),
            quoted(&self.when.to_text())
        );
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(out, "{key} = {value}");
            }
        };
        line("at", (!self.at.is_zero()).then(|| span(self.at)));
        line(
            "jitter",
            (!self.jitter.is_zero()).then(|| span(self.jitter)),
        );
        line("lasts", self.lasts.map(span));
        line("target", self.target.as_deref().map(quoted));
        line("delay", self.delay.map(span));
        line("chance", self.chance.map(|c| quoted(&c.to_string())));
        line("by", self.by.map(|by| quoted(&super::format_skew(by))));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Anchor, Blinds, Blocks, FAULTS, FaultKind, Need};

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_world() {
        let names: BTreeSet<&str> = FAULTS.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        for fault in FAULTS {
            assert_eq!(FaultKind::named(fault.name), Some(fault.kind));
            assert_eq!(fault.kind.as_str(), fault.name);
            assert!(!fault.worlds.is_empty(), "{}", fault.name);
            assert!(fault.what.ends_with('.'), "{}", fault.name);
            // It is a Deployment's, so that there must be one that it is about.
            assert!(fault.theirs.is_none() || fault.targets.which().is_some());
            // What depends on the target names targets that there are.
            let targets = fault.targets.names();
            if let Blocks::ByTarget(blocks) = fault.blocks {
                let mut named = blocks.iter().map(|(target, _)| target);
                assert!(named.all(|it| targets.contains(it)), "{}", fault.name);
            }
            if let Some(Blinds::Target(target)) = fault.blinds {
                assert!(targets.contains(&target), "{}", fault.name);
            }
            // Nothing is held up without a `delay`.
            assert!(fault.holds_up.is_none() || fault.delay == Need::Must);
        }
    }

    #[test]
    fn anchors_read_back() {
        for text in [
            "start",
            "deployment",
            "ready 2",
            "trigger",
            "request 3",
            "step undo-app",
            "after undo-app",
        ] {
            let anchor = Anchor::parse(text).expect(text);
            assert_eq!(anchor.to_text(), text);
        }
        for text in [
            "",
            "step",
            "step ",
            "after ",
            "before undo-app",
            "undo-app",
            "ready",
            "ready 0",
            "ready two",
            "request",
            "request 0",
            "request -1",
        ] {
            assert_eq!(Anchor::parse(text), None, "{text}");
        }
    }
}
