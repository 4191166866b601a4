//! What every part of a drill is drawn with.

use std::time::Duration;

use sim::rng::Rng;

/// One of `of`; `None` if there is none.
pub(super) fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    let count = of.len() as u64;
    let index = usize::try_from(rng.below(count.max(1))).ok()?;
    of.get(index)
}

/// A duration from `least` to `most` milliseconds; half of them are short, where most races are.
pub(super) fn span(rng: &mut Rng, least: u64, most: u64) -> Duration {
    let most = if rng.ratio(1, 2) {
        most
    } else {
        least + (most - least) / 20
    };
    Duration::from_millis(rng.between(least, most))
}

/// A number from `least` to `most`.
pub(super) fn number(rng: &mut Rng, least: u32, most: u32) -> u32 {
    let drawn = rng.between(u64::from(least), u64::from(most.max(least)));
    u32::try_from(drawn).unwrap_or(most)
}

/// A whole number of seconds from `least` to `most`.
pub(super) fn seconds(rng: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_secs(rng.between(least, most))
}
