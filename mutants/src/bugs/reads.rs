//! Bugs of what is read from the cluster, and of what is made of its refusals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use executor::clock::Clock;
use http::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};

use crate::bug::Row;
use crate::ports::{
    Answered, Between, Passes, Sent, Server, answer, answers, json, requests, stored, through,
};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "reads-deployments-from-a-cache",
        what: "a Deployment is read from a cache that is up to ten seconds old",
        stresses: &["rollout-status", "undo-app"],
        masked: None,
        bend: |_, ports| {
            let clock = Arc::clone(&ports.clock);
            let is = |sent: &Sent| sent.path.contains("/deployments/");
            through(
                ports,
                Cached::new(clock, SignedDuration::from_secs(10), is, |sent| {
                    sent.path.clone()
                }),
            )
        },
    },
    Row {
        name: "old-pods-not-waited-for",
        what: "pods on their way out are left out of every list",
        stresses: &["terminating-slow"],
        masked: None,
        bend: |_, ports| answers(ports, only_live_pods),
    },
    Row {
        name: "first-pod-speaks-for-all",
        what: "the page of a service's first pod is taken for that of all its pods",
        stresses: &[
            "check-build",
            "flag-missed",
            "check-orders-flow",
            "one-bad-pod",
            "tag-moved",
        ],
        masked: None,
        bend: |_, ports| {
            let clock = Arc::clone(&ports.clock);
            let is = |sent: &Sent| sent.path.contains("/proxy/");
            through(
                ports,
                Cached::new(clock, SignedDuration::from_millis(800), is, of_service),
            )
        },
    },
    Row {
        name: "health-not-read",
        what: "whatever a pod answers to a question for its health counts as healthy",
        stresses: &["pods-sick", "check-health"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.path.ends_with("/proxy/health") {
                    stored(answer.into_body())
                } else {
                    answer
                }
            })
        },
    },
    Row {
        name: "starting-server-believed",
        what: "a server that has just been started and knows nobody yet is taken at its word",
        stresses: &["api-server-restarted"],
        masked: None,
        bend: |_, ports| answers(ports, |_, answer| refused_for_good(answer)),
    },
    Row {
        name: "throttling-is-final",
        what: "a request that is answered 429 is not tried again",
        stresses: &["api-throttling"],
        masked: None,
        bend: |_, ports| answers(ports, |_, answer| taken_for_final(answer, &[429])),
    },
    Row {
        name: "server-error-is-final",
        what: "a request that is answered 500 to 504 is not tried again",
        stresses: &["api-failing", "writes-refused", "api-server-restarted"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |_, answer| {
                taken_for_final(answer, &[500, 502, 503, 504])
            })
        },
    },
    Row {
        name: "broken-connection-is-final",
        what: "a request whose connection broke is not tried again",
        stresses: &["api-cut", "unreachable", "connections-dropped"],
        masked: None,
        bend: |_, ports| through(ports, BrokenForGood),
    },
    Row {
        name: "logs-of-one-pod",
        what: "of each service the log of one pod is saved",
        stresses: &["sla-latency-p99"],
        masked: None,
        bend: |_, ports| {
            let seen: Mutex<BTreeMap<String, String>> = Mutex::default();
            requests(ports, move |request| {
                let sent = Sent::of(&request);
                let (Some(pod), true) = (pod_of(&sent), sent.path.ends_with("/log")) else {
                    return Passes::On(request);
                };
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let service = service_of(&pod).to_owned();
                if *seen.entry(service).or_insert_with(|| pod.clone()) == pod {
                    Passes::On(request)
                } else {
                    Passes::Answered(Response::new(Bytes::new()))
                }
            })
        },
    },
    Row {
        name: "logs-cut-short",
        what: "of each log the first 256 bytes are saved",
        stresses: &["sla-latency-p99"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.path.ends_with("/log") {
                    answer.map(|log| log.slice(..log.len().min(256)))
                } else {
                    answer
                }
            })
        },
    },
    Row {
        name: "logs-of-five-seconds",
        what: "of each log the last five seconds are saved",
        stresses: &["sla-latency-p99"],
        masked: None,
        bend: |_, ports| {
            requests(ports, |request| {
                Passes::On(asking(request, |pair| {
                    if pair.starts_with("sinceSeconds=") {
                        "sinceSeconds=5".to_owned()
                    } else {
                        pair.to_owned()
                    }
                }))
            })
        },
    },
    Row {
        name: "logs-without-the-previous-process",
        what: "what a process wrote before it was started again is not saved",
        stresses: &["crash-loop"],
        masked: Some(
            "no oracle asks for what a process wrote before the one that runs when the trigger fires",
        ),
        bend: |_, ports| {
            requests(ports, |request| {
                Passes::On(asking(request, |pair| {
                    if pair == "previous=true" {
                        "previous=false".to_owned()
                    } else {
                        pair.to_owned()
                    }
                }))
            })
        },
    },
    Row {
        name: "lists-of-a-service-cut-short",
        what: "of the pods of a service only the first page is read, of two pods",
        stresses: &["gateway"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.query.contains("labelSelector") {
                    two_pods(sent, answer)
                } else {
                    answer
                }
            })
        },
    },
    Row {
        name: "lists-cut-short",
        what: "of every list of pods only the first page is read, of two pods",
        stresses: &["gateway"],
        masked: Some(
            "the release can't be recorded, so that nothing is deployed: every drill is inconclusive, and none fails",
        ),
        bend: |_, ports| answers(ports, two_pods),
    },
    Row {
        name: "one-replica-set-of-a-service",
        what: "of the ReplicaSets of a service the newest is not seen, so that a release that is left over is not",
        stresses: &["second-release", "review-replica-sets", "second-undo"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.path.ends_with("/replicasets") && sent.query.contains("labelSelector") {
                    answer.map(|bytes| without_the_newest(&bytes))
                } else {
                    answer
                }
            })
        },
    },
];

/// Pods that are on their way out are left out of every list.
#[must_use]
pub fn only_live_pods(sent: &Sent, answer: Response<Bytes>) -> Response<Bytes> {
    if !sent.path.ends_with("/pods") {
        return answer;
    }
    let mut list = json(answer.body());
    let Some(items) = list["items"].as_array_mut() else {
        return answer;
    };
    items.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    answer.map(|_| Bytes::from(list.to_string()))
}

/// A server that knows nobody's rights yet is taken at its word.
#[must_use]
pub fn refused_for_good(answer: Response<Bytes>) -> Response<Bytes> {
    taken_for_final(answer, &[401, 403])
}

/// An answer of one of `codes` as a refusal that no repetition changes.
fn taken_for_final(mut answer: Response<Bytes>, codes: &[u16]) -> Response<Bytes> {
    let code = answer.status().as_u16();
    if !codes.contains(&code) {
        return answer;
    }
    *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    answer.map(|bytes| {
        let mut status = json(&bytes);
        if status["code"].is_number() {
            status["code"] = 422.into();
            return Bytes::from(status.to_string());
        }
        bytes
    })
}

/// The first two pods of a list.
fn two_pods(sent: &Sent, answer: Response<Bytes>) -> Response<Bytes> {
    if !(sent.method == Method::GET && sent.path.ends_with("/pods")) {
        return answer;
    }
    answer.map(|bytes| {
        let mut list = json(&bytes);
        if let Some(items) = list["items"].as_array_mut() {
            items.truncate(2);
        }
        Bytes::from(list.to_string())
    })
}

/// The list without the ReplicaSet of the highest revision.
fn without_the_newest(bytes: &Bytes) -> Bytes {
    let mut list = json(bytes);
    let revision = |set: &serde_json::Value| {
        let annotations = &set["metadata"]["annotations"];
        let text = annotations["deployment.kubernetes.io/revision"].as_str();
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    if let Some(items) = list["items"].as_array_mut()
        && items.len() > 1
    {
        let newest = items.iter().map(revision).max().unwrap_or(0);
        items.retain(|set| revision(set) != newest);
    }
    Bytes::from(list.to_string())
}

/// The request with each pair of its query edited, if it is for a pod's log.
fn asking(request: Request<Bytes>, edit: impl Fn(&str) -> String) -> Request<Bytes> {
    let sent = Sent::of(&request);
    if !sent.path.ends_with("/log") {
        return request;
    }
    let pairs: Vec<String> = sent.query.split('&').map(edit).collect();
    let uri = format!("{}?{}", sent.path, pairs.join("&"));
    let (mut parts, body) = request.into_parts();
    if let Ok(uri) = uri.parse() {
        parts.uri = uri;
    }
    Request::from_parts(parts, body)
}

/// The pod that a request is about.
fn pod_of(sent: &Sent) -> Option<String> {
    let (_, rest) = sent.path.split_once("/pods/")?;
    let name = rest.split(['/', ':']).next()?;
    Some(name.to_owned())
}

/// The service of a pod: its Deployments' names have no dash.
fn service_of(pod: &str) -> &str {
    pod.split('-').next().unwrap_or_default()
}

/// A page of a service, whichever of its pods is asked.
fn of_service(sent: &Sent) -> String {
    let pod = pod_of(sent).unwrap_or_default();
    let page = sent.path.rsplit('/').next().unwrap_or_default();
    format!("{}/{page}", service_of(&pod))
}

/// Reads that are answered from a cache for a while.
struct Cached {
    clock: Arc<dyn Clock>,
    lasts: SignedDuration,
    is: fn(&Sent) -> bool,
    key: fn(&Sent) -> String,
    kept: Mutex<BTreeMap<String, (Timestamp, Response<Bytes>)>>,
}

impl Cached {
    fn new(
        clock: Arc<dyn Clock>,
        lasts: SignedDuration,
        is: fn(&Sent) -> bool,
        key: fn(&Sent) -> String,
    ) -> Self {
        Self {
            clock,
            lasts,
            is,
            key,
            kept: Mutex::default(),
        }
    }
}

#[async_trait]
impl Between for Cached {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if sent.writes() || !(self.is)(&sent) {
            return server.send(request).await;
        }
        let (key, now) = ((self.key)(&sent), self.clock.now());
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, answer)) = kept.get(&key)
                && now.duration_since(*at) < self.lasts
            {
                return Ok(answer.clone());
            }
        }
        let answer = server.send(request).await?;
        if answer.status().is_success() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(key, (now, answer.clone()));
        }
        Ok(answer)
    }
}

/// A broken connection is told as a refusal that no repetition changes.
struct BrokenForGood;

#[async_trait]
impl Between for BrokenForGood {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        server.send(request).await.or_else(|error| {
            let status = serde_json::json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
                "message": error.to_string(),
            });
            Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, status.to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_and_services_are_told_from_paths() {
        let sent = |path: &str| Sent {
            method: Method::GET,
            path: path.to_owned(),
            query: String::new(),
            body: Bytes::new(),
        };
        let page = sent("/api/v1/namespaces/x/pods/gateway-7d-abc:8080/proxy/metrics");
        assert_eq!(pod_of(&page).as_deref(), Some("gateway-7d-abc"));
        assert_eq!(of_service(&page), "gateway/metrics");
        assert_eq!(pod_of(&sent("/api/v1/namespaces/x/pods")), None);
    }

    #[test]
    fn only_the_given_codes_are_made_final() {
        let answer = |code: u16| {
            let mut answer = Response::new(Bytes::from(format!("{{\"code\":{code}}}")));
            *answer.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
            taken_for_final(answer, &[429])
        };
        assert_eq!(answer(429).status(), 422);
        assert_eq!(answer(429).body(), "{\"code\":422}");
        assert_eq!(answer(503).status(), 503);
    }
}
