//! The drills of a runbook, each drawn whole from a number.
//!
//! Each component draws from a stream of its own, so that one that draws more leaves the others as they were.
//! What is drawn is a scenario like any other: it has a text, and a token replays it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dex::release::{Defect, Service};
use sim::rng::Rng;

use super::death::death;
use super::faults::Faults;
use super::load::{REQUESTS_PER_ACCOUNT, bursts, ledger, load};
use super::rollout::deployments;
use super::timing::timing;
use crate::drill;
use crate::evidence::REQUESTS_MIN;
use crate::runbooks::LoadedRunbook;
use crate::scenario::fault::Family;
use crate::scenario::{BUILT_IN, Expected, FaultKind, Path, Scenario};
use crate::search::bound::Way;
use crate::search::coverage::Coverage;
use crate::search::heal::away;
use crate::verify::planned;
use crate::worlds::common::manifests;
use crate::worlds::{DrillPlan, Until, WorldKind};

/// What may come of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// Its faults are few, short, and leave a way back: anything but recovery is a failure.
    Survivable,
    /// Anything may happen to it. Nobody may be harmed, and it must end in recovered or escalated.
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
    pub plan: DrillPlan,
}

/// What drills are drawn from.
#[derive(Clone, Debug)]
pub struct Space {
    runbook: LoadedRunbook,
    releases: Vec<Release>,
}

/// A release to roll back, by a built-in scenario without a fault: its expectations are right.
#[derive(Clone, Debug)]
struct Release {
    scenario: Scenario,
    /// What a rollback of it takes; `None`: the runbook can't plan it.
    way: Option<Way>,
    /// How many requests an executor makes to roll it back undisturbed, once somebody asked.
    requests: Arc<OnceLock<u64>>,
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
            .map(|scenario| Release {
                way: planned(&scenario, &runbook.runbook)
                    .and_then(Result::ok)
                    .map(|plan| Way::of(&plan, runbook.runbook.rto)),
                scenario,
                requests: Arc::default(),
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
        let half = if stream("half").ratio(1, 2) {
            Half::Survivable
        } else {
            Half::Hostile
        };
        let (release, mut scenario) = self.surroundings(half, &stream)?;
        let faults = Faults {
            runbook: &self.runbook.runbook,
            half,
            heal: stream("heal").ratio(1, 2),
            coverage,
        };
        let most = match half {
            Half::Survivable => 2,
            Half::Hostile => 4,
        };
        let wanted = usize::try_from(stream("count").between(0, most)).unwrap_or_default();
        // Hosts die, stall and meet each other in a drill of four, whatever else affects it.
        if wanted > 0 && stream("hosts").ratio(1, 4) {
            let fault = faults.draw(&mut stream("host"), &[Family::Hosts], &scenario);
            scenario.faults.extend(fault);
        }
        let mut off = stream("families");
        let families: Vec<Family> = Family::ALL
            .into_iter()
            .filter(|_| off.ratio(1, 2))
            .filter(|family| *family != Family::Hosts)
            .collect();
        for nth in scenario.faults.len()..wanted {
            let mut rng = stream(&format!("fault/{nth}"));
            let fault = faults.draw(&mut rng, &families, &scenario);
            scenario.faults.extend(fault);
        }
        if scenario.faults.is_empty() || stream("crash").ratio(1, 4) {
            let requests = || self.requests(release);
            scenario.crash = Some(death(&mut stream("crash point"), half, requests));
        }
        let what = format!(
            "drill {number} of the search with seed {seed}, {}",
            half.as_str()
        );
        scenario.name = format!("search-{number}");
        Ok(self.drawn(number, half, what, release, scenario, &stream))
    }

    /// Drill `number` of those that are drawn from `seed` about faults of `kind`: one of them affects it, and nothing
    /// else. Anything may come of it.
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    pub fn draw_about(&self, kind: FaultKind, seed: u64, number: u64) -> Result<Drawn, NoRelease> {
        let name = kind.as_str();
        let half = Half::Hostile;
        let faults = Faults {
            runbook: &self.runbook.runbook,
            half,
            heal: false,
            coverage: &Coverage::default(),
        };
        // Not every release has what every kind hits: of those that are drawn, the first one that has it.
        let mut attempts = (0..64_u32).map(|attempt| {
            let stream =
                |what: &str| Rng::derive(seed, &format!("about/{name}/{number}/{attempt}/{what}"));
            let (release, mut scenario) = self.surroundings(half, &stream)?;
            let fault = faults.one(&mut stream("fault"), kind.spec(), &scenario);
            let hits = fault.is_some();
            scenario.faults.extend(fault);
            let what = format!("drill {number} about {name} with seed {seed}");
            scenario.name = format!("{name}-{number}");
            let drawn = self.drawn(number, half, what, release, scenario, &stream);
            Ok((drawn, hits))
        });
        let first = attempts.next().unwrap_or(Err(NoRelease))?;
        if first.1 {
            return Ok(first.0);
        }
        let hit = attempts.find_map(|drawn| drawn.ok().filter(|(_, hits)| *hits));
        Ok(hit.unwrap_or(first).0)
    }

    /// A release, with everything about it that is no fault.
    fn surroundings(
        &self,
        half: Half,
        stream: &dyn Fn(&str) -> Rng,
    ) -> Result<(&Release, Scenario), NoRelease> {
        let release = super::dice::pick(&mut stream("release"), &self.releases).ok_or(NoRelease)?;
        let mut scenario = release.scenario.clone();
        let way = release.way.as_ref();
        load(&mut stream("load"), half, way, &mut scenario);
        bursts(&mut stream("bursts"), half, way, &mut scenario);
        ledger(&mut stream("ledger"), half, &mut scenario);
        scenario.deployments = deployments(&mut stream("deployments"), half);
        if half == Half::Survivable {
            shows_as_soon(&release.scenario, &mut scenario);
        }
        scenario.timing = timing(&mut stream("timing"), half, scenario.timing);
        Ok((release, scenario))
    }

    fn drawn(
        &self,
        number: u64,
        half: Half,
        what: String,
        release: &Release,
        mut scenario: Scenario,
        stream: &dyn Fn(&str) -> Rng,
    ) -> Drawn {
        scenario.description = what;
        long_enough(&mut scenario, release.way.as_ref());
        // A whole drill takes longer, and shows what an early deployment and an early end leave out.
        let whole = scenario.load.rate_per_s <= 400 && stream("until").ratio(1, 8);
        Drawn {
            number,
            half,
            plan: DrillPlan {
                world: WorldKind::Sim,
                scenario: Arc::new(scenario.with(|_| {})),
                runbook: self.runbook.clone(),
                seed: stream("world").below(u64::from(u32::MAX)),
                until: if whole { Until::Duration } else { Until::Held },
                executor: None,
            },
        }
    }

    /// How many requests an executor makes to roll `release` back undisturbed, as one drill shows;
    /// none if it can't be performed.
    fn requests(&self, release: &Release) -> u64 {
        let performed = || {
            let plan = DrillPlan {
                world: WorldKind::Sim,
                scenario: Arc::new(release.scenario.clone()),
                runbook: self.runbook.clone(),
                seed: 0,
                until: Until::Held,
                executor: None,
            };
            drill::run(&plan)
                .ok()
                .map(|result| result.executor_requests)
        };
        if let Some(known) = release.requests.get() {
            return *known;
        }
        // Who is interrupted knows nothing, and the next one asks again.
        performed().map_or(0, |requests| *release.requests.get_or_init(|| requests))
    }
}

/// Gives the drill the time that its hold takes at its rate,
/// and in which the executor must have ended whatever affects it.
fn long_enough(scenario: &mut Scenario, way: Option<&Way>) {
    let (load, timing) = (scenario.load, scenario.timing);
    let requests = REQUESTS_MIN.div_ceil(u64::from(load.rate_per_s.max(1)));
    let hold = timing.hold.max(Duration::from_secs(requests));
    let over = way.map_or(Duration::ZERO, |way| {
        way.over_within(0, &load) + away(scenario, way.rto())
    });
    let least =
        timing.deploy_at + scenario.expect.detect_max + scenario.expect.rto_max + hold.max(over);
    scenario.timing.hold = hold;
    scenario.timing.duration = timing
        .duration
        .max(Duration::from_secs(least.as_secs() + 1));
}

/// Gives `scenario` the load under which the harm of its release shows as soon as in its `own` scenario, whose
/// expectations it keeps. A defect that grows with every request that a pod takes needs as many of them a second in
/// each pod.
fn shows_as_soon(own: &Scenario, scenario: &mut Scenario) {
    let release = dex::release::Release::by_name(&scenario.release.to);
    let gateway = release.map(|it| it.build(Service::Gateway));
    if !gateway.is_some_and(|it| it.fault.is_some_and(Defect::grows)) {
        return;
    }
    let gateways = |scenario: &Scenario| {
        let mut drawn = scenario.deployments.iter();
        let gateway = drawn.find(|it| it.service == Service::Gateway.name());
        let drawn = gateway.and_then(|it| it.replicas);
        drawn.unwrap_or_else(|| manifests::replicas(Service::Gateway).unsigned_abs())
    };
    let each = own.load.rate_per_s.div_ceil(gateways(own).max(1));
    let least = each.saturating_mul(gateways(scenario));
    let load = &mut scenario.load;
    load.rate_per_s = load.rate_per_s.max(least);
    load.accounts = load.accounts.max(load.rate_per_s / REQUESTS_PER_ACCOUNT);
}

/// There is no release to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in scenario can be drilled by this runbook: it lacks their triggers")]
pub struct NoRelease;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    use super::*;
    use crate::scenario::fault::{FAULTS, Need};
    use crate::scenario::{Anchor, CrashSide, Fault, Strategy, Timing};
    use crate::search::coverage::Met;
    use crate::search::heal::heals;
    use crate::search::reach::SHORT;

    /// One for all tests, as it performs a drill of each release in which the executor is to die late.
    static SPACE: LazyLock<Space> =
        LazyLock::new(|| Space::new(&LoadedRunbook::built_in().expect("valid")));

    fn space() -> &'static Space {
        &SPACE
    }

    fn drawn(count: u64) -> Vec<Drawn> {
        let coverage = Coverage::default();
        let numbers = 0..count;
        let drawn = numbers.map(|number| space().draw(3, number, &coverage));
        drawn.collect::<Result<_, _>>().expect("there are releases")
    }

    #[test]
    fn every_part_of_a_drill_is_drawn() {
        let drawn = drawn(1_500);
        let any = |what: &str, has: &dyn Fn(&Drawn) -> bool| {
            assert!(drawn.iter().any(has), "{what}");
        };
        let load = |of: &Drawn| of.plan.scenario.load;
        let faults = |of: &Drawn, has: &dyn Fn(&Fault) -> bool| {
            let mut faults = of.plan.scenario.faults.iter();
            faults.any(has)
        };
        any("a quiet exchange", &|it| load(it).rate_per_s < 30);
        any("a busy one", &|it| load(it).rate_per_s > 1_500);
        any("bursts", &|it| {
            let bursts = load(it).bursts;
            bursts.is_some_and(|bursts| bursts.rate_per_s > load(it).rate_per_s)
        });
        any("quiet times", &|it| {
            let bursts = load(it).bursts;
            bursts.is_some_and(|bursts| bursts.rate_per_s < load(it).rate_per_s)
        });
        any("a large ledger", &|it| {
            it.plan.scenario.ledger.more_mb > 1_000
        });
        any("pods that are replaced all at once", &|it| {
            let mut deployments = it.plan.scenario.deployments.iter();
            deployments.any(|it| it.strategy == Some(Strategy::Recreate))
        });
        any("many gateways", &|it| {
            let mut deployments = it.plan.scenario.deployments.iter();
            deployments.any(|it| it.service == "gateway" && it.replicas > Some(6))
        });
        any("another interval of scrapes", &|it| {
            it.plan.scenario.timing.scrape_interval != Timing::SCRAPE_INTERVAL
        });
        any("a late deployment", &|it| {
            it.plan.scenario.timing.deploy_at > Duration::from_secs(250)
        });
        any("a whole drill", &|it| it.plan.until == Until::Duration);
        any("an instant between two steps", &|it| {
            faults(it, &|fault| matches!(fault.when, Anchor::After(_)))
        });
        any("a fault without end", &|it| {
            faults(it, &|fault| {
                fault.kind.spec().lasts == Need::May && fault.lasts.is_none()
            })
        });
        any("a second host", &|it| {
            faults(it, &|fault| fault.kind == FaultKind::SecondExecutor)
        });
        any("a stall", &|it| {
            faults(it, &|fault| fault.kind == FaultKind::ExecutorPaused)
        });
        for side in [CrashSide::Before, CrashSide::After] {
            let late = |it: &Drawn| {
                let crash = it.plan.scenario.crash;
                crash.is_some_and(|crash| crash.side == side && crash.request > 70)
            };
            any("a late death", &late);
        }
        any("faults that all heal", &|it| {
            let faults = &it.plan.scenario.faults;
            it.half == Half::Hostile
                && faults.len() > 2
                && faults.iter().all(|fault| heals(fault.kind.spec()))
        });
    }

    #[test]
    fn a_survivable_drill_leaves_the_time_for_its_proof() {
        let survivable = drawn(600);
        let survivable = survivable.iter().filter(|it| it.half == Half::Survivable);
        let mut tried = 0;
        for drawn in survivable {
            let scenario = &drawn.plan.scenario;
            let plan = planned(scenario, &drawn.plan.runbook.runbook);
            let plan = plan.expect("a trigger fires").expect("there is a plan");
            let way = Way::of(&plan, drawn.plan.runbook.runbook.rto);
            assert!(way.fits(&scenario.load), "{}", scenario.text);
            let all_at_once =
                |it: &crate::scenario::Deployment| it.strategy == Some(Strategy::Recreate);
            assert!(!scenario.deployments.iter().any(all_at_once));
            tried += 1;
        }
        assert!(tried > 200, "{tried}");
    }

    #[test]
    fn a_survivable_drill_shows_its_harm_as_soon_as_its_release_s_own() {
        let mut slow = 0;
        let survivable = drawn(600);
        let survivable = survivable.iter().filter(|it| it.half == Half::Survivable);
        for scenario in survivable.map(|it| &it.plan.scenario) {
            let gateway = scenario.deployments.iter();
            let gateways = gateway.filter(|it| it.service == "gateway");
            let gateways = gateways.filter_map(|it| it.replicas).next().unwrap_or(3);
            if scenario.release.to == "1.5.0-slow-path" {
                // 200 a second over three pods, in its own scenario.
                assert!(
                    scenario.load.rate_per_s / gateways >= 66,
                    "{}",
                    scenario.text
                );
                assert!(scenario.load.accounts >= scenario.load.rate_per_s / 50);
                slow += 1;
            }
        }
        assert!(slow > 10, "{slow}");
    }

    #[test]
    fn a_part_that_draws_more_leaves_the_others_as_they_were() {
        let mut seen = Coverage::default();
        let space = space();
        for number in 0..40 {
            let before = space.draw(9, number, &seen).expect("drawn");
            for fault in &before.plan.scenario.faults {
                let met = Met::Began {
                    kind: fault.kind.as_str(),
                    target: fault.target.clone(),
                    at: fault.when.to_text(),
                };
                seen.add(met, 1_000);
            }
            let after = space.draw(9, number, &seen).expect("drawn");
            let rest = |of: &Drawn| {
                let scenario = &of.plan.scenario;
                (
                    scenario.load,
                    scenario.ledger,
                    scenario.deployments.clone(),
                    scenario.timing.deploy_at,
                    scenario.release.clone(),
                    of.plan.seed,
                    of.half,
                )
            };
            assert_eq!(rest(&before), rest(&after));
        }
    }

    #[test]
    fn a_drill_about_a_kind_has_one_fault_of_it() {
        for spec in FAULTS {
            for number in 0..3 {
                let drawn = space().draw_about(spec.kind, 5, number).expect("drawn");
                let scenario = &drawn.plan.scenario;
                let kinds: Vec<FaultKind> = scenario.faults.iter().map(|it| it.kind).collect();
                assert_eq!(kinds, [spec.kind]);
                assert!(scenario.crash.is_none());
                scenario
                    .fits("drawn", &drawn.plan.runbook.runbook)
                    .expect("it can begin");
            }
        }
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
        let wrong: Vec<&str> = FAULTS
            .iter()
            .filter(|spec| kinds.contains(&spec.kind) != spec.draws.searched)
            .map(|spec| spec.name)
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(releases.len() > 10, "{releases:?}");
    }

    #[test]
    fn what_was_met_least_is_preferred() {
        let space = space();
        let mut seen = Coverage::default();
        let kind = FaultKind::PodsKilled.as_str();
        for step in space.steps() {
            for target in ["gateway", "matching", "risk"] {
                for at in [format!("step {step}"), format!("after {step}")] {
                    let target = Some(target.to_owned());
                    seen.add(Met::Began { kind, target, at }, 1_000);
                }
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
