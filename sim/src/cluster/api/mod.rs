//! The API server: paths, verbs, patches, lists, watches and pod subresources.

pub(crate) mod base64;
mod body;
pub(crate) mod cache;
pub(crate) mod decode;
pub(crate) mod defaults;
mod discovery;
pub(crate) mod field_errors;
pub(crate) mod kind_defaults;
mod kind_rules;
pub(crate) mod label_text;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod managed;
mod negotiation;
mod openapi;
pub(crate) mod options;
pub(crate) mod patch;
pub(crate) mod path;
mod pod_spec;
pub(crate) mod pods;
mod protobuf;
pub(crate) mod quantity;
mod reviews;
pub(crate) mod selectors;
pub(crate) mod status;
pub(crate) mod strategic;
mod table;
mod text;
pub(crate) mod validate;
pub(crate) mod verbs;
pub(crate) mod watch;

pub(super) use kind_defaults::STORAGE_CLASS;
pub(super) use table::DEFAULT_CLASS;
