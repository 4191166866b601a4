//! Mutants of a runbook: each is the runbook with one thing changed, as a person might change it, or with two.
//!
//! A mutant is a text, so that people can read it and every command takes it.

use std::collections::BTreeSet;

use executor::runbook::WHEN;
use sim::rng::Rng;

use super::form::{Edit, Fence, Item, fences, items};
use super::reword::{Scale, conditions, queries};

/// What kind of change a mutant is. Mutants of one kind are mostly caught by the same scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A step or trigger is missing.
    Dropped,
    /// A step is there twice.
    Doubled,
    /// Two neighbours have changed places.
    Swapped,
    /// It has another name.
    Renamed,
    /// A budget is longer or shorter.
    Budget,
    /// What must hold does so for a longer or shorter time.
    Hold,
    /// More values pass.
    Weakened,
    /// Fewer values pass.
    Sharpened,
    /// The comparison is another one.
    Sign,
    /// More or fewer requests are enough.
    Requests,
    /// An attribute is missing.
    Attribute,
    /// A failure has another consequence.
    OnFail,
    /// The step is in another phase.
    Phase,
    /// The step is done under another condition.
    When,
    /// A query aggregates in another way.
    Aggregation,
    /// A query selects others.
    Label,
    /// A query looks at another time.
    Window,
    /// A command says something else.
    Command,
    /// Services are in another order, or missing.
    Services,
    /// A trigger fires sooner or later.
    Debounce,
    /// A trigger has another class.
    Class,
    /// A key of the front matter has another value.
    Objective,
    /// Two changes.
    Pair,
}

impl Change {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Dropped,
        Self::Doubled,
        Self::Swapped,
        Self::Renamed,
        Self::Budget,
        Self::Hold,
        Self::Weakened,
        Self::Sharpened,
        Self::Sign,
        Self::Requests,
        Self::Attribute,
        Self::OnFail,
        Self::Phase,
        Self::When,
        Self::Aggregation,
        Self::Label,
        Self::Window,
        Self::Command,
        Self::Services,
        Self::Debounce,
        Self::Class,
        Self::Objective,
        Self::Pair,
    ];
}

/// A runbook with one change, or a pair of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Of which kind the change is.
    pub kind: Change,
    /// What is changed: a step, a trigger, or a key of the front matter.
    pub subject: String,
    /// How, in a few words.
    pub change: String,
    /// By how much, where it is a time that is changed.
    pub scale: Option<Scale>,
    /// The runbook's text.
    pub text: String,
    /// Where the change is; of a pair, the first.
    edit: Edit,
}

/// The mutants that are made, in order.
struct Made<'t> {
    text: &'t str,
    mutants: Vec<Mutant>,
}

impl Made<'_> {
    fn add(&mut self, kind: Change, subject: &str, change: impl Into<String>, edit: Edit) {
        self.push(kind, subject, change.into(), None, edit);
    }

    /// A time that is changed; `word` says which, where the subject has several.
    fn scale(&mut self, kind: Change, subject: &str, word: &str, scale: Scale, edit: Edit) {
        let change = format!("{word} {}", scale.words());
        let change = change.trim_start().to_owned();
        self.push(kind, subject, change, Some(scale), edit);
    }

    fn push(
        &mut self,
        kind: Change,
        subject: &str,
        change: String,
        scale: Option<Scale>,
        edit: Edit,
    ) {
        self.mutants.push(Mutant {
            kind,
            subject: subject.to_owned(),
            change,
            scale,
            text: edit.made_in(self.text),
            edit,
        });
    }
}

/// How many steps and how many triggers of `text` are found and can be changed.
#[must_use]
pub fn found(text: &str) -> (usize, usize) {
    (fences(text).len(), items(text).len())
}

/// All mutants of the runbook `text` with one change. No two have the same text.
#[must_use]
pub fn mutants(text: &str) -> Vec<Mutant> {
    let mut made = Made {
        text,
        mutants: Vec::new(),
    };
    let fences = fences(text);
    for (nth, fence) in fences.iter().enumerate() {
        step(&mut made, fence);
        neighbours(&mut made, fence, fences.get(nth + 1));
    }
    let items = items(text);
    for (nth, item) in items.iter().enumerate() {
        trigger(&mut made, item, items.get(nth + 1));
    }
    front_matter(&mut made);
    let mut seen = BTreeSet::from([text.to_owned()]);
    let mut mutants = made.mutants;
    mutants.retain(|mutant| seen.insert(mutant.text.clone()));
    mutants
}

/// `count` pairs of the changes in `singles` of `text`, drawn by `seed`: two that hide each other's loss are caught by
/// nothing that catches one. There are fewer, if so many draws lead to no new pair.
#[must_use]
pub fn pairs(text: &str, singles: &[Mutant], count: usize, seed: u64) -> Vec<Mutant> {
    let mut rng = Rng::derive(seed, "mutants/pairs");
    let mut seen: BTreeSet<String> = singles.iter().map(|it| it.text.clone()).collect();
    let mut out = Vec::new();
    let mut draws = count.saturating_mul(20);
    while out.len() < count && draws > 0 && singles.len() > 1 {
        draws -= 1;
        let (Some(a), Some(b)) = (pick(&mut rng, singles), pick(&mut rng, singles)) else {
            break;
        };
        let Some(both) = a.edit.both(&b.edit, text) else {
            continue;
        };
        if seen.insert(both.clone()) {
            out.push(Mutant {
                kind: Change::Pair,
                subject: format!("{} and {}", a.subject, b.subject),
                change: format!("{}; {}", a.change, b.change),
                scale: None,
                text: both,
                edit: a.edit.clone(),
            });
        }
    }
    out
}

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> Option<&'a T> {
    let index = usize::try_from(rng.below((of.len() as u64).max(1))).ok()?;
    of.get(index)
}

/// `mutants` in an order that `seed` shuffles, so that a part of them is a sample of all kinds.
#[must_use]
pub fn shuffled(mut mutants: Vec<Mutant>, seed: u64) -> Vec<Mutant> {
    let mut rng = Rng::derive(seed, "mutants/order");
    for last in (1..mutants.len()).rev() {
        let other = usize::try_from(rng.below(last as u64 + 1)).unwrap_or(last);
        mutants.swap(last, other);
    }
    mutants
}

const PHASES: [&str; 3] = ["prepare", "run", "after"];
const CONSEQUENCES: [&str; 3] = ["abort", "continue", "restore"];

fn step(made: &mut Made<'_>, fence: &Fence<'_>) {
    let name = fence.name().to_owned();
    let mut add = |kind, change: &str, with| made.add(kind, &name, change, fence.replaced(with));
    add(Change::Dropped, "dropped", String::new());
    let again = fence.set("name", Some(&format!("{}-again", fence.name())));
    let whole = fence.commanding(fence.command);
    add(Change::Doubled, "done twice", format!("{whole}\n{again}"));
    let renamed = fence.set("name", Some(&format!("{}-renamed", fence.name())));
    add(Change::Renamed, "under another name", renamed);
    for (key, word, kind) in [
        ("rb.timeout", "budget", Change::Budget),
        ("rb.hold", "hold", Change::Hold),
    ] {
        let Some(was) = fence.attribute(key) else {
            continue;
        };
        for scale in [Scale::Halved, Scale::Doubled, Scale::Twentieth] {
            if let Some(is) = scale.of(was) {
                made.scale(
                    kind,
                    &name,
                    word,
                    scale,
                    fence.replaced(fence.set(key, Some(&is))),
                );
            }
        }
    }
    let mut add = |kind, change: &str, with| made.add(kind, &name, change, fence.replaced(with));
    if let Some(condition) = fence.attribute("rb.expect") {
        for (kind, how, is) in conditions(condition) {
            add(kind, &how, fence.set("rb.expect", Some(&is)));
        }
    }
    for key in [
        "rb.hold",
        "rb.min-requests",
        "rb.when",
        "rb.on-fail",
        "rb.for-each",
    ] {
        if fence.attribute(key).is_some() {
            let how = format!("without `{key}`");
            add(Change::Attribute, &how, fence.set(key, None));
        }
    }
    let was = fence.attribute("rb.on-fail").unwrap_or("abort");
    for is in CONSEQUENCES.into_iter().filter(|is| *is != was) {
        let how = format!("its failure leads to `{is}`");
        add(Change::OnFail, &how, fence.set("rb.on-fail", Some(is)));
    }
    if let Some(was) = fence.attribute("rb.min-requests") {
        let half = was.parse::<u64>().map_or(0, |was| was / 2).to_string();
        for is in ["300", &half] {
            let how = format!("{is} requests are enough");
            add(
                Change::Requests,
                &how,
                fence.set("rb.min-requests", Some(is)),
            );
        }
    }
    let was = fence.attribute("rb.phase");
    for is in PHASES.into_iter().filter(|is| was != Some(is)) {
        let how = format!("in the phase `{is}`");
        add(Change::Phase, &how, fence.set("rb.phase", Some(is)));
    }
    let was = fence.attribute("rb.when");
    let conditions = WHEN.into_iter().filter(|is| *is != "always");
    for is in conditions.filter(|is| was != Some(is)) {
        let how = format!("only when `{is}`");
        add(Change::When, &how, fence.set("rb.when", Some(is)));
    }
    for (kind, how, command) in queries(fence.command) {
        add(kind, &how, fence.commanding(&command));
    }
    if let Some(counted) = fence.attribute("rb.requests") {
        for (kind, how, query) in queries(counted) {
            let how = format!("counting requests: {how}");
            add(kind, &how, fence.set("rb.requests", Some(&query)));
        }
    }
}

fn neighbours(made: &mut Made<'_>, fence: &Fence<'_>, next: Option<&Fence<'_>>) {
    let Some(next) = next else {
        return;
    };
    let text = made.text;
    let (this, that) = (&text[fence.start..fence.end], &text[next.start..next.end]);
    let between = &text[fence.end..next.start];
    let edit = Edit {
        start: fence.start,
        end: next.end,
        with: format!("{that}{between}{this}"),
    };
    let change = format!("after `{}`", next.name());
    made.add(Change::Swapped, fence.name(), change, edit);
}

fn trigger(made: &mut Made<'_>, item: &Item<'_>, next: Option<&Item<'_>>) {
    let name = item.value("name").unwrap_or_default().to_owned();
    let mut add = |kind, change: &str, with| made.add(kind, &name, change, item.replaced(with));
    add(Change::Dropped, "dropped", String::new());
    let line = format!("name: {name}\n");
    let other = format!("name: {name}-renamed\n");
    add(
        Change::Renamed,
        "under another name",
        item.text.replacen(&line, &other, 1),
    );
    if let Some(was) = item.value("class") {
        for is in ["p0", "sla", "data-integrity"]
            .into_iter()
            .filter(|is| *is != was)
        {
            let (line, other) = (format!("class: {was}\n"), format!("class: {is}\n"));
            let with = item.text.replacen(&line, &other, 1);
            add(Change::Class, &format!("of the class `{is}`"), with);
        }
    }
    if let Some(was) = item.value("for") {
        let line = format!("for: {was}\n");
        for scale in [
            Scale::Halved,
            Scale::Doubled,
            Scale::Tenfold,
            Scale::TakenAway,
        ] {
            if let Some(is) = scale.of(was) {
                let with = item.text.replacen(&line, &format!("for: {is}\n"), 1);
                let edit = item.replaced(with);
                made.scale(Change::Debounce, &name, "debounce", scale, edit);
            }
        }
    }
    let mut add = |kind, change: &str, with| made.add(kind, &name, change, item.replaced(with));
    if let Some(was) = item.value("condition") {
        for (kind, how, is) in conditions(was) {
            let (line, other) = (
                format!("condition: \"{was}\""),
                format!("condition: \"{is}\""),
            );
            add(kind, &how, item.text.replacen(&line, &other, 1));
        }
    }
    for (kind, how, with) in queries(item.text) {
        add(kind, &how, with);
    }
    if let Some(next) = next {
        let edit = Edit {
            start: item.start,
            end: next.end,
            with: format!("{}{}", next.text, item.text),
        };
        let change = format!("after `{}`", next.value("name").unwrap_or_default());
        made.add(Change::Swapped, &name, change, edit);
    }
}

fn front_matter(made: &mut Made<'_>) {
    let text = made.text;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let (at, end) = (start, start + line.len());
        start = end;
        if line.starts_with("triggers:") {
            break;
        }
        let Some((key, value)) = line.trim_end().split_once(": ") else {
            continue;
        };
        let edit = |is: &str| Edit {
            start: at,
            end,
            with: format!("{key}: {is}\n"),
        };
        let mut add = |kind, change: String, is: String| made.add(kind, key, change, edit(&is));
        match key {
            "rto" | "validation-window" => {
                for scale in [Scale::Halved, Scale::Doubled] {
                    if let Some(is) = scale.of(value) {
                        made.scale(Change::Objective, key, "", scale, edit(&is));
                    }
                }
            }
            "rpo" => add(
                Change::Objective,
                "one may be lost".to_owned(),
                "1".to_owned(),
            ),
            "namespace" => {
                let is = format!("{value}-other");
                add(Change::Objective, "another one".to_owned(), is);
            }
            "prometheus" | "loki" => {
                let is = value.replacen("://", "://other-", 1);
                add(Change::Objective, "another server".to_owned(), is);
            }
            "services" => {
                let names: Vec<&str> = value.trim_matches(['[', ']']).split(',').collect();
                let names: Vec<&str> = names.into_iter().map(str::trim).collect();
                for order in orders(&names) {
                    let how = format!("in the order {}", order.join(", "));
                    add(Change::Services, how, format!("[{}]", order.join(", ")));
                }
                for left_out in &names {
                    let kept = names.iter().copied().filter(|it| it != left_out);
                    let kept: Vec<&str> = kept.collect();
                    let how = format!("without {left_out}");
                    add(Change::Services, how, format!("[{}]", kept.join(", ")));
                }
            }
            _ => {}
        }
    }
}

/// The other orders of `names`: all of up to four, else the reverse one and each exchange of neighbours.
fn orders<'n>(names: &[&'n str]) -> Vec<Vec<&'n str>> {
    if names.len() > 4 {
        let swapped = (1..names.len()).map(|at| {
            let mut order = names.to_vec();
            order.swap(at - 1, at);
            order
        });
        let reversed = names.iter().rev().copied().collect();
        return std::iter::once(reversed).chain(swapped).collect();
    }
    let mut all = vec![Vec::new()];
    for &name in names {
        let longer = |order: &Vec<&'n str>| -> Vec<Vec<&'n str>> {
            let places = 0..=order.len();
            let put = |at| {
                let mut order = order.clone();
                order.insert(at, name);
                order
            };
            places.map(put).collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all.retain(|order| order != names);
    all
}

#[cfg(test)]
mod tests {
    use executor::runbook::Runbook;

    use super::*;
    use crate::runbooks::BUILT_IN;

    #[test]
    fn a_time_that_is_changed_says_by_how_much() {
        for kind in [Change::Budget, Change::Hold, Change::Debounce] {
            let all = mutants(BUILT_IN);
            let halved: Vec<&Mutant> = all
                .iter()
                .filter(|it| it.kind == kind && it.scale == Some(Scale::Halved))
                .collect();
            assert!(!halved.is_empty(), "{kind:?}");
            assert!(halved.iter().all(|it| it.change.ends_with(" halved")));
        }
    }

    #[test]
    fn no_two_mutants_have_the_same_text_and_all_kinds_are_there() {
        let all = mutants(BUILT_IN);
        let texts: BTreeSet<&str> = all.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(texts.len(), all.len());
        assert!(all.len() > 500, "{}", all.len());
        assert!(!texts.contains(BUILT_IN));
        let kinds: BTreeSet<Change> = all.iter().map(|it| it.kind).collect();
        for &kind in Change::ALL {
            assert_eq!(kinds.contains(&kind), kind != Change::Pair, "{kind:?}");
        }
    }

    #[test]
    fn most_mutants_are_runbooks() {
        let all = mutants(BUILT_IN);
        let reads = |it: &&Mutant| Runbook::parse("x.md", &it.text).is_ok();
        let read = all.iter().filter(reads).count();
        assert!(read * 10 > all.len() * 6, "{read} of {}", all.len());
    }

    #[test]
    fn pairs_are_drawn_by_the_seed_and_have_both_changes() {
        let all = mutants(BUILT_IN);
        let some = pairs(BUILT_IN, &all, 30, 4);
        assert_eq!(some, pairs(BUILT_IN, &all, 30, 4));
        assert_ne!(some, pairs(BUILT_IN, &all, 30, 5));
        assert_eq!(some.len(), 30);
        let texts: BTreeSet<&str> = all.iter().map(|it| it.text.as_str()).collect();
        for pair in &some {
            assert_eq!(pair.kind, Change::Pair);
            assert!(!texts.contains(pair.text.as_str()) && pair.text != BUILT_IN);
            // Each half is a single mutant of its own.
            let halves = all.iter().filter(|it| {
                pair.change.starts_with(&it.change) || pair.change.ends_with(&it.change)
            });
            assert!(halves.count() >= 2, "{}", pair.change);
        }
        assert_eq!(pairs(BUILT_IN, &all[..1], 5, 4), []);
    }

    #[test]
    fn a_part_of_the_shuffled_mutants_is_a_sample() {
        let all = mutants(BUILT_IN);
        let order = shuffled(all.clone(), 1);
        assert_eq!(order, shuffled(all.clone(), 1));
        assert_ne!(order, all);
        let mut back = order.clone();
        back.sort_by_key(|it| all.iter().position(|other| other == it));
        assert_eq!(back, all, "nothing is lost");
        let kinds: BTreeSet<Change> = order[..60].iter().map(|it| it.kind).collect();
        assert!(kinds.len() > 8, "{kinds:?}");
    }

    #[test]
    fn services_come_in_every_other_order() {
        let three = orders(&["a", "b", "c"]);
        assert_eq!(three.len(), 5);
        assert!(!three.contains(&vec!["a", "b", "c"]));
        assert_eq!(orders(&["a", "b", "c", "d", "e"]).len(), 5);
        assert_eq!(orders(&["a"]).len(), 0);
    }
}
