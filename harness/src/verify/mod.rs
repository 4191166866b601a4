//! May this runbook be adopted? A changed runbook against the one in use, with the evidence.
//!
//! ```text
//! baseline ──┐                ┌─▶ plans: what changes, in words ─────────┐
//!            ├─▶ canonical ───┼─▶ policy: what is weaker, and untried ───┼─▶ judge ─▶ ADOPT · REJECT · INCONCLUSIVE
//! candidate ─┘   forms        └─▶ runs ─▶ pairs ─▶ compare, shrink ──────┘
//!                                 same scenarios, same seeds
//! ```
//!
//! Two runbooks whose canonical forms are equal do the same, so nothing needs to be drilled. Else both run in the same
//! drills, in a few interim analyses of growing size. Each scenario has seeds of its own,
//! and courses that are the same are counted once.
//!
//! - A pair in which the baseline passes and the candidate fails **rejects**, at whichever analysis it shows, and so
//!   does harm that only the candidate does, whatever else came of the pair.
//!   A new failure is cut down to its smallest case.
//! - A time from trigger or first harm to recovery, or a number of requests not answered meanwhile, that grows by more
//!   than the margin in more than half of a scenario's drills **rejects**: an exact sign test, corrected by Holm over
//!   all scenarios and measures of an analysis; the analyses share the 5 % (Bonferroni).
//!   Who never recovers is the slowest.
//! - **Adopting** takes all seeds. Over all different drills it must be shown at 95 % that fewer than the tolerance
//!   fail newly or get worse by more than the margin; all of that must hold, so each part needs no correction.
//!   And each changed step, check and trigger must have been carried out in drills in which it mattered (`coverage`).
//!
//! Whatever is between is **inconclusive**: not shown. Nothing depends on threads: analyses have fixed sizes.

mod align;
mod canonical;
mod compare;
mod coverage;
mod equivalence;
mod exact;
mod judge;
mod junit;
mod lacking;
mod markdown;
mod objections;
mod observed;
mod page;
mod plans;
mod policy;
mod protection;
mod question;
mod reason;
mod runs;
mod show;
mod shrink;
pub mod source;
mod vacuous;
mod words;

pub use canonical::{RunbookSide, canonical};
pub use compare::{Comparison, Counts, Measure, Number, Pair, Unit};
pub use coverage::Trial;
pub use exact::{
    ALPHA_PPM, NEVER, at_least, holm, is_rarer, mcnemar, median_interval, share_ppm, trials_needed,
    upper_bound,
};
pub use judge::{Judgement, verify};
pub use junit::junit;
pub use markdown::markdown;
pub use page::page;
pub(crate) use plans::plan as planned;
pub use plans::{PlanDiff, diffs};
pub use policy::{Concern, Needs, Weight, concerns};
pub use protection::Protection;
pub use question::{Margin, Question, Terms};
pub use reason::{Answer, Reason, Remedy};
pub use runs::{Brief, Case, Runs, Skipped, drill_seed};
pub use show::{details, json, text};
pub use shrink::{Smallest, smallest};
pub use vacuous::Vacuous;
