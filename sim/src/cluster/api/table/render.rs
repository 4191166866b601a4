//! A table from objects.

use super::cells::cells;
use super::columns::{columns, definition};
use super::custom;
use crate::cluster::api::status::ApiError;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::value::{at, text};
use crate::time::Micros;

/// What a row has of its object besides its cells (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    Nothing,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// From the query parameter `includeObject`.
    ///
    /// # Errors
    /// 400 for any other word.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        match text {
            None | Some("Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::Nothing),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(ApiError::bad_request(format!(
                "unrecognized includeObject value: {other:?}"
            ))),
        }
    }
}

/// What a table is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// Ages count up to then.
    pub(crate) now: Micros,
    /// The kind of every object.
    pub(crate) kind: Kind,
    /// What each row has of its object.
    pub(crate) include: Include,
    /// Whether the columns are described. A watch does that once.
    pub(crate) with_columns: bool,
}

/// A table of `objects`, with `metadata` of the list or of the one object.
pub(crate) fn table<'a>(
    rows: Rows,
    metadata: Value,
    objects: impl Iterator<Item = &'a Value>,
) -> Value {
    // Go writes a list that was never made as null.
    let definitions = if rows.with_columns {
        definitions(rows.kind)
    } else {
        Value::Null
    };
    let all: Vec<Value> = objects.map(|object| row(rows, object)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata, "columnDefinitions": definitions, "rows": all,
    })
}

fn definitions(kind: Kind) -> Value {
    match kind {
        Kind::Custom(of) => custom::definitions(of),
        built_in => columns(built_in).iter().map(definition).collect(),
    }
}

fn row(rows: Rows, object: &Value) -> Value {
    let mut row = json!({"cells": cells(rows.now, rows.kind, object)});
    let ended = match text(object, &["status", "phase"]) {
        "Succeeded" => Some("The pod has completed successfully."),
        "Failed" => Some("The pod failed."),
        _ => None,
    };
    if let (Kind::Pod, Some(message)) = (rows.kind, ended) {
        row["conditions"] = json!([{
            "type": "Completed", "status": "True",
            "reason": text(object, &["status", "phase"]), "message": message,
        }]);
    }
    match rows.include {
        Include::Nothing => row["object"] = Value::Null,
        Include::Metadata => {
            row["object"] = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": at(object, &["metadata"]),
            });
        }
        Include::Object => row["object"] = object.clone(),
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::api::table::columns::columns;

    #[test]
    fn every_kind_has_a_cell_for_each_column() {
        for kind in Kind::ALL {
            for object in [json!({}), json!({"metadata": {"name": "x"}})] {
                let cells = cells(Micros::ZERO, kind, &object);
                assert_eq!(cells.len(), columns(kind).len(), "{kind:?}");
                assert!(cells.len() > 1, "{kind:?}");
            }
        }
    }

    fn shown(kind: Kind, object: &Value) -> Vec<String> {
        let cells = cells(Micros::from_secs(125), kind, object);
        let shown = cells
            .iter()
            .zip(columns(kind))
            .filter(|(_, it)| it.priority == 0);
        shown
            .map(|(cell, _)| {
                cell.as_str()
                    .map_or_else(|| cell.to_string(), str::to_owned)
            })
            .collect()
    }

    #[test]
    fn a_pod_reads_as_kubectl_prints_it() {
        let created = crate::cluster::value::timestamp(Micros::ZERO);
        let pod = |status: Value, deleted: bool| {
            let mut pod = json!({
                "metadata": {"name": "p", "creationTimestamp": created},
                "spec": {
                    "initContainers": [{"name": "i"}],
                    "containers": [{"name": "a"}, {"name": "b"}],
                },
                "status": status,
            });
            if deleted {
                pod["metadata"]["deletionTimestamp"] = created.as_str().into();
            }
            pod
        };
        let row = |status: Value| shown(Kind::Pod, &pod(status, false));
        let running = json!({"phase": "Running", "containerStatuses": [
            {"ready": true, "restartCount": 1, "state": {"running": {}},
             "lastState": {"terminated": {"finishedAt": created}}},
            {"ready": false, "restartCount": 0, "state": {"running": {}}},
        ]});
        assert_eq!(
            row(running.clone()),
            ["p", "1/2", "Running", "1 (2m5s ago)", "2m5s"]
        );
        assert_eq!(shown(Kind::Pod, &pod(running, true))[2], "Terminating");
        let initialising = json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "restartCount": 0, "state": {"running": {}}},
        ]});
        assert_eq!(row(initialising), ["p", "0/2", "Init:0/1", "0", "2m5s"]);
        let broken = json!({"phase": "Pending", "initContainerStatuses": [
            {"name": "i", "restartCount": 2, "state": {"terminated": {"exitCode": 3}}},
        ]});
        assert_eq!(row(broken), ["p", "0/2", "Init:ExitCode:3", "2", "2m5s"]);
        let crashing = json!({"phase": "Running", "containerStatuses": [
            {"ready": false, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            {"ready": true, "restartCount": 0, "state": {"running": {}}},
        ]});
        assert_eq!(row(crashing), ["p", "1/2", "CrashLoopBackOff", "4", "2m5s"]);
    }

    #[test]
    fn other_kinds_read_as_kubectl_prints_them() {
        let deployment = json!({
            "metadata": {"name": "d"}, "spec": {"replicas": 3},
            "status": {"readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 2},
        });
        assert_eq!(
            shown(Kind::Deployment, &deployment),
            ["d", "2/3", "1", "2", "<unknown>"]
        );
        let service = json!({"metadata": {"name": "s"}, "spec": {
            "type": "ClusterIP", "clusterIPs": ["10.96.0.7"],
            "ports": [{"port": 80, "protocol": "TCP"}, {"port": 53, "nodePort": 30053, "protocol": "UDP"}],
        }});
        assert_eq!(
            shown(Kind::Service, &service),
            [
                "s",
                "ClusterIP",
                "10.96.0.7",
                "<none>",
                "80/TCP,53:30053/UDP",
                "<unknown>"
            ]
        );
        let slice = json!({"metadata": {"name": "e"}, "addressType": "IPv4", "ports": [{"port": 8080}],
            "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]},
                {"addresses": ["10.0.0.3"]}, {"addresses": ["10.0.0.4"]}]});
        let row = shown(Kind::EndpointSlice, &slice);
        assert_eq!(
            row[2..4],
            ["8080", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more..."]
        );
        let node = json!({"metadata": {"name": "n"}, "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(
            shown(Kind::Node, &node)[1..3],
            ["Ready,SchedulingDisabled", "<none>"]
        );
        let budget = json!({"metadata": {"name": "b"}, "spec": {"maxUnavailable": "25%"}});
        assert_eq!(
            shown(Kind::PodDisruptionBudget, &budget)[1..3],
            ["N/A", "25%"]
        );
    }
}
