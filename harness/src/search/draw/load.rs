//! The load: how many requests come and when, by how many accounts on how many markets,
//! and what the ledger holds already.

use std::time::Duration;

use sim::rng::Rng;

use super::dice::{number, seconds};
use super::space::Half;
use crate::scenario::{Bursts, LedgerSize, Load, Path, Scenario};
use crate::search::bound::Way;

/// The fewest and the most requests a second.
const RATES: (u32, u32) = (10, 2_000);
/// One account must not come to the gateways' limit of 250 requests a second, however unevenly its requests come.
pub(super) const REQUESTS_PER_ACCOUNT: u32 = 50;
/// So many accounts at least show what a broken schema does: of 100, each of 40 drills did, and of 30, 38.
const ACCOUNTS_OF_A_SCHEMA: u32 = 100;
/// What the trigger on throughput compares, in seconds: the last fifteen with a minute of before. It fires below 70 %
/// for half a minute. A load that is left to itself stays above three quarters.
const COMPARED_S: u64 = 60;

/// Draws the load; the release's own in half of the drills, as its harm may depend on it, unless it leaves too little
/// time to a drill that must recover.
pub(super) fn load(rng: &mut Rng, half: Half, way: Option<&Way>, scenario: &mut Scenario) {
    let own = rng.ratio(1, 2);
    if own && (half == Half::Hostile || way.is_none_or(|way| way.fits(&scenario.load))) {
        return;
    }
    let load = &mut scenario.load;
    load.rate_per_s = match half {
        Half::Survivable => {
            // With fewer, even a sound executor can't prove a recovery in time.
            let least = way.and_then(Way::least_rate).unwrap_or(load.rate_per_s);
            match rng.below(10) {
                0 => number(rng, 400, RATES.1),
                1 | 2 => number(rng, least, least + 20),
                _ => number(rng, least, 400),
            }
        }
        Half::Hostile => match rng.below(16) {
            0 => number(rng, RATES.0, 60),
            1 => number(rng, 600, RATES.1),
            _ => number(rng, 60, 600),
        },
    };
    let accounts = match rng.below(8) {
        0 => number(rng, 3_000, 20_000),
        _ => number(rng, 10, 3_000),
    };
    // What a schema breaks shows in the balances of some accounts only.
    let shows = match scenario.expect.path {
        Path::Undo => ACCOUNTS_OF_A_SCHEMA,
        _ => 0,
    };
    load.accounts = accounts
        .max(load.rate_per_s / REQUESTS_PER_ACCOUNT)
        .max(shows);
    load.markets = match rng.below(8) {
        0 => number(rng, 17, 64),
        _ => number(rng, 1, 16),
    };
}

/// Draws bursts, or quiet times, into one drill in four.
pub(super) fn bursts(rng: &mut Rng, half: Half, way: Option<&Way>, scenario: &mut Scenario) {
    let drawn = rng.ratio(1, 4);
    let quiet = rng.ratio(1, 2);
    let bursts = match half {
        Half::Survivable => modest(rng, quiet, scenario.load.rate_per_s),
        Half::Hostile => {
            let every = seconds(rng, 5, 180);
            Bursts {
                rate_per_s: number(rng, RATES.0, RATES.1),
                every,
                lasts: seconds(rng, 1, every.as_secs() - 1),
            }
        }
    };
    let load = Load {
        bursts: Some(bursts).filter(|it| it.rate_per_s != scenario.load.rate_per_s),
        ..scenario.load
    };
    // A burst that is the harm's only cause, or a quiet time that hides it,
    // is not what a release's expectations are made for.
    let harmless = scenario.expect.trigger.as_deref() != Some("sla-throughput");
    if drawn && harmless && (half == Half::Hostile || way.is_some_and(|way| way.fits(&load))) {
        scenario.load = load;
    }
}

/// Bursts that set no trigger off and leave the time for the proof.
fn modest(rng: &mut Rng, quiet: bool, rate: u32) -> Bursts {
    let every = seconds(rng, COMPARED_S, 180);
    if quiet {
        // Over fifteen seconds it is low for as long as it lasts and ten seconds more,
        // and that must not be half a minute.
        let lasts = seconds(rng, 2, 12);
        let rate_per_s = number(rng, (rate / 10).max(1), rate);
        return Bursts {
            rate_per_s,
            every,
            lasts,
        };
    }
    let lasts = rng.between(2, 10);
    // A minute with a burst in it has at most a third more requests than one without.
    let most = u64::from(rate) * (COMPARED_S / 3 + lasts) / lasts;
    let most = u32::try_from(most).unwrap_or(RATES.1).min(RATES.1);
    Bursts {
        rate_per_s: number(rng, rate, most.max(rate)),
        every,
        lasts: Duration::from_secs(lasts),
    }
}

/// Draws what the ledger holds already, in half of the drills something.
pub(super) fn ledger(rng: &mut Rng, half: Half, scenario: &mut Scenario) {
    if rng.ratio(1, 2) || scenario.expect.path == Path::None {
        return;
    }
    // The budgets of the runbook's restore and undo hold for some 300 MB and 100,000 rows;
    // what is larger takes a plan by its size.
    let (mb, rows) = match half {
        Half::Survivable => (150, 50_000),
        Half::Hostile => (3_000, 1_000_000),
    };
    scenario.ledger = LedgerSize {
        more_mb: number(rng, 0, mb),
        more_rows: number(rng, 0, rows),
    };
}
