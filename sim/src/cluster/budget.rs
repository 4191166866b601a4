//! The disruption controller: the status of PodDisruptionBudgets (`pkg/controller/disruption`).

use super::api::selectors::LabelSelector;
use super::api::status::ApiError;
use super::deployment::spec_replicas;
use super::kinds::Kind;
use super::machine::Cluster;
use super::objects::Part;
use super::replicaset::is_active;
use super::store::Ref;
use super::value::{self, at, condition_true, int, members, split_key, text, uid, with};
use crate::cluster::json::{Map, Value, json};

/// A number or a percentage rounded up, as budgets count.
fn scaled(v: &Value, total: i64) -> i64 {
    match v.as_str().and_then(|s| s.strip_suffix('%')) {
        Some(percent) => (percent.parse::<i64>().unwrap_or(0) * total + 99) / 100,
        None => v.as_i64().unwrap_or(0),
    }
}

impl Cluster {
    pub(crate) fn sync_budget(&mut self, key: &str) -> Result<(), ApiError> {
        let Some(budget) = self.get(Kind::PodDisruptionBudget, key) else {
            return Ok(());
        };
        let (namespace, _) = split_key(key);
        let b = &budget.value;
        let selector =
            LabelSelector::of_object(at(b, &["spec", "selector"]).unwrap_or(&Value::Null));
        let pods: Vec<Ref> = self
            .store
            .list(Kind::Pod, Some(namespace))
            .filter(|(_, p)| selector.matches(&p.value) && is_active(&p.value))
            .map(|(_, p)| p.clone())
            .collect();
        let disrupted = |p: &Value| at(b, &["status", "disruptedPods", value::name(p)]).is_some();
        let healthy = pods
            .iter()
            .filter(|p| condition_true(&p.value, "Ready") && !disrupted(&p.value))
            .count() as i64;
        let (expected, desired) = match at(b, &["spec", "maxUnavailable"]) {
            Some(most) => {
                let expected = self.expected_pods(namespace, &pods);
                (expected, (expected - scaled(most, expected)).max(0))
            }
            None => match at(b, &["spec", "minAvailable"]) {
                Some(least) if least.as_str().is_some() => {
                    let expected = self.expected_pods(namespace, &pods);
                    (expected, scaled(least, expected))
                }
                least => (pods.len() as i64, least.map_or(1, |l| scaled(l, 0))),
            },
        };
        let allowed = if expected > 0 {
            (healthy - desired).max(0)
        } else {
            0
        };
        let enough = allowed > 0;
        let mut status = json!({
            "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
            "disruptionsAllowed": allowed,
            "observedGeneration": int(b, &["metadata", "generation"]).unwrap_or(0),
            "conditions": [{
                "type": "DisruptionAllowed",
                "status": if enough { "True" } else { "False" },
                "reason": if enough { "SufficientPods" } else { "InsufficientPods" },
                "message": "", "lastTransitionTime": value::timestamp(self.now),
            }],
        });
        if let Some(before) = value::condition(b, "DisruptionAllowed")
            && text(before, &["status"]) == text(&status["conditions"][0], &["status"])
        {
            status["conditions"] = json!([before]);
        }
        let remaining: Map = members(b, &["status", "disruptedPods"])
            .filter(|(name, _)| pods.iter().any(|p| value::name(&p.value) == *name))
            .map(|(name, at)| (name, at.clone()))
            .collect();
        if !remaining.is_empty() {
            status["disruptedPods"] = remaining.into();
        }
        if b.get("status") == Some(&status) {
            return Ok(());
        }
        let object = with(b, "status", status);
        self.update(Kind::PodDisruptionBudget, key, object, Part::Status)?;
        Ok(())
    }

    /// The sizes of the controllers behind these pods.
    fn expected_pods(&self, namespace: &str, pods: &[Ref]) -> i64 {
        let owners: Vec<&str> = pods.iter().map(|p| p.controller_uid()).collect();
        let sets: Vec<&Ref> = self
            .store
            .list(Kind::ReplicaSet, Some(namespace))
            .filter(|(_, rs)| owners.contains(&uid(&rs.value)))
            .map(|(_, rs)| rs)
            .collect();
        let deployments: Vec<&str> = sets.iter().map(|rs| rs.controller_uid()).collect();
        let scales: i64 = self
            .store
            .list(Kind::Deployment, Some(namespace))
            .filter(|(_, d)| deployments.contains(&uid(&d.value)))
            .map(|(_, d)| spec_replicas(&d.value))
            .sum();
        let bare: i64 = sets
            .iter()
            .filter(|rs| rs.controller_uid().is_empty())
            .map(|rs| spec_replicas(&rs.value))
            .sum();
        let stateful: i64 = self
            .store
            .list(Kind::StatefulSet, Some(namespace))
            .filter(|(_, s)| owners.contains(&uid(&s.value)))
            .map(|(_, s)| spec_replicas(&s.value))
            .sum();
        scales + bare + stateful
    }
}
