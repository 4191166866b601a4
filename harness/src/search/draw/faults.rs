//! What goes wrong: kind, target, instant and duration of each fault.

use std::time::Duration;

use executor::runbook::Runbook;
use jiff::SignedDuration;
use sim::rng::Rng;

use super::dice::{pick, span};
use super::space::Half;
use crate::scenario::fault::{FAULTS, Family, FaultSpec, Need, Targets};
use crate::scenario::{Fault, FaultKind, PartsPerMillion, Scenario};
use crate::search::coverage::{Coverage, Met};
use crate::search::heal::heals;
use crate::search::reach::reach;
use crate::worlds::WorldKind;

/// What the faults of a drill are drawn by.
#[derive(Clone, Copy)]
pub(super) struct Faults<'a> {
    /// The runbook at whose steps they begin.
    pub(super) runbook: &'a Runbook,
    /// What may come of the drill.
    pub(super) half: Half,
    /// Whether each of them ends, and leaves nothing behind when it does.
    pub(super) heal: bool,
    /// What other drills have met.
    pub(super) coverage: &'a Coverage,
}

impl Faults<'_> {
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
            .filter(|spec| spec.draws.searched && families.contains(&spec.draws.family))
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
        let targets = targets_of(spec, scenario);
        let target = pick(rng, &targets).copied();
        if target.is_none() && spec.targets != Targets::NoChoice {
            return None;
        }
        let survivable = self.half == Half::Survivable;
        // What strikes the clients during the proof makes it begin anew, for which there may be no time;
        // and whoever changes something then is told to stop.
        let before_the_proof = survivable && (spec.strikes || spec.theirs.is_some());
        let path = scenario.expect.path;
        let reach = reach(self.runbook, path, spec, target, before_the_proof)?;
        let (lasts_most, delay_most) = match (self.half, self.heal) {
            // An outage that a person would call short.
            (Half::Survivable, _) => (8_000, 4_000),
            (Half::Hostile, true) => (60_000, 20_000),
            (Half::Hostile, false) => (180_000, 60_000),
        };
        let least = reach.shortest_ms;
        let most = least.max(lasts_most);
        Some(Fault {
            kind: spec.kind,
            when: pick(rng, &reach.anchors)?.clone(),
            at: span(rng, 0, reach.latest_ms),
            jitter: Duration::ZERO,
            lasts: match spec.lasts {
                Need::No => None,
                // For ever, where that is allowed: one in eight.
                Need::May if !survivable && rng.ratio(1, 8) && !self.heal => None,
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
}

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
