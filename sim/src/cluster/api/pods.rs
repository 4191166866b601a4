//! Pod subresources: log, proxy, eviction.

use crate::cluster::json::{Value, json};
use bytes::Bytes;
use http::Method;

use super::selectors::LabelSelector;
use super::status::{ApiError, json_bytes, json_response};
use super::verbs::Call;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::{DeleteOptions, Part};
use crate::cluster::store::Ref;
use crate::cluster::value::{self, at, condition_true, int, items, parse_timestamp, set, text};
use crate::cluster::wire::ApiResponse;
use crate::time::Micros;
use crate::workload::{ProcessId, Workload};

fn plain(status: u16, content_type: &'static str, body: Bytes) -> ApiResponse {
    ApiResponse::Unary {
        status,
        content_type,
        retry_after_s: None,
        body,
    }
}

impl Cluster {
    /// GET `pods/{name}/log`. `follow` answers with what there is and ends.
    pub(crate) fn pod_log(
        &mut self,
        call: &Call<'_>,
        workload: &mut dyn Workload,
    ) -> Result<ApiResponse, ApiError> {
        if call.request.method != Method::GET {
            return Err(ApiError::method_not_allowed());
        }
        let pod = self.found(call)?;
        let name = value::name(&pod.value);
        let container = log_container(call, &pod.value)?;
        let previous = call.query.flag("previous");
        let mut statuses = ["containerStatuses", "initContainerStatuses"]
            .iter()
            .flat_map(|list| items(&pod.value, &["status", list]));
        let status = statuses.find(|s| text(s, &["name"]) == container);
        let restarts = status.and_then(|s| int(s, &["restartCount"])).unwrap_or(0);
        if previous && restarts == 0 {
            return Err(ApiError::bad_request(format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            )));
        }
        let waiting = status.and_then(|s| at(s, &["state", "waiting"]));
        if let Some(waiting) = waiting
            && !previous
            && restarts == 0
        {
            return Err(ApiError::bad_request(format!(
                "container \"{container}\" in pod \"{name}\" is waiting to start: {}",
                text(waiting, &["reason"])
            )));
        }
        let since = call
            .query
            .number("sinceSeconds")
            .map(|s| self.now.saturating_sub(Micros::from_secs(s)))
            .or_else(|| call.query.get("sinceTime").and_then(parse_timestamp))
            .unwrap_or(Micros::ZERO);
        let mut lines = if text(&pod.value, &["spec", "nodeName"]).is_empty() {
            Vec::new()
        } else {
            let process = ProcessId {
                uid: value::uid(&pod.value),
                container: &container,
            };
            workload.logs(self.now, process, since, previous)
        };
        lines.retain(|l| l.at >= since);
        if let Some(tail) = call.query.number("tailLines") {
            let tail = usize::try_from(tail).unwrap_or(usize::MAX);
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let stamped = call.query.flag("timestamps");
        let mut body = String::new();
        for line in lines {
            if stamped {
                body.push_str(&format!("{:.9} ", line.at.to_timestamp()));
            }
            body.push_str(&line.text);
            body.push('\n');
        }
        if let Some(limit) = call.query.number("limitBytes") {
            let mut end = usize::try_from(limit).unwrap_or(usize::MAX).min(body.len());
            while !body.is_char_boundary(end) {
                end -= 1;
            }
            body.truncate(end);
        }
        Ok(plain(200, "text/plain", Bytes::from(body)))
    }

    /// GET `pods/{name[:port]}/proxy/{path}`.
    pub(crate) fn pod_proxy(
        &mut self,
        call: &Call<'_>,
        workload: &mut dyn Workload,
    ) -> Result<ApiResponse, ApiError> {
        if call.request.method != Method::GET {
            return Err(ApiError::method_not_allowed());
        }
        let id = call.name();
        let id = id.strip_prefix("http:").unwrap_or(id);
        let (name, port) = id.split_once(':').unwrap_or((id, ""));
        let pod = self
            .get(Kind::Pod, &value::key(call.namespace(), name))
            .ok_or_else(|| ApiError::not_found(Kind::Pod, name))?;
        let ip = text(&pod.value, &["status", "podIP"]);
        if ip.is_empty() {
            return Err(ApiError::bad_request("address not allowed"));
        }
        // Each port with the container that declares it.
        let ports: Vec<(&str, String, &str)> = value::lasting_containers(&pod.value)
            .flat_map(|c| items(c, &["ports"]).iter().map(move |p| (c, p)))
            .map(|(c, p)| {
                let number = int(p, &["containerPort"]).unwrap_or(0).to_string();
                (text(p, &["name"]), number, text(c, &["name"]))
            })
            .collect();
        let number = match port {
            "" => ports.first().map_or("80", |(_, n, _)| n.as_str()),
            named => ports
                .iter()
                .find(|(n, _, _)| *n == named)
                .map_or(named, |(_, n, _)| n.as_str()),
        };
        let first = items(&pod.value, &["spec", "containers"]).first();
        let container = if ports.is_empty() {
            first.map(|c| text(c, &["name"]))
        } else {
            let mut declared = ports.iter();
            declared
                .find(|(_, n, _)| n == number)
                .map(|(_, _, container)| *container)
        };
        let mut path = format!("/{}", call.resource.rest);
        if let Some(query) = call.request.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        let answer = container.and_then(|container| {
            let process = ProcessId {
                uid: value::uid(&pod.value),
                container,
            };
            workload.get(self.now, process, &path)
        });
        match answer {
            Some(r) => Ok(plain(r.status, r.content_type, Bytes::from(r.body))),
            None => Err(ApiError::new(
                503,
                "ServiceUnavailable",
                format!(
                    "error trying to reach service: dial tcp {ip}:{number}: connect: connection refused"
                ),
            )),
        }
    }

    /// POST `pods/{name}/eviction` (`pkg/registry/core/pod/storage/eviction.go`).
    pub(crate) fn pod_eviction(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        if call.request.method != Method::POST {
            return Err(ApiError::method_not_allowed());
        }
        let body: Value = serde_json::from_slice(&call.request.body)
            .map_err(|e| ApiError::bad_request(format!("Eviction cannot be handled: {e}")))?;
        let pod = self.found(call)?;
        let running = !value::deleting(&pod.value)
            && !matches!(
                text(&pod.value, &["status", "phase"]),
                "Succeeded" | "Failed" | "Pending"
            );
        if running {
            self.spend_budget(&pod)?;
        }
        let options = DeleteOptions {
            grace_s: int(&body, &["deleteOptions", "gracePeriodSeconds"]),
            ..DeleteOptions::default()
        };
        self.delete(Kind::Pod, &call.key(), &options)?;
        let done = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(json_response(201, json_bytes(&done)))
    }

    /// Takes one disruption from the budget that covers a pod, or refuses.
    fn spend_budget(&mut self, pod: &Ref) -> Result<(), ApiError> {
        let namespace = value::namespace(&pod.value).to_owned();
        let budgets: Vec<Ref> = self
            .store
            .list(Kind::PodDisruptionBudget, Some(&namespace))
            .filter(|(_, b)| {
                let selector = at(&b.value, &["spec", "selector"]).unwrap_or(&Value::Null);
                LabelSelector::of_object(selector).matches(&pod.value)
            })
            .map(|(_, b)| b.clone())
            .collect();
        let [budget] = budgets.as_slice() else {
            if budgets.is_empty() {
                return Ok(());
            }
            return Err(ApiError::new(
                500,
                "InternalError",
                "Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        };
        let b = &budget.value;
        let name = value::name(b);
        let status = |field: &str| int(b, &["status", field]).unwrap_or(0);
        let healthy = condition_true(&pod.value, "Ready");
        let always = text(b, &["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow";
        let enough =
            status("currentHealthy") >= status("desiredHealthy") && status("desiredHealthy") > 0;
        if !healthy && (always || enough) {
            return Ok(());
        }
        let refuse = |why: String| {
            ApiError::new(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            )
            .with_cause("DisruptionBudget", &why, "")
        };
        if status("observedGeneration") < int(b, &["metadata", "generation"]).unwrap_or(0) {
            return Err(refuse(format!(
                "The disruption budget {name} is still being processed by the server."
            ))
            .retry_after(10));
        }
        let allowed = status("disruptionsAllowed");
        if allowed <= 0 {
            return Err(refuse(format!(
                "The disruption budget {name} needs {} healthy pods and has {} currently",
                status("desiredHealthy"),
                status("currentHealthy")
            )));
        }
        let mut object = b.clone();
        set(&mut object, &["status", "disruptionsAllowed"], allowed - 1);
        set(
            &mut object,
            &["status", "disruptedPods", value::name(&pod.value)],
            value::timestamp(self.now),
        );
        self.update(
            Kind::PodDisruptionBudget,
            &value::key(&namespace, name),
            object,
            Part::Status,
        )?;
        Ok(())
    }
}

/// The container that a log request means (`pkg/registry/core/pod/strategy.go` validateContainer).
fn log_container(call: &Call<'_>, pod: &Value) -> Result<String, ApiError> {
    let name = value::name(pod);
    let names = |list: &str| {
        let all = items(pod, &["spec", list]).iter();
        all.map(|c| text(c, &["name"])).collect::<Vec<&str>>()
    };
    let mains = names("containers");
    let all = [names("initContainers"), mains.clone()].concat();
    match (call.query.get("container"), mains.as_slice()) {
        (Some(asked), _) if all.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(ApiError::bad_request(format!(
            "container {asked} is not valid for pod {name}"
        ))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            all.join(" ")
        ))),
    }
}
