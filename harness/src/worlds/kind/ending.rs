//! When a drill on a cluster ends, and what is read then.

use std::time::Duration;

use super::clock::sleep;
use super::load::Load;
use super::path_taken::{Seen, path_between};
use super::stage::Stage;
use super::timing::Timing;
use super::{harvest, probe};
use crate::drill::timeline::TimelineEntry;
use crate::evidence::{Ms, Reading};
use crate::oracles::recovery;
use crate::scenario::{Path, Scenario};
use crate::worlds::common::told_by_clients;

/// How long the last second of the drill lies behind what it is waited for, in ms.
const TAIL: Ms = 5_000;
/// How long recovery is looked at where it is only measured, in ms: latency's window,
/// and half as long again for a fall back.
const SEEN: Ms = 15_000;

/// When a drill is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Once what recovered has held.
    Held,
    /// Once clients have seen the exchange recovered for [`SEEN`]; the executor is cut short in its proof.
    Recovered,
}

/// When the clients see recovery, if nothing bad happens later.
fn recovered_ms(stage: &Stage, load: &Load) -> Option<Ms> {
    let mut evidence = stage.lock().evidence.clone();
    evidence.seconds = load.look(|record| record.seconds.clone());
    recovery::recovered_ms(&evidence)
}

/// Completes once the clients have seen the exchange recovered for [`SEEN`]: from what made the trigger fire, as before
/// that nothing may be wrong yet.
pub(super) async fn seen_recovered(stage: &Stage, load: &Load) {
    let seen = || {
        stage.lock().evidence.executor.trigger.as_ref()?;
        recovered_ms(stage, load).filter(|at| at + SEEN <= stage.clock.now_ms())
    };
    while seen().is_none() {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Goes on until the hold time has passed since the seconds that date the recovery that the clients saw; if they have
/// not, not for long.
pub(super) async fn hold(stage: &Stage, load: &Load, timing: Timing) {
    let hold = stage.lock().evidence.hold_ms;
    let window = recovery::WINDOW_S as Ms * 1_000;
    let recovered = recovered_ms(stage, load).map(|at| at + window + hold);
    let now = stage.clock.now_ms();
    let end = recovered.unwrap_or(now).max(now) + TAIL;
    stage.clock.sleep_until(end.min(timing.until_ms)).await;
}

/// The evidence at the end.
pub(super) async fn finish(stage: &Stage, load: &mut Load, scenario: &Scenario) {
    let end_ms = stage.clock.now_ms();
    let mut looked = false;
    for _ in 0..3 {
        looked = looked || probe::look(stage).await;
    }
    if let Err(why) = load.stop() {
        stage.harness_failed(&why);
    }
    let whole = usize::try_from(end_ms / 1_000).unwrap_or(usize::MAX);
    let errors = {
        let evidence = &mut stage.lock().evidence;
        evidence.end_ms = end_ms;
        load.look(|record| {
            evidence.seconds = record.seconds.iter().take(whole).copied().collect();
            // Seconds at the end in which no client learned anything are seconds, too.
            evidence
                .seconds
                .resize(whole, crate::evidence::Second::default());
            evidence.orders.acknowledged.clone_from(&record.orders);
            evidence.trades.acknowledged.clone_from(&record.trades);
            evidence.unclaimed.unanswered.clone_from(&record.unanswered);
            evidence.host = Some(record.host.clone());
            record.errors.clone()
        })
    };
    for (kind, (count, first, last)) in errors {
        let what = format!("{count} × {kind}, until {}", crate::stats::show_ms(last));
        let entry = TimelineEntry::new(first, "clients", "", what);
        stage.lock().timeline.push(entry);
    }
    let orders = stage.lock().evidence.orders.clone();
    let from = &scenario.release.from;
    let (books, reckoning, pods, flag, fence, state) = (
        stage.ledger.present(&orders).await,
        stage
            .ledger
            .reckoning(from, super::perform::genesis(scenario))
            .await,
        harvest::last_pods(&stage.client).await,
        harvest::flag(&stage.client).await,
        stage.ledger.fence().await,
        harvest::lasting_state(&stage.client, &stage.ledger).await,
    );
    let identity = stage.ledger.identity().await;
    let mut notes = stage.lock();
    let notes = &mut *notes;
    let evidence = &mut notes.evidence;
    // What can't be read stays empty, and the oracles that rest on it are told so.
    let mut unread = std::collections::BTreeMap::new();
    let mut note = |what: Reading, why: String| {
        unread.entry(what).or_insert(why);
    };
    match books {
        Ok(found) => {
            evidence.orders.present = found.orders;
            evidence.trades.present = found.trades;
            evidence.unclaimed.present = found.unclaimed;
        }
        Err(why) => note(Reading::Books, why),
    }
    match reckoning {
        Ok(reckoning) => evidence.reckoning = Some(reckoning),
        Err(why) => note(Reading::Reckoning, why),
    }
    match pods {
        Ok(pods) => evidence.pods = pods,
        Err(why) => note(Reading::Pods, why),
    }
    match flag {
        Ok(flag) => evidence.maintenance.flag = flag,
        Err(why) => note(Reading::Maintenance, why),
    }
    match fence {
        Ok(token) => evidence.maintenance.fence_token = token,
        Err(why) => note(Reading::Maintenance, why),
    }
    match state {
        Ok(state) => {
            let said_none = evidence.executor.path == Path::None;
            if let (true, Some(before), Ok(ledger)) = (said_none, &notes.at_trigger, identity) {
                let after = Seen {
                    state: state.clone(),
                    ledger,
                };
                evidence.executor.path = path_between(before, &after);
            }
            evidence.state_after = state;
        }
        Err(why) => note(Reading::State, why),
    }
    evidence.unread = unread;
    let told = told_by_clients(evidence);
    let unread = evidence.unread.values().cloned().collect::<Vec<_>>();
    notes.timeline.extend(told);
    notes.timeline.extend(
        unread
            .into_iter()
            .map(|why| TimelineEntry::new(end_ms, "world", "", why)),
    );
}
