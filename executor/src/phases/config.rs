//! Configuration, for a rollback by hand.

use std::collections::BTreeMap;

use super::READ;
use crate::error::Error;
use crate::executor::Executor;
use crate::kubernetes::Updated;
use crate::planner::PlanError;

impl Executor {
    /// Puts back the recorded ConfigMaps of `service`; the names of those that were changed.
    ///
    /// # Errors
    /// There is no baseline, it does not know the service, or a ConfigMap can't be written.
    pub async fn restore_config(&self, service: &str) -> Result<Vec<String>, Error> {
        let baseline = self.baseline().await?;
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
}
