//! What is done where this process dies without a word, as by `SIGKILL` or by a second Ctrl-C: a shell of its own
//! waits for that, kills the program's process group, and removes the drill's folder with the token in it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Its input ends with this process. Each line is the process group that is at work from then on; 0: none is.
const SCRIPT: &str = r#"group=0
while read -r next; do group=$next; done
if [ "$group" -gt 0 ]; then kill -s KILL -- "-$group"; fi
rm -rf -- "$1"
"#;

/// The shell that waits. It ends with this value.
pub(super) struct Guard {
    shell: Child,
    input: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Watches over `folder`, which is removed at the latest with this value.
    ///
    /// # Errors
    /// The shell can't be started.
    pub(super) fn of(folder: &Path) -> std::io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C on the terminal is not for it.
            .process_group(0)
            .spawn()?;
        let input = Mutex::new(shell.stdin.take());
        Ok(Self { shell, input })
    }

    /// That process group is at work now; 0: none is.
    pub(super) fn at_work(&self, group: u32) {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = input.as_mut() {
            // Where somebody has killed the shell, nothing is lost but its care.
            let _ = writeln!(input, "{group}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let input = self.input.get_mut();
        drop(input.unwrap_or_else(PoisonError::into_inner).take());
        // It ends at once, as its input has ended.
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_killed_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let of_drill = folder.path().join("of a drill");
        std::fs::create_dir(&of_drill).expect("it is ours");
        std::fs::write(of_drill.join("kubeconfig"), "token").expect("it is ours");
        let mut program = Command::new("sleep")
            .arg("600")
            .process_group(0)
            .spawn()
            .expect("it starts");
        let guard = Guard::of(&of_drill).expect("it starts");
        guard.at_work(0);
        guard.at_work(program.id());
        assert!(of_drill.exists());
        drop(guard);
        let ended = program.wait().expect("it is ours");
        assert_eq!(ended.code(), None, "a signal has ended it");
        assert!(!of_drill.exists());
    }
}
