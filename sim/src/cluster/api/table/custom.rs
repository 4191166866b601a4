//! Tables of the kinds that were added: what their definitions list as columns
//! (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).

use super::age;
use crate::cluster::custom::{CustomColumn, CustomKind};
use crate::cluster::json::{Value, json};
use crate::cluster::value::{name, parse_timestamp};
use crate::time::Micros;

/// The columns of a kind as they stand in a table.
pub(super) fn definitions(of: &CustomKind) -> Value {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "The name, unique among the objects of its kind in its namespace.",
    });
    let column = |of: &CustomColumn| {
        json!({
            "name": of.name, "type": of.of_type, "format": of.format,
            "description": of.description, "priority": of.priority,
        })
    };
    std::iter::once(name)
        .chain(of.columns().iter().map(column))
        .collect()
}

/// The cells of an object.
pub(super) fn cells(now: Micros, of: &CustomKind, object: &Value) -> Vec<Value> {
    let name = Value::from(name(object).to_owned());
    let cell = |column: &CustomColumn| cell(now, column, object);
    std::iter::once(name)
        .chain(of.columns().iter().map(cell))
        .collect()
}

fn cell(now: Micros, column: &CustomColumn, object: &Value) -> Value {
    let found = found(object, &column.json_path);
    let Some(first) = found.first() else {
        return Value::Null;
    };
    match column.of_type.as_str() {
        "date" => {
            let at = first.as_str().and_then(parse_timestamp);
            let shown = at.map_or_else(
                || "<unknown>".to_owned(),
                |at| age::human(now.saturating_sub(at)),
            );
            shown.into()
        }
        "integer" => first.as_i64().map_or(Value::Null, Value::from),
        "boolean" => first.as_bool().map_or(Value::Null, Value::from),
        "number" => (*first).clone(),
        _ => {
            let texts: Vec<String> = found
                .iter()
                .map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
                .collect();
            texts.join(",").into()
        }
    }
}

/// What a JSON path leads to. Of the paths' language it knows members (also in brackets, and with escaped dots),
/// elements, `[*]`, and filters by equality: `[?(@.type=="Ready")]`.
fn found<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut here = vec![object];
    for step in steps(path) {
        here = here
            .into_iter()
            .flat_map(|value| taken(value, &step))
            .collect();
    }
    here
}

#[derive(Debug, PartialEq)]
enum Step {
    Member(String),
    Element(usize),
    All,
    Where(Vec<String>, String),
}

fn taken<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    let elements = || value.as_array().map_or(&[][..], Vec::as_slice);
    match step {
        Step::Member(name) => value.get(name).into_iter().collect(),
        Step::Element(at) => elements().get(*at).into_iter().collect(),
        Step::All => elements().iter().collect(),
        Step::Where(path, wanted) => elements()
            .iter()
            .filter(|element| {
                let found = path.iter().try_fold(*element, |v, step| v.get(step));
                found.is_some_and(|it| it == wanted.as_str())
            })
            .collect(),
    }
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').unwrap_or(inner.len());
            steps.push(bracket(&inner[..end]));
            rest = inner.get(end + 1..).unwrap_or("");
            continue;
        }
        let name = rest.strip_prefix('.').unwrap_or(rest);
        let (mut taken, mut escaped, mut end) = (String::new(), false, name.len());
        for (i, c) in name.char_indices() {
            match c {
                '\\' if !escaped => escaped = true,
                '.' | '[' if !escaped => {
                    end = i;
                    break;
                }
                c => {
                    taken.push(c);
                    escaped = false;
                }
            }
        }
        if !taken.is_empty() {
            steps.push(Step::Member(taken));
        }
        rest = &name[end..];
        if end == 0 && !rest.starts_with('[') {
            // Two dots in a row: nothing that is known here.
            break;
        }
    }
    steps
}

fn bracket(inner: &str) -> Step {
    let inner = inner.trim();
    if inner == "*" {
        return Step::All;
    }
    if let Ok(at) = inner.parse() {
        return Step::Element(at);
    }
    let condition = inner
        .strip_prefix("?(@.")
        .and_then(|condition| condition.strip_suffix(')'))
        .and_then(|condition| condition.split_once("=="));
    let quotes = |c: char| matches!(c, '\'' | '"' | ' ');
    match condition {
        Some((path, wanted)) => Step::Where(
            path.trim().split('.').map(str::to_owned).collect(),
            wanted.trim_matches(quotes).to_owned(),
        ),
        None => Step::Member(inner.trim_matches(quotes).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::found;
    use crate::cluster::json::json;

    #[test]
    fn paths_lead_to_members_elements_and_conditions() {
        let object = json!({
            "metadata": {"annotations": {"a.b/c": "x"}},
            "spec": {"list": [{"n": 1}, {"n": 2}]},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"},
            ]},
        });
        let texts = |path: &str| -> Vec<String> {
            found(&object, path).iter().map(|v| v.to_string()).collect()
        };
        assert_eq!(texts(".spec.list[1].n"), ["2"]);
        assert_eq!(texts(".spec.list[*].n"), ["1", "2"]);
        assert_eq!(
            texts(r#".status.conditions[?(@.type=="Ready")].status"#),
            ["\"True\""]
        );
        assert_eq!(
            texts(".status.conditions[?(@.type=='Other')].status"),
            ["\"False\""]
        );
        assert_eq!(texts(r".metadata.annotations.a\.b/c"), ["\"x\""]);
        assert_eq!(texts(".metadata.annotations['a.b/c']"), ["\"x\""]);
        for none in [".spec.none", ".spec.list[7]", "..", "", ".spec..n"] {
            assert!(!texts(none).contains(&"1".to_owned()), "{none}");
        }
    }
}
