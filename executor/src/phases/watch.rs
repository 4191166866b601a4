//! After a deployment: the triggers, through the validation window.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::READ;
use super::observe::workloads;
use crate::baseline::Baseline;
use crate::error::Error;
use crate::event::{Event, Stage};
use crate::executor::{Executor, Options};
use crate::planner::template_digest;
use crate::queries::{Language, Queries, QueryError};
use crate::report::WatchOutcome;
use crate::runbook::Trigger;
use crate::verdict::{ConditionVerdict, any};

impl Executor {
    /// Evaluates the triggers until one fires or the validation window closes. The window begins when the release was
    /// deployed, or now if nothing differs from the baseline yet.
    ///
    /// A trigger whose condition held before the deployment never fires (unless [`Options::force`] says otherwise),
    /// since a rollback can't help: once it has held for as long as it must, a person is paged by
    /// [`Event::TriggerPredatesRelease`], and the watch goes on with the other triggers.
    ///
    /// # Errors
    /// There is no baseline, or the cluster can't be read. Queries without data or without an answer are no error:
    /// no data begins a trigger's time anew, and a query without an answer leaves it as it is until the next one should
    /// have come.
    pub async fn watch(&self) -> Result<WatchOutcome, Error> {
        self.begin(Stage::Watch).await;
        let baseline = self.baseline(self.now() + READ).await?;
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
            let began = self.now();
            if began >= closes {
                let (at, predating) = (began, predating.into_iter().collect());
                return Ok(WatchOutcome::WindowClosed { at, predating });
            }
            // All at once: a server that is slow is as slow for one as for all of them.
            let base = &self.runbook.prometheus;
            let asked = self.runbook.triggers.iter().map(|trigger| {
                let answer = queries.ask(base, Language::Prom, &trigger.query);
                async move { (answer.await, self.now()) }
            });
            let answers = join_all(asked).await;
            let gap = longest_gap(&self.options, self.cluster().since(began));
            for (trigger, (answer, now)) in self.runbook.triggers.iter().zip(answers) {
                let (seen, value) = Seen::of(answer, trigger);
                let debounce = debounces.entry(&trigger.name).or_default();
                match seen {
                    Seen::Unanswered => debounce.miss(began),
                    Seen::Value(true) => self.make_up(&queries, trigger, debounce).await,
                    Seen::Value(false) | Seen::NoData => {}
                }
                let change = debounce.observe(seen, now, trigger.hold_for, gap);
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
                        let event = trigger.fired(value, since, now);
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

    /// Asks what the evaluations of `trigger` that failed would have found, now that the server answers again.
    async fn make_up(&self, queries: &Queries, trigger: &Trigger, debounce: &mut Debounce) {
        for missed in std::mem::take(&mut debounce.missed) {
            let base = &self.runbook.prometheus;
            let answer = queries.ask_at(base, Language::Prom, &trigger.query, missed);
            let (seen, _) = Seen::of(answer.await, trigger);
            if debounce.made_up_for(seen) == Change::Cleared {
                let trigger = trigger.name.clone();
                self.emit(&Event::TriggerCleared { trigger });
                return;
            }
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
        let all = workloads(&cluster, &baseline.kinds(), self.now() + READ).await?;
        let mut newest = None;
        for workload in &all.found {
            let recorded = baseline.services.get(workload.name());
            let Some(recorded) = recorded.filter(|it| it.kind == workload.kind()) else {
                continue;
            };
            if workload.template().is_none() {
                continue;
            }
            let digest = template_digest(&workload.template_value());
            if digest == template_digest(&recorded.template) {
                continue;
            }
            let appeared = all
                .of(workload)
                .filter(|it| template_digest(&it.revision.template) == digest)
                .filter_map(|it| it.revision.created_at)
                .min();
            // An older one was made for an earlier deployment of the same template.
            newest = newest.max(appeared.filter(|at| *at >= baseline.recorded_at));
        }
        Ok(newest)
    }
}

/// The longest time between two answers that no observation is missing from, where asking took `round` the last time:
/// one evaluation may fail in between, and take its time for that.
fn longest_gap(options: &Options, round: Duration) -> SignedDuration {
    let longest = options.request_timeout;
    let gap = 2 * options.poll_interval + longest + round.min(longest);
    SignedDuration::try_from(gap).unwrap_or(SignedDuration::MAX)
}

/// What one evaluation of a trigger found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Its condition holds, or does not.
    Value(bool),
    /// There is nothing that it could hold of.
    NoData,
    /// The server did not answer.
    Unanswered,
}

impl Seen {
    /// What `answer` says of the condition of `trigger`, and by which value. A refusal says as little of the
    /// application as no data does; an answer that did not come may come in a moment.
    fn of(answer: Result<Vec<f64>, QueryError>, trigger: &Trigger) -> (Self, Option<f64>) {
        let answered = !matches!(answer, Err(QueryError::Unavailable(_)));
        let (verdict, value) = any(&answer.unwrap_or_default(), trigger.condition);
        let seen = match verdict {
            ConditionVerdict::Holds => Self::Value(true),
            ConditionVerdict::Refuted => Self::Value(false),
            ConditionVerdict::Unknown if answered => Self::NoData,
            ConditionVerdict::Unknown => Self::Unanswered,
        };
        (seen, value)
    }
}

/// A trigger's debounce, as Prometheus' own `for`: the condition must be seen to hold at every evaluation.
/// One that finds no data begins it anew; one that fails leaves it as it is (`rules/alerting.go`, `rules/group.go`),
/// but not for longer than the next one takes to come, so that no time counts of which nothing is known. What it would
/// have found is asked once the server answers again, since a condition may be over and come back in that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Debounce {
    since: Option<Timestamp>,
    seen: Option<Timestamp>,
    /// When the evaluations were due that failed since the last one that did not.
    missed: Vec<Timestamp>,
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
    /// The evaluation that was due at `at` has failed.
    fn miss(&mut self, at: Timestamp) {
        if self.since.is_some() {
            self.missed.push(at);
        }
    }

    /// Takes in what an evaluation that failed would have found.
    fn made_up_for(&mut self, seen: Seen) -> Change {
        match seen {
            Seen::Value(true) | Seen::Unanswered => Change::None,
            Seen::Value(false) | Seen::NoData => self.begin_anew(),
        }
    }

    fn begin_anew(&mut self) -> Change {
        let was = std::mem::take(self);
        match was.since {
            Some(_) => Change::Cleared,
            None => Change::None,
        }
    }

    /// Takes in one observation. `gap`: the longest time between two of them that nothing is missing from.
    fn observe(
        &mut self,
        seen: Seen,
        now: Timestamp,
        hold_for: Duration,
        gap: SignedDuration,
    ) -> Change {
        let lost = self.seen.is_some_and(|seen| now.duration_since(seen) > gap);
        match seen {
            Seen::Value(true) => {
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
            Seen::Unanswered if !lost => Change::None,
            Seen::Value(false) | Seen::NoData | Seen::Unanswered => self.begin_anew(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Change, Debounce, Options, Seen, SignedDuration, longest_gap};

    const HOLDS: Seen = Seen::Value(true);
    const REFUTED: Seen = Seen::Value(false);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    fn run(observations: &[(i64, Seen)]) -> Vec<Change> {
        let mut debounce = Debounce::default();
        let hold = Duration::from_secs(10);
        observations
            .iter()
            .map(|(s, seen)| debounce.observe(*seen, at(*s), hold, SignedDuration::from_secs(15)))
            .collect()
    }

    #[test]
    fn fires_after_holding_without_a_break() {
        let changes = run(&[(0, HOLDS), (5, HOLDS), (10, HOLDS)]);
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
    fn a_slow_server_leaves_room_for_an_evaluation_that_fails() {
        let options = Options::new("x");
        let (poll, limit, round) = (
            options.poll_interval,
            options.request_timeout,
            Duration::from_secs(4),
        );
        let between = poll + limit + poll + round;
        assert_eq!(
            longest_gap(&options, round),
            SignedDuration::try_from(between).unwrap_or_default()
        );
        // A host that stood still has not asked meanwhile.
        let stood_still = longest_gap(&options, Duration::from_secs(100));
        assert_eq!(stood_still, SignedDuration::from_secs(20));
    }

    #[test]
    fn flapping_never_fires() {
        let changes = run(&[
            (0, HOLDS),
            (5, HOLDS),
            (9, REFUTED),
            (10, HOLDS),
            (15, HOLDS),
        ]);
        assert!(
            changes
                .iter()
                .all(|change| !matches!(change, Change::Fired { .. }))
        );
        assert_eq!(changes[2], Change::Cleared);
    }

    #[test]
    fn no_data_begins_it_anew_as_in_prometheus() {
        let changes = run(&[
            (0, HOLDS),
            (5, HOLDS),
            (9, Seen::NoData),
            (12, HOLDS),
            (20, HOLDS),
        ]);
        assert_eq!(
            changes[2..],
            [Change::Cleared, Change::Pending, Change::None]
        );
    }

    #[test]
    fn what_a_failed_evaluation_would_have_found_counts() {
        let after = |missed: Seen| {
            let mut debounce = Debounce::default();
            let (hold, gap) = (Duration::from_secs(10), SignedDuration::from_secs(15));
            debounce.miss(at(-5));
            assert!(debounce.missed.is_empty(), "nothing pends");
            debounce.observe(HOLDS, at(0), hold, gap);
            debounce.miss(at(5));
            assert_eq!(debounce.missed, [at(5)]);
            debounce.observe(Seen::Unanswered, at(5), hold, gap);
            let made_up = debounce.made_up_for(missed);
            (made_up, debounce.observe(HOLDS, at(10), hold, gap))
        };
        let fired = Change::Fired { since: at(0) };
        assert_eq!(after(HOLDS), (Change::None, fired));
        assert_eq!(after(Seen::Unanswered), (Change::None, fired));
        assert_eq!(after(REFUTED), (Change::Cleared, Change::Pending));
        assert_eq!(after(Seen::NoData), (Change::Cleared, Change::Pending));
    }

    #[test]
    fn an_evaluation_may_fail_but_no_time_counts_of_which_nothing_is_known() {
        let changes = run(&[(0, HOLDS), (5, Seen::Unanswered), (10, HOLDS)]);
        assert_eq!(changes[2], Change::Fired { since: at(0) });
        // Two samples 29 s apart show nothing of the time between.
        let changes = run(&[(0, HOLDS), (10, Seen::Unanswered), (29, HOLDS)]);
        assert_eq!(changes[1..], [Change::None, Change::Pending]);
        assert_eq!(
            run(&[(0, HOLDS), (16, Seen::Unanswered)])[1],
            Change::Cleared
        );
    }
}
