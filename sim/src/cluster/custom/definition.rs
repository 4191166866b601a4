//! The definitions themselves: their status, and the kinds that they add.

use serde_json::Value as Raw;

use super::kind::CustomKind;
use crate::cluster::json::{Value, json};
use crate::cluster::kinds::Kind;
use crate::cluster::machine::Cluster;
use crate::cluster::value::{self, at, flag, items, set, text};

impl Cluster {
    /// Every kind that is served: those that are built in, then those that were added, by definition and version.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        Kind::ALL.into_iter().chain(self.custom.iter().copied())
    }

    /// The status of a definition that is about to be stored: it is established with its own write.
    pub(crate) fn establish(&self, definition: &mut Value) {
        let now = value::timestamp(self.now);
        let mut names = at(definition, &["spec", "names"])
            .cloned()
            .unwrap_or(Value::Null);
        let kind = text(&names, &["kind"]).to_owned();
        for (field, default) in [
            ("singular", kind.to_lowercase()),
            ("listKind", format!("{kind}List")),
        ] {
            if text(&names, &[field]).is_empty() {
                set(&mut names, &[field], default);
            }
        }
        set(definition, &["spec", "names"], names.clone());
        if at(definition, &["spec", "conversion"]).is_none() {
            set(
                definition,
                &["spec", "conversion"],
                json!({"strategy": "None"}),
            );
        }
        let condition = |of_type: &str, reason: &str, message: &str| {
            json!({
                "type": of_type, "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": now,
            })
        };
        let stored: Vec<Value> = items(definition, &["spec", "versions"])
            .iter()
            .filter(|version| flag(version, &["storage"]))
            .map(|version| text(version, &["name"]).into())
            .collect();
        let status = json!({
            "acceptedNames": names,
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "storedVersions": stored,
        });
        set(definition, &["status"], status);
    }

    /// The status of a definition that is about to replace `old`. Versions that were stored once stay named.
    pub(crate) fn reestablish(&self, old: &Value, definition: &mut Value) {
        self.establish(definition);
        value::keep(definition, &["status", "conditions"], old);
        let mut stored = items(old, &["status", "storedVersions"]).to_vec();
        for version in items(definition, &["status", "storedVersions"]) {
            if !stored.contains(version) {
                stored.push(version.clone());
            }
        }
        set(definition, &["status", "storedVersions"], stored);
    }

    /// A definition was written or is gone: what it adds is served from now on, or no longer. The objects of a kind go
    /// with its definition.
    pub(crate) fn definitions_changed(&mut self) {
        let mut kinds = Vec::new();
        for (_, definition) in self.store.list(Kind::CustomResourceDefinition, None) {
            let spec = definition.value.get("spec").map_or(Raw::Null, Raw::from);
            let versions = spec["versions"].as_array().into_iter().flatten();
            let served = versions.filter(|version| version["served"] == true);
            kinds.extend(served.map(|version| Kind::Custom(CustomKind::of(&spec, version))));
        }
        let before = std::mem::replace(&mut self.custom, kinds);
        for kind in before {
            if self.custom.contains(&kind) {
                continue;
            }
            let keys: Vec<String> = self
                .store
                .list(kind, None)
                .map(|(k, _)| k.clone())
                .collect();
            for key in keys {
                self.store.remove(self.now, kind, &key);
                self.published();
            }
        }
    }
}
