//! A container's environment: `env` and `envFrom`, resolved when the container starts.

use std::collections::BTreeMap;

use crate::cluster::api::base64;
use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, at, flag, items, members, namespace, text};

impl Cluster {
    /// The keys and values of a ConfigMap or Secret.
    fn data_of(&self, kind: Kind, ns: &str, name: &str) -> Option<BTreeMap<String, String>> {
        let object = self.get(kind, &value::key(ns, name))?;
        let mut all = BTreeMap::new();
        for (k, v) in members(&object.value, &["data"]) {
            let v = v.as_str().unwrap_or("");
            let v = if kind == Kind::Secret {
                String::from_utf8_lossy(&base64::decoded(v)).into_owned()
            } else {
                v.to_owned()
            };
            all.insert(k.to_owned(), v);
        }
        Some(all)
    }

    /// The environment of a container's process, or why it cannot be made.
    pub(super) fn environment(
        &self,
        pod: &Value,
        container: &Value,
        ip: &str,
    ) -> Result<BTreeMap<String, String>, String> {
        let ns = namespace(pod);
        let mut env = BTreeMap::new();
        for source in items(container, &["envFrom"]) {
            let prefix = text(source, &["prefix"]);
            for (field, kind) in [
                ("configMapRef", Kind::ConfigMap),
                ("secretRef", Kind::Secret),
            ] {
                let Some(reference) = source.get(field) else {
                    continue;
                };
                let name = text(reference, &["name"]);
                match self.data_of(kind, ns, name) {
                    Some(data) => {
                        env.extend(data.into_iter().map(|(k, v)| (format!("{prefix}{k}"), v)));
                    }
                    None if flag(reference, &["optional"]) => {}
                    None => return Err(missing(kind, name)),
                }
            }
        }
        for variable in items(container, &["env"]) {
            let name = text(variable, &["name"]).to_owned();
            if let Some(v) = self.value_from(pod, ns, ip, variable)? {
                env.insert(name, v);
            }
        }
        Ok(env)
    }

    fn value_from(
        &self,
        pod: &Value,
        ns: &str,
        ip: &str,
        variable: &Value,
    ) -> Result<Option<String>, String> {
        let Some(from) = variable.get("valueFrom") else {
            return Ok(Some(text(variable, &["value"]).to_owned()));
        };
        if let Some(path) = at(from, &["fieldRef", "fieldPath"]).and_then(Value::as_str) {
            let steps: Vec<&str> = path.split('.').collect();
            let v = if path == "status.podIP" {
                ip
            } else {
                text(pod, &steps)
            };
            return Ok(Some(v.to_owned()));
        }
        for (field, kind) in [
            ("configMapKeyRef", Kind::ConfigMap),
            ("secretKeyRef", Kind::Secret),
        ] {
            let Some(reference) = from.get(field) else {
                continue;
            };
            let (name, key) = (text(reference, &["name"]), text(reference, &["key"]));
            let optional = flag(reference, &["optional"]);
            let Some(mut data) = self.data_of(kind, ns, name) else {
                return if optional {
                    Ok(None)
                } else {
                    Err(missing(kind, name))
                };
            };
            return match data.remove(key) {
                Some(v) => Ok(Some(v)),
                None if optional => Ok(None),
                None => Err(format!(
                    "couldn't find key {key} in {} {ns}/{name}",
                    kind.name()
                )),
            };
        }
        Ok(None)
    }
}

fn missing(kind: Kind, name: &str) -> String {
    format!(
        "{} \"{name}\" not found",
        kind.plural().trim_end_matches('s')
    )
}
