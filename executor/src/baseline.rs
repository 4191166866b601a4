//! The state before a deployment, as `prepare` records it in ConfigMap `rollback-baseline`.

use std::collections::{BTreeMap, BTreeSet};

use contract::image;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::{HistoryRow, LedgerPosition, Snapshot};
use crate::workload::WorkloadKind;

/// ConfigMap that holds the baseline.
pub const CONFIG_MAP: &str = "rollback-baseline";
/// Key of the baseline in it.
pub const KEY: &str = "baseline.json";

/// `build_info` metrics of one process: metric name to its labels.
pub type Build = BTreeMap<String, BTreeMap<String, String>>;

/// The state before a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Digest of the runbook that was followed.
    pub runbook: String,
    /// Each service of the release.
    pub services: BTreeMap<String, ServiceBaseline>,
    /// Value of each trigger's query; `None` if there was none.
    pub triggers: BTreeMap<String, Option<f64>>,
    /// Highest schema version that succeeded.
    pub schema_version: Option<String>,
    /// Flyway's history.
    pub history: Vec<HistoryRow>,
    /// How far the ledger had come.
    pub position: LedgerPosition,
    /// The snapshot that was taken.
    pub snapshot: Option<Snapshot>,
}

/// One service before a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceBaseline {
    /// Of which kind its workload is.
    #[serde(default, skip_serializing_if = "WorkloadKind::goes_without_saying")]
    pub kind: WorkloadKind,
    /// UID of its workload.
    pub uid: String,
    /// Its selector, as a query parameter.
    pub selector: String,
    /// Its pod template.
    pub template: Value,
    /// Its revision: the number of the ReplicaSet or ControllerRevision that its pods are of.
    pub revision: Option<u64>,
    /// Wanted replicas.
    pub replicas: i32,
    /// Image of the first container.
    pub image: String,
    /// Data of the ConfigMaps that the template refers to, without those that the runbook itself sets.
    pub config: BTreeMap<String, BTreeMap<String, String>>,
    /// Different builds seen on the pods: one, in a steady state.
    pub builds: BTreeSet<Build>,
}

impl Baseline {
    /// The kinds of workloads that the services are; Deployments if there are no services.
    pub(crate) fn kinds(&self) -> BTreeSet<WorkloadKind> {
        let kinds: BTreeSet<WorkloadKind> = self.services.values().map(|it| it.kind).collect();
        if kinds.is_empty() {
            return BTreeSet::from([WorkloadKind::default()]);
        }
        kinds
    }
}

impl ServiceBaseline {
    /// The version label of the recorded builds, or the image's tag.
    #[must_use]
    pub fn version(&self) -> String {
        self.builds
            .iter()
            .flat_map(BTreeMap::values)
            .find_map(|labels| labels.get("version").cloned())
            .unwrap_or_else(|| image::version(&self.image).to_owned())
    }
}
