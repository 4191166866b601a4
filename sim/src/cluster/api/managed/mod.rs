//! Who owns which field of an object, and server-side apply
//! (`sigs.k8s.io/structured-merge-diff`, `apimachinery/pkg/util/managedfields`).

mod apply;
mod compare;
mod entries;
mod field_set;
mod merge;
mod shape;
mod writer;

pub(super) use apply::{Applied, applied};
pub(super) use shape::{PatchedList, Type};
pub(crate) use writer::{Writer, track};
