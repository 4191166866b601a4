//! The fingerprint: one rolling hash over every event of a run.
//!
//! Two runs of the same (build, scenario, seed) must end with the same fingerprint; a leak of
//! wall-clock time, unseeded randomness or hash-map order changes it even where no assertion looks.

use crate::time::Micros;

/// The rolling hash of a run.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    hash: u64,
    events: u64,
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            events: 0,
        }
    }
}

impl Fingerprint {
    /// Mixes in one event: what happened (`kind`), when, and the bytes that describe it.
    pub fn record(&mut self, at: Micros, kind: &str, detail: &[u8]) {
        self.events += 1;
        self.word(at.0);
        self.bytes(kind.as_bytes());
        self.bytes(detail);
    }

    /// Mixes in one event that is described by numbers alone.
    #[inline]
    pub fn record_words(&mut self, at: Micros, kind: u64, words: &[u64]) {
        self.events += 1;
        self.word(at.0);
        self.word(kind);
        for &w in words {
            self.word(w);
        }
    }

    #[inline]
    fn word(&mut self, w: u64) {
        self.hash = (self.hash.rotate_left(5) ^ w).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut w = [0_u8; 8];
            w[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(w));
        }
    }

    /// How many events were mixed in.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The fingerprint so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        let mut z = self.hash ^ self.events;
        z = (z ^ (z >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        z ^ (z >> 32)
    }
}
