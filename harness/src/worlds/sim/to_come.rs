//! What of a drill is still to come: what a look at its steady state must not take for seen.

use super::application::Bursts;
use crate::evidence::{Ms, ms};
use crate::scenario::Scenario;

impl Bursts {
    /// When the first one begins that begins at `since_ms` or later; `None`: none does.
    fn next_ms(self, since_ms: Ms) -> Option<Ms> {
        let Some(passed) = since_ms.checked_sub(self.first_ms) else {
            return Some(self.first_ms);
        };
        if passed == 0 {
            return Some(self.first_ms);
        }
        let every_ms = self.every_ms.filter(|every| *every > 0)?;
        Some(self.first_ms + passed.div_ceil(every_ms) * every_ms)
    }
}

/// When every part of the load that comes again has come once as a whole since `since_ms`, or `since_ms` where no
/// burst begins between then and the end of the drill. `theirs` are bursts beside those that the scenario says.
pub(super) fn load_met_ms(scenario: &Scenario, theirs: Vec<Bursts>, since_ms: Ms) -> Ms {
    let end_ms = ms(scenario.timing.duration);
    let own = scenario.load.bursts.map(|bursts| Bursts {
        first_ms: ms(bursts.every).saturating_sub(ms(bursts.lasts)),
        every_ms: Some(ms(bursts.every)),
        lasts_ms: ms(bursts.lasts),
    });
    let ahead = own.into_iter().chain(theirs).filter_map(|bursts| {
        let begins_ms = bursts.next_ms(since_ms).filter(|at| *at < end_ms)?;
        Some(begins_ms + bursts.lasts_ms)
    });
    ahead.max().unwrap_or(since_ms)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runbooks::LoadedRunbook;
    use crate::scenario;

    fn scenario() -> Scenario {
        let runbook = LoadedRunbook::built_in().expect("valid");
        let found = scenario::find("latency-regression").expect("built in");
        Scenario::parse(found.file, found.text, &runbook.triggers()).expect("valid")
    }

    #[test]
    fn a_burst_that_is_still_ahead_has_not_been_met() {
        let mut scenario = scenario();
        let load_met_ms =
            |scenario: &Scenario, since_ms| load_met_ms(scenario, Vec::new(), since_ms);
        scenario.timing.duration = Duration::from_secs(900);
        assert_eq!(load_met_ms(&scenario, 200_000), 200_000);
        let of = |every, lasts| {
            Some(scenario::Bursts {
                rate_per_s: 10_000,
                every: Duration::from_secs(every),
                lasts: Duration::from_secs(lasts),
            })
        };
        // The first one begins after eleven minutes and lasts for one.
        scenario.load.bursts = of(720, 60);
        assert_eq!(load_met_ms(&scenario, 200_000), 720_000);
        assert_eq!(load_met_ms(&scenario, 660_000), 720_000);
        // That one is not met as a whole, and no other one begins within the drill.
        assert_eq!(load_met_ms(&scenario, 660_001), 660_001);
        // One that has begun already is not met as a whole: the next one is.
        scenario.load.bursts = of(60, 10);
        assert_eq!(load_met_ms(&scenario, 230_000), 240_000);
        assert_eq!(load_met_ms(&scenario, 235_000), 300_000);
    }
}
