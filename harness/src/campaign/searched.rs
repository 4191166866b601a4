//! The files of several searches as one. What a search met steers what it draws next, so a shard is a search of its own
//! interval (`--first`, `--seeds`), which begins with nothing met. What is merged equals the same searches, one after
//! the other on one machine, merged. It is not what one search of the whole interval would draw.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::payload::Files;

/// Name of the merged file's form.
const SCHEMA: &str = "firedrill-search/1";

/// `search.json`, as far as it can be merged. What else it says is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchFile {
    /// Name of the form.
    pub schema: String,
    /// Of the draws.
    pub seed: u64,
    /// Number of the first drill.
    pub first: u64,
    /// Number of the first drill that was not performed.
    pub next: u64,
    /// Drills that were performed.
    pub drills: u64,
    /// Of them, those that had to recover.
    pub survivable: u64,
    /// Those that show nothing, by what they lack.
    pub silent: BTreeMap<String, u64>,
    /// The classes of failure, in the order in which they were found.
    pub classes: Vec<FoundClass>,
    /// What was met, and how often.
    #[serde(default)]
    pub coverage: BTreeMap<String, u64>,
}

/// A class of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundClass {
    /// In words.
    pub class: String,
    /// The oracle.
    pub oracle: String,
    /// What it finds.
    pub finding: String,
    /// The step or service that it is about.
    pub subject: Option<String>,
    /// The kinds of fault that are left in the smallest case.
    pub causes: Vec<String>,
    /// Of which half of the drills.
    pub half: String,
    /// How many drills failed so.
    pub drills: u64,
    /// The number of the first one.
    pub first: u64,
    /// Whether its case was cut down to the end.
    pub cut_down: bool,
    /// What was found in the smallest case.
    pub message: String,
    /// The file with the smallest case.
    pub scenario: String,
    /// The token that repeats it.
    pub replay: String,
    /// Why it is no new class, if it is known.
    pub known: Option<String>,
}

impl FoundClass {
    /// What makes two classes the same.
    fn key(&self) -> (&str, &str, Option<&str>, &str, &[String]) {
        let subject = self.subject.as_deref();
        (
            &self.oracle,
            &self.finding,
            subject,
            &self.half,
            &self.causes,
        )
    }

    /// Which case of two stands for the class: one that was cut down, then the one that was found first.
    fn rank(&self) -> (bool, u64) {
        (!self.cut_down, self.first)
    }
}

/// Why searches can't be merged.
#[derive(Debug, thiserror::Error)]
pub enum SearchedError {
    /// One of them has no file that can be read.
    #[error("the search file of shard {shard} can't be read: {why}")]
    Unreadable {
        /// The shard.
        shard: u32,
        /// Why.
        why: serde_json::Error,
    },
    /// There is none.
    #[error("no shard has a search file")]
    Nothing,
}

/// Merges the files of searches, each with its shard's index: `search.json`, a scenario for each class,
/// and `summary.md`.
///
/// # Errors
/// A file can't be read, or there is none.
pub fn merge_searches(shards: &BTreeMap<u32, Files>) -> Result<(SearchFile, Files), SearchedError> {
    let mut searches = Vec::with_capacity(shards.len());
    for (&shard, files) in shards {
        let text = files.get("search.json").map_or("", String::as_str);
        let search: SearchFile =
            serde_json::from_str(text).map_err(|why| SearchedError::Unreadable { shard, why })?;
        searches.push((search, files));
    }
    // By what was searched, and not by who did it.
    searches.sort_by_key(|(search, _)| (search.seed, search.first));
    let (first, _) = searches.first().ok_or(SearchedError::Nothing)?;
    let mut whole = SearchFile {
        schema: SCHEMA.to_owned(),
        seed: first.seed,
        first: first.first,
        next: first.next,
        drills: 0,
        survivable: 0,
        silent: BTreeMap::new(),
        classes: Vec::new(),
        coverage: BTreeMap::new(),
    };
    let mut scenarios = Files::new();
    for (search, files) in &searches {
        whole.next = whole.next.max(search.next);
        whole.drills += search.drills;
        whole.survivable += search.survivable;
        add(&mut whole.silent, &search.silent);
        add(&mut whole.coverage, &search.coverage);
        for class in &search.classes {
            take(&mut whole.classes, class);
            if let Some(text) = files.get(&class.scenario) {
                // The file of the case that stands for the class replaces another one of the same name.
                let stands = whole.classes.iter().any(|it| it.replay == class.replay);
                if stands || !scenarios.contains_key(&class.scenario) {
                    scenarios.insert(class.scenario.clone(), text.clone());
                }
            }
        }
    }
    scenarios.retain(|name, _| whole.classes.iter().any(|class| class.scenario == *name));
    let mut json = serde_json::to_string_pretty(&whole).unwrap_or_default();
    json.push('\n');
    let mut files = scenarios;
    files.insert("search.json".to_owned(), json);
    files.insert("summary.md".to_owned(), words(&whole));
    Ok((whole, files))
}

fn add(sum: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (what, count) in more {
        *sum.entry(what.clone()).or_default() += count;
    }
}

fn take(classes: &mut Vec<FoundClass>, class: &FoundClass) {
    let Some(same) = classes.iter_mut().find(|it| it.key() == class.key()) else {
        classes.push(class.clone());
        return;
    };
    let (drills, first) = (same.drills + class.drills, same.first.min(class.first));
    if class.rank() < same.rank() {
        *same = class.clone();
    }
    (same.drills, same.first) = (drills, first);
}

/// What people read.
fn words(whole: &SearchFile) -> String {
    let mut out = format!(
        "# Search with seed {}, drills {} to {}\n\n{} drills, {} of them had to recover; {} showed nothing.\n",
        whole.seed,
        whole.first,
        whole.next.saturating_sub(1),
        whole.drills,
        whole.survivable,
        whole.silent.values().sum::<u64>()
    );
    let new = whole.classes.iter().filter(|it| it.known.is_none()).count();
    let _ = writeln!(
        out,
        "{} classes of failure, {new} of them new.\n",
        whole.classes.len()
    );
    for class in &whole.classes {
        let state = if class.known.is_some() {
            "known"
        } else {
            "new"
        };
        let _ = writeln!(
            out,
            "- {state}: {} ({} drills, {}, first in drill {})\n\n      {}",
            class.class,
            class.drills,
            class.half,
            class.first,
            crate::token::command(&class.replay)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(cause: &str, first: u64, cut_down: bool) -> FoundClass {
        FoundClass {
            class: format!("outcome called under {cause}"),
            oracle: "outcome".to_owned(),
            finding: "called".to_owned(),
            subject: None,
            causes: vec![cause.to_owned()],
            half: "survivable".to_owned(),
            drills: 2,
            first,
            cut_down,
            message: String::new(),
            scenario: format!("{cause}.toml"),
            replay: format!("fd1-{first}"),
            known: None,
        }
    }

    fn shard(first: u64, classes: Vec<FoundClass>) -> Files {
        let scenarios = classes
            .iter()
            .map(|it| (it.scenario.clone(), it.replay.clone()));
        let mut files: Files = scenarios.collect();
        let search = SearchFile {
            schema: SCHEMA.to_owned(),
            seed: 7,
            first,
            next: first + 10,
            drills: 10,
            survivable: 4,
            silent: BTreeMap::from([("no-harm".to_owned(), 1)]),
            classes,
            coverage: BTreeMap::from([("quota begins at trigger".to_owned(), 3)]),
        };
        let text = serde_json::to_string(&search).expect("JSON");
        files.insert("search.json".to_owned(), text);
        files
    }

    #[test]
    fn the_order_of_shards_does_not_matter_and_everything_adds_up() {
        let shards = [
            shard(0, vec![class("quota", 3, false)]),
            shard(10, vec![class("crash", 11, true), class("quota", 17, true)]),
            shard(20, vec![class("quota", 25, true)]),
        ];
        let numbered = |order: [usize; 3]| -> BTreeMap<u32, Files> {
            order
                .iter()
                .zip(0..)
                .map(|(&at, index)| (index, shards[at].clone()))
                .collect()
        };
        let (whole, files) = merge_searches(&numbered([0, 1, 2])).expect("they merge");
        assert_eq!(
            merge_searches(&numbered([2, 0, 1])).expect("they merge"),
            (whole.clone(), files.clone())
        );
        assert_eq!(
            (whole.drills, whole.survivable, whole.first, whole.next),
            (30, 12, 0, 30)
        );
        assert_eq!(whole.silent["no-harm"], 3);
        assert_eq!(whole.coverage["quota begins at trigger"], 9);
        let told: Vec<_> = whole
            .classes
            .iter()
            .map(|it| {
                (
                    it.causes[0].as_str(),
                    it.drills,
                    it.first,
                    it.replay.as_str(),
                )
            })
            .collect();
        // The case of drill 17 was cut down, and that of drill 3 was not.
        assert_eq!(
            told,
            [("quota", 6, 3, "fd1-17"), ("crash", 2, 11, "fd1-11")]
        );
        assert_eq!(files["quota.toml"], "fd1-17");
        assert!(files["summary.md"].contains("2 classes of failure, 2 of them new"));
    }

    #[test]
    fn a_shard_without_its_file_is_named() {
        let mut shards = BTreeMap::from([(4, Files::new())]);
        let error = merge_searches(&shards).expect_err("it has no file");
        assert!(error.to_string().contains("shard 4"), "{error}");
        shards.clear();
        assert!(matches!(
            merge_searches(&shards),
            Err(SearchedError::Nothing)
        ));
    }
}
