//! The journal in ConfigMap `rollback-journal`: the plan under `plan`, each entry under its own key.
//!
//! Every write carries the resourceVersion of the last one as its precondition, so a writer that lost the lease
//! and does not know it yet can't append: its next entry is refused, and it stops.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::entry::{Entry, Record, State};
use crate::error::Error;
use crate::kubernetes::{Cluster, is_conflict};
use crate::planner::Plan;

/// Name of the ConfigMap.
pub const CONFIG_MAP: &str = "rollback-journal";
const PLAN: &str = "plan";
/// How long a write may take at least, retries included, before the executor gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a conflict that changed no entry.
const AGAIN: Duration = Duration::from_millis(50);

/// The journal of one rollback.
pub(crate) struct Journal {
    cluster: Cluster,
    identity: String,
    version: Option<String>,
    /// Until when a write is tried at least.
    pub(crate) until: Timestamp,
    /// The plan, if there is one.
    pub(crate) plan: Option<Plan>,
    /// Entries, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Where they lead.
    pub(crate) state: State,
}

impl Journal {
    /// Reads it; that and every write is tried until `until` at least.
    pub(crate) async fn load(
        cluster: &Cluster,
        identity: &str,
        until: Timestamp,
    ) -> Result<Self, Error> {
        let api = cluster.config_maps();
        let deadline = deadline(cluster, until);
        let found = cluster.get_opt(&api, CONFIG_MAP, deadline).await?;
        let mut journal = Self {
            cluster: cluster.clone(),
            identity: identity.to_owned(),
            version: None,
            until,
            plan: None,
            entries: Vec::new(),
            state: State::Empty,
        };
        if let Some(object) = found {
            journal.version = object.resource_version();
            journal.read(&object.data.unwrap_or_default())?;
        }
        Ok(journal)
    }

    fn read(&mut self, data: &BTreeMap<String, String>) -> Result<(), Error> {
        let unreadable = |key: &str, error: serde_json::Error| Error::Unreadable {
            what: format!("configmap {CONFIG_MAP}, key {key}"),
            reason: error.to_string(),
        };
        if let Some(text) = data.get(PLAN) {
            let plan = serde_json::from_str(text).map_err(|error| unreadable(PLAN, error))?;
            self.plan = Some(plan);
        }
        for (key, text) in data.iter().filter(|(key, _)| key.starts_with("entry-")) {
            let entry: Entry =
                serde_json::from_str(text).map_err(|error| unreadable(key, error))?;
            self.state = self.state.apply(&entry.record)?;
            self.entries.push(entry);
        }
        Ok(())
    }

    /// When the plan was journaled.
    pub(crate) fn begun_at(&self) -> Option<Timestamp> {
        self.entries.first().map(|entry| entry.at)
    }

    /// Begins anew with `plan`; what was there is replaced.
    pub(crate) async fn begin(&mut self, plan: &Plan, token: u64) -> Result<(), Error> {
        let record = Record::Planned {
            steps: plan.steps.len(),
        };
        let state = State::Empty.apply(&record)?;
        let last = deadline(&self.cluster, self.until);
        let entry = self.entry(1, token, record);
        let data = BTreeMap::from([
            (PLAN.to_owned(), text(plan)?),
            (key(entry.seq), text(&entry)?),
        ]);
        let api = self.cluster.config_maps();
        let params = PostParams::default();
        loop {
            let object = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(CONFIG_MAP.to_owned()),
                    resource_version: self.version.clone(),
                    ..ObjectMeta::default()
                },
                data: Some(data.clone()),
                ..ConfigMap::default()
            };
            let written = if self.version.is_none() {
                let create = || api.create(&params, &object);
                self.cluster.call("create the journal", last, create).await
            } else {
                let replace = || api.replace(CONFIG_MAP, &params, &object);
                self.cluster.call("write the journal", last, replace).await
            };
            // What another attempt of this host has begun meanwhile is not overwritten.
            if self.settle(written, &data, None, last).await? {
                break;
            }
        }
        self.plan = Some(plan.clone());
        self.entries = vec![entry];
        self.state = state;
        Ok(())
    }

    /// Appends `record`. Once it returns, whoever resumes will read it.
    pub(crate) async fn append(&mut self, record: Record, token: u64) -> Result<(), Error> {
        let last = deadline(&self.cluster, self.until);
        let api = self.cluster.config_maps();
        let params = PatchParams::default();
        loop {
            let state = self.state.apply(&record)?;
            let seq = self.entries.last().map_or(1, |entry| entry.seq + 1);
            let entry = self.entry(seq, token, record.clone());
            let data = BTreeMap::from([(key(seq), text(&entry)?)]);
            let patch = json!({
                "metadata": { "resourceVersion": self.version },
                "data": data,
            });
            let patch = Patch::Merge(&patch);
            // Only the metadata comes back: the whole journal grows with every entry.
            let send = || api.patch_metadata(CONFIG_MAP, &params, &patch);
            let written = self.cluster.call("write the journal", last, send).await;
            if self.settle(written, &data, Some(token), last).await? {
                self.entries.push(entry);
                self.state = state;
                return Ok(());
            }
        }
    }

    /// How often a remedy of that name was begun, on whichever host.
    pub(crate) fn begun(&self, remedy: &str) -> usize {
        let intents = self.entries.iter().filter(|entry| {
            matches!(&entry.record, Record::Intent { remedy: Some(begun), .. } if begun == remedy)
        });
        intents.count()
    }

    fn entry(&self, seq: u32, token: u64, record: Record) -> Entry {
        Entry {
            seq,
            at: self.cluster.clock.now(),
            token,
            by: self.identity.clone(),
            record,
        }
    }

    /// Takes in what came of a write: whether `data` is there, or it is to be tried again. After a conflict it looks
    /// whether the write had gone through unheard; whether only something beside the entries was changed, a label for
    /// instance; and, with a token, whether an earlier holder of the lease wrote: the journal must be read again then.
    async fn settle(
        &mut self,
        written: Result<impl ResourceExt, Error>,
        data: &BTreeMap<String, String>,
        token: Option<u64>,
        last: Timestamp,
    ) -> Result<bool, Error> {
        let conflict = match written {
            Ok(object) => {
                self.version = object.resource_version();
                return Ok(true);
            }
            Err(error) if is_conflict(&error) => error,
            Err(error) => return Err(error),
        };
        let api = self.cluster.config_maps();
        let found = self.cluster.get_opt(&api, CONFIG_MAP, last).await?;
        let found = found.unwrap_or_default();
        let version = found.resource_version();
        let there = found.data.unwrap_or_default();
        let is_there = |(key, value): (&String, &String)| there.get(key) == Some(value);
        if data.iter().all(is_there) {
            self.version = version;
            return Ok(true);
        }
        let mut fresh = Self {
            cluster: self.cluster.clone(),
            identity: self.identity.clone(),
            version: None,
            until: self.until,
            plan: None,
            entries: Vec::new(),
            state: State::Empty,
        };
        fresh.read(&there)?;
        match met(&self.entries, &fresh.entries, &self.identity, token) {
            Met::NoEntry => {}
            Met::Earlier => {
                let newest = fresh.entries.last();
                let what = newest.map_or_else(String::new, |entry| {
                    format!("`{}` by {}", entry.record.name(), entry.by)
                });
                return Err(Error::Outdated { what });
            }
            Met::Other => {
                return Err(Error::Superseded {
                    by: "another executor wrote to the journal".to_owned(),
                });
            }
        }
        self.version = version;
        if self.cluster.pause(AGAIN, last).await {
            Ok(false)
        } else {
            Err(conflict)
        }
    }
}

/// What a write that met a conflict finds in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// The entries that are known, and no other.
    NoEntry,
    /// More of this rollback, by a token that came before: a request of this host or another that was late.
    Earlier,
    /// A successor's, or another rollback's.
    Other,
}

/// Compares the entries that `identity` knows with those that are there. With no token, all others are a successor's.
pub(super) fn met(known: &[Entry], there: &[Entry], identity: &str, token: Option<u64>) -> Met {
    // What is read back need not be what was written, to the last digit of a number.
    let same = |(one, other): (&Entry, &Entry)| {
        (one.seq, one.at, one.token, &one.by) == (other.seq, other.at, other.token, &other.by)
    };
    if there.len() < known.len() || !known.iter().zip(there).all(same) {
        return Met::Other;
    }
    let more = &there[known.len()..];
    let earlier = |entry: &Entry| {
        let own = entry.by == identity;
        token.is_some_and(|it| entry.token < it || (own && entry.token == it))
    };
    match more {
        [] => Met::NoEntry,
        more if !known.is_empty() && more.iter().all(earlier) => Met::Earlier,
        _ => Met::Other,
    }
}

fn deadline(cluster: &Cluster, until: Timestamp) -> Timestamp {
    let at_least = cluster.clock.now() + SignedDuration::try_from(PATIENCE).unwrap_or_default();
    at_least.max(until)
}

fn key(seq: u32) -> String {
    format!("entry-{seq:04}")
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Unreadable {
        what: "a journal entry".to_owned(),
        reason: error.to_string(),
    })
}
