//! A text told as a change of another: a runbook that differs in a few lines from the built-in one fits
//! into a replay token.
//!
//! Instructions, one after another: copy lines of the base, or insert bytes.

/// Writes a LEB128 number.
pub(crate) fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Takes a LEB128 number off `input`; `None` if it is cut or longer than 64 bits.
pub(crate) fn take_number(input: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        n |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

/// Takes `length` bytes off `input`.
pub(crate) fn take_bytes<'a>(input: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (bytes, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(bytes)
}

const COPY: u8 = 0;
const INSERT: u8 = 1;

/// `text` as a change of `base`.
#[must_use]
pub fn encode(base: &str, text: &str) -> Vec<u8> {
    let base: Vec<&str> = base.split_inclusive('\n').collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = Vec::new();
    let mut pending = String::new();
    let flush = |out: &mut Vec<u8>, pending: &mut String| {
        if !pending.is_empty() {
            out.push(INSERT);
            put_number(out, pending.len() as u64);
            out.extend_from_slice(pending.as_bytes());
            pending.clear();
        }
    };
    let mut at = 0;
    while at < lines.len() {
        let run = |start: usize| {
            base[start..]
                .iter()
                .zip(&lines[at..])
                .take_while(|(a, b)| a == b)
                .count()
        };
        // The first of the longest runs.
        let (start, length) =
            (0..base.len())
                .map(|start| (start, run(start)))
                .fold(
                    (0, 0),
                    |best, next| if next.1 > best.1 { next } else { best },
                );
        let bytes: usize = lines[at..at + length].iter().map(|l| l.len()).sum();
        if bytes > 8 {
            flush(&mut out, &mut pending);
            out.push(COPY);
            put_number(&mut out, start as u64);
            put_number(&mut out, length as u64);
            at += length;
        } else {
            pending.push_str(lines[at]);
            at += 1;
        }
    }
    flush(&mut out, &mut pending);
    out
}

/// The text that `delta` makes of `base`; `None` if it does not fit the base, or is longer than `limit` bytes.
#[must_use]
pub fn decode(base: &str, mut delta: &[u8], limit: usize) -> Option<String> {
    let base: Vec<&str> = base.split_inclusive('\n').collect();
    let mut out = Vec::new();
    while let Some((&kind, rest)) = delta.split_first() {
        delta = rest;
        match kind {
            COPY => {
                let start = usize::try_from(take_number(&mut delta)?).ok()?;
                let length = usize::try_from(take_number(&mut delta)?).ok()?;
                for line in base.get(start..start.checked_add(length)?)? {
                    out.extend_from_slice(line.as_bytes());
                }
            }
            INSERT => {
                let length = take_number(&mut delta)?;
                out.extend_from_slice(take_bytes(&mut delta, length)?);
            }
            _ => return None,
        }
        if out.len() > limit {
            return None;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_survives(base in "([a-c]{0,12}\n){0,12}", text in "([a-c]{0,12}\n?){0,12}") {
            let delta = encode(&base, &text);
            prop_assert_eq!(decode(&base, &delta, 10_000), Some(text));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode("a\nb\nc\n", &bytes, 1_000);
        }

        #[test]
        fn numbers_survive(n: u64) {
            let mut out = Vec::new();
            put_number(&mut out, n);
            let mut input = out.as_slice();
            prop_assert_eq!(take_number(&mut input), Some(n));
            prop_assert!(input.is_empty());
        }
    }

    #[test]
    fn a_small_change_is_small() {
        let base: String = (0..300)
            .map(|i| format!("line {i} of the procedure\n"))
            .collect();
        let text = base.replace("line 150 of", "line 150, changed, of");
        assert!(encode(&base, &text).len() < 60);
    }
}
