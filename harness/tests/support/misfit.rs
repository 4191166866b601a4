//! What tests of journals share.

use boon::{Compiler, Schemas};
use serde_json::Value;

/// What of `journal` does not fit `schema`, the published one, with its place; `None`: it fits.
///
/// # Panics
/// If the schema is none itself.
pub(crate) fn misfit(schema: &str, journal: &Value) -> Option<String> {
    let name = "urn:firedrill:journal:1";
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler
        .add_resource(name, schema)
        .expect("its name is a URL");
    let index = match compiler.compile(name, &mut schemas) {
        Ok(index) => index,
        Err(error) => panic!("the schema is none: {error:#}"),
    };
    let error = schemas.validate(journal, index).err()?;
    Some(format!("{error:#}"))
}
