//! What a service's request reads and writes.

use sim::time::Micros;

use super::server::Server;
use super::tables::Reads;

/// What comes of a request at the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Served {
    /// It is done; what it writes is there.
    Done,
    /// The tables are locked until then.
    Waits(Micros),
    /// It fails, and the service writes this line.
    Fails(String),
}

impl Server {
    /// A request of a build comes to its end at `now`; `write` is the key of what it writes, 0 if it only reads.
    pub(in super::super) fn serve(&mut self, now: Micros, reads: Reads, write: u64) -> Served {
        if now < self.closed_until {
            return Served::Fails("the store takes no connections".to_owned());
        }
        if now < self.locked_until {
            return Served::Waits(self.locked_until);
        }
        if !self.fits(reads) {
            return Served::Fails(self.misfit(reads));
        }
        if write == 0 {
            return Served::Done;
        }
        if self.fence.is_some() {
            return Served::Fails("permission denied: the store is fenced".to_owned());
        }
        self.commit(write);
        Served::Done
    }
}
