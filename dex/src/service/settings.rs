//! What a process is told through its environment.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::release::Build;
use crate::types::StableHash;

/// A variable that is missing or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It is needed and not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// Its value cannot be used.
    #[error("{key} = {value:?} is not {expected}")]
    Value {
        /// The variable.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

/// The environment of a process.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) env: BTreeMap<String, String>,
}

impl Settings {
    fn text(&self, key: &'static str) -> Option<&str> {
        self.env
            .get(key)
            .map(|value| value.trim())
            .filter(|v| !v.is_empty())
    }

    fn parsed<T: FromStr>(
        &self,
        key: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.text(key) else {
            return Ok(None);
        };
        value.parse().map(Some).map_err(|_| SettingsError::Value {
            key,
            value: value.to_owned(),
            expected,
        })
    }

    /// A number of at least 1.
    pub(super) fn number(&self, key: &'static str, default: u64) -> Result<u64, SettingsError> {
        let number: u64 = self.parsed(key, "a number")?.unwrap_or(default);
        if number == 0 {
            return Err(SettingsError::Value {
                key,
                value: "0".to_owned(),
                expected: "a positive number",
            });
        }
        Ok(number)
    }

    /// `DEX_BUILD`: the image, for instance `dex/gateway:1.4.2`.
    pub(super) fn build(&self) -> Result<Build, SettingsError> {
        let image = self
            .text("DEX_BUILD")
            .ok_or(SettingsError::Missing("DEX_BUILD"))?;
        Build::by_image(image).ok_or_else(|| SettingsError::Value {
            key: "DEX_BUILD",
            value: image.to_owned(),
            expected: "an image of the catalogue",
        })
    }

    /// `DEX_LISTEN`, by default `0.0.0.0:8080`.
    pub(super) fn listen(&self) -> Result<SocketAddr, SettingsError> {
        let listen = self.parsed("DEX_LISTEN", "an address and a port")?;
        Ok(listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 8_080))))
    }

    /// `POD_IP`: where peers reach the process, if that is not the address it listens on.
    pub(super) fn pod_ip(&self) -> Result<Option<IpAddr>, SettingsError> {
        self.parsed("POD_IP", "an IP address")
    }

    /// `POD_NAME`, for the leader's row and the log.
    pub(super) fn pod_name(&self) -> &str {
        self.text("POD_NAME").unwrap_or("-")
    }

    /// The number of the process, from `POD_NAME`: spread evenly over pods, and the same whenever the pod starts again.
    pub(super) fn instance(&self) -> u64 {
        let mut hash = StableHash::default();
        for byte in self.pod_name().bytes() {
            hash.word(u64::from(byte));
        }
        hash.digest()
    }

    /// `DATABASE_URL`, for instance `postgresql://dex_app@10.0.0.5:5432/ledger`.
    pub(super) fn database(&self) -> Result<tokio_postgres::Config, SettingsError> {
        self.parsed("DATABASE_URL", "a PostgreSQL URL")?
            .ok_or(SettingsError::Missing("DATABASE_URL"))
    }

    /// Address of the Service `matching`: `MATCHING_ADDR`, else what Kubernetes sets.
    pub(super) fn matching(&self) -> Result<SocketAddr, SettingsError> {
        if let Some(address) = self.parsed("MATCHING_ADDR", "an IP address and a port")? {
            return Ok(address);
        }
        let host: IpAddr = self
            .parsed("MATCHING_SERVICE_HOST", "an IP address")?
            .ok_or(SettingsError::Missing("MATCHING_SERVICE_HOST"))?;
        let port = self.parsed("MATCHING_SERVICE_PORT", "a port")?;
        Ok(SocketAddr::new(host, port.unwrap_or(8_080)))
    }

    /// `DEX_TRADING_MODE_FILE`: the mounted halt flag.
    pub(super) fn mode_file(&self) -> PathBuf {
        self.text("DEX_TRADING_MODE_FILE")
            .unwrap_or("/etc/dex/trading/mode")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings {
            env: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn the_matching_service_is_found_as_kubernetes_announces_it() {
        let kubernetes = settings(&[
            ("MATCHING_SERVICE_HOST", "10.96.0.7"),
            ("MATCHING_SERVICE_PORT", "80"),
        ]);
        assert_eq!(kubernetes.matching(), Ok("10.96.0.7:80".parse().unwrap()));
        let given = settings(&[
            ("MATCHING_ADDR", "127.0.0.1:9"),
            ("MATCHING_SERVICE_HOST", "10.96.0.7"),
        ]);
        assert_eq!(given.matching(), Ok("127.0.0.1:9".parse().unwrap()));
        assert_eq!(
            settings(&[]).matching(),
            Err(SettingsError::Missing("MATCHING_SERVICE_HOST"))
        );
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        for (key, value) in [("DEX_BUILD", "dex/gateway:9.9.9"), ("LOG_BATCH", "0")] {
            let settings = settings(&[(key, value)]);
            let error = if key == "DEX_BUILD" {
                settings.build().expect_err("an unknown build")
            } else {
                settings.number("LOG_BATCH", 64).expect_err("zero")
            };
            assert!(error.to_string().starts_with(&format!("{key} = {value:?}")));
        }
        assert_eq!(
            settings(&[("DATABASE_URL", " ")]).database().unwrap_err(),
            SettingsError::Missing("DATABASE_URL")
        );
    }
}
