//! What tests of several steps are about.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::planner::{ServicePlan, Target, template_digest};
use crate::workload::WorkloadKind;

/// The recorded template.
pub(super) fn template() -> Value {
    json!({ "spec": { "containers": [{ "name": "gateway", "image": "dex/gateway:1" }] } })
}

/// The plan of a service with three replicas, whose recorded template is [`template`].
pub(super) fn service() -> ServicePlan {
    ServicePlan {
        service: "gateway".to_owned(),
        kind: WorkloadKind::Deployment,
        uid: "u".to_owned(),
        selector: String::new(),
        from_image: String::new(),
        to_image: String::new(),
        bad_digest: String::new(),
        target: Target::Unchanged,
        template_digest: template_digest(&template()),
        template: template(),
        replicas: 3,
        builds: BTreeSet::new(),
        config: BTreeMap::new(),
        paused: false,
        taken_back: Vec::new(),
        why: String::new(),
    }
}
