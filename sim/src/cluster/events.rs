//! Events (core/v1), as `client-go/tools/record` writes them: repeats count up, floods are filtered.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::Kind;
use super::machine::Cluster;
use super::value::{self, set, text, timestamp};
use crate::cluster::json::{Value, json};
use crate::time::{EPOCH_SECOND, Micros};

/// Burst of the spam filter for each source and object (`defaultSpamBurst`).
const BURST: u64 = 25;
/// One more event each of these, up to a burst (`defaultSpamQPS`).
const REFILL: Micros = Micros::from_secs(300);

/// From so many different messages on, events of one reason are combined (`defaultAggregateMaxEvents`), …
const COMBINED_FROM: usize = 10;
/// … unless they are further apart than this (`defaultAggregateIntervalInSeconds`).
const COMBINED_WITHIN: Micros = Micros::from_secs(600);

/// Events that differ in their messages alone (`EventAggregatorByReasonFunc`): object UID, source, warning, reason.
type Similar = (String, &'static str, bool, &'static str);

/// What one source may still write about one object (`client-go/util/flowcontrol`, a bucket of tokens).
#[derive(Debug)]
struct Bucket {
    /// As the time in which it comes back.
    credit: Micros,
    at: Micros,
}

impl Bucket {
    const FULL: Micros = Micros(BURST * REFILL.0);

    fn new(now: Micros) -> Self {
        Self {
            credit: Self::FULL,
            at: now,
        }
    }

    /// Takes one event's share, if it is there.
    fn take(&mut self, now: Micros) -> bool {
        self.credit = (self.credit + now.saturating_sub(self.at)).min(Self::FULL);
        self.at = now;
        let enough = self.credit >= REFILL;
        if enough {
            self.credit = Micros(self.credit.0 - REFILL.0);
        }
        enough
    }
}

/// What the recorders remember.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// By object UID and source.
    buckets: BTreeMap<(String, &'static str), Bucket>,
    /// The latest messages of similar events, and when the last of them came.
    similar: BTreeMap<Similar, (BTreeSet<String>, Micros)>,
    /// Similar events with their message, or without one if they are combined → (event key, how often), for counting
    /// repeats.
    seen: BTreeMap<(Similar, Option<String>), (String, u64)>,
    written: u64,
}

impl Recorder {
    /// Whether an event is one of so many similar ones that they are combined (`events_cache.go` EventAggregate).
    fn combines(&mut self, now: Micros, similar: &Similar, message: &str) -> bool {
        let (messages, last) = self.similar.entry(similar.clone()).or_default();
        if now.saturating_sub(*last) > COMBINED_WITHIN {
            messages.clear();
        }
        messages.insert(message.to_owned());
        *last = now;
        if messages.len() < COMBINED_FROM {
            return false;
        }
        messages.pop_first();
        true
    }
}

impl Cluster {
    /// Records an event about `object`.
    pub(crate) fn event(
        &mut self,
        object: &Value,
        warning: bool,
        reason: &'static str,
        message: &str,
        source: &'static str,
    ) {
        let uid = value::uid(object).to_owned();
        let similar = (uid.clone(), source, warning, reason);
        let combined = self.recorder.combines(self.now, &similar, message);
        let shown = if combined {
            format!("(combined from similar events): {message}")
        } else {
            message.to_owned()
        };
        let identity = (similar, (!combined).then(|| message.to_owned()));
        let seen = self.recorder.seen.get_mut(&identity).map(|(key, count)| {
            *count += 1;
            (key.clone(), *count)
        });
        let bucket = self
            .recorder
            .buckets
            .entry((uid.clone(), source))
            .or_insert_with(|| Bucket::new(self.now));
        if !bucket.take(self.now) {
            return;
        }
        if let Some((key, count)) = seen
            && let Some(old) = self.get(Kind::Event, &key)
        {
            let mut event = old.value.clone();
            set(&mut event, &["count"], count);
            set(&mut event, &["message"], shown);
            set(&mut event, &["lastTimestamp"], timestamp(self.now));
            self.store.replace(self.now, Kind::Event, &key, event);
            self.published();
            return;
        }
        self.recorder.written += 1;
        let nanos = (EPOCH_SECOND as u64) * 1_000_000_000
            + self.now.0 * 1_000
            + self.recorder.written % 1_000;
        let name = format!("{}.{nanos:016x}", value::name(object));
        let namespace = match value::namespace(object) {
            "" => "default",
            ns => ns,
        };
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {
                "name": name, "namespace": namespace,
                "uid": format!("00000000-0000-4000-8000-{:012x}", self.recorder.written),
                "creationTimestamp": timestamp(self.now),
            },
            "involvedObject": {
                "apiVersion": text(object, &["apiVersion"]), "kind": text(object, &["kind"]),
                "name": value::name(object), "namespace": value::namespace(object), "uid": uid,
                "resourceVersion": text(object, &["metadata", "resourceVersion"]),
            },
            "reason": reason, "message": shown,
            "type": if warning { "Warning" } else { "Normal" },
            "source": {"component": source},
            "reportingComponent": source, "reportingInstance": "",
            "firstTimestamp": timestamp(self.now), "lastTimestamp": timestamp(self.now),
            "count": 1,
        });
        let key = value::key(namespace, &name);
        if self.store.get(Kind::Event, &key).is_some() {
            return;
        }
        self.recorder.seen.insert(identity, (key.clone(), 1));
        self.store.insert(self.now, Kind::Event, key, event);
        self.published();
    }
}
