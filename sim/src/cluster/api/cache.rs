//! The watch caches: which reads they answer at once, and how long the others wait.
//!
//! A LIST is answered from its kind's cache, once that knows the version that the LIST must see: without
//! `resourceVersion` the one that the store had when it came (`ConsistentListFromCache`). A cache learns of versions
//! from the events of its own kind and from progress notices. It asks the store for a notice only while a read waits,
//! at once if it last asked [`Timings::notice_period`] ago or earlier, else as soon as that is over: each kind has one
//! timer, which runs on while nobody waits (`ConditionalProgressRequester`). So the first LIST after a while waits for
//! the store's answer alone, and the next one for the rest of the period,
//! if anything but its own kind was written in between.
//!
//! What the control plane writes besides ([`Timings::background`]) is not in the store: of it only the instants are
//! known. They count as written elsewhere for every kind, though most are Leases.

use http::Method;

use super::list::Position;
use super::path::{Query, Route, parse};
use crate::cluster::due_items::Item;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::timings::Timings;
use crate::cluster::wire::{ApiRequest, Ticket};
use crate::rng::Rng;
use crate::time::Micros;

/// What a read must see.
#[derive(Clone, Copy, Debug)]
struct Needed {
    kind: Kind,
    /// A version of the store.
    rv: u64,
    /// What the control plane wrote besides, up to then.
    background: Micros,
}

/// What a kind's cache knows.
#[derive(Clone, Copy, Debug, Default)]
struct Cache {
    /// Every version up to this one.
    rv: u64,
    /// Everything written besides up to then.
    at: Micros,
    /// When it last asked for a notice.
    asked: Option<Micros>,
}

/// A write that comes again and again, from `first` on.
#[derive(Clone, Copy, Debug)]
struct Recurring {
    first: Micros,
    period: Micros,
}

impl Recurring {
    fn last(self, now: Micros) -> Option<Micros> {
        let since = now.0.checked_sub(self.first.0)?;
        Some(Micros(now.0 - since % self.period.0))
    }
}

/// Every kind's cache, and the reads that wait for one.
#[derive(Debug)]
pub(crate) struct WatchCaches {
    /// The last one is that of all kinds that were added.
    caches: [Cache; Kind::ALL.len() + 1],
    background: Vec<Recurring>,
    /// How long a notice takes.
    rng: Rng,
    waiting: Vec<(Ticket, Needed)>,
    fresh: Vec<Ticket>,
    tickets: u64,
}

impl WatchCaches {
    pub(crate) fn new(seed: u64, timings: &Timings) -> Self {
        let mut rng = Rng::derive(seed, "cluster/background");
        let background = timings
            .background
            .iter()
            .map(|&period| Recurring {
                first: Micros(rng.below(period.0)),
                period,
            })
            .collect();
        Self {
            caches: [Cache::default(); Kind::ALL.len() + 1],
            background,
            rng: Rng::derive(seed, "cluster/notices"),
            waiting: Vec::new(),
            fresh: Vec::new(),
            tickets: 0,
        }
    }

    /// The caches are filled from the store.
    pub(crate) fn fill(&mut self, rv: u64) {
        for cache in &mut self.caches {
            cache.rv = rv;
        }
    }

    /// A cache has learnt that nothing of its kind is missing up to a version and an instant.
    pub(crate) fn learn(&mut self, kind: Kind, rv: u64, at: Micros) {
        let cache = &mut self.caches[kind.index()];
        cache.rv = cache.rv.max(rv);
        cache.at = cache.at.max(at);
        let caches = &self.caches;
        let fresh = &mut self.fresh;
        self.waiting.retain(|(ticket, needed)| {
            let done = knows(caches, needed);
            if done {
                fresh.push(*ticket);
            }
            !done
        });
    }

    /// When the last write besides the store's came.
    fn last_background(&self, now: Micros) -> Micros {
        self.background
            .iter()
            .filter_map(|write| write.last(now))
            .max()
            .unwrap_or(Micros::ZERO)
    }
}

fn knows(caches: &[Cache], needed: &Needed) -> bool {
    let cache = &caches[needed.kind.index()];
    cache.rv >= needed.rv && cache.at >= needed.background
}

/// Which version a read must see: its kind and, unless it is whatever is current, a number. `None`:
/// it waits for no cache.
fn version_to_see(request: &ApiRequest, added: &[Kind]) -> Option<(Kind, Option<u64>)> {
    if request.method != Method::GET {
        return None;
    }
    let Route::Resource(resource) = parse(request.uri.path(), added)? else {
        return None;
    };
    // One object comes from the store; Events have no cache (`DefaultWatchCacheSizes`).
    if resource.name.is_some() || resource.kind == Kind::Event {
        return None;
    }
    let query = Query::parse(request.uri.query());
    if query.flag("watch") {
        let initial = match query.get("sendInitialEvents") {
            Some(explicit) => matches!(explicit, "true" | "1"),
            None => query.number("resourceVersion").is_none_or(|rv| rv == 0),
        };
        if !initial {
            return None;
        }
    }
    let number = match (query.get("continue"), query.get("resourceVersion")) {
        // A position that is no longer consistent goes on with what is current.
        (Some(token), _) => Some(Position::parse(token)?.rv).filter(|rv| *rv > 0),
        (None, None) => None,
        (None, Some(text)) => match text.parse() {
            // Any version will do, or it is refused.
            Ok(0) | Err(_) => return None,
            Ok(rv) => Some(rv),
        },
    };
    Some((resource.kind, number))
}

impl Cluster {
    /// Whether a request must wait for its kind's cache before it can be handled:
    /// its ticket comes with [`Self::take_fresh`].
    pub fn await_cache(&mut self, now: Micros, request: &ApiRequest) -> Option<Ticket> {
        let (kind, number) = version_to_see(request, &self.custom)?;
        let current = self.store.rv();
        let needed = match number {
            // It is refused.
            Some(rv) if rv > current => return None,
            Some(rv) => Needed {
                kind,
                rv,
                background: Micros::ZERO,
            },
            None => Needed {
                kind,
                rv: current,
                background: self.caches.last_background(now),
            },
        };
        if knows(&self.caches.caches, &needed) {
            return None;
        }
        self.caches.tickets += 1;
        let ticket = Ticket(self.caches.tickets);
        self.caches.waiting.push((ticket, needed));
        let asked = self.caches.caches[kind.index()].asked;
        if asked.is_none_or(|asked| asked + self.timings.notice_period <= now) {
            self.ask_progress(now, kind);
        }
        Some(ticket)
    }

    /// The requests that can be handled since the last call, in the order in which they came.
    pub fn take_fresh(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.caches.fresh)
    }

    /// The period since the last request for a notice is over.
    pub(crate) fn progress_due(&mut self, kind: Kind) {
        if self.caches.waiting.iter().any(|(_, n)| n.kind == kind) {
            self.ask_progress(self.now, kind);
        }
    }

    fn ask_progress(&mut self, now: Micros, kind: Kind) {
        self.caches.caches[kind.index()].asked = Some(now);
        let notice = Item::Notice {
            kind,
            rv: self.store.rv(),
            asked: now,
        };
        let takes = self.timings.notice.draw(&mut self.caches.rng);
        self.event_queue.push(now + takes, notice);
        self.event_queue
            .push(now + self.timings.notice_period, Item::ProgressDue(kind));
    }
}
