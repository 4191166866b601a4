//! What changed between two runs: verdicts, classes of failure, and times to recover.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::classes::{ClassName, classes};
use super::journal::Journal;
use super::meta;
use super::summary::{ScenarioSummary, by_scenario_of};
use super::tally;
use crate::stats::show_ms;
use crate::verdict::Verdict;
use crate::worlds::WorldKind;

/// How many lines of each sort the terminal shows.
const LINES_MAX: usize = 20;

/// What is told of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began, if its journal says so: `2026-11-30 19:00:00 UTC`.
    pub began: Option<String>,
    /// Its verdict.
    pub verdict: Verdict,
    /// How many drills came to what.
    pub tally: String,
}

/// A scenario in both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioChange {
    /// Its name, and its world where there are two.
    pub label: String,
    /// The verdict before and now; `None`: it was not drilled.
    pub verdict: (Option<Verdict>, Option<Verdict>),
    /// Drills with the same seed in both runs.
    pub paired: usize,
    /// Those of them that came to another verdict.
    pub turned: usize,
    /// The median time to recover before and now, in milliseconds; `None`: it has none.
    pub median_ms: (Option<u64>, Option<u64>),
    /// The longest time to recover before and now, in milliseconds; `None`: there is none, or a drill never recovered.
    pub worst_ms: (Option<u64>, Option<u64>),
    /// What stands where there is no time, before and now: `never`, `person paged`.
    pub no_time: (&'static str, &'static str),
}

/// A class of failure in both runs, with its drills before and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassChange {
    /// The class.
    pub name: ClassName,
    /// Its drills before.
    pub before: usize,
    /// Its drills now.
    pub now: usize,
    /// The command that shows it: now, if it is still there.
    pub command: String,
}

/// The differences of two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The run before.
    pub before: Run,
    /// The run now.
    pub now: Run,
    /// Scenarios that differ in anything, by label.
    pub scenarios: Vec<ScenarioChange>,
    /// Classes that differ in number, new ones first.
    pub classes: Vec<ClassChange>,
    /// Scenarios that differ in nothing.
    pub unchanged: usize,
}

impl Run {
    fn of(journal: &Journal<'_>) -> Self {
        let first = journal.meta.first();
        Self {
            began: first.map(|run| meta::began(run.started)),
            verdict: journal.summary.verdict,
            tally: tally(&journal.summary),
        }
    }
}

impl ScenarioChange {
    /// Whether anything differs.
    fn is_any(&self) -> bool {
        self.verdict.0 != self.verdict.1
            || self.turned > 0
            || self.median_ms.0 != self.median_ms.1
            || self.worst_ms.0 != self.worst_ms.1
    }

    /// Whether it was drilled in both runs, with another verdict, or with drills that turned.
    #[must_use]
    pub fn is_of_verdicts(&self) -> bool {
        self.verdict.0.is_some()
            && self.verdict.1.is_some()
            && (self.verdict.0 != self.verdict.1 || self.turned > 0)
    }

    /// A time of before, in words.
    #[must_use]
    pub fn before(&self, ms: Option<u64>) -> String {
        ms.map_or_else(|| self.no_time.0.to_owned(), show_ms)
    }

    /// A time of now, in words.
    #[must_use]
    pub fn now(&self, ms: Option<u64>) -> String {
        ms.map_or_else(|| self.no_time.1.to_owned(), show_ms)
    }

    /// Whether it was drilled in both runs, and a time to recover differs.
    #[must_use]
    pub fn is_of_times(&self) -> bool {
        self.verdict.0.is_some()
            && self.verdict.1.is_some()
            && (self.median_ms.0 != self.median_ms.1 || self.worst_ms.0 != self.worst_ms.1)
    }
}

impl ClassChange {
    /// What became of it, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.before, self.now) {
            (0, _) => "new",
            (_, 0) => "gone",
            (before, now) if before < now => "more",
            _ => "fewer",
        }
    }
}

impl Changes {
    /// What changed from `before` to `now`.
    #[must_use]
    pub fn between(before: &Journal<'_>, now: &Journal<'_>) -> Self {
        let (scenarios, unchanged) = scenarios(before, now);
        Self {
            before: Run::of(before),
            now: Run::of(now),
            scenarios,
            classes: class_changes(before, now),
            unchanged,
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.scenarios.is_empty() && self.classes.is_empty()
    }

    /// The runs in one line: `against the run of 2026-11-29 02:00:00 UTC: pass → fail`.
    #[must_use]
    pub fn headline(&self) -> String {
        let which = match &self.before.began {
            Some(began) => format!("the run of {began}"),
            None => "the former run".to_owned(),
        };
        let verdict = if self.before.verdict == self.now.verdict {
            format!("{} as before", self.now.verdict)
        } else {
            format!("{} → {}", self.before.verdict, self.now.verdict)
        };
        format!("against {which}: {verdict}")
    }
}

type Key = (String, WorldKind);

fn scenarios(before: &Journal<'_>, now: &Journal<'_>) -> (Vec<ScenarioChange>, usize) {
    let summed = |journal: &Journal<'_>| -> BTreeMap<Key, ScenarioSummary> {
        let all = by_scenario_of(&journal.drills).into_iter();
        all.map(|s| ((s.scenario.clone(), s.world), s)).collect()
    };
    let (old, new) = (summed(before), summed(now));
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    let worlds: BTreeSet<WorldKind> = keys.iter().map(|key| key.1).collect();
    let mut verdicts: BTreeMap<(&str, WorldKind, u64), Verdict> = BTreeMap::new();
    for drill in &before.drills {
        verdicts.insert((&drill.scenario, drill.world, drill.seed), drill.verdict);
    }
    let mut pairs: BTreeMap<(&str, WorldKind), (usize, usize)> = BTreeMap::new();
    for drill in &now.drills {
        if let Some(verdict) = verdicts.get(&(&*drill.scenario, drill.world, drill.seed)) {
            let (paired, turned) = pairs.entry((&drill.scenario, drill.world)).or_default();
            *paired += 1;
            *turned += usize::from(*verdict != drill.verdict);
        }
    }
    let all = keys.iter().map(|key| {
        let (was, is) = (old.get(*key), new.get(*key));
        let (paired, turned) = pairs.get(&(&*key.0, key.1)).copied().unwrap_or_default();
        ScenarioChange {
            label: if worlds.len() > 1 {
                format!("{} in {}", key.0, key.1)
            } else {
                key.0.clone()
            },
            verdict: (
                was.map(ScenarioSummary::verdict),
                is.map(ScenarioSummary::verdict),
            ),
            paired,
            turned,
            median_ms: (
                was.and_then(|s| s.rto_p50_ms),
                is.and_then(|s| s.rto_p50_ms),
            ),
            worst_ms: (
                was.and_then(|s| s.rto_max_ms),
                is.and_then(|s| s.rto_max_ms),
            ),
            no_time: (
                was.map_or("none", ScenarioSummary::no_rto),
                is.map_or("none", ScenarioSummary::no_rto),
            ),
        }
    });
    let (changed, same): (Vec<_>, Vec<_>) = all.partition(ScenarioChange::is_any);
    (changed, same.len())
}

fn class_changes(before: &Journal<'_>, now: &Journal<'_>) -> Vec<ClassChange> {
    let mut changes: Vec<ClassChange> = classes(&now.drills)
        .iter()
        .map(|class| ClassChange {
            name: class.name.clone(),
            before: 0,
            now: class.drills.len(),
            command: class.command(),
        })
        .collect();
    for class in classes(&before.drills) {
        let count = class.drills.len();
        match changes.iter_mut().find(|known| known.name == class.name) {
            Some(known) => known.before = count,
            None => changes.push(ClassChange {
                command: class.command(),
                name: class.name,
                before: count,
                now: 0,
            }),
        }
    }
    changes.retain(|change| change.before != change.now);
    let rank = |change: &ClassChange| match change.word() {
        "new" => 0,
        "more" => 1,
        "fewer" => 2,
        _ => 3,
    };
    changes.sort_by_key(rank);
    changes
}

/// For the terminal.
#[must_use]
pub fn text(changes: &Changes) -> String {
    let mut out = format!("{}\n", changes.headline());
    let _ = writeln!(out, "  before: {}", changes.before.tally);
    let _ = writeln!(out, "  now:    {}", changes.now.tally);
    let only = |told: fn(&ScenarioChange) -> bool| -> Vec<String> {
        let those = changes.scenarios.iter().filter(|s| told(s));
        those.map(|s| s.label.clone()).collect()
    };
    let of = |told: fn(&ScenarioChange) -> bool| changes.scenarios.iter().filter(move |s| told(s));
    let verdicts = of(ScenarioChange::is_of_verdicts).map(|s| {
        let verdict = |v: Option<Verdict>| v.map_or("none", Verdict::as_str);
        let turned = match s.turned {
            0 => String::new(),
            n => format!(", {n} of {} drills turned", s.paired),
        };
        let (was, is) = (verdict(s.verdict.0), verdict(s.verdict.1));
        format!("{}: {was} → {is}{turned}", s.label)
    });
    list(&mut out, "verdicts", &verdicts.collect::<Vec<_>>());
    let classes = changes.classes.iter().map(|class| {
        let counts = format!("{} → {}", class.before, class.now);
        let told = format!("{} {}: {counts} drills", class.word(), class.name.title());
        if class.before == 0 {
            format!("{told}\n    {}", class.command)
        } else {
            told
        }
    });
    list(&mut out, "classes of failure", &classes.collect::<Vec<_>>());
    let times = of(ScenarioChange::is_of_times).map(|s| {
        format!(
            "{}: median {} → {}, worst {} → {}",
            s.label,
            s.before(s.median_ms.0),
            s.now(s.median_ms.1),
            s.before(s.worst_ms.0),
            s.now(s.worst_ms.1)
        )
    });
    list(&mut out, "times to recover", &times.collect::<Vec<_>>());
    let added = only(|s| s.verdict.0.is_none());
    let removed = only(|s| s.verdict.1.is_none());
    list(&mut out, "scenarios that were not drilled before", &added);
    list(&mut out, "scenarios that are not drilled now", &removed);
    if changes.is_none() {
        let _ = writeln!(out, "  nothing changed in {} scenarios", changes.unchanged);
    }
    out.truncate(out.trim_end().len());
    out
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines.iter().take(LINES_MAX) {
        let _ = writeln!(out, "  {line}");
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        let _ = writeln!(out, "  and {more} more, on the page with --report DIR");
    }
}
