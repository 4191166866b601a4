//! What `cargo xtask kind calibrate` measured of the exchange on a real cluster, beside what it measured of the cluster
//! ([`sim::measured`]).
//!
//! `data/timings.toml` is the record, and [`Measured`] is its form; a key that is missing or unknown is an error.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sim::measured::{BySize, Sampled, read};

/// The record that this build carries.
const BUILT_IN: &str = include_str!("../data/timings.toml");

/// What a service's pod takes to start its process, and the process by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// From the pod's binding to the first line: the kubelet, sandbox, network, the service's volumes, container;
    /// the image is present.
    pub up: Sampled,
    /// From its first line until it can serve.
    pub boot: Sampled,
    /// From SIGTERM to its last line.
    pub drain: Sampled,
}

/// The database server, seen from this machine through the executor's port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The fence, beyond a plain statement; the exchange's sessions are ended.
    pub fence: Sampled,
    /// The fence lowered, beyond a plain statement.
    pub unfence: Sampled,
    /// From the end of a session to the exchange's next one.
    pub reconnect: Sampled,
    /// A snapshot, beyond a plain statement, by the ledger's bytes.
    pub snapshot: BySize,
    /// A restore, beyond a plain statement, by the snapshot's bytes.
    pub restore: BySize,
    /// A migration, by the rows of the state tables.
    pub migrate: BySize,
    /// Its undo script, beyond a plain statement, by the rows of the state tables.
    pub undo: BySize,
    /// A replay, beyond a plain statement, by the entries copied.
    pub replay: BySize,
    /// Bytes of a ledger that holds nothing but its schema.
    pub empty_bytes: u64,
}

/// The whole record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Processes, by service.
    pub process: BTreeMap<String, Process>,
    /// From a ConfigMap's write to the gateway that acts upon it.
    pub config: Sampled,
    /// Database.
    pub database: Database,
}

impl Measured {
    /// The record that this build carries.
    ///
    /// # Panics
    /// It is malformed, which a test of this crate finds first.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static MEASURED: LazyLock<Measured> = LazyLock::new(|| match read(BUILT_IN) {
            Ok(measured) => measured,
            Err(error) => panic!("sim/exchange/data/timings.toml: {error}"),
        });
        &MEASURED
    }
}

#[cfg(test)]
mod tests {
    use sim::measured::to_text;

    use super::{BUILT_IN, Measured, read};

    #[test]
    fn the_record_is_valid_and_comes_back_from_its_own_text() {
        let measured: Measured = read(BUILT_IN).expect("sim/exchange/data/timings.toml");
        let text = to_text(&measured, "sim/exchange/src/measured.rs").expect("it can be written");
        assert_eq!(read(&text), Ok(measured));
        let misspelt = BUILT_IN.replacen("[process.risk.boot]", "[process.risk.boots]", 1);
        let error = read::<Measured>(&misspelt).expect_err("it is refused");
        assert!(error.contains("boot"), "{error}");
    }

    /// The cluster's record has the start of a pod that has no volumes but those of every pod.
    #[test]
    fn a_gateway_s_pod_starts_as_the_cluster_s_record_says() {
        let gateway = Measured::built_in().process["gateway"].up;
        assert_eq!(sim::measured::Measured::built_in().pods.up, gateway);
    }
}
