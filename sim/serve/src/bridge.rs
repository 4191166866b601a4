//! What crosses the border between the threads of the network and the thread of the world.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Which server a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The API server.
    Kube,
    /// Prometheus or Loki, as the host of the request says.
    Http,
    /// The clock of the world: the program sleeps.
    Sleep,
    /// The clock of the world: the program wants to be told, and goes on meanwhile.
    Deadline,
    /// The clock of the world: the program asks how late it is.
    Date,
}

/// Something that comes from the network.
pub(crate) enum FromOutside {
    /// A request.
    Asked(Box<Asked>),
    /// Whoever read the stream of that number has hung up.
    Gone(u64),
}

/// A request, whole.
pub(crate) struct Asked {
    pub(crate) to: To,
    pub(crate) request: http::Request<Bytes>,
    /// The number of its stream, should the answer be one.
    pub(crate) stream: u64,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Body,
}

/// The body of an answer.
pub(crate) enum Body {
    Whole(Bytes),
    Stream(Frames),
}

/// Frames of a watch that a client may leave unread, and their bytes. Beyond that its stream ends, as the API server
/// ends a watch whose client is too slow (`apiserver/pkg/storage/cacher/cache_watcher.go`).
const UNREAD: (usize, usize) = (1_000, 16 << 20);

/// The reading end of a stream.
pub(crate) struct Frames {
    frames: mpsc::Receiver<Bytes>,
    unread: Arc<AtomicUsize>,
}

/// The writing end of a stream.
pub(crate) struct FrameSender {
    frames: mpsc::Sender<Bytes>,
    unread: Arc<AtomicUsize>,
}

/// A stream of frames.
pub(crate) fn frames() -> (FrameSender, Frames) {
    let (sender, receiver) = mpsc::channel(UNREAD.0);
    let unread = Arc::new(AtomicUsize::new(0));
    let sender = FrameSender {
        frames: sender,
        unread: Arc::clone(&unread),
    };
    let frames = receiver;
    (sender, Frames { frames, unread })
}

impl FrameSender {
    /// Sends a frame; false if the client reads too slowly, or has gone.
    pub(crate) fn send(&self, frame: Bytes) -> bool {
        let unread = self.unread.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
        unread <= UNREAD.1 && self.frames.try_send(frame).is_ok()
    }
}

impl Frames {
    /// The next frame, or the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = std::task::ready!(self.frames.poll_recv(cx));
        if let Some(frame) = &next {
            self.unread.fetch_sub(frame.len(), Ordering::Relaxed);
        }
        Poll::Ready(next)
    }
}
