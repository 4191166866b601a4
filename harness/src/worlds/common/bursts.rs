//! The bursts of a load as the exchange's clients understand them.

use sim::time::Micros;

use crate::scenario::Load;

/// The bursts of `load`, if it has any.
pub(in crate::worlds) fn bursts(load: &Load) -> Option<sim_exchange::Bursts> {
    load.bursts.map(|bursts| sim_exchange::Bursts {
        rate_per_s: u64::from(bursts.rate_per_s),
        every: Micros::from(bursts.every),
        lasts: Micros::from(bursts.lasts),
    })
}
