//! After a deployment: the triggers, through the validation window.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::READ;
use super::observe::workloads;
use crate::baseline::Baseline;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::Executor;
use crate::kubernetes::{owner_uid, template_value, timestamp};
use crate::planner::template_digest;
use crate::queries::Language;
use crate::report::{TriggerEvent, WatchOutcome};
use crate::runbook::Trigger;
use crate::verdict::{Verdict, any};

/// Without data for longer than that, a pending trigger starts over.
const GAP: SignedDuration = SignedDuration::from_secs(30);

impl Executor {
    /// Evaluates the triggers until one fires or the validation window closes. The window begins when the release was
    /// deployed, or now if nothing differs from the baseline yet.
    ///
    /// A trigger whose condition held before the deployment never fires, as a rollback can't help: once it has held for as
    /// long as it must, a person is called by [`Event::TriggerPredatesRelease`], and the others are watched on.
    ///
    /// # Errors
    /// There is no baseline. Unanswered queries are no error: they are "no data".
    pub async fn watch(&self) -> Result<WatchOutcome, Error> {
        self.begin(Stage::Watch);
        let baseline = self.baseline().await?;
        let opened = self
            .deployed_at(&baseline)
            .await?
            .unwrap_or_else(|| self.now());
        let window = SignedDuration::try_from(self.runbook.validation_window);
        let closes = opened + window.unwrap_or(SignedDuration::MAX);
        let queries = self.queries();
        let mut debounces: BTreeMap<&str, Debounce> = BTreeMap::new();
        let mut predating: BTreeSet<String> = BTreeSet::new();
        loop {
            let now = self.now();
            if now >= closes {
                let predating = predating.into_iter().collect();
                return Ok(WatchOutcome::WindowClosed { at: now, predating });
            }
            for trigger in &self.runbook.triggers {
                let base = &self.runbook.prometheus;
                let answer = queries.ask(base, Language::Prom, &trigger.query).await;
                let (verdict, value) = any(&answer.unwrap_or_default(), trigger.condition);
                let now = self.now();
                let debounce = debounces.entry(&trigger.name).or_default();
                let change = debounce.observe(verdict, now, trigger.hold_for);
                if let Some(before) = self.predates(&baseline, trigger) {
                    let fired = matches!(change, Change::Fired { .. });
                    if fired && predating.insert(trigger.name.clone()) {
                        let trigger = trigger.name.clone();
                        self.emit(&Event::TriggerPredatesRelease {
                            trigger,
                            baseline: before,
                        });
                    }
                    continue;
                }
                match change {
                    Change::Pending => self.emit(&Event::TriggerPending {
                        trigger: trigger.name.clone(),
                        value: value.unwrap_or(f64::NAN),
                    }),
                    Change::Cleared => {
                        self.emit(&Event::TriggerCleared {
                            trigger: trigger.name.clone(),
                        });
                    }
                    Change::Fired { since } => {
                        let value = value.unwrap_or(f64::NAN);
                        let event = TriggerEvent::fired(trigger, value, since, now);
                        self.emit(&Event::TriggerFired(event.clone()));
                        return Ok(WatchOutcome::Triggered(event));
                    }
                    Change::None => {}
                }
            }
            self.cluster()
                .pause(self.options.poll_interval, closes)
                .await;
        }
    }

    /// The recorded value, if it satisfied the trigger's condition.
    fn predates(&self, baseline: &Baseline, trigger: &Trigger) -> Option<f64> {
        let before = baseline.triggers.get(&trigger.name).copied().flatten()?;
        let predates = !self.options.force && trigger.condition.holds(before) == Some(true);
        predates.then_some(before)
    }

    /// When the newest template that differs from the baseline first appeared.
    async fn deployed_at(&self, baseline: &Baseline) -> Result<Option<Timestamp>, Error> {
        let cluster = self.cluster();
        let (deployments, sets) = workloads(&cluster, self.now() + READ).await?;
        let mut newest = None;
        for deployment in &deployments {
            let name = deployment.metadata.name.clone().unwrap_or_default();
            let Some(recorded) = baseline.services.get(&name) else {
                continue;
            };
            let Some(spec) = &deployment.spec else {
                continue;
            };
            let digest = template_digest(&template_value(&spec.template));
            if digest == template_digest(&recorded.template) {
                continue;
            }
            let appeared = sets
                .iter()
                .filter(|set| owner_uid(&set.metadata) == deployment.metadata.uid.as_deref())
                .filter(|set| {
                    let template = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
                    template.is_some_and(|it| template_digest(&template_value(it)) == digest)
                })
                .filter_map(|set| set.metadata.creation_timestamp.as_ref().map(timestamp))
                .min();
            // An older one was made for an earlier deployment of the same template.
            newest = newest.max(appeared.filter(|at| *at >= baseline.recorded_at));
        }
        Ok(newest)
    }
}

/// A trigger's debounce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Debounce {
    since: Option<Timestamp>,
    seen: Option<Timestamp>,
}

/// What an observation did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Pending,
    Cleared,
    Fired { since: Timestamp },
}

impl Debounce {
    /// Takes in one observation. No data neither counts nor breaks, unless there is none for too long.
    fn observe(&mut self, verdict: Verdict, now: Timestamp, hold_for: Duration) -> Change {
        let lost = self.seen.is_some_and(|seen| now.duration_since(seen) > GAP);
        match verdict {
            Verdict::Holds => {
                if lost {
                    self.since = None;
                }
                self.seen = Some(now);
                let pending = self.since.is_none();
                let since = *self.since.get_or_insert(now);
                let held = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                if held >= hold_for {
                    Change::Fired { since }
                } else if pending {
                    Change::Pending
                } else {
                    Change::None
                }
            }
            Verdict::Refuted => {
                let was = std::mem::take(self);
                if was.since.is_some() {
                    Change::Cleared
                } else {
                    Change::None
                }
            }
            Verdict::Unknown if lost => {
                *self = Self::default();
                Change::Cleared
            }
            Verdict::Unknown => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Change, Debounce, Verdict};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn run(observations: &[(i64, Verdict)]) -> Vec<Change> {
        let mut debounce = Debounce::default();
        let hold = Duration::from_secs(10);
        observations
            .iter()
            .map(|(s, verdict)| debounce.observe(*verdict, at(*s), hold))
            .collect()
    }

    #[test]
    fn fires_after_holding_without_a_break() {
        use Verdict::Holds;
        let changes = run(&[(0, Holds), (5, Holds), (10, Holds)]);
        assert_eq!(
            changes,
            [
                Change::Pending,
                Change::None,
                Change::Fired { since: at(0) }
            ]
        );
    }

    #[test]
    fn flapping_never_fires() {
        use Verdict::{Holds, Refuted};
        let changes = run(&[
            (0, Holds),
            (5, Holds),
            (9, Refuted),
            (10, Holds),
            (15, Holds),
        ]);
        assert!(
            changes
                .iter()
                .all(|change| !matches!(change, Change::Fired { .. }))
        );
        assert_eq!(changes[2], Change::Cleared);
    }

    #[test]
    fn no_data_neither_counts_nor_breaks_but_a_long_gap_starts_over() {
        use Verdict::{Holds, Unknown};
        let changes = run(&[(0, Holds), (5, Unknown), (10, Unknown), (12, Holds)]);
        assert_eq!(changes[3], Change::Fired { since: at(0) });
        let changes = run(&[(0, Holds), (20, Unknown), (40, Holds), (45, Holds)]);
        assert_eq!(changes[2], Change::Pending);
        assert_eq!(changes[3], Change::None);
        assert_eq!(run(&[(0, Holds), (31, Unknown)])[1], Change::Cleared);
    }
}
