//! When the exchange recovered, as its clients and its books saw it, and what came after.
//!
//! Recovery is dated by a rule that looks back over [`WINDOW_S`] seconds and at nothing later. It is the first whole
//! second after the trigger that begins that many seconds in a row in which
//! - the clients' error rate stays below the bound, in the first of them and over all,
//! - no request is refused for maintenance,
//! - p99 latency stays within its target, in the first of them and over all,
//! - the ledger was looked at, and its invariants hold at every look,
//! - the deployed release no longer serves by their end, where the runbook's path takes it back, and does not come back
//!   while the executor is at work. Good luck under a bad release is no recovery: nothing has been rolled back yet.
//!
//! Without that many seconds on record there is no recovery. Everything after that instant is judged by itself
//! ([`Tail`]), so one noisy second costs what it costs and does not move the recovery. The seconds that date it were
//! chosen for being good: they count as held, and show nothing of how often requests fail or are slow from then on,
//! which is counted from their end. Whole seconds: measured recovery is up to one second later than true recovery,
//! never earlier.
//!
//! A drill judges one incident. A fault of the scenario that strikes the exchange belongs to it until recovery has held
//! for as long as the scenario asks and the executor has ended: what had recovered must recover again. What strikes
//! later is another incident, which nobody was there to roll back. The tail ends there.

use crate::evidence::{Evidence, Ms, Second, Total, second_from};
use crate::scenario::Path;
use crate::stats::upper_bound_ppb;

/// How many good seconds in a row make a recovery, and over how many p99 is taken; 2,000 requests at 200 a second.
pub const WINDOW_S: usize = 10;

/// Within how many seconds of a strike its clients must see it: what a fault sets off takes a rollout at most until
/// they do.
const STRIKE_S: usize = 30;

/// So many bad seconds within a window are a relapse. Fewer are noise, which the tail's error rate and p99 count.
const RELAPSE_S: usize = 3;

/// The instant of recovery; `None`: never, or there was nothing to recover from.
#[must_use]
pub fn recovered_ms(evidence: &Evidence) -> Option<Ms> {
    recovered_before(evidence, Ms::MAX)
}

/// The instant of recovery, as far as the executor can know:
/// what strikes the exchange later than `until_ms` does not move it.
#[must_use]
pub fn recovered_before(evidence: &Evidence, until_ms: Ms) -> Option<Ms> {
    let anchor_ms = evidence.anchor_ms()?;
    let struck = struck_again_ms(evidence, anchor_ms, until_ms);
    recovered_from(evidence, struck.unwrap_or(anchor_ms))
}

/// The first recovery that may be dated at `from_ms` or later, whatever strikes the exchange after that.
fn recovered_from(evidence: &Evidence, from_ms: Ms) -> Option<Ms> {
    let last = evidence.seconds.len().checked_sub(WINDOW_S)?;
    (second_from(from_ms)..=last)
        .find(|&start| is_recovery(evidence, start))
        .map(|start| start as Ms * 1_000)
}

/// Whether a recovery may be dated at second `start`, whose window is on record.
fn is_recovery(evidence: &Evidence, start: usize) -> bool {
    let whole = evidence.between(start, start + WINDOW_S);
    let first = evidence.between(start, start + 1);
    whole.maintenance == 0
        && first.answered > 0
        && is_well(evidence, first)
        && is_well(evidence, whole)
        && is_sound(evidence, start)
        && !deployed_serves(evidence, (start + WINDOW_S) as Ms * 1_000)
}

/// Whether what was to be rolled back served at `at_ms` or later, up to the executor's end, as the world itself saw it.
fn deployed_serves(evidence: &Evidence, at_ms: Ms) -> bool {
    let ended_ms = evidence.executor.ended_ms.unwrap_or(Ms::MAX).max(at_ms);
    let mut served = evidence.deployed_served.iter();
    evidence.expect.path != Path::None && served.any(|&(from, to)| from <= ended_ms && to >= at_ms)
}

/// Whether errors and latency of `total` are within their bounds.
fn is_well(evidence: &Evidence, total: Total) -> bool {
    let limit = evidence.expect.error_rate_max;
    (total.errors == 0 || limit.allows(total.errors, total.counted())) && !is_slow(total)
}

/// p99 is within the target if at most one in a hundred took longer.
fn is_slow(total: Total) -> bool {
    total.slow * 100 > total.counted()
}

/// Whether the ledger was looked at in the window from second `start` on, and every look found it sound.
fn is_sound(evidence: &Evidence, start: usize) -> bool {
    let (from, to) = (start as Ms * 1_000, (start + WINDOW_S) as Ms * 1_000);
    let first = evidence.probes.partition_point(|probe| probe.at_ms < from);
    let mut looks = evidence.probes[first..]
        .iter()
        .take_while(|probe| probe.at_ms <= to)
        .peekable();
    looks.peek().is_some() && looks.all(|probe| probe.violations.is_empty())
}

/// The last instant up to `until_ms` at which the clients saw that a fault of the scenario had struck the exchange
/// itself, in the incident that began at `anchor_ms`. Whatever had recovered before must recover again: the faults come
/// first, then the recovery.
pub(super) fn struck_again_ms(evidence: &Evidence, anchor_ms: Ms, until_ms: Ms) -> Option<Ms> {
    let Incident { strikes, over_ms } = Incident::begun_at(evidence, anchor_ms);
    let before = |at: &Ms| *at <= until_ms && over_ms.is_none_or(|over| *at < over);
    strikes.into_iter().filter(before).max()
}

/// What struck the exchange from the beginning of an incident on, and when another incident began.
struct Incident {
    /// When the clients saw each strike that began before the end.
    strikes: Vec<Ms>,
    /// The first strike that came after the exchange had held for as long as the scenario asks and the executor had
    /// ended, whether its clients saw it or not. `None`: nothing struck then.
    over_ms: Option<Ms>,
}

impl Incident {
    /// The incident that began at `anchor_ms`.
    fn begun_at(evidence: &Evidence, anchor_ms: Ms) -> Self {
        let ended_ms = evidence.executor.ended_ms.unwrap_or(Ms::MAX);
        let (mut strikes, mut from_ms) = (Vec::new(), anchor_ms);
        for (began_ms, seen_ms) in strikes_from(evidence, anchor_ms) {
            let has_held = |at: Ms| at.saturating_add(evidence.hold_ms) <= began_ms;
            if began_ms > ended_ms && recovered_from(evidence, from_ms).is_some_and(has_held) {
                let over_ms = Some(began_ms);
                return Self { strikes, over_ms };
            }
            from_ms = from_ms.max(seen_ms.unwrap_or(from_ms));
            strikes.extend(seen_ms);
        }
        Self {
            strikes,
            over_ms: None,
        }
    }
}

/// The strikes of the scenario's faults from `anchor_ms` on: when each began, and when the clients saw it, if they did.
/// In the order of their beginning.
fn strikes_from(evidence: &Evidence, anchor_ms: Ms) -> Vec<(Ms, Option<Ms>)> {
    let seen = |at: Ms| {
        let from = usize::try_from(at / 1_000).unwrap_or(usize::MAX);
        let seconds = evidence.seconds.iter().enumerate();
        let mut near = seconds.skip(from).take(STRIKE_S);
        let bad = near.find(|(_, second)| is_bad(evidence, second));
        (at, bad.map(|(bad, _)| at.max(bad as Ms * 1_000)))
    };
    let strikes = evidence.strikes().filter(|at| *at >= anchor_ms);
    let mut strikes: Vec<(Ms, Option<Ms>)> = strikes.map(seen).collect();
    strikes.sort_unstable();
    strikes
}

/// Whether what keeps recovery from being dated before `to_ms` is noise that the tail may have: all was well at
/// `from_ms`, nobody was refused for maintenance, fewer seconds than a relapse takes were not well, no book was broken
/// in between, and everything from `from_ms` on is within the limits of errors and latency.
pub(super) fn is_only_noise(evidence: &Evidence, from_ms: Ms, to_ms: Ms) -> bool {
    let (from, to) = (second_from(from_ms), second_from(to_ms));
    let total = evidence.between(from, end(evidence));
    let limit = u64::from(evidence.expect.error_rate_max.0) * 1_000;
    let well = |at| is_well(evidence, evidence.between(at, at + 1));
    let unwell = (from..to).filter(|&at| !well(at));
    let looks = evidence.probes.iter();
    let mut looks = looks.filter(|look| (from_ms..to_ms).contains(&look.at_ms));
    evidence.between(from, to).maintenance == 0
        && well(from)
        && unwell.count() < RELAPSE_S
        && looks.all(|look| look.violations.is_empty())
        && upper_bound_ppb(total.errors, total.counted()) < limit
        && !is_slow(total)
}

/// When the first of [`RELAPSE_S`] bad seconds within a window came, of the seconds from `from` to `to`.
fn relapse_ms(evidence: &Evidence, from: usize, to: usize) -> Option<Ms> {
    let to = to.min(evidence.seconds.len());
    let bad: Vec<usize> = (from..to)
        .filter(|&second| is_bad(evidence, &evidence.seconds[second]))
        .collect();
    let relapse = bad
        .windows(RELAPSE_S)
        .find(|bad| bad[RELAPSE_S - 1] - bad[0] < WINDOW_S)?;
    Some(relapse[0] as Ms * 1_000)
}

/// For how many seconds before the deployment, from the end of the warm-up on, the clients were badly off:
/// whatever the executor's preparation costs them.
pub(super) fn bad_before_deployment(evidence: &Evidence) -> u64 {
    let second = |at: Ms| usize::try_from(at / 1_000).unwrap_or(usize::MAX);
    let Some(deployed) = evidence.deployed_ms else {
        return 0;
    };
    let seconds = evidence.seconds.iter().take(second(deployed));
    let seconds = seconds.skip(second(evidence.warm_up_ms));
    seconds.filter(|it| is_bad(evidence, it)).count() as u64
}

/// In parts per million, how many requests of a second may fail before it is bad, whatever the scenario's own limit is.
const BAD_PPM: u64 = 10_000;

/// Whether a second is bad beyond doubt: refused for maintenance, nothing answered, more than one request in twenty
/// slow, or more failed than one in a hundred and than twice what the scenario allows.
pub(super) fn is_bad(evidence: &Evidence, second: &Second) -> bool {
    let counted = second.counted();
    let allowed_ppm = 2 * u64::from(evidence.expect.error_rate_max.0);
    second.maintenance > 0
        || (counted > 0 && second.answered == 0)
        || u64::from(second.errors) * 1_000_000 > counted * allowed_ppm.max(BAD_PPM)
        || u64::from(second.slow) * 20 > counted
}

/// What a reader is told at that instant.
pub const ANOTHER_INCIDENT: &str = "another incident began; what comes after it is not judged";

/// When another incident began, which nobody was there to roll back: what comes after it is not judged. `None`: none
/// did.
#[must_use]
pub fn another_incident_ms(evidence: &Evidence) -> Option<Ms> {
    Incident::begun_at(evidence, evidence.anchor_ms()?).over_ms
}

/// The second before which the incident ended: that in which another one began, or the first that is not recorded.
fn end(evidence: &Evidence) -> usize {
    let recorded = evidence.seconds.len();
    let whole = |at: Ms| usize::try_from(at / 1_000).unwrap_or(usize::MAX);
    another_incident_ms(evidence).map_or(recorded, |at| whole(at).min(recorded))
}

/// Everything after recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// When the exchange had recovered.
    pub recovered_ms: Ms,
    /// What the clients saw from the end of the seconds on that date the recovery.
    pub total: Total,
    /// When it fell back, if it did: the first of `RELAPSE_S` bad seconds within a window.
    pub relapsed_ms: Option<Ms>,
    /// When another incident began; the end of what is recorded if none did.
    pub until_ms: Ms,
}

/// What came after recovery; `None`: there was none.
#[must_use]
pub fn tail(evidence: &Evidence) -> Option<Tail> {
    let recovered_ms = recovered_ms(evidence)?;
    let from = second_from(recovered_ms);
    let end = end(evidence);
    Some(Tail {
        recovered_ms,
        total: evidence.between(from + WINDOW_S, end),
        relapsed_ms: relapse_ms(evidence, from, end),
        until_ms: end as Ms * 1_000,
    })
}

/// First seconds of the windows in which p99 latency is beyond its target.
pub fn slow_windows(evidence: &Evidence) -> impl Iterator<Item = usize> + '_ {
    let seconds = &evidence.seconds;
    let window = WINDOW_S.min(seconds.len().max(1));
    let starts = (seconds.len() + 1).saturating_sub(window);
    let mut sum = evidence.between(0, window.saturating_sub(1));
    (0..starts).filter(move |&start| {
        if let Some(entering) = seconds.get(start + window - 1) {
            sum.answered += u64::from(entering.answered);
            sum.errors += u64::from(entering.errors);
            sum.slow += u64::from(entering.slow);
        }
        let breached = is_slow(sum);
        let leaving = seconds[start];
        sum.answered -= u64::from(leaving.answered);
        sum.errors -= u64::from(leaving.errors);
        sum.slow -= u64::from(leaving.slow);
        breached
    })
}

/// The first harm after the deployment: an error, a latency breach, or a broken invariant.
#[must_use]
pub fn first_harm_ms(evidence: &Evidence) -> Option<Ms> {
    let deployed = evidence.deployed_ms?;
    let from = usize::try_from(deployed / 1_000).unwrap_or(usize::MAX);
    let error = (from..evidence.seconds.len())
        .find(|&s| evidence.seconds[s].errors > 0)
        .map(|s| (s as Ms * 1_000).max(deployed));
    // Of a window in which too many were slow, some second was the first of which that can be said by itself.
    let slow_in = |start: usize| {
        let window = start..start + WINDOW_S;
        let mut seconds = window.filter(|&s| is_slow(evidence.between(s, s + 1)));
        seconds.next().unwrap_or(start)
    };
    let slow = slow_windows(evidence)
        .find(|&s| s >= from)
        .map(|s| (slow_in(s) as Ms * 1_000).max(deployed));
    let broken = evidence
        .probes
        .iter()
        .find(|p| p.at_ms >= deployed && !p.violations.is_empty())
        .map(|p| p.at_ms);
    [error, slow, broken].into_iter().flatten().min()
}
