//! What a scenario says of the world beside faults: bursts and quiet times of the load, what the ledger holds already,
//! and how many pods a service has and how they are replaced.

use std::fmt;
use std::time::Duration;

use super::format_duration;

/// Times in which the clients send at another rate, again and again: bursts, or quiet times where that rate is lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// Requests a second meanwhile, all clients together; 1 to 10,000.
    pub rate_per_s: u32,
    /// From the end of one to the end of the next; the first ends so long after the drill's beginning.
    pub every: Duration,
    /// How long each lasts; less than `every`.
    pub lasts: Duration,
}

impl Bursts {
    /// How often they come where a scenario does not say.
    pub const EVERY: Duration = Duration::from_secs(60);
    /// How long they last where a scenario does not say.
    pub const LASTS: Duration = Duration::from_secs(10);
}

/// What the ledger holds beside the accounts and orders of the drill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerSize {
    /// Megabytes of history, which copies of the ledger carry along.
    pub more_mb: u32,
    /// Rows of the state tables, which migrations rewrite.
    pub more_rows: u32,
}

/// What a scenario says of the Deployment of a service; what it leaves out is as in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The service.
    pub service: String,
    /// How many pods it wants.
    pub replicas: Option<u32>,
    /// How its pods are replaced.
    pub strategy: Option<Strategy>,
    /// Every how many seconds its readiness probes ask. No file says so: it is what `budget` tries.
    pub probe_period_s: Option<u32>,
}

/// How the pods of a Deployment are replaced, as Kubernetes understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All old ones end before a new one begins.
    Recreate,
    /// A few at a time.
    Rolling {
        /// How many pods there may be beyond those that are wanted.
        max_surge: Share,
        /// How many of those that are wanted may be missing.
        max_unavailable: Share,
    },
}

/// So many pods, or such a share of those that are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// A number of pods.
    Pods(u32),
    /// A percentage, at most 100.
    Percent(u32),
}

impl Share {
    /// What Kubernetes takes where a Deployment does not say.
    pub const DEFAULT: Self = Self::Percent(25);

    /// Reads `2` or `25%`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|_| plain)
        };
        match text.strip_suffix('%') {
            Some(digits) => number(digits)
                .filter(|percent| *percent <= 100)
                .map(Self::Percent),
            None => number(text).map(Self::Pods),
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Pods(0) | Self::Percent(0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods(pods) => write!(f, "{pods}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Bursts {
    /// The lines of `[load]` that say so.
    pub(super) fn to_toml(self) -> String {
        format!(
            "burst_rate_per_s = {}\nburst_every = \"{}\"\nburst_lasts = \"{}\"\n",
            self.rate_per_s,
            format_duration(self.every),
            format_duration(self.lasts)
        )
    }
}

impl LedgerSize {
    /// The table that says so; nothing where it is as by default.
    pub(super) fn to_toml(self) -> String {
        if self == Self::default() {
            return String::new();
        }
        format!(
            "\n[ledger]\nmore_mb = {}\nmore_rows = {}\n",
            self.more_mb, self.more_rows
        )
    }
}

impl Deployment {
    /// The table that says so.
    pub(super) fn to_toml(&self) -> String {
        let service = toml::Value::String(self.service.clone());
        let mut out = format!("\n[[deployments]]\nservice = {service}\n");
        if let Some(replicas) = self.replicas {
            out.push_str(&format!("replicas = {replicas}\n"));
        }
        match self.strategy {
            None => {}
            Some(Strategy::Recreate) => out.push_str("strategy = \"recreate\"\n"),
            Some(Strategy::Rolling {
                max_surge,
                max_unavailable,
            }) => out.push_str(&format!(
                "max_surge = \"{max_surge}\"\nmax_unavailable = \"{max_unavailable}\"\n"
            )),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn shares_read_back() {
        for text in ["0", "3", "25%", "100%"] {
            let share = Share::parse(text).expect(text);
            assert_eq!(share.to_string(), text);
            assert_eq!(share.is_zero(), text == "0");
        }
        for text in ["", "%", "-1", "+1", "101%", "1.5", "25 %", "99999999999"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
    }
}
