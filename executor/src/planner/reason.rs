//! Why a plan is as it is, by names that stay. The words beside them are for people and may change;
//! whatever counts which branches of the planner ran reads these.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares an enum whose values have names, and the list of all of them.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$value,)+];

            /// The name, in kebab-case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named! {
    /// Why a step is in a plan, or is left out of it.
    StepReason {
        /// It is a part of every rollback.
        EveryRollback = "every-rollback",
        /// The service that it is for is not as the baseline recorded it.
        ServiceDiffers = "service-differs",
        /// The service that it would be for is as the baseline recorded it.
        ServiceAsRecorded = "service-as-recorded",
        /// The step is for another kind of workload than the service is.
        AnotherKind = "another-kind",
        /// The ledger is left alone.
        LedgerStays = "ledger-stays",
        /// Undo scripts bring the ledger back.
        LedgerIsUndone = "ledger-is-undone",
        /// The snapshot brings the ledger back.
        LedgerIsRestored = "ledger-is-restored",
        /// The Deployment is paused.
        Paused = "paused",
        /// The Deployment is not paused.
        NotPaused = "not-paused",
        /// The Deployment was scaled down.
        ScaledDown = "scaled-down",
        /// The Deployment wants as many replicas as were recorded.
        NotScaledDown = "not-scaled-down",
        /// The release changed nothing but the configuration.
        ConfigurationOnly = "configuration-only",
        /// The release changed more than the configuration, or another thing.
        NotConfigurationOnly = "not-configuration-only",
        /// The release changed the configuration.
        ConfigurationChanged = "configuration-changed",
        /// The configuration is as recorded.
        ConfigurationAsRecorded = "configuration-as-recorded",
        /// It is done only if another step fails.
        InsteadOfAnother = "instead-of-another",
        /// It is done only if somebody changes the service meanwhile.
        StandsBy = "stands-by",
    }
}

named! {
    /// Why the ledger is dealt with as it is.
    LedgerReason {
        /// The data are wrong, whatever the schema.
        DataWrong = "data-wrong",
        /// There was no migration since the baseline.
        NoMigration = "no-migration",
        /// The old code can read what every migration since then made.
        Compatible = "compatible",
        /// It can't, and every migration has an undo script that loses nothing.
        LosslessUndo = "lossless-undo",
        /// A migration did not succeed, so that its undo script does not fit.
        MigrationFailed = "migration-failed",
        /// A migration is repeatable, and has no version to go back to.
        RepeatableMigration = "repeatable-migration",
        /// A migration has no undo script.
        NoUndoScript = "no-undo-script",
        /// An undo script is marked as something else than lossless.
        UndoNotLossless = "undo-not-lossless",
        /// An undo script does not say whether it is lossless.
        UndoUnmarked = "undo-unmarked",
    }
}

named! {
    /// Why there is no plan.
    Refusal {
        /// Everything is as recorded.
        NothingDiffers = "nothing-differs",
        /// The anomaly is older than the release.
        PredatesRelease = "predates-release",
        /// The validation window is over.
        OutsideWindow = "outside-window",
        /// The snapshot is needed, and the recorded one is not there.
        NoSnapshot = "no-snapshot",
        /// The baseline does not have a service of the runbook.
        NotRecorded = "not-recorded",
        /// A Deployment is gone.
        Gone = "gone",
        /// A Deployment is another one than was recorded.
        Recreated = "recreated",
        /// A Deployment is paused, and no step resumes it.
        Paused = "paused",
        /// The ledger needs a step that the runbook has not.
        MissingStep = "missing-step",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{LedgerReason, Refusal, StepReason};

    #[test]
    fn a_name_is_one_value_s_and_reads_back_from_a_journal() {
        let words: BTreeSet<&str> = StepReason::ALL.iter().map(|it| it.as_str()).collect();
        assert_eq!(words.len(), StepReason::ALL.len());
        for &reason in StepReason::ALL {
            let json = serde_json::to_value(reason).expect("a word");
            assert_eq!(json, reason.as_str());
            assert_eq!(
                serde_json::from_value::<StepReason>(json).ok(),
                Some(reason)
            );
        }
        for &reason in LedgerReason::ALL {
            let json = serde_json::to_value(reason).expect("a word");
            assert_eq!(
                serde_json::from_value::<LedgerReason>(json).ok(),
                Some(reason)
            );
        }
        assert_eq!(Refusal::MissingStep.to_string(), "missing-step");
    }
}
