//! What an object of a known kind must satisfy: its fields have the right types, there are no others, and the API
//! server takes what they hold. The simulated API server holds requests against the same rules
//! (`sim::cluster::refusals`).

use serde_json::{Map, Value, json};
use sim::cluster::{Kind, Refusal, quantities, refusals, unknown_fields};

use super::object::Object;
use crate::mistake::Mistake;
use crate::suggest;

/// Values of wrong types in one object, at most; what comes after them is told once these are mended.
const WRONG_MOST: usize = 50;

/// The keys and positions that lead to a value.
type Path = Vec<String>;

/// What is wrong with the form of an object.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// Values of the wrong type, and quantities that are none, with why the server can't read them.
    pub(crate) unreadable: Vec<(Path, String)>,
    /// Fields that the kind does not have.
    pub(crate) unknown: Vec<Path>,
    /// The object without what can't be read.
    rest: Value,
}

/// Looks at the form of an object of this kind. Quantities that are numbers become text in it.
pub(crate) fn look(kind: Kind, value: &mut Value) -> Looked {
    let no_quantities = quantities(value);
    let mut looked = Looked {
        rest: value.clone(),
        ..Looked::default()
    };
    for path in no_quantities {
        let why = format!("{} is no quantity", follow(value, &path));
        if let Some(amount) = follow_mut(&mut looked.rest, &path) {
            *amount = json!("0");
        }
        looked.unreadable.push((path, why));
    }
    while let Err(error) = unknown_fields(kind, &looked.rest) {
        let path = blamed(kind, &looked.rest, &error);
        let known = looked.unreadable.iter().any(|(known, _)| *known == path);
        let mended = !known && mend(kind, &mut looked.rest, &path, &error);
        if !known {
            looked.unreadable.push((path, error));
        }
        if !mended || looked.unreadable.len() >= WRONG_MOST {
            return looked;
        }
    }
    looked.unknown = unknown_fields(kind, &looked.rest).unwrap_or_default();
    looked
}

/// The path of the innermost value that alone is refused as the whole of `value` is.
///
/// It is looked for from the outside to the inside, which takes a few more readings of an object that is wrong. A
/// deserializer that keeps the path would read each type of Kubernetes by a second, much larger piece of code.
fn blamed(kind: Kind, value: &Value, error: &str) -> Path {
    let refused = |part: &Value| unknown_fields(kind, part).is_err_and(|other| other == error);
    let mut path = Vec::new();
    let mut within = value;
    loop {
        let empty = match within {
            Value::Object(_) => Value::Object(Map::new()),
            Value::Array(_) => Value::Array(Vec::new()),
            _ => return path,
        };
        // What is refused with nothing in it is not refused for what is in it.
        if refused(&only(value, path.iter().map(String::as_str), &empty)) {
            return path;
        }
        let inner = children(within).into_iter().find(|(key, child)| {
            let longer = path.iter().chain([key]);
            refused(&only(value, longer.map(String::as_str), child))
        });
        let Some((key, child)) = inner else {
            return path;
        };
        path.push(key);
        within = child;
    }
}

/// Takes the value at `path` out of `value`, or puts another one in its place where it is one of a list. Whether the
/// object can be read then, or something else is wrong with it.
fn mend(kind: Kind, value: &mut Value, path: &[String], error: &str) -> bool {
    let Some((last, around)) = path.split_last() else {
        return false;
    };
    if let Some(Value::Object(fields)) = follow_mut(value, around) {
        fields.remove(last);
        return true;
    }
    let stand_ins = [json!(""), json!(0), json!({}), json!([]), json!(false)];
    for stand_in in stand_ins {
        if let Some(item) = follow_mut(value, path) {
            *item = stand_in;
        }
        let next = unknown_fields(kind, value).err();
        if next.is_none_or(|next| next != error && blamed(kind, value, &next) != path) {
            return true;
        }
    }
    false
}

fn follow<'a>(value: &'a Value, path: &[String]) -> &'a Value {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    super::object::at(value, &words)
}

fn follow_mut<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |here, step| match here {
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        other => other.get_mut(step),
    })
}

/// The fields of an object by name, or the items of a list by position.
fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(at, it)| (at.to_string(), it)).collect()
        }
        _ => Vec::new(),
    }
}

/// `value` with nothing in it but `leaf`, at the end of `path`. A list keeps one item only.
fn only<'a>(value: &Value, mut path: impl Iterator<Item = &'a str>, leaf: &Value) -> Value {
    let Some(key) = path.next() else {
        return leaf.clone();
    };
    match value {
        Value::Object(fields) => fields.get(key).map_or(Value::Null, |field| {
            let inner = only(field, path, leaf);
            Value::Object(Map::from_iter([(key.to_owned(), inner)]))
        }),
        Value::Array(items) => {
            let item = key.parse::<usize>().ok().and_then(|at| items.get(at));
            item.map_or(Value::Null, |item| {
                Value::Array(vec![only(item, path, leaf)])
            })
        }
        _ => Value::Null,
    }
}

/// Everything that is wrong with the fields of `object`. A kind that is not known here has no mistakes. Quantities that
/// are numbers become text in it, as they are in the types of Kubernetes.
pub(super) fn check(object: &mut Object) -> Vec<Mistake> {
    let kind = Kind::of_object(object.api_version(), object.kind());
    // Nobody writes a node. It is what a cluster shows, and a newer one shows fields that 1.34 does not have.
    let Some(kind) = kind.filter(|it| *it != Kind::Node) else {
        return Vec::new();
    };
    let looked = look(kind, &mut object.value);
    let mut found = Vec::new();
    for (path, why) in &looked.unreadable {
        found.push(unreadable(object, path, why));
    }
    for path in &looked.unknown {
        found.push(no_such_field(object, path));
    }
    for refusal in refusals(kind, &looked.rest) {
        if !follows(&refusal, &looked) {
            found.push(refused(object, &refusal));
        }
    }
    found
}

/// Whether what is refused follows from what was told already: a value that can't be read, or a field that is misspelt
/// and so is missing under its right name.
fn follows(refusal: &Refusal, looked: &Looked) -> bool {
    let path = &refusal.path;
    let around = path.split_last().map(|(_, around)| around);
    let mut unreadable = looked.unreadable.iter().map(|(it, _)| it);
    if unreadable.any(|it| it.starts_with(path) || path.starts_with(it)) {
        return true;
    }
    if looked.unknown.is_empty() {
        return false;
    }
    let missing = refusal.why.starts_with("Required value");
    let beside = |it: &Path| it.split_last().map(|(_, around)| around) == around;
    // What is looked for elsewhere may stand under the misspelt name.
    let elsewhere =
        refusal.why.starts_with("Not found") || refusal.why.contains("does not match template");
    elsewhere || missing && looked.unknown.iter().any(beside)
}

fn words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

fn unreadable(object: &Object, path: &[String], why: &str) -> Mistake {
    let path = words(path);
    let field = path.join(".");
    let text_expected = why.starts_with("invalid type") && why.contains("expected a string");
    let help = if text_expected && !why.contains("map") && !why.contains("sequence") {
        format!("put it in quotes: `{field}` holds text")
    } else if why.ends_with("is no quantity") {
        format!(
            "write a number in `{field}`, with a unit after it where one is meant: `250m` of a processor, `256Mi`"
        )
    } else {
        explain(object, &path)
    };
    object.mistake(
        &path,
        format!("{} {}: `{field}`: {why}", object.kind(), object.name()),
        "the API server refuses this",
        help,
    )
}

fn refused(object: &Object, refusal: &Refusal) -> Mistake {
    let path = words(&refusal.path);
    let value = object.at(&path);
    let help = if refusal.supported.is_empty() {
        explain(object, &path)
    } else {
        let supported: Vec<&str> = refusal.supported.iter().map(String::as_str).collect();
        let word = value.as_str().unwrap_or_default();
        suggest::help(word, &supported)
    };
    let (kind, name, field) = (object.kind(), object.name(), &refusal.field);
    object.mistake(
        &path,
        format!("{kind} {name}: `{field}`: {}", refusal.why),
        "the API server refuses this",
        help,
    )
}

fn explain(object: &Object, path: &[&str]) -> String {
    format!(
        "`kubectl explain {}` says what belongs here",
        explained(object, path)
    )
}

/// The path as `kubectl explain` takes it: without positions in lists.
fn explained(object: &Object, path: &[&str]) -> String {
    let mut words = vec![object.kind().to_lowercase()];
    let named = path.iter().filter(|it| it.parse::<usize>().is_err());
    words.extend(named.map(|it| (*it).to_owned()));
    words.join(".")
}

fn no_such_field(object: &Object, path: &[String]) -> Mistake {
    let path = words(path);
    let around = path.get(..path.len() - 1).unwrap_or_default();
    object.mistake_at(
        object.tree.find_key(&path),
        format!("unknown field `{}`", path.join(".")),
        format!("{} has no such field", object.kind()),
        format!(
            "look for a misspelt name: `kubectl explain {}` lists the fields",
            explained(object, around)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_value_of_a_wrong_type_is_blamed() {
        let mut object = json!({
            "metadata": { "name": "web", "labels": { "app": "web" } },
            "spec": {
                "replicas": 2,
                "template": { "spec": { "containers": [
                    { "name": "a", "ports": [{ "containerPort": 8080 }] },
                    { "name": "b", "ports": [{ "containerPort": 8080 }, { "containerPort": "8081" }] },
                ] } },
            },
        });
        let looked = look(Kind::Deployment, &mut object);
        let [(path, error)] = looked.unreadable.as_slice() else {
            panic!("a port in quotes: {looked:?}");
        };
        assert_eq!(
            path.join("."),
            "spec.template.spec.containers.1.ports.1.containerPort"
        );
        assert_eq!(error, "invalid type: string \"8081\", expected i32");
    }

    #[test]
    fn no_value_of_a_wrong_type_hides_another_one() {
        let mut object = json!({
            "metadata": { "name": "web", "labels": 5 },
            "spec": {
                "replicas": "two",
                "template": { "spec": { "containers": [
                    "web",
                    { "name": 1, "args": [1, 2, "c"], "imge": "x",
                      "resources": { "limits": { "cpu": "abc", "memory": 1 } } },
                ] } },
            },
        });
        let looked = look(Kind::Deployment, &mut object);
        let mut paths: Vec<String> = looked
            .unreadable
            .iter()
            .map(|(it, _)| it.join("."))
            .collect();
        paths.sort();
        let of_second = "spec.template.spec.containers.1";
        assert_eq!(
            paths,
            [
                "metadata.labels".to_owned(),
                "spec.replicas".to_owned(),
                "spec.template.spec.containers.0".to_owned(),
                format!("{of_second}.args.0"),
                format!("{of_second}.args.1"),
                format!("{of_second}.name"),
                format!("{of_second}.resources.limits.cpu"),
            ]
        );
        let unknown: Vec<String> = looked.unknown.iter().map(|it| it.join(".")).collect();
        assert_eq!(unknown, [format!("{of_second}.imge")]);
        let memory =
            &object["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["memory"];
        assert_eq!(memory, "1", "a number is a quantity");
    }

    /// Of two mistakes with the same words both are named, the first one first.
    #[test]
    fn equal_mistakes_are_told_one_after_the_other() {
        let mut object = json!({ "data": { "a": "1", "b": 2, "c": 2 } });
        let looked = look(Kind::ConfigMap, &mut object);
        let paths: Vec<String> = looked
            .unreadable
            .iter()
            .map(|(it, _)| it.join("."))
            .collect();
        assert_eq!(paths, ["data.b", "data.c"]);
    }
}
