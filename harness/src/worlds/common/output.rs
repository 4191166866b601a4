//! What a process writes, as far as it is kept: a program may write without an end, or leave its output open.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines of a program's standard error that are kept.
pub(in crate::worlds) const ERROR_LINES: usize = 50;
/// So long a program's output is waited for once it has ended, by the wall clock: somebody may hold it open.
pub(in crate::worlds) const LAST_WORDS: Duration = Duration::from_secs(3);
/// Bytes of a line that are kept.
const LINE_BYTES: usize = 256 * 1024;
/// Bytes of a stream that are kept: those of its last lines.
const KEPT_BYTES: usize = 1024 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// The last lines of a stream.
#[derive(Debug, Default)]
pub(in crate::worlds) struct Output {
    pub(in crate::worlds) lines: VecDeque<String>,
    /// Whether something is missing because it was too much, or because the stream was still open.
    pub(in crate::worlds) incomplete: bool,
    bytes: usize,
    unfinished: Vec<u8>,
}

impl Output {
    /// Adds what was read. At most the last `most` lines are kept.
    fn add(&mut self, read: &[u8], most: usize) {
        for piece in read.split_inclusive(|byte| *byte == b'\n') {
            let line = piece.strip_suffix(b"\n");
            let text = line.unwrap_or(piece);
            let room = LINE_BYTES.saturating_sub(self.unfinished.len());
            let (fits, rest) = text.split_at(text.len().min(room));
            self.unfinished.extend_from_slice(fits);
            self.incomplete |= !rest.is_empty();
            if line.is_some() {
                self.end_line(most);
            }
        }
    }

    fn end_line(&mut self, most: usize) {
        let bytes = std::mem::take(&mut self.unfinished);
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        self.bytes += size_of(&line);
        self.lines.push_back(line);
        while self.lines.len() > most || self.bytes > KEPT_BYTES {
            self.incomplete |= self.bytes > KEPT_BYTES;
            let Some(first) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= size_of(&first);
        }
    }
}

/// Bytes that a line takes. An empty one takes some, too.
fn size_of(line: &str) -> usize {
    line.len() + std::mem::size_of::<String>()
}

/// A stream that a thread of its own reads to its end.
pub(in crate::worlds) struct Reading {
    output: Arc<Mutex<Output>>,
    /// Disconnected at the stream's end.
    ended: Receiver<()>,
    most: usize,
}

impl Reading {
    /// Reads `stream`, and keeps at most its last `most` lines.
    pub(in crate::worlds) fn of(stream: Option<impl Read + Send + 'static>, most: usize) -> Self {
        let output = Arc::new(Mutex::new(Output::default()));
        let (open, ended) = mpsc::channel::<()>();
        if let Some(mut stream) = stream {
            let output = Arc::clone(&output);
            thread::spawn(move || {
                let _open = open;
                let mut buffer = vec![0; READ_BYTES];
                loop {
                    match stream.read(&mut buffer) {
                        Ok(count @ 1..) => {
                            let read = buffer.get(..count).unwrap_or_default();
                            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
                            output.add(read, most);
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Ok(_) | Err(_) => return,
                    }
                }
            });
        }
        Self {
            output,
            ended,
            most,
        }
    }

    /// What was read by the stream's end, for which it waits that long at most: a process that is still there may hold
    /// the stream open.
    pub(in crate::worlds) fn take(&self, at_most: Duration) -> Output {
        let ended = self.ended.recv_timeout(at_most);
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = std::mem::take(&mut *output);
        if !output.unfinished.is_empty() {
            output.end_line(self.most);
        }
        output.incomplete |= ended == Err(mpsc::RecvTimeoutError::Timeout);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn read(bytes: impl Read + Send + 'static, most: usize) -> Output {
        Reading::of(Some(bytes), most).take(LONG)
    }

    #[test]
    fn the_last_lines_are_kept() {
        let output = read(&b"one\ntwo \n\nthree"[..], 2);
        assert_eq!(output.lines, ["", "three"]);
        assert!(!output.incomplete);
        assert_eq!(read(&b"one\n"[..], 2).lines, ["one"]);
    }

    #[test]
    fn too_much_is_read_and_dropped() {
        let endless_line = std::io::repeat(b'x').take(100_000_000);
        let output = read(endless_line, usize::MAX);
        let lengths: Vec<usize> = output.lines.iter().map(String::len).collect();
        assert_eq!(lengths, [LINE_BYTES]);
        assert!(output.incomplete);
        let many_lines = std::io::repeat(b'\n').take(10_000_000);
        let output = read(many_lines, usize::MAX);
        assert_eq!(output.lines.len(), KEPT_BYTES / size_of(""));
        assert!(output.incomplete);
    }

    #[test]
    fn a_stream_that_stays_open_is_not_waited_for() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        std::io::Write::write_all(&mut writer, b"all\nthat came").expect("it is open");
        let reading = Reading::of(Some(reader), usize::MAX);
        // The thread has read when the lines are there; the pipe stays open meanwhile.
        loop {
            let output = reading.output.lock().expect("nobody panics");
            if !output.unfinished.is_empty() {
                break;
            }
            drop(output);
            std::thread::yield_now();
        }
        let output = reading.take(Duration::from_millis(1));
        assert_eq!(output.lines, ["all", "that came"]);
        assert!(output.incomplete);
        drop(writer);
    }
}
