//! What differs from cluster to cluster beside the runbook: how servers are reached, and what the ledger's tables are
//! called. A TOML file; everything in it may be left out.
//!
//! ```toml
//! [prometheus]
//! bearer_token_file = "/var/run/secrets/prometheus/token"
//! ca_file = "ca.pem"
//!
//! [loki]
//! basic_auth = { username = "rollback", password_file = "loki.password" }
//!
//! [ledger]                       # defaults: the exchange's own names
//! role = "dex_app"
//! order_log = "trading.order_log"
//!
//! [application]                  # defaults: what the exchange is held to
//! quiet_s = 60
//! ```
//!
//! Paths are relative to the file. Tokens and passwords are read anew for each request, since they are replaced while
//! the program runs.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::postgres::Layout;
use crate::application::Application;

/// Settings as a file says them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The Prometheus that the runbook names.
    pub prometheus: ServerSettings,
    /// The Loki that the runbook names.
    pub loki: ServerSettings,
    /// Names in the ledger.
    pub ledger: Layout,
    /// What is taken for granted of the application.
    pub application: Application,
}

/// How an HTTP server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// A file with a token, sent as `Authorization: Bearer`.
    pub bearer_token_file: Option<PathBuf>,
    /// A user and a file with the password.
    pub basic_auth: Option<BasicAuth>,
    /// A PEM file: its certificates are trusted to sign the server's, and no others. Without it the platform's are.
    pub ca_file: Option<PathBuf>,
}

/// HTTP basic authentication (RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// User, without a colon.
    pub username: String,
    /// A file with the password.
    pub password_file: PathBuf,
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// It can't be read, is no TOML, says something unknown,
    /// or gives a server two ways to authenticate. The text says where.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let settings = text.and_then(|text| Self::parse(&text, file.parent()));
        settings.map_err(|error| format!("{}: {error}", file.display()))
    }

    fn parse(text: &str, directory: Option<&Path>) -> Result<Self, String> {
        let mut settings: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let wrong = |why| format!("[application] {why}");
        settings.application.check().map_err(wrong)?;
        for (name, server) in [
            ("prometheus", &mut settings.prometheus),
            ("loki", &mut settings.loki),
        ] {
            if server.bearer_token_file.is_some() && server.basic_auth.is_some() {
                return Err(format!(
                    "[{name}] has a bearer token and basic authentication: a request can carry only one of them"
                ));
            }
            let mut files = Vec::new();
            files.extend(&mut server.bearer_token_file);
            files.extend(&mut server.ca_file);
            if let Some(basic) = &mut server.basic_auth {
                if basic.username.contains(':') {
                    return Err(format!("[{name}] a user's name can't hold a colon"));
                }
                files.push(&mut basic.password_file);
            }
            if let Some(directory) = directory {
                for path in files {
                    *path = directory.join(&*path);
                }
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Settings;
    use crate::live::Layout;

    #[test]
    fn what_is_left_out_is_the_exchanges() {
        assert_eq!(Settings::parse("", None), Ok(Settings::default()));
        let text = "[ledger]\nrole = \"app\"\norders = \"trading.orders\"\n[loki]\nca_file = \"ca.pem\"\n\
                    basic_auth = { username = \"u\", password_file = \"/run/p\" }";
        let settings = Settings::parse(text, Some(Path::new("/etc/rollback"))).expect("right");
        let layout = Layout {
            role: "app".to_owned(),
            orders: "trading.orders".to_owned(),
            ..Layout::default()
        };
        assert_eq!(settings.ledger, layout);
        assert_eq!(
            settings.loki.ca_file,
            Some(PathBuf::from("/etc/rollback/ca.pem"))
        );
        let basic = settings.loki.basic_auth.expect("given");
        assert_eq!(basic.password_file, PathBuf::from("/run/p"));
        let slow = Settings::parse("[application]\nquiet_s = 60\nrto_max_s = 900", None);
        let slow = slow.expect("right").application;
        assert_eq!((slow.quiet_s, slow.rto_max_s, slow.p99_ms), (60, 900, 100));
    }

    #[test]
    fn what_is_unknown_or_contradicts_itself_is_refused() {
        for (text, said) in [
            ("[ledger]\nroles = \"x\"", "unknown field `roles`"),
            ("[grafana]", "unknown field `grafana`"),
            (
                "[loki]\nbearer_token_file = \"t\"\nbasic_auth = { username = \"u\", password_file = \"p\" }",
                "only one of them",
            ),
            (
                "[prometheus]\nbasic_auth = { username = \"u:v\", password_file = \"p\" }",
                "colon",
            ),
            ("[application]\nquiet_s = 0", "[application] `quiet_s` is 0"),
            ("[application]\nquiet = 5", "unknown field `quiet`"),
        ] {
            let error = Settings::parse(text, None).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
