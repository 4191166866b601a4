//! Bodies in protobuf: an envelope, and in it a message of the Kubernetes API
//! (`apimachinery/pkg/runtime/serializer/protobuf/protobuf.go`).
//!
//! The numbers of the fields are data, which `cargo xtask protobuf` takes from upstream's `generated.proto`. The result
//! is the tree that the same object is in JSON: Kubernetes has its own JSON form for several messages.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::base64;

/// Number, name, type and form of the fields of each message, under the name that OpenAPI has for the message.
const MESSAGES: &str = include_str!("../../../data/openapi/messages.json");

/// What a body in protobuf begins with.
const MAGIC: [u8; 4] = *b"k8s\0";

/// Messages inside messages that are followed. The deepest of the API has eleven.
const DEEPEST: usize = 32;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Form {
    One,
    List,
    Map,
    /// The members of the message stand in the object that holds it.
    Inline,
}

type Field = (u32, String, String, Form);

fn messages() -> &'static BTreeMap<String, Vec<Field>> {
    static READ: OnceLock<BTreeMap<String, Vec<Field>>> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(MESSAGES).expect("the messages are JSON"))
}

/// What an envelope holds: `runtime.Unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    pub(super) api_version: String,
    pub(super) kind: String,
    raw: &'a [u8],
}

/// Opens the envelope.
///
/// # Errors
/// In upstream's words, if this is none.
pub(super) fn open(body: &[u8]) -> Result<Envelope<'_>, String> {
    if body.is_empty() {
        return Err("empty data".to_owned());
    }
    let Some(envelope) = body.strip_prefix(&MAGIC) else {
        let expected = MAGIC.map(|byte| byte.to_string()).join(" ");
        return Err(format!(
            "provided data does not appear to be a protobuf message, expected prefix [{expected}]"
        ));
    };
    if envelope.is_empty() {
        return Err("empty body".to_owned());
    }
    let mut opened = Envelope::default();
    for field in fields(envelope) {
        match field? {
            (1, Wire::Bytes(type_meta)) => {
                for field in fields(type_meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => opened.api_version = string(text)?,
                        (2, Wire::Bytes(text)) => opened.kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(raw)) => opened.raw = raw,
            _ => {}
        }
    }
    Ok(opened)
}

/// The message of a kind, if it is one of those that are known.
pub(super) fn message_of(api_version: &str, kind: &str) -> Option<&'static str> {
    let name = match api_version.split_once('/') {
        // Each client sends it in the version of its own group.
        _ if kind == "DeleteOptions" => format!("{META}.{kind}"),
        None => format!("io.k8s.api.core.{api_version}.{kind}"),
        Some((group, version)) => {
            let package = group.split('.').next().unwrap_or(group);
            format!("io.k8s.api.{package}.{version}.{kind}")
        }
    };
    let known = messages().get_key_value(&name)?;
    Some(known.0)
}

impl Envelope<'_> {
    /// The object as it would be in JSON.
    ///
    /// # Errors
    /// If the content is no such message.
    pub(super) fn object(&self, message: &str) -> Result<Value, String> {
        let Value::Object(mut object) = decoded(message, self.raw, 0)? else {
            return Err(format!("{message} is no object"));
        };
        object.insert("apiVersion".to_owned(), self.api_version.as_str().into());
        object.insert("kind".to_owned(), self.kind.as_str().into());
        Ok(object.into())
    }
}

/// A value as it is sent.
#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Takes bytes off the beginning.
fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let length = usize::try_from(length).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

/// A number of seven bits a byte, the lowest ones first.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn little_endian(bytes: &[u8]) -> u64 {
    let bytes = bytes.iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, Wire<'a>)> {
    let tag = varint(rest)?;
    let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
    let wire = match tag & 7 {
        0 => Wire::Number(varint(rest)?),
        1 => Wire::Number(little_endian(take(rest, 8)?)),
        2 => {
            let length = varint(rest)?;
            Wire::Bytes(take(rest, length)?)
        }
        5 => Wire::Number(little_endian(take(rest, 4)?)),
        _ => return None,
    };
    Some((number, wire))
}

/// The fields of a message, by number.
fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, Wire<'_>), String>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or_else(|| "unexpected EOF".to_owned()))
    })
}

fn string(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a string is not in UTF-8".to_owned())
}

/// A message as JSON.
fn decoded(message: &str, bytes: &[u8], depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("the messages are nested too deep".to_owned());
    }
    if let Some(value) = with_own_json(message, bytes)? {
        return Ok(value);
    }
    let known = messages().get(message);
    let known = known.ok_or_else(|| format!("there is no message {message}"))?;
    let mut object = Map::new();
    for field in fields(bytes) {
        let (number, wire) = field?;
        // A newer client may know more.
        let Some((_, name, of_type, form)) = known.iter().find(|(it, ..)| *it == number) else {
            continue;
        };
        match form {
            Form::One => {
                object.insert(name.clone(), value(of_type, wire, depth)?);
            }
            Form::List => {
                let value = value(of_type, wire, depth)?;
                let list = object
                    .entry(name.as_str())
                    .or_insert_with(|| Vec::<Value>::new().into());
                if let Value::Array(list) = list {
                    list.push(value);
                }
            }
            Form::Map => {
                let (key, value) = entry(of_type, wire, depth)?;
                let map = object
                    .entry(name.as_str())
                    .or_insert_with(|| Map::new().into());
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            Form::Inline => {
                if let Value::Object(members) = value(of_type, wire, depth)? {
                    object.extend(members);
                }
            }
        }
    }
    // A list that has a type of its own in Go, such as `ExtraValue`.
    match known.as_slice() {
        [(_, name, of_type, Form::List)] if name == "items" && of_type == "string" => Ok(object
            .remove("items")
            .unwrap_or_else(|| Vec::<Value>::new().into())),
        _ => Ok(object.into()),
    }
}

/// One entry of a map, whose keys are strings.
fn entry(of_type: &str, wire: Wire<'_>, depth: usize) -> Result<(String, Value), String> {
    let Wire::Bytes(bytes) = wire else {
        return Err("an entry of a map is no message".to_owned());
    };
    let (mut key, mut of_key) = (String::new(), None);
    for field in fields(bytes) {
        match field? {
            (1, Wire::Bytes(text)) => key = string(text)?,
            (2, wire) => of_key = Some(value(of_type, wire, depth)?),
            _ => {}
        }
    }
    let absent = || match of_type {
        "string" | "bytes" => "".into(),
        _ => Value::Null,
    };
    Ok((key, of_key.unwrap_or_else(absent)))
}

/// A value of a type. Negative numbers are sent as large ones.
fn value(of_type: &str, wire: Wire<'_>, depth: usize) -> Result<Value, String> {
    Ok(match (of_type, wire) {
        ("string", Wire::Bytes(bytes)) => string(bytes)?.into(),
        ("bytes", Wire::Bytes(bytes)) => base64::encoded(bytes).into(),
        ("bool", Wire::Number(number)) => (number != 0).into(),
        ("int32", Wire::Number(number)) => (number as i32).into(),
        ("int64", Wire::Number(number)) => (number as i64).into(),
        ("double", Wire::Number(bits)) => f64::from_bits(bits).into(),
        (message, Wire::Bytes(bytes)) if message.contains('.') => {
            decoded(message, bytes, depth + 1)?
        }
        _ => return Err("proto: wrong wireType".to_owned()),
    })
}

/// Messages whose JSON form is not an object with their fields.
fn with_own_json(message: &str, bytes: &[u8]) -> Result<Option<Value>, String> {
    let name = message.rsplit('.').next().unwrap_or(message);
    if !message.starts_with("io.k8s.apimachinery.") {
        return Ok(None);
    }
    let (mut numbers, mut texts) = ([0_u64; 4], [&[][..]; 4]);
    let mut read = || -> Result<(), String> {
        for field in fields(bytes) {
            match field? {
                (number @ 1..=3, Wire::Number(value)) => numbers[number as usize] = value,
                (number @ 1..=3, Wire::Bytes(text)) => texts[number as usize] = text,
                _ => {}
            }
        }
        Ok(())
    };
    Ok(Some(match name {
        "Quantity" => {
            read()?;
            string(texts[1])?.into()
        }
        "IntOrString" => {
            read()?;
            match numbers[1] {
                0 => value("int32", Wire::Number(numbers[2]), 0)?,
                _ => string(texts[3])?.into(),
            }
        }
        // The zero time is an empty message, and `null` in JSON.
        "Time" | "MicroTime" if bytes.is_empty() => Value::Null,
        "Time" | "MicroTime" => {
            read()?;
            let (seconds, nanos) = (numbers[1] as i64, numbers[2] as i32);
            let at = jiff::Timestamp::new(seconds, nanos).map_err(|error| error.to_string())?;
            match name {
                "Time" => format!("{at:.0}").into(),
                _ => format!("{at:.6}").into(),
            }
        }
        "FieldsV1" | "RawExtension" => {
            read()?;
            match texts[1] {
                [] => Value::Null,
                text => serde_json::from_slice(text).map_err(|error| error.to_string())?,
            }
        }
        _ => return Ok(None),
    }))
}
