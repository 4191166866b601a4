//! What each oracle can find, by the names that its findings have: who asks what drills have shown looks here for what
//! they could show. A type that is found declares its kinds by [`kinds!`], each with all that is known of it.

use super::fact::{Bearing, Fact as _};
use super::withheld::WithheldFinding;
use crate::oracles::OracleName;

/// One thing that an oracle can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What tells it from the other things that its oracle finds, in kebab-case.
    pub name: &'static str,
    /// What it does to the verdict, unless the finding itself says otherwise
    /// ([`Fact::bearing`](super::Fact::bearing)).
    pub bearing: Bearing,
    /// What was found, as a plain sentence without a full stop, for whoever does not know the oracles by name.
    pub headline: &'static str,
}

/// What is said of whatever could not be read.
pub(super) const UNREAD: &str = "Something that decides could not be read at the end";

/// Declares the kinds of a type that is found, inside of its `impl Fact`: what is matched on, and for each pattern the
/// kind's name, what it does to the verdict, and the sentence that reports say of it. The compiler asks for a kind of
/// everything that can be found, and the list of all of them is made of the same rows.
macro_rules! kinds {
    ($this:ident => $on:expr; $($found:pat $(if $also:expr)? => $name:literal, $bearing:expr, $headline:expr;)+) => {
        fn kinds(_: $crate::oracles::OracleName) -> &'static [$crate::oracles::finding::Kind] {
            const {
                &[$($crate::oracles::finding::Kind { name: $name, bearing: $bearing, headline: $headline },)+]
            }
        }

        fn kind(&$this) -> &'static $crate::oracles::finding::Kind {
            match $on {
                $($found $(if $also)? => const {
                    &$crate::oracles::finding::Kind { name: $name, bearing: $bearing, headline: $headline }
                },)+
            }
        }
    };
}
pub(crate) use kinds;

impl OracleName {
    /// The kind of that name among what it finds, or among what any oracle says that has no answer.
    #[must_use]
    pub fn kind_named(self, name: &str) -> Option<&'static Kind> {
        let mut kinds = self.kinds().iter().chain(WithheldFinding::kinds(self));
        kinds.find(|kind| kind.name == name)
    }
}

/// The sentence for a finding of this oracle and kind, without a full stop, or `None` if no oracle finds such a thing
/// (a journal may come from a newer version).
#[must_use]
pub(crate) fn headline(oracle: &str, kind: &str) -> Option<&'static str> {
    let mut oracles = OracleName::ALL.into_iter();
    let oracle = oracles.find(|it| it.as_str() == oracle)?;
    oracle.kind_named(kind).map(|kind| kind.headline)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_stands_once_for_each_oracle() {
        for oracle in OracleName::ALL {
            let names: BTreeSet<&str> = oracle.kinds().iter().map(|kind| kind.name).collect();
            assert_eq!(names.len(), oracle.kinds().len(), "{oracle}");
            let held_up = oracle.kind_named("held-up").map(|kind| kind.name);
            assert_eq!(held_up, Some("held-up"));
            assert_eq!(oracle.kind_named("nonsense"), None);
        }
    }

    #[test]
    fn every_kind_of_finding_has_a_sentence() {
        let withheld = WithheldFinding::kinds(OracleName::Host);
        for oracle in OracleName::ALL {
            for kind in oracle.kinds().iter().chain(withheld) {
                let name = oracle.as_str();
                let told = headline(name, kind.name).expect("it is one of its kinds");
                assert!(told.starts_with(char::is_uppercase), "{name}: {told}");
                assert!(!told.ends_with('.') && told.contains(' '), "{name}: {told}");
            }
            assert_eq!(headline(oracle.as_str(), "nonsense"), None);
        }
        assert_eq!(headline("nonsense", "differs"), None);
    }

    /// The sentence is of what the oracle asks about, also where several oracles find the same type.
    #[test]
    fn books_are_told_by_what_they_are_of() {
        for (oracle, told) in [
            ("trades", "Acknowledged trades are lost"),
            ("orders", "Acknowledged orders are lost"),
            ("acknowledged-writes", "Acknowledged writes are lost"),
        ] {
            assert_eq!(headline(oracle, "lost"), Some(told));
        }
    }
}
