//! Understands a command's words: from what a person would type to one of the closed set of steps.

mod catalogue;
mod checks;
mod spec;

pub use catalogue::{COMMANDS, Command, Kind};
pub use spec::{Asks, CommandSpec, Effect, Followed, Leaves, Missed, OnLedger, Part, Value};

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::source::{Findings, Spanned};
use super::suggest;
use crate::workload::WorkloadKind;

/// What a command may refer to.
pub(super) struct Context<'a> {
    /// The front matter's namespace, if it was readable.
    pub(super) namespace: Option<&'a str>,
    /// The front matter's services, if they were readable.
    pub(super) services: Option<&'a [String]>,
    /// Whether the step runs for each service, if its attributes were readable.
    pub(super) for_each: Option<bool>,
    /// The step's budget, if it was readable.
    pub(super) timeout: Option<Duration>,
}

type Word = Spanned<String>;

/// A flag that some command of a program takes.
#[derive(Clone, Copy, Debug)]
struct Flag {
    /// The name that the commands below know it by, then its other spellings.
    names: &'static [&'static str],
    takes_value: bool,
}

const fn flag(names: &'static [&'static str], takes_value: bool) -> Flag {
    Flag { names, takes_value }
}

const NAMESPACE: Flag = flag(&["--namespace", "-n"], true);
const OUTPUT: Flag = flag(&["--output", "-o"], true);
const PATCH: Flag = flag(&["--patch", "-p"], true);
const RAW: Flag = flag(&["--raw"], true);
const REPLICAS: Flag = flag(&["--replicas"], true);
const SELECTOR: Flag = flag(&["--selector", "-l"], true);
const SINCE: Flag = flag(&["--since"], true);
const TAIL: Flag = flag(&["--tail"], true);
const TIMEOUT: Flag = flag(&["--timeout"], true);
const TIMESTAMPS: Flag = flag(&["--timestamps"], false);
const TO_REVISION: Flag = flag(&["--to-revision"], true);
const TYPE: Flag = flag(&["--type"], true);
const TARGET: Flag = flag(&["-target"], true);
const NAME: Flag = flag(&["--name"], true);
const LOG: Flag = flag(&["--log"], false);
const SERVICE: Flag = flag(&["--service"], true);
const SNAPSHOT: Flag = flag(&["--snapshot"], true);

/// A program, with what its commands have in common.
struct Program {
    name: &'static str,
    /// Flags that some command of it takes, by name.
    flags: Vec<Flag>,
    /// How its commands begin.
    forms: Vec<&'static str>,
}

/// How kubectl names kinds: in full, in the plural, shortened, and with their API group.
const DEPLOYMENT: [&str; 7] = [
    "deployments",
    "deployment",
    "deploy",
    "deployments.apps",
    "deployment.apps",
    "deployments.v1.apps",
    "deployment.v1.apps",
];
const STATEFUL_SET: [&str; 7] = [
    "statefulsets",
    "statefulset",
    "sts",
    "statefulsets.apps",
    "statefulset.apps",
    "statefulsets.v1.apps",
    "statefulset.v1.apps",
];
const POD: [&str; 3] = ["pods", "pod", "po"];
const REPLICA_SET: [&str; 7] = [
    "replicasets",
    "replicaset",
    "rs",
    "replicasets.apps",
    "replicaset.apps",
    "replicasets.v1.apps",
    "replicaset.v1.apps",
];
const CONFIG_MAP: [&str; 3] = ["configmap", "configmaps", "cm"];

/// The kind of workload that kubectl knows by this name.
fn kind_of(name: &str) -> Option<WorkloadKind> {
    match name {
        _ if DEPLOYMENT.contains(&name) => Some(WorkloadKind::Deployment),
        _ if STATEFUL_SET.contains(&name) => Some(WorkloadKind::StatefulSet),
        _ => None,
    }
}

/// Flags that kubectl has for the commands above and that the executor does nothing with. Whoever writes one has
/// not misspelled another.
const OF_KUBECTL: [&str; 25] = [
    "--all-containers",
    "--all-namespaces",
    "--cluster",
    "--container",
    "--context",
    "--dry-run",
    "--field-manager",
    "--field-selector",
    "--follow",
    "--kubeconfig",
    "--limit-bytes",
    "--max-log-requests",
    "--patch-file",
    "--prefix",
    "--previous",
    "--record",
    "--request-timeout",
    "--revision",
    "--server",
    "--show-labels",
    "--since-time",
    "--sort-by",
    "--token",
    "--user",
    "--wait",
];

impl Program {
    /// The programs that some command is of.
    fn names() -> Vec<&'static str> {
        let mut names = Vec::new();
        for command in COMMANDS {
            if !names.contains(&command.program) {
                names.push(command.program);
            }
        }
        names
    }

    /// The program called `name`, if some command is of it.
    fn named(name: &str) -> Option<Self> {
        let commands = COMMANDS.iter().filter(|it| it.program == name);
        let mut program = Self {
            name: commands.clone().next()?.program,
            flags: commands.clone().flat_map(|it| it.flags).copied().collect(),
            forms: commands.map(|it| it.form).collect(),
        };
        program.flags.sort_by_key(|flag| flag.names);
        program.flags.dedup_by_key(|flag| flag.names);
        program.forms.dedup();
        Some(program)
    }

    /// What to say about a flag that it hasn't.
    fn flag_help(&self, name: &str) -> String {
        let known: Vec<&str> = self
            .flags
            .iter()
            .flat_map(|it| it.names.iter().copied())
            .collect();
        let of_kubectl = self.name == "kubectl"
            && (OF_KUBECTL.contains(&name) || ["-A", "-c", "-f", "-w"].contains(&name));
        // Any other letter is one letter away; only the same one may be a slip.
        let is_short = name.len() == 2 && !name.starts_with("--");
        let same_letter = known.iter().find(|it| it.eq_ignore_ascii_case(name));
        match name {
            _ if known.is_empty() => format!("`{}` takes none", self.name),
            "--watch" | "-w" if self.name == "kubectl" => {
                "remove it: the executor waits by itself, for as long as the attribute `rb.timeout` says".to_owned()
            }
            _ if of_kubectl => "kubectl has it, but the executor doesn't carry it out: remove it".to_owned(),
            _ if is_short => match same_letter {
                Some(same) => format!("did you mean `{same}`?"),
                None => format!("known here: {}", suggest::list(&known)),
            },
            _ => suggest::help(name, &known),
        }
    }
}

/// A command as understood, with what the whole document is checked against.
pub(super) struct Understood {
    pub(super) command: Command,
    /// The kinds of workloads that it names.
    pub(super) kinds: BTreeSet<WorkloadKind>,
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
    let Some(program) = Program::named(&first.value) else {
        let names = Program::names();
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
        words: Vec::new(),
        flags: Vec::new(),
        kinds: BTreeSet::new(),
        snapshot: None,
        context,
        findings,
    };
    arguments.collect(rest)?;
    let command = arguments.command()?;
    arguments.placeholders(rest, command.spec(), before);
    let snapshot = arguments.snapshot.take();
    let kinds = std::mem::take(&mut arguments.kinds);
    (findings.error_count() == before).then_some(Understood {
        command,
        kinds,
        snapshot,
    })
}

/// Where `word` goes on after its first `skip` bytes; all of it if quotes keep that from being known.
fn after(word: &Word, skip: usize) -> Range<usize> {
    let is_bare = word.span.len() == word.value.len();
    word.span.start + if is_bare { skip } else { 0 }..word.span.end
}

struct Arguments<'a, 'c, 'f, 't> {
    program: Program,
    whole: Range<usize>,
    positional: Vec<&'a Word>,
    /// What [`Self::positional`] says.
    words: Vec<&'a str>,
    /// Canonical name, place of the flag, value.
    flags: Vec<(&'static str, Range<usize>, Option<Word>)>,
    /// The kinds of workloads that the command names.
    kinds: BTreeSet<WorkloadKind>,
    /// The snapshot that the command names.
    snapshot: Option<Word>,
    context: &'c Context<'c>,
    findings: &'f mut Findings<'t>,
}

impl<'a> Arguments<'a, '_, '_, '_> {
    /// Sorts the words into flags and the rest.
    fn collect(&mut self, words: &'a [Word]) -> Option<()> {
        let mut words = words.iter();
        let mut good = true;
        while let Some(word) = words.next() {
            if word.value == "|" && word.span.len() == 1 {
                self.positional.push(word);
                return self.grep(words.as_slice()).filter(|()| good);
            }
            if !word.value.starts_with('-') || word.value == "-" {
                self.positional.push(word);
                continue;
            }
            let (name, inline) = match (self.joined(word), word.value.split_once('=')) {
                (Some((name, value)), _) => (name, Some(value)),
                (None, Some((name, value))) => (
                    name,
                    Some(Word::new(value.to_owned(), after(word, name.len() + 1))),
                ),
                (None, None) => (word.value.as_str(), None),
            };
            let Some(flag) = self
                .program
                .flags
                .iter()
                .find(|it| it.names.contains(&name))
            else {
                let help = self.program.flag_help(name);
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

    /// The words after the pipe: `grep`, a flag that says that the text is no pattern, and the text.
    fn grep(&mut self, words: &'a [Word]) -> Option<()> {
        let mut good = true;
        for word in words {
            match word.value.as_str() {
                "-F" | "--fixed-strings" => {}
                flag if flag.starts_with('-') => {
                    self.findings.error(
                        "flag-unknown",
                        word.span.clone(),
                        format!("`grep` has no flag `{flag}` here"),
                        "unknown flag",
                        "the executor finds the counter by its name and labels: write `grep 'SERIES'` or `grep -F 'SERIES'`",
                    );
                    good = false;
                }
                _ => self.positional.push(word),
            }
        }
        good.then_some(())
    }

    /// A short flag with its value right behind it, as in `-oyaml` and `-lapp=$SERVICE`.
    fn joined(&self, word: &'a Word) -> Option<(&'a str, Word)> {
        let mut flags = self.program.flags.iter().filter(|flag| flag.takes_value);
        let short = word.value.get(..2).filter(|short| {
            !short.starts_with("--") && flags.any(|flag| flag.names.contains(short))
        })?;
        let value = word.value[2..]
            .strip_prefix('=')
            .unwrap_or(&word.value[2..]);
        let skip = word.value.len() - value.len();
        (!value.is_empty()).then(|| (short, Word::new(value.to_owned(), after(word, skip))))
    }

    /// The words that are no flags, after the program.
    fn words(&self) -> &[&'a str] {
        &self.words
    }

    /// Reads the command that the words fit.
    fn command(&mut self) -> Option<Command> {
        self.words = self.positional.iter().map(|it| it.value.as_str()).collect();
        let mut commands = COMMANDS.iter().filter(|it| it.program == self.program.name);
        let Some(spec) = commands.find(|it| (it.fits)(self)) else {
            return self.unknown_form();
        };
        self.only(spec.flags);
        (spec.read)(self)
    }

    fn unknown_form<T>(&mut self) -> Option<T> {
        let words = &self.words;
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
        self.findings
            .error("command-unknown", span, message, label, help);
        None
    }
}
