//! Configuration and the pods that take it up, for a rollback by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::READ;
use crate::error::Error;
use crate::executor::Executor;
use crate::kubernetes::Updated;
use crate::planner::PlanError;
use crate::steps::{LOOK, Look, Pods};

/// How long one pod's replacement may take, its grace period included.
const REPLACED: Duration = Duration::from_secs(60);

impl Executor {
    /// Puts back the recorded ConfigMaps of `service`; the names of those that were changed.
    ///
    /// # Errors
    /// There is no baseline, it does not know the service, or a ConfigMap can't be written.
    pub async fn restore_config(&self, service: &str) -> Result<Vec<String>, Error> {
        let baseline = self.baseline(self.now() + READ).await?;
        let recorded = baseline.services.get(service);
        let recorded = recorded.ok_or_else(|| PlanError::NotRecorded {
            service: service.to_owned(),
        })?;
        let cluster = self.cluster();
        let mut changed = Vec::new();
        for (name, wanted) in &recorded.config {
            let change = |data: &mut BTreeMap<String, String>| {
                let differs = data != wanted;
                data.clone_from(wanted);
                differs
            };
            let updated = cluster
                .update_config_map(name, true, self.now() + READ, change)
                .await?;
            if updated == Updated::Written {
                changed.push(name.clone());
            }
        }
        Ok(changed)
    }
    /// Replaces the pods of `service` that are there now, one by one, so that they take up their configuration.
    /// Returns how many were evicted.
    ///
    /// # Errors
    /// There is no baseline, it does not know the service, or its pods are not replaced and available again in time
    /// (a minute for each).
    pub async fn replace_pods(&self, service: &str) -> Result<u32, Error> {
        let baseline = self.baseline(self.now() + READ).await?;
        let recorded = baseline.services.get(service);
        let recorded = recorded.ok_or_else(|| PlanError::NotRecorded {
            service: service.to_owned(),
        })?;
        let cluster = self.cluster();
        let pods = Pods {
            service,
            kind: recorded.kind,
            selector: &recorded.selector,
            replicas: recorded.replicas,
            older_than: self.now(),
        };
        let patience = REPLACED.saturating_mul(recorded.replicas.max(1).unsigned_abs());
        let until = self.now() + SignedDuration::try_from(patience).unwrap_or(READ);
        let mut evicted = 0;
        loop {
            match pods.look(&cluster, &until.into()).await? {
                Look::Done => return Ok(evicted),
                Look::Evicted => evicted += 1,
                Look::Waits(_) => {}
            }
            if !cluster.pause(LOOK, until).await {
                return Err(Error::Deadline {
                    what: format!("replace the pods of {service}"),
                    limit: patience,
                });
            }
        }
    }
}
