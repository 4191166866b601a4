//! One process of the program: its end, and its death.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::guard::Guard;
use super::reach::Reach;
use crate::worlds::common::output::{ERROR_LINES, LAST_WORDS, Reading};
use crate::worlds::recording::Ended;

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);
/// The variable by which its processes are known that have left its group.
const MARK: &str = "FIREDRILL_RUN";
/// How often processes are looked for that have its mark: one may start another meanwhile.
const LOOKS: usize = 3;

/// How many processes were started, so that each has a mark of its own.
static STARTED: AtomicU64 = AtomicU64::new(0);

/// A process that lives no longer than this value.
pub(super) struct Running<'a> {
    group: &'a AtomicU64,
    guard: &'a Guard,
    id: u32,
    mark: String,
    done: Arc<AtomicBool>,
    ended: oneshot::Receiver<Ended>,
}

impl<'a> Running<'a> {
    /// Starts `command` by a shell, in that environment. It is killed if it runs for `patience`, by the wall clock,
    /// without a request: it may wait for something that never comes, such as an instant of the world's clock, which
    /// stands still meanwhile.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start(
        reach: &'a Reach,
        command: &str,
        environment: BTreeMap<&'static str, String>,
        patience: Duration,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("`{command}`: {error}");
        let number = STARTED.fetch_add(1, Ordering::SeqCst);
        let mark = format!("{}-{number}", std::process::id());
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(command)
            .envs(environment)
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Whatever it starts dies with it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let id = child.id();
        reach.guard.at_work(id);
        reach.group.store(u64::from(id), Ordering::SeqCst);
        let done = Arc::new(AtomicBool::new(false));
        let (sender, ended) = oneshot::channel();
        let wake = reach.gate.waker();
        let gate = reach.gate.clone();
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let over = Arc::clone(&done);
        let marked = mark.clone();
        thread::spawn(move || {
            let output = Reading::of(output, usize::MAX);
            let errors = Reading::of(errors, ERROR_LINES);
            let (status, overdue) = wait(&mut child, &over, patience, || gate.requests());
            // What it left behind would hold its output open.
            kill(id);
            kill_marked(&marked);
            let (output, errors) = (output.take(LAST_WORDS), errors.take(LAST_WORDS));
            let ended = Ended {
                code: status.and_then(|status| status.code()),
                incomplete: output.incomplete || errors.incomplete,
                output: output.lines.into(),
                errors: errors.lines.into(),
                overdue,
                ..Ended::default()
            };
            // Nobody waits any more where its host died.
            let _ = sender.send(ended);
            wake();
        });
        Ok(Self {
            group: &reach.group,
            guard: &reach.guard,
            id,
            mark,
            done,
            ended,
        })
    }

    /// Completes when it has ended.
    pub(super) async fn ended(&mut self) -> Result<Ended, String> {
        let ended = (&mut self.ended).await;
        ended.map_err(|_| "the thread that waits for the executor has died".to_owned())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        kill(self.id);
        kill_marked(&self.mark);
        self.group.store(0, Ordering::SeqCst);
        self.guard.at_work(0);
    }
}

/// Kills a process group, if it is still there.
fn kill(id: u32) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended by itself.
        let _ = kill_process_group(id, Signal::KILL);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process outside the world ends when it ends; the drill is told, and sees no clock"
)]
fn wait(
    child: &mut Child,
    over: &AtomicBool,
    patience: Duration,
    requests: impl Fn() -> u64,
) -> (Option<ExitStatus>, bool) {
    let mut last = (requests(), Instant::now());
    let mut overdue = false;
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(status) => return (status, overdue),
            Err(_) => return (None, overdue),
        }
        let so_far = requests();
        if so_far != last.0 {
            last = (so_far, Instant::now());
        }
        if last.1.elapsed() > patience && !overdue {
            overdue = true;
            kill(child.id());
        }
        if over.load(Ordering::SeqCst) {
            kill(child.id());
        }
        thread::sleep(LOOK);
    }
}

/// Kills the processes that have the mark in their environment: those that the program has started, also in a group or
/// a session of their own. One that was started without the program's environment is not found, nor is any where the
/// system has no `/proc`.
fn kill_marked(mark: &str) {
    let variable = format!("{MARK}={mark}");
    for _ in 0..LOOKS {
        let mut found = false;
        for (id, path) in processes() {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            if variables.any(|it| it == variable.as_bytes()) {
                // It may have ended by itself.
                found |= kill_process(id, Signal::KILL).is_ok();
            }
        }
        if !found {
            return;
        }
    }
}

/// The processes that there are, and their folders (proc(5)).
fn processes() -> impl Iterator<Item = (Pid, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        Some((Pid::from_raw(id)?, entry.path()))
    })
}

/// Whether a process of the group runs, or waits for a disk: it computes, and does not wait for the world.
pub(super) fn is_computing(group: u64) -> bool {
    if group == 0 {
        return false;
    }
    processes().any(|(_, path)| {
        let tasks = || fs::read_dir(path.join("task")).ok();
        in_group(&path.join("stat"), group).is_some()
            && tasks().is_some_and(|mut tasks| {
                tasks.any(|task| {
                    let stat = task.map(|task| task.path().join("stat"));
                    let state = stat.ok().and_then(|stat| in_group(&stat, group));
                    matches!(state, Some('R' | 'D'))
                })
            })
    })
}

/// The state of a thread, if it is in that process group (proc_pid_stat(5)).
fn in_group(stat: &std::path::Path, group: u64) -> Option<char> {
    let text = fs::read_to_string(stat).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let own: u64 = fields.nth(1)?.parse().ok()?;
    (own == group).then_some(state)
}
