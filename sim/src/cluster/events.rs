//! Events (core/v1), as `client-go/tools/record` writes them: repeats count up, floods are filtered.

use std::collections::BTreeMap;

use super::kinds::Kind;
use super::machine::Cluster;
use super::value::{self, int, set, text, timestamp};
use crate::cluster::json::{Value, json};
use crate::time::{EPOCH_SECOND, Micros};

/// Burst of the spam filter for each source and object.
const BURST: u64 = 25;
/// One more event each of these after the burst.
const REFILL: Micros = Micros::from_secs(300);

/// What the recorders remember.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// (object UID, source) → (events sent, first at).
    sent: BTreeMap<(String, &'static str), (u64, Micros)>,
    /// (object UID, reason, message) → event key, for counting repeats.
    seen: BTreeMap<(String, &'static str, String), String>,
    written: u64,
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
        let (sent, first) = self
            .recorder
            .sent
            .entry((uid.clone(), source))
            .or_insert((0, self.now));
        if *sent >= BURST + (self.now.saturating_sub(*first).0 / REFILL.0) {
            return;
        }
        *sent += 1;
        let identity = (uid.clone(), reason, message.to_owned());
        if let Some(key) = self.recorder.seen.get(&identity).cloned()
            && let Some(old) = self.get(Kind::Event, &key)
        {
            let mut event = old.value.clone();
            let count = int(&event, &["count"]).unwrap_or(1) + 1;
            set(&mut event, &["count"], count);
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
            "reason": reason, "message": message,
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
        self.recorder.seen.insert(identity, key.clone());
        self.store.insert(self.now, Kind::Event, key, event);
        self.published();
    }
}
