//! Which scenarios try which protection: what a runbook's step is there for must happen before its absence can show.

use super::protection::Protection;
use crate::scenario::Scenario;

/// A scenario with a fault of this kind, or with the word in its name, tries the protection beside it.
const TRIALS: [(&str, Protection); 13] = [
    ("good-release", Protection::Debounce),
    ("flag-missed", Protection::Fence),
    ("second-undo", Protection::Pin),
    ("two-executors", Protection::Pin),
    ("self-heal", Protection::Hold),
    ("paused", Protection::Paused),
    ("configuration", Protection::Configuration),
    ("slow-old-pods", Protection::Rollout),
    ("stuck-old-pods", Protection::Rollout),
    ("image-gone", Protection::Rollout),
    ("image-gone", Protection::Stop),
    ("undo-script-failing", Protection::Stop),
    ("metrics-missing", Protection::Proof),
];

/// Whether drills of `scenario` try `protection`.
#[must_use]
pub fn tries(scenario: &Scenario, protection: Protection) -> bool {
    // An executor that dies and is resumed does each step once all the same: a crash alone tries no pin.
    TRIALS.iter().any(|(word, of)| {
        let fault = scenario.faults.iter().any(|f| f.kind.as_str() == *word);
        *of == protection && (fault || scenario.name.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUILT_IN, find};

    #[test]
    fn the_sound_release_tries_the_debounce_and_nothing_tries_what_no_drill_does() {
        let read = |name: &str| {
            let built_in = find(name).expect("it is built in");
            Scenario::parse(built_in.file, built_in.text, &[]).expect("it loads")
        };
        assert!(tries(&read("good-release"), Protection::Debounce));
        for built_in in BUILT_IN {
            assert!(!tries(&read(built_in.name), Protection::Objective));
        }
    }
}
