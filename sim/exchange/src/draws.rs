//! What is drawn for each request, from integer tables: the same on every machine.

use sim::rng::Rng;

/// `65,536 × (1 − log2(1 + (m + ½) / 64))` for the six bits `m` after the leading one of a draw.
const MINUS_LOG2: [u64; 64] = [
    64_800, 63_346, 61_913, 60_502, 59_111, 57_741, 56_390, 55_059, 53_745, 52_450, 51_173, 49_912,
    48_668, 47_440, 46_228, 45_031, 43_849, 42_682, 41_529, 40_390, 39_264, 38_152, 37_052, 35_965,
    34_891, 33_829, 32_778, 31_739, 30_711, 29_695, 28_689, 27_694, 26_709, 25_734, 24_769, 23_814,
    22_869, 21_933, 21_006, 20_088, 19_179, 18_278, 17_386, 16_502, 15_627, 14_760, 13_900, 13_048,
    12_204, 11_367, 10_538, 9716, 8901, 8093, 7291, 6497, 5709, 4927, 4152, 3384, 2621, 1865, 1115,
    370,
];

/// One way through the network, in µs: 64 quantiles of a log-normal distribution with median 220 µs
/// and σ 0.55, as within one zone.
const NETWORK_US: [u64; 64] = [
    58, 74, 83, 91, 98, 104, 109, 114, 119, 124, 128, 133, 137, 141, 146, 150, 154, 158, 162, 166,
    170, 174, 178, 183, 187, 191, 195, 200, 204, 208, 213, 218, 222, 227, 232, 237, 243, 248, 253,
    259, 265, 271, 278, 284, 291, 299, 306, 315, 323, 332, 342, 353, 364, 377, 390, 406, 423, 443,
    466, 495, 531, 580, 656, 832,
];

/// An exponentially distributed span with mean `mean_us`, in µs.
///
/// `−log2` of a uniform draw is the number of leading zeros plus a fraction that the next bits give;
/// 45,426 is `65,536 × ln 2`.
#[inline]
pub(super) fn exponential_us(rng: &mut Rng, mean_us: u64) -> u64 {
    let u = rng.next_u64() | 1;
    let zeros = u64::from(u.leading_zeros());
    let mantissa = (u << zeros << 1 >> 58) as usize;
    let log2 = zeros * 65_536 + MINUS_LOG2[mantissa];
    (mean_us * ((log2 * 45_426) >> 16)) >> 16
}

/// One way through the network, in µs, from six bits of a draw.
#[inline]
pub(super) fn network_us(bits: u64) -> u64 {
    NETWORK_US[(bits & 63) as usize]
}

#[cfg(test)]
mod tests {
    use super::{exponential_us, network_us};
    use sim::rng::Rng;

    #[test]
    fn exponential_has_its_mean_and_its_tail() {
        let mut rng = Rng::derive(3, "draws");
        let draws: Vec<u64> = (0..200_000)
            .map(|_| exponential_us(&mut rng, 5_000))
            .collect();
        let mean = draws.iter().sum::<u64>() / draws.len() as u64;
        assert!((4_930..5_070).contains(&mean), "mean {mean}");
        // P(X > 3 means) = e^-3 = 4.98 %
        let beyond = draws.iter().filter(|d| **d > 15_000).count();
        assert!(
            (9_500..10_400).contains(&beyond),
            "{beyond} beyond three means"
        );
    }

    #[test]
    fn network_never_takes_no_time() {
        assert!((0..64).all(|bits| network_us(bits) > 0));
    }
}
