//! What each oracle can find, by the names that its findings have: who asks what drills have shown looks here for what
//! they could show. [`Finding::kind`](super::Finding::kind) refuses a name that is missing here wherever tests run.

use crate::oracles::OracleName;

/// One thing that an oracle can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, in kebab-case; see [`Fact::kind`](super::Fact::kind).
    pub name: &'static str,
    /// Whether it is harm wherever it is found.
    pub harm: bool,
}

const fn plain(name: &'static str) -> Kind {
    Kind { name, harm: false }
}

const fn harm(name: &'static str) -> Kind {
    Kind { name, harm: true }
}

/// What any oracle finds that has no answer.
const WITHHELD: &[Kind] = &[plain("unread"), plain("held-up"), plain("does-not-apply")];

const BOOKS: &[Kind] = &[
    plain("empty"),
    harm("lost"),
    harm("changed"),
    harm("duplicated"),
    plain("unsought"),
    plain("there"),
];

impl OracleName {
    /// What it can find, but for those that say that it has no answer.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Host => {
                const {
                    &[
                        plain("simulated"),
                        plain("harness-failed"),
                        plain("sent-nothing"),
                        plain("busy"),
                        plain("stood-still"),
                        plain("punctual"),
                    ]
                }
            }
            Self::SteadyState => {
                const {
                    &[
                        plain("held"),
                        plain("no-warm-up"),
                        plain("failing"),
                        plain("halted"),
                        plain("slow"),
                        plain("broken"),
                        plain("nobody-looked"),
                    ]
                }
            }
            Self::FaultFired => {
                const {
                    &[
                        plain("never-deployed"),
                        plain("never-ran"),
                        plain("no-harm"),
                        plain("crash-never-came"),
                        plain("fault-never-fired"),
                        plain("no-harm-expected"),
                        plain("harm"),
                    ]
                }
            }
            Self::Trigger => {
                const {
                    &[
                        plain("none-as-expected"),
                        plain("false-alarm"),
                        plain("never"),
                        plain("before-deployment"),
                        plain("other"),
                        plain("fired"),
                    ]
                }
            }
            Self::Detection => {
                const {
                    &[
                        plain("nothing-to-detect"),
                        plain("never"),
                        plain("late"),
                        plain("in-time"),
                    ]
                }
            }
            Self::Outcome => {
                const {
                    &[
                        harm("panicked"),
                        harm("failed"),
                        plain("not-prepared"),
                        plain("refused"),
                        plain("recovered-before"),
                        plain("still-running"),
                        plain("cut-short"),
                        plain("not-read"),
                        harm("claimed-instead-of-calling"),
                        plain("called"),
                        plain("called-in-time"),
                        plain("called-late"),
                        plain("called-at-some-time"),
                        plain("nothing-as-expected"),
                        plain("did-nothing"),
                        plain("took-path"),
                        plain("took-other-path"),
                    ]
                }
            }
            Self::Claim => {
                const {
                    &[
                        plain("nothing"),
                        plain("without-time"),
                        harm("unseen"),
                        harm("early"),
                        plain("late"),
                        plain("agrees"),
                    ]
                }
            }
            Self::Files => {
                const {
                    &[
                        plain("nothing-claimed"),
                        plain("kept"),
                        plain("no-log"),
                        plain("log-incomplete"),
                        plain("no-post-mortem"),
                        plain("no-scenario"),
                        plain("scenario-broken"),
                        plain("scenario-expects-other"),
                    ]
                }
            }
            Self::Writers => {
                const {
                    &[
                        plain("no-writes"),
                        plain("entitled"),
                        harm("no-lease"),
                        harm("superseded"),
                        harm("ran-out"),
                        harm("other-token"),
                        harm("unfenced"),
                    ]
                }
            }
            Self::Conduct => {
                const {
                    &[
                        plain("no-writes"),
                        plain("safe"),
                        harm("elsewhere"),
                        harm("halt-lifted"),
                        harm("evidence-removed"),
                    ]
                }
            }
            Self::Rto => {
                const {
                    &[
                        plain("nothing-to-recover"),
                        plain("harm-untriggered"),
                        plain("nothing-triggered"),
                        plain("never"),
                        plain("within"),
                        plain("beyond"),
                        plain("unsurvivable"),
                    ]
                }
            }
            Self::Impact => {
                const {
                    &[
                        plain("no-harm"),
                        plain("passing"),
                        plain("before-deployment"),
                        plain("never-over"),
                        plain("beyond"),
                        plain("unsurvivable"),
                        plain("within"),
                    ]
                }
            }
            Self::ErrorRate => {
                const {
                    &[
                        plain("no-recovery"),
                        plain("refused"),
                        plain("beyond"),
                        plain("not-shown"),
                        plain("below"),
                    ]
                }
            }
            Self::Latency => {
                const {
                    &[
                        plain("no-recovery"),
                        plain("nothing-seen"),
                        plain("slow"),
                        plain("within"),
                    ]
                }
            }
            Self::Invariants => {
                const {
                    &[
                        plain("nobody-looked"),
                        harm("broken-and-claimed"),
                        plain("broken"),
                        plain("not-at-the-end"),
                        plain("hold"),
                    ]
                }
            }
            Self::Trades | Self::Orders | Self::AcknowledgedWrites => BOOKS,
            Self::Phantoms => const { &[harm("phantoms"), plain("empty"), plain("none")] },
            // A wrong ledger is harm only under a claim.
            Self::Ledger => {
                const {
                    &[
                        plain("unread"),
                        plain("equal"),
                        plain("refused"),
                        plain("differs"),
                    ]
                }
            }
            Self::Builds => {
                const {
                    &[
                        plain("unknown"),
                        plain("foreign"),
                        plain("idle"),
                        plain("wrong"),
                        plain("not-ready"),
                        plain("no-pod"),
                        plain("right"),
                    ]
                }
            }
            Self::Hold => {
                const {
                    &[
                        plain("no-recovery"),
                        plain("relapsed"),
                        plain("short"),
                        plain("held"),
                    ]
                }
            }
            Self::Maintenance => {
                const {
                    &[
                        plain("open"),
                        plain("halted-as-needed"),
                        plain("unfenced"),
                        plain("fenced-as-needed"),
                        plain("open-over-wrong-ledger"),
                        plain("fence-up"),
                        plain("flag-gone"),
                        plain("left-halted"),
                    ]
                }
            }
            Self::State => {
                const {
                    &[
                        plain("nothing-to-compare"),
                        plain("not-recorded"),
                        plain("same"),
                        plain("differs"),
                    ]
                }
            }
        }
    }

    /// What it is called that this oracle finds and that has the name `name`, if it can find it.
    #[must_use]
    pub fn kind_named(self, name: &str) -> Option<&'static str> {
        let mut kinds = self.kinds().iter().chain(WITHHELD);
        kinds.find(|kind| kind.name == name).map(|kind| kind.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_stands_once_for_each_oracle_and_what_voids_is_listed() {
        for oracle in OracleName::ALL {
            let names: BTreeSet<&str> = oracle.kinds().iter().map(|kind| kind.name).collect();
            assert_eq!(names.len(), oracle.kinds().len(), "{oracle}");
            for void in oracle.voids() {
                assert!(names.contains(void), "{oracle}: {void}");
            }
            assert_eq!(oracle.kind_named("held-up"), Some("held-up"));
            assert_eq!(oracle.kind_named("nonsense"), None);
        }
    }
}
