//! One process of the program: its end, and its death.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use rustix::process::{Pid, Signal, kill_process_group};

use super::reach::Reach;
use crate::worlds::recording::Ended;

/// So long a process may run without an end, by the wall clock: it may wait for something that never comes.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(5);
/// Lines of its standard error that are kept.
const ERROR_LINES: usize = 50;

/// A process that lives no longer than this value.
pub(super) struct Running {
    group: Arc<AtomicU64>,
    id: u32,
    done: Arc<AtomicBool>,
    ended: oneshot::Receiver<Ended>,
}

impl Running {
    /// Starts `command` by a shell, in that environment.
    ///
    /// # Errors
    /// It can't be started.
    pub(super) fn start(
        reach: &Reach,
        command: &str,
        environment: BTreeMap<&'static str, String>,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("`{command}`: {error}");
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(command)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Whatever it starts dies with it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let id = child.id();
        reach.group.store(u64::from(id), Ordering::SeqCst);
        let done = Arc::new(AtomicBool::new(false));
        let (sender, ended) = oneshot::channel();
        let wake = reach.gate.waker();
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let over = Arc::clone(&done);
        thread::spawn(move || {
            let output = thread::spawn(move || lines(output, usize::MAX));
            let errors = thread::spawn(move || lines(errors, ERROR_LINES));
            let (status, overdue) = wait(&mut child, &over);
            // What it left behind would hold its output open.
            kill(id);
            let ended = Ended {
                code: status.and_then(|status| status.code()),
                output: output.join().unwrap_or_default(),
                errors: errors.join().unwrap_or_default(),
                overdue,
                ..Ended::default()
            };
            // Nobody waits any more where its host died.
            let _ = sender.send(ended);
            wake();
        });
        Ok(Self {
            group: Arc::clone(&reach.group),
            id,
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

impl Drop for Running {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        kill(self.id);
        self.group.store(0, Ordering::SeqCst);
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
fn wait(child: &mut Child, over: &AtomicBool) -> (Option<ExitStatus>, bool) {
    let began = Instant::now();
    let mut overdue = false;
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(status) => return (status, overdue),
            Err(_) => return (None, overdue),
        }
        if began.elapsed() > PATIENCE && !overdue {
            overdue = true;
            kill(child.id());
        }
        if over.load(Ordering::SeqCst) {
            kill(child.id());
        }
        thread::sleep(LOOK);
    }
}

/// The lines of a stream, the last `most` of them.
fn lines(stream: Option<impl std::io::Read>, most: usize) -> Vec<String> {
    let mut kept = std::collections::VecDeque::new();
    for line in stream
        .into_iter()
        .flat_map(|it| BufReader::new(it).split(b'\n'))
    {
        let Ok(line) = line else {
            break;
        };
        if kept.len() == most {
            kept.pop_front();
        }
        kept.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    kept.into()
}

/// Whether a process of the group runs, or waits for a disk: it computes, and does not wait for the world.
pub(super) fn is_computing(group: u64) -> bool {
    if group == 0 {
        return false;
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return false;
    };
    entries.flatten().any(|entry| {
        let numeric = entry
            .file_name()
            .to_str()
            .is_some_and(|it| it.parse::<u32>().is_ok());
        let tasks = || fs::read_dir(entry.path().join("task")).ok();
        numeric
            && in_group(&entry.path().join("stat"), group).is_some()
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
