//! Logs of containers (`pkg/registry/core/pod/strategy.go`, `pkg/kubelet/kubelet_pods.go`).

use bytes::Bytes;
use http::Method;

use super::field_errors::Errors;
use super::path::Query;
use super::status::ApiError;
use super::verbs::Call;
use crate::cluster::due_items::Item;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::kubelet::Logged;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, at, int, items, parse_timestamp, text};
use crate::cluster::wire::{ApiResponse, WatchFrame, WatchId};
use crate::time::Micros;
use crate::workload::{LogLine, ProcessId, Workload};

/// How often the kubelet looks for new lines of a log that is followed.
const LOOKS_EVERY: Micros = Micros::from_millis(200);

/// A log that is followed.
#[derive(Debug)]
pub(crate) struct Follow {
    pod: String,
    uid: String,
    container: String,
    /// How often the container had been restarted: a follower gets one process's lines.
    restarts: i64,
    style: Style,
    /// The instant of the latest line that was sent, and how many of that instant were.
    sent: (Micros, usize),
}

/// How lines are written.
#[derive(Clone, Copy, Debug)]
struct Style {
    stamped: bool,
    /// Bytes that may be sent yet.
    left: Option<usize>,
}

impl Style {
    fn of(query: &Query) -> Self {
        let most = query.number("limitBytes");
        Self {
            stamped: query.flag("timestamps"),
            left: most.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        }
    }

    fn is_used_up(&self) -> bool {
        self.left == Some(0)
    }

    fn text(&mut self, lines: &[LogLine]) -> String {
        let mut body = String::new();
        for line in lines {
            if self.stamped {
                body.push_str(&format!("{:.9} ", line.at.to_timestamp()));
            }
            body.push_str(&line.text);
            body.push('\n');
        }
        if let Some(left) = &mut self.left {
            let mut end = (*left).min(body.len());
            if end < body.len() {
                *left = 0;
            } else {
                *left -= end;
            }
            while !body.is_char_boundary(end) {
                end -= 1;
            }
            body.truncate(end);
        }
        body
    }
}

/// What of a log is asked for.
struct Range {
    since: Micros,
    tail: Option<usize>,
}

impl Range {
    /// # Errors
    /// 422 for options that don't fit each other, or are out of range (`ValidatePodLogOptions`).
    fn of(query: &Query, now: Micros) -> Result<Self, ApiError> {
        let mut errors = Errors::default();
        let mut number = |name: &str, least: i64, why: &str| -> Option<u64> {
            let given = query.get(name)?.parse::<i64>().unwrap_or(-1);
            if given < least {
                errors.invalid(name, &Value::from(given), why);
            }
            u64::try_from(given).ok()
        };
        let tail = number("tailLines", 0, "must be greater than or equal to 0");
        number("limitBytes", 1, "must be greater than 0");
        let seconds = number("sinceSeconds", 1, "must be greater than 0");
        let time = query.get("sinceTime");
        if seconds.is_some() && time.is_some() {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.forbidden("", why);
        }
        errors.of("", "PodLogOptions", "")?;
        let before = seconds.map(|seconds| now.saturating_sub(Micros::from_secs(seconds)));
        let since = before.or_else(|| time.and_then(parse_timestamp));
        Ok(Self {
            since: since.unwrap_or(Micros::ZERO),
            tail: tail.map(|tail| usize::try_from(tail).unwrap_or(usize::MAX)),
        })
    }
}

/// The status of a container.
fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    let lists = ["containerStatuses", "initContainerStatuses"];
    let mut all = lists.iter().flat_map(|list| items(pod, &["status", list]));
    all.find(|status| text(status, &["name"]) == container)
}

fn restarts_of(pod: &Value, container: &str) -> i64 {
    let count = status_of(pod, container).and_then(|status| int(status, &["restartCount"]));
    count.unwrap_or(0)
}

impl Cluster {
    /// What `kubectl logs` shows now of every container of the pod with this UID, one container after the other. A
    /// process that the kubelet has not noticed yet shows nothing: its predecessor's lines are there.
    pub fn shown_log(&self, uid: &str, workload: &mut dyn Workload) -> Vec<LogLine> {
        let shown = self.kubelet.shown(uid).into_iter();
        let lines = shown.flat_map(|(container, logged)| {
            let process = ProcessId { uid, container };
            let before = logged == Logged::Before;
            workload.logs(self.now, process, Micros::ZERO, before)
        });
        lines.collect()
    }

    /// GET `pods/{name}/log`.
    pub(crate) fn pod_log(
        &mut self,
        call: &Call<'_>,
        workload: &mut dyn Workload,
    ) -> Result<ApiResponse, ApiError> {
        if call.request.method != Method::GET {
            return Err(ApiError::method_not_allowed());
        }
        let range = Range::of(&call.query, self.now)?;
        let pod = self.found(call)?;
        let name = value::name(&pod.value);
        let container = container_of(call, &pod.value)?;
        let previous = call.query.flag("previous");
        let mut lines = if text(&pod.value, &["spec", "nodeName"]).is_empty() {
            Vec::new()
        } else {
            let uid = value::uid(&pod.value);
            let logged = self.kubelet.logged(uid, name, &container, previous);
            let before = logged.map_err(ApiError::bad_request)? == Logged::Before;
            let process = ProcessId {
                uid,
                container: &container,
            };
            lines_since(self.now, process, range.since, before, workload)
        };
        let sent = last_of(&lines).unwrap_or((range.since, 0));
        if let Some(tail) = range.tail {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut style = Style::of(&call.query);
        let body = Bytes::from(style.text(&lines));
        if !call.query.flag("follow") || previous {
            return Ok(ApiResponse::whole(200, "text/plain", body));
        }
        let id = self.watches.next_id();
        if !body.is_empty() {
            self.watches.send(id, WatchFrame::Data(body));
        }
        let follow = Follow {
            pod: call.key(),
            uid: value::uid(&pod.value).to_owned(),
            restarts: restarts_of(&pod.value, &container),
            container,
            style,
            sent,
        };
        self.follows.insert(id, follow);
        self.event_queue.push(self.now, Item::Follow(id));
        Ok(ApiResponse::Log(id))
    }

    /// Sends the new lines of a log that is followed. It ends with the process.
    pub(crate) fn follow_on(&mut self, id: WatchId, workload: &mut dyn Workload) {
        let Some(mut follow) = self.follows.remove(&id) else {
            return;
        };
        let pod = self.get(Kind::Pod, &follow.pod);
        let pod = pod.filter(|pod| value::uid(&pod.value) == follow.uid);
        let restarts = pod
            .as_ref()
            .map(|pod| restarts_of(&pod.value, &follow.container));
        let running = pod.as_ref().is_some_and(|pod| {
            let status = status_of(&pod.value, &follow.container);
            status.is_some_and(|status| at(status, &["state", "running"]).is_some())
        });
        let again = restarts != Some(follow.restarts);
        let process = ProcessId {
            uid: &follow.uid,
            container: &follow.container,
        };
        let (after, known) = follow.sent;
        let of_previous = again && restarts.is_some();
        let mut lines = lines_since(self.now, process, after, of_previous, workload);
        lines.sort_by_key(|line| line.at);
        let at_that_instant = lines.iter().filter(|line| line.at == after).count();
        let new: Vec<LogLine> = lines.into_iter().skip(known.min(at_that_instant)).collect();
        if let Some((at, count)) = last_of(&new) {
            let before = if at == after { known } else { 0 };
            follow.sent = (at, before + count);
            let text = follow.style.text(&new);
            if !text.is_empty() {
                self.watches.send(id, WatchFrame::Data(Bytes::from(text)));
            }
        }
        if again || !running || follow.style.is_used_up() {
            self.watches.send(id, WatchFrame::End);
            return;
        }
        self.follows.insert(id, follow);
        self.event_queue
            .push(self.now + LOOKS_EVERY, Item::Follow(id));
    }
}

/// The lines from an instant on.
fn lines_since(
    now: Micros,
    process: ProcessId<'_>,
    since: Micros,
    previous: bool,
    workload: &mut dyn Workload,
) -> Vec<LogLine> {
    let mut lines = workload.logs(now, process, since, previous);
    lines.retain(|line| line.at >= since);
    lines
}

/// The instant of the latest line, and how many lines have it.
fn last_of(lines: &[LogLine]) -> Option<(Micros, usize)> {
    let last = lines.iter().map(|line| line.at).max()?;
    let same = lines.iter().filter(|line| line.at == last);
    Some((last, same.count()))
}

/// The container that a log request means (`pkg/registry/core/pod/strategy.go` validateContainer).
fn container_of(call: &Call<'_>, pod: &Value) -> Result<String, ApiError> {
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
