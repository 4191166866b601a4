//! When a world goes on that programs outside this process take part in.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use sim::time::Micros;
use sim::world::{Idle, Pace};

use crate::bridge::FromOutside;

/// How the clock of a served world runs.
pub enum Pacing {
    /// Requests move it. While a program waits for an open watch, the world goes on, a second at a time, once the
    /// program has settled; otherwise it stands still.
    Requests(Settle),
    /// It runs so many times as fast as the wall clock. Nothing is reproducible then.
    Wall(u32),
}

/// When a program that has an open watch counts as waiting for it, and no longer as computing.
pub struct Settle {
    /// It has asked for nothing for so long.
    pub quiet: Duration,
    /// Whether it computes all the same, if that can be known.
    pub computing: Option<Box<dyn FnMut() -> bool + Send>>,
}

impl Default for Settle {
    /// 25 ms, and nothing is known of the program.
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(25),
            computing: None,
        }
    }
}

/// What programs outside are about to get from the world, and who they are.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    /// Requests without an answer.
    pub(crate) asked: Counter,
    /// What a program waits for while it may compute: open streams, and deadlines.
    pub(crate) waits: Counter,
    /// The world goes on by itself: nobody outside takes part yet.
    alone: Arc<AtomicBool>,
    /// How often whoever took part has left. A connection serves those of its own time only.
    epoch: Arc<AtomicU64>,
    /// Under which name requests are numbered.
    origin: Arc<Mutex<String>>,
}

impl Activity {
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::SeqCst)
    }

    pub(crate) fn set_alone(&self) {
        self.alone.store(true, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set_with_others(&self, origin: &str) {
        let mut own = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        origin.clone_into(&mut own);
        self.alone.store(false, Ordering::SeqCst);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn origin(&self) -> String {
        self.origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How many there are of something.
#[derive(Clone, Default)]
pub(crate) struct Counter {
    now: Arc<AtomicUsize>,
    ever: Arc<AtomicU64>,
}

impl Counter {
    /// One more, for as long as the value lives.
    pub(crate) fn one_more(&self) -> Counted {
        self.now.fetch_add(1, Ordering::SeqCst);
        self.ever.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    fn get(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    /// How many there have been so far.
    pub(crate) fn ever(&self) -> u64 {
        self.ever.load(Ordering::SeqCst)
    }
}

/// Counts for as long as it lives.
pub(crate) struct Counted(Counter);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The pace of a served world.
pub struct Served {
    pacing: Pacing,
    from_outside: Receiver<FromOutside>,
    to_program: UnboundedSender<FromOutside>,
    activity: Activity,
    /// When the wall clock began to count, and how late it was in the world.
    began: Option<(Instant, Micros)>,
}

impl Served {
    pub(crate) fn new(
        pacing: Pacing,
        from_outside: Receiver<FromOutside>,
        to_program: UnboundedSender<FromOutside>,
        activity: Activity,
    ) -> Self {
        Self {
            pacing,
            from_outside,
            to_program,
            activity,
            began: None,
        }
    }

    /// Passes on what has come; whether anything has.
    fn pass_on(&mut self) -> bool {
        let mut came = false;
        loop {
            match self.from_outside.try_recv() {
                Ok(item) => came |= self.to_program.unbounded_send(item).is_ok(),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return came,
            }
        }
    }

    /// Waits for something from outside, at most that long; whether it came.
    fn wait(&mut self, at_most: Duration) -> bool {
        match self.from_outside.recv_timeout(at_most) {
            Ok(item) => self.to_program.unbounded_send(item).is_ok(),
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                // The network is gone, and nobody will ask for anything again.
                std::thread::park_timeout(at_most);
                false
            }
        }
    }
}

/// How far the world goes on at a time while a program waits. One that computes after all, and was taken for one that
/// waits, loses no more than that.
const AT_A_TIME: Micros = Micros::from_secs(1);

/// How long the thread of the world waits at most before it looks whether its program was asked to end.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Pace for Served {
    fn idle(&mut self, now: Micros, next: Option<Micros>) -> Idle {
        if self.pass_on() {
            return Idle::Again;
        }
        if self.activity.is_alone() {
            // Whoever takes part later begins at that instant.
            self.began = None;
            return Idle::Step;
        }
        let quiet = match &self.pacing {
            Pacing::Wall(speed) => return self.by_the_wall(*speed, now, next),
            Pacing::Requests(settle) => settle.quiet,
        };
        if self.activity.asked.get() > 0 {
            return Idle::Step;
        }
        if self.activity.waits.get() == 0 {
            self.wait(LOOK_AGAIN);
            return Idle::Again;
        }
        if self.wait(quiet) || self.is_computing() {
            return Idle::Again;
        }
        Idle::Until(now + AT_A_TIME)
    }
}

impl Served {
    /// Whether the program computes, as far as that is known.
    fn is_computing(&mut self) -> bool {
        match &mut self.pacing {
            Pacing::Requests(settle) => settle.computing.as_mut().is_some_and(|it| it()),
            Pacing::Wall(_) => false,
        }
    }

    fn by_the_wall(&mut self, speed: u32, now: Micros, next: Option<Micros>) -> Idle {
        let (began, at) = *self.began.get_or_insert_with(|| (instant(), now));
        let passed = began.elapsed() * speed;
        let due = at + Micros::from(passed);
        if next.is_some_and(|next| next <= due) || now < due {
            return Idle::Until(due);
        }
        let next = next.map_or(LOOK_AGAIN, |next| next.saturating_sub(due).as_duration());
        self.wait((next / speed).min(LOOK_AGAIN));
        Idle::Again
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program outside keeps time by the wall clock; the report says that such a run is not reproducible"
)]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_counts_from_when_somebody_takes_part() {
        let (_network, from_outside) = std::sync::mpsc::channel();
        let (to_program, _requests) = futures::channel::mpsc::unbounded();
        let activity = Activity::default();
        let mut pace = Served::new(Pacing::Wall(1), from_outside, to_program, activity.clone());
        let late = Micros::from_secs(100);
        let begins = pace.idle(Micros::ZERO, Some(Micros::ZERO));
        assert!(matches!(begins, Idle::Until(_)));
        // The world goes on by itself, faster than the wall clock.
        activity.set_alone();
        assert_eq!(pace.idle(late, None), Idle::Step);
        activity.set_with_others("outside");
        // It does not wait for the wall clock to come after.
        let goes_on = pace.idle(late, Some(late));
        assert!(matches!(goes_on, Idle::Until(at) if at >= late));
    }
}
