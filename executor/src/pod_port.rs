//! At which of its ports a pod is asked for a page.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A port of a pod, as it can be named to the API server's proxy. That knows numbers, and picks the first port by
/// itself where none is given; it knows no names of ports (`ResourceLocation` in
/// `pkg/registry/core/pod/strategy.go` of Kubernetes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<u16>", into = "Option<u16>")]
pub enum PodPort {
    /// The first port that a container of the pod declares; 80 if none declares one. It may differ from pod to pod.
    First,
    /// This number, which is not 0.
    Number(u16),
}

impl PodPort {
    /// Reads what follows the pod's name in a path of the proxy: nothing, or a colon and a number from 1 to 65535.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::First);
        }
        let number = text.strip_prefix(':')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|it| is_number && *it > 0);
        number.map(Self::Number)
    }

    /// What follows the pod's name in a path of the proxy.
    pub(crate) fn suffix(self) -> String {
        match self {
            Self::First => String::new(),
            Self::Number(number) => format!(":{number}"),
        }
    }
}

impl From<Option<u16>> for PodPort {
    fn from(number: Option<u16>) -> Self {
        number.map_or(Self::First, Self::Number)
    }
}

impl From<PodPort> for Option<u16> {
    fn from(port: PodPort) -> Self {
        match port {
            PodPort::First => None,
            PodPort::Number(number) => Some(number),
        }
    }
}

impl fmt::Display for PodPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("its first port"),
            Self::Number(number) => write!(f, "port {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PodPort;

    #[test]
    fn what_the_proxy_understands_is_written_as_it_was_read() {
        for text in ["", ":1", ":8080", ":65535"] {
            let port = PodPort::parse(text).expect(text);
            assert_eq!(port.suffix(), text);
            let written = serde_json::to_string(&port).expect("it can be written");
            assert_eq!(serde_json::from_str::<PodPort>(&written).expect(text), port);
        }
        for text in [":", ":0", ":65536", ":+80", ":http", "8080", ":8080:"] {
            assert_eq!(PodPort::parse(text), None, "{text}");
        }
    }
}
