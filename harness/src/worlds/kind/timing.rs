//! When what happens in a drill on a cluster.

use std::time::Duration;

use crate::evidence::{Ms, ms};
use crate::scenario::Scenario;

/// The scenario's timing, as far as it makes sense in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) warm_up_ms: Ms,
    pub(super) deploy_at_ms: Ms,
    /// The drill ends once the hold time has passed since recovery, at the latest then.
    pub(super) until_ms: Ms,
}

impl Timing {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let timing = scenario.timing;
        let warm_up_ms = ms(timing.warm_up).min(20_000);
        let pause = ms(timing.deploy_at).saturating_sub(ms(timing.warm_up));
        Self {
            warm_up_ms,
            // The executor's baseline needs a minute of rates at most.
            deploy_at_ms: warm_up_ms + pause.clamp(20_000, 40_000),
            until_ms: ms(timing.duration),
        }
    }

    /// When the release that runs is looked at first, and when the next one is deployed.
    pub(super) fn instants(self) -> (Duration, Duration) {
        (
            Duration::from_millis(self.warm_up_ms),
            Duration::from_millis(self.deploy_at_ms),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario::{self, BUILT_IN};

    #[test]
    fn real_time_is_shorter_and_in_order() {
        let triggers = LoadedRunbook::built_in().expect("valid").triggers();
        for built_in in BUILT_IN {
            let scenario = Scenario::parse(built_in.file, built_in.text, &triggers).expect("valid");
            let timing = Timing::of(&scenario);
            assert!(timing.warm_up_ms <= ms(scenario.timing.warm_up));
            assert!(timing.deploy_at_ms >= timing.warm_up_ms + 20_000);
            assert!(timing.deploy_at_ms < timing.until_ms);
        }
        assert!(scenario::find("latency-regression").is_some());
    }
}
