//! A search: drills are drawn in batches, performed, judged and sorted; each class of failure is cut down.
//!
//! What was met is known to the draws of the next batch only. So a search is a function of its seed, of what it starts
//! from, and of how many batches it had, on however many threads it ran.

use std::collections::BTreeMap;

use super::class::{Class, Known};
use super::coverage::Coverage;
use super::draw::{Drawn, Half, NoRelease, Space};
use super::judge::{Judged, judge};
use super::marks::{Catalogue, DRILLS_FOR_ALL, Mark};
use super::sort::{Failure, Sorting};
use crate::drill::{self, DrillResult};
use crate::evidence::Ms;
use crate::finding::Finding;
use crate::runner;
use crate::scenario::Scenario;
use crate::worlds::{DrillPlan, WorldError};

/// Drills that are drawn at once.
pub const BATCH: u64 = 64;

/// How a search goes about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of the draws.
    pub seed: u64,
    /// Number of the first drill.
    pub first: u64,
    /// How many drills, at most.
    pub drills: u64,
    /// Threads.
    pub jobs: usize,
    /// Classes that are known.
    pub known: Vec<Known>,
}

/// What earlier searches left to a search.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// How many drills they performed.
    pub drills: u64,
    /// What these met.
    pub coverage: Coverage,
    /// The smallest cases of their classes, which are tried first.
    pub cases: Vec<Earlier>,
}

/// The smallest case of a class that an earlier search found.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The number of the drill in which it was found.
    pub number: u64,
    /// Of which half of the drills.
    pub half: Half,
    /// What to perform.
    pub plan: DrillPlan,
}

/// Why a search did not begin.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is nothing to draw.
    #[error(transparent)]
    NoRelease(#[from] NoRelease),
}

/// The failing case that is over first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fastest {
    /// How long it takes, in virtual time.
    pub virtual_ms: Ms,
    /// The number of the drill that it is, or was cut down from.
    pub number: u64,
    /// The token that replays it.
    pub replay: String,
}

/// A class of failure that a search found.
#[derive(Clone, Debug)]
pub struct FoundClass {
    /// Which.
    pub class: Class,
    /// How many drills failed so.
    pub drills: u64,
    /// Of them, those with more causes than the class has, where the search was over before it was tried whether they
    /// fail without the class's own.
    pub unconfirmed: u64,
    /// The number of the first one.
    pub first: u64,
    /// Whether an earlier search found it, and its case fails still.
    pub earlier: bool,
    /// The finding of the smallest case.
    pub finding: Finding,
    /// The smallest case.
    pub smallest: DrillPlan,
    /// What the smallest case lacks against the first one, in words.
    pub cut: Vec<String>,
    /// The token that replays the smallest case.
    pub replay: String,
    /// The case that fails in the least virtual time.
    pub fastest: Fastest,
    /// Whether it was cut down to its end. Otherwise the search was over first, and its causes may be fewer.
    pub cut_down: bool,
    /// Why it is no new class, if it is known.
    pub known: Option<String>,
}

/// What whole batches of a search came to.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// Their drills.
    pub drills: u64,
    /// What was met, by earlier searches too.
    pub coverage: Coverage,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// Drills that were performed.
    pub drills: u64,
    /// Drills of earlier searches, whose coverage is counted too.
    pub drills_before: u64,
    /// Cases of earlier searches that were tried first.
    pub tried_first: u64,
    /// Of the drills, those that had to recover.
    pub survivable: u64,
    /// Those that show nothing, by what they lack: the oracle's kind of finding and its fault.
    pub silent: BTreeMap<String, u64>,
    /// What was met, by earlier searches too.
    pub coverage: Coverage,
    /// The classes of failure, in the order in which they were found.
    pub classes: Vec<FoundClass>,
    /// The number of the first drill that was not performed: a search that goes on begins there.
    pub next: u64,
    /// Where its last batch was cut short, and will be performed again: what had come of the batches before it.
    pub whole: Option<Whole>,
    /// Why it ended before its time, if there was no world for a drill.
    pub stopped: Option<WorldError>,
}

impl Searched {
    /// Whether a class is new.
    #[must_use]
    pub fn has_new_class(&self) -> bool {
        self.classes.iter().any(|found| found.known.is_none())
    }

    /// How many drills show nothing.
    #[must_use]
    pub fn silent(&self) -> u64 {
        self.silent.values().sum()
    }

    /// Drills of this search and of those before it.
    #[must_use]
    pub fn drills_in_all(&self) -> u64 {
        self.drills_before.saturating_add(self.drills)
    }

    /// The marks that so many drills had to reach and never did; none while there are too few drills.
    #[must_use]
    pub fn never_reached(&self, catalogue: &Catalogue) -> Vec<Mark> {
        if self.drills_in_all() < DRILLS_FOR_ALL {
            return Vec::new();
        }
        let tally = catalogue.tally(&self.coverage);
        tally.holes().cloned().collect()
    }
}

/// Searches `space` until it has performed as many drills as `options` say, or `over` says so. `progress` is called
/// after each batch. Where there is no world for a drill, the search ends with what it has found so far.
///
/// # Errors
/// There is nothing to draw.
pub fn search(
    space: &Space,
    options: &Options,
    over: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(&Searched),
) -> Result<Searched, SearchError> {
    search_on(space, options, &Start::default(), over, progress)
}

/// [`search`], with what earlier searches left: their cases are tried first, and what they met is preferred no more.
///
/// # Errors
/// As [`search`].
pub fn search_on(
    space: &Space,
    options: &Options,
    start: &Start,
    over: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(&Searched),
) -> Result<Searched, SearchError> {
    search_by(&drill::run, space, options, start, over, progress)
}

/// What performs a drill.
pub(super) type Perform<'p> = dyn Fn(&DrillPlan) -> Result<DrillResult, WorldError> + Sync + 'p;

/// A drill that was performed.
struct Performed {
    judged: Judged,
    coverage: Coverage,
    ended_ms: Ms,
    replay: String,
}

fn search_by(
    run: &Perform<'_>,
    space: &Space,
    options: &Options,
    start: &Start,
    over: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(&Searched),
) -> Result<Searched, SearchError> {
    let mut searched = Searched {
        next: options.first,
        drills_before: start.drills,
        coverage: start.coverage.clone(),
        ..Searched::default()
    };
    let sorting = Sorting {
        known: &options.known,
        run,
        over,
    };
    if let Err(error) = try_first(&mut searched, run, options.jobs, start, &sorting) {
        searched.stopped = Some(error);
        return Ok(searched);
    }
    if !start.cases.is_empty() {
        progress(&searched);
    }
    let end = options.first.saturating_add(options.drills);
    while searched.next < end && !over() {
        let count = BATCH.min(end - searched.next);
        let drawn = (searched.next..searched.next + count)
            .map(|number| space.draw(options.seed, number, &searched.coverage))
            .collect::<Result<Vec<Drawn>, NoRelease>>()?;
        let performed = runner::each(drawn.len(), options.jobs, over, &|index| {
            let drawn = &drawn[index];
            perform(run, drawn.half, &drawn.plan)
        });
        // A drill that was abandoned shows nothing.
        let performed: Vec<_> = performed
            .into_iter()
            .filter(|(_, it)| !matches!(it, Err(WorldError::Interrupted)))
            .collect();
        // Whoever goes on performs a batch that was cut short again, so that no drill is left out.
        let whole = performed.len() == drawn.len();
        let before = Whole {
            drills: searched.drills,
            coverage: searched.coverage.clone(),
        };
        let sorted = take_in(&mut searched, &drawn, performed, &sorting);
        let complete = whole && sorted.is_ok() && !over();
        if complete {
            searched.next += count;
        } else {
            searched.whole = Some(before);
        }
        searched.stopped = sorted.err();
        progress(&searched);
        if !complete {
            break;
        }
    }
    Ok(searched)
}

/// Takes in what a batch showed, all that there is of it, and ends with the first error.
fn take_in(
    searched: &mut Searched,
    drawn: &[Drawn],
    performed: Vec<(usize, Result<Performed, WorldError>)>,
    sorting: &Sorting<'_>,
) -> Result<(), WorldError> {
    let mut failed = Vec::new();
    let mut first_error = None;
    for (index, performed) in performed {
        let drawn = &drawn[index];
        let performed = match performed {
            Ok(performed) => performed,
            Err(error) => {
                first_error.get_or_insert(error);
                continue;
            }
        };
        searched.drills += 1;
        searched.survivable += u64::from(drawn.half == Half::Survivable);
        searched.coverage.merge(performed.coverage);
        match performed.judged {
            Judged::Sound => {}
            Judged::Silent(finding) => {
                let what = silence(&finding, &drawn.plan.scenario);
                *searched.silent.entry(what).or_default() += 1;
            }
            Judged::Failed(finding) => failed.push(Failure {
                number: drawn.number,
                half: drawn.half,
                plan: drawn.plan.clone(),
                finding,
                ended_ms: performed.ended_ms,
                replay: performed.replay,
            }),
        }
    }
    for failure in failed {
        sorting.sort(&mut searched.classes, failure)?;
    }
    first_error.map_or(Ok(()), Err)
}

/// Tries the cases of earlier searches. What fails still is a class as it is.
fn try_first(
    searched: &mut Searched,
    run: &Perform<'_>,
    jobs: usize,
    start: &Start,
    sorting: &Sorting<'_>,
) -> Result<(), WorldError> {
    let cases = &start.cases;
    let performed = runner::each(cases.len(), jobs, sorting.over, &|index| {
        let case = &cases[index];
        perform(run, case.half, &case.plan)
    });
    for (index, performed) in performed {
        let case = &cases[index];
        let performed = match performed {
            Err(WorldError::Interrupted) => continue,
            performed => performed?,
        };
        searched.tried_first += 1;
        searched.coverage.merge(performed.coverage);
        if let Judged::Failed(finding) = performed.judged {
            let failure = Failure {
                number: case.number,
                half: case.half,
                plan: case.plan.clone(),
                finding,
                ended_ms: performed.ended_ms,
                replay: performed.replay,
            };
            sorting.earlier(&mut searched.classes, failure)?;
        }
    }
    Ok(())
}

fn perform(run: &Perform<'_>, half: Half, plan: &DrillPlan) -> Result<Performed, WorldError> {
    let result = run(plan)?;
    let scenario = &plan.scenario;
    Ok(Performed {
        judged: judge(half, plan, &result),
        coverage: Coverage::of(scenario, &plan.runbook.runbook, &result),
        ended_ms: ended_ms(&result),
        replay: result.replay,
    })
}

/// How long the drill took, in virtual time.
pub(super) fn ended_ms(result: &DrillResult) -> Ms {
    result
        .time_series
        .as_ref()
        .map_or(0, |series| series.end_ms)
}

/// What a drill that shows nothing lacks.
fn silence(finding: &Finding, scenario: &Scenario) -> String {
    use crate::finding::InjectionFinding;
    let what = match finding {
        Finding::FaultFired(InjectionFinding::FaultNeverFired { fault, began }) => {
            // The kind is the first word.
            let kind = fault.split([' ', ',']).next().unwrap_or_default();
            format!(
                "{kind} {}",
                if *began { "hit nothing" } else { "never began" }
            )
        }
        other => other.kind().to_owned(),
    };
    match finding {
        Finding::FaultFired(InjectionFinding::NoHarm) => {
            format!("{what} by {}", scenario.release.to)
        }
        _ => what,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::runbooks::{BUILT_IN, LoadedRunbook};
    use crate::search::Corpus;

    /// Orders that were acknowledged after the snapshot are gone without the replay.
    fn without_the_replay() -> LoadedRunbook {
        let from = BUILT_IN
            .find("```sh {\"name\":\"replay-orders\"")
            .expect("there");
        let to = from + BUILT_IN[from..].find("\n```\n").expect("its end") + 5;
        let text = format!("{}{}", &BUILT_IN[..from], &BUILT_IN[to..]);
        LoadedRunbook::parse("changed.md", &text).expect("it loads")
    }

    fn options(drills: u64) -> Options {
        Options {
            seed: 3,
            first: 0,
            drills,
            jobs: 1,
            known: Vec::new(),
        }
    }

    #[test]
    fn a_drill_that_panicked_has_met_nothing() {
        let runbook = without_the_replay();
        let space = Space::new(&runbook);
        let drawn = space.draw(3, 0, &Coverage::default()).expect("drawn");
        let run = |plan: &DrillPlan| drill::run_decorated(plan, &|_, _| panic!("on purpose"));
        let performed = perform(&run, drawn.half, &drawn.plan).expect("a finding and no error");
        assert!(matches!(performed.judged, Judged::Failed(_)));
        assert!(performed.coverage.is_empty(), "its evidence is empty");
    }

    #[test]
    fn a_world_that_fails_leaves_what_was_found_before() {
        let runbook = without_the_replay();
        let space = Space::new(&runbook);
        let performed = AtomicU64::new(0);
        let run = |plan: &DrillPlan| match performed.fetch_add(1, Ordering::Relaxed) {
            20 => Err(WorldError::SetUp("no room".to_owned())),
            _ => drill::run(plan),
        };
        let mut told = 0;
        let searched = search_by(
            &run,
            &space,
            &options(24),
            &Start::default(),
            &|| false,
            &mut |_| told += 1,
        );
        let searched = searched.expect("there is something to draw");
        let why = WorldError::SetUp("no room".to_owned());
        assert_eq!(searched.stopped, Some(why));
        assert_eq!((searched.drills, searched.next, told), (23, 0, 1));
        assert!(searched.has_new_class(), "what the others showed is there");
        assert!(!searched.coverage.is_empty());
        // Whoever goes on performs them again, so that they count then.
        let mut corpus = Corpus::new(3);
        corpus.take_in(&searched);
        assert_eq!((corpus.drills, corpus.next), (0, 0));
        assert!(corpus.coverage.is_empty() && !corpus.cases.is_empty());
    }

    #[test]
    fn what_earlier_searches_left_is_tried_first_and_fails_as_it_did() {
        let runbook = without_the_replay();
        let space = Space::new(&runbook);
        let run = |options: &Options, start: &Start| {
            let done = search_on(&space, options, start, &|| false, &mut |_| {});
            done.expect("there is something to draw")
        };
        let before = run(&options(16), &Start::default());
        let found = before.classes.first().expect("a loss");
        let start = Start {
            drills: before.drills,
            coverage: before.coverage.clone(),
            cases: vec![Earlier {
                number: found.first,
                half: found.class.half,
                plan: found.smallest.clone(),
            }],
        };
        let none = Options {
            first: before.next,
            ..options(0)
        };
        let after = run(&none, &start);
        assert_eq!((after.drills, after.tried_first), (0, 1));
        assert_eq!(after.next, before.next);
        let again = after.classes.first().expect("it fails still");
        assert!(again.earlier && again.cut_down);
        assert_eq!(again.class, found.class);
        assert_eq!((again.first, &again.replay), (found.first, &found.replay));
        assert!(
            after
                .coverage
                .iter()
                .all(|(met, n)| n >= before.coverage.count(met))
        );
        assert_eq!(after.drills_in_all(), 16);
    }
}
