//! When a drill on a cluster ends, and what is read then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock::sleep;
use super::load::{Errors, Load};
use super::path_taken::{self, Seen};
use super::stage::{Book, Notes, Stage};
use super::timing::Timing;
use super::{harvest, probe};
use crate::drill::timeline::TimelineEntry;
use crate::evidence::{Ms, Reading, Second};
use crate::oracles::recovery;
use crate::scenario::Scenario;
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
fn recovered_ms(book: &Book, seconds: Vec<Second>) -> Option<Ms> {
    let mut evidence = book.lock().evidence.clone();
    evidence.seconds = seconds;
    recovery::recovered_ms(&evidence)
}

/// Completes once the clients have seen the exchange recovered for [`SEEN`]: from what made the trigger fire, as before
/// that nothing may be wrong yet.
pub(super) async fn seen_recovered(stage: &Stage, load: &Load) {
    let seen = || {
        stage.lock().evidence.executor.trigger.as_ref()?;
        recovered_ms(stage, load.look(|record| record.seconds.clone()))
            .filter(|at| at + SEEN <= stage.clock.now_ms())
    };
    while seen().is_none() {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Goes on until the hold time has passed since the seconds that date the recovery that the clients saw; if they have
/// not, not for long. `seconds` is what they saw so far.
pub(super) async fn hold(book: &Book, seconds: &dyn Fn() -> Vec<Second>, timing: Timing) {
    let hold = book.lock().evidence.hold_ms;
    let window = recovery::WINDOW_S as Ms * 1_000;
    let recovered = recovered_ms(book, seconds()).map(|at| at + window + hold);
    let now = book.clock.now_ms();
    let end = recovered.unwrap_or(now).max(now) + TAIL;
    book.clock.sleep_until(end.min(timing.until_ms)).await;
}

/// Tells the timeline what went wrong for the clients.
pub(super) fn tell_errors(book: &Book, errors: Errors) {
    let told = errors.into_iter().map(|(kind, (count, first, last))| {
        let what = format!("{count} × {kind}, until {}", crate::stats::show_ms(last));
        TimelineEntry::new(first, "clients", "", what)
    });
    book.lock().timeline.extend(told);
}

/// Puts what could not be read into the evidence, and tells it.
pub(super) fn tell_unread(notes: &mut Notes, unread: BTreeMap<Reading, String>) {
    let at = notes.evidence.end_ms;
    let told = told_by_clients(&notes.evidence);
    notes.timeline.extend(told);
    let whys = unread.values();
    let entries = whys.map(|why| TimelineEntry::new(at, "world", "", why.clone()));
    notes.timeline.extend(entries);
    notes.evidence.unread = unread;
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
    let errors = {
        let evidence = &mut stage.lock().evidence;
        load.look(|record| {
            record.tell(end_ms, evidence);
            evidence.orders.acknowledged.clone_from(&record.orders);
            evidence.trades.acknowledged.clone_from(&record.trades);
            evidence.unclaimed.unanswered.clone_from(&record.unanswered);
            record.errors.clone()
        })
    };
    tell_errors(stage, errors);
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
    let mut unread = BTreeMap::new();
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
            notes.evidence.state_after.clone_from(&state);
            if let Ok(ledger) = identity {
                let ledger = Some(ledger);
                path_taken::tell(notes, &Seen { state, ledger });
            }
        }
        Err(why) => note(Reading::State, why),
    }
    tell_unread(notes, unread);
}
