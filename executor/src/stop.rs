//! Leaving work that is safe to leave.

use std::pin::pin;

use futures::future::{Either, select};
use tokio_util::sync::CancellationToken;

/// What `work` comes to, or `None` once `stop` is cancelled. `work` is dropped where it stands: it must change nothing.
pub(crate) async fn unless<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(work), pin!(stop.cancelled())).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
