//! Digests of texts: which scenario, which runbook.

/// FNV-1a, 64 bits. Tells texts apart by accident, not by malice.
#[must_use]
pub fn digest64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_values_of_fnv1a() {
        assert_eq!(super::digest64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::digest64(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
