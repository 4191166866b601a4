//! Sorts failures into classes: a failure is added to its class, or it is cut down and makes one.
//!
//! A failure with more causes than a class has may be another one that looks the same. So it is drilled once more
//! without the class's own causes: if it fails still, it is not this class's.

use std::sync::Arc;

use super::campaign::{Fastest, FoundClass, Perform, ended_ms};
use super::class::{Class, Known, without};
use super::draw::Half;
use super::judge::{Judged, judge};
use crate::evidence::Ms;
use crate::finding::Finding;
use crate::scenario::Scenario;
use crate::shrink::cut_down;
use crate::worlds::{DrillPlan, WorldError};

/// Drills that it may cost to cut one class down.
const CUT: u32 = 80;

/// A drill that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Its number.
    pub(super) number: u64,
    /// Of which half of the drills.
    pub(super) half: Half,
    /// What was performed.
    pub(super) plan: DrillPlan,
    /// How it failed.
    pub(super) finding: Finding,
    /// How long it took, in virtual time.
    pub(super) ended_ms: Ms,
    /// The token that replays it.
    pub(super) replay: String,
}

impl Failure {
    fn fastest(&self) -> Fastest {
        Fastest {
            virtual_ms: self.ended_ms,
            number: self.number,
            replay: self.replay.clone(),
        }
    }
}

impl FoundClass {
    /// One more drill failed so.
    fn add(&mut self, failure: &Failure) {
        self.drills += 1;
        let fastest = failure.fastest();
        let order = |it: &Fastest| (it.virtual_ms, it.number);
        if order(&fastest) < order(&self.fastest) {
            self.fastest = fastest;
        }
    }
}

/// What a drill showed that was tried to tell failures apart.
enum Shown {
    /// It failed.
    Failed(Box<Failure>),
    /// It did not.
    Passed,
    /// It could not be tried, or the search was over.
    Nothing,
}

/// How failures are sorted.
pub(super) struct Sorting<'a> {
    /// Classes that are known.
    pub(super) known: &'a [Known],
    /// What performs a drill.
    pub(super) run: &'a Perform<'a>,
    /// Whether the search is over.
    pub(super) over: &'a (dyn Fn() -> bool + Sync),
}

impl Sorting<'_> {
    /// Adds `failure` to one of `classes`, or adds a class.
    ///
    /// # Errors
    /// There was no world for a drill.
    pub(super) fn sort(
        &self,
        classes: &mut Vec<FoundClass>,
        failure: Failure,
    ) -> Result<(), WorldError> {
        let mut failure = failure;
        while let Some(at) = taken_by(classes, &failure) {
            let causes = &classes[at].class.causes;
            let certain = classes[at]
                .class
                .has_no_other_cause_in(&failure.plan.scenario);
            // What fails without any fault fails so whatever else is there.
            if certain || causes.is_empty() {
                classes[at].add(&failure);
                return Ok(());
            }
            match self.try_without(&failure, causes)? {
                Shown::Failed(left) => {
                    // Another failure that the class's causes hid is sorted, too,
                    // and this one is the class's all the same.
                    if left.finding.class() != failure.finding.class() {
                        classes[at].add(&failure);
                    }
                    failure = *left;
                }
                Shown::Passed => {
                    classes[at].add(&failure);
                    return Ok(());
                }
                Shown::Nothing => {
                    classes[at].add(&failure);
                    classes[at].unconfirmed += 1;
                    return Ok(());
                }
            }
        }
        self.cut(classes, &failure)
    }

    /// Adds the smallest case of an earlier search, which fails still, as it is.
    ///
    /// # Errors
    /// There was no world for a drill.
    pub(super) fn earlier(
        &self,
        classes: &mut Vec<FoundClass>,
        failure: Failure,
    ) -> Result<(), WorldError> {
        let class = Class::of(
            failure.finding.class(),
            failure.half,
            &failure.plan.scenario,
        );
        if let Some(same) = classes.iter_mut().find(|it| it.class == class) {
            same.add(&failure);
            return Ok(());
        }
        classes.push(FoundClass {
            known: self.known(&class, &failure)?,
            class,
            drills: 1,
            unconfirmed: 0,
            first: failure.number,
            earlier: true,
            fastest: failure.fastest(),
            finding: failure.finding,
            smallest: failure.plan,
            cut: Vec::new(),
            replay: failure.replay,
            cut_down: true,
        });
        Ok(())
    }

    /// Performs the drill of `failure` in `scenario` with `seed`.
    fn attempt(
        &self,
        failure: &Failure,
        scenario: &Arc<Scenario>,
        seed: u64,
    ) -> Result<Shown, WorldError> {
        if (self.over)() {
            return Ok(Shown::Nothing);
        }
        let plan = DrillPlan {
            scenario: Arc::clone(scenario),
            seed,
            ..failure.plan.clone()
        };
        let result = match (self.run)(&plan) {
            Err(WorldError::Interrupted) => return Ok(Shown::Nothing),
            performed => performed?,
        };
        Ok(match judge(failure.half, &plan, &result) {
            Judged::Failed(finding) => Shown::Failed(Box::new(Failure {
                number: failure.number,
                half: failure.half,
                plan,
                finding,
                ended_ms: ended_ms(&result),
                replay: result.replay,
            })),
            Judged::Sound | Judged::Silent(_) => Shown::Passed,
        })
    }

    /// Performs the drill of `failure` without `causes`.
    fn try_without(&self, failure: &Failure, causes: &[String]) -> Result<Shown, WorldError> {
        match without(&failure.plan.scenario, causes) {
            Some(left) => self.attempt(failure, &Arc::new(left), failure.plan.seed),
            None => Ok(Shown::Nothing),
        }
    }

    /// Finds the smallest case of `failure`, which makes a class.
    fn cut(&self, classes: &mut Vec<FoundClass>, failure: &Failure) -> Result<(), WorldError> {
        let (found, scenario) = (failure.finding.class(), &failure.plan.scenario);
        let mut fastest = failure.fastest();
        let attempt = |simpler: &Arc<Scenario>, seed| {
            // Who has to recover needs its requests: with fewer, even a sound executor can't prove a recovery in time.
            let too_quiet = simpler.load.rate_per_s < scenario.load.rate_per_s;
            if failure.half == Half::Survivable && too_quiet {
                return Ok(None);
            }
            let Shown::Failed(shown) = self.attempt(failure, simpler, seed)? else {
                return Ok(None);
            };
            let same = shown.finding.class() == found;
            if same && shown.ended_ms < fastest.virtual_ms {
                fastest = shown.fastest();
            }
            Ok(same.then_some(*shown))
        };
        let cut = cut_down(scenario, failure.plan.seed, failure.clone(), CUT, attempt)?;
        let (smallest, words) = (cut.shown, cut.cut);
        let class = Class::of(found, failure.half, &cut.scenario);
        // Two drills may come to the same smallest case from different sides.
        if let Some(same) = classes.iter_mut().find(|it| it.class == class) {
            same.add(failure);
            return Ok(());
        }
        // What was not cut down may have causes that have nothing to do with it.
        let cut_down = !(self.over)();
        let known = if cut_down {
            self.known(&class, &smallest)?
        } else {
            None
        };
        classes.push(FoundClass {
            known,
            cut_down,
            class,
            drills: 1,
            unconfirmed: 0,
            first: failure.number,
            earlier: false,
            finding: smallest.finding,
            smallest: smallest.plan,
            cut: words,
            replay: smallest.replay,
            fastest,
        });
        Ok(())
    }

    /// Why `class` with the smallest case `smallest` is no new one. A known class with fewer causes is it only if the
    /// case does not fail without these.
    fn known(&self, class: &Class, smallest: &Failure) -> Result<Option<String>, WorldError> {
        for known in self.known.iter().filter(|known| known.is(class)) {
            if known.leaves_causes_of(class)
                && let Shown::Failed(left) = self.try_without(smallest, &known.causes)?
                && left.finding.class() == class.found
            {
                continue;
            }
            return Ok(Some(known.reason.clone()));
        }
        Ok(None)
    }
}

/// The class that a failure is of, as far as can be told: one that has just its causes before one that has fewer.
fn taken_by(classes: &[FoundClass], failure: &Failure) -> Option<usize> {
    let (found, scenario) = (failure.finding.class(), &failure.plan.scenario);
    let takes = |it: &FoundClass| it.class.takes(&found, failure.half, scenario);
    let exactly = |it: &FoundClass| takes(it) && it.class.has_no_other_cause_in(scenario);
    let position = classes.iter().position(exactly);
    position.or_else(|| classes.iter().position(takes))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::drill::{self, DrillResult};
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{Anchor, Expected, Fault, FaultKind, built_in};
    use crate::worlds::{Until, WorldKind};

    /// A drill of a built-in scenario that must recover, with faults of these kinds that last for a while.
    fn plan(scenario: &str, kinds: &[FaultKind]) -> DrillPlan {
        let mut scenario = built_in(scenario, &[]).expect("there").expect("right");
        scenario.expect.outcome = Expected::Recovered;
        for &kind in kinds {
            scenario.faults.push(Fault {
                kind,
                when: Anchor::Trigger,
                at: Duration::ZERO,
                jitter: Duration::ZERO,
                lasts: Some(Duration::from_secs(3)),
                target: None,
                delay: None,
                chance: None,
                by: None,
            });
        }
        DrillPlan {
            world: WorldKind::Sim,
            scenario: Arc::new(scenario.with(|_| {})),
            runbook: LoadedRunbook::built_in().expect("valid"),
            seed: 1,
            until: Until::Held,
            executor: None,
        }
    }

    /// A drill that a person was paged in, and one that recovered.
    fn results() -> (DrillResult, DrillResult) {
        let run = |name| drill::run(&plan(name, &[])).expect("the world builds");
        (run("image-gone"), run("latency-regression"))
    }

    fn failure(number: u64, kinds: &[FaultKind], failed: &DrillResult) -> Failure {
        let plan = plan("latency-regression", kinds);
        let Judged::Failed(finding) = judge(Half::Survivable, &plan, failed) else {
            panic!("{:?}", failed.findings);
        };
        Failure {
            number,
            half: Half::Survivable,
            plan,
            finding,
            ended_ms: 1_000 * number,
            replay: format!("token {number}"),
        }
    }

    /// The classes that these failures make, where `fails` says of which kinds of fault a drill fails;
    /// and how many drills the second failure took.
    fn sorted(
        failures: &[&[FaultKind]],
        fails: &(dyn Fn(&[FaultKind]) -> bool + Sync),
        over: &(dyn Fn(u64) -> bool + Sync),
    ) -> (Vec<FoundClass>, u64) {
        let (failed, passed) = results();
        let drills = AtomicU64::new(0);
        let run = |plan: &DrillPlan| {
            drills.fetch_add(1, Ordering::Relaxed);
            let faults = plan.scenario.faults.iter();
            let kinds: Vec<FaultKind> = faults.map(|fault| fault.kind).collect();
            let result = if fails(&kinds) { &failed } else { &passed };
            Ok(result.clone())
        };
        let mut classes = Vec::new();
        let mut before = 0;
        for (number, kinds) in (1..).zip(failures) {
            before = drills.load(Ordering::Relaxed);
            let over = || over(number);
            let sorting = Sorting {
                known: &[],
                run: &run,
                over: &over,
            };
            let sorted = sorting.sort(&mut classes, failure(number, kinds, &failed));
            sorted.expect("no world is asked");
        }
        (classes, drills.load(Ordering::Relaxed) - before)
    }

    fn causes(classes: &[FoundClass]) -> Vec<(Vec<&str>, u64, u64)> {
        let classes = classes.iter();
        classes
            .map(|it| {
                let causes = it.class.causes.iter().map(String::as_str).collect();
                (causes, it.drills, it.unconfirmed)
            })
            .collect()
    }

    const QUOTA: FaultKind = FaultKind::Quota;
    const FULL: FaultKind = FaultKind::NodeFull;

    #[test]
    fn a_failure_that_needs_the_class_s_causes_is_the_class_s() {
        let fails = |kinds: &[FaultKind]| kinds.contains(&QUOTA);
        let (classes, drills) = sorted(&[&[QUOTA], &[FULL, QUOTA]], &fails, &|_| false);
        assert_eq!(causes(&classes), [(vec!["quota"], 2, 0)]);
        assert_eq!(drills, 1, "it is drilled once without the quota");
        // The same causes need no drill.
        let (classes, drills) = sorted(&[&[QUOTA], &[QUOTA]], &fails, &|_| false);
        assert_eq!((causes(&classes), drills), (vec![(vec!["quota"], 2, 0)], 0));
    }

    #[test]
    fn a_failure_that_stays_without_the_class_s_causes_makes_another_class() {
        let either = |kinds: &[FaultKind]| kinds.contains(&QUOTA) || kinds.contains(&FULL);
        let (classes, _) = sorted(&[&[QUOTA], &[FULL, QUOTA]], &either, &|_| false);
        assert_eq!(
            causes(&classes),
            [(vec!["quota"], 1, 0), (vec!["node-full"], 1, 0)]
        );
        assert!(classes[1].cut_down);
        assert_eq!(classes[1].smallest.scenario.faults.len(), 1);
    }

    #[test]
    fn what_could_not_be_tried_is_told() {
        let fails = |kinds: &[FaultKind]| kinds.contains(&QUOTA);
        let over = |number| number > 1;
        let (classes, drills) = sorted(&[&[QUOTA], &[FULL, QUOTA]], &fails, &over);
        assert_eq!(causes(&classes), [(vec!["quota"], 2, 1)]);
        assert_eq!(drills, 0);
    }

    #[test]
    fn the_case_that_is_over_first_is_kept() {
        let fails = |kinds: &[FaultKind]| kinds.contains(&QUOTA);
        // Nothing can be cut down, so that only the drills themselves count.
        let (mut classes, _) = sorted(&[&[QUOTA]], &fails, &|_| true);
        let fastest = |classes: &[FoundClass]| classes[0].fastest.clone();
        assert_eq!(fastest(&classes).virtual_ms, 1_000);
        let (failed, _) = results();
        classes[0].add(&failure(2, &[QUOTA], &failed));
        assert_eq!(fastest(&classes).replay, "token 1");
        let mut sooner = failure(3, &[QUOTA], &failed);
        sooner.ended_ms = 900;
        classes[0].add(&sooner);
        assert_eq!(fastest(&classes).replay, "token 3");
    }

    #[test]
    fn a_known_class_with_fewer_causes_must_be_needed() {
        let (failed, passed) = results();
        let known = [Known {
            oracle: "outcome".to_owned(),
            finding: "called".to_owned(),
            subject: None,
            half: "survivable".to_owned(),
            causes: vec!["quota".to_owned()],
            reason: "it is known".to_owned(),
        }];
        let told = |without_quota: &DrillResult| {
            let run = |_: &DrillPlan| Ok(without_quota.clone());
            let sorting = Sorting {
                known: &known,
                run: &run,
                over: &|| false,
            };
            let mut classes = Vec::new();
            let failure = failure(1, &[QUOTA, FULL], &failed);
            sorting.earlier(&mut classes, failure).expect("no world");
            classes.remove(0).known
        };
        assert_eq!(told(&passed).as_deref(), Some("it is known"));
        assert_eq!(told(&failed), None);
    }
}
