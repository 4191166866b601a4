//! Reading a text file that may be anything: a device without an end, or a file of a size that nobody meant.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes of a text file. A runbook or a scenario has some tens of thousands.
pub const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Reads the file at `path` as UTF-8. Pipes and devices can be read too, as far as they end.
///
/// # Errors
/// It can't be read, is longer than [`TEXT_BYTES_MAX`], or is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(TEXT_BYTES_MAX + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        let why = format!("longer than {} MiB", TEXT_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::Path;

    use super::read_text;

    #[test]
    fn a_device_without_an_end_is_refused() {
        let refused = read_text(Path::new("/dev/zero")).map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::FileTooLarge));
        assert!(read_text(Path::new("/dev/null")).is_ok_and(|text| text.is_empty()));
    }
}
