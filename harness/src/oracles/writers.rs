//! Who wrote, and was it entitled to? The lease, the holder's own clock, the journal's precondition and the fence stand
//! behind one another, so that one of them alone can be broken for long without any harm. Here nothing stands behind
//! anything: of each write that took effect it is asked whether its host held the lease.

use std::collections::BTreeSet;

use crate::evidence::{Evidence, Ms, WriteSeen, Wrote};
use crate::oracles::finding::{Trespass, WritersFinding};

/// Who holds the lease, as its writes say.
struct Holder<'a> {
    host: &'a str,
    token: u64,
    /// Until when, unless it is renewed.
    until_ms: Ms,
}

/// Every write under a lease of its own host, with that lease's token; what rewrites the ledger behind the fence.
/// Without a record ([`Evidence::writes`]) this is not asked.
pub(super) fn check(evidence: &Evidence) -> WritersFinding {
    let writes = evidence.writes.as_deref().unwrap_or_default();
    let hosts: BTreeSet<&str> = writes.iter().map(|write| write.host.as_str()).collect();
    let hosts = hosts.len() as u64;
    // A program of somebody else's may keep its hosts apart by other means. One host alone is in nobody's way.
    let leases = writes
        .iter()
        .any(|write| matches!(write.what, Wrote::Lease { .. }));
    if evidence.executor.is_program && !leases && hosts == 1 {
        let writes = writes.len() as u64;
        return WritersFinding::Entitled { writes, hosts };
    }
    let mut lease = Lease::default();
    let mut trespasses = 0;
    let mut first = None;
    for write in writes {
        if let Some(why) = lease.sees(write) {
            trespasses += 1;
            first.get_or_insert((write, why));
        }
    }
    match first {
        None if writes.is_empty() => WritersFinding::NoWrites,
        None => WritersFinding::Entitled {
            writes: writes.len() as u64,
            hosts,
        },
        Some((write, why)) => WritersFinding::Trespassed {
            writes: writes.len() as u64,
            trespasses,
            host: write.host.clone(),
            request: in_words(&write.what),
            at_ms: write.at_ms,
            why,
        },
    }
}

/// The lease, write by write.
#[derive(Default)]
struct Lease<'a> {
    holder: Option<Holder<'a>>,
    /// The holder before, and until when it held the lease: until it gave it up, or until it ran out. Where another one
    /// has taken the lease over, only as long as that one has written nothing but the lease: the journal and the fence
    /// refuse the earlier one only once they have heard from the later one.
    before: Option<(&'a str, Ms)>,
}

impl<'a> Lease<'a> {
    /// Takes a write into account; what is wrong with it, if anything is.
    fn sees(&mut self, write: &'a WriteSeen) -> Option<Trespass> {
        if let Wrote::Lease { token, lasts_ms } = write.what {
            return self.written(write, token, lasts_ms);
        }
        // What was under way when its sender ceased to hold the lease may still take effect.
        let in_time = |(host, until): (&str, Ms)| host == write.host && write.sent_ms <= until;
        let is_late = self.before.is_some_and(in_time);
        let Some(holder) = &self.holder else {
            return (!is_late).then_some(Trespass::NoLease);
        };
        if holder.host != write.host {
            let by = holder.host.to_owned();
            return (!is_late).then_some(Trespass::Superseded { by });
        }
        self.before = None;
        if write.sent_ms > holder.until_ms {
            let for_ms = write.sent_ms - holder.until_ms;
            return Some(Trespass::RanOut { for_ms });
        }
        let Wrote::Ledger {
            operation,
            token,
            fence,
        } = write.what
        else {
            return None;
        };
        if token != holder.token {
            let lease = holder.token;
            return Some(Trespass::OtherToken { token, lease });
        }
        (operation.needs_fence() && fence.is_none()).then_some(Trespass::Unfenced)
    }

    /// The lease is taken, renewed or given up.
    fn written(&mut self, write: &'a WriteSeen, token: u64, lasts_ms: Ms) -> Option<Trespass> {
        let host = write.host.as_str();
        // Nobody takes, or gives up, a lease that another one holds until it has run out.
        let live = self.holder.as_ref().filter(|it| {
            token < it.token
                || (it.host != host
                    && (lasts_ms == 0 || token == it.token || write.at_ms < it.until_ms))
        });
        if let Some(holder) = live {
            let by = holder.host.to_owned();
            return Some(Trespass::Superseded { by });
        }
        if lasts_ms > 0 {
            let holder = Holder {
                host,
                token,
                until_ms: write.at_ms + lasts_ms,
            };
            let last = self.holder.replace(holder);
            if last.as_ref().is_none_or(|it| it.host != host) {
                self.before = last.map(|it| (it.host, it.until_ms));
            }
        } else if self.holder.as_ref().is_some_and(|it| it.host == host) {
            self.holder = None;
            self.before = Some((host, write.at_ms));
        }
        None
    }
}

fn in_words(what: &Wrote) -> String {
    match what {
        Wrote::Lease { token, .. } => format!("the lease, token {token}"),
        Wrote::Object { request, .. } => request.clone(),
        Wrote::Ledger { operation, .. } => format!("{} of the ledger", operation.as_str()),
    }
}
