//! The parts of commands: flags, namespaces, services, names, placeholders.

use std::ops::Range;
use std::time::Duration;

use super::{Arguments, CONFIG_MAP, DEPLOYMENT, Word, after};
use crate::exposition::Series;
use crate::runbook::model::Command;
use crate::runbook::{query, suggest};

impl Arguments<'_, '_, '_, '_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|it| it.0 == name)
    }

    /// Refuses flags that the program has and this command hasn't.
    pub(super) fn only(&mut self, allowed: &[&str]) {
        for (name, span, _) in &self.flags {
            if !allowed.contains(name) {
                let help = if *name == "--timeout" {
                    "a step's budget is its attribute `rb.timeout`".to_owned()
                } else if allowed.is_empty() {
                    "remove it: this command takes no flags".to_owned()
                } else {
                    format!("this command takes {}", suggest::list(allowed))
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
    fn timeout(&mut self) {
        if !self.has("--timeout") {
            return;
        }
        let budget = self.context.timeout;
        let shown = budget.map_or_else(|| "60s".to_owned(), suggest::show);
        let Some(given) = self.value("--timeout", &shown) else {
            return;
        };
        let Some(timeout) = suggest::duration(&given.value) else {
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

    /// The name in `configmap NAME` or `configmap/NAME`.
    pub(super) fn config_map(&self, rest: &[&str]) -> Option<String> {
        let (kind, name) = match rest {
            [one] => one.split_once('/')?,
            [kind, name] => (*kind, *name),
            _ => return None,
        };
        CONFIG_MAP.contains(&kind).then(|| name.to_owned())
    }

    pub(super) fn selector(&mut self) {
        let Some(selector) = self.value("--selector", "app=$SERVICE") else {
            return;
        };
        match selector.value.strip_prefix("app=") {
            Some(service) => {
                self.service(&Word::new(
                    service.to_owned(),
                    after(&selector, "app=".len()),
                ));
            }
            None => self.literal(
                &selector,
                "app=$SERVICE",
                "pods and ReplicaSets are found by the label `app`",
            ),
        }
    }

    pub(super) fn since(&mut self, word: &Word) -> Option<Duration> {
        let since = suggest::duration(&word.value).filter(|it| !it.is_zero());
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

    /// `deployment/NAME` or `deployment NAME`, from the positional word `at` on.
    pub(super) fn deployment(&mut self, verb: &str, rest: &[&str], at: usize) -> Option<()> {
        let target = match rest {
            [one] => one
                .split_once('/')
                .map(|(kind, name)| (kind, name, self.positional[at])),
            [kind, name] => Some((*kind, *name, self.positional[at + 1])),
            _ => None,
        };
        let target = target.filter(|(kind, ..)| DEPLOYMENT.contains(kind));
        let Some((kind, name, target_word)) = target else {
            self.findings.error(
                "command-unknown",
                self.whole.clone(),
                format!("`kubectl {verb}` needs one Deployment"),
                "incomplete",
                format!("write `kubectl {verb} deployment/$SERVICE`"),
            );
            return None;
        };
        let skip = if rest.len() == 1 { kind.len() + 1 } else { 0 };
        self.service(&Word::new(name.to_owned(), after(target_word, skip)));
        Some(())
    }

    pub(super) fn rollout(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        self.only(match verb {
            "undo" => &["--namespace", "--to-revision"],
            "status" => &["--namespace", "--timeout"],
            _ => &["--namespace"],
        });
        self.namespace();
        self.deployment(&format!("rollout {verb}"), rest, 2)?;
        Some(match verb {
            "resume" => Command::RolloutResume,
            "status" => {
                self.timeout();
                Command::RolloutStatus
            }
            _ => {
                let pinned = self.has("--to-revision");
                if pinned {
                    let revision = self.value("--to-revision", "$TARGET_REVISION")?;
                    self.literal(
                        &revision,
                        "$TARGET_REVISION",
                        "revision numbers change with every rollout: the target is what `prepare` recorded",
                    );
                }
                Command::RolloutUndo { pinned }
            }
        })
    }

    pub(super) fn set_config(&mut self, name: &str, patch: &Word) -> Option<Command> {
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
            return Some(Command::SetConfigValue {
                name: name.to_owned(),
                key: key.clone(),
                value: value.clone(),
            });
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

    pub(super) fn endpoint(&mut self, path: &Word) -> Option<Command> {
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
            endpoint,
        ] = parts.as_slice()
            && let Some(port) = pod.strip_prefix("$POD:").and_then(port)
        {
            match *endpoint {
                "health" => {
                    self.check_namespace(namespace, path.span.clone());
                    return Some(Command::CheckHealth { port });
                }
                "metrics" => {
                    self.check_namespace(namespace, path.span.clone());
                    return Some(Command::CheckBuildInfo { port });
                }
                _ => {}
            }
        }
        let namespace = self.context.namespace.unwrap_or("NAMESPACE");
        self.findings.error(
            "endpoint",
            path.span.clone(),
            "this path is not one that is checked",
            "unknown endpoint",
            format!(
                "write `/api/v1/namespaces/{namespace}/pods/$POD:8080/proxy/health`, or `…/metrics`, with the number of the port that the pods serve it on; every live pod is asked"
            ),
        );
        None
    }

    /// A counter of every live pod, by hand found with `grep`.
    pub(super) fn counter(
        &mut self,
        path: &Word,
        series: &str,
        span: Range<usize>,
    ) -> Option<Command> {
        let port = match self.endpoint(path)? {
            Command::CheckBuildInfo { port } => port,
            _ => {
                self.findings.error(
                    "endpoint",
                    path.span.clone(),
                    "counters are on the page `metrics`",
                    "another page",
                    "write `…/proxy/metrics`",
                );
                return None;
            }
        };
        let parsed = Series::parse(series);
        if parsed.is_none() {
            self.findings.error(
                "counter",
                span,
                format!("`{series}` is not a counter as it stands on the page"),
                "expected `NAME{LABEL=\"VALUE\"}`",
                "for instance `grep 'requests_total{code=\"503\"}'`, with labels in the page's order so that it works by hand too",
            );
        }
        Some(Command::CheckCounter {
            port,
            series: parsed?,
        })
    }

    pub(super) fn snapshot(&mut self, flag: &str) -> Option<Word> {
        let name = self.value(flag, "before_release")?;
        if suggest::is_snapshot_name(&name.value) {
            return Some(name);
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
    pub(super) fn placeholders(&mut self, words: &[Word], command: &Command, before: usize) {
        let mut known: Vec<&str> = match command {
            Command::PromQuery { .. } | Command::LogQuery { .. } => {
                vec!["WINDOW", "NAMESPACE", "LIVE_PODS"]
            }
            Command::CheckHealth { .. }
            | Command::CheckBuildInfo { .. }
            | Command::CheckCounter { .. } => {
                vec!["POD"]
            }
            Command::UndoSchema => vec!["TARGET_SCHEMA"],
            Command::RolloutUndo { .. } => vec!["TARGET_REVISION"],
            Command::RestoreReplicas => vec!["TARGET_REPLICAS"],
            _ => Vec::new(),
        };
        let is_query = known.first() == Some(&"WINDOW");
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

/// A port's number. The API server's proxy knows no names of ports where it reaches a pod (`pkg/registry/core/pod/strategy.go`).
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}
