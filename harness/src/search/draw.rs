//! Draws a whole drill from a number: the release, the load, the faults and the executor's death.
//!
//! Each component draws from a stream of its own, so that one that draws more leaves the others as they were. What is drawn
//! is a scenario like any other: it has a text, and a token replays it.

use std::sync::Arc;
use std::time::Duration;

use sim::rng::Rng;

use super::coverage::{Coverage, Met};
use super::reach::reach;
use crate::runbooks::LoadedRunbook;
use crate::scenario::fault::{FAULTS, Family, FaultSpec, Need, Targets};
use crate::scenario::{
    BUILT_IN, Crash, CrashSide, Expected, Fault, FaultKind, PartsPerMillion, Path, Scenario,
};
use crate::worlds::{Plan, Until, WorldKind};

/// What may come of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Its faults are few, short, and leave a way back: anything but recovery is a failure.
    Survivable,
    /// Anything may befall it. Nobody may be harmed, and it must end in recovered or escalated.
    Hostile,
}

impl Half {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Survivable => "survivable",
            Self::Hostile => "hostile",
        }
    }
}

/// A drawn drill.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its number in the search.
    pub number: u64,
    /// What may come of it.
    pub half: Half,
    /// What to perform.
    pub plan: Plan,
}

/// What drills are drawn from.
#[derive(Clone, Debug)]
pub struct Space {
    runbook: LoadedRunbook,
    /// The built-in scenarios without a fault in which a release is rolled back: their releases and expectations are right.
    releases: Vec<Scenario>,
}

impl Space {
    /// The drills of `runbook`.
    #[must_use]
    pub fn new(runbook: &LoadedRunbook) -> Self {
        let triggers = runbook.triggers();
        let releases = BUILT_IN
            .iter()
            .filter_map(|built_in| Scenario::parse(built_in.file, built_in.text, &triggers).ok())
            .filter(|scenario| {
                scenario.faults.is_empty()
                    && scenario.crash.is_none()
                    && scenario.expect.outcome == Expected::Recovered
                    && scenario.expect.trigger.is_some()
                    && scenario.expect.path != Path::None
            })
            .collect();
        Self {
            runbook: runbook.clone(),
            releases,
        }
    }

    /// The steps of the runbook at which a fault can begin.
    #[must_use]
    pub fn steps(&self) -> Vec<&str> {
        let steps = self.runbook.runbook.steps.iter();
        steps.map(|step| step.name.as_str()).collect()
    }

    /// Drill `number` of the search that begins with `seed`. Of kinds, targets and instants, those are preferred that
    /// `coverage` knows least.
    ///
    /// # Errors
    /// There is no release to draw: the runbook has no trigger that a built-in scenario expects.
    pub fn draw(&self, seed: u64, number: u64, coverage: &Coverage) -> Result<Drawn, NoRelease> {
        let stream = |what: &str| Rng::derive(seed, &format!("search/{number}/{what}"));
        let mut rng = stream("release");
        let base = pick(&mut rng, &self.releases).ok_or(NoRelease)?;
        let half = if stream("half").ratio(1, 2) {
            Half::Survivable
        } else {
            Half::Hostile
        };
        let mut scenario = base.clone();
        load(&mut stream("load"), &mut scenario);
        let mut off = stream("families");
        let families: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|_| off.ratio(1, 2))
            .collect();
        let most = match half {
            Half::Survivable => 2,
            Half::Hostile => 4,
        };
        let wanted = stream("count").between(0, most);
        for nth in 0..wanted {
            let mut rng = stream(&format!("fault/{nth}"));
            let Some(fault) = self.fault(&mut rng, half, &families, &scenario, coverage) else {
                continue;
            };
            scenario.faults.push(fault);
        }
        if scenario.faults.is_empty() || stream("crash").ratio(1, 4) {
            scenario.crash = Some(crash(&mut stream("crash point"), half));
        }
        let what = format!(
            "drill {number} of the search with seed {seed}, {}",
            half.as_str()
        );
        scenario.name = format!("search-{number}");
        scenario.description = what;
        let scenario = scenario.with(|_| {});
        Ok(Drawn {
            number,
            half,
            plan: Plan {
                world: WorldKind::Sim,
                scenario: Arc::new(scenario),
                runbook: self.runbook.clone(),
                seed: stream("world").below(u64::from(u32::MAX)),
                until: Until::Held,
                executor: None,
            },
        })
    }

    /// A fault of one of `families` that the drill can come to; `None` if the draws lead to none.
    fn fault(
        &self,
        rng: &mut Rng,
        half: Half,
        families: &[Family],
        scenario: &Scenario,
        coverage: &Coverage,
    ) -> Option<Fault> {
        let kinds: Vec<&FaultSpec> = FAULTS
            .iter()
            .filter(|spec| spec.worlds.contains(&WorldKind::Sim))
            .filter(|spec| families.contains(&spec.draws.family))
            .filter(|spec| half == Half::Hostile || spec.draws.survivable)
            .filter(|spec| scenario.faults.iter().all(|it| it.kind != spec.kind))
            .collect();
        // Of three that are drawn, the one that was met least: what was never met is soon met, and nothing is left out.
        let drawn: Vec<Fault> = (0..3)
            .filter_map(|_| {
                let spec = pick(rng, &kinds)?;
                self.one(rng, half, spec, scenario)
            })
            .collect();
        drawn.into_iter().min_by_key(|fault| {
            coverage.count(&Met::Began {
                kind: fault.kind.as_str(),
                target: fault.target.clone(),
                at: fault.when.to_text(),
            })
        })
    }

    /// A fault of the kind `spec`; `None` if it would hit nothing in a drill of `scenario`.
    fn one(
        &self,
        rng: &mut Rng,
        half: Half,
        spec: &FaultSpec,
        scenario: &Scenario,
    ) -> Option<Fault> {
        let targets = targets_of(spec, scenario);
        let target = pick(rng, &targets).copied();
        if target.is_none() && spec.targets != Targets::NoChoice {
            return None;
        }
        // What strikes the clients during the proof makes it begin anew, for which there may be no time; and whoever changes
        // something then is told to stop.
        let before_the_proof = half == Half::Survivable && (spec.strikes || spec.theirs.is_some());
        let path = scenario.expect.path;
        let runbook = &self.runbook.runbook;
        let reach = reach(runbook, path, spec, target, before_the_proof)?;
        let (lasts_most, delay_most) = match half {
            // An outage that a person would call short.
            Half::Survivable => (8_000, 4_000),
            Half::Hostile => (180_000, 60_000),
        };
        let least = reach.shortest_ms;
        let most = least.max(lasts_most);
        Some(Fault {
            kind: spec.kind,
            when: pick(rng, &reach.anchors)?.clone(),
            at: span(rng, 0, reach.latest_ms),
            jitter: Duration::ZERO,
            lasts: match (spec.lasts, half) {
                (Need::No, _) => None,
                // For ever, where that is allowed: one in eight.
                (Need::May, Half::Hostile) if rng.ratio(1, 8) => None,
                _ => Some(span(rng, least, most)),
            },
            target: target.map(str::to_owned),
            delay: match spec.delay {
                Need::No => None,
                Need::May if rng.ratio(1, 2) => None,
                _ => Some(span(rng, 100, delay_most)),
            },
            chance: match spec.chance {
                Need::No => None,
                Need::May if rng.ratio(1, 2) => None,
                _ => Some(chance(rng)),
            },
        })
    }
}

/// There is no release to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in scenario can be drilled by this runbook: it lacks their triggers")]
pub struct NoRelease;

/// Targets that a fault of that kind can hit in a drill of `scenario`: what is about the prior or the bad version of a
/// service hits nothing where the release leaves that service alone.
fn targets_of(spec: &FaultSpec, scenario: &Scenario) -> Vec<&'static str> {
    let about_the_change = matches!(
        spec.kind,
        FaultKind::ImageGone
            | FaultKind::PodsSlow
            | FaultKind::PodsStuck
            | FaultKind::TerminatingSlow
            | FaultKind::TagMoved
            | FaultKind::HistoryPruned
    );
    let releases = [&scenario.release.from, &scenario.release.to];
    let [from, to] = releases.map(|name| dex::release::Release::by_name(name));
    let targets = spec.targets.names().into_iter();
    targets
        .filter(|target| {
            let (Some(from), Some(to)) = (&from, &to) else {
                return true;
            };
            let mut services = dex::release::Service::ALL.into_iter();
            let service = services.find(|service| service.name() == *target);
            service.is_none_or(|service| {
                !about_the_change || from.build(service).image() != to.build(service).image()
            })
        })
        .collect()
}

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    let count = of.len() as u64;
    let index = usize::try_from(rng.below(count.max(1))).ok()?;
    of.get(index)
}

/// A duration from `least` to `most` milliseconds; half of them are short, where most races are.
fn span(rng: &mut Rng, least: u64, most: u64) -> Duration {
    let most = if rng.ratio(1, 2) {
        most
    } else {
        least + (most - least) / 20
    };
    Duration::from_millis(rng.between(least, most))
}

fn chance(rng: &mut Rng) -> PartsPerMillion {
    let millionths = rng.between(20_000, 1_000_000);
    PartsPerMillion(u32::try_from(millionths).unwrap_or(1_000_000))
}

/// The load: the release's own in half of the drills, as its harm may depend on it.
fn load(rng: &mut Rng, scenario: &mut Scenario) {
    if rng.ratio(1, 2) {
        return;
    }
    // What a minute of proof needs is known; quieter exchanges are a scenario of their own.
    scenario.load.rate_per_s = match rng.below(10) {
        0 => number(rng, 400, 1_000),
        _ => number(rng, 190, 300),
    };
    scenario.load.accounts = number(rng, 10, 3_000);
    scenario.load.markets = number(rng, 1, 16);
}

fn number(rng: &mut Rng, least: u64, most: u64) -> u32 {
    u32::try_from(rng.between(least, most)).unwrap_or(u32::MAX)
}

/// The executor's death at one of its requests. A rollback makes some hundred; the later ones are its proof.
fn crash(rng: &mut Rng, half: Half) -> Crash {
    let request = if rng.ratio(3, 4) {
        rng.between(1, 60)
    } else {
        rng.between(61, 200)
    };
    let away = match half {
        Half::Survivable => 10_000,
        Half::Hostile => 120_000,
    };
    Crash {
        request,
        side: if rng.ratio(1, 2) {
            CrashSide::Before
        } else {
            CrashSide::After
        },
        resume_after: span(rng, 500, away),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::reach::SHORT;
    use super::*;

    fn space() -> Space {
        Space::new(&LoadedRunbook::built_in().expect("valid"))
    }

    #[test]
    fn a_drill_is_a_function_of_seed_and_number_and_reads_back() {
        let (space, coverage) = (space(), Coverage::default());
        let mut texts = BTreeSet::new();
        for number in 0..60 {
            let drawn = space.draw(7, number, &coverage).expect("drawn");
            let again = space.draw(7, number, &coverage).expect("drawn");
            assert_eq!(drawn.plan.scenario, again.plan.scenario);
            assert_eq!(drawn.plan.seed, again.plan.seed);
            let scenario = &drawn.plan.scenario;
            let read = Scenario::parse("drawn", &scenario.text, &[]).expect("it loads");
            assert_eq!(read, **scenario);
            let fits = scenario.fits("drawn", &drawn.plan.runbook.runbook);
            fits.expect("every fault can begin");
            assert!(scenario.crash.is_some() || !scenario.faults.is_empty());
            texts.insert(scenario.text.clone());
        }
        assert_eq!(texts.len(), 60, "no two are the same");
    }

    #[test]
    fn survivable_drills_have_few_and_short_faults() {
        let (space, coverage) = (space(), Coverage::default());
        let mut halves = [0; 2];
        for number in 0..300 {
            let drawn = space.draw(1, number, &coverage).expect("drawn");
            halves[usize::from(drawn.half == Half::Hostile)] += 1;
            if drawn.half == Half::Survivable {
                let faults = &drawn.plan.scenario.faults;
                assert!(faults.len() <= 2);
                for fault in faults {
                    assert!(fault.kind.spec().draws.survivable, "{fault:?}");
                    let lasts = fault.lasts.unwrap_or_default();
                    assert!(lasts <= SHORT, "{fault:?}");
                }
            }
        }
        assert!(halves.iter().all(|&count| count > 100), "{halves:?}");
    }

    #[test]
    fn every_kind_of_fault_and_every_release_is_drawn() {
        let (space, coverage) = (space(), Coverage::default());
        let mut kinds = BTreeSet::new();
        let mut releases = BTreeSet::new();
        for number in 0..2_000 {
            let drawn = space.draw(3, number, &coverage).expect("drawn");
            kinds.extend(drawn.plan.scenario.faults.iter().map(|fault| fault.kind));
            releases.insert(drawn.plan.scenario.release.to.clone());
        }
        let missing: Vec<&str> = FAULTS
            .iter()
            .filter(|spec| !kinds.contains(&spec.kind))
            .map(|spec| spec.name)
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(releases.len() > 10, "{releases:?}");
    }

    #[test]
    fn what_was_met_least_is_preferred() {
        let space = space();
        let mut seen = Coverage::default();
        let kind = FaultKind::PodsKilled.as_str();
        for step in space.steps() {
            for target in ["gateway", "matching", "risk"] {
                let met = Met::Began {
                    kind,
                    target: Some(target.to_owned()),
                    at: format!("step {step}"),
                };
                seen.add(met, 1_000);
            }
        }
        let count = |coverage: &Coverage| {
            let numbers = 0..400;
            let kinds = numbers.flat_map(|number| {
                let drawn = space.draw(5, number, coverage).expect("drawn");
                drawn.plan.scenario.faults.clone()
            });
            kinds
                .filter(|fault| fault.kind == FaultKind::PodsKilled)
                .count()
        };
        assert!(count(&seen) * 2 < count(&Coverage::default()));
    }
}
