//! Validation of ConfigMaps and Secrets (`pkg/apis/core/validation/validation.go` ValidateConfigMap, ValidateSecret).

use super::base64;
use super::field_errors::Errors;
use super::field_path::FieldPath;
use super::names;
use crate::cluster::json::Value;
use crate::cluster::value::{annotation, at, members, text};

/// The most that an object of these kinds may hold, in bytes (`MaxSecretSize`).
const MOST: usize = 1_048_576;

/// The keys of the map that `field` is.
fn keys(object: &Value, field: &str, errors: &mut Errors) {
    let map = FieldPath::At(field);
    for (key, _) in members(object, &[field]) {
        errors.each_invalid(&map.key(key), &key.into(), &names::config_key(key));
    }
}

/// How many bytes a text in base64 stands for.
fn size(written: &Value) -> usize {
    written.as_str().unwrap_or("").trim_end_matches('=').len() * 3 / 4
}

/// `ValidateConfigMap`. The data of `binaryData` is counted as it is, and not as base64 writes it.
pub(super) fn config_map(object: &Value, errors: &mut Errors) {
    keys(object, "data", errors);
    let map = FieldPath::At("data");
    for (key, _) in members(object, &["data"]) {
        if at(object, &["binaryData", key]).is_some() {
            let why = "duplicate of key present in binaryData";
            errors.invalid(&map.key(key), &key.into(), why);
        }
    }
    keys(object, "binaryData", errors);
    let texts = members(object, &["data"]).map(|(_, it)| it.as_str().map_or(0, str::len));
    let binary = members(object, &["binaryData"]).map(|(_, it)| size(it));
    if texts.chain(binary).sum::<usize>() > MOST {
        // The whole object is meant: a path without a name.
        errors.too_long("[]", MOST);
    }
}

/// `ValidateSecret`.
pub(super) fn secret(object: &Value, errors: &mut Errors) {
    const ACCOUNT: &str = "kubernetes.io/service-account.name";
    keys(object, "data", errors);
    let held: usize = members(object, &["data"]).map(|(_, it)| size(it)).sum();
    if held > MOST {
        errors.too_long("data", MOST);
    }
    let has = |key: &str| at(object, &["data", key]).is_some();
    let required: &[&str] = match text(object, &["type"]) {
        "kubernetes.io/service-account-token" => {
            if annotation(object, ACCOUNT).is_none_or(str::is_empty) {
                errors.required(&format!("metadata.annotations[{ACCOUNT}]"));
            }
            &[]
        }
        "kubernetes.io/dockercfg" => {
            holds_an_object(object, ".dockercfg", errors);
            &[".dockercfg"]
        }
        "kubernetes.io/dockerconfigjson" => {
            holds_an_object(object, ".dockerconfigjson", errors);
            &[".dockerconfigjson"]
        }
        "kubernetes.io/basic-auth" if has("username") || has("password") => &[],
        "kubernetes.io/basic-auth" => &["username", "password"],
        "kubernetes.io/ssh-auth" => {
            let empty = at(object, &["data", "ssh-privatekey"]).is_some_and(|it| *it == "");
            if empty {
                errors.required("data[ssh-privatekey]");
            }
            &["ssh-privatekey"]
        }
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        _ => &[],
    };
    for key in required.iter().filter(|key| !has(key)) {
        errors.required(&format!("data[{key}]"));
    }
}

/// What a registry's settings are: an object in JSON. The words of the parser are its own.
fn holds_an_object(object: &Value, key: &str, errors: &mut Errors) {
    let Some(written) = at(object, &["data", key]).and_then(Value::as_str) else {
        return;
    };
    let bytes = base64::decoded(written);
    let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes);
    if let Err(error) = parsed {
        let hidden = "<secret contents redacted>";
        errors.invalid(&format!("data[{key}]"), &hidden.into(), &error.to_string());
    }
}
