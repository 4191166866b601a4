//! Who has changed what: the world's own record of every request that took effect, whoever sent it.
//!
//! It is kept for oracles. Whether a writer was entitled to write is theirs to judge: the record says what was written,
//! by which origin, when it was sent and when it took effect.

use bytes::Bytes;
use http_body::Body as _;

use crate::cluster::Cluster;
use crate::time::Micros;
use crate::world::front::WorldBody;

/// Bytes of a request's body that the record keeps; of a larger one it keeps nothing.
const BODY_KEPT: usize = 64 << 10;
/// Each time that requests have written so many bytes of objects, the cluster forgets what was before the last time: a
/// client that writes and writes must not fill the memory. A drill writes a hundredth of that.
const HISTORY_MAX: u64 = 128 << 20;

/// What the record keeps of a body.
pub(crate) fn kept(body: &Bytes) -> Bytes {
    if body.len() <= BODY_KEPT {
        body.clone()
    } else {
        Bytes::new()
    }
}

/// Bounds how much the cluster remembers of what requests have written.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Bytes of objects since it forgot something for the last time.
    written: u64,
    /// The resourceVersion of then.
    reached: u64,
}

impl History {
    /// A request has written what it is answered with.
    pub(crate) fn wrote(&mut self, cluster: &mut Cluster, answer: &http::Response<WorldBody>) {
        self.written += answer.body().size_hint().exact().unwrap_or(0);
        if self.written > HISTORY_MAX {
            // What was written since then stays: watchers may still be on their way to it.
            cluster.compact_to(self.reached);
            self.reached = cluster.resource_version();
            self.written = 0;
        }
    }
}

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
        /// The request's body; empty if it has more than 64 KiB.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_writes_and_writes_has_the_cluster_forget() {
        let mut cluster = Cluster::new(1, &["shop".to_owned()]);
        let mut history = History::default();
        let large = || http::Response::new(WorldBody::from(Bytes::from(vec![b'x'; 1 << 20])));
        for _ in 0..128 {
            history.wrote(&mut cluster, &large());
        }
        assert_eq!(history.reached, 0, "a hundred megabytes are remembered");
        history.wrote(&mut cluster, &large());
        assert_eq!(history.reached, cluster.resource_version());
        assert_eq!(history.written, 0);
        assert!(kept(&Bytes::from(vec![0; BODY_KEPT + 1])).is_empty());
        assert_eq!(kept(&Bytes::from_static(b"lease")), "lease");
    }
}
