//! Bugs of what is written to the cluster.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json as object};

use crate::bug::Row;
use crate::ports::{
    Answered, Between, Passes, Sent, Server, answer, answers, has_failed, json, requests, stored,
    through,
};

/// The ConfigMap of the halt flag.
const FLAG: &str = "dex-trading";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "conflict-taken-for-success",
        what: "a write of lease, journal or configuration that met a conflict is taken for done",
        stresses: &[
            "second-executor",
            "executor-paused",
            "api-cut",
            "api-duplicated",
        ],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                let conflict = sent.writes() && answer.status() == StatusCode::CONFLICT;
                let versioned = sent.path.contains("/configmaps") || sent.path.contains("/leases");
                if conflict && versioned {
                    stored(sent.body.clone())
                } else {
                    answer
                }
            })
        },
    },
    Row {
        name: "halt-not-written",
        what: "trading is said to be halted, and the flag is not written",
        stresses: &[
            "path = \"restore\"",
            "path = \"undo\"",
            "image-gone",
            "halt-trading",
        ],
        masked: None,
        bend: |_, ports| {
            requests(ports, |request| {
                unwritten(request, |sent| mode(sent) == "maintenance")
            })
        },
    },
    Row {
        name: "trading-not-opened",
        what: "trading is said to be opened, and the flag is not written",
        stresses: &["path = \"restore\"", "path = \"undo\"", "open-trading"],
        masked: None,
        bend: |_, ports| {
            requests(ports, |request| {
                unwritten(request, |sent| mode(sent) == "open")
            })
        },
    },
    Row {
        name: "opens-trading-before-the-checks",
        what: "trading is opened when the first service is undone",
        stresses: &[
            "path = \"restore\"",
            "image-gone",
            "check-build",
            "tag-moved",
        ],
        masked: None,
        bend: |_, ports| through(ports, AtTheUndo::new("open")),
    },
    Row {
        name: "halts-on-every-path",
        what: "trading is halted where only the application is rolled back, and stays so",
        stresses: &["path = \"application\""],
        masked: None,
        bend: |_, ports| through(ports, AtTheUndo::new("maintenance")),
    },
    Row {
        name: "undo-not-sent",
        what: "the undo of a Deployment is taken for done without being sent",
        stresses: &["undo-app"],
        masked: None,
        bend: |_, ports| through(ports, Unsent { is: is_undo }),
    },
    Row {
        name: "undo-of-the-image-alone",
        what: "of the template only the images go back",
        stresses: &["new-template", "template"],
        masked: None,
        bend: |_, ports| through(ports, ImageAlone),
    },
    Row {
        name: "undo-keeps-template-annotations",
        what: "the undo keeps the bad release's annotations of the template",
        stresses: &["bad-configuration", "configuration"],
        masked: None,
        bend: |_, ports| requests(ports, keeps_template_annotations),
    },
    Row {
        name: "undo-drops-annotations",
        what: "the undo drops all annotations of the Deployment",
        stresses: &["undo-app"],
        masked: Some("no scenario has a Deployment with annotations of its own"),
        bend: |_, ports| {
            requests(ports, |request| {
                Passes::On(undo_changed(request, |change| {
                    if change["path"] == "/metadata/annotations" {
                        change["value"] = object!({});
                    }
                }))
            })
        },
    },
    Row {
        name: "configuration-not-restored",
        what: "configuration is said to be restored, and is not written",
        stresses: &["configuration", "restore-config"],
        masked: None,
        bend: |_, ports| requests(ports, |request| unwritten(request, is_configuration)),
    },
    Row {
        name: "configuration-merged",
        what: "configuration is restored key by key, so that keys of the bad release stay",
        stresses: &["configuration", "restore-config"],
        masked: None,
        bend: |_, ports| through(ports, Merged),
    },
    Row {
        name: "configuration-restored-late",
        what: "configuration is put back only once the pods have been started",
        stresses: &["configuration", "restore-config"],
        masked: None,
        bend: |_, ports| through(ports, Late::default()),
    },
    Row {
        name: "scaling-not-sent",
        what: "a Deployment is said to be scaled up, and nothing is sent",
        stresses: &["replicas-scaled", "restore-replicas"],
        masked: None,
        bend: |_, ports| through(ports, Unsent { is: is_scaling }),
    },
    Row {
        name: "resume-not-sent",
        what: "a paused Deployment is said to be resumed, and nothing is sent",
        stresses: &["deployment-paused", "resume-rollout"],
        masked: None,
        bend: |_, ports| through(ports, Unsent { is: is_resume }),
    },
    Row {
        name: "evicts-all-at-once",
        what: "all pods of a service are evicted with the first, against its disruption budget where that allows",
        stresses: &["configuration-only"],
        masked: None,
        bend: |_, ports| through(ports, AllAtOnce),
    },
    Row {
        name: "eviction-not-sent",
        what: "pods are said to be evicted, and nothing is sent",
        stresses: &["configuration-only"],
        masked: None,
        bend: |_, ports| {
            requests(ports, |request| {
                if is_eviction(&Sent::of(&request)) {
                    let status = object!({"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 201});
                    return Passes::Answered(answer(StatusCode::CREATED, status.to_string()));
                }
                Passes::On(request)
            })
        },
    },
    Row {
        name: "refusal-taken-for-success",
        what: "a write of halt flag or configuration that the server refused for now is taken for done",
        stresses: &[
            "writes-refused",
            "api-failing",
            "trading-flag",
            "path = \"restore\"",
            "path = \"undo\"",
        ],
        masked: None,
        bend: |_, ports| through(ports, Believed),
    },
];

/// What the halt flag says that `sent` writes; empty: it writes none.
fn mode(sent: &Sent) -> String {
    if sent.method != Method::PUT || !sent.is_config_map(FLAG) {
        return String::new();
    }
    let object = json(&sent.body);
    object["data"]["mode"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// `request` as it is, or answered as if it were stored, if it is one that `is` picks.
fn unwritten(request: Request<Bytes>, is: fn(&Sent) -> bool) -> Passes {
    let sent = Sent::of(&request);
    if is(&sent) {
        Passes::Answered(stored(sent.body))
    } else {
        Passes::On(request)
    }
}

/// Whether it writes configuration of a service.
fn is_configuration(sent: &Sent) -> bool {
    let (_, name) = sent.path.split_once("/configmaps/").unwrap_or_default();
    sent.method == Method::PUT && !name.is_empty() && name != FLAG && !name.starts_with("rollback-")
}

fn is_change_of_deployment(sent: &Sent) -> bool {
    sent.method == Method::PATCH && sent.path.contains("/deployments/")
}

fn is_undo(sent: &Sent) -> bool {
    is_change_of_deployment(sent) && json(&sent.body).is_array()
}

fn is_scaling(sent: &Sent) -> bool {
    is_change_of_deployment(sent) && json(&sent.body)["spec"]["replicas"].is_i64()
}

fn is_resume(sent: &Sent) -> bool {
    let spec = &json(&sent.body)["spec"];
    is_change_of_deployment(sent) && spec.get("paused").is_some_and(Value::is_null)
}

fn is_eviction(sent: &Sent) -> bool {
    sent.method == Method::POST && sent.path.ends_with("/eviction")
}

/// The undo with each of its changes edited; another request as it is.
fn undo_changed(request: Request<Bytes>, edit: impl Fn(&mut Value)) -> Request<Bytes> {
    if !is_undo(&Sent::of(&request)) {
        return request;
    }
    request.map(|bytes| {
        let mut patch = json(&bytes);
        patch.as_array_mut().into_iter().flatten().for_each(&edit);
        Bytes::from(patch.to_string())
    })
}

/// The undo of a Deployment keeps the bad release's annotations of its template and drops those of the prior one.
#[must_use]
pub fn keeps_template_annotations(request: Request<Bytes>) -> Passes {
    Passes::On(undo_changed(request, |change| {
        if change["path"] == "/spec/template" {
            let kept = object!({ "checksum/config": "5d41402a" });
            change["value"]["metadata"]["annotations"] = kept;
        }
    }))
}

/// Does to `object` what a JSON patch of whole fields or a merge patch says.
fn apply(object: &mut Value, patch: &Value) {
    match patch {
        Value::Array(changes) => {
            for change in changes {
                let path = change["path"].as_str().unwrap_or_default();
                if let Some(field) = object.pointer_mut(path) {
                    field.clone_from(&change["value"]);
                }
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::Null => {
                        if let Some(map) = object.as_object_mut() {
                            map.remove(key);
                        }
                    }
                    Value::Object(_) => apply(&mut object[key], value),
                    value => object[key] = value.clone(),
                }
            }
        }
        _ => {}
    }
}

/// Changes of Deployments that are answered as if they had been made.
struct Unsent {
    is: fn(&Sent) -> bool,
}

#[async_trait]
impl Between for Unsent {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if !(self.is)(&sent) {
            return server.send(request).await;
        }
        let found = server.get(&sent.path).await?;
        Ok(found.map(|bytes| {
            let mut deployment = json(&bytes);
            apply(&mut deployment, &json(&sent.body));
            Bytes::from(deployment.to_string())
        }))
    }
}

/// The undo brings back images and nothing else.
struct ImageAlone;

#[async_trait]
impl Between for ImageAlone {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if !is_undo(&sent) {
            return server.send(request).await;
        }
        let now = json(server.get(&sent.path).await?.body());
        let request = undo_changed(request, |change| {
            if change["path"] != "/spec/template" {
                return;
            }
            let mut template = now["spec"]["template"].clone();
            let target = change["value"]["spec"]["containers"].clone();
            let containers = template["spec"]["containers"].as_array_mut();
            for (at, container) in containers.into_iter().flatten().enumerate() {
                container["image"] = target[at]["image"].clone();
            }
            change["value"] = template;
        });
        server.send(request).await
    }
}

/// Sets the halt flag when the first Deployment is undone.
struct AtTheUndo {
    mode: &'static str,
    done: AtomicBool,
}

impl AtTheUndo {
    fn new(mode: &'static str) -> Self {
        Self {
            mode,
            done: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl Between for AtTheUndo {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if is_undo(&sent) && !self.done.swap(true, Ordering::Relaxed) {
            let namespace = sent.path.split('/').nth(5).unwrap_or_default();
            let uri = format!("/api/v1/namespaces/{namespace}/configmaps/{FLAG}");
            let mut flag = json(server.get(&uri).await?.body());
            flag["data"]["mode"] = self.mode.into();
            let put = Request::put(&uri).header(http::header::CONTENT_TYPE, "application/json");
            let put = put.body(Bytes::from(flag.to_string()));
            server.send(put.map_err(kube::Error::HttpError)?).await?;
        }
        server.send(request).await
    }
}

/// Configuration keeps the keys that were not recorded.
struct Merged;

#[async_trait]
impl Between for Merged {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if !is_configuration(&sent) {
            return server.send(request).await;
        }
        let mut data = json(server.get(&sent.path).await?.body())["data"].take();
        let request = request.map(|bytes| {
            let mut map = json(&bytes);
            if data.is_object() {
                apply(&mut data, &map["data"]);
                map["data"] = data;
            }
            Bytes::from(map.to_string())
        });
        server.send(request).await
    }
}

/// Configuration that is written only when somebody asks a pod for its health.
#[derive(Default)]
struct Late {
    held: Mutex<Vec<Request<Bytes>>>,
}

#[async_trait]
impl Between for Late {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if is_configuration(&sent) {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.push(request);
            return Ok(stored(sent.body));
        }
        if sent.path.ends_with("/proxy/health") {
            let held =
                std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
            for request in held {
                server.send(request).await?;
            }
        }
        server.send(request).await
    }
}

/// With one pod all pods of its service are evicted.
struct AllAtOnce;

#[async_trait]
impl Between for AllAtOnce {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if is_eviction(&sent)
            && let Some((pods, rest)) = sent.path.split_once("/pods/")
        {
            let pod = rest.trim_end_matches("/eviction");
            let service = pod.split('-').next().unwrap_or_default();
            let found = server
                .get(&format!("{pods}/pods?labelSelector=app%3D{service}"))
                .await?;
            let found = json(found.body());
            for other in found["items"].as_array().into_iter().flatten() {
                let Some(name) = other["metadata"]["name"].as_str().filter(|it| *it != pod) else {
                    continue;
                };
                let mut eviction = json(&sent.body);
                eviction["metadata"]["name"] = name.into();
                let post = Request::post(format!("{pods}/pods/{name}/eviction"))
                    .header(http::header::CONTENT_TYPE, "application/json")
                    .body(Bytes::from(eviction.to_string()));
                server.send(post.map_err(kube::Error::HttpError)?).await?;
            }
        }
        server.send(request).await
    }
}

/// A refused write of a ConfigMap that is not the journal is taken for done.
struct Believed;

#[async_trait]
impl Between for Believed {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        let answered = server.send(request).await;
        if has_failed(&answered) && (is_configuration(&sent) || !mode(&sent).is_empty()) {
            return Ok(stored(sent.body));
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_is_not_sent_is_done_to_the_object() {
        let mut deployment = object!({"metadata": {"annotations": {"a": "1"}}, "spec": {"paused": true, "replicas": 1}});
        apply(
            &mut deployment,
            &object!({"spec": {"paused": null, "replicas": 3}}),
        );
        assert_eq!(deployment["spec"], object!({"replicas": 3}));
        let patch =
            object!([{"op": "replace", "path": "/metadata/annotations", "value": {"b": "2"}}]);
        apply(&mut deployment, &patch);
        assert_eq!(deployment["metadata"], object!({"annotations": {"b": "2"}}));
    }
}
