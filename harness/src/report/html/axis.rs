//! Axes: where a value lies on a scale, and where its ticks are.

/// A linear scale, in percent of the width that there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    /// From `from` to `to`; at least one wide, and wider where a float can't tell that from nothing.
    pub(super) fn new(from: f64, to: f64) -> Self {
        Self {
            from,
            to: to.max(from + 1.0).max(from + from.abs() * 1e-9),
        }
    }

    /// Where `value` lies, from 0 to 100; what is outside lies at the end.
    pub(super) fn percent(self, value: f64) -> f64 {
        ((value - self.from) / (self.to - self.from) * 100.0).clamp(0.0, 100.0)
    }

    /// What lies at `percent`.
    pub(super) fn at(self, percent: f64) -> f64 {
        self.from + (self.to - self.from) * percent / 100.0
    }

    /// Whether `value` lies on it.
    pub(super) fn holds(self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    /// Multiples of a step of 1, 2, 3 or 5 (or a minute's parts) so that there are at most `most` of them.
    pub(super) fn ticks(self, most: usize, steps: &[f64]) -> Vec<f64> {
        let span = self.to - self.from;
        let fits = |step: &&f64| span / **step <= most as f64;
        // Beyond the last: as many times the last as it takes.
        let last = steps.last().copied().unwrap_or(1.0);
        let step = steps
            .iter()
            .find(fits)
            .copied()
            .unwrap_or_else(|| (span / most as f64 / last).ceil() * last);
        let first = (self.from / step).ceil();
        (0..=most)
            .map(|n| (first + n as f64) * step)
            .take_while(|tick| *tick <= self.to)
            .collect()
    }
}

/// Steps for axes of time, in milliseconds.
pub(super) const TIME_STEPS: [f64; 17] = [
    50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 1.2e5, 3e5, 6e5, 1.2e6, 1.8e6,
    3.6e6,
];

/// The least of 1, 1.5, 2, 3, 4, 5, 6, 8 and 10 times a power of ten that is at least `value`.
pub(super) fn round_up(value: f64) -> f64 {
    if value <= 1.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|m| *m >= value)
        .unwrap_or(value)
}

/// A percentage for an attribute: two decimals, no trailing zeros, so that the same page is the same bytes.
pub(super) fn pc(percent: f64) -> String {
    format!("{}%", short(percent))
}

/// A number with at most two decimals.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_on_the_scale_and_ticks_inside_it() {
        let scale = Scale::new(-30_000.0, 330_000.0);
        assert_eq!(scale.percent(-30_000.0), 0.0);
        assert_eq!(scale.percent(150_000.0), 50.0);
        assert_eq!(scale.percent(1e9), 100.0);
        let ticks = scale.ticks(7, &TIME_STEPS);
        assert_eq!(
            ticks,
            [0.0, 60_000.0, 120_000.0, 180_000.0, 240_000.0, 300_000.0]
        );
    }

    #[test]
    fn no_span_is_too_long_for_its_ticks() {
        let far = Scale::new(u64::MAX as f64, u64::MAX as f64);
        assert!(far.percent(u64::MAX as f64).is_finite());
        for end in [1.0, 1e3, 1e7, 1e12, u64::MAX as f64] {
            let ticks = Scale::new(0.0, end).ticks(6, &TIME_STEPS);
            assert!((1..=7).contains(&ticks.len()), "{end}: {ticks:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(12.0), "12");
        assert_eq!(short(-0.001), "0");
        assert_eq!(pc(33.333_333), "33.33%");
        assert_eq!(
            [0.0, 3.0, 210.0, 999.0].map(round_up),
            [1.0, 3.0, 300.0, 1000.0]
        );
    }
}
