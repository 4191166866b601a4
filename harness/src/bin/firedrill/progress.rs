//! How far a run is, and how long it will still take: on a terminal as a bar, elsewhere as a line now and then.
//!
//! Nobody knows beforehand how fast a machine is, nor how much of a drill is left out because it passes early. So an
//! estimate waits for the first drills, and goes by what the last half a minute got done.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use firedrill::worlds::in_flight;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);
/// When a run is first looked at.
const FIRST: Duration = Duration::from_secs(2);
/// An estimate waits for so many drills, or for [`LONG`].
const FIRST_DRILLS: usize = 8;
/// The speed is that of the last while, so long.
const WINDOW: Duration = Duration::from_secs(30);
/// What takes longer than this has an estimate.
const LONG: Duration = Duration::from_secs(10);
/// Between two lines there are at least so many seconds, and at least a tenth of the whole run.
const BETWEEN: Duration = Duration::from_secs(10);
/// The length of the bar in steps of the work.
const STEPS: u64 = 1_000;

/// A run that is going on.
pub(crate) struct Progress {
    shared: Arc<Shared>,
    ticker: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Shared {
    bar: ProgressBar,
    /// What is counted, one of it: `drill`.
    unit: &'static str,
    /// What the drills are for, if it is not said.
    purpose: &'static str,
    quiet: bool,
    measure: Measure,
    /// Work of the drills that are over.
    over: AtomicU64,
    /// How many there are; `None`: as many as there is time for.
    count: Option<usize>,
    done: AtomicUsize,
    note: Mutex<String>,
}

/// By what it is told how far a run is.
enum Measure {
    /// By the [work](in_flight::work) of all drills, which is so much.
    Work(u64),
    /// By what is over, of all.
    Count,
    /// By the time that the run may take.
    Time(Duration),
}

impl Progress {
    /// A run of `count` drills that are `whole` [work](in_flight::work) together, for `purpose`.
    /// Nothing is said if `quiet`.
    pub(crate) fn begin(purpose: &'static str, count: usize, whole: u64, quiet: bool) -> Self {
        Self::measured(
            "drill",
            purpose,
            Some(count),
            Measure::Work(whole.max(1)),
            quiet,
        )
    }

    /// A run of `count` things, each called `unit`, of which nobody knows beforehand how much work they are.
    pub(crate) fn counted(unit: &'static str, count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self::measured(unit, "", Some(count), Measure::Count, false)
    }

    /// A run of drills for `purpose`, of which there are `most` at most: it ends as soon as they show enough.
    pub(crate) fn at_most(purpose: &'static str, most: usize, quiet: bool) -> Self {
        Self::measured("drill", purpose, Some(most), Measure::Count, quiet)
    }

    /// A run of as many things, each called `unit`, as there is time for in `limit`.
    pub(crate) fn timed(unit: &'static str, limit: Duration) -> Self {
        Self::measured(unit, "", None, Measure::Time(limit), false)
    }

    fn measured(
        unit: &'static str,
        purpose: &'static str,
        count: Option<usize>,
        measure: Measure,
        quiet: bool,
    ) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        let style = ProgressStyle::with_template("{bar:20} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let shared = Arc::new(Shared {
            bar,
            unit,
            purpose,
            quiet,
            measure,
            over: AtomicU64::new(0),
            count,
            done: AtomicUsize::new(0),
            note: Mutex::default(),
        });
        let (end, ended) = channel();
        let looked_at = Arc::clone(&shared);
        let ticker = std::thread::spawn(move || {
            let (mut pace, mut speed) = (Pace::default(), Speed::default());
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                looked_at.look(&mut pace, &mut speed);
            }
        });
        Self {
            shared,
            ticker: Some((end, ticker)),
        }
    }

    /// A drill of so much work is over.
    pub(crate) fn over(&self, work: u64) {
        self.shared.over.fetch_add(work, Ordering::Relaxed);
        self.shared.done.fetch_add(1, Ordering::Relaxed);
    }

    /// What is said beside the numbers.
    pub(crate) fn note(&self, note: String) {
        *self.shared.note() = note;
    }

    /// Says a line above the bar.
    pub(crate) fn line(&self, text: &str) {
        self.shared.bar.suspend(|| terminal::complain(text));
    }

    /// Takes the bar away.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some((end, ticker)) = self.ticker.take() {
            drop(end);
            // It only looks at numbers.
            let _ = ticker.join();
            self.shared.bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn note(&self) -> std::sync::MutexGuard<'_, String> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is done of the whole, from 0 to 1; `in_flight` is the work of drills that are not over yet.
    fn share(&self, elapsed: Duration, in_flight: u64) -> f64 {
        let done = self.done.load(Ordering::Relaxed);
        let share = match self.measure {
            Measure::Work(whole) => {
                let over = self.over.load(Ordering::Relaxed);
                over.saturating_add(in_flight) as f64 / whole as f64
            }
            Measure::Count => done as f64 / self.count.unwrap_or(1).max(1) as f64,
            Measure::Time(limit) => elapsed.as_secs_f64() / limit.as_secs_f64().max(0.001),
        };
        share.min(1.0)
    }

    fn look(&self, pace: &mut Pace, speed: &mut Speed) {
        let elapsed = self.bar.elapsed();
        let done = self.done.load(Ordering::Relaxed);
        let share = self.share(elapsed, in_flight::done());
        let left = match self.measure {
            Measure::Time(limit) => Some(limit.saturating_sub(elapsed)),
            Measure::Work(_) | Measure::Count => speed.left(elapsed, share, done),
        };
        let left = left.filter(|_| elapsed >= FIRST);
        let note = self.note().clone();
        let counted = Counted {
            done,
            count: self.count,
            unit: self.unit,
            purpose: self.purpose,
            note: &note,
        };
        self.bar.set_position((share * STEPS as f64) as u64);
        self.bar.set_message(counted.told(elapsed, left));
        // A bar says it all the time.
        if !self.quiet
            && let Some(line) = pace.line(elapsed, left, &counted)
            && self.bar.is_hidden()
        {
            terminal::complain(&line);
        }
    }
}

/// What has been counted.
struct Counted<'a> {
    done: usize,
    count: Option<usize>,
    unit: &'a str,
    purpose: &'a str,
    note: &'a str,
}

impl Counted<'_> {
    /// All of them: `300 drills`.
    fn all(&self) -> String {
        let Some(count) = self.count else {
            return format!("{}s", self.unit);
        };
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {}{plural}{}", self.unit, self.purpose)
    }

    fn told(&self, elapsed: Duration, left: Option<Duration>) -> String {
        let mut said = match self.count {
            Some(_) => format!("{} of {}", self.done, self.all()),
            None => format!("{} {}", self.done, self.all()),
        };
        if !self.note.is_empty() {
            said.push_str(&format!(", {}", self.note));
        }
        said.push_str(&format!(", {}", shown(elapsed)));
        if let Some(left) = left {
            said.push_str(&format!(", about {} left", shown(left)));
        }
        said
    }
}

/// How fast a run is.
#[derive(Debug, Default)]
struct Speed {
    /// What was done of the whole, from 0 to 1, at each look of the last [`WINDOW`].
    looks: VecDeque<(Duration, f64)>,
}

impl Speed {
    /// How long it will still take, as far as the last while tells; `None`: too little was done to know.
    fn left(&mut self, elapsed: Duration, share: f64, done: usize) -> Option<Duration> {
        // What comes before the first drill is no measure of drills.
        if share <= 0.0 {
            return None;
        }
        self.looks.push_back((elapsed, share));
        while self.looks.len() > 2 && self.looks[0].0 + WINDOW < elapsed {
            self.looks.pop_front();
        }
        if done < FIRST_DRILLS && elapsed < LONG {
            return None;
        }
        let (since, before) = *self.looks.front()?;
        // Where nothing was over in a whole window, a drill takes longer than that: all drills are asked.
        let (taken, got) = if share > before {
            (elapsed.saturating_sub(since), share - before)
        } else {
            (elapsed, share)
        };
        Duration::try_from_secs_f64(taken.as_secs_f64() * (1.0 - share) / got).ok()
    }
}

/// Which lines are due.
#[derive(Debug, Default)]
struct Pace {
    /// When the next line is due; `None`: there was no estimate yet.
    next: Option<Duration>,
}

impl Pace {
    /// The line that is due; at first an estimate, if the whole run takes long.
    fn line(
        &mut self,
        elapsed: Duration,
        left: Option<Duration>,
        counted: &Counted<'_>,
    ) -> Option<String> {
        let left = left?;
        let whole = elapsed + left;
        if whole < LONG {
            return None;
        }
        match self.next {
            None => {
                self.next = Some(elapsed + BETWEEN.max(whole / 10));
                let all = counted.all();
                Some(format!("estimate: {all}, about {}", shown(whole)))
            }
            Some(due) if elapsed >= due => {
                self.next = Some(elapsed + BETWEEN.max(whole / 10));
                Some(format!("progress: {}", counted.told(elapsed, Some(left))))
            }
            Some(_) => None,
        }
    }
}

/// A duration for people: `48 s`, `1m 15s`, `2h 05m`.
fn shown(duration: Duration) -> String {
    let seconds = (duration.as_millis() + 500) / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(done: usize) -> Counted<'static> {
        Counted {
            done,
            count: Some(100),
            unit: "drill",
            purpose: "",
            note: "2 not passed",
        }
    }

    /// The lines of a run that takes `whole` seconds, looked at five times a second.
    fn lines(whole: u64) -> Vec<(u64, String)> {
        let (mut pace, mut speed) = (Pace::default(), Speed::default());
        let looks = (1..whole * 5).filter_map(|look| {
            let elapsed = LOOK * u32::try_from(look).expect("few");
            let share = elapsed.as_secs_f64() / whole as f64;
            let done = (share * 100.0) as usize;
            let left = speed.left(elapsed, share, done);
            let line = pace.line(elapsed, left.filter(|_| elapsed >= FIRST), &counted(done))?;
            Some((elapsed.as_secs(), line))
        });
        looks.collect()
    }

    #[test]
    fn what_is_short_says_nothing() {
        assert_eq!(lines(9), []);
    }

    #[test]
    fn what_is_long_says_an_estimate_first_and_then_a_line_now_and_then() {
        let said = lines(75);
        let first = (6, "estimate: 100 drills, about 1m 15s".to_owned());
        assert_eq!(said[0], first);
        let second = "progress: 21 of 100 drills, 2 not passed, 16 s, about 59 s left";
        assert_eq!(said[1].1, second);
        assert_eq!(said.len(), 7, "{said:?}");
        let hours = lines(7_200);
        assert!(hours[0].1.ends_with("about 2h 00m"), "{hours:?}");
        assert!(
            hours.len() <= 11,
            "a tenth of the run lies between two lines"
        );
    }

    #[test]
    fn what_is_bounded_by_time_counts_what_is_over() {
        let counted = Counted {
            done: 16,
            count: None,
            unit: "drill",
            purpose: "",
            note: "",
        };
        let mut pace = Pace::default();
        let (two, ten) = (Duration::from_secs(2), Duration::from_secs(12));
        let estimate = pace.line(two, Some(Duration::from_secs(58)), &counted);
        assert_eq!(estimate.as_deref(), Some("estimate: drills, about 1m 00s"));
        let line = pace.line(ten, Some(Duration::from_secs(48)), &counted);
        let line = line.expect("a line is due");
        assert_eq!(line, "progress: 16 drills, 12 s, about 48 s left");
    }

    #[test]
    fn what_shows_no_progress_has_no_estimate() {
        let mut speed = Speed::default();
        assert_eq!(speed.left(Duration::from_secs(60), 0.0, 0), None);
    }

    #[test]
    fn drills_at_most_are_counted_whatever_work_one_of_them_is() {
        let progress = Progress::at_most(" at most", 100, true);
        let share = |work| progress.shared.share(Duration::from_secs(3), work);
        assert_eq!(share(50_000), 0.0);
        progress.over(1);
        assert_eq!(share(50_000), 0.01);
        assert_eq!(progress.shared.count, Some(100));
    }

    #[test]
    fn a_slow_beginning_does_not_make_the_estimate() {
        let mut speed = Speed::default();
        let mut left = None;
        // A hundredth in the first forty seconds, and then a hundredth each second.
        for second in 1..=80_u32 {
            let share = if second <= 40 {
                0.01
            } else {
                0.01 * f64::from(second - 39)
            };
            let done = (share * 100.0).round() as usize;
            left = speed.left(Duration::from_secs(u64::from(second)), share, done);
            assert!(
                done >= FIRST_DRILLS || second >= 10 || left.is_none(),
                "{second}"
            );
        }
        // 41 of 100 are over, and the other 59 take 59 s; all the time so far would say 115 s.
        let left = left.expect("enough is over");
        assert!((58.0..60.0).contains(&left.as_secs_f64()), "{left:?}");
    }

    #[test]
    fn where_no_drill_was_over_in_a_window_all_are_asked() {
        let mut speed = Speed::default();
        let at = Duration::from_secs;
        for second in 1..=100 {
            speed.left(at(second), 0.25, 1);
        }
        assert_eq!(speed.left(at(101), 0.25, 1), Some(at(303)));
    }
}
