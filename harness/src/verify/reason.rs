//! Answers, their reasons, and what would change them.

use std::cmp::Reverse;
use std::fmt;

use serde::{Serialize, Serializer};

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Answer {
    /// The candidate may replace the baseline.
    Adopt,
    /// Neither is shown.
    Inconclusive,
    /// It must not.
    Reject,
}

impl Answer {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "ADOPT",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Reject => "REJECT",
        }
    }

    /// The exit code: 0, 3 and 1, as for drills that pass, show nothing, and fail.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Adopt => 0,
            Self::Inconclusive => 3,
            Self::Reject => 1,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What would change an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// So many seeds in each scenario would be enough.
    Seeds(u64),
    /// Something else, in words.
    Say(String),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seeds(seeds) => write!(f, "--seeds {seeds} would be enough"),
            Self::Say(text) => f.write_str(text),
        }
    }
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The answer that it asks for.
    pub answer: Answer,
    /// In a sentence or two.
    pub text: String,
    /// What would change it.
    pub remedy: Option<Remedy>,
}

impl Reason {
    fn seeds(&self) -> Option<u64> {
        match self.remedy {
            Some(Remedy::Seeds(seeds)) => Some(seeds),
            _ => None,
        }
    }
}

/// Sorts the reasons: the weightiest first, and those that seeds can't settle before those that they can. A number of
/// seeds is a remedy only if it is enough for the whole answer. So it is kept where nothing else is wanting, and there
/// the largest alone is kept.
pub(super) fn seeds_where_only_they_are_wanting(reasons: &mut [Reason]) {
    reasons.sort_by_key(|reason| (Reverse(reason.answer), reason.seeds().is_some()));
    let settled = reasons.iter().all(|reason| reason.seeds().is_some());
    let most = reasons.iter().filter_map(Reason::seeds).max();
    let mut enough = most.filter(|_| settled);
    for reason in reasons.iter_mut().filter(|reason| reason.seeds().is_some()) {
        if reason.seeds() == enough {
            enough = None;
        } else {
            reason.remedy = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(answer: Answer, remedy: Option<Remedy>) -> Reason {
        Reason {
            answer,
            text: format!("{answer} {remedy:?}"),
            remedy,
        }
    }

    fn remedies(mut reasons: Vec<Reason>) -> Vec<String> {
        seeds_where_only_they_are_wanting(&mut reasons);
        let remedies = reasons.iter().filter_map(|reason| reason.remedy.as_ref());
        remedies.map(Remedy::to_string).collect()
    }

    #[test]
    fn seeds_are_enough_only_where_nothing_else_is_wanting() {
        let open = |remedy| reason(Answer::Inconclusive, remedy);
        let seeds = |seeds| open(Some(Remedy::Seeds(seeds)));
        let say = |text: &str| open(Some(Remedy::Say(text.to_owned())));
        assert_eq!(
            remedies(vec![seeds(20), seeds(299), seeds(299)]),
            ["--seeds 299 would be enough"]
        );
        assert_eq!(
            remedies(vec![seeds(299), say("name more scenarios")]),
            ["name more scenarios"]
        );
        assert_eq!(
            remedies(vec![say("look"), seeds(20), say("choose")]),
            ["look", "choose"]
        );
        // Whatever has no remedy is not settled by seeds either.
        assert_eq!(remedies(vec![seeds(20), open(None)]), [""; 0]);
        let rejects = reason(Answer::Reject, None);
        assert_eq!(remedies(vec![seeds(20), rejects]), [""; 0]);
    }

    #[test]
    fn answers_have_their_exit_codes() {
        let codes = [Answer::Adopt, Answer::Reject, Answer::Inconclusive].map(Answer::exit_code);
        assert_eq!(codes, [0, 1, 3]);
    }
}
