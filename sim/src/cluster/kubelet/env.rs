//! A container's environment: `env` and `envFrom`, resolved when the container starts.
//!
//! Secrets are read from `stringData`, or from base64 `data`.

use std::collections::BTreeMap;

use crate::cluster::json::Value;
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, at, flag, items, members, namespace, text};

/// Standard base64 without checks of padding; bytes that are no text are replaced.
fn base64_text(encoded: &str) -> String {
    let (mut bits, mut count, mut out) = (0_u32, 0_u32, Vec::new());
    for c in encoded.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Cluster {
    /// The keys and values of a ConfigMap or Secret.
    fn data_of(&self, kind: Kind, ns: &str, name: &str) -> Option<BTreeMap<String, String>> {
        let object = self.get(kind, &value::key(ns, name))?;
        let mut all = BTreeMap::new();
        for (field, encoded) in [("data", kind == Kind::Secret), ("stringData", false)] {
            for (k, v) in members(&object.value, &[field]) {
                let v = v.as_str().unwrap_or("");
                let v = if encoded {
                    base64_text(v)
                } else {
                    v.to_owned()
                };
                all.insert(k.to_owned(), v);
            }
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

#[cfg(test)]
mod tests {
    use super::base64_text;

    #[test]
    fn base64_with_and_without_padding() {
        assert_eq!(base64_text("aGVsbG8="), "hello");
        assert_eq!(base64_text("aGVsbG8h"), "hello!");
        assert_eq!(base64_text("YQ=="), "a");
    }
}
