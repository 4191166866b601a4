//! RollingUpdate (`rolling.go`): one step up or down per sync.

use super::sync::Sync;
use super::view::{
    active, by_creation, is_rolling, max_surge, max_unavailable, spec_replicas, status_count,
    sum_spec, sum_status,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::store::Ref;

/// How large the new ReplicaSet should be now, given the others and its size (`NewRSNewReplicas`).
pub(crate) fn new_replicas(d: &Value, others: &[Ref], new_size: i64) -> i64 {
    let replicas = spec_replicas(d);
    if !is_rolling(d) {
        return replicas;
    }
    let total = sum_spec(others) + new_size;
    let most = replicas + max_surge(d);
    if total >= most {
        return new_size;
    }
    new_size + (most - total).min(replicas - new_size)
}

/// How many old pods may go (`reconcileOldReplicaSets`): what exceeds the minimum, less what the new
/// ReplicaSet still owes.
pub(crate) fn max_scaled_down(
    total: i64,
    min_available: i64,
    new_size: i64,
    new_available: i64,
) -> i64 {
    total - min_available - (new_size - new_available)
}

impl Cluster {
    pub(crate) fn rollout_rolling(&mut self, sync: &mut Sync) -> Result<(), ApiError> {
        let (new, old) = self.sync_revision(sync, true)?;
        let Some(new) = new else {
            return Ok(());
        };
        if self.reconcile_new(sync, &new, &old)? {
            return self.sync_rollout_status(sync);
        }
        if self.reconcile_old(sync, &new, &old)? {
            return self.sync_rollout_status(sync);
        }
        if super::progress::complete(&sync.object, &sync.object["status"]) {
            self.clean_up_history(sync, &old)?;
        }
        self.sync_rollout_status(sync)
    }

    fn reconcile_new(&mut self, sync: &mut Sync, new: &Ref, old: &[Ref]) -> Result<bool, ApiError> {
        let size = spec_replicas(&new.value);
        let replicas = spec_replicas(&sync.object);
        if size == replicas {
            return Ok(false);
        }
        let wanted = if size > replicas {
            replicas
        } else {
            new_replicas(&sync.object, old, size)
        };
        self.resize_set(sync, new, wanted)
    }

    fn reconcile_old(&mut self, sync: &mut Sync, new: &Ref, old: &[Ref]) -> Result<bool, ApiError> {
        let mut old = active(old);
        if old.is_empty() {
            return Ok(false);
        }
        let new_size = spec_replicas(&new.value);
        let total = sum_spec(&old) + new_size;
        let min_available = spec_replicas(&sync.object) - max_unavailable(&sync.object);
        let mut budget = max_scaled_down(
            total,
            min_available,
            new_size,
            status_count(&new.value, "availableReplicas"),
        );
        if budget <= 0 {
            return Ok(false);
        }
        by_creation(&mut old);
        let mut scaled = false;
        // Unhealthy old pods first: they serve nobody.
        for rs in &mut old {
            if budget <= 0 {
                break;
            }
            let size = spec_replicas(&rs.value);
            let unhealthy = size - status_count(&rs.value, "availableReplicas");
            if size == 0 || unhealthy <= 0 {
                continue;
            }
            let down = budget.min(unhealthy);
            self.resize_set(sync, rs, size - down)?;
            if let Some(fresh) = sync
                .sets
                .iter()
                .find(|s| s.value["metadata"]["name"] == rs.value["metadata"]["name"])
            {
                *rs = fresh.clone();
            }
            budget -= down;
            scaled = true;
        }
        // Then what availability allows.
        let available =
            sum_status(&old, "availableReplicas") + status_count(&new.value, "availableReplicas");
        let mut excess = available - min_available;
        for rs in &old {
            if excess <= 0 {
                break;
            }
            let size = spec_replicas(&rs.value);
            if size == 0 {
                continue;
            }
            let down = size.min(excess);
            self.resize_set(sync, rs, size - down)?;
            excess -= down;
            scaled = true;
        }
        Ok(scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::{max_scaled_down, new_replicas};
    use crate::cluster::json::json;

    #[test]
    fn the_new_set_grows_into_what_surge_leaves() {
        let d = |replicas: i64, surge: i64| {
            json!({"spec": {"replicas": replicas, "strategy": {
                "type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0},
            }}})
        };
        // (replicas, surge, size of the new set) → its next size, no other set.
        for (replicas, surge, size, expected) in
            [(3, 1, 0, 3), (3, 1, 3, 3), (10, 3, 12, 10), (5, 0, 2, 5)]
        {
            assert_eq!(new_replicas(&d(replicas, surge), &[], size), expected);
        }
        let recreate = json!({"spec": {"replicas": 4, "strategy": {"type": "Recreate"}}});
        assert_eq!(new_replicas(&recreate, &[], 0), 4);
    }

    #[test]
    fn old_pods_go_only_as_far_as_availability_allows() {
        // total, minimum available, new size, new available.
        for (total, least, size, available, expected) in [
            (4, 3, 1, 0, 0),
            (4, 3, 1, 1, 1),
            (13, 8, 3, 0, 2),
            (12, 8, 10, 8, 2),
            (3, 3, 0, 0, 0),
        ] {
            assert_eq!(max_scaled_down(total, least, size, available), expected);
        }
    }
}
