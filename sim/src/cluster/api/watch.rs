//! WATCH: replay from the log, selectors, bookmarks, initial events and deadlines.

use std::collections::{BTreeMap, VecDeque};

use crate::cluster::json::{Value, json};
use bytes::{BufMut, BytesMut};

use super::list::{Selectors, version_parameter};
use super::negotiation::Form;
use super::status::{ApiError, json_bytes};
use super::table::{Rows, table};
use super::verbs::{Call, metadata_of};
use crate::cluster::due_items::Item;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::{Change, LogEntry, Ref};
use crate::cluster::value::{self, split_key};
use crate::cluster::wire::{ApiResponse, WatchFrame, WatchId};
use crate::time::Micros;

/// One open watch.
#[derive(Debug)]
struct Open {
    kind: Kind,
    namespace: Option<String>,
    name: Option<String>,
    selectors: Selectors,
    bookmarks: bool,
    /// The form of its objects.
    form: Form,
    /// What tables of them are made of.
    rows: Rows,
    /// Changes up to here have been sent or are not wanted.
    rv: u64,
    deadline: Micros,
}

/// All open watches and what they have to send.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    open: BTreeMap<WatchId, Open>,
    frames: VecDeque<(WatchId, WatchFrame)>,
    opened: u64,
}

fn frame(of_type: &str, object: &[u8]) -> WatchFrame {
    let mut out = BytesMut::with_capacity(object.len() + 40);
    out.put_slice(b"{\"type\":\"");
    out.put_slice(of_type.as_bytes());
    out.put_slice(b"\",\"object\":");
    out.put_slice(object);
    out.put_slice(b"}\n");
    WatchFrame::Data(out.freeze())
}

fn bookmark_object(kind: Kind, rv: u64, initial_end: bool) -> Value {
    let mut object = json!({
        "kind": kind.name(), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": rv.to_string()},
    });
    match kind {
        // Typed clients insist on these members.
        Kind::Deployment | Kind::ReplicaSet => {
            object["spec"] = json!({"selector": {}, "template": {}});
        }
        Kind::Pod => object["spec"] = json!({"containers": []}),
        Kind::EndpointSlice => {
            object["addressType"] = "".into();
            object["endpoints"] = json!([]);
        }
        Kind::Event => object["involvedObject"] = json!({}),
        _ => {}
    }
    if initial_end {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    object
}

impl Open {
    fn concerns(&self, kind: Kind, key: &str) -> bool {
        let (namespace, name) = split_key(key);
        self.kind == kind
            && self.namespace.as_deref().is_none_or(|ns| ns == namespace)
            && self.name.as_deref().is_none_or(|n| n == name)
    }

    /// The frame that this change is for this watch: objects enter and leave the selector.
    fn frame(&mut self, entry: &LogEntry) -> Option<WatchFrame> {
        let now = entry.change != Change::Deleted && self.selectors.matches(&entry.object.value);
        let before = entry
            .previous
            .as_ref()
            .filter(|p| self.selectors.matches(&p.value));
        let of_type = match (before, now) {
            (None, false) => return None,
            (None, true) => "ADDED",
            (Some(_), true) => "MODIFIED",
            (Some(_), false) if entry.change == Change::Deleted => "DELETED",
            (Some(old), false) => {
                // Old content, new version.
                let mut object = old.value.clone();
                value::set(
                    &mut object,
                    &["metadata", "resourceVersion"],
                    entry.rv.to_string(),
                );
                return Some(self.frame_of("DELETED", entry.at, &object));
            }
        };
        Some(match self.form {
            Form::Whole => frame(of_type, entry.object.bytes()),
            _ => self.frame_of(of_type, entry.at, &entry.object.value),
        })
    }

    /// A frame with an object, in the form that was asked for. Only the first table describes its columns
    /// (`apiserver/pkg/endpoints/handlers/response.go`).
    fn frame_of(&mut self, of_type: &str, now: Micros, object: &Value) -> WatchFrame {
        let object = match self.form {
            Form::Whole => json_bytes(object),
            Form::Metadata => json_bytes(&metadata_of(object)),
            Form::Table => {
                let version = value::text(object, &["metadata", "resourceVersion"]);
                let metadata = json!({"resourceVersion": version});
                let rows = Rows { now, ..self.rows };
                self.rows.with_columns = false;
                json_bytes(&table(rows, metadata, std::iter::once(object)))
            }
        };
        frame(of_type, &object)
    }
}

impl Watches {
    /// Sends a change to every watch that it concerns.
    pub(crate) fn publish(&mut self, entry: &LogEntry) {
        for (id, watch) in &mut self.open {
            if entry.rv > watch.rv && watch.concerns(entry.kind, &entry.key) {
                if let Some(frame) = watch.frame(entry) {
                    self.frames.push_back((*id, frame));
                }
                watch.rv = entry.rv;
            }
        }
    }

    pub(crate) fn take_frames(&mut self) -> Vec<(WatchId, WatchFrame)> {
        self.frames.drain(..).collect()
    }

    /// The server ends a watch.
    pub(crate) fn end(&mut self, id: WatchId) {
        if self.open.remove(&id).is_some() {
            self.frames.push_back((id, WatchFrame::End));
        }
    }

    /// The client has gone.
    pub(crate) fn close(&mut self, id: WatchId) {
        self.open.remove(&id);
        self.frames.retain(|(i, _)| *i != id);
    }

    /// The server ends all watches.
    pub(crate) fn end_all(&mut self) -> usize {
        let open: Vec<WatchId> = self.open.keys().copied().collect();
        for &id in &open {
            self.end(id);
        }
        open.len()
    }

    /// Sends a frame of a stream.
    pub(crate) fn send(&mut self, id: WatchId, frame: WatchFrame) {
        self.frames.push_back((id, frame));
    }

    /// The number of a new stream.
    pub(crate) fn next_id(&mut self) -> WatchId {
        self.opened += 1;
        WatchId(self.opened)
    }
}

/// Where a watch starts.
enum Start {
    /// With every object as it is now, then the changes.
    Initial { end_bookmark: bool },
    /// With the changes after this version.
    After(u64),
}

impl Cluster {
    /// GET with `watch=true` on a collection.
    pub(crate) fn watch(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        let selectors = Selectors::of(call)?;
        let rv = version_parameter(call)?;
        let bookmarks = call.query.flag("allowWatchBookmarks");
        let start = start_of(call, rv, bookmarks)?;
        let id = self.watches.next_id();
        if let Start::After(rv) = start
            && rv < self.store.compacted()
        {
            let gone = ApiError::expired(format!(
                "too old resource version: {rv} ({})",
                self.store.compacted()
            ));
            self.watches
                .frames
                .push_back((id, frame("ERROR", &json_bytes(&gone.body()))));
            self.watches.frames.push_back((id, WatchFrame::End));
            return Ok(ApiResponse::Watch(id));
        }
        let lifetime = call
            .query
            .number("timeoutSeconds")
            .filter(|t| *t > 0)
            .map_or_else(
                || Micros(self.rng.watch.between(1_800_000_000, 3_600_000_000)),
                Micros::from_secs,
            );
        let deadline = self.now + lifetime;
        let mut watch = Open {
            kind: call.resource.kind,
            namespace: call.resource.namespace.clone(),
            name: selectors.fields.name().map(str::to_owned),
            selectors,
            bookmarks,
            form: call.form,
            rows: call.rows(),
            rv: self.store.rv(),
            deadline,
        };
        match start {
            Start::Initial { end_bookmark } => {
                let objects: Vec<Ref> = self
                    .store
                    .list(watch.kind, watch.namespace.as_deref())
                    .filter(|(k, o)| {
                        watch.concerns(watch.kind, k) && watch.selectors.matches(&o.value)
                    })
                    .map(|(_, o)| o.clone())
                    .collect();
                for object in objects {
                    let frame = match watch.form {
                        Form::Whole => frame("ADDED", object.bytes()),
                        _ => watch.frame_of("ADDED", self.now, &object.value),
                    };
                    self.watches.frames.push_back((id, frame));
                }
                if end_bookmark {
                    let end = bookmark_object(watch.kind, self.store.rv(), true);
                    let frame = watch.frame_of("BOOKMARK", self.now, &end);
                    self.watches.frames.push_back((id, frame));
                }
            }
            Start::After(rv) => {
                for entry in self.store.since(rv) {
                    if watch.concerns(entry.kind, &entry.key)
                        && let Some(frame) = watch.frame(entry)
                    {
                        self.watches.frames.push_back((id, frame));
                    }
                }
                // A version from the future waits until the store has passed it.
                watch.rv = watch.rv.max(rv);
            }
        }
        self.event_queue.push(deadline, Item::WatchDeadline(id));
        if bookmarks {
            let first = self.next_bookmark(deadline);
            self.event_queue.push(first, Item::Bookmark(id));
        }
        self.watches.open.insert(id, watch);
        Ok(ApiResponse::Watch(id))
    }

    /// About every 60 s, and once 2 s before the deadline.
    fn next_bookmark(&self, deadline: Micros) -> Micros {
        let last = deadline.saturating_sub(Micros::from_secs(2));
        let periodic = self.now + self.timings.bookmark;
        if self.now < last {
            periodic.min(last)
        } else {
            periodic
        }
    }

    pub(crate) fn bookmark(&mut self, id: WatchId) {
        let Some(watch) = self.watches.open.get_mut(&id) else {
            return;
        };
        let deadline = watch.deadline;
        if watch.bookmarks && watch.rv <= self.store.rv() {
            let object = bookmark_object(watch.kind, self.store.rv(), false);
            let frame = watch.frame_of("BOOKMARK", self.now, &object);
            self.watches.frames.push_back((id, frame));
        }
        let next = self.next_bookmark(deadline);
        if next < deadline {
            self.event_queue.push(next, Item::Bookmark(id));
        }
    }
}

fn start_of(call: &Call<'_>, rv: Option<u64>, bookmarks: bool) -> Result<Start, ApiError> {
    let invalid = |field: &str, why: &str| {
        ApiError::new(
            422,
            "Invalid",
            format!("ListOptions.meta.k8s.io \"\" is invalid: {field}: Forbidden: {why}"),
        )
        .with_cause("FieldValueForbidden", why, field)
    };
    let matching = call.query.get("resourceVersionMatch");
    match call.query.get("sendInitialEvents") {
        Some(explicit) => {
            if matching != Some("NotOlderThan") {
                return Err(invalid(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ));
            }
            if matches!(explicit, "true" | "1") {
                return Ok(Start::Initial {
                    end_bookmark: bookmarks,
                });
            }
        }
        None if matching.is_some() => {
            return Err(invalid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        // WatchList is on by default in 1.34: the legacy form asks for initial events implicitly.
        None if rv.unwrap_or(0) == 0 => {
            return Ok(Start::Initial {
                end_bookmark: bookmarks,
            });
        }
        None => {}
    }
    Ok(Start::After(rv.unwrap_or(0)))
}
