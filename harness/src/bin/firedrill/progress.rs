//! How far a run is, and how long it will still take: on a terminal as a bar, elsewhere as a line now and then.
//!
//! Nobody knows beforehand how fast a machine is. So a run is looked at after two seconds, and again later;
//! how much of a drill is done is known while it is simulated.

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
            let mut pace = Pace::default();
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                looked_at.look(&mut pace);
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

    fn look(&self, pace: &mut Pace) {
        let elapsed = self.bar.elapsed();
        let done = self.done.load(Ordering::Relaxed);
        let share = match self.measure {
            Measure::Work(whole) => {
                let over = self.over.load(Ordering::Relaxed);
                over.saturating_add(in_flight::done()) as f64 / whole as f64
            }
            Measure::Count => done as f64 / self.count.unwrap_or(1).max(1) as f64,
            Measure::Time(limit) => elapsed.as_secs_f64() / limit.as_secs_f64().max(0.001),
        };
        let share = share.min(1.0);
        let note = self.note().clone();
        let counted = Counted {
            done,
            count: self.count,
            unit: self.unit,
            purpose: self.purpose,
            note: &note,
        };
        self.bar.set_position((share * STEPS as f64) as u64);
        self.bar
            .set_message(counted.told(elapsed, left(elapsed, share)));
        // A bar says it all the time.
        if !self.quiet
            && let Some(line) = pace.line(elapsed, share, &counted)
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

/// How long it will still take, once a run has been looked at.
fn left(elapsed: Duration, share: f64) -> Option<Duration> {
    if elapsed < FIRST || share <= 0.0 {
        return None;
    }
    let whole = elapsed.as_secs_f64() / share;
    Duration::try_from_secs_f64(whole - elapsed.as_secs_f64()).ok()
}

/// Which lines are due.
#[derive(Debug, Default)]
struct Pace {
    /// When the next line is due; `None`: there was no estimate yet.
    next: Option<Duration>,
}

impl Pace {
    /// The line that is due; at first an estimate, if the whole run takes long.
    fn line(&mut self, elapsed: Duration, share: f64, counted: &Counted<'_>) -> Option<String> {
        let left = left(elapsed, share)?;
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
        let mut pace = Pace::default();
        let looks = (1..whole * 5).filter_map(|look| {
            let elapsed = LOOK * u32::try_from(look).expect("few");
            let share = elapsed.as_secs_f64() / whole as f64;
            let line = pace.line(elapsed, share, &counted((share * 100.0) as usize))?;
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
        let first = (2, "estimate: 100 drills, about 1m 15s".to_owned());
        assert_eq!(said[0], first);
        let second = "progress: 16 of 100 drills, 2 not passed, 12 s, about 1m 03s left";
        assert_eq!(said[1].1, second);
        assert_eq!(said.len(), 8, "{said:?}");
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
        let estimate = pace.line(two, 2.0 / 60.0, &counted);
        assert_eq!(estimate.as_deref(), Some("estimate: drills, about 1m 00s"));
        let line = pace.line(ten, 12.0 / 60.0, &counted);
        let line = line.expect("a line is due");
        assert_eq!(line, "progress: 16 drills, 12 s, about 48 s left");
    }

    #[test]
    fn what_shows_no_progress_has_no_estimate() {
        let mut pace = Pace::default();
        assert_eq!(pace.line(Duration::from_secs(60), 0.0, &counted(0)), None);
    }
}
