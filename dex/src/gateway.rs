//! The gateway: one pod's front door, as a synchronous state machine.
//!
//! It validates a request, limits the rate of each account, refuses while trading is halted, makes a
//! risk pre-check, and recognises a request that a client has sent twice.
//!
//! How duplicates are found is where release 1.5.0 went wrong. The stable build looks into a small table by hash. The
//! slow build walks a list of recent requests, which it prunes at [`SLOW_PATH_RETENTION`] instead of at
//! [`RECENT`]. **What is real:** the list's length is the true number of requests that this pod has
//! admitted since its start (capped), and the walk over its last [`RECENT`] entries is done. **What is arithmetic:**
//! the entries before those hold no id that can still arrive, so they are not kept; their cost is charged
//! as [`Work`] all the same, [`SLOW_PATH_UNITS_PER_ENTRY`] each. At [`UNIT_NANOS`](crate::types::UNIT_NANOS)
//! and 67 requests a second and pod (15 ms between arrivals), a request costs 0.4 ms in a healthy pod; in a slow one
//! 8.4 ms after 30 s, and 15.6 ms from 57 s on: just past saturation, so its queue grows.

use std::collections::BTreeMap;

use crate::command::{Command, Reject};
use crate::market::MarketSpec;
use crate::release::{Build, Defect};
use crate::types::Work;

/// Work of reading a request.
pub const WORK_RECEIVE: u64 = 120;
/// Work of validation, rate limit and duplicate check of the stable build.
pub const WORK_CHECK: u64 = 100;
/// Work of the risk pre-check.
pub const WORK_RISK: u64 = 80;
/// Work of passing the request on and writing the answer.
pub const WORK_FORWARD: u64 = 100;
/// Recent requests among which duplicates are looked for.
pub const RECENT: usize = 64; // a power of two: `seen` takes 6 bits of the hash
/// Entries that the slow build keeps in its list.
pub const SLOW_PATH_RETENTION: u64 = 3_800;
/// Work of comparing a request with one entry of the list.
pub const SLOW_PATH_UNITS_PER_ENTRY: u64 = 4;

/// Whether trading is open: the content of the `dex-trading` ConfigMap as the pod knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TradingMode {
    /// Orders are taken.
    #[default]
    Open,
    /// Trading is halted: requests are refused, marked as maintenance.
    Maintenance,
}

impl TradingMode {
    /// The value of the ConfigMap's key `mode`. Anything unknown counts as a halt.
    #[must_use]
    pub fn parse(mode: &str) -> Self {
        if mode == "open" {
            Self::Open
        } else {
            Self::Maintenance
        }
    }
}

/// A client's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the client, unique; the same when it sends the request again. Not 0.
    pub id: u64,
    /// When it arrives, in microseconds.
    pub at_micros: u64,
    /// What it asks for.
    pub command: Command,
}

/// What the gateway decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Passes the command on to the matching engine.
    Forward,
    /// Refuses it on business grounds (400).
    Reject(Reject),
    /// Refuses it because trading is halted (503, marked as maintenance).
    Maintenance,
    /// Answers 500: the build's own error.
    Broken,
    /// Forgets it: the client gets no answer, and nothing is counted.
    Lost,
}

/// A decision and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The decision.
    pub decision: Decision,
    /// Work done, the answer to the client included.
    pub work: Work,
}

/// Configuration that the release ships in `gateway-config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Requests of one account that one pod admits in one second.
    pub rate_limit_per_account: u16,
    /// Largest notional of one order, in minor units of the quote asset.
    pub max_notional: i64,
    /// Requests under way in a pod before it refuses more (503).
    pub queue_max: u16,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            rate_limit_per_account: 250,
            max_notional: 1_000_000_000_000,
            queue_max: 128,
        }
    }
}

/// Configuration that the gateway refuses to start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?} is not a positive number")]
pub struct ConfigError {
    /// The variable.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Why it does not parse; absent if it is out of range.
    #[source]
    pub source: Option<std::num::ParseIntError>,
}

impl GatewayConfig {
    /// Reads `RATE_LIMIT_PER_ACCOUNT`, `MAX_NOTIONAL` and `QUEUE_MAX` from a container's environment;
    /// what is absent keeps its default.
    ///
    /// # Errors
    /// A value that is not a positive number.
    pub fn from_env(env: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let default = Self::default();
        Ok(Self {
            rate_limit_per_account: number(
                env,
                "RATE_LIMIT_PER_ACCOUNT",
                default.rate_limit_per_account,
            )?,
            max_notional: number(env, "MAX_NOTIONAL", default.max_notional)?,
            queue_max: number(env, "QUEUE_MAX", default.queue_max)?,
        })
    }
}

fn number<T>(
    env: &BTreeMap<String, String>,
    key: &'static str,
    default: T,
) -> Result<T, ConfigError>
where
    T: std::str::FromStr<Err = std::num::ParseIntError> + PartialOrd + Default,
{
    let Some(value) = env.get(key) else {
        return Ok(default);
    };
    let error = |source| ConfigError {
        key,
        value: value.clone(),
        source,
    };
    let parsed: T = value.trim().parse().map_err(|e| error(Some(e)))?;
    if parsed > T::default() {
        Ok(parsed)
    } else {
        Err(error(None))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    second: u32,
    count: u16,
}

/// One gateway pod.
#[derive(Clone, Debug)]
pub struct Gateway {
    build: Build,
    config: GatewayConfig,
    markets: Vec<MarketSpec>,
    windows: Vec<Window>,
    /// Ids of recent requests: by hash in the stable build, a ring in the slow one.
    recent: [u64; RECENT],
    /// Requests admitted since the pod's start.
    admitted: u64,
    /// What is wrong with this very process.
    fault: Option<Defect>,
    /// Requests that reached the place of [`Gateway::fault`], if it is one of the request path.
    met: u64,
}

impl Gateway {
    /// A pod that has just started: the process number `instance` of its build, which matters to no code that is sound.
    #[must_use]
    pub fn new(
        build: Build,
        instance: u64,
        config: GatewayConfig,
        accounts: u32,
        markets: &[MarketSpec],
    ) -> Self {
        Self {
            build,
            config,
            markets: markets.to_vec(),
            windows: vec![Window::default(); accounts as usize],
            recent: [0; RECENT],
            admitted: 0,
            fault: build.hits(instance),
            met: 0,
        }
    }

    /// The build that runs.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Requests admitted since the pod's start.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.admitted
    }

    /// The configuration that the process started with.
    #[must_use]
    pub fn config(&self) -> &GatewayConfig {
        &self.config
    }

    /// Decides on one request.
    #[inline]
    pub fn admit(&mut self, request: &Request, mode: TradingMode) -> Admission {
        let mut work = Work(WORK_RECEIVE);
        let decision = if mode == TradingMode::Maintenance {
            Decision::Maintenance
        } else {
            match self.check(request, &mut work) {
                Ok(()) => self.pass_on(),
                Err(reject) => Decision::Reject(reject),
            }
        };
        Admission { decision, work }
    }

    /// What the build makes of a request that nothing speaks against.
    #[inline]
    fn pass_on(&mut self) -> Decision {
        match self.fault {
            Some(Defect::FailsOneIn(one_in)) => {
                self.met += 1;
                if self.met.is_multiple_of(u64::from(one_in)) {
                    return Decision::Broken;
                }
            }
            Some(Defect::LosesOfTen(lost)) => {
                self.met += 1;
                if self.met % 10 < u64::from(lost) {
                    return Decision::Lost;
                }
            }
            _ => {}
        }
        Decision::Forward
    }

    #[inline]
    fn check(&mut self, request: &Request, work: &mut Work) -> Result<(), Reject> {
        work.0 += WORK_CHECK;
        let second = (request.at_micros / 1_000_000) as u32;
        let window = self
            .windows
            .get_mut(request.command.account().0 as usize)
            .ok_or(Reject::UnknownAccount)?;
        if window.second != second {
            *window = Window { second, count: 0 };
        }
        if window.count >= self.config.rate_limit_per_account {
            return Err(Reject::RateLimited);
        }
        window.count += 1;
        if self.seen(request.id, work) {
            return Err(Reject::Duplicate);
        }
        work.0 += WORK_RISK;
        self.pre_check(&request.command)?;
        work.0 += WORK_FORWARD;
        Ok(())
    }

    /// Whether a request with this id was here a moment ago; remembers it if not.
    #[inline]
    fn seen(&mut self, id: u64, work: &mut Work) -> bool {
        let slot = if self.fault == Some(Defect::SlowPath) {
            let listed = self.admitted.min(SLOW_PATH_RETENTION);
            work.0 += listed * SLOW_PATH_UNITS_PER_ENTRY;
            // No early exit, as in the release.
            if self
                .recent
                .iter()
                .fold(false, |found, r| found | (*r == id))
            {
                return true;
            }
            self.admitted as usize % RECENT
        } else {
            let slot = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize;
            if self.recent[slot] == id {
                return true;
            }
            slot
        };
        self.recent[slot] = id;
        self.admitted += 1;
        false
    }

    /// What can be known to be wrong without the ledger.
    #[inline]
    fn pre_check(&self, command: &Command) -> Result<(), Reject> {
        let Command::Place {
            market, price, qty, ..
        } = *command
        else {
            return Ok(());
        };
        let spec = self
            .markets
            .get(usize::from(market.0))
            .ok_or(Reject::UnknownMarket)?;
        if price < spec.min_price || price > spec.max_price() {
            return Err(Reject::PriceOutOfBand);
        }
        if !(1..=spec.max_qty.0).contains(&qty.0) {
            return Err(Reject::QtyOutOfRange);
        }
        if spec.notional(price, qty) > self.config.max_notional {
            return Err(Reject::OrderTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
