//! Base64 as Secrets have it (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64, with padding.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i <= chunk.len() {
                let six = bits >> (18 - 6 * i) & 0x3f;
                out.push(char::from(ALPHABET[six as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The bytes of a text in base64. What is no base64 is passed over.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut out) = (0_u32, 0_u32, Vec::new());
    for c in text.bytes() {
        let Some(six) = ALPHABET.iter().position(|a| *a == c) else {
            continue;
        };
        bits = (bits << 6) | six as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{decoded, encoded};

    #[test]
    fn texts_come_back() {
        for (text, code) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("~\u{7f}\u{fffd}", "fn/vv70="),
        ] {
            assert_eq!(encoded(text.as_bytes()), code);
            assert_eq!(decoded(code), text.as_bytes());
            assert_eq!(decoded(code.trim_end_matches('=')), text.as_bytes());
        }
    }
}
