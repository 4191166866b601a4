//! One sync of a Deployment (`deployment_controller.go` syncDeployment).

use super::view::{DESIRED, active, int_annotation, spec_replicas};
use crate::cluster::api::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;
use crate::cluster::value::{self, flag, split_key, text};

/// A Deployment while it is being synced: its latest version and its ReplicaSets by name.
pub(crate) struct Sync {
    pub(crate) key: String,
    pub(crate) object: Value,
    pub(crate) sets: Vec<Ref>,
}

impl Sync {
    /// Puts a newer version of a ReplicaSet in its place.
    pub(crate) fn refresh(&mut self, rs: &Ref) {
        let name = value::name(&rs.value);
        match self.sets.iter_mut().find(|s| value::name(&s.value) == name) {
            Some(slot) => *slot = rs.clone(),
            None => self.sets.push(rs.clone()),
        }
    }

    pub(crate) fn deployment_name(&self) -> String {
        value::name(&self.object).to_owned()
    }

    pub(crate) fn paused(&self) -> bool {
        flag(&self.object, &["spec", "paused"])
    }
}

impl Cluster {
    pub(crate) fn sync_deployment(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(stored) = self.get(Kind::Deployment, key) else {
            return Ok(());
        };
        let sets = self.claim(&stored.value, Kind::ReplicaSet, |_| true)?;
        let mut sync = Sync {
            key: key.to_owned(),
            object: stored.value.clone(),
            sets,
        };
        if value::deleting(&sync.object) {
            let (new, _) = self.sync_revision(&mut sync, false)?;
            return self.sync_status(&mut sync, new.as_ref());
        }
        self.check_paused(&mut sync)?;
        if sync.paused() {
            return self.sync_scale(&mut sync);
        }
        if self.is_scaling(&mut sync)? {
            return self.sync_scale(&mut sync);
        }
        match text(&sync.object, &["spec", "strategy", "type"]) {
            "Recreate" => self.rollout_recreate(&mut sync),
            _ => self.rollout_rolling(&mut sync),
        }
    }

    /// Whether an active ReplicaSet was sized for another number of replicas.
    fn is_scaling(&mut self, sync: &mut Sync) -> Result<bool, ApiError> {
        self.sync_revision(sync, false)?;
        let replicas = spec_replicas(&sync.object);
        Ok(active(&sync.sets)
            .iter()
            .any(|rs| int_annotation(&rs.value, DESIRED).is_some_and(|d| d != replicas)))
    }

    /// Scales and reports, without rolling out (`sync.go` sync).
    fn sync_scale(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        let (new, old) = self.sync_revision(sync, false)?;
        self.scale_deployment(sync, new.as_ref(), &old)?;
        if sync.paused() {
            let (new, old) = self.split(sync);
            self.clean_up_history(sync, &old)?;
            return self.sync_status(sync, new.as_ref());
        }
        let (new, _) = self.split(sync);
        self.sync_status(sync, new.as_ref())
    }

    /// (new, old) ReplicaSets as the sync knows them.
    pub(crate) fn split(&self, sync: &Sync) -> (Option<Ref>, Vec<Ref>) {
        let new = super::view::find_new(&sync.object, &sync.sets);
        let old = super::view::old_of(&sync.sets, new.as_ref());
        (new, old)
    }

    /// Writes the Deployment's status (and annotations).
    pub(crate) fn write_deployment_status(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        let (namespace, name) = split_key(&sync.key);
        if self.object(Kind::Deployment, namespace, name).is_none() {
            return Ok(());
        }
        let stored = self.update(
            Kind::Deployment,
            &sync.key,
            sync.object.clone(),
            crate::cluster::objects::Part::Status,
        )?;
        sync.object = stored.value.clone();
        Ok(())
    }
}
