//! A bare binary heap of events: the least that a simulation of the pattern needs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use benches::pattern::{Engine, Made, Pattern, STEP_MS};

/// What happens at an instant, to the request of that number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    /// The client sends it.
    Sends(u64),
    /// The gateway gets it.
    ToGateway(u64),
    /// The engine gets it.
    ToEngine(u64),
    /// The engine is done with it.
    Done(u64),
    /// The gateway gets its answer.
    BackAtGateway(u64),
    /// The client gets its answer.
    BackAtClient(u64),
}

/// Events by their instant, and by the order in which they were added within it.
#[derive(Default)]
struct Events {
    heap: BinaryHeap<Reverse<(u64, u64, Happens)>>,
    added: u64,
}

impl Events {
    fn push(&mut self, at: u64, happens: Happens) {
        self.heap.push(Reverse((at, self.added, happens)));
        self.added += 1;
    }
}

pub(super) fn run(pattern: &Pattern) -> Made {
    let mut engine = Engine::new(pattern);
    let mut events = Events::default();
    let mut queue: VecDeque<u64> = VecDeque::new();
    let mut answers = 0;
    events.push(pattern.sent_ms[0], Happens::Sends(0));
    while let Some(Reverse((now, _, happens))) = events.heap.pop() {
        match happens {
            Happens::Sends(number) => {
                events.push(now + STEP_MS, Happens::ToGateway(number));
                if let Some(next) = pattern.sent_ms.get(number as usize + 1) {
                    events.push(*next, Happens::Sends(number + 1));
                }
            }
            Happens::ToGateway(number) => events.push(now + STEP_MS, Happens::ToEngine(number)),
            Happens::ToEngine(number) => {
                queue.push_back(number);
                if queue.len() == 1 {
                    events.push(now + STEP_MS, Happens::Done(number));
                }
            }
            Happens::Done(number) => {
                engine.execute(number);
                queue.pop_front();
                if let Some(next) = queue.front() {
                    events.push(now + STEP_MS, Happens::Done(*next));
                }
                events.push(now + STEP_MS, Happens::BackAtGateway(number));
            }
            Happens::BackAtGateway(number) => {
                events.push(now + STEP_MS, Happens::BackAtClient(number));
            }
            Happens::BackAtClient(_) => answers += 1,
        }
    }
    engine.made(answers)
}
