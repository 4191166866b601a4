//! What tests of journals share.

use firedrill::report::journal::JSON_SCHEMA;
use serde_json::Value;

/// What of `journal` does not fit the published schema, each with its place; none: it fits.
pub fn misfits(journal: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("it is a schema");
    schema
        .iter_errors(journal)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}
