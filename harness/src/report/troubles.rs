//! The drills that did not pass, grouped by what decided, the worst first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::journal::Drill;
use crate::verdict::Verdict;

/// How much of a reason is shown where room is scarce; the whole is in journal.json.
const REASON_CHARS: usize = 240;

/// Drills of one scenario that failed, or stayed open, by the same oracle.
#[derive(Debug)]
pub struct TroubleGroup<'a> {
    /// What came of them.
    pub verdict: Verdict,
    /// Scenario.
    pub scenario: &'a str,
    /// The oracle that decided first.
    pub oracle: &'a str,
    /// The drills.
    pub drills: Vec<&'a Drill<'a>>,
}

/// Verdict, scenario, oracle: the worst comes first.
type Key<'a> = (Reverse<Verdict>, &'a str, &'a str);

/// The groups of those of `drills` that did not pass.
#[must_use]
pub fn groups<'a>(drills: impl IntoIterator<Item = &'a Drill<'a>>) -> Vec<TroubleGroup<'a>> {
    let mut groups: BTreeMap<Key<'a>, Vec<&'a Drill<'a>>> = BTreeMap::new();
    for drill in drills {
        if drill.verdict == Verdict::Pass {
            continue;
        }
        let troubles = drill.troubles();
        let oracle = troubles.first().map_or("stage", |f| &*f.oracle);
        let key = (Reverse(drill.verdict), &*drill.scenario, oracle);
        groups.entry(key).or_default().push(drill);
    }
    groups
        .into_iter()
        .map(|((verdict, scenario, oracle), drills)| TroubleGroup {
            verdict: verdict.0,
            scenario,
            oracle,
            drills,
        })
        .collect()
}

/// Why `drill` did not pass, in the words of the oracle that decided.
#[must_use]
pub fn reason(drill: &Drill<'_>) -> String {
    drill
        .troubles()
        .first()
        .map_or("a stage that nothing looked at", |f| &*f.reason)
        .to_owned()
}

/// `text` on one line, cut where it is too long for one.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(REASON_CHARS) {
        line.truncate(cut);
        line.push_str(" ...");
    }
    line
}
