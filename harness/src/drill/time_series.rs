//! The time series of a drill: what a report draws of it. Nothing here judges, and no oracle reads it.
//!
//! It takes some 20 kB, so many drills at once keep it of their representatives only (see `runner`).

use std::fmt;

use executor::runbook::Runbook;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Ms, Second, StepSaid, ms};
use crate::oracles::recovery;
use crate::worlds::DrillPlan;

/// What a report draws of one drill. Instants are milliseconds since the drill began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSeries {
    /// What the scenario is about, in its own words.
    pub description: String,
    /// Release before.
    pub release_from: String,
    /// Release deployed.
    pub release_to: String,
    /// Title of the runbook that the executor followed, and the digest of its text.
    pub runbook: String,
    /// Bound of the RTO.
    pub rto_max_ms: Ms,
    /// Bound of the error rate after recovery, in millionths.
    pub error_rate_max_ppm: u64,
    /// Latency target; one request in a hundred may be slower.
    pub latency_max_ms: Ms,
    /// When the deployment began.
    pub deployed_ms: Option<Ms>,
    /// First harm that clients or books came to.
    pub first_harm_ms: Option<Ms>,
    /// When the trigger fired, which the RTO counts from.
    pub trigger_ms: Option<Ms>,
    /// Name of that trigger.
    pub trigger: Option<String>,
    /// When the clients saw recovery.
    pub recovered_ms: Option<Ms>,
    /// When another incident began, after which nothing is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub another_incident_ms: Option<Ms>,
    /// When the executor gave up and paged a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up_ms: Option<Ms>,
    /// When the drill ended.
    pub end_ms: Ms,
    /// What was done to the exchange and the executor on purpose, in the order of time.
    pub marks: Vec<Mark>,
    /// The steps in groups: consecutive steps under the same chapter of the runbook.
    pub phases: Vec<Phase>,
    /// What the clients saw, second by second.
    pub seconds: Seconds,
}

/// Something done on purpose, at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// When.
    pub at_ms: Ms,
    /// What.
    pub what: String,
}

/// Consecutive steps under one chapter of the runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The chapter's heading.
    pub title: String,
    /// How many steps.
    pub steps: usize,
}

/// [`Second`]s as columns of the same length, which is what takes least room in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seconds {
    /// See [`Second::answered`].
    pub answered: Vec<u32>,
    /// See [`Second::maintenance`].
    pub maintenance: Vec<u32>,
    /// See [`Second::errors`].
    pub errors: Vec<u32>,
    /// See [`Second::slow`].
    pub slow: Vec<u32>,
}

impl From<&[Second]> for Seconds {
    fn from(seconds: &[Second]) -> Self {
        let column = |f: fn(&Second) -> u32| seconds.iter().map(f).collect();
        Self {
            answered: column(|s| s.answered),
            maintenance: column(|s| s.maintenance),
            errors: column(|s| s.errors),
            slow: column(|s| s.slow),
        }
    }
}

impl Seconds {
    /// How many seconds there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answered.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answered.is_empty()
    }

    /// Whether all columns are of the same length.
    #[must_use]
    pub fn is_even(&self) -> bool {
        [&self.maintenance, &self.errors, &self.slow]
            .iter()
            .all(|column| column.len() == self.len())
    }

    /// The seconds, one by one.
    pub fn iter(&self) -> impl Iterator<Item = Second> + '_ {
        self.answered
            .iter()
            .zip(&self.maintenance)
            .zip(&self.errors)
            .zip(&self.slow)
            .map(|(((&answered, &maintenance), &errors), &slow)| Second {
                answered,
                maintenance,
                errors,
                slow,
            })
    }
}

impl TimeSeries {
    /// The time series of the drill of `plan` that left `evidence`; `faults` as in
    /// [`DrillResult::faults`](super::DrillResult::faults).
    #[must_use]
    pub fn of(plan: &DrillPlan, evidence: &Evidence, faults: &[Mark]) -> Self {
        let runbook = &plan.runbook.runbook;
        let trigger = evidence.executor.trigger.as_ref();
        let mut marks = faults.to_vec();
        marks.sort_by_key(|mark| mark.at_ms);
        Self {
            description: plan.scenario.description.clone(),
            release_from: plan.scenario.release.from.clone(),
            release_to: plan.scenario.release.to.clone(),
            runbook: format!("{}, digest {}", runbook.title, runbook.digest),
            rto_max_ms: ms(evidence.expect.rto_max),
            error_rate_max_ppm: u64::from(evidence.expect.error_rate_max.0),
            latency_max_ms: ms(evidence.expect.p99_max),
            deployed_ms: evidence.deployed_ms,
            first_harm_ms: recovery::first_harm_ms(evidence),
            trigger_ms: trigger.map(|t| t.at_ms),
            trigger: trigger.map(|t| t.name.clone()),
            recovered_ms: trigger.and_then(|_| recovery::recovered_ms(evidence)),
            another_incident_ms: recovery::another_incident_ms(evidence),
            gave_up_ms: evidence
                .executor
                .called()
                .then_some(evidence.executor.ended_ms)
                .flatten(),
            end_ms: evidence.end_ms,
            marks,
            phases: phases(&evidence.executor.steps, &plan.runbook.text, runbook),
            seconds: Seconds::from(evidence.seconds.as_slice()),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms: {}", self.at_ms, self.what)
    }
}

/// Groups `steps` by the chapters of the runbook's `text`.
fn phases(steps: &[StepSaid], text: &str, runbook: &Runbook) -> Vec<Phase> {
    let chapters = chapters(text);
    let mut phases: Vec<Phase> = Vec::new();
    for step in steps {
        let line = runbook
            .steps
            .iter()
            .find(|s| s.name == step.name)
            .map(|s| s.line);
        let title = line
            .and_then(|line| chapters.iter().rfind(|(at, _)| *at < line))
            .map_or(step.title.as_str(), |(_, title)| *title);
        match phases.last_mut() {
            Some(phase) if phase.title == title => phase.steps += 1,
            _ => phases.push(Phase {
                title: title.to_owned(),
                steps: 1,
            }),
        }
    }
    phases
}

/// Headings of the first level, with their lines from 1. What looks like one in front matter or inside a fence is none.
fn chapters(text: &str) -> Vec<(usize, &str)> {
    let mut chapters = Vec::new();
    let (mut front, mut fenced) = (
        text.trim_start_matches('\u{feff}').starts_with("---"),
        false,
    );
    for (index, line) in text.lines().enumerate() {
        if front {
            front = index == 0 || line.trim_end() != "---";
        } else if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && let Some(title) = line.strip_prefix("# ") {
            chapters.push((index + 1, title.trim()));
        }
    }
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headings_of_the_first_level_are_chapters() {
        let text = "---\n# comment\n---\n# One\n\n## Not\n\n```sh\n# comment\n```\n# Two \n";
        assert_eq!(chapters(text), [(4, "One"), (11, "Two")]);
    }

    #[test]
    fn the_built_in_runbook_has_the_chapters_that_a_report_shades() {
        let titles: Vec<&str> = chapters(crate::runbooks::BUILT_IN)
            .into_iter()
            .map(|(_, title)| title)
            .collect();
        for title in ["Roll back the application", "Prove the recovery"] {
            assert!(titles.contains(&title), "{titles:?}");
        }
    }

    #[test]
    fn columns_give_the_seconds_back() {
        let seconds = [
            Second {
                answered: 1,
                maintenance: 2,
                errors: 3,
                slow: 4,
            },
            Second::default(),
        ];
        let columns = Seconds::from(&seconds[..]);
        assert!(columns.is_even());
        assert_eq!(columns.iter().collect::<Vec<_>>(), seconds);
    }
}
