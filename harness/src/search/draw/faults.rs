//! What goes wrong: kind, target, instant and duration of each fault.

use std::time::Duration;

use executor::runbook::Step;
use jiff::SignedDuration;
use sim::rng::Rng;

use super::aim::{Aim, By};
use super::dice::{pick, span};
use super::space::Half;
use crate::scenario::fault::{FAULTS, Family, FaultSpec, Hosts, Need, Place, Targets, Which};
use crate::scenario::{Anchor, Fault, PartsPerMillion, Scenario};
use crate::search::coverage::{Coverage, Met};
use crate::search::heal::heals;
use crate::search::reach::reach;
use crate::worlds::WorldKind;

/// What the faults of a drill are drawn by.
#[derive(Clone)]
pub(super) struct Faults<'a> {
    /// The steps of the rollback, at which they begin.
    pub(super) steps: Vec<&'a Step>,
    /// What may come of the drill.
    pub(super) half: Half,
    /// Whether each of them ends, and leaves nothing behind when it does.
    pub(super) heal: bool,
    /// Whether each of them begins as late as there is something to hit, and goes on through the last step.
    pub(super) through: bool,
    /// What other drills have met.
    pub(super) coverage: &'a Coverage,
}

impl<'a> Faults<'a> {
    /// A fault of one of `families` that a drill of `scenario` can come to, of a kind that it has not yet;
    /// `None` if the draws lead to none.
    pub(super) fn draw(
        &self,
        rng: &mut Rng,
        families: &[Family],
        scenario: &Scenario,
    ) -> Option<Fault> {
        let kinds: Vec<&FaultSpec> = FAULTS
            .iter()
            .filter(|spec| spec.worlds.contains(&WorldKind::Sim))
            .filter(|spec| families.contains(&spec.draws.family))
            .filter(|spec| self.half == Half::Hostile || spec.draws.survivable)
            .filter(|spec| !self.heal || heals(spec))
            .filter(|spec| scenario.faults.iter().all(|it| it.kind != spec.kind))
            .collect();
        // Of three that are drawn, the one that was met least: what was never met is soon met, and nothing is left out.
        let drawn: Vec<Fault> = (0..3)
            .filter_map(|_| {
                let spec = pick(rng, &kinds)?;
                self.one(rng, spec, scenario)
            })
            .collect();
        drawn.into_iter().min_by_key(|fault| {
            self.coverage.count(&Met::Began {
                kind: fault.kind.as_str(),
                target: fault.target.clone(),
                at: fault.when.to_text(),
            })
        })
    }

    /// A fault of the kind `spec`; `None` if it would hit nothing in a drill of `scenario`.
    pub(super) fn one(
        &self,
        rng: &mut Rng,
        spec: &FaultSpec,
        scenario: &Scenario,
    ) -> Option<Fault> {
        let mut targets = targets_of(spec, scenario);
        targets.retain(|target| {
            let needs = spec.draws.needs(Some(target));
            needs.is_some_and(|it| it.place != Place::NextHost || has_next_host(scenario))
        });
        let target = pick(rng, &targets).copied();
        if target.is_none() && spec.targets != Targets::NoChoice {
            return None;
        }
        let survivable = self.half == Half::Survivable;
        // What strikes the clients during the proof makes it begin anew, for which there may be no time;
        // and whoever changes something then is told to stop.
        let before_the_proof = survivable && (spec.strikes.servers() || spec.theirs.is_some());
        let reach = reach(&self.steps, spec, target, before_the_proof)?;
        let (lasts_most, delay_most) = match (self.half, self.heal) {
            // An outage that a person would call short.
            (Half::Survivable, _) => (8_000, 4_000),
            (Half::Hostile, true) => (60_000, 20_000),
            (Half::Hostile, false) => (180_000, 60_000),
        };
        let (anchors, least, for_ever) = if self.through {
            let is_step = |anchor: &Anchor| matches!(anchor, Anchor::Step(_));
            let last = reach.anchors.iter().rposition(is_step).unwrap_or(0);
            (
                &reach.anchors[last..=last],
                reach.shortest_ms.max(60_000),
                2,
            )
        } else {
            (&reach.anchors[..], reach.shortest_ms, 8)
        };
        let most = least.max(lasts_most);
        Some(Fault {
            kind: spec.kind,
            when: pick(rng, anchors)?.clone(),
            at: span(rng, 0, reach.latest_ms),
            jitter: Duration::ZERO,
            lasts: match spec.lasts {
                Need::No => None,
                // For ever, where that is allowed: one in eight, or in two if it is to go on through a step.
                Need::May if !survivable && rng.ratio(1, for_ever) && !self.heal => None,
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
            by: match spec.by {
                Need::No => None,
                Need::May if rng.ratio(1, 2) => None,
                _ => Some(skew(rng)),
            },
        })
    }

    /// The faults that bring a drill of `scenario` to `aim`; none if the draws lead to none.
    pub(super) fn aimed(&self, rng: &mut Rng, aim: &Aim<'a>, scenario: &Scenario) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(kind) = aim.brought_about_by()
            && let Some(fault) = self.one(rng, kind.spec(), scenario)
        {
            faults.push(Fault {
                when: Anchor::Trigger,
                at: Duration::ZERO,
                ..fault
            });
        }
        // It begins at the step, or as late before it as there is something to hit, and goes on through it.
        let steps = self.steps.iter().copied();
        let mut steps: Vec<&'a Step> = steps.take_while(|it| it.name != aim.step.name).collect();
        steps.push(aim.step);
        let through = Self {
            steps,
            through: true,
            ..self.clone()
        };
        let kinds: Vec<&FaultSpec> = match aim.by {
            By::Fault(kind) => vec![kind.spec()],
            By::Crash => Vec::new(),
            By::Outage => outages(aim.step),
        };
        if let Some(spec) = pick(rng, &kinds)
            && let Some(mut fault) = through.one(rng, spec, scenario)
        {
            if aim.by == By::Outage {
                fault.lasts = None;
            }
            faults.push(fault);
        }
        faults
    }
}

/// The kinds of faults that can keep `step` from its end.
fn outages(step: &Step) -> Vec<&'static FaultSpec> {
    let on = |spec: &&FaultSpec| {
        let targets = spec.targets.names();
        let mut targets: Vec<Option<&str>> = targets.into_iter().map(Some).collect();
        if targets.is_empty() {
            targets.push(None);
        }
        let needs = targets.into_iter().filter_map(|it| spec.draws.needs(it));
        spec.lasts == Need::May
            && spec.worlds.contains(&WorldKind::Sim)
            && needs
                .filter(|it| it.place != Place::Anywhere)
                .any(|it| it.place.takes(&step.command))
    };
    FAULTS.iter().filter(on).collect()
}

/// Targets that a fault of that kind can hit in a drill of `scenario`: what is about the prior or the bad version of a
/// service hits nothing where the release leaves that service alone.
fn targets_of(spec: &FaultSpec, scenario: &Scenario) -> Vec<&'static str> {
    let about_the_change = spec.targets.which().is_some_and(Which::is_about_the_change);
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

/// Whether another host runs the executor after the first one, or beside it, in a drill of `scenario`.
fn has_next_host(scenario: &Scenario) -> bool {
    let brings = |fault: &Fault| {
        matches!(
            fault.kind.spec().hosts,
            Hosts::Killed | Hosts::Paused | Hosts::Joined
        )
    };
    scenario.crash.is_some() || scenario.faults.iter().any(brings)
}

/// Up to half a minute, either way.
fn skew(rng: &mut Rng) -> SignedDuration {
    let millis = rng.between(100, 30_000);
    let ahead = SignedDuration::from_millis(i64::try_from(millis).unwrap_or_default());
    if rng.ratio(1, 2) { ahead } else { -ahead }
}

fn chance(rng: &mut Rng) -> PartsPerMillion {
    let millionths = rng.between(20_000, 1_000_000);
    PartsPerMillion(u32::try_from(millionths).unwrap_or(1_000_000))
}
