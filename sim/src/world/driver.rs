//! The driver: runs the futures until all wait, then lets the world go on.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, select};

use crate::application::Application;
use crate::guard::Inside;
use crate::time::Micros;
use crate::world::front::World;
use crate::world::state::{WorldConfig, WorldState};

/// What ends a run that would not end by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Virtual time.
    pub until: Micros,
    /// Events. A livelock (a watcher that watches again for ever) ends here.
    pub steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            until: Micros::from_secs(4 * 3_600),
            steps: 20_000_000,
        }
    }
}

/// Why a run ended before its future completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Nothing is due and no future can go on.
    #[error("deadlock at {0}: every task waits and nothing is due")]
    Deadlock(Micros),
    /// The limit of virtual time was reached.
    #[error("virtual time ran out at {0}")]
    TimeLimit(Micros),
    /// The limit of events was reached.
    #[error("{0} events without an end: a livelock")]
    StepLimit(u64),
}

/// What the world does when no future of a run can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Its next event happens.
    Step,
    /// What is due up to then happens, and it is that late then, unless a future can go on before.
    Until(Micros),
    /// Nothing: something from outside lets a future go on.
    Again,
}

/// Decides what the world does when no future of a run can go on. A world that is served to programs outside this
/// process waits for them here.
pub trait Pace {
    /// It is `now`, and the next event is due at `next`, if there is one.
    fn idle(&mut self, now: Micros, next: Option<Micros>) -> Idle;
}

/// The world always goes on: nobody outside this process takes part.
#[derive(Clone, Copy, Debug, Default)]
pub struct GoOn;

impl Pace for GoOn {
    fn idle(&mut self, _: Micros, _: Option<Micros>) -> Idle {
        Idle::Step
    }
}

/// Builds a world and drives it until the future that `program` makes of it completes.
///
/// # Errors
/// [`Halt`] if the future did not complete within `limits`.
///
/// # Panics
/// If called from within another tokio runtime.
pub fn run<A, T, F>(
    config: WorldConfig<A::Config>,
    seed: u64,
    limits: Limits,
    program: impl FnOnce(World<A>) -> F,
) -> Result<T, Halt>
where
    A: Application,
    F: Future<Output = T>,
{
    run_at(&mut GoOn, config, seed, limits, program)
}

/// [`run`] at a pace of the caller's own.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there.
pub fn run_at<A, T, F>(
    pace: &mut dyn Pace,
    config: WorldConfig<A::Config>,
    seed: u64,
    limits: Limits,
    program: impl FnOnce(World<A>) -> F,
) -> Result<T, Halt>
where
    A: Application,
    F: Future<Output = T>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O driver needs nothing of the system");
    let world = World::new(WorldState::new(config, seed));
    runtime.block_on(async {
        let mut program = {
            let _inside = Inside::enter();
            Box::pin(program(world.clone()))
        };
        // Whatever the program and the world do may ask neither the real clock nor the real randomness. The
        // scheduler around them does: it keeps busy-time metrics that nobody reads.
        let mut program = std::pin::pin!(std::future::poll_fn(|cx| {
            let _inside = Inside::enter();
            program.as_mut().poll(cx)
        }));
        loop {
            match select(program.as_mut(), std::pin::pin!(all_idle())).await {
                Either::Left((output, _)) => return Ok(output),
                Either::Right(((), _)) => {
                    let (now, next) = world.with(|state| (state.now(), state.next_at()));
                    let idle = pace.idle(now, next);
                    let _inside = Inside::enter();
                    let mut state = world.lock();
                    let goes_on = match idle {
                        Idle::Step => state.step(limits.until),
                        Idle::Until(at) => {
                            state.go_on_to(at);
                            state.now() <= limits.until
                        }
                        Idle::Again => true,
                    };
                    if !goes_on {
                        let now = state.now();
                        return Err(if now > limits.until {
                            Halt::TimeLimit(now)
                        } else {
                            Halt::Deadlock(now)
                        });
                    }
                    if state.steps() > limits.steps {
                        return Err(Halt::StepLimit(state.steps()));
                    }
                }
            }
        }
    })
}

/// Completes when no task on the runtime can go on: paused time advances only then.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's paused clock serves as idle detector only; nobody reads it"
)]
fn all_idle() -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_millis(1))
}
