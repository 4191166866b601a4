//! revisionHistoryLimit (`sync.go` cleanupDeployment).

use super::sync::Sync;
use super::view::{revision, spec_replicas, status_count};
use crate::cluster::api::status::ApiError;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::DeleteOptions;
use crate::cluster::store::Ref;
use crate::cluster::value::{self, deleting, int};

impl Cluster {
    /// Deletes the oldest revisions beyond the limit, except those that still have pods.
    pub(crate) fn clean_up_history(
        &mut self,
        sync: &mut Sync,
        old: &[Ref],
    ) -> Result<(), ApiError> {
        let Some(limit) = int(&sync.object, &["spec", "revisionHistoryLimit"])
            .filter(|l| *l != i64::from(i32::MAX))
        else {
            return Ok(());
        };
        let mut alive: Vec<Ref> = old
            .iter()
            .filter(|rs| !deleting(&rs.value))
            .cloned()
            .collect();
        let excess = alive
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        alive.sort_by_key(|rs| revision(&rs.value));
        for rs in &alive[..excess] {
            let v = &rs.value;
            let observed = status_count(v, "observedGeneration")
                >= int(v, &["metadata", "generation"]).unwrap_or(0);
            if status_count(v, "replicas") != 0 || spec_replicas(v) != 0 || !observed {
                continue;
            }
            let key = value::key_of(v);
            self.delete(Kind::ReplicaSet, &key, &DeleteOptions::default())?;
            let name = value::name(v).to_owned();
            sync.sets.retain(|s| value::name(&s.value) != name);
        }
        Ok(())
    }
}
