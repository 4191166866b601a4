//! tokio's current_thread runtime with a paused clock: a task for each place, and a channel for each hop, whose
//! messages are held back until they are due.

#![expect(
    clippy::disallowed_methods,
    reason = "tokio's own timers are what is measured here"
)]

use std::time::Duration;

use benches::pattern::{Engine, Made, Pattern, STEP_MS};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

const STEP: Duration = Duration::from_millis(STEP_MS);

/// One way between two places: a message, and when it arrives.
struct Way {
    sender: UnboundedSender<(Instant, u64)>,
}

impl Way {
    fn new() -> (Self, Arrivals) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender }, Arrivals { receiver })
    }

    fn send(&self, number: u64) {
        self.sender
            .send((Instant::now() + STEP, number))
            .expect("the other end is there until all is over");
    }
}

struct Arrivals {
    receiver: UnboundedReceiver<(Instant, u64)>,
}

impl Arrivals {
    /// The next message, once it is due; `None`: nobody sends any more.
    async fn next(&mut self) -> Option<u64> {
        let (due, number) = self.receiver.recv().await?;
        sleep_until(due).await;
        Some(number)
    }
}

pub(super) fn run(pattern: &Pattern) -> Made {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O driver needs nothing of the system");
    runtime.block_on(simulate(pattern))
}

async fn simulate(pattern: &Pattern) -> Made {
    let mut engine = Engine::new(pattern);
    let (to_gateway, mut at_gateway) = Way::new();
    let (to_engine, mut at_engine) = Way::new();
    let (back_to_gateway, mut back_at_gateway) = Way::new();
    let (to_client, mut at_client) = Way::new();
    let begin = Instant::now();
    let sent_ms = pattern.sent_ms.clone();
    tokio::spawn(async move {
        for (number, at) in (0..).zip(sent_ms) {
            sleep_until(begin + Duration::from_millis(at)).await;
            to_gateway.send(number);
        }
    });
    tokio::spawn(async move {
        while let Some(number) = at_gateway.next().await {
            to_engine.send(number);
        }
    });
    tokio::spawn(async move {
        while let Some(number) = back_at_gateway.next().await {
            to_client.send(number);
        }
    });
    let engine = tokio::spawn(async move {
        while let Some(number) = at_engine.next().await {
            sleep(STEP).await;
            engine.execute(number);
            back_to_gateway.send(number);
        }
        engine
    });
    let mut answers = 0;
    while at_client.next().await.is_some() {
        answers += 1;
    }
    engine
        .await
        .expect("the engine does not panic")
        .made(answers)
}
