//! Carries requests from outside into the world, and its answers back.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
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

use crate::bridge::{Asked, FrameSender, FromOutside, To};
use crate::pace::Activity;
use crate::store::Store;
use crate::tape::{Call, Event, Payload};

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

/// Looks on while programs outside are served.
pub trait Witness {
    /// A request has its answer.
    fn heard(&self, heard: Heard);

    /// Whether [`Witness::happened`] is to be called.
    fn records(&self) -> bool {
        false
    }

    /// Something happened to request `number`.
    fn happened(&self, _at: Micros, _number: u64, _event: Event) {}
}

/// Nobody wants to know.
impl Witness for () {
    fn heard(&self, _: Heard) {}
}

/// The door through which requests come into one world.
pub struct Door {
    requests: UnboundedReceiver<FromOutside>,
    closed: UnboundedReceiver<()>,
    gate: Gate,
}

/// Changes whether anybody outside takes part.
#[derive(Clone)]
pub struct Gate {
    activity: Activity,
    close: UnboundedSender<()>,
    to_world: Sender<FromOutside>,
}

impl Gate {
    /// Nobody outside takes part, and the world goes on by itself. Whoever took part has hung up: what they asked for
    /// may still take effect, and nobody gets an answer. Requests that come now never get to the world.
    pub fn alone(&self) {
        self.activity.set_alone();
        // A world that has ended serves nobody.
        let _ = self.close.unbounded_send(());
    }

    /// Programs outside take part: the world waits for them. Their requests are numbered under the name `origin`.
    pub fn with_others(&self, origin: &str) {
        self.activity.set_with_others(origin);
    }

    /// How many requests have come from outside so far. It may be called from any thread.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.activity.asked.ever()
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
        let (close, closed) = unbounded();
        let gate = Gate {
            activity,
            close,
            to_world,
        };
        Self {
            requests,
            closed,
            gate,
        }
    }

    /// What decides whether anybody outside takes part.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }
}

/// What all requests to a world share.
struct Serving<'a, A: Application> {
    world: World<A>,
    activity: Activity,
    store: &'a dyn Store<A>,
    witness: &'a dyn Witness,
}

impl<A: Application> Serving<'_, A> {
    fn happened(&self, number: u64, event: impl FnOnce() -> Event) {
        if self.witness.records() {
            self.witness.happened(self.world.now(), number, event());
        }
    }
}

/// A request under way, or the stream that it opened.
struct Open {
    number: u64,
    hang_up: oneshot::Sender<()>,
}

/// Answers what comes through `door`. It never completes.
pub async fn serve<A: Application>(
    world: World<A>,
    door: Door,
    seed: u64,
    store: &dyn Store<A>,
    witness: &dyn Witness,
) {
    let Door {
        mut requests,
        mut closed,
        gate,
    } = door;
    let serving = Serving {
        world,
        activity: gate.activity.clone(),
        store,
        witness,
    };
    let mut thinks = Rng::derive(seed, "serve/thinks");
    let mut running: FuturesUnordered<LocalBoxFuture<'_, u64>> = FuturesUnordered::new();
    let mut open: BTreeMap<u64, Open> = BTreeMap::new();
    let mut numbers = 0_u64..;
    loop {
        let ended = async {
            match running.next().await {
                Some(ended) => ended,
                // Nothing is under way.
                None => futures::future::pending().await,
            }
        };
        let next = select(requests.next(), Box::pin(ended));
        let next = match select(closed.next(), next).await {
            Either::Left(_) => {
                running.clear();
                open.clear();
                continue;
            }
            Either::Right((Either::Right((stream, _)), _)) => {
                open.remove(&stream);
                continue;
            }
            Either::Right((Either::Left((next, _)), _)) => next,
        };
        match next {
            // Dropped without an answer, the connection is cut.
            Some(FromOutside::Asked(_)) if serving.activity.is_alone() => {}
            Some(FromOutside::Asked(asked)) => {
                let thinks = Micros(thinks.between(THINKS.0, THINKS.1));
                let (hang_up, hung_up) = oneshot::channel();
                let number = numbers.next().unwrap_or(u64::MAX);
                open.insert(asked.stream, Open { number, hang_up });
                serving.happened(number, || Event::Asked(Call::of(asked.to, &asked.request)));
                running.push(Box::pin(one(&serving, number, thinks, *asked, hung_up)));
            }
            Some(FromOutside::Gone(stream)) => {
                if let Some(Open { number, hang_up }) = open.remove(&stream) {
                    serving.happened(number, || Event::HungUp);
                    drop(hang_up);
                }
            }
            None => futures::future::pending().await,
        }
    }
}

/// One request, and the stream that it may open; its number at the network, as nobody needs to hang up any more.
async fn one<A: Application>(
    serving: &Serving<'_, A>,
    number: u64,
    thinks: Micros,
    asked: Asked,
    hung_up: oneshot::Receiver<()>,
) -> u64 {
    let Asked {
        to,
        request,
        stream,
        answer,
        room,
    } = asked;
    let Serving {
        world,
        activity,
        witness,
        ..
    } = serving;
    let pending = activity.asked.one_more();
    let origin = activity.origin();
    world.sleep(thinks).await;
    let sent = world.now();
    let (method, path) = (
        request.method().to_string(),
        request
            .uri()
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
    );
    let response = match to {
        To::Kube => {
            let request = request.map(http_body_util::Full::new);
            world.kube(&origin).oneshot(request).await.ok()
        }
        To::Http => {
            let answer = world.http(&origin).oneshot(request).await.ok();
            answer.map(|answer| answer.map(WorldBody::from))
        }
        To::Store => match serving.store.operation(&request) {
            Err(refusal) => Some(refusal.map(WorldBody::from)),
            Ok(operation) => {
                let done = world.db(&origin, operation).await.ok();
                done.map(|done| serving.store.answer(done).map(WorldBody::from))
            }
        },
        To::Sleep => Some(sleep(world, &request).await),
        To::Deadline => {
            // The program goes on meanwhile.
            drop(pending);
            let _waits = activity.waits.one_more();
            let slept = Box::pin(sleep(world, &request));
            let Either::Left((slept, _)) = select(slept, hung_up).await else {
                return stream;
            };
            let (head, _) = slept.into_parts();
            serving.happened(number, || Event::answered(&head, Some(&Bytes::new())));
            answer.whole(head, Bytes::new());
            return stream;
        }
        To::Date => Some(plain(200, format!("{}\n", world.now().to_timestamp()))),
    };
    witness.heard(Heard {
        sent,
        answered: world.now(),
        method,
        path,
        status: response.as_ref().map(|it| it.status().as_u16()),
    });
    let Some(response) = response else {
        serving.happened(number, || Event::Cut);
        // Dropped without an answer, the connection is cut.
        return stream;
    };
    let (head, mut body) = response.into_parts();
    if !body.is_stream() {
        // The body of the world's own answer is there.
        if let Ok(whole) = body.collect().await {
            let whole = whole.to_bytes();
            serving.happened(number, || Event::answered(&head, Some(&whole)));
            answer.whole(head, whole);
        }
        return stream;
    }
    serving.happened(number, || Event::answered(&head, None));
    let streams_to = answer.stream(head);
    drop((pending, room));
    if let Some(frames) = streams_to {
        let _open = activity.waits.one_more();
        forward(serving, number, &mut body, &frames, hung_up).await;
    }
    stream
}

/// Hands on the frames of a stream, until it ends or somebody hangs up.
async fn forward<A: Application>(
    serving: &Serving<'_, A>,
    number: u64,
    body: &mut WorldBody,
    frames: &FrameSender,
    mut hung_up: oneshot::Receiver<()>,
) {
    loop {
        match select(body.frame(), &mut hung_up).await {
            Either::Left((Some(Ok(frame)), _)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                serving.happened(number, || Event::Frame(Payload::from(data.as_ref())));
                if !frames.send(data) {
                    // How fast a client reads is its own affair, as when it hangs up.
                    serving.happened(number, || Event::HungUp);
                    return;
                }
            }
            Either::Left(_) => {
                serving.happened(number, || Event::Ended);
                return;
            }
            Either::Right(_) => return,
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
    crate::store::plain(status, text).map(WorldBody::from)
}
