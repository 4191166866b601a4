//! The object store: one resourceVersion counter, immutable versions and the watch log.
//!
//! Every version of an object is immutable and shared; its serialised form is made at most once, for
//! GET, LIST and every watch alike. The log keeps each change with the version before it, which is
//! enough to replay a watch and to rebuild the state at an older resourceVersion for list paging.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use crate::cluster::json::Value;
use bytes::Bytes;

use super::kinds::Kind;
use super::value;
use crate::time::Micros;

/// One version of one object.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) value: Value,
    pub(crate) rv: u64,
    /// Order of creation across all kinds.
    pub(crate) seq: u64,
    bytes: OnceLock<Bytes>,
    controller: OnceLock<String>,
}

impl Stored {
    /// UID of the controlling owner, empty if there is none; looked up once, as lists are filtered by it.
    pub(crate) fn controller_uid(&self) -> &str {
        self.controller
            .get_or_init(|| value::controller_uid(&self.value).to_owned())
    }

    /// The JSON text.
    pub(crate) fn bytes(&self) -> &Bytes {
        self.bytes.get_or_init(|| {
            Bytes::from(serde_json::to_vec(&self.value).expect("a JSON value serialises"))
        })
    }
}

pub(crate) type Ref = Arc<Stored>;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One entry of the watch log.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    pub(crate) rv: u64,
    pub(crate) at: Micros,
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) change: Change,
    pub(crate) object: Ref,
    pub(crate) previous: Option<Ref>,
}

/// All objects and the log of their changes.
#[derive(Debug)]
pub(crate) struct Store {
    objects: [BTreeMap<String, Ref>; Kind::ALL.len()],
    /// Of the kinds that were added.
    custom: BTreeMap<Kind, BTreeMap<String, Ref>>,
    rv: u64,
    seq: u64,
    log: VecDeque<LogEntry>,
    compacted: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            objects: std::array::from_fn(|_| BTreeMap::new()),
            custom: BTreeMap::new(),
            rv: 1,
            seq: 0,
            log: VecDeque::new(),
            compacted: 0,
        }
    }

    /// The latest resourceVersion.
    pub(crate) fn rv(&self) -> u64 {
        self.rv
    }

    /// The newest resourceVersion whose successors may have left the log.
    pub(crate) fn compacted(&self) -> u64 {
        self.compacted
    }

    fn all(&self, kind: Kind) -> &BTreeMap<String, Ref> {
        static NONE: BTreeMap<String, Ref> = BTreeMap::new();
        match kind {
            Kind::Custom(_) => self.custom.get(&kind).unwrap_or(&NONE),
            built_in => &self.objects[built_in.index()],
        }
    }

    fn all_mut(&mut self, kind: Kind) -> &mut BTreeMap<String, Ref> {
        match kind {
            Kind::Custom(_) => self.custom.entry(kind).or_default(),
            built_in => &mut self.objects[built_in.index()],
        }
    }

    pub(crate) fn get(&self, kind: Kind, key: &str) -> Option<&Ref> {
        self.all(kind).get(key)
    }

    /// Objects of a namespace (or of all), by key.
    pub(crate) fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a String, &'a Ref)> {
        let from = namespace.map_or_else(String::new, |ns| value::key(ns, ""));
        let prefix = from.clone();
        self.all(kind)
            .range(from..)
            .take_while(move |(k, _)| k.starts_with(&prefix))
    }

    fn version(&mut self, mut value: Value, seq: u64) -> Ref {
        self.rv += 1;
        value::set(
            &mut value,
            &["metadata", "resourceVersion"],
            self.rv.to_string(),
        );
        Arc::new(Stored {
            value,
            rv: self.rv,
            seq,
            bytes: OnceLock::new(),
            controller: OnceLock::new(),
        })
    }

    /// Adds an object; the caller has checked that the key is free.
    pub(crate) fn insert(&mut self, at: Micros, kind: Kind, key: String, value: Value) -> Ref {
        self.seq += 1;
        let object = self.version(value, self.seq);
        self.all_mut(kind).insert(key.clone(), Arc::clone(&object));
        self.record(at, kind, key, Change::Added, object, None)
    }

    /// Replaces an object that exists.
    pub(crate) fn replace(&mut self, at: Micros, kind: Kind, key: &str, value: Value) -> Ref {
        let previous = Arc::clone(&self.all(kind)[key]);
        let object = self.version(value, previous.seq);
        self.all_mut(kind)
            .insert(key.to_owned(), Arc::clone(&object));
        self.record(
            at,
            kind,
            key.to_owned(),
            Change::Modified,
            object,
            Some(previous),
        )
    }

    /// Removes an object that exists. The entry carries the last content with a new version.
    pub(crate) fn remove(&mut self, at: Micros, kind: Kind, key: &str) -> Ref {
        let previous = self
            .all_mut(kind)
            .remove(key)
            .expect("the caller looked it up");
        let object = self.version(previous.value.clone(), previous.seq);
        self.record(
            at,
            kind,
            key.to_owned(),
            Change::Deleted,
            object,
            Some(previous),
        )
    }

    fn record(
        &mut self,
        at: Micros,
        kind: Kind,
        key: String,
        change: Change,
        object: Ref,
        previous: Option<Ref>,
    ) -> Ref {
        let result = Arc::clone(&object);
        self.log.push_back(LogEntry {
            rv: object.rv,
            at,
            kind,
            key,
            change,
            object,
            previous,
        });
        result
    }

    /// The latest change.
    pub(crate) fn last(&self) -> Option<&LogEntry> {
        self.log.back()
    }

    /// Log entries newer than `rv`, oldest first.
    pub(crate) fn since(&self, rv: u64) -> impl DoubleEndedIterator<Item = &LogEntry> {
        let from = self.log.partition_point(|e| e.rv <= rv);
        self.log.range(from..)
    }

    /// Forgets every change written before `before`.
    pub(crate) fn compact_before(&mut self, before: Micros) {
        while self.log.front().is_some_and(|e| e.at < before) {
            if let Some(e) = self.log.pop_front() {
                self.compacted = e.rv;
            }
        }
    }

    /// Forgets every change up to and including `rv`.
    pub(crate) fn compact(&mut self, rv: u64) {
        while self.log.front().is_some_and(|e| e.rv <= rv) {
            self.log.pop_front();
        }
        self.compacted = self.compacted.max(rv.min(self.rv));
    }

    /// The objects of a kind as they were at `rv`, or `None` if the log no longer reaches back.
    pub(crate) fn state_at(&self, kind: Kind, rv: u64) -> Option<BTreeMap<String, Ref>> {
        if rv < self.compacted {
            return None;
        }
        let mut state = self.all(kind).clone();
        for entry in self.since(rv).rev().filter(|e| e.kind == kind) {
            match &entry.previous {
                Some(previous) => state.insert(entry.key.clone(), Arc::clone(previous)),
                None => state.remove(&entry.key),
            };
        }
        Some(state)
    }
}
