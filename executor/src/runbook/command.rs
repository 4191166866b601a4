//! Understands a command's words: from what a person would type to one of the closed set of steps.

use std::ops::Range;
use std::time::Duration;

use super::model::Command;
use super::query;
use super::source::{Findings, Spanned};
use super::suggest;

/// What a command may refer to.
pub(super) struct Context<'a> {
    /// The front matter's namespace, if it was readable.
    pub(super) namespace: Option<&'a str>,
    /// The front matter's services, if they were readable.
    pub(super) services: Option<&'a [String]>,
    /// Whether the step runs for each service.
    pub(super) for_each: bool,
}

type Word = Spanned<String>;

/// A flag that some command of a program takes.
struct Flag {
    /// The name that the commands below know it by, then its other spellings.
    names: &'static [&'static str],
    takes_value: bool,
}

const fn flag(names: &'static [&'static str], takes_value: bool) -> Flag {
    Flag { names, takes_value }
}

/// A program and the commands of it that are understood.
struct Program {
    name: &'static str,
    flags: &'static [Flag],
    forms: &'static [&'static str],
}

const PROGRAMS: [Program; 5] = [
    Program {
        name: "kubectl",
        flags: &[
            flag(&["--namespace", "-n"], true),
            flag(&["--output", "-o"], true),
            flag(&["--patch", "-p"], true),
            flag(&["--raw"], true),
            flag(&["--selector", "-l"], true),
            flag(&["--since"], true),
            flag(&["--timestamps"], false),
            flag(&["--to-revision"], true),
            flag(&["--type"], true),
        ],
        forms: &[
            "get deployments",
            "get replicasets",
            "get --raw",
            "patch configmap",
            "logs",
            "rollout resume",
            "rollout undo",
            "rollout status",
        ],
    },
    Program {
        name: "flyway",
        flags: &[flag(&["-target"], true)],
        forms: &["undo"],
    },
    Program {
        name: "promql",
        flags: &[],
        forms: &["'QUERY'"],
    },
    Program {
        name: "logcli",
        flags: &[],
        forms: &["query"],
    },
    Program {
        name: "rollback",
        flags: &[
            flag(&["--name"], true),
            flag(&["--orders"], false),
            flag(&["--service"], true),
            flag(&["--snapshot"], true),
        ],
        forms: &[
            "db snapshot",
            "db fence",
            "db unfence",
            "db restore",
            "db replay",
            "config restore",
            "post-mortem",
            "scenario",
        ],
    },
];

/// A command as understood, with what the whole document is checked against.
pub(super) struct Understood {
    pub(super) command: Command,
    /// The snapshot that it names.
    pub(super) snapshot: Option<Word>,
}

/// Understands `words` (at least one). `None`: not a step, and the findings say why.
pub(super) fn understand(
    words: &[Word],
    context: &Context<'_>,
    findings: &mut Findings<'_>,
) -> Option<Understood> {
    let before = findings.error_count();
    let (first, rest) = words.split_first()?;
    let Some(program) = PROGRAMS.iter().find(|it| it.name == first.value) else {
        let names: Vec<&str> = PROGRAMS.iter().map(|it| it.name).collect();
        findings.error(
            "command-unknown",
            first.span.clone(),
            format!("unknown command `{}`", first.value),
            "not one that the executor carries out",
            suggest::help(&first.value, &names),
        );
        return None;
    };
    let mut arguments = Arguments {
        program,
        whole: first.span.start..words.last().map_or(first.span.end, |it| it.span.end),
        positional: Vec::new(),
        flags: Vec::new(),
        context,
        findings,
    };
    arguments.collect(rest)?;
    let understood = arguments.form();
    if understood.is_some() {
        arguments.placeholders(rest, understood.as_ref().map(|it| &it.command));
    }
    understood.filter(|_| findings.error_count() == before)
}

struct Arguments<'a, 'c, 'f, 't> {
    program: &'static Program,
    whole: Range<usize>,
    positional: Vec<&'a Word>,
    /// Canonical name, place of the flag, value.
    flags: Vec<(&'static str, Range<usize>, Option<Word>)>,
    context: &'c Context<'c>,
    findings: &'f mut Findings<'t>,
}

impl<'a> Arguments<'a, '_, '_, '_> {
    /// Sorts the words into flags and the rest.
    fn collect(&mut self, words: &'a [Word]) -> Option<()> {
        let mut words = words.iter();
        let mut good = true;
        while let Some(word) = words.next() {
            if !word.value.starts_with('-') || word.value == "-" {
                self.positional.push(word);
                continue;
            }
            let (name, inline) = match word.value.split_once('=') {
                Some((name, value)) => (name, Some(Word::new(value.to_owned(), word.span.clone()))),
                None => (word.value.as_str(), None),
            };
            let Some(flag) = self.program.flags.iter().find(|it| it.names.contains(&name)) else {
                let known: Vec<&str> = self
                    .program
                    .flags
                    .iter()
                    .flat_map(|it| it.names.iter().copied())
                    .collect();
                let help = match name {
                    "--timeout" => "a step's budget is its attribute `rb.timeout`".to_owned(),
                    _ if known.is_empty() => format!("`{}` takes none", self.program.name),
                    _ => suggest::help(name, &known),
                };
                self.findings.error(
                    "flag-unknown",
                    word.span.clone(),
                    format!("`{}` has no flag `{name}` here", self.program.name),
                    "unknown flag",
                    help,
                );
                good = false;
                continue;
            };
            let canonical = flag.names[0];
            let value = match (flag.takes_value, inline) {
                (true, Some(value)) => Some(value),
                (true, None) => match words.next() {
                    Some(value) => Some(value.clone()),
                    None => {
                        self.findings.error(
                            "flag-value",
                            word.span.clone(),
                            format!("`{name}` lacks its value"),
                            "nothing follows",
                            format!("write `{name} VALUE` or `{name}=VALUE`"),
                        );
                        good = false;
                        continue;
                    }
                },
                (false, None) => None,
                (false, Some(_)) => {
                    self.findings.error(
                        "flag-value",
                        word.span.clone(),
                        format!("`{name}` takes no value"),
                        "remove what follows the `=`",
                        format!("write `{name}`"),
                    );
                    good = false;
                    continue;
                }
            };
            if self.flags.iter().any(|it| it.0 == canonical) {
                self.findings.error(
                    "flag-duplicate",
                    word.span.clone(),
                    format!("`{canonical}` is given twice"),
                    "second time",
                    "remove one of them",
                );
                good = false;
                continue;
            }
            self.flags.push((canonical, word.span.clone(), value));
        }
        good.then_some(())
    }

    fn form(&mut self) -> Option<Understood> {
        let words: Vec<&str> = self.positional.iter().map(|it| it.value.as_str()).collect();
        let plain = |command| {
            Some(Understood {
                command,
                snapshot: None,
            })
        };
        match (self.program.name, words.as_slice()) {
            ("kubectl", ["get"]) if self.has("--raw") => {
                self.only(&["--raw"]);
                let path = self.value("--raw", "the path of an endpoint")?;
                plain(self.endpoint(&path)?)
            }
            ("kubectl", ["get", "deployments" | "deployment" | "deploy"]) => {
                self.only(&["--namespace", "--output"]);
                self.namespace();
                let output = self.value("--output", "yaml")?;
                self.literal(&output, "yaml", "the whole objects are recorded");
                plain(Command::RecordRelease)
            }
            ("kubectl", ["get", "replicasets" | "replicaset" | "rs"]) => {
                self.only(&["--namespace", "--selector"]);
                self.namespace();
                self.selector();
                plain(Command::ReviewReplicaSets)
            }
            ("kubectl", ["patch", "configmap" | "configmaps" | "cm", name]) => {
                self.only(&["--namespace", "--type", "--patch"]);
                self.namespace();
                let kind = self.value("--type", "merge")?;
                self.literal(&kind, "merge", "only merge patches are understood");
                let patch = self.value("--patch", "'{\"data\":{\"KEY\":\"VALUE\"}}'")?;
                plain(self.set_config(name, &patch)?)
            }
            ("kubectl", ["logs"]) => {
                self.only(&["--namespace", "--selector", "--timestamps", "--since"]);
                self.namespace();
                self.selector();
                let since = self.value("--since", "10m")?;
                plain(Command::DumpLogs {
                    since: self.since(&since)?,
                })
            }
            ("kubectl", ["rollout", verb @ ("resume" | "undo" | "status"), rest @ ..]) => {
                plain(self.rollout(verb, rest)?)
            }
            ("flyway", ["undo"]) => {
                let target = self.value("-target", "$TARGET_SCHEMA")?;
                self.literal(&target, "$TARGET_SCHEMA", "the version that `prepare` recorded is the only safe target");
                plain(Command::UndoSchema)
            }
            ("promql", [query]) => {
                let span = self.positional[0].span.clone();
                query::check_promql(query, span, self.findings);
                plain(Command::PromQuery {
                    query: (*query).to_owned(),
                })
            }
            ("logcli", ["query", query]) => {
                let span = self.positional[1].span.clone();
                query::check_logql(query, span, self.findings);
                plain(Command::LogQuery {
                    query: (*query).to_owned(),
                })
            }
            ("rollback", ["db", "snapshot"]) => {
                self.only(&["--name"]);
                let snapshot = self.snapshot("--name")?;
                Some(Understood {
                    command: Command::Snapshot {
                        name: snapshot.value.clone(),
                    },
                    snapshot: Some(snapshot),
                })
            }
            ("rollback", ["db", "restore"]) => {
                self.only(&["--snapshot"]);
                let snapshot = self.snapshot("--snapshot")?;
                Some(Understood {
                    command: Command::RestoreSnapshot {
                        name: snapshot.value.clone(),
                    },
                    snapshot: Some(snapshot),
                })
            }
            ("rollback", ["db", "fence"]) => {
                self.only(&[]);
                plain(Command::Fence)
            }
            ("rollback", ["db", "unfence"]) => {
                self.only(&[]);
                plain(Command::Unfence)
            }
            ("rollback", ["db", "replay"]) => {
                self.only(&["--orders"]);
                if !self.has("--orders") {
                    self.missing("--orders", "");
                }
                plain(Command::ReplayOrders)
            }
            ("rollback", ["config", "restore"]) => {
                self.only(&["--service"]);
                let service = self.value("--service", "$SERVICE")?;
                self.service(&service);
                plain(Command::RestoreConfig)
            }
            ("rollback", ["post-mortem"]) => {
                self.only(&[]);
                plain(Command::WritePostMortem)
            }
            ("rollback", ["scenario"]) => {
                self.only(&[]);
                plain(Command::WriteScenario)
            }
            _ => self.unknown_form(&words),
        }
    }

    fn unknown_form<T>(&mut self, words: &[&str]) -> Option<T> {
        let name = self.program.name;
        let forms: Vec<String> = self
            .program
            .forms
            .iter()
            .map(|form| format!("{name} {form}"))
            .collect();
        let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
        let written = format!("{name} {}", words.join(" "));
        // Surplus words: the longest form that the command begins with.
        let begun = forms
            .iter()
            .filter(|form| written.starts_with(&format!("{form} ")))
            .max_by_key(|form| form.len());
        let (span, message, label, help) = if let Some(form) = begun {
            let count = form.split(' ').count() - 1;
            let surplus = self.positional[count.min(self.positional.len() - 1)];
            (
                surplus.span.clone(),
                format!("`{}` means nothing after `{form}`", surplus.value),
                "not understood here",
                "remove it, or quote what belongs together".to_owned(),
            )
        } else if name == "promql" {
            (
                self.whole.clone(),
                "`promql` takes one query".to_owned(),
                "not understood",
                "write `promql 'QUERY'`, the query in single quotes".to_owned(),
            )
        } else {
            let two: Vec<&str> = words.iter().take(2).copied().collect();
            (
                self.whole.clone(),
                format!("`{}` is not understood", written.trim_end()),
                "unknown command",
                suggest::help(&format!("{name} {}", two.join(" ")), &forms),
            )
        };
        self.findings.error("command-unknown", span, message, label, help);
        None
    }

    fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|it| it.0 == name)
    }

    /// Refuses flags that the program has and this command hasn't.
    fn only(&mut self, allowed: &[&str]) {
        for (name, span, _) in &self.flags {
            if !allowed.contains(name) {
                let help = if allowed.is_empty() {
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

    fn missing(&mut self, name: &str, example: &str) {
        self.findings.error(
            "flag-missing",
            self.whole.clone(),
            format!("this command lacks `{name}`"),
            "incomplete",
            format!("add `{}`", format!("{name} {example}").trim_end()),
        );
    }

    fn value(&mut self, name: &str, example: &str) -> Option<Word> {
        let found = self.flags.iter().find(|it| it.0 == name);
        if let Some((_, _, Some(value))) = found {
            return Some(value.clone());
        }
        self.missing(name, example);
        None
    }

    fn literal(&mut self, word: &Word, wanted: &str, why: &str) {
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

    fn namespace(&mut self) {
        let example = self.context.namespace.unwrap_or("NAMESPACE");
        let Some(given) = self.value("--namespace", example) else {
            return;
        };
        self.check_namespace(&given.value, given.span);
    }

    fn check_namespace(&mut self, given: &str, span: Range<usize>) {
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
    fn service(&mut self, word: &Word) {
        match word.value.as_str() {
            "$SERVICE" | "${SERVICE}" => {
                if !self.context.for_each {
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
                    if known { "one service" } else { "not a service of the front matter" },
                    "write `$SERVICE` and the attribute `\"rb.for-each\":\"service\"`",
                );
            }
        }
    }

    fn selector(&mut self) {
        let Some(selector) = self.value("--selector", "app=$SERVICE") else {
            return;
        };
        match selector.value.strip_prefix("app=") {
            Some(service) => {
                let span = selector.span.end - service.len().min(selector.span.len())..selector.span.end;
                self.service(&Word::new(service.to_owned(), span));
            }
            None => self.literal(&selector, "app=$SERVICE", "pods and ReplicaSets are found by the label `app`"),
        }
    }

    fn since(&mut self, word: &Word) -> Option<Duration> {
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

    fn rollout(&mut self, verb: &str, rest: &[&str]) -> Option<Command> {
        self.only(if verb == "undo" {
            &["--namespace", "--to-revision"]
        } else {
            &["--namespace"]
        });
        self.namespace();
        // `deployment/NAME` or `deployment NAME`.
        let target = match rest {
            [one] => one
                .split_once('/')
                .map(|(kind, name)| (kind, name, self.positional[2].span.clone())),
            [kind, name] => Some((*kind, *name, self.positional[3].span.clone())),
            _ => None,
        };
        let Some((kind @ ("deployment" | "deployments" | "deploy"), name, span)) = target else {
            self.findings.error(
                "command-unknown",
                self.whole.clone(),
                format!("`kubectl rollout {verb}` needs one Deployment"),
                "incomplete",
                format!("write `kubectl rollout {verb} deployment/$SERVICE`"),
            );
            return None;
        };
        let skip = if rest.len() == 1 { kind.len() + 1 } else { 0 };
        self.service(&Word::new(name.to_owned(), (span.start + skip).min(span.end)..span.end));
        Some(match verb {
            "resume" => Command::RolloutResume,
            "status" => Command::RolloutStatus,
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

    fn set_config(&mut self, name: &str, patch: &Word) -> Option<Command> {
        let name_span = self.positional[2].span.clone();
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

    fn endpoint(&mut self, path: &Word) -> Option<Command> {
        let parts: Vec<&str> = path.value.split('/').collect();
        if let ["", "api", "v1", "namespaces", namespace, "pods", pod, "proxy", endpoint] = parts.as_slice()
            && matches!(*pod, "$POD:8080" | "${POD}:8080")
        {
            match *endpoint {
                "health" => {
                    self.check_namespace(namespace, path.span.clone());
                    return Some(Command::CheckHealth);
                }
                "metrics" => {
                    self.check_namespace(namespace, path.span.clone());
                    return Some(Command::CheckBuildInfo);
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
                "write `/api/v1/namespaces/{namespace}/pods/$POD:8080/proxy/health`, or `…/metrics`; every live pod is asked"
            ),
        );
        None
    }

    fn snapshot(&mut self, flag: &str) -> Option<Word> {
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
    fn placeholders(&mut self, words: &[Word], command: Option<&Command>) {
        let mut known: Vec<&str> = match command {
            Some(Command::PromQuery { .. } | Command::LogQuery { .. }) => vec!["WINDOW"],
            Some(Command::CheckHealth | Command::CheckBuildInfo) => vec!["POD"],
            Some(Command::UndoSchema) => vec!["TARGET_SCHEMA"],
            Some(Command::RolloutUndo { .. }) => vec!["TARGET_REVISION"],
            _ => Vec::new(),
        };
        let is_query = known == ["WINDOW"];
        known.push("SERVICE");
        let mut service_used = false;
        for word in words {
            for (name, _) in query::placeholders(&word.value) {
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
                        match suggest::closest(&name.to_lowercase(), ["service", "window", "pod", "target_schema", "target_revision"]) {
                            Some(close) if known.contains(&close.to_uppercase().as_str()) => {
                                format!("did you mean `${}`?", close.to_uppercase())
                            }
                            _ => format!(
                                "known here: {}",
                                known.iter().map(|it| format!("`${it}`")).collect::<Vec<_>>().join(", ")
                            ),
                        },
                    );
                }
            }
        }
        if self.context.for_each && !service_used {
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
