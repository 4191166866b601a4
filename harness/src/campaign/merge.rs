//! What the attempts of all shards come to. The order in which they are given does not matter.

use std::collections::{BTreeMap, BTreeSet};

use super::keep::Kept;
use super::payload::Files;
use super::share::Interval;
use super::summary::{Failure, Summary, Work};

/// One pod that ended.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The pod's name, or what else tells attempts apart.
    pub pod: String,
    /// The shard that it was to do.
    pub index: u32,
    /// Its summary, or why there is none.
    pub summary: Result<Summary, String>,
    /// Its files, or why there are none.
    pub files: Result<Files, String>,
}

/// Two attempts of one shard that came to different results: a drill was not a pure function of what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The shard.
    pub index: u32,
    /// The pods.
    pub pods: [String; 2],
    /// Where they differ first, if the logs of both have everything.
    pub place: Option<String>,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Drills that were performed.
    pub drills: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Of them, those that show nothing.
    pub inconclusive: u64,
    /// What failed, as far as the summaries say.
    pub failures: Vec<Failure>,
    /// How many more there are.
    pub left_out: u64,
    /// Shards without a result.
    pub missing: Vec<u32>,
    /// Attempts without a result, in words. Where another attempt of the shard has one, they do no harm.
    pub lost: Vec<String>,
    /// Attempts that are not of this campaign, in words: another build, another command, another share.
    pub strange: Vec<String>,
    /// Attempts that contradict each other.
    pub differing: Vec<Difference>,
    /// Shards whose results are counted, and not in their logs as a whole.
    pub counted: Vec<u32>,
    /// The files of each shard that has some.
    pub files: BTreeMap<u32, Files>,
    /// The exit codes of the shards that have a result.
    codes: BTreeSet<u8>,
    /// The exit codes of attempts without a result.
    lost_codes: BTreeSet<u8>,
}

/// Merges the attempts of `shards` shards that share `whole`, of the campaign with this digest. What `build` performed
/// is what counts; without it, the build of the first result does.
#[must_use]
pub fn merge(
    campaign: u64,
    work: Work,
    whole: Interval,
    shards: u32,
    build: Option<u32>,
    mut attempts: Vec<Attempt>,
) -> Merged {
    let mut merged = Merged::default();
    // By what they say, so that neither time nor names decide.
    attempts.sort_by_cached_key(|attempt| {
        let said = attempt.summary.as_ref().map(Summary::encode);
        let has_files = attempt.files.is_ok();
        (
            attempt.index,
            !has_files,
            said.unwrap_or_default(),
            attempt.pod.clone(),
        )
    });
    let mut build = build;
    let mut first: BTreeMap<u32, (Attempt, Summary)> = BTreeMap::new();
    for attempt in attempts {
        let Attempt { pod, index, .. } = &attempt;
        let summary = match &attempt.summary {
            Ok(summary) => summary.clone(),
            Err(why) => {
                merged.lost.push(format!("shard {index}, {pod}: {why}"));
                continue;
            }
        };
        let is_ours = summary.campaign == campaign
            && summary.work == work
            && summary.index == *index
            && summary.shards == shards;
        if !is_ours {
            let why = "its summary is that of another campaign or shard";
            merged.strange.push(format!("shard {index}, {pod}: {why}"));
            continue;
        }
        if !summary.is_conclusive() {
            merged.lost_codes.insert(summary.code);
            let why = match &summary.error {
                Some(error) => error.clone(),
                None => format!("it ended with exit code {}", summary.code),
            };
            merged.lost.push(format!("shard {index}, {pod}: {why}"));
            continue;
        }
        if whole.share(*index, shards) != Ok(summary.share) {
            let Interval { first, count } = summary.share;
            let why = format!(
                "its share is {count} numbers from {first} on, which is not that of this shard"
            );
            merged.strange.push(format!("shard {index}, {pod}: {why}"));
            continue;
        }
        let wanted = *build.get_or_insert(summary.build);
        if summary.build != wanted {
            let why = format!(
                "it ran the build {:08x} instead of {wanted:08x}",
                summary.build
            );
            merged.strange.push(format!("shard {index}, {pod}: {why}"));
            continue;
        }
        match first.get(index) {
            None => {
                first.insert(*index, (attempt, summary));
            }
            Some((known, of_known)) if of_known.digest != summary.digest => {
                merged.differing.push(Difference {
                    index: *index,
                    pods: [known.pod.clone(), pod.clone()],
                    place: place(known, &attempt),
                });
            }
            Some(_) => {}
        }
    }
    merged.missing = (0..shards)
        .filter(|index| !first.contains_key(index))
        .collect();
    for (index, (attempt, summary)) in first {
        merged.drills += summary.drills;
        merged.failed += summary.failed;
        merged.inconclusive += summary.inconclusive;
        merged.codes.insert(summary.code);
        merged.left_out = merged.left_out.saturating_add(summary.left_out);
        merged.failures.extend(summary.failures);
        match attempt.files {
            Ok(files) => {
                if summary.kept != Kept::All {
                    merged.counted.push(index);
                }
                merged.files.insert(index, files);
            }
            Err(_) => merged.counted.push(index),
        }
    }
    merged
}

/// The first line in which the files of two attempts differ.
fn place(one: &Attempt, other: &Attempt) -> Option<String> {
    let (one, other) = (one.files.as_ref().ok()?, other.files.as_ref().ok()?);
    for (name, text) in one {
        let drills = |text: &str| -> Option<Vec<serde_json::Value>> {
            let value: serde_json::Value = serde_json::from_str(text).ok()?;
            value["drills"].as_array().cloned()
        };
        let twin = other.get(name)?;
        // Drills of a journal are named by scenario and seed, other files by their name.
        let Some((mine, others)) = drills(text).zip(drills(twin)) else {
            if text != twin {
                return Some(name.clone());
            }
            continue;
        };
        let plain = |drill: &serde_json::Value| {
            let mut drill = drill.clone();
            if let Some(fields) = drill.as_object_mut() {
                fields.remove("detail");
                fields.remove("smallest");
            }
            drill
        };
        let differing = mine.iter().zip(&others).find(|(a, b)| plain(a) != plain(b));
        if let Some((drill, _)) = differing {
            let scenario = drill["scenario"].as_str().unwrap_or_default();
            return Some(format!("{scenario}, seed {}", drill["seed"]));
        }
    }
    None
}

impl Merged {
    /// Drills that passed.
    #[must_use]
    pub fn passed(&self) -> u64 {
        let others = self.failed.saturating_add(self.inconclusive);
        self.drills.saturating_sub(others)
    }

    /// Whether every shard has a result, and none of another campaign is among them.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.strange.is_empty()
    }

    /// Whether the files of all shards have everything, so that they make the same report as one run on one machine.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_complete() && self.counted.is_empty()
    }

    /// The exit code: 2 if a shard refused its input; 1 if a drill failed, a class is new, or twins differ;
    /// 4 if no shard had a world; 3 if the answer is incomplete or inconclusive; else 0.
    #[must_use]
    pub fn code(&self) -> u8 {
        if self.lost_codes.contains(&2) {
            2
        } else if self.codes.contains(&1) || !self.differing.is_empty() {
            1
        } else if self.codes.is_empty() && self.lost_codes.contains(&4) {
            4
        } else if !self.is_complete() || self.codes.contains(&3) {
            3
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAMPAIGN: u64 = 9;
    const BUILD: u32 = 0x0bad_cafe;
    const WHOLE: Interval = Interval {
        first: 100,
        count: 40,
    };

    fn summary(index: u32, shards: u32, code: u8) -> Summary {
        let share = WHOLE.share(index, shards).expect("a shard");
        Summary {
            share,
            code,
            drills: share.count,
            failed: u64::from(code == 1),
            inconclusive: u64::from(code == 3),
            digest: 1_000 + u64::from(index),
            kept: Kept::All,
            ..Summary::new(CAMPAIGN, BUILD, Work::Chaos, index, shards)
        }
    }

    fn attempt(pod: &str, summary: Summary) -> Attempt {
        let text = format!(
            "{{\"drills\":[{{\"scenario\":\"s\",\"seed\":4,\"digest\":{}}}]}}",
            summary.digest
        );
        Attempt {
            pod: pod.to_owned(),
            index: summary.index,
            files: Ok(Files::from([("journal.json".to_owned(), text)])),
            summary: Ok(summary),
        }
    }

    fn lost(index: u32) -> Attempt {
        Attempt {
            pod: format!("killed-{index}"),
            index,
            summary: Err("it was evicted".to_owned()),
            files: Err("no log".to_owned()),
        }
    }

    fn all(shards: u32, attempts: Vec<Attempt>) -> Merged {
        merge(CAMPAIGN, Work::Chaos, WHOLE, shards, Some(BUILD), attempts)
    }

    fn whole(shards: u32) -> Vec<Attempt> {
        let each =
            (0..shards).map(|index| attempt(&format!("p-{index}"), summary(index, shards, 0)));
        each.collect()
    }

    proptest! {
        #[test]
        fn neither_order_nor_twins_nor_lost_attempts_change_the_answer(
            shards in 1..8_u32,
            twins in prop::collection::vec(0..8_u32, 0..6),
            killed in prop::collection::vec(0..8_u32, 0..6),
            order in any::<u64>(),
        ) {
            let expected = all(shards, whole(shards));
            prop_assert_eq!(expected.code(), 0);
            prop_assert_eq!(expected.drills, WHOLE.count);
            let mut attempts = whole(shards);
            for (at, index) in twins.iter().enumerate() {
                attempts.push(attempt(&format!("twin-{at}"), summary(index % shards, shards, 0)));
            }
            attempts.extend(killed.iter().map(|index| lost(index % shards)));
            // A permutation that the number chooses.
            attempts.sort_by_key(|it| crate::digest::digest64(format!("{order}{}", it.pod).as_bytes()));
            let merged = all(shards, attempts);
            prop_assert_eq!(merged.lost.len(), killed.len());
            prop_assert_eq!(Merged { lost: Vec::new(), ..merged }, expected);
        }

        #[test]
        fn a_missing_shard_is_never_a_pass(shards in 1..8_u32, missing in 0..8_u32, failing in 0..8_u32) {
            let (missing, failing) = (missing % shards, failing % shards);
            let mut attempts = whole(shards);
            attempts[failing as usize] = attempt("failing", summary(failing, shards, 1));
            attempts[missing as usize] = lost(missing);
            let merged = all(shards, attempts);
            prop_assert_eq!(&merged.missing, &[missing]);
            prop_assert!(!merged.is_complete() && !merged.is_whole());
            // A failure is certain, whatever else is missing.
            prop_assert_eq!(merged.code(), if missing == failing { 3 } else { 1 });
        }

        #[test]
        fn twins_that_differ_are_a_failure_in_any_order(shards in 1..8_u32, index in 0..8_u32, first in any::<bool>()) {
            let index = index % shards;
            let twin = Summary { digest: 7, ..summary(index, shards, 0) };
            let mut attempts = whole(shards);
            attempts.insert(if first { 0 } else { shards as usize }, attempt("twin", twin));
            let merged = all(shards, attempts);
            prop_assert_eq!(merged.code(), 1);
            prop_assert_eq!(merged.differing.len(), 1);
            prop_assert_eq!(merged.differing[0].index, index);
            prop_assert_eq!(merged.differing[0].place.as_deref(), Some("s, seed 4"));
        }
    }

    #[test]
    fn exit_codes_are_those_of_the_command_line() {
        let with = |code| {
            let mut attempts = whole(2);
            attempts[1] = attempt("other", summary(1, 2, code));
            all(2, attempts).code()
        };
        assert_eq!([0, 1, 2, 3, 4, 130].map(with), [0, 1, 2, 3, 3, 3]);
        let nowhere = vec![
            attempt("a", summary(0, 2, 4)),
            attempt("b", summary(1, 2, 4)),
        ];
        assert_eq!(all(2, nowhere).code(), 4);
        assert_eq!(all(2, Vec::new()).code(), 3);
    }

    #[test]
    fn what_is_of_another_campaign_build_or_share_counts_for_nothing() {
        let right = summary(1, 2, 0);
        for strange in [
            Summary {
                campaign: 8,
                ..right.clone()
            },
            Summary {
                build: 1,
                ..right.clone()
            },
            Summary {
                work: Work::Search,
                ..right.clone()
            },
            Summary {
                shards: 3,
                ..right.clone()
            },
            Summary {
                share: Interval { first: 1, count: 2 },
                ..right.clone()
            },
        ] {
            let mut attempts = whole(2);
            attempts[1] = attempt("strange", strange.clone());
            let merged = all(2, attempts);
            assert_eq!((merged.code(), merged.strange.len()), (3, 1), "{strange:?}");
            assert_eq!(merged.missing, [1], "{strange:?}");
        }
        let mut attempts = whole(2);
        attempts[1].index = 0;
        assert_eq!(
            all(2, attempts).strange.len(),
            1,
            "the pod was to do another shard"
        );
    }

    #[test]
    fn results_that_were_only_counted_are_named() {
        let mut attempts = whole(3);
        attempts[0].files = Err("the log is gone".to_owned());
        attempts[2] = attempt(
            "big",
            Summary {
                kept: Kept::NotPassed,
                ..summary(2, 3, 0)
            },
        );
        let merged = all(3, attempts);
        assert_eq!(merged.counted, [0, 2]);
        assert!(merged.is_complete() && !merged.is_whole());
        assert_eq!((merged.code(), merged.drills), (0, 40));
    }
}
