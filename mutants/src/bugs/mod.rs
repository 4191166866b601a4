//! The bugs that bent ports make, by what they are about.
//!
//! - `writes`: what is written to the cluster. `reads`: what is read from it.
//! - `exclusion`: lease and journal. `ledger`: the database.
//! - `observability`: Prometheus and Loki. `host`: the clock, and the files that are saved.
//! - `catalogue`: all of them, with those that are patches of the executor's source.

mod catalogue;
mod exclusion;
mod host;
mod ledger;
mod observability;
mod reads;
mod writes;

pub use self::catalogue::{all, canary, sound};
pub use self::exclusion::{alone_in_the_world, unconditional_journal};
pub use self::ledger::{
    NewestSnapshot, NoFence, OwnTokens, ReplaysTwice, UndoesOne, VersionsAsText,
};
pub use self::observability::{no_data_is_zero, only_now};
pub use self::reads::{only_live_pods, refused_for_good};
pub use self::writes::keeps_template_annotations;
