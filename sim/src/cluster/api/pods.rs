//! Pod subresources: proxy, eviction, and what is refused.

use crate::cluster::json::{Value, json};
use bytes::Bytes;
use http::Method;

use super::body::Expected;
use super::selectors::LabelSelector;
use super::status::{ApiError, json_bytes, json_response};
use super::verbs::{Call, options_of};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::objects::Part;
use crate::cluster::store::Ref;
use crate::cluster::value::{self, at, condition_true, int, items, set, text};
use crate::cluster::wire::ApiResponse;
use crate::workload::{ProcessId, Workload};

const EVICTION: Expected<'_> = Expected {
    api_version: "policy/v1",
    kind: "Eviction",
};

/// The number of a port that an address has as a number or as the name of an internet service. Of those, Go knows at
/// least these (`net/lookup.go`).
fn number_of(port: &str) -> Option<&str> {
    match port {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => port
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(port),
    }
}

impl Cluster {
    /// GET `pods/{name[:port]}/proxy/{path}`. Without a port it is the first one that the containers declare, and a
    /// port's name is not that of a container's port (`ResourceLocation` in `pkg/registry/core/pod/strategy.go`).
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
        let declared = |c: &'_ Value| -> Vec<String> {
            let ports = items(c, &["ports"]).iter();
            let numbers = ports.map(|p| int(p, &["containerPort"]).unwrap_or(0));
            numbers.map(|number| number.to_string()).collect()
        };
        let containers = items(&pod.value, &["spec", "containers"]);
        let ports: Vec<(String, &str)> = value::lasting_containers(&pod.value)
            .flat_map(|c| {
                declared(c)
                    .into_iter()
                    .map(move |n| (n, text(c, &["name"])))
            })
            .collect();
        let first_port = || containers.iter().flat_map(declared).next();
        let number = match port {
            "" => first_port().unwrap_or_else(|| "80".to_owned()),
            given => match number_of(given) {
                Some(number) => number.to_owned(),
                None => {
                    return Err(ApiError::new(
                        503,
                        "ServiceUnavailable",
                        format!(
                            "error trying to reach service: dial tcp: lookup tcp/{given}: unknown port"
                        ),
                    ));
                }
            },
        };
        let container = if ports.is_empty() {
            containers.first().map(|c| text(c, &["name"]))
        } else {
            let mut ports = ports.iter();
            ports
                .find(|(n, _)| *n == number)
                .map(|(_, container)| *container)
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
            Some(r) => Ok(ApiResponse::whole(
                r.status,
                r.content_type,
                Bytes::from(r.body),
            )),
            None => Err(ApiError::new(
                503,
                "ServiceUnavailable",
                format!(
                    "error trying to reach service: dial tcp {ip}:{number}: connect: connection refused"
                ),
            )),
        }
    }

    /// `exec`, `attach` and `portforward`: there are no processes that one could connect to. It is refused as an
    /// admission plugin would refuse it, since clients show what such a refusal says.
    pub(crate) fn pod_connect(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        if !matches!(call.request.method, Method::GET | Method::POST) {
            return Err(ApiError::method_not_allowed());
        }
        self.found(call)?;
        let what = call.resource.subresource.as_deref().unwrap_or_default();
        let why = format!("{what} is not simulated, no process runs in its containers");
        Err(ApiError::forbidden(Kind::Pod, call.name(), &why))
    }

    /// POST `pods/{name}/eviction` (`pkg/registry/core/pod/storage/eviction.go`).
    pub(crate) fn pod_eviction(&mut self, call: &Call<'_>) -> Result<ApiResponse, ApiError> {
        if call.request.method != Method::POST {
            return Err(ApiError::method_not_allowed());
        }
        let body: Value = call.body(EVICTION)?.tree.into();
        let pod = self.found(call)?;
        let running = !value::deleting(&pod.value)
            && !matches!(
                text(&pod.value, &["status", "phase"]),
                "Succeeded" | "Failed" | "Pending"
            );
        if ![call.name(), ""].contains(&value::name(&body)) {
            return Err(ApiError::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let options = at(&body, &["deleteOptions"]).unwrap_or(&Value::Null);
        let options = options_of(call, options)?;
        if running {
            self.spend_budget(&pod, options.dry_run)?;
        }
        self.delete(Kind::Pod, &call.key(), &options)?;
        let done = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(json_response(201, json_bytes(&done)))
    }

    /// Takes one disruption from the budget that covers a pod, or refuses.
    /// With `dry_run` it takes nothing.
    fn spend_budget(&mut self, pod: &Ref, dry_run: bool) -> Result<(), ApiError> {
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
                "",
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
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
        if dry_run {
            return Ok(());
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
