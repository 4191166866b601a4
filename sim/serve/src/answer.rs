//! Carries requests from outside into the world, and its answers back.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture, select};
use futures::stream::FuturesUnordered;
use http_body_util::BodyExt;
use sim::Application;
use sim::World;
use sim::rng::Rng;
use sim::time::Micros;
use sim::world::WorldBody;
use tower::ServiceExt as _;

use crate::bridge::{Answer, Asked, Body, FromOutside, To, frames};
use crate::pace::Activity;

/// How long a program outside thinks before a request, in microseconds of the world: at least and at most.
const THINKS: (u64, u64) = (1_000, 20_000);
/// The longest sleep that a program may ask for at once.
const LONGEST_SLEEP_S: f64 = 86_400.0;

/// A request that a program outside has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When it was sent.
    pub sent: Micros,
    /// When its answer was back.
    pub answered: Micros,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// The status of its answer; `None` if the connection was cut.
    pub status: Option<u16>,
}

/// The door through which requests come into one world.
pub struct Door {
    requests: UnboundedReceiver<FromOutside>,
    activity: Activity,
    to_world: Sender<FromOutside>,
}

/// Changes whether anybody outside takes part.
#[derive(Clone)]
pub struct Gate {
    activity: Activity,
    to_world: Sender<FromOutside>,
}

impl Gate {
    /// Nobody outside takes part: the world goes on by itself.
    pub fn alone(&self) {
        self.activity.set_alone(true);
    }

    /// Programs outside take part: the world waits for them. Their requests are numbered under the name `origin`.
    pub fn with_others(&self, origin: &str) {
        self.activity.set_origin(origin);
        self.activity.set_alone(false);
    }

    /// Something that wakes the thread of the world, where it waits for programs outside.
    /// It may be called from any thread.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let to_world = self.to_world.clone();
        move || {
            // A world that has ended needs no waking.
            let _ = to_world.send(FromOutside::Gone(0));
        }
    }
}

impl Door {
    pub(crate) fn new(
        requests: UnboundedReceiver<FromOutside>,
        activity: Activity,
        to_world: Sender<FromOutside>,
    ) -> Self {
        Self {
            requests,
            activity,
            to_world,
        }
    }

    /// What decides whether anybody outside takes part.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate {
            activity: self.activity.clone(),
            to_world: self.to_world.clone(),
        }
    }
}

/// Answers what comes through `door`, and tells `heard` of each request. It never completes.
pub async fn serve<A: Application>(world: World<A>, door: Door, seed: u64, heard: &dyn Fn(Heard)) {
    let Door {
        mut requests,
        activity,
        ..
    } = door;
    let mut thinks = Rng::derive(seed, "serve/thinks");
    let mut running: FuturesUnordered<LocalBoxFuture<'_, Option<u64>>> = FuturesUnordered::new();
    let mut hang_up: BTreeMap<u64, oneshot::Sender<()>> = BTreeMap::new();
    loop {
        let ended = async {
            match running.next().await {
                Some(ended) => ended,
                // Nothing is under way.
                None => futures::future::pending().await,
            }
        };
        let next = match select(requests.next(), Box::pin(ended)).await {
            Either::Left((next, _)) => next,
            Either::Right((ended, _)) => {
                ended.and_then(|stream| hang_up.remove(&stream));
                continue;
            }
        };
        match next {
            Some(FromOutside::Asked(asked)) => {
                let thinks = Micros(thinks.between(THINKS.0, THINKS.1));
                let (sender, hung_up) = oneshot::channel();
                hang_up.insert(asked.stream, sender);
                let one = one(
                    world.clone(),
                    activity.clone(),
                    thinks,
                    *asked,
                    heard,
                    hung_up,
                );
                running.push(Box::pin(one));
            }
            Some(FromOutside::Gone(stream)) => {
                hang_up.remove(&stream);
            }
            None => futures::future::pending().await,
        }
    }
}

/// One request, and the stream that it may open; the number of that stream, as nobody needs to hang up any more.
async fn one<A: Application>(
    world: World<A>,
    activity: Activity,
    thinks: Micros,
    asked: Asked,
    heard: &dyn Fn(Heard),
    hung_up: oneshot::Receiver<()>,
) -> Option<u64> {
    let pending = activity.asked.one_more();
    let origin = activity.origin();
    let number = asked.stream;
    world.sleep(thinks).await;
    let sent = world.now();
    let (method, path) = (
        asked.request.method().to_string(),
        asked
            .request
            .uri()
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
    );
    let told = |status| {
        heard(Heard {
            sent,
            answered: world.now(),
            method: method.clone(),
            path: path.clone(),
            status,
        });
    };
    let response = match asked.to {
        To::Kube => {
            let request = asked.request.map(http_body_util::Full::new);
            world.kube(&origin).oneshot(request).await.ok()
        }
        To::Http => {
            let answer = world.http(&origin).oneshot(asked.request).await.ok();
            answer.map(|answer| answer.map(WorldBody::from))
        }
        To::Sleep => Some(sleep(&world, &asked.request).await),
        To::Deadline => {
            // The program goes on meanwhile.
            drop(pending);
            let _waits = activity.waits.one_more();
            let slept = Box::pin(sleep(&world, &asked.request));
            let Either::Left((slept, _)) = select(slept, hung_up).await else {
                return Some(number);
            };
            let (head, _) = slept.into_parts();
            let body = Body::Whole(Bytes::new());
            // Whoever has hung up gets nothing.
            let _ = asked.answer.send(Answer { head, body });
            return Some(number);
        }
        To::Date => Some(plain(200, format!("{}\n", world.now().to_timestamp()))),
    };
    told(response.as_ref().map(|it| it.status().as_u16()));
    // Dropped without an answer, the connection is cut.
    let response = response?;
    let (head, mut body) = response.into_parts();
    if !body.is_stream() {
        let whole = body.collect().await.ok()?.to_bytes();
        // Whoever has hung up gets nothing.
        let _ = asked.answer.send(Answer {
            head,
            body: Body::Whole(whole),
        });
        return Some(number);
    }
    let (frames, receiver) = frames();
    let answer = Answer {
        head,
        body: Body::Stream(receiver),
    };
    if asked.answer.send(answer).is_err() {
        return Some(number);
    }
    drop(pending);
    let _open = activity.waits.one_more();
    let mut hung_up = hung_up;
    loop {
        match select(body.frame(), &mut hung_up).await {
            Either::Left((Some(Ok(frame)), _)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if !frames.send(data) {
                    return Some(number);
                }
            }
            Either::Left(_) | Either::Right(_) => return Some(number),
        }
    }
}

/// `POST /firedrill/v1/sleep?seconds=N`: answers so many seconds of the world later. So does `…/deadline?seconds=N`,
/// for a program that goes on meanwhile: the world goes on to that instant only while the program waits for something.
async fn sleep<A: Application>(
    world: &World<A>,
    request: &http::Request<Bytes>,
) -> http::Response<WorldBody> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let seconds = pairs.find(|(name, _)| *name == "seconds");
    let seconds = seconds.and_then(|(_, value)| value.parse::<f64>().ok());
    let seconds = seconds.filter(|it| (0.0..=LONGEST_SLEEP_S).contains(it));
    let Some(seconds) = seconds else {
        let most = LONGEST_SLEEP_S;
        return plain(
            400,
            format!("`seconds` must be a number from 0 to {most}\n"),
        );
    };
    let span = std::time::Duration::from_secs_f64(seconds);
    world.sleep(Micros::from(span)).await;
    plain(200, String::new())
}

fn plain(status: u16, text: String) -> http::Response<WorldBody> {
    http::Response::builder()
        .status(status)
        .header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(WorldBody::from(Bytes::from(text)))
        .expect("status and headers are valid")
}
