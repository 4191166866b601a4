//! What the server knows of a kind that a definition has added.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value as Raw;

/// A column of its tables (`additionalPrinterColumns`).
#[derive(Clone, Debug)]
pub(crate) struct CustomColumn {
    pub(crate) name: String,
    pub(crate) of_type: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
    /// Where the cell's content is: `.spec.replicas`.
    pub(crate) json_path: String,
}

/// One version of a kind that a CustomResourceDefinition has added.
///
/// Two are the same kind if they have the same group and plural: the versions of a definition share their objects.
#[derive(Debug)]
pub struct CustomKind {
    group: String,
    version: String,
    api_version: String,
    plural: String,
    singular: String,
    name: String,
    list: String,
    short_names: Vec<&'static str>,
    categories: Vec<&'static str>,
    namespaced: bool,
    status: bool,
    scale: bool,
    columns: Vec<CustomColumn>,
    /// `openAPIV3Schema` of the version; null if there is none.
    schema: Raw,
}

/// Every version of a kind that was ever defined in this process, by the text of its definition. Kinds are values that
/// are passed around by copy, so what they refer to stays. What a kind is depends on its definition alone, so it does
/// not matter to a run what other runs of the process have defined.
static DEFINED: Mutex<BTreeMap<String, &'static CustomKind>> = Mutex::new(BTreeMap::new());

fn text<'a>(of: &'a Raw, name: &str) -> &'a str {
    of[name].as_str().unwrap_or("")
}

fn words(of: &Raw) -> Vec<&'static str> {
    let all = of.as_array().into_iter().flatten();
    let texts = all.filter_map(Raw::as_str);
    texts.map(|text| &*text.to_owned().leak()).collect()
}

impl CustomKind {
    /// The kind of this version (an element of `spec.versions`) of the definition with this `spec`.
    pub(crate) fn of(spec: &Raw, version: &Raw) -> &'static Self {
        let key = format!(
            "{}\n{}\n{}\n{version}",
            spec["group"], spec["names"], spec["scope"]
        );
        let mut defined = DEFINED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = defined.get(&key) {
            return known;
        }
        let kind = Box::leak(Box::new(Self::new(spec, version)));
        defined.insert(key, kind);
        kind
    }

    fn new(spec: &Raw, version: &Raw) -> Self {
        let names = &spec["names"];
        let or = |given: &str, otherwise: String| {
            if given.is_empty() {
                otherwise
            } else {
                given.to_owned()
            }
        };
        let name = text(names, "kind").to_owned();
        let column = |of: &Raw| CustomColumn {
            name: text(of, "name").to_owned(),
            of_type: text(of, "type").to_owned(),
            format: text(of, "format").to_owned(),
            description: text(of, "description").to_owned(),
            priority: of["priority"].as_i64().unwrap_or(0),
            json_path: text(of, "jsonPath").to_owned(),
        };
        let columns = version["additionalPrinterColumns"].as_array();
        let group = text(spec, "group").to_owned();
        let version_name = text(version, "name").to_owned();
        Self {
            api_version: format!("{group}/{version_name}"),
            group,
            version: version_name,
            plural: text(names, "plural").to_owned(),
            singular: or(text(names, "singular"), name.to_lowercase()),
            list: or(text(names, "listKind"), format!("{name}List")),
            name,
            short_names: words(&names["shortNames"]),
            categories: words(&names["categories"]),
            namespaced: text(spec, "scope") != "Cluster",
            status: !version["subresources"]["status"].is_null(),
            // One whose replicas are elsewhere is not served.
            scale: version["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas",
            columns: match columns {
                Some(columns) if !columns.is_empty() => columns.iter().map(column).collect(),
                _ => vec![CustomColumn {
                    name: "Age".to_owned(),
                    of_type: "date".to_owned(),
                    format: String::new(),
                    description: "The time since the object was created.".to_owned(),
                    priority: 0,
                    json_path: ".metadata.creationTimestamp".to_owned(),
                }],
            },
            schema: version["schema"]["openAPIV3Schema"].clone(),
        }
    }

    pub(crate) const fn group(&self) -> &str {
        self.group.as_str()
    }

    pub(crate) const fn version(&self) -> &str {
        self.version.as_str()
    }

    pub(crate) const fn api_version(&self) -> &str {
        self.api_version.as_str()
    }

    pub(crate) const fn plural(&self) -> &str {
        self.plural.as_str()
    }

    pub(crate) const fn singular(&self) -> &str {
        self.singular.as_str()
    }

    pub(crate) const fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(crate) const fn list(&self) -> &str {
        self.list.as_str()
    }

    pub(crate) const fn namespaced(&self) -> bool {
        self.namespaced
    }

    pub(crate) const fn has_status(&self) -> bool {
        self.status
    }

    pub(crate) const fn has_scale(&self) -> bool {
        self.scale
    }

    pub(crate) const fn short_names(&self) -> &[&'static str] {
        self.short_names.as_slice()
    }

    pub(crate) const fn categories(&self) -> &[&'static str] {
        self.categories.as_slice()
    }

    /// The columns of its tables after the name.
    pub(crate) fn columns(&self) -> &[CustomColumn] {
        &self.columns
    }

    /// `openAPIV3Schema` of the version; null if there is none.
    pub(crate) fn schema(&self) -> &Raw {
        &self.schema
    }

    /// What makes it the same kind as another one.
    fn identity(&self) -> (&str, &str) {
        (&self.group, &self.plural)
    }
}

impl PartialEq for CustomKind {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for CustomKind {}

impl PartialOrd for CustomKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CustomKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}
