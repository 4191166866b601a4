//! The drills of a runbook, each drawn whole from a number.
//!
//! Each component draws from a stream of its own, so that one that draws more leaves the others as they were.
//! What is drawn is a scenario like any other: it has a text, and a token replays it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dex::release::{Defect, Service};
use executor::runbook::Step;
use sim::rng::Rng;

use super::aim::{Aim, By, aims};
use super::death::death;
use super::dice::pick;
use super::faults::Faults;
use super::load::{REQUESTS_PER_ACCOUNT, bursts, ledger, load};
use super::rollout::deployments;
use super::timing::timing;
use crate::drill;
use crate::evidence::REQUESTS_MIN;
use crate::runbooks::LoadedRunbook;
use crate::scenario::fault::Family;
use crate::scenario::{Anchor, BUILT_IN, Expected, FaultKind, Path, Scenario};
use crate::search::bound::Way;
use crate::search::coverage::Coverage;
use crate::search::heal::away;
use crate::search::marks::Catalogue;
use crate::search::reach::steps_on;
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
    catalogue: Catalogue,
}

/// A release to roll back, by a built-in scenario whose expectations are right: one without a fault, or, for a release
/// that does no harm by itself, one whose faults bring that about.
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
        let scenarios = || {
            BUILT_IN
                .iter()
                .filter_map(|built_in| {
                    Scenario::parse(built_in.file, built_in.text, &triggers).ok()
                })
                .filter(|scenario| {
                    scenario.crash.is_none()
                        && scenario.expect.outcome == Expected::Recovered
                        && scenario.expect.trigger.is_some()
                        && scenario.expect.path != Path::None
                })
        };
        let alone = |scenario: &Scenario| scenario.faults.is_empty();
        let harmful: BTreeSet<String> = scenarios()
            .filter(alone)
            .map(|scenario| scenario.release.to)
            .collect();
        let is_brought_about = |scenario: &Scenario| {
            let mut faults = scenario.faults.iter();
            !harmful.contains(&scenario.release.to)
                && faults.all(|fault| fault.when == Anchor::Deployment)
        };
        let releases = scenarios()
            .filter(|scenario| alone(scenario) || is_brought_about(scenario))
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
            catalogue: Catalogue::of(&runbook.runbook),
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
        let aim = self.aim(half, coverage, &stream);
        let can_meet = |release: &Release| {
            aim.as_ref()
                .is_none_or(|aim| aim.is_met_by(&release.scenario, &self.steps_of(release)))
        };
        let (release, mut scenario) = self.surroundings(half, &can_meet, &stream)?;
        let own = scenario.faults.len();
        let faults = Faults {
            steps: self.steps_of(release),
            half,
            heal: aim.is_none() && stream("heal").ratio(1, 2),
            through: false,
            coverage,
        };
        if let Some(aim) = &aim {
            let aimed = faults.aimed(&mut stream("aimed"), aim, &scenario);
            scenario.faults.extend(aimed);
        }
        // What is aimed at is met undisturbed.
        let aimed = scenario.faults.len() > own;
        let most = match half {
            Half::Survivable => 2,
            Half::Hostile => 4,
        };
        let wanted = stream("count").between(0, if aimed { 0 } else { most });
        let wanted = own + usize::try_from(wanted).unwrap_or_default();
        // What another host needs in order to begin is known before its clock is drawn.
        let dies = match &aim {
            Some(aim) if aimed => aim.by == By::Crash,
            _ => wanted == own || stream("crash").ratio(1, 4),
        };
        let crash = || {
            let requests = || self.requests(release);
            death(&mut stream("crash point"), half, requests)
        };
        scenario.crash = dies.then(crash);
        // Hosts die, stall and meet each other in a drill of four, whatever else affects it.
        if wanted > own && stream("hosts").ratio(1, 4) {
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
        // The draws may lead to no fault, and something is to happen in every drill.
        if scenario.faults.len() == own {
            scenario.crash.get_or_insert_with(crash);
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
        // Not every release has what every kind hits: of those that are drawn, the first one that has it.
        let mut attempts = (0..64_u32).map(|attempt| {
            let stream =
                |what: &str| Rng::derive(seed, &format!("about/{name}/{number}/{attempt}/{what}"));
            let is_alone = |release: &Release| release.scenario.faults.is_empty();
            let (release, mut scenario) = self.surroundings(half, &is_alone, &stream)?;
            let faults = Faults {
                steps: self.steps_of(release),
                half,
                heal: false,
                through: false,
                coverage: &Coverage::default(),
            };
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

    /// What the drill is aimed at, for one in two of those to which anything may happen.
    fn aim(
        &self,
        half: Half,
        coverage: &Coverage,
        stream: &dyn Fn(&str) -> Rng,
    ) -> Option<Aim<'_>> {
        if half == Half::Survivable || stream("aim").ratio(1, 2) {
            return None;
        }
        let aims = aims(&self.runbook.runbook, &self.catalogue, coverage);
        pick(&mut stream("mark"), &aims).cloned()
    }

    /// The steps of phase `run` that an undisturbed rollback of `release` comes to, in order.
    fn steps_of(&self, release: &Release) -> Vec<&Step> {
        let path = release.scenario.expect.path;
        let is_planned = |name: &str| release.way.as_ref().is_some_and(|way| way.has(name));
        steps_on(&self.runbook.runbook, path, &is_planned)
    }

    /// One of the releases that are `wanted`, if there are any, with everything about it that is no fault of the
    /// search's.
    fn surroundings(
        &self,
        half: Half,
        wanted: &dyn Fn(&Release) -> bool,
        stream: &dyn Fn(&str) -> Rng,
    ) -> Result<(&Release, Scenario), NoRelease> {
        let releases = self.releases.iter().filter(|release| wanted(release));
        let mut releases: Vec<&Release> = releases.collect();
        if releases.is_empty() {
            releases.extend(&self.releases);
        }
        let release = *pick(&mut stream("release"), &releases).ok_or(NoRelease)?;
        let mut scenario = release.scenario.clone();
        let way = release.way.as_ref();
        load(&mut stream("load"), half, way, &mut scenario);
        bursts(&mut stream("bursts"), half, way, &mut scenario);
        ledger(&mut stream("ledger"), half, &mut scenario);
        scenario.deployments = deployments(&mut stream("deployments"), half);
        if fails_in_one_pod(&scenario.release.to) {
            // Clients spread over pods by chance, and of more pods, or of those that come all at once, the bad one may
            // get too few requests to do harm that is noticed.
            scenario
                .deployments
                .retain(|it| it.service != Service::Gateway.name());
        }
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

/// Whether the defect of `release` shows in one gateway of several.
fn fails_in_one_pod(release: &str) -> bool {
    let release = dex::release::Release::by_name(release);
    let gateway = release.map(|it| it.build(Service::Gateway));
    gateway.is_some_and(|it| matches!(it.fault, Some(Defect::FailsInOnePod(_))))
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
mod tests;
