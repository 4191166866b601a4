//! Bugs of what keeps two hosts from acting at once, and of what one leaves to the other: lease and journal.
//!
//! Lease, the holder's own clock, the journal's precondition and the fence stand behind one another, so that with one
//! of them broken nothing comes to harm. What each is there for shows where the others are gone.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use async_trait::async_trait;
use bytes::Bytes;
use executor::ports::Ports;
use http::{Method, Request, StatusCode};

use crate::bug::{Host, Row};
use crate::ports::{
    Answered, Between, Passes, Sent, Server, Stopped, answers, json, missing, requests, stored,
    through, undated, without_version,
};

/// The ConfigMap of the journal.
const JOURNAL: &str = "rollback-journal";

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "lease-not-renewed",
        what: "the lease is taken and never renewed",
        stresses: &["second-executor", "executor-paused"],
        masked: None,
        bend: |_, ports| through(ports, RenewedOnce::default()),
    },
    Row {
        name: "lease-of-its-own",
        what: "each host has a lease of its own name",
        stresses: &["second-executor", "executor-paused"],
        masked: None,
        bend: |host, ports| {
            let name = format!("rollback-{}", host.before);
            requests(ports, move |request| Passes::On(renamed(request, &name)))
        },
    },
    Row {
        name: "lease-seen-as-free",
        what: "a lease that another host holds is taken",
        stresses: &["second-executor", "second-trigger"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.writes() || !sent.path.contains("/leases/") {
                    return answer;
                }
                answer.map(|bytes| {
                    let mut lease = json(&bytes);
                    if lease["spec"].is_object() {
                        lease["spec"]["holderIdentity"] = "".into();
                    }
                    Bytes::from(lease.to_string())
                })
            })
        },
    },
    Row {
        name: "second-host-sees-nobody",
        what: "a second host gets the lease whoever holds it, and begins the journal anew",
        stresses: &["second-executor", "second-trigger"],
        masked: None,
        bend: |host, ports| {
            if host.before == 0 {
                ports
            } else {
                requests(ports, alone_in_the_world)
            }
        },
    },
    Row {
        name: "standstill-unseen",
        what: "a host that stood still does not notice it, and goes on with a lease that has run out",
        stresses: &["executor-paused"],
        masked: Some(
            "the journal's precondition refuses its next entry, and the fence its next operation",
        ),
        bend: |host, ports| unaware(host, ports),
    },
    Row {
        name: "journal-without-precondition",
        what: "entries of the journal are appended whatever stands in it",
        stresses: &["executor-paused", "second-executor"],
        masked: Some("a host whose lease has run out stops by its own clock before it writes"),
        bend: |_, ports| requests(ports, without_precondition),
    },
    Row {
        name: "standstill-unseen-and-journal-without-precondition",
        what: "a host that stood still goes on, and the journal takes its entries",
        stresses: &["executor-paused"],
        masked: None,
        bend: |host, ports| unaware(host, unconditional_journal(ports)),
    },
    Row {
        name: "journal-in-memory",
        what: "the journal is kept in the memory of the host, so that another one finds none",
        stresses: &["executor-killed", "restore"],
        masked: None,
        bend: |_, ports| through(ports, InMemory::default()),
    },
    Row {
        name: "journal-loses-its-last-entry",
        what: "the last entry of the journal is not seen by whoever reads it",
        stresses: &["executor-killed", "executor-paused"],
        masked: Some(
            "what the last entry says is done is done again, and every step is idempotent",
        ),
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.writes() || !sent.is_config_map(JOURNAL) {
                    return answer;
                }
                answer.map(|bytes| entries_kept(&bytes, |at, count| at + 1 < count || at == 0))
            })
        },
    },
    Row {
        name: "journal-loses-all-but-the-plan",
        what: "whoever resumes sees the plan and none of the steps that were done",
        stresses: &["executor-killed", "restore"],
        masked: None,
        bend: |_, ports| {
            answers(ports, |sent, answer| {
                if sent.writes() || !sent.is_config_map(JOURNAL) {
                    return answer;
                }
                answer.map(|bytes| entries_kept(&bytes, |at, _| at == 0))
            })
        },
    },
    Row {
        name: "journal-without-intents",
        what: "a step is journaled only once it is done",
        stresses: &["executor-killed", "restore"],
        masked: Some(
            "whoever resumes does the step that was under way again, and every step is idempotent",
        ),
        bend: |_, ports| {
            requests(ports, |request| {
                let sent = Sent::of(&request);
                let intent = sent.method == Method::PATCH
                    && sent.is_config_map(JOURNAL)
                    && String::from_utf8_lossy(&sent.body)
                        .contains("\\\"record\\\":\\\"intent\\\"");
                if intent {
                    Passes::Answered(stored(sent.body))
                } else {
                    Passes::On(request)
                }
            })
        },
    },
];

/// Ports of a host that does not notice that it stood still.
fn unaware(_: &Host<'_>, ports: Ports) -> Ports {
    let clock = Arc::new(Stopped::new(Arc::clone(&ports.clock), Arc::default()));
    // The API server's answers would tell it.
    Ports {
        clock,
        ..undated(ports)
    }
}

/// The request for another lease than the one of all.
fn renamed(request: Request<Bytes>, name: &str) -> Request<Bytes> {
    if !request.uri().path().contains("/leases") {
        return request;
    }
    let (mut parts, body) = request.into_parts();
    let uri = parts
        .uri
        .to_string()
        .replace("/leases/rollback", &format!("/leases/{name}"));
    if let Ok(uri) = uri.parse() {
        parts.uri = uri;
    }
    let body = if body.is_empty() {
        body
    } else {
        let mut lease = json(&body);
        lease["metadata"]["name"] = name.into();
        Bytes::from(lease.to_string())
    };
    Request::from_parts(parts, body)
}

fn without_precondition(request: Request<Bytes>) -> Passes {
    let sent = Sent::of(&request);
    Passes::On(if sent.writes() && sent.is_config_map(JOURNAL) {
        request.map(|bytes| without_version(&bytes))
    } else {
        request
    })
}

/// Ports by which entries of the journal are appended whatever stands in it, and by which a lease that another host has
/// taken meanwhile looks as if it had been renewed.
#[must_use]
pub fn unconditional_journal(ports: Ports) -> Ports {
    requests(through(ports, Blind), without_precondition)
}

/// A renewal that met a conflict is taken for done.
struct Blind;

#[async_trait]
impl Between for Blind {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        let answer = server.send(request).await?;
        let renewal = sent.writes() && sent.path.contains("/leases/");
        if renewal && answer.status() == StatusCode::CONFLICT {
            return Ok(stored(sent.body));
        }
        Ok(answer)
    }
}

/// A lease that everybody gets, and a journal that nobody else has begun.
#[must_use]
pub fn alone_in_the_world(request: Request<Bytes>) -> Passes {
    let sent = Sent::of(&request);
    if sent.path.contains("/leases") {
        if !sent.writes() {
            return Passes::Answered(missing());
        }
        let mut lease = json(&sent.body);
        lease["metadata"]["resourceVersion"] = "1".into();
        return Passes::Answered(stored(lease.to_string()));
    }
    if !sent.is_config_map(JOURNAL) {
        return Passes::On(request);
    }
    if !sent.writes() {
        return Passes::Answered(missing());
    }
    // The journal is begun by a POST, which would find the other's.
    if sent.method == Method::POST {
        let uri = format!("{}/{JOURNAL}?{}", sent.path, sent.query);
        let (mut parts, body) = request.into_parts();
        if let Ok(uri) = uri.parse() {
            (parts.method, parts.uri) = (Method::PUT, uri);
        }
        return Passes::On(Request::from_parts(parts, without_version(&body)));
    }
    without_precondition(request)
}

/// The lease is written when it is taken and when it is given up.
#[derive(Default)]
struct RenewedOnce {
    /// The token that it was taken with.
    token: Mutex<Option<i64>>,
}

#[async_trait]
impl Between for RenewedOnce {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if !sent.writes() || !sent.path.contains("/leases") {
            return server.send(request).await;
        }
        let lease = json(&sent.body);
        let token = lease["spec"]["leaseTransitions"].as_i64();
        let held = lease["spec"]["holderIdentity"]
            .as_str()
            .is_some_and(|it| !it.is_empty());
        if held && *self.token.lock().unwrap_or_else(PoisonError::into_inner) == token {
            return Ok(stored(sent.body));
        }
        let answer = server.send(request).await?;
        if answer.status().is_success() {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        }
        Ok(answer)
    }
}

/// The journal as this host alone has it.
#[derive(Default)]
struct InMemory {
    kept: Mutex<Option<serde_json::Value>>,
}

#[async_trait]
impl Between for InMemory {
    async fn exchange(&self, request: Request<Bytes>, server: &Server) -> Answered {
        let sent = Sent::of(&request);
        if !sent.is_config_map(JOURNAL) {
            return server.send(request).await;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.writes() {
            let mut object = json(&sent.body);
            object["metadata"]["resourceVersion"] = "1".into();
            match kept.as_mut().filter(|_| sent.method == Method::PATCH) {
                Some(journal) => {
                    for (key, entry) in object["data"].as_object().into_iter().flatten() {
                        journal["data"][key] = entry.clone();
                    }
                }
                None => *kept = Some(object),
            }
        }
        Ok(match &*kept {
            Some(journal) => stored(journal.to_string()),
            None => missing(),
        })
    }
}

/// The journal with the entries that `keep` picks by their position and their number.
fn entries_kept(bytes: &Bytes, keep: fn(usize, usize) -> bool) -> Bytes {
    let mut journal = json(bytes);
    if let Some(data) = journal["data"].as_object_mut() {
        let entries: Vec<String> = data
            .keys()
            .filter(|key| key.starts_with("entry-"))
            .cloned()
            .collect();
        for (at, key) in entries.iter().enumerate() {
            if !keep(at, entries.len()) {
                data.remove(key);
            }
        }
    }
    Bytes::from(journal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_journal_the_chosen_entries_are_kept() {
        let journal = Bytes::from(
            r#"{"data":{"entry-0001":"a","entry-0002":"b","entry-0003":"c","plan":"p"}}"#,
        );
        let without_last = entries_kept(&journal, |at, count| at + 1 < count);
        assert_eq!(
            without_last,
            r#"{"data":{"entry-0001":"a","entry-0002":"b","plan":"p"}}"#
        );
    }

    #[test]
    fn a_lease_gets_another_name_in_path_and_body() {
        let request = Request::put("/apis/x/leases/rollback?a=b")
            .body(Bytes::from(r#"{"metadata":{"name":"rollback"}}"#));
        let request = renamed(request.expect("valid"), "rollback-1");
        assert_eq!(request.uri(), "/apis/x/leases/rollback-1?a=b");
        assert_eq!(request.body(), r#"{"metadata":{"name":"rollback-1"}}"#);
    }
}
