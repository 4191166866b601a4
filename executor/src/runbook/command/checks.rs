//! The parts of commands: flags, namespaces, services, names, placeholders.

use std::ops::Range;
use std::time::Duration;

use super::spec::{CommandSpec, Value};
use super::{Arguments, Flag, Word, after, kind_of};
use crate::exposition::Series;
use crate::pod_port::PodPort;
use crate::runbook::source::Findings;
use crate::runbook::{query, suggest};
use crate::workload::WorkloadKind;

/// Key and value of a selector that asks for one label.
fn label(selector: &str) -> Option<(&str, &str)> {
    let (key, value) = selector.split_once('=')?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let is_value = !value.contains([',', '=', ' ']);
    (!key.is_empty() && key.chars().all(is_part) && is_value).then_some((key, value))
}

impl Arguments<'_, '_, '_, '_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|it| it.0 == name)
    }

    /// Refuses flags that the program has and this command hasn't.
    pub(super) fn only(&mut self, allowed: &[Flag]) {
        let allowed: Vec<&str> = allowed.iter().map(|flag| flag.names[0]).collect();
        for (name, span, _) in &self.flags {
            if !allowed.contains(name) {
                let help = if *name == "--timeout" {
                    "a step's budget is its attribute `rb.timeout`".to_owned()
                } else if allowed.is_empty() {
                    "remove it: this command takes no flags".to_owned()
                } else {
                    format!("this command takes {}", suggest::list(&allowed))
                };
                self.findings.error(
                    "flag-unknown",
                    span.clone(),
                    format!("`{name}` is not understood for this command"),
                    "not a flag of it",
                    help,
                );
            }
        }
    }

    pub(super) fn missing(&mut self, name: &str, example: &str) {
        self.findings.error(
            "flag-missing",
            self.whole.clone(),
            format!("this command lacks `{name}`"),
            "incomplete",
            format!("add `{}`", format!("{name} {example}").trim_end()),
        );
    }

    pub(super) fn value(&mut self, name: &str, example: &str) -> Option<Word> {
        let found = self.flags.iter().find(|it| it.0 == name);
        if let Some((_, _, Some(value))) = found {
            return Some(value.clone());
        }
        self.missing(name, example);
        None
    }

    pub(super) fn literal(&mut self, word: &Word, wanted: &str, why: &str) {
        if word.value != wanted {
            self.findings.error(
                "flag-value",
                word.span.clone(),
                format!("`{}` is not understood here", word.value),
                format!("expected `{wanted}`"),
                why,
            );
        }
    }

    pub(super) fn namespace(&mut self) {
        let example = self.context.namespace.unwrap_or("NAMESPACE");
        let Some(given) = self.value("--namespace", example) else {
            return;
        };
        self.check_namespace(&given.value, given.span);
    }

    pub(super) fn check_namespace(&mut self, given: &str, span: Range<usize>) {
        if let Some(namespace) = self.context.namespace
            && given != namespace
        {
            self.findings.error(
                "namespace",
                span,
                format!("namespace `{given}` is not the front matter's `{namespace}`"),
                "another namespace",
                format!("write `-n {namespace}`, or change the front matter"),
            );
        }
    }

    /// A place where `$SERVICE` must stand.
    pub(super) fn service(&mut self, word: &Word) {
        match word.value.as_str() {
            "$SERVICE" => {
                if self.context.for_each == Some(false) {
                    self.findings.error(
                        "placeholder",
                        word.span.clone(),
                        "`$SERVICE` has no value outside a step for each service",
                        "not set",
                        "add the attribute `\"rb.for-each\":\"service\"`",
                    );
                }
            }
            other => {
                let known = self
                    .context
                    .services
                    .is_some_and(|services| services.iter().any(|it| it == other));
                self.findings.error(
                    "service-literal",
                    word.span.clone(),
                    format!("a release is rolled back as a whole, not `{other}` alone"),
                    if known {
                        "one service"
                    } else {
                        "not a service of the front matter"
                    },
                    "write `$SERVICE` and the attribute `\"rb.for-each\":\"service\"`",
                );
            }
        }
    }

    /// How many lines of each pod: all of them. With a selector kubectl shows ten unless it is told otherwise
    /// (`staging/src/k8s.io/kubectl/pkg/cmd/logs/logs.go`, `selectorTail`).
    pub(super) fn tail(&mut self) {
        if self.has("--tail") {
            if let Some(tail) = self.value("--tail", "-1") {
                self.literal(&tail, "-1", "all lines are saved");
            }
        } else {
            self.findings.warning(
                "logs-cut",
                self.whole.clone(),
                "typed by hand, this shows ten lines of each pod",
                "no `--tail`",
                "add `--tail=-1`: with a selector, kubectl shows no more than ten lines unless it is told so",
            );
        }
    }

    /// How long kubectl waits if it is typed by hand; the executor goes by the step's budget.
    pub(super) fn timeout(&mut self) {
        if !self.has("--timeout") {
            return;
        }
        let budget = self.context.timeout;
        let shown = budget.map_or_else(|| "60s".to_owned(), suggest::show);
        let Some(given) = self.value("--timeout", &shown) else {
            return;
        };
        let Some(timeout) = contract::duration::parse(&given.value) else {
            self.findings.error(
                "flag-value",
                given.span,
                format!("`{}` is not a duration", given.value),
                "expected a duration",
                format!("for instance `--timeout={shown}`"),
            );
            return;
        };
        if budget.is_some_and(|budget| budget != timeout) {
            self.findings.warning(
                "timeout-differs",
                given.span,
                format!(
                    "typed by hand this waits for {}, and the executor waits for {shown}",
                    given.value
                ),
                "not the step's budget",
                format!(
                    "write `--timeout={shown}`, which is what `rb.timeout` says, or leave it out"
                ),
            );
        }
    }

    /// A label whose value is the service's name. Which one it is matters to whoever types the command: the executor
    /// finds pods by the selector of their workload.
    pub(super) fn selector(&mut self) {
        let Some(selector) = self.value("--selector", "app=$SERVICE") else {
            return;
        };
        match label(&selector.value) {
            Some((key, service)) => {
                self.service(&Word::new(
                    service.to_owned(),
                    after(&selector, key.len() + 1),
                ));
            }
            None => self.literal(
                &selector,
                "app=$SERVICE",
                "pods and ReplicaSets are found by a label whose value is the service's name, for instance `app` or \
                 `app.kubernetes.io/name`",
            ),
        }
    }

    pub(super) fn since(&mut self) -> Option<Duration> {
        let word = self.value("--since", "10m")?;
        let since = contract::duration::parse(&word.value).filter(|it| !it.is_zero());
        if since.is_none() {
            self.findings.error(
                "flag-value",
                word.span.clone(),
                format!("`{}` is not a duration", word.value),
                "expected a duration longer than 0",
                "for instance `--since=15m`",
            );
        }
        since
    }

    /// `KIND/NAME` or `KIND NAME`, from the positional word `at` on, where the kind is one of `allowed`.
    pub(super) fn workload(&mut self, at: usize, allowed: &[WorkloadKind]) -> Option<()> {
        let (verb, rest) = self.words.split_at(at);
        let target = match rest {
            [one] => one
                .split_once('/')
                .map(|(kind, name)| (kind, name, self.positional[at])),
            [kind, name] => Some((*kind, *name, self.positional[at + 1])),
            _ => None,
        };
        let known = target.and_then(|target| Some((kind_of(target.0)?, target)));
        let Some((kind, (written, name, target_word))) =
            known.filter(|(kind, _)| allowed.contains(kind))
        else {
            let verb = verb.join(" ");
            let other = known.map(|(kind, _)| kind);
            self.not_of_these_kinds(&verb, allowed, other);
            return None;
        };
        self.kinds.insert(kind);
        let skip = if rest.len() == 1 {
            written.len() + 1
        } else {
            0
        };
        let word = Word::new(name.to_owned(), after(target_word, skip));
        self.service(&word);
        Some(())
    }

    /// Refuses a command that names no workload, or one of a kind that it can't be about.
    fn not_of_these_kinds(
        &mut self,
        verb: &str,
        allowed: &[WorkloadKind],
        other: Option<WorkloadKind>,
    ) {
        let listed = |of: fn(WorkloadKind) -> &'static str, around: [&str; 2]| {
            let listed: Vec<String> = allowed
                .iter()
                .map(|kind| format!("{}{}{}", around[0], of(*kind), around[1]))
                .collect();
            listed.join(" or ")
        };
        let help = match other {
            Some(WorkloadKind::StatefulSet) => {
                "kubectl has no such command for a StatefulSet: leave the step out for it"
                    .to_owned()
            }
            Some(WorkloadKind::Deployment) => {
                "for a Deployment, write `kubectl get replicasets -l app=$SERVICE`".to_owned()
            }
            None => format!(
                "write {}",
                listed(
                    WorkloadKind::word,
                    [&format!("`kubectl {verb} "), "/$SERVICE`"]
                )
            ),
        };
        self.findings.error(
            "command-unknown",
            self.whole.clone(),
            format!(
                "`kubectl {verb}` needs one {}",
                listed(WorkloadKind::as_str, ["", ""])
            ),
            match other {
                Some(_) => "not for this kind",
                None => "incomplete",
            },
            help,
        );
    }

    /// The pods of a service that are of the revisions that are taken back.
    pub(super) fn selector_of_bad_revisions(&mut self) {
        const WANTED: &str = "app=$SERVICE,controller-revision-hash in ($BAD_REVISIONS)";
        let Some(selector) = self.value("--selector", &format!("'{WANTED}'")) else {
            return;
        };
        let rest = WANTED.split_once(',').map_or("", |(_, rest)| rest);
        let parts = selector.value.split_once(',');
        let parts = parts.and_then(|(first, given)| Some((label(first)?, given)));
        match parts {
            Some(((_, service), given)) if given == rest => {
                let span = selector.span.clone();
                self.service(&Word::new(service.to_owned(), span));
            }
            _ => self.literal(
                &selector,
                WANTED,
                "pods of no other revision than those that are taken back may be deleted",
            ),
        }
    }

    /// Whether the target of an undo is pinned.
    pub(super) fn revision(&mut self) -> Option<bool> {
        let pinned = self.has("--to-revision");
        if pinned {
            let revision = self.value("--to-revision", "$TARGET_REVISION")?;
            self.literal(
                &revision,
                "$TARGET_REVISION",
                "revision numbers change with every rollout: the target is what `prepare` recorded",
            );
        }
        Some(pinned)
    }

    /// The query at the positional word `at`, which `check` looks at.
    pub(super) fn query(
        &mut self,
        at: usize,
        check: fn(&str, Range<usize>, &mut Findings<'_>),
    ) -> String {
        let word = self.positional[at];
        check(&word.value, word.span.clone(), self.findings);
        word.value.clone()
    }

    /// ConfigMap, key and value of `patch configmap NAME` or `patch configmap/NAME`.
    pub(super) fn set_config(&mut self) -> Option<(String, String, String)> {
        let patch = self.value("--patch", "'{\"data\":{\"KEY\":\"VALUE\"}}'")?;
        let last = self.words.last()?;
        let name = last.split_once('/').filter(|_| self.words.len() == 2);
        let name = name.map_or(*last, |(_, name)| name);
        let name_span = self.positional.last().map_or_else(
            || self.whole.clone(),
            |word| after(word, word.value.len() - name.len()),
        );
        if !suggest::is_label(name) {
            self.findings.error(
                "command-name",
                name_span,
                format!("`{name}` can't be the name of a ConfigMap"),
                "not a DNS label",
                "lower-case letters, digits and `-`",
            );
        }
        let parsed: Option<serde_json::Value> = serde_json::from_str(&patch.value).ok();
        let data = parsed.as_ref().and_then(|it| {
            let object = it.as_object().filter(|it| it.len() == 1)?;
            object.get("data")?.as_object().filter(|it| it.len() == 1)
        });
        let pair = data.and_then(|it| it.iter().next());
        if let Some((key, serde_json::Value::String(value))) = pair {
            return Some((name.to_owned(), key.clone(), value.clone()));
        }
        self.findings.error(
            "patch",
            patch.span.clone(),
            if parsed.is_none() {
                "this patch is not JSON"
            } else {
                "this patch doesn't set exactly one key of the data to a text"
            },
            "not understood",
            "write `-p '{\"data\":{\"KEY\":\"VALUE\"}}'`, in single quotes",
        );
        None
    }

    /// The page that `--raw` asks for: the last part of its path.
    pub(super) fn page(&self) -> &str {
        let raw = self.flags.iter().find(|it| it.0 == "--raw");
        let path = raw.and_then(|(_, _, value)| value.as_ref());
        path.map_or("", |path| path.value.rsplit('/').next().unwrap_or_default())
    }

    /// The port whose page `health` or `metrics` every live pod is asked for.
    pub(super) fn endpoint(&mut self) -> Option<PodPort> {
        let path = self.value("--raw", "the path of an endpoint")?;
        let parts: Vec<&str> = path.value.split('/').collect();
        if let [
            "",
            "api",
            "v1",
            "namespaces",
            namespace,
            "pods",
            pod,
            "proxy",
            "health" | "metrics",
        ] = parts.as_slice()
            && let Some(port) = pod.strip_prefix("$POD").and_then(PodPort::parse)
        {
            self.check_namespace(namespace, path.span.clone());
            return Some(port);
        }
        let namespace = self.context.namespace.unwrap_or("NAMESPACE");
        let port = parts.iter().find_map(|part| part.strip_prefix("$POD:"));
        let label = if port.is_some_and(|port| PodPort::parse(&format!(":{port}")).is_none()) {
            "the API server's proxy takes the number of a pod's port, and no name"
        } else {
            "unknown endpoint"
        };
        self.findings.error(
            "endpoint",
            path.span.clone(),
            "this path is not one that is checked",
            label,
            format!(
                "write `/api/v1/namespaces/{namespace}/pods/$POD:8080/proxy/health`, or `…/metrics`, with the number of the port that the pods serve it on, or with `$POD` alone for the first port that each pod declares; every live pod is asked"
            ),
        );
        None
    }

    /// A counter of every live pod, by hand found with `grep`: the pods' port and the series.
    pub(super) fn counter(&mut self) -> Option<(PodPort, Series)> {
        let port = self.endpoint()?;
        if self.page() == "health" {
            let path = self.value("--raw", "the path of an endpoint")?;
            self.findings.error(
                "endpoint",
                path.span,
                "counters are on the page `metrics`",
                "another page",
                "write `…/proxy/metrics`",
            );
            return None;
        }
        let series = *self.positional.last()?;
        let parsed = Series::parse(&series.value);
        if parsed.is_none() {
            self.findings.error(
                "counter",
                series.span.clone(),
                format!("`{}` is not a counter as it stands on the page", series.value),
                "expected `NAME{LABEL=\"VALUE\"}`",
                "for instance `grep 'requests_total{code=\"503\"}'`, with labels in the page's order so that it works by hand too",
            );
        }
        Some((port, parsed?))
    }

    /// The name of the snapshot that `flag` gives.
    pub(super) fn snapshot(&mut self, flag: &str) -> Option<String> {
        let name = self.value(flag, "before_release")?;
        if suggest::is_snapshot_name(&name.value) {
            return Some(self.snapshot.insert(name).value.clone());
        }
        self.findings.error(
            "command-name",
            name.span,
            format!("`{}` can't be the name of a snapshot", name.value),
            "not a database's name",
            "a lower-case letter, then letters, digits, `_` and `-`, at most 48",
        );
        None
    }

    /// Refuses placeholders that the command has no value for.
    pub(super) fn placeholders(&mut self, words: &[Word], spec: &CommandSpec, before: usize) {
        let mut known = spec.placeholders.to_vec();
        let is_query = spec.value == Value::Answer;
        known.push("SERVICE");
        let mut service_used = false;
        for word in words {
            for (name, range) in query::placeholders(&word.value) {
                if word.value[range].starts_with("${") {
                    self.findings.error(
                        "placeholder",
                        word.span.clone(),
                        format!("`${{{name}}}` is not filled in"),
                        "braces are not understood",
                        format!("write `${name}`"),
                    );
                    continue;
                }
                if name == "SERVICE" {
                    service_used = true;
                    if is_query {
                        // Elsewhere the place where it stands was checked already.
                        self.service(&Word::new("$SERVICE".to_owned(), word.span.clone()));
                    }
                } else if !known.contains(&name.as_str()) {
                    self.findings.error(
                        "placeholder",
                        word.span.clone(),
                        format!("`${name}` means nothing in this command"),
                        "undeclared placeholder",
                        match suggest::closest(
                            &name.to_lowercase(),
                            [
                                "service",
                                "window",
                                "namespace",
                                "live_pods",
                                "pod",
                                "target_schema",
                                "target_revision",
                                "target_replicas",
                                "bad_revisions",
                            ],
                        ) {
                            Some(close) if known.contains(&close.to_uppercase().as_str()) => {
                                format!("did you mean `${}`?", close.to_uppercase())
                            }
                            _ => format!(
                                "known here: {}",
                                known
                                    .iter()
                                    .map(|it| format!("`${it}`"))
                                    .collect::<Vec<_>>()
                                    .join(", ")
                            ),
                        },
                    );
                }
            }
        }
        if self.context.for_each == Some(true)
            && !service_used
            && self.findings.error_count() == before
        {
            self.findings.error(
                "for-each-unused",
                self.whole.clone(),
                "this command is the same for each service",
                "no `$SERVICE` in it",
                "remove the attribute `rb.for-each`, or use `$SERVICE`",
            );
        }
    }
}
