//! What crosses the border between the threads of the network and the thread of the world.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// Which server a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// The API server.
    Kube,
    /// Prometheus or Loki, as the host of the request says.
    Http,
    /// The application's data store.
    Store,
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
    pub(crate) answer: AnswerTo,
    /// What it takes of the limits, until it is answered. A client that hangs up does not get it back sooner.
    pub(crate) room: Vec<OwnedSemaphorePermit>,
}

/// Who gets the answer.
pub(crate) enum AnswerTo {
    /// A client.
    Client {
        to: oneshot::Sender<Answer>,
        /// Bytes that all clients have not read yet.
        unread: Unread,
    },
    /// Nobody: a recording is played.
    Nobody,
}

impl AnswerTo {
    /// Hands over an answer whose body is whole.
    pub(crate) fn whole(self, head: http::response::Parts, body: Bytes) {
        if let Self::Client { to, .. } = self {
            // Whoever has hung up gets nothing.
            let _ = to.send(Answer {
                head,
                body: Body::Whole(body),
            });
        }
    }

    /// Hands over the head of an answer, and what takes its frames; `None` if the client has hung up.
    pub(crate) fn stream(self, head: http::response::Parts) -> Option<FrameSender> {
        let Self::Client { to, unread } = self else {
            return Some(FrameSender(None));
        };
        let (sender, frames) = frames(unread);
        let body = Body::Stream(frames);
        to.send(Answer { head, body }).ok()?;
        Some(sender)
    }
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

/// Bytes of frames that all clients together have not read, and may leave unread.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    bytes: Arc<AtomicUsize>,
    most: usize,
}

impl Unread {
    pub(crate) fn at_most(most: usize) -> Self {
        Self {
            bytes: Arc::default(),
            most,
        }
    }
}

/// The bytes of one stream that are not read, which leave both counts when it goes.
struct Own {
    bytes: AtomicUsize,
    all: Unread,
}

impl Own {
    /// Counts a frame; whether there is room for it.
    fn add(&self, bytes: usize) -> bool {
        let own = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let all = self.all.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        own <= UNREAD.1 && all <= self.all.most
    }

    fn take(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.all.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let left = self.bytes.load(Ordering::Relaxed);
        self.all.bytes.fetch_sub(left, Ordering::Relaxed);
    }
}

/// The reading end of a stream.
pub(crate) struct Frames {
    frames: mpsc::Receiver<Bytes>,
    unread: Arc<Own>,
}

/// The writing end of a stream; `None`: nobody reads.
pub(crate) struct FrameSender(Option<(mpsc::Sender<Bytes>, Arc<Own>)>);

/// A stream of frames.
fn frames(all: Unread) -> (FrameSender, Frames) {
    let (sender, frames) = mpsc::channel(UNREAD.0);
    let unread = Arc::new(Own {
        bytes: AtomicUsize::new(0),
        all,
    });
    let sender = FrameSender(Some((sender, Arc::clone(&unread))));
    (sender, Frames { frames, unread })
}

impl FrameSender {
    /// Sends a frame; false if the client reads too slowly, or has gone.
    pub(crate) fn send(&self, frame: Bytes) -> bool {
        match &self.0 {
            None => true,
            Some((frames, unread)) => unread.add(frame.len()) && frames.try_send(frame).is_ok(),
        }
    }
}

impl Frames {
    /// The next frame, or the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let next = std::task::ready!(self.frames.poll_recv(cx));
        if let Some(frame) = &next {
            self.unread.take(frame.len());
        }
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_clients_leave_unread_is_bounded_and_comes_free_again() {
        let all = Unread::at_most(10);
        let frame = || Bytes::from_static(b"12345");
        let (one, its_frames) = frames(all.clone());
        let (other, kept) = frames(all.clone());
        assert!(one.send(frame()) && other.send(frame()));
        assert!(!other.send(frame()), "there is no room for a third");
        drop((one, its_frames));
        drop((other, kept));
        assert_eq!(all.bytes.load(Ordering::Relaxed), 0);
    }
}
