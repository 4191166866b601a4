//! Who has changed what: the world's own record of every request that took effect, whoever sent it.
//!
//! It is kept for oracles. Whether a writer was entitled to write is theirs to judge: the record says what was written,
//! by which origin, when it was sent and when it took effect.

use bytes::Bytes;

use crate::time::Micros;

/// A request that took effect.
#[derive(Clone, Debug)]
pub struct Write<O> {
    /// Who sent it, as the fabric knows the sender.
    pub origin: String,
    /// Its number among the requests of that origin, from 1.
    pub number: u64,
    /// When it was sent.
    pub sent_at: Micros,
    /// When it took effect.
    pub at: Micros,
    /// What it did.
    pub change: Change<O>,
}

/// What a request changed.
#[derive(Clone, Debug)]
pub enum Change<O> {
    /// Something in the cluster; reads are not recorded.
    Cluster {
        /// `POST`, `PUT`, `PATCH` or `DELETE`.
        verb: String,
        /// Path, without the query.
        path: String,
        /// The request's body.
        body: Bytes,
    },
    /// Something in the data store: every operation but those that only read.
    Database {
        /// The operation, with its fencing token.
        op: O,
        /// Token of the fence before it took effect, if the fence was up.
        fence: Option<u64>,
    },
}
