//! The format `rollback/1`, a line at a time.

use std::io::Write;

use executor::wire::{Body, Line};
use jiff::Timestamp;

/// Writes a line. Nobody reads any more: there is nobody to tell, and the rollback goes on.
pub(crate) fn write(at: Timestamp, body: Body) {
    let Ok(mut text) = serde_json::to_string(&Line::new(at, body)) else {
        return;
    };
    text.push('\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
