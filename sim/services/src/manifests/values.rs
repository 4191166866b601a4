//! Values that the API server refuses although they have the right type: words of which it knows only some, and numbers
//! below the least.

use serde_json::Value;

use super::object::Object;
use crate::mistake::Mistake;
use crate::suggest;

/// What a field may hold.
enum May {
    /// One of these words.
    Be(&'static [&'static str]),
    /// A number from this one on.
    BeFrom(i64),
}

/// The fields of a kind, with what each may hold. `*` stands for every place in a list.
type Fields = &'static [(&'static [&'static str], May)];

const DEPLOYMENT: Fields = &[
    (&["spec", "replicas"], May::BeFrom(0)),
    (&["spec", "minReadySeconds"], May::BeFrom(0)),
    (&["spec", "revisionHistoryLimit"], May::BeFrom(0)),
    (&["spec", "progressDeadlineSeconds"], May::BeFrom(1)),
    (
        &["spec", "strategy", "type"],
        May::Be(&["RollingUpdate", "Recreate"]),
    ),
];

const STATEFUL_SET: Fields = &[
    (&["spec", "replicas"], May::BeFrom(0)),
    (&["spec", "minReadySeconds"], May::BeFrom(0)),
    (&["spec", "revisionHistoryLimit"], May::BeFrom(0)),
    (
        &["spec", "podManagementPolicy"],
        May::Be(&["OrderedReady", "Parallel"]),
    ),
    (
        &["spec", "updateStrategy", "type"],
        May::Be(&["RollingUpdate", "OnDelete"]),
    ),
    (
        &["spec", "updateStrategy", "rollingUpdate", "partition"],
        May::BeFrom(0),
    ),
];

/// Of a pod template, as it stands in a workload.
const TEMPLATE: Fields = &[
    (
        &["spec", "template", "spec", "restartPolicy"],
        May::Be(&["Always"]),
    ),
    (
        &["spec", "template", "spec", "terminationGracePeriodSeconds"],
        May::BeFrom(0),
    ),
    (
        &[
            "spec",
            "template",
            "spec",
            "containers",
            "*",
            "imagePullPolicy",
        ],
        May::Be(&["Always", "IfNotPresent", "Never"]),
    ),
    (
        &[
            "spec",
            "template",
            "spec",
            "containers",
            "*",
            "ports",
            "*",
            "protocol",
        ],
        May::Be(&["TCP", "UDP", "SCTP"]),
    ),
];

const SERVICE: Fields = &[
    (
        &["spec", "type"],
        May::Be(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    ),
    (&["spec", "sessionAffinity"], May::Be(&["None", "ClientIP"])),
];

/// Every value of `object` that no API server takes.
pub(super) fn check(object: &Object) -> Vec<Mistake> {
    let (own, template): (Fields, Fields) = match (object.api_version(), object.kind()) {
        ("apps/v1", "Deployment") => (DEPLOYMENT, TEMPLATE),
        ("apps/v1", "StatefulSet") => (STATEFUL_SET, TEMPLATE),
        ("v1", "Service") => (SERVICE, &[]),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for (path, may) in own.iter().chain(template) {
        look(
            object,
            &object.value,
            path,
            &mut Vec::new(),
            may,
            &mut found,
        );
    }
    found
}

/// Follows `path` from `value`, which stands at `at`, to every value that it leads to.
fn look(
    object: &Object,
    value: &Value,
    path: &[&str],
    at: &mut Vec<String>,
    may: &May,
    found: &mut Vec<Mistake>,
) {
    let Some((step, rest)) = path.split_first() else {
        found.extend(refuse(object, value, at, may));
        return;
    };
    if *step == "*" {
        for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
            at.push(nth.to_string());
            look(object, item, rest, at, may, found);
            at.pop();
        }
    } else if let Some(inside) = value.get(*step) {
        at.push((*step).to_owned());
        look(object, inside, rest, at, may, found);
        at.pop();
    }
}

fn refuse(object: &Object, value: &Value, at: &[String], may: &May) -> Option<Mistake> {
    let path: Vec<&str> = at.iter().map(String::as_str).collect();
    let (right, help) = match may {
        May::Be(words) => {
            let word = value.as_str()?;
            (words.contains(&word), suggest::help(word, words))
        }
        May::BeFrom(least) => (value.as_i64()? >= *least, format!("write {least} or more")),
    };
    (!right).then(|| {
        let message = format!("`{}` can't be {value}", path.join("."));
        object.mistake(&path, message, "the API server refuses this", help)
    })
}
