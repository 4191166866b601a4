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
/// How long a write may take, retries included, before the executor gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The journal of one rollback.
pub(crate) struct Journal {
    cluster: Cluster,
    identity: String,
    version: Option<String>,
    /// The plan, if there is one.
    pub(crate) plan: Option<Plan>,
    /// Entries, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Where they lead.
    pub(crate) state: State,
}

impl Journal {
    /// Reads it.
    pub(crate) async fn load(cluster: &Cluster, identity: &str) -> Result<Self, Error> {
        let api = cluster.config_maps();
        let found = cluster.get_opt(&api, CONFIG_MAP, deadline(cluster)).await?;
        let mut journal = Self {
            cluster: cluster.clone(),
            identity: identity.to_owned(),
            version: None,
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
        let entry = self.entry(1, token, record);
        let data = BTreeMap::from([
            (PLAN.to_owned(), text(plan)?),
            (key(entry.seq), text(&entry)?),
        ]);
        let object = ConfigMap {
            metadata: ObjectMeta {
                name: Some(CONFIG_MAP.to_owned()),
                resource_version: self.version.clone(),
                ..ObjectMeta::default()
            },
            data: Some(data.clone()),
            ..ConfigMap::default()
        };
        let api = self.cluster.config_maps();
        let params = PostParams::default();
        let written = if self.version.is_none() {
            let create = || api.create(&params, &object);
            self.cluster
                .call("create the journal", deadline(&self.cluster), create)
                .await
        } else {
            let replace = || api.replace(CONFIG_MAP, &params, &object);
            self.cluster
                .call("write the journal", deadline(&self.cluster), replace)
                .await
        };
        self.version = self.settle(written, &data).await?;
        self.plan = Some(plan.clone());
        self.entries = vec![entry];
        self.state = state;
        Ok(())
    }

    /// Appends `record`. Once it returns, whoever resumes will read it.
    pub(crate) async fn append(&mut self, record: Record, token: u64) -> Result<(), Error> {
        let state = self.state.apply(&record)?;
        let seq = self.entries.last().map_or(1, |entry| entry.seq + 1);
        let entry = self.entry(seq, token, record);
        let data = BTreeMap::from([(key(seq), text(&entry)?)]);
        let patch = json!({
            "metadata": { "resourceVersion": self.version },
            "data": data,
        });
        let api = self.cluster.config_maps();
        let params = PatchParams::default();
        let patch = Patch::Merge(&patch);
        // Only the metadata comes back: the whole journal grows with every entry.
        let send = || api.patch_metadata(CONFIG_MAP, &params, &patch);
        let written = self
            .cluster
            .call("write the journal", deadline(&self.cluster), send)
            .await;
        self.version = self.settle(written, &data).await?;
        self.entries.push(entry);
        self.state = state;
        Ok(())
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

    /// The new resourceVersion. After a conflict it looks whether the write had gone through unheard.
    async fn settle(
        &self,
        written: Result<impl ResourceExt, Error>,
        data: &BTreeMap<String, String>,
    ) -> Result<Option<String>, Error> {
        match written {
            Ok(object) => Ok(object.resource_version()),
            Err(error) if is_conflict(&error) => {
                let api = self.cluster.config_maps();
                let found = self
                    .cluster
                    .get_opt(&api, CONFIG_MAP, deadline(&self.cluster))
                    .await?;
                let found = found.unwrap_or_default();
                let there = found.data.clone().unwrap_or_default();
                if data
                    .iter()
                    .all(|(key, value)| there.get(key) == Some(value))
                {
                    return Ok(found.resource_version());
                }
                Err(Error::Superseded {
                    by: "another executor wrote to the journal".to_owned(),
                })
            }
            Err(error) => Err(error),
        }
    }
}

fn deadline(cluster: &Cluster) -> Timestamp {
    cluster.clock.now() + SignedDuration::try_from(PATIENCE).unwrap_or_default()
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
