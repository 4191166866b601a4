//! `rollback db` as it is typed. In a drill, `firedrill` stands for this program and takes the same words
//! (`harness/src/bin/firedrill/database.rs`).

use clap::{Args, Subcommand};

/// A step, and with which token.
#[derive(Debug, Args)]
pub(crate) struct Db {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
    /// Fencing token; otherwise the highest one that the database has seen
    #[arg(long, global = true)]
    pub(crate) token: Option<u64>,
}

/// Steps on the ledger database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Take writing away from the application, and end its sessions
    Fence,
    /// Let the application write again
    Unfence,
    /// Copy the ledger. It takes no connections meanwhile
    Snapshot {
        /// Name of the copy
        #[arg(long)]
        name: String,
    },
    /// Put a copy of a snapshot in the ledger's place
    Restore {
        /// Name of the snapshot
        #[arg(long)]
        snapshot: String,
        /// Name under which the ledger in use is kept: another one for each incident
        #[arg(long, default_value = "ledger_set_aside")]
        set_aside: String,
    },
    /// Copy the log's tail from the ledger that was set aside
    Replay {
        /// The log (there is nothing else to replay)
        #[arg(long, required = true)]
        log: bool,
        /// Name under which the ledger that was in use is kept
        #[arg(long, default_value = "ledger_set_aside")]
        set_aside: String,
    },
}
