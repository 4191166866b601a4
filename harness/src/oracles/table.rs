//! What a row of the oracles' table is made into: everything that asks for all oracles, so that none is forgotten.

use std::fmt;

use super::OracleName;

/// Of which drills an oracle is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Of every one.
    Always,
    /// Of those that are expected to recover: where the right end is that a person is paged, there is nothing to ask.
    OfARecovery,
    /// Of those of them that do not expect the ledger to be left as it is.
    OfARightLedger,
    /// Of those of an application that is not the exchange.
    OfApplications,
    /// Of those in a world that keeps a record of who wrote: no other can tell.
    OfRecordedWrites,
    /// Of those of them in which a program of somebody else's carries out the rollback.
    OfPrograms,
}

/// What an oracle rests on or judges that others must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    /// What the clients saw, and when: where their host held them up, that is not certain.
    RestsOnClients,
    /// The data themselves: of several harms, what became of the data is told first.
    AboutData,
    /// The exchange's ledger: no other application has one.
    OfTheLedger,
    /// What halts writes: the exchange has it, and every application with a store.
    OfAStore,
}

/// Declares the oracles in one place. A row has the question, the name in code and in reports, the stage, when it is
/// asked, what it finds (`finds`; `shares` where another oracle finds the same type) and who answers.
/// Besides, where it applies: what it `reads` of the world at the end, its traits (`is`), and where its doctored
/// evidence stands, if beside its check (`doctored`). The kinds of what it finds stand at the type itself.
macro_rules! oracles {
    ($($(#[$question:meta])+ $name:ident = $word:literal, {
        stage: $stage:ident, asked: $asked:ident, $(finds: $fact:ident,)? $(shares: $shared:ident,)? check: $check:path
        $(, reads: $reads:ident)? $(, is: [$($is:ident),+])?
        $(, doctored: $doctored:path)? $(,)?
    };)+) => {
        /// An oracle: one question about a drill.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum OracleName {
            $($(#[$question])+ #[serde(rename = $word)] $name,)+
        }

        impl OracleName {
            /// All oracles, in the order of the stages.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$name),+];

            /// The word in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// The stage that it judges.
            #[must_use]
            pub fn stage(self) -> Stage {
                match self {
                    $(Self::$name => Stage::$stage,)+
                }
            }

            /// What it reads of the world at the end; `None`: nothing, as the drill's record is enough.
            #[must_use]
            pub fn reads(self) -> Option<Reading> {
                match self {
                    $(Self::$name => [$(Reading::$reads)?].first().copied(),)+
                }
            }

            /// Of which drills it is asked.
            pub(crate) fn asked(self) -> Asked {
                match self {
                    $(Self::$name => Asked::$asked,)+
                }
            }

            fn traits(self) -> &'static [Trait] {
                match self {
                    $(Self::$name => &[$($(Trait::$is),+)?],)+
                }
            }

            /// What it can find, but for what any oracle says that has no answer.
            #[must_use]
            pub fn kinds(self) -> &'static [Kind] {
                match self {
                    $(Self::$name => <$($fact)? $($shared)? as Fact>::kinds(self),)+
                }
            }

            /// Asks it.
            fn check(self, evidence: &Evidence) -> Finding {
                match self {
                    $(Self::$name => Finding::$name($check(evidence)),)+
                }
            }
        }

        /// What one oracle found.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Finding {
            $($(#[$question])+ $name($($fact)? $($shared)?),)+
            /// Nothing: its oracle has no answer.
            Withheld(WithheldFinding),
        }

        impl Finding {
            /// Who found it.
            #[must_use]
            pub fn oracle(&self) -> OracleName {
                match self {
                    $(Self::$name(_) => OracleName::$name,)+
                    Self::Withheld(withheld) => withheld.oracle,
                }
            }

            fn fact(&self) -> &dyn Fact {
                match self {
                    $(Self::$name(fact) => fact,)+
                    Self::Withheld(withheld) => withheld,
                }
            }
        }

        $($(impl From<$fact> for Finding {
            fn from(fact: $fact) -> Self {
                Self::$name(fact)
            }
        })?)+

        /// The doctored evidence that stands beside the checks.
        #[cfg(test)]
        fn doctored() -> Vec<tests::Case> {
            let beside: &[fn() -> Vec<tests::Case>] = &[$($($doctored,)?)+];
            beside.iter().flat_map(|cases| cases()).collect()
        }
    };
}

pub(super) use oracles;

impl OracleName {
    /// Whether it rests on what the clients saw, and when: where their host held them up, that is not certain.
    #[must_use]
    pub fn rests_on_clients(self) -> bool {
        self.traits().contains(&Trait::RestsOnClients)
    }

    /// Whether it judges the data themselves: of several harms, what became of the data is told first.
    #[must_use]
    pub fn is_about_data(self) -> bool {
        self.traits().contains(&Trait::AboutData)
    }

    /// Whether it asks about the exchange's ledger.
    #[must_use]
    pub fn is_of_the_ledger(self) -> bool {
        self.traits().contains(&Trait::OfTheLedger)
    }

    /// Whether it asks about what halts writes, which an application without a store has not.
    #[must_use]
    pub fn is_of_a_store(self) -> bool {
        self.traits().contains(&Trait::OfAStore)
    }
}

impl fmt::Display for OracleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::OracleName;

    #[test]
    fn every_oracle_is_listed_once_in_the_order_of_the_stages_and_by_its_word() {
        let all = OracleName::ALL;
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        assert!(all.is_sorted_by_key(|oracle| oracle.stage()));
        for oracle in all {
            let json = serde_json::to_value(oracle).expect("a word");
            assert_eq!(json, oracle.as_str());
        }
    }
}
