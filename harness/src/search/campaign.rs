//! A search: drills are drawn in batches, performed, judged and sorted; each class of failure is cut down.
//!
//! What was met is known to the draws of the next batch only. So a search is a function of its seed and of how many
//! batches it had, on however many threads it ran.

use std::sync::Arc;

use super::class::{Class, Known};
use super::coverage::Coverage;
use super::draw::{Drawn, NoRelease, Space};
use super::judge::{Judged, judge};
use crate::drill::{self, DrillResult};
use crate::finding::Finding;
use crate::runner;
use crate::scenario::Scenario;
use crate::shrink::cut_down;
use crate::worlds::{Plan, WorldError};

/// Drills that are drawn at once.
pub const BATCH: u64 = 64;
/// Drills that it may cost to cut one class down.
const CUT: u32 = 80;

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

/// Why a search did not begin, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is nothing to draw.
    #[error(transparent)]
    NoRelease(#[from] NoRelease),
    /// There was no world.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// A class of failure that a search found.
#[derive(Clone, Debug)]
pub struct FoundClass {
    /// Which.
    pub class: Class,
    /// How many drills failed so.
    pub drills: u64,
    /// The number of the first one.
    pub first: u64,
    /// The finding of the smallest case.
    pub finding: Finding,
    /// The smallest case.
    pub smallest: Plan,
    /// What the smallest case lacks against the first one, in words.
    pub cut: Vec<String>,
    /// The token that replays the smallest case.
    pub replay: String,
    /// Whether it was cut down to its end. Otherwise the search was over first, and its causes may be fewer.
    pub cut_down: bool,
    /// Why it is no new class, if it is known.
    pub known: Option<String>,
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// Drills that were performed.
    pub drills: u64,
    /// Of them, those that had to recover.
    pub survivable: u64,
    /// Those that show nothing, by what they lack: the oracle's kind of finding and its fault.
    pub silent: std::collections::BTreeMap<String, u64>,
    /// What was met.
    pub coverage: Coverage,
    /// The classes of failure, in the order in which they were found.
    pub classes: Vec<FoundClass>,
    /// The number of the first drill that was not performed: a search that goes on begins there.
    pub next: u64,
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
}

/// A drill that was performed.
struct Performed {
    judged: Judged,
    coverage: Coverage,
}

/// Searches `space` until it has performed as many drills as `options` say, or `over` says so. `progress` is called after
/// each batch.
///
/// # Errors
/// There is nothing to draw, or no world.
pub fn search(
    space: &Space,
    options: &Options,
    over: &(dyn Fn() -> bool + Sync),
    progress: &mut dyn FnMut(&Searched),
) -> Result<Searched, SearchError> {
    let mut searched = Searched {
        next: options.first,
        ..Searched::default()
    };
    let end = options.first.saturating_add(options.drills);
    while searched.next < end && !over() {
        let count = BATCH.min(end - searched.next);
        let drawn = (searched.next..searched.next + count)
            .map(|number| space.draw(options.seed, number, &searched.coverage))
            .collect::<Result<Vec<Drawn>, NoRelease>>()?;
        let performed = runner::each(drawn.len(), options.jobs, over, &|index| {
            perform(&drawn[index])
        });
        // A drill that was abandoned shows nothing.
        let performed: Vec<_> = performed
            .into_iter()
            .filter(|(_, it)| !matches!(it, Err(WorldError::Interrupted)))
            .collect();
        // Whoever goes on performs a batch that was cut short again, so that no drill is left out.
        let whole = performed.len() == drawn.len();
        let mut failed = Vec::new();
        for (index, performed) in performed {
            let (performed, drawn) = (performed?, &drawn[index]);
            searched.drills += 1;
            searched.survivable += u64::from(drawn.half == super::Half::Survivable);
            searched.coverage.merge(performed.coverage);
            match performed.judged {
                Judged::Sound => {}
                Judged::Silent(finding) => {
                    let what = silence(&finding, &drawn.plan.scenario);
                    *searched.silent.entry(what).or_default() += 1;
                }
                Judged::Failed(finding) => failed.push((drawn, finding)),
            }
        }
        for (drawn, finding) in failed {
            sort(&mut searched, options, drawn, finding, over)?;
        }
        progress(&searched);
        if !whole || over() {
            break;
        }
        searched.next += count;
    }
    Ok(searched)
}

fn perform(drawn: &Drawn) -> Result<Performed, WorldError> {
    let result = drill::run(&drawn.plan)?;
    let scenario = &drawn.plan.scenario;
    Ok(Performed {
        judged: judge(drawn.half, &drawn.plan, &result),
        coverage: Coverage::of(scenario, &result),
    })
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

/// Adds a failure to its class, or finds its smallest case, which makes a class.
fn sort(
    searched: &mut Searched,
    options: &Options,
    drawn: &Drawn,
    finding: Finding,
    over: &(dyn Fn() -> bool + Sync),
) -> Result<(), SearchError> {
    let (found, scenario) = (finding.class(), &drawn.plan.scenario);
    let mut classes = searched.classes.iter_mut();
    if let Some(class) = classes.find(|it| it.class.takes(&found, drawn.half, scenario)) {
        class.drills += 1;
        return Ok(());
    }
    let shown = (drawn.plan.seed, finding, drawn.plan.token());
    let attempt = |scenario: &Arc<Scenario>, seed| {
        // Who has to recover needs its requests: with fewer, even a sound executor can't prove a recovery in time.
        let too_quiet = scenario.load.rate_per_s < drawn.plan.scenario.load.rate_per_s;
        if over() || drawn.half == super::Half::Survivable && too_quiet {
            return Ok(None);
        }
        let plan = Plan {
            scenario: Arc::clone(scenario),
            seed,
            ..drawn.plan.clone()
        };
        let result: DrillResult = match drill::run(&plan) {
            Err(WorldError::Interrupted) => return Ok(None),
            performed => performed?,
        };
        Ok(match judge(drawn.half, &plan, &result) {
            Judged::Failed(finding) if finding.class() == found => {
                Some((seed, finding, result.replay))
            }
            _ => None,
        })
    };
    let cut = cut_down(scenario, drawn.plan.seed, shown, CUT, attempt)?;
    let (seed, finding, replay) = cut.shown;
    let class = Class::of(found, drawn.half, &cut.scenario);
    // Two drills may come to the same smallest case from different sides.
    let mut classes = searched.classes.iter_mut();
    if let Some(same) = classes.find(|it| it.class == class) {
        same.drills += 1;
        return Ok(());
    }
    // What was not cut down may have causes that have nothing to do with it.
    let cut_down = !over();
    let mut known = options.known.iter().filter(|_| cut_down);
    let known = known.find(|known| known.is(&class));
    searched.classes.push(FoundClass {
        known: known.map(|known| known.reason.clone()),
        cut_down,
        class,
        drills: 1,
        first: drawn.number,
        finding,
        smallest: Plan {
            scenario: cut.scenario,
            seed,
            ..drawn.plan.clone()
        },
        cut: cut.cut,
        replay,
    });
    Ok(())
}
