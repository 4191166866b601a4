//! Seeded randomness, one stream for each component.
//!
//! A stream is derived from the drill's seed and a label, so that a new fault or a new component
//! draws from its own stream and leaves every other draw as it was. Probabilities are ratios of
//! integers and distributions integer tables: the same on every machine.

/// A pseudo-random stream (`splitmix64` seeding, `xoshiro256**` output).
#[derive(Clone, Debug)]
pub struct Rng {
    s: [u64; 4],
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The stream of `seed` for the component called `label`.
    #[must_use]
    pub fn derive(seed: u64, label: &str) -> Self {
        // FNV-1a of the label keeps streams of different labels apart.
        let mut h = 0xcbf2_9ce4_8422_2325_u64;
        for b in label.bytes() {
            h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut state = seed ^ h.rotate_left(32);
        let s = std::array::from_fn(|_| splitmix64(&mut state));
        Self { s }
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let result = self.s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = self.s[1] << 17;
        self.s[2] ^= self.s[0];
        self.s[3] ^= self.s[1];
        self.s[1] ^= self.s[2];
        self.s[0] ^= self.s[3];
        self.s[2] ^= t;
        self.s[3] = self.s[3].rotate_left(45);
        result
    }

    /// A value in `0..n`; `n` must not be 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        debug_assert!(n > 0);
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A value in `lo..=hi`.
    #[inline]
    pub fn between(&mut self, lo: u64, hi: u64) -> u64 {
        debug_assert!(lo <= hi);
        lo + self.below(hi - lo + 1)
    }

    /// True with probability `num`/`den`.
    #[inline]
    pub fn ratio(&mut self, num: u64, den: u64) -> bool {
        self.below(den) < num
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn streams_depend_on_seed_and_label_only() {
        let draw = |seed, label| Rng::derive(seed, label).next_u64();
        assert_eq!(draw(7, "fabric"), draw(7, "fabric"));
        assert_ne!(draw(7, "fabric"), draw(8, "fabric"));
        assert_ne!(draw(7, "fabric"), draw(7, "kubelet"));
    }

    #[test]
    fn between_reaches_both_ends_and_no_further() {
        let mut rng = Rng::derive(1, "t");
        let drawn: std::collections::BTreeSet<u64> =
            (0..1_000).map(|_| rng.between(3, 6)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
    }
}
