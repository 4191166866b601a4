//! The cluster: typed calls under a retry policy, watches, and the few objects that the executor keeps there.

mod cluster;
mod objects;
mod retry;
mod watch;
mod words;
mod workload;

pub(crate) use cluster::{Cluster, Updated, is_conflict, is_missing};
pub(crate) use objects::{
    config_maps_of, image_of, is_live, is_over, owner_uid, revision_of, template_value, timestamp,
};
pub(crate) use retry::{is_status, retry_pause};
pub(crate) use watch::{Next, Watcher};
pub use words::in_words;
pub(crate) use words::told_once;
pub(crate) use workload::{Kept, REVISION_HASH, Revision, Workload, ordinal_of};
