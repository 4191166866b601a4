//! Recreate (`recreate.go`): all old pods go, terminating ones included, before a new one comes.

use super::sync::Sync;
use super::view::{active, spec_replicas, sum_status};
use crate::cluster::api::status::ApiError;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value::{is_ended, uid};

impl Cluster {
    pub(crate) fn rollout_recreate(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        let (mut new, mut old) = self.sync_revision(sync, false)?;
        let mut scaled = false;
        for rs in active(&old) {
            scaled |= self.resize_set(sync, &rs, 0)?;
        }
        if scaled || self.old_pods_running(&old) {
            return self.sync_rollout_status(sync);
        }
        if new.is_none() {
            (new, old) = self.sync_revision(sync, true)?;
        }
        let Some(new) = new else {
            return Ok(());
        };
        let replicas = spec_replicas(&sync.object);
        self.resize_set(sync, &new, replicas)?;
        if super::progress::complete(&sync.object, &sync.object["status"]) {
            self.clean_up_history(sync, &old)?;
        }
        self.sync_rollout_status(sync)
    }

    fn old_pods_running(&self, old: &[Ref]) -> bool {
        if sum_status(old, "replicas") > 0 {
            return true;
        }
        self.store.list(Kind::Pod, None).any(|(_, pod)| {
            let owner = pod.controller_uid();
            old.iter().any(|rs| uid(&rs.value) == owner) && !is_ended(&pod.value)
        })
    }
}
