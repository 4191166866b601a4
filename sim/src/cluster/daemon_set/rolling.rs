//! RollingUpdate (`update.go` rollingUpdate): old pods go so that no more than so many are missing, or new ones come
//! beside them.

use super::manage::Changes;
use super::sync::Sync;
use crate::cluster::api::status::ApiError;
use crate::cluster::deployment::scaled;
use crate::cluster::json::Value;
use crate::cluster::machine::Cluster;
use crate::cluster::placement::daemon_fits;
use crate::cluster::replicaset::is_available;
use crate::cluster::store::Ref;
use crate::cluster::value::{at, deleting, name};
use crate::time::Micros;

impl Sync {
    fn rule(&self, field: &str, desired: i64) -> i64 {
        let path = ["spec", "updateStrategy", "rollingUpdate", field];
        scaled(at(&self.object, &path), desired, true)
    }

    /// Whether new pods come beside old ones (`AllowsSurge`).
    pub(super) fn surges(&self) -> bool {
        self.rule("maxSurge", 100) > 0
    }

    fn is_available(&self, pod: &Ref, now: Micros) -> bool {
        is_available(&pod.value, self.min_ready_s, now)
    }

    /// The new and the old pod of a node; `None` if there are two of either (`findUpdatedPodsOnNode`).
    fn new_and_old<'a>(&self, pods: &'a [Ref]) -> Option<(Option<&'a Ref>, Option<&'a Ref>)> {
        let (mut new, mut old) = (None, None);
        for pod in pods.iter().filter(|pod| !deleting(&pod.value)) {
            let place = if self.is_new(&pod.value) {
                &mut new
            } else {
                &mut old
            };
            if place.replace(pod).is_some() {
                return None;
            }
        }
        Some((new, old))
    }
}

fn called(pod: &Ref) -> String {
    name(&pod.value).to_owned()
}

/// The first so many of them.
fn first(of: Vec<String>, most: i64) -> impl Iterator<Item = String> {
    of.into_iter().take(usize::try_from(most).unwrap_or(0))
}

impl Cluster {
    pub(super) fn roll_daemons(&mut self, sync: &Sync) -> Result<(), ApiError> {
        let fits = |node: &Value| daemon_fits(node, &sync.template).0;
        let desired = sync.nodes.iter().filter(|node| fits(&node.value)).count() as i64;
        let surge = sync.rule("maxSurge", desired);
        let mut unavailable = sync.rule("maxUnavailable", desired);
        if surge == 0 && unavailable == 0 {
            // Both were rounded to nothing.
            unavailable = 1;
        }
        let changes = if surge == 0 {
            self.replacements(sync, unavailable)
        } else {
            let runs = |node: &str| {
                let mut nodes = sync.nodes.iter();
                nodes.any(|it| name(&it.value) == node && fits(&it.value))
            };
            self.surge(sync, surge, desired, &runs)
        };
        self.sync_nodes(sync, &changes)
    }

    /// Without surge: the old pods that may go now.
    fn replacements(&self, sync: &Sync, max_unavailable: i64) -> Changes {
        let mut unavailable = 0;
        let (mut allowed, mut candidates) = (Vec::new(), Vec::new());
        for pods in sync.pods.values() {
            match sync.new_and_old(pods) {
                None | Some((None, None) | (Some(_), Some(_))) => unavailable += 1,
                Some((Some(new), None)) => {
                    unavailable += i64::from(!sync.is_available(new, self.now));
                }
                Some((None, Some(old))) if !sync.is_available(old, self.now) => {
                    allowed.push(called(old));
                    unavailable += 1;
                }
                Some((None, Some(_))) if unavailable >= max_unavailable => {}
                Some((None, Some(old))) => candidates.push(called(old)),
            }
        }
        allowed.extend(first(candidates, max_unavailable - unavailable));
        Changes {
            delete: allowed,
            create: Vec::new(),
        }
    }

    /// With surge: the nodes that get a new pod beside the old one, and the old ones that have been replaced.
    fn surge(
        &self,
        sync: &Sync,
        max_surge: i64,
        desired: i64,
        runs: &dyn Fn(&str) -> bool,
    ) -> Changes {
        let (mut surging, mut available) = (0, 0);
        let mut delete = Vec::new();
        let (mut sunset, mut allowed, mut candidates) = (Vec::new(), Vec::new(), Vec::new());
        for (node, pods) in &sync.pods {
            let Some((new, old)) = sync.new_and_old(pods) else {
                surging += 1;
                continue;
            };
            let counts = old.or(new);
            available += i64::from(counts.is_some_and(|pod| sync.is_available(pod, self.now)));
            let Some(old) = old else {
                continue;
            };
            match new {
                Some(new) if !sync.is_available(new, self.now) => surging += 1,
                Some(_) => delete.push(called(old)),
                None => match (sync.is_available(old, self.now), runs(node)) {
                    (false, false) => delete.push(called(old)),
                    (false, true) => allowed.push(node.clone()),
                    (true, false) => sunset.push(called(old)),
                    (true, true) if surging >= max_surge => {}
                    (true, true) => candidates.push(node.clone()),
                },
            }
        }
        delete.extend(first(sunset, available - desired));
        allowed.extend(first(candidates, max_surge - surging));
        Changes {
            create: allowed,
            delete,
        }
    }
}
