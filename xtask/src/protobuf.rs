//! `cargo xtask protobuf`: writes down how the messages of the Kubernetes API are numbered, for the simulated API
//! server, which reads protobuf bodies.
//!
//! The sources are the files `generated.proto` of the modules `k8s.io/api` and `k8s.io/apimachinery`, and the OpenAPI
//! documents of the same release. The latter say which messages are written into the JSON object that holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::openapi::{read, write};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder `api` of the sources of Kubernetes
    api: PathBuf,
    /// The folders of the modules `k8s.io/api` and `k8s.io/apimachinery`
    #[arg(required = true)]
    modules: Vec<PathBuf>,
}

/// The packages whose kinds are read.
const PACKAGES: [&str; 14] = [
    "io.k8s.api.apps.v1",
    "io.k8s.api.authentication.v1",
    "io.k8s.api.authorization.v1",
    "io.k8s.api.autoscaling.v1",
    "io.k8s.api.autoscaling.v2",
    "io.k8s.api.batch.v1",
    "io.k8s.api.coordination.v1",
    "io.k8s.api.core.v1",
    "io.k8s.api.discovery.v1",
    "io.k8s.api.events.v1",
    "io.k8s.api.networking.v1",
    "io.k8s.api.policy.v1",
    "io.k8s.api.rbac.v1",
    "io.k8s.api.storage.v1",
];

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// Types that protobuf itself has.
const SCALARS: [&str; 6] = ["string", "bytes", "bool", "int32", "int64", "double"];

/// One field of a message.
#[derive(Clone, Debug)]
struct Field {
    number: u32,
    name: String,
    of_type: String,
    /// `one`, `list` or `map`.
    form: &'static str,
}

type Messages = BTreeMap<String, Vec<Field>>;

/// Writes `sim/data/openapi/messages.json`.
pub(crate) fn run(args: &Args) -> Result<ExitCode, String> {
    let mut messages = Messages::new();
    for module in &args.modules {
        search(module, &mut messages)?;
    }
    let properties = properties(&args.api)?;
    let mut wanted: BTreeSet<String> = messages
        .iter()
        .filter(|(name, fields)| {
            let package = name.rsplit_once('.').map_or("", |(package, _)| package);
            PACKAGES.contains(&package) && fields.iter().any(|it| it.of_type == OBJECT_META)
        })
        .map(|(name, _)| name.clone())
        .collect();
    wanted.insert(DELETE_OPTIONS.to_owned());
    let mut taken = Map::new();
    while let Some(name) = wanted.pop_first() {
        if taken.contains_key(&name) {
            continue;
        }
        let Some(fields) = messages.get(&name) else {
            return Err(format!("no module has the message {name}"));
        };
        let mut rows = Vec::new();
        for field in fields {
            if !SCALARS.contains(&field.of_type.as_str()) {
                wanted.insert(field.of_type.clone());
            }
            rows.push(row(&name, field, &properties));
        }
        taken.insert(name, rows.into());
    }
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sim/data/openapi/messages.json");
    write(&to, &taken)?;
    Ok(ExitCode::SUCCESS)
}

/// Number, name, type and form of a field. A message that the JSON form of its holder does not name is `inline`.
fn row(holder: &str, field: &Field, properties: &BTreeMap<String, BTreeSet<String>>) -> Value {
    let Some(known) = properties.get(holder) else {
        return json!([field.number, field.name, field.of_type, field.form]);
    };
    // Few names are written otherwise in JSON: `uID` is `uid` there.
    let mut known = known.iter();
    let name = known.find(|name| name.eq_ignore_ascii_case(&field.name));
    let scalar = SCALARS.contains(&field.of_type.as_str());
    let form = if name.is_none() && !scalar && field.form == "one" {
        "inline"
    } else {
        field.form
    };
    json!([
        field.number,
        name.unwrap_or(&field.name),
        field.of_type,
        form
    ])
}

/// The names of the members of each schema that has any.
fn properties(api: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let folder = api.join("openapi-spec/v3");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut all = BTreeMap::new();
    for entry in entries {
        let path = entry
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .path();
        let document = read(&path)?;
        let schemas = document["components"]["schemas"].as_object();
        for (name, schema) in schemas.into_iter().flatten() {
            if let Some(members) = schema["properties"].as_object() {
                let names = members.keys().cloned().collect();
                all.insert(name.clone(), names);
            }
        }
    }
    Ok(all)
}

/// Reads every `generated.proto` below a folder.
fn search(folder: &Path, found: &mut Messages) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .path();
        if path.is_dir() {
            search(&path, found)?;
        } else if path
            .file_name()
            .is_some_and(|name| name == "generated.proto")
        {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            parse(&text, found).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

/// The name that OpenAPI has for a message: `k8s.io.api.core.v1.Pod` is `io.k8s.api.core.v1.Pod` there.
fn open_api_name(message: &str) -> String {
    match message.strip_prefix("k8s.io.") {
        Some(rest) => format!("io.k8s.{rest}"),
        None => message.to_owned(),
    }
}

/// Reads the messages of one file. The generator writes one field a line, and no nested messages.
fn parse(text: &str, found: &mut Messages) -> Result<(), String> {
    let mut package = String::new();
    let mut message: Option<(String, Vec<Field>)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default().trim();
        let complain = || format!("line {}: `{line}` is no field", number + 1);
        if let Some(name) = line.strip_prefix("package ") {
            package = name.trim_end_matches(';').to_owned();
        } else if let Some(name) = line.strip_prefix("message ") {
            let name = name.trim_end_matches('{').trim();
            message = Some((open_api_name(&format!("{package}.{name}")), Vec::new()));
        } else if line == "}" {
            found.extend(message.take());
        } else if let Some((_, fields)) = &mut message
            && !line.is_empty()
        {
            fields.push(field(line, &package).ok_or_else(complain)?);
        }
    }
    Ok(())
}

/// One field: `repeated Container containers = 2;`, or `map<string, string> labels = 11;`.
fn field(line: &str, package: &str) -> Option<Field> {
    let (declaration, number) = line.trim_end_matches(';').split_once('=')?;
    let (of_type, name) = declaration.trim().rsplit_once(' ')?;
    let (of_type, form) = if let Some(map) = of_type.strip_prefix("map<") {
        (map.trim_end_matches('>').split_once(',')?.1, "map")
    } else if let Some(list) = of_type.strip_prefix("repeated ") {
        (list, "list")
    } else {
        (of_type.strip_prefix("optional ").unwrap_or(of_type), "one")
    };
    let of_type = of_type.trim().trim_start_matches('.');
    let of_type = if SCALARS.contains(&of_type) {
        of_type.to_owned()
    } else if of_type.contains('.') {
        open_api_name(of_type)
    } else {
        open_api_name(&format!("{package}.{of_type}"))
    };
    Some(Field {
        number: number.trim().parse().ok()?,
        name: name.to_owned(),
        of_type,
        form,
    })
}
