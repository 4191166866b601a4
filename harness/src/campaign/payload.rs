//! A shard's files as the last lines of its log: compressed, in base64, in lines that a container runtime writes whole.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Files by name.
pub type Files = BTreeMap<String, String>;

/// Most bytes of the lines. A kubelet keeps the last 10 MiB of a log at least (`containerLogMaxSize`), and what a shard
/// prints besides takes far less than the rest.
pub const PAYLOAD_MAX: usize = 4 << 20;
/// What each line begins with: name and version of the form.
const MARK: &str = "firedrill-payload/1";
/// Characters of base64 in a line. containerd cuts lines at 16 KiB.
const LINE: usize = 8_192;
/// Most bytes of the files: what would take more is refused, so that no log fills the memory.
const FILES_MAX: usize = 1 << 30;

/// Why a log has no files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// No line of it is part of a payload.
    #[error("the log has no results")]
    Missing,
    /// Lines are missing, in the wrong order or cut.
    #[error("the results in the log are not whole: {0}")]
    Broken(&'static str),
}

/// The lines that hold `files`.
#[must_use]
pub fn lines(files: &Files) -> Vec<String> {
    // A map of texts: there is nothing that could fail.
    let json = serde_json::to_vec(files).unwrap_or_default();
    let packed = miniz_oxide::deflate::compress_to_vec(&json, 6);
    let checksum = crc32fast::hash(&packed);
    let text = STANDARD.encode(packed);
    let parts: Vec<&str> = (0..text.len())
        .step_by(LINE)
        .map(|at| &text[at..text.len().min(at + LINE)])
        .collect();
    let all = parts.len();
    let line =
        |(at, part): (usize, &&str)| format!("{MARK} {} {all} {checksum:08x} {part}", at + 1);
    parts.iter().enumerate().map(line).collect()
}

/// The files that the lines of `log` hold.
///
/// # Errors
/// They are not there, or not whole.
pub fn read(log: &str) -> Result<Files, PayloadError> {
    let broken = PayloadError::Broken;
    let mut text = String::new();
    let (mut seen, mut all, mut checksum) = (0, 0, 0);
    for line in log.lines() {
        let mut words = line.split(' ');
        if words.next() != Some(MARK) {
            continue;
        }
        let mut number = |radix| {
            let word = words.next()?;
            u32::from_str_radix(word, radix).ok()
        };
        let head = (number(10), number(10), number(16));
        let (Some(part), Some(parts), Some(sum)) = head else {
            return Err(broken("a line has no number"));
        };
        if part != seen + 1 || seen > 0 && (parts, sum) != (all, checksum) {
            return Err(broken("lines are missing"));
        }
        (seen, all, checksum) = (part, parts, sum);
        text.push_str(words.next().unwrap_or_default());
    }
    if seen == 0 {
        return Err(PayloadError::Missing);
    }
    if seen != all {
        return Err(broken("its end is missing"));
    }
    let packed = STANDARD.decode(text);
    let packed = packed.map_err(|_| broken("it is no base64"))?;
    if crc32fast::hash(&packed) != checksum {
        return Err(broken("its checksum does not match"));
    }
    let json = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, FILES_MAX);
    let json = json.map_err(|_| broken("it can't be unpacked"))?;
    serde_json::from_slice(&json).map_err(|_| broken("it holds no files"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(bytes: usize) -> String {
        // Digits of a sequence that does not compress well.
        let mut state = 7_u64;
        let mut text = String::new();
        while text.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(&format!("{state:016x}"));
        }
        text
    }

    proptest! {
        #[test]
        fn files_come_back_from_among_other_lines(
            files in prop::collection::btree_map(any::<String>(), any::<String>(), 0..5),
            before in any::<String>(),
        ) {
            prop_assume!(!before.contains(MARK));
            let log = format!("{before}\n{}\nthe end", lines(&files).join("\n"));
            prop_assert_eq!(read(&log), Ok(files));
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let files = Files::from([("a".to_owned(), noise(100_000))]);
        let whole = lines(&files);
        assert!(whole.len() > 3 && whole.iter().all(|line| line.len() < 9_000));
        assert_eq!(read(&whole.join("\n")), Ok(files));
        assert_eq!(read("nothing"), Err(PayloadError::Missing));
        let without = |at: usize| {
            let mut lines = whole.clone();
            lines.remove(at);
            read(&lines.join("\n"))
        };
        for at in [0, 1, whole.len() - 1] {
            assert!(matches!(without(at), Err(PayloadError::Broken(_))), "{at}");
        }
        let other = whole
            .join("\n")
            .replacen("AA", "AB", 1)
            .replacen("BB", "BA", 1);
        assert!(other == whole.join("\n") || matches!(read(&other), Err(PayloadError::Broken(_))));
        let twice = [whole.clone(), whole].concat().join("\n");
        assert!(matches!(read(&twice), Err(PayloadError::Broken(_))));
    }
}
