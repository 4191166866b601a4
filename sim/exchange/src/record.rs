//! What the clients themselves saw: the harness judges by this, not by what the exchange reports.

use dex::command::Command;

use crate::database::order_content;
use sim::time::Micros;

/// Buckets of [`LatencyHistogram`].
const BUCKETS: usize = 272;

/// Latencies in µs: 16 buckets for each power of two, so a quantile is at most 1/16 too high.
/// Below 64 µs everything falls into the first bucket, above 8.3 s into the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyHistogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            total: 0,
        }
    }
}

#[inline]
fn bucket(us: u64) -> usize {
    if us < 64 {
        return 0;
    }
    let power = 63 - u64::from(us.leading_zeros());
    let index = (power - 6) * 16 + ((us >> (power - 4)) & 15);
    (index as usize).min(BUCKETS - 1)
}

/// The upper end of a bucket, in µs.
fn upper_us(bucket: usize) -> u64 {
    let (power, part) = (bucket as u64 / 16 + 6, bucket as u64 % 16);
    (1 << power) + ((part + 1) << (power - 4))
}

impl LatencyHistogram {
    #[inline]
    pub(super) fn add(&mut self, us: u64) {
        self.counts[bucket(us)] += 1;
        self.total += 1;
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.total += other.total;
    }

    /// Number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Upper bound of the `num`/`den` quantile; `None` if there is no latency at all.
    #[must_use]
    pub fn quantile(&self, num: u64, den: u64) -> Option<Micros> {
        if self.total == 0 {
            return None;
        }
        let rank = (self.total * num).div_ceil(den).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(Micros(upper_us(index)));
            }
        }
        None
    }
}

/// What the clients saw within one second, by the instant at which they learned it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Answered with 200.
    pub ok: u32,
    /// Answered with 400: refused on business grounds.
    pub rejected: u32,
    /// Answered with 503 marked as maintenance.
    pub maintenance: u32,
    /// Errors: any other 5xx, no answer within the client's timeout, no connection, connection lost.
    pub errors: u32,
    /// Latencies of all answers other than maintenance (a timeout counts with its full time; refused
    /// connections do not count).
    pub latency: LatencyHistogram,
}

impl Second {
    /// Requests that ended in this second.
    #[must_use]
    pub fn total(&self) -> u64 {
        u64::from(self.ok)
            + u64::from(self.rejected)
            + u64::from(self.maintenance)
            + u64::from(self.errors)
    }
}

/// An order or a trade whose acknowledgement reached its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acknowledged {
    /// Order id or trade id.
    pub id: u64,
    /// Stable hash of its content.
    pub content: u64,
}

/// An error that a client saw, for timelines: the first and the last of each kind say enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// Nothing listened, or the Service had no endpoints.
    Refused,
    /// The connection broke while the request was under way.
    Reset,
    /// No answer within the client's timeout.
    Timeout,
    /// Status 500.
    Internal,
    /// Status 503 without the mark of maintenance.
    Unavailable,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Refused,
        Self::Reset,
        Self::Timeout,
        Self::Internal,
        Self::Unavailable,
    ];
}

/// Everything that the clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientRecord {
    /// One entry for each second since the drill began.
    pub seconds: Vec<Second>,
    /// Acknowledged orders, in the order of their acknowledgement.
    pub orders: Vec<Acknowledged>,
    /// Acknowledged trades, in the order of their acknowledgement.
    pub trades: Vec<Acknowledged>,
    /// Content of every order whose client learned neither that it was taken nor that it was refused:
    /// it may have been taken.
    pub unanswered: Vec<u64>,
    /// Requests sent.
    pub sent: u64,
    /// Orders that took effect, but whose acknowledgement never reached the client: neither
    /// acknowledged nor lost.
    pub unknown: u64,
    /// When the first request was sent.
    pub first_at: Option<Micros>,
    /// When a client last learned the outcome of a request.
    pub last_at: Option<Micros>,
    /// When the last error of any kind was seen.
    pub last_error_at: Option<Micros>,
    /// Errors by kind, in the order of [`ErrorKind::ALL`].
    pub errors_by_kind: [u64; 5],
}

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Ok,
    Rejected,
    Maintenance,
    Error(ErrorKind),
}

impl ClientRecord {
    pub(super) fn with_capacity(requests: usize, seconds: usize) -> Self {
        Self {
            seconds: Vec::with_capacity(seconds),
            orders: Vec::with_capacity(requests),
            trades: Vec::with_capacity(requests),
            ..Self::default()
        }
    }

    /// A request ended in an error, or without an answer.
    pub(super) fn unanswered(&mut self, command: &Command) {
        if let Command::Place { .. } = command {
            self.unanswered.push(order_content(command));
        }
    }

    #[inline]
    pub(super) fn add(&mut self, at: Micros, seen: Seen, latency_us: Option<u64>) {
        let second = (at.0 / 1_000_000) as usize;
        while self.seconds.len() <= second {
            self.seconds.push(Second::default());
        }
        let bucket = &mut self.seconds[second];
        match seen {
            Seen::Ok => bucket.ok += 1,
            Seen::Rejected => bucket.rejected += 1,
            Seen::Maintenance => bucket.maintenance += 1,
            Seen::Error(kind) => {
                bucket.errors += 1;
                self.errors_by_kind[kind as usize] += 1;
                self.last_error_at = Some(at);
            }
        }
        if let Some(us) = latency_us {
            bucket.latency.add(us);
        }
        self.last_at = Some(at);
    }

    /// The sum over the seconds `from..to` (seconds since the drill began; `to` is excluded).
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> Second {
        let mut sum = Second::default();
        for second in self.seconds.iter().take(to).skip(from) {
            sum.ok += second.ok;
            sum.rejected += second.rejected;
            sum.maintenance += second.maintenance;
            sum.errors += second.errors;
            sum.latency.merge(&second.latency);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::{LatencyHistogram, bucket, upper_us};
    use sim::time::Micros;

    #[test]
    fn buckets_are_contiguous_and_narrow() {
        let mut last = 0;
        for us in 1..9_000_000_u64 {
            let b = bucket(us);
            assert!(b == last || b == last + 1, "at {us}");
            last = b;
            if (64..8_300_000).contains(&us) {
                assert!(
                    us < upper_us(b) && upper_us(b) <= us + us / 16 + 1,
                    "at {us}"
                );
            }
        }
    }

    #[test]
    fn quantiles_of_known_latencies() {
        let mut histogram = LatencyHistogram::default();
        assert_eq!(histogram.quantile(99, 100), None);
        for us in 1..=1_000 {
            histogram.add(us * 100);
        }
        let p99 = histogram.quantile(99, 100).unwrap();
        assert!(p99 > Micros(99_000) && p99 <= Micros(106_000), "{p99}");
        assert!(histogram.quantile(100, 100).unwrap() >= Micros(100_000));
    }
}
