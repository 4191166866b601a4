//! The API server: paths, verbs, patches, lists, watches and pod subresources.

pub(crate) mod cache;
pub(crate) mod decode;
pub(crate) mod defaults;
pub(crate) mod field_errors;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod path;
mod pod_spec;
pub(crate) mod pods;
pub(crate) mod quantity;
pub(crate) mod selectors;
pub(crate) mod status;
pub(crate) mod strategic;
pub(crate) mod validate;
pub(crate) mod verbs;
pub(crate) mod watch;
