//! One user of the cluster at a time: a drill, a calibration, a benchmark. An advisory lock on a file beside
//! `cluster.json`, held as long as the value lives, and gone with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::clock::sleep;

/// How often a waiting user looks whether the cluster is free.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The cluster is this process's.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever reads it later is not told of one that is gone. The lock itself goes with the file's handle.
        let _ = self.0.set_len(0);
    }
}

/// Takes the lock for `user`, if it is free; `Err`: what its holder calls itself.
fn attempt(path: &Path, user: &str) -> Result<Result<Lock, String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A holder that is just coming or going has left nothing to read.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().to_owned();
            return Ok(Err(if holder.is_empty() {
                "somebody".to_owned()
            } else {
                holder
            }));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{user} (process {})", std::process::id()).map_err(failed)?;
    Ok(Ok(Lock(file)))
}

/// Waits until nobody else uses the cluster. `say` hears whom it waits for, once for each; `stop` ends the wait.
///
/// # Errors
/// The file can't be made or locked, or the wait was ended.
pub(super) async fn take(
    path: &Path,
    user: &str,
    say: &(dyn Fn(&str) + Sync),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Lock, String> {
    let mut waits_for = String::new();
    loop {
        match attempt(path, user)? {
            Ok(lock) => return Ok(lock),
            Err(holder) => {
                if holder != waits_for {
                    say(&format!("{holder} uses the cluster; waiting for its end"));
                    waits_for = holder;
                }
            }
        }
        if stop() {
            return Err(format!(
                "interrupted while {waits_for} was using the cluster"
            ));
        }
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Lock, attempt, take};

    struct Path(PathBuf);

    impl Path {
        fn new(name: &str) -> Self {
            let file = format!("firedrill-lock-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(file))
        }
    }

    impl Drop for Path {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn one_at_a_time_and_the_second_is_told_who_is_first() {
        let path = Path::new("one");
        let first = attempt(&path.0, "a drill").expect("it can be made");
        assert!(first.is_ok());
        let second = attempt(&path.0, "a benchmark").expect("it can be read");
        let holder = second.expect_err("it is held");
        assert!(
            holder.starts_with("a drill (process "),
            "whose it is: {holder}"
        );
        drop(first);
        assert!(attempt(&path.0, "a benchmark").expect("free").is_ok());
    }

    #[test]
    fn a_second_user_waits_says_so_once_and_then_has_it() {
        let path = Path::new("wait");
        let first: Mutex<Option<Lock>> =
            Mutex::new(attempt(&path.0, "a drill").expect("it can be made").ok());
        let (told, looks) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        let say = |text: &str| told.lock().expect("whole").push(text.to_owned());
        // The first user ends while the second one waits.
        let stop = || {
            if looks.fetch_add(1, Ordering::Relaxed) == 1 {
                drop(first.lock().expect("whole").take());
            }
            false
        };
        assert!(run(take(&path.0, "a benchmark", &say, &stop)).is_ok());
        let told = told.lock().expect("whole");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("a drill"), "{told:?}");
    }

    #[test]
    fn waiting_can_be_ended() {
        let path = Path::new("end");
        let _first = attempt(&path.0, "a drill").expect("it can be made");
        let ended = run(take(&path.0, "a benchmark", &|_| {}, &|| true));
        assert!(ended.is_err_and(|why| why.starts_with("interrupted while a drill")));
    }
}
