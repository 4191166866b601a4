//! Scaling, also proportionally over several ReplicaSets (`sync.go` scale).

use std::cmp::Reverse;

use super::replicasets::set_size_annotations;
use super::sync::Sync;
use super::view::{
    DESIRED, MAX, active, by_creation, int_annotation, is_rolling, max_surge, spec_replicas,
    status_count, sum_spec,
};
use crate::cluster::api::status::ApiError;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::store::Ref;
use crate::cluster::value::{self, created, name, set};

/// `a × b / c`, rounded half away from zero, for non-negative operands and positive `c`.
pub(crate) fn rounded_share(a: i64, b: i64, c: i64) -> i64 {
    (2 * a * b + c) / (2 * c)
}

/// What each ReplicaSet gets: `(size, its max-replicas annotation)`, largest first, in that order.
///
/// `to_add` may be negative; the leftover of rounding goes to the first.
pub(crate) fn proportional(
    sets: &[(i64, Option<i64>)],
    to_add: i64,
    replicas: i64,
    most: i64,
    status_replicas: i64,
) -> Vec<i64> {
    let mut added = 0;
    let mut sizes: Vec<i64> = sets
        .iter()
        .map(|&(size, annotated)| {
            if to_add == 0 || size == 0 || to_add == added {
                return size;
            }
            let fraction = if replicas == 0 {
                -size
            } else {
                match annotated.filter(|m| *m != 0).unwrap_or(status_replicas) {
                    0 => 0,
                    base => rounded_share(size, most, base) - size,
                }
            };
            let allowed = to_add - added;
            let share = if to_add > 0 {
                fraction.min(allowed)
            } else {
                fraction.max(allowed)
            };
            added += share;
            size + share
        })
        .collect();
    if to_add != 0
        && let Some(first) = sizes.first_mut()
    {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

impl Cluster {
    /// Brings the ReplicaSets' sizes in line with `spec.replicas`.
    pub(crate) fn scale_deployment(
        &mut self,
        sync: &mut Sync,
        new: Option<&Ref>,
        old: &[Ref],
    ) -> Result<(), ApiError> {
        let replicas = spec_replicas(&sync.object);
        if let Some(only) = active_or_latest(new, old) {
            // Where the size is right already, its annotations stay as they are, so that the Deployment counts as
            // being scaled ever after, and rolls out nothing (kubernetes#102551).
            self.resize_set(sync, &only, replicas)?;
            return Ok(());
        }
        if new.is_some_and(|rs| saturated(&sync.object, &rs.value)) {
            for rs in active(old) {
                self.resize_set(sync, &rs, 0)?;
            }
            return Ok(());
        }
        if !is_rolling(&sync.object) {
            return Ok(());
        }
        let mut sets = active(old);
        sets.extend(active(new.map(std::slice::from_ref).unwrap_or_default()));
        let most = if replicas > 0 {
            replicas + max_surge(&sync.object)
        } else {
            0
        };
        let to_add = most - sum_spec(&sets);
        by_creation(&mut sets);
        if to_add > 0 {
            sets.reverse();
        }
        sets.sort_by_key(|rs| Reverse(spec_replicas(&rs.value)));
        let described: Vec<(i64, Option<i64>)> = sets
            .iter()
            .map(|rs| (spec_replicas(&rs.value), int_annotation(&rs.value, MAX)))
            .collect();
        let sizes = proportional(
            &described,
            to_add,
            replicas,
            replicas + max_surge(&sync.object),
            status_count(&sync.object, "replicas"),
        );
        for (rs, size) in sets.iter().zip(sizes) {
            self.scale_set(sync, rs, size)?;
        }
        Ok(())
    }

    /// Sets a ReplicaSet's size, and with it the size annotations; a ReplicaSet of the right size is left alone, even
    /// if its annotations are stale (`sync.go` scaleReplicaSetAndRecordEvent). True if the size changed.
    pub(crate) fn resize_set(
        &mut self,
        sync: &mut Sync,
        rs: &Ref,
        size: i64,
    ) -> Result<bool, ApiError> {
        if spec_replicas(&rs.value) == size {
            return Ok(false);
        }
        self.scale_set(sync, rs, size)
    }

    /// Sets a ReplicaSet's size and its size annotations (`sync.go` scaleReplicaSet), with an event if the size
    /// changed; true if it did.
    fn scale_set(&mut self, sync: &mut Sync, rs: &Ref, size: i64) -> Result<bool, ApiError> {
        let before = spec_replicas(&rs.value);
        let mut copy = rs.value.clone();
        let annotated = set_size_annotations(&mut copy, &sync.object);
        if before == size && !annotated {
            return Ok(false);
        }
        set(&mut copy, &["spec", "replicas"], size);
        let key = value::key_of(&copy);
        let stored = self.update(Kind::ReplicaSet, &key, copy, Part::Main)?;
        sync.refresh(&stored);
        if before != size {
            let way = if before < size { "up" } else { "down" };
            let message = format!(
                "Scaled {way} replica set {} from {before} to {size}",
                name(&stored.value)
            );
            self.event(
                &sync.object,
                false,
                "ScalingReplicaSet",
                &message,
                "deployment-controller",
            );
        }
        Ok(before != size)
    }
}

/// The only active ReplicaSet, or the latest if none is active; `None` if several are active.
fn active_or_latest(new: Option<&Ref>, old: &[Ref]) -> Option<Ref> {
    let mut all = active(old);
    all.extend(active(new.map(std::slice::from_ref).unwrap_or_default()));
    match all.as_slice() {
        [] => new.cloned().or_else(|| {
            old.iter()
                .max_by(|a, b| {
                    (created(&a.value), name(&a.value)).cmp(&(created(&b.value), name(&b.value)))
                })
                .cloned()
        }),
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn saturated(d: &Value, rs: &Value) -> bool {
    let replicas = spec_replicas(d);
    spec_replicas(rs) == replicas
        && int_annotation(rs, DESIRED) == Some(replicas)
        && status_count(rs, "availableReplicas") == replicas
}

#[cfg(test)]
mod tests {
    use super::{proportional, rounded_share};

    #[test]
    fn shares_round_half_away_from_zero() {
        assert_eq!(rounded_share(1, 3, 2), 2);
        assert_eq!(rounded_share(3, 10, 5), 6);
        assert_eq!(rounded_share(2, 5, 3), 3);
    }

    #[test]
    fn sets_grow_and_shrink_in_proportion_and_the_leftover_goes_to_the_largest() {
        // Deployment of 10, surge 2, scaled to 20: each set by its share, in all 22.
        assert_eq!(
            proportional(&[(7, Some(12)), (5, Some(12))], 10, 20, 22, 12),
            [13, 9]
        );
        // Down to 5, surge 2: in all 7.
        assert_eq!(
            proportional(&[(7, Some(12)), (5, Some(12))], -5, 5, 7, 12),
            [4, 3]
        );
        // To nothing.
        assert_eq!(
            proportional(&[(7, Some(12)), (5, Some(12))], -12, 0, 2, 12),
            [0, 0]
        );
        // One more: the largest takes it.
        assert_eq!(
            proportional(&[(3, Some(5)), (2, Some(5))], 1, 5, 6, 5),
            [4, 2]
        );
        // Nothing to add.
        assert_eq!(proportional(&[(3, None), (2, None)], 0, 4, 5, 5), [3, 2]);
    }
}
