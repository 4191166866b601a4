//! Which scenarios try which protection: what a runbook's step is there for must happen before its absence can show.

use super::protection::Protection;
use crate::scenario::Scenario;

/// A scenario with a fault of this kind, or of this very name, tries the protection beside it.
const TRIALS: [(&str, Protection); 13] = [
    ("good-release", Protection::Debounce),
    ("trigger-flaps", Protection::Debounce),
    ("trigger-flaps-sound", Protection::Debounce),
    ("flag-missed", Protection::Fence),
    ("second-undo", Protection::Pin),
    ("second-release-elsewhere", Protection::Hold),
    ("self-heal", Protection::Hold),
    ("deployment-paused", Protection::Paused),
    ("pods-stuck", Protection::Rollout),
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
        *of == protection && (fault || scenario.name == *word)
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
        assert!(!tries(&read("executor-paused"), Protection::Paused));
        assert!(tries(&read("deployment-paused"), Protection::Paused));
        for (word, protection) in TRIALS {
            let tried = |b: &&crate::scenario::BuiltIn| tries(&read(b.name), protection);
            assert!(BUILT_IN.iter().any(|b| tried(&b)), "no drill: {word}");
        }
        assert!(tries(&read("good-release"), Protection::Debounce));
        for built_in in BUILT_IN {
            assert!(!tries(&read(built_in.name), Protection::Objective));
        }
    }
}
