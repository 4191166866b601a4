//! What a cluster has, read with the user's own `kubectl`: it knows how to sign in. Nothing but `kubectl get` is asked,
//! and no Secret.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::{Args, ValueHint};
use serde_json::Value;
use sim_services::manifests::Document;

use crate::exit::Failure;
use crate::terminal;

/// What is asked for in a namespace.
const KINDS: &str =
    "deployments,statefulsets,services,poddisruptionbudgets,horizontalpodautoscalers";
/// How long one answer of the cluster may take.
const LIMIT: &str = "30s";
/// The program, if it is not the `kubectl` of the search path.
const PROGRAM: &str = "FIREDRILL_KUBECTL";

/// Which cluster, and what of it.
#[derive(Debug, Args)]
pub(crate) struct ContextArgs {
    /// Read what is deployed from the cluster of this context, with `kubectl get` and nothing else
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// The kubeconfig with that context [default: as kubectl finds it]
    #[arg(long, value_name = "FILE", requires = "context", value_hint = ValueHint::FilePath)]
    kubeconfig: Option<PathBuf>,
    /// The namespace that is read [default: the context's]
    #[arg(short, long, value_name = "NAMESPACE", requires = "context")]
    namespace: Option<String>,
    /// Read all namespaces
    #[arg(short = 'A', long, requires = "context", conflicts_with = "namespace")]
    all_namespaces: bool,
}

impl ContextArgs {
    /// The objects of the context, each as `kubectl get KIND NAME -o yaml` prints it, and the namespace that was read,
    /// if it was one; nothing without a context. Nodes that may not be listed are left out, and that is told.
    ///
    /// # Errors
    /// `kubectl` can't be run, or is refused.
    pub(crate) fn documents(&self) -> Result<(Vec<Document>, Option<String>), Failure> {
        let Some(context) = &self.context else {
            return Ok((Vec::new(), None));
        };
        let scope: Vec<OsString> = match &self.namespace {
            Some(namespace) => vec!["--namespace".into(), namespace.into()],
            None if self.all_namespaces => vec!["--all-namespaces".into()],
            None => Vec::new(),
        };
        let list = self.get(context, KINDS, &scope).map_err(|why| {
            let help = format!(
                "`kubectl config get-contexts` lists the contexts, and the account must be allowed to list these kinds; \
                 if kubectl is not on the search path, name it in {PROGRAM}"
            );
            Failure::input(why, help)
        })?;
        let (mut documents, namespaces) = split(&list);
        if documents.is_empty() {
            return Err(Failure::input(
                format!("the context {context} has nothing to forecast in this namespace"),
                "name another one with --namespace, or read all of them with --all-namespaces",
            ));
        }
        match self.get(context, "nodes", &[]) {
            Ok(nodes) => documents.extend(split(&nodes).0),
            Err(why) => terminal::complain(&format!(
                "the nodes are left out, so the forecast has three with room for everything: {why}"
            )),
        }
        let mut namespaces = namespaces.into_iter();
        let one = namespaces.next().filter(|_| namespaces.next().is_none());
        Ok((documents, one))
    }

    fn get(&self, context: &str, kinds: &str, scope: &[OsString]) -> Result<String, String> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "kubectl".into());
        let mut command = Command::new(&program);
        command.args(["get", kinds, "--output", "yaml", "--context", context]);
        command.args(["--request-timeout", LIMIT]).args(scope);
        if let Some(kubeconfig) = &self.kubeconfig {
            command.arg("--kubeconfig").arg(kubeconfig);
        }
        let done = command.stdin(Stdio::null()).output();
        let done = done.map_err(|error| format!("{} can't be run: {error}", program.display()))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.trim();
        Err(format!("kubectl get {kinds} --context {context}: {said}"))
    }
}

/// The items of a list that kubectl has printed, each as a document of its own, with its lines as they are when kubectl
/// prints it alone; and their namespaces.
fn split(list: &str) -> (Vec<Document>, BTreeSet<String>) {
    let mut texts: Vec<String> = Vec::new();
    let mut inside = false;
    for line in list.lines() {
        if line == "items:" {
            inside = true;
        } else if inside && let Some(first) = line.strip_prefix("- ") {
            texts.push(format!("{first}\n"));
        } else if inside && (line.is_empty() || line.starts_with("  ")) {
            if let Some(text) = texts.last_mut() {
                text.push_str(line.get(2..).unwrap_or_default());
                text.push('\n');
            }
        } else {
            inside = false;
        }
    }
    let mut namespaces = BTreeSet::new();
    let mut documents = Vec::new();
    for text in texts {
        let object: Value = serde_saphyr::from_str(&text).unwrap_or_default();
        let name = called(&object);
        let namespace = object["metadata"]["namespace"].as_str();
        namespaces.extend(namespace.map(str::to_owned));
        documents.push(Document { name, text });
    }
    (documents, namespaces)
}

/// What kubectl calls the object: `deployment/front -n shop`.
fn called(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let kind = word(&object["kind"]).to_lowercase();
    let name = word(&object["metadata"]["name"]);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind}/{name} -n {namespace}"),
        None => format!("{kind}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_list_becomes_documents_with_the_lines_that_kubectl_prints() {
        let list = "apiVersion: v1\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    \
                    annotations:\n      note: |\n        one\n\n        - two\n    name: front\n    \
                    namespace: shop\n- apiVersion: v1\n  kind: Node\n  metadata:\n    name: n1\n\
                    kind: List\nmetadata:\n  resourceVersion: \"\"\n";
        let (found, namespaces) = split(list);
        let texts: Vec<(&str, &str)> = found
            .iter()
            .map(|it| (it.name.as_str(), it.text.as_str()))
            .collect();
        let front = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n    note: |\n      one\n\n      \
                     - two\n  name: front\n  namespace: shop\n";
        let node = "apiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n";
        assert_eq!(
            texts,
            [("deployment/front -n shop", front), ("node/n1", node)]
        );
        assert_eq!(namespaces.into_iter().collect::<Vec<_>>(), ["shop"]);
        let (none, _) = split("apiVersion: v1\nitems: []\nkind: List\n");
        assert!(none.is_empty());
    }
}
