//! A ledger's URL, with `sslmode` and `sslrootcert` as libpq understands them (PostgreSQL, "SSL Support", table "SSL
//! Mode Descriptions"):
//!
//! | `sslmode` | encrypted | certificate |
//! | --- | --- | --- |
//! | `disable` | no | |
//! | `prefer` (the default) | if the server can | not looked at |
//! | `require` | yes | if there is a root file: as `verify-ca`; otherwise not looked at |
//! | `verify-ca` | yes | signed by a root |
//! | `verify-full` | yes | signed by a root, for this host |
//!
//! The root file is `sslrootcert`, or `~/.postgresql/root.crt` if that is there; `sslrootcert=system` is the platform's
//! store, which takes `verify-full`.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::live::tls::{Roots, Trust, client_config};
use crate::ports::DatabaseError;

fn wrong(why: impl Into<String>) -> DatabaseError {
    DatabaseError::Precondition(why.into())
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// The URL without what `tokio-postgres` doesn't know.
    url: String,
    mode: Option<String>,
    root: Option<String>,
}

/// How to connect.
pub(super) fn parse(url: &str) -> Result<(Config, MakeRustlsConnect), DatabaseError> {
    let parts = split(url)?;
    let mut config: Config = parts
        .url
        .parse()
        .map_err(|_| wrong("the database's URL is malformed"))?;
    let usual = std::env::var_os("HOME")
        .map(|home| PathBuf::from(home).join(".postgresql/root.crt"))
        .filter(|file| file.is_file());
    let (mode, trust) = trust(parts.mode.as_deref(), parts.root.as_deref(), usual)?;
    config.ssl_mode(mode);
    let tls = client_config(&trust).map_err(|error| wrong(error.to_string()))?;
    Ok((config, MakeRustlsConnect::new(tls)))
}

/// Takes the settings of TLS out of the URL's query.
fn split(url: &str) -> Result<Parts, DatabaseError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(wrong(
            "the database is named by a URL: postgresql://USER@HOST:PORT/LEDGER?sslmode=verify-full",
        ));
    }
    let mut parts = Parts {
        url: url.to_owned(),
        mode: None,
        root: None,
    };
    let Some((before, query)) = url.split_once('?') else {
        return Ok(parts);
    };
    let mut others = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = || {
            let value = percent_decode_str(value).decode_utf8();
            value
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| wrong(format!("`{key}` in the database's URL is not UTF-8")))
        };
        match key {
            "sslmode" => parts.mode = Some(value()?),
            "sslrootcert" => parts.root = Some(value()?),
            "sslcert" | "sslkey" | "sslcrl" | "sslcrldir" => {
                return Err(wrong(format!(
                    "`{key}` in the database's URL is not supported: use a password, and `sslmode` with `sslrootcert`"
                )));
            }
            _ => others.push(pair),
        }
    }
    parts.url = if others.is_empty() {
        before.to_owned()
    } else {
        format!("{before}?{}", others.join("&"))
    };
    Ok(parts)
}

/// What `sslmode` and `sslrootcert` come to; `usual` is the root file that is looked at if none is named.
fn trust(
    mode: Option<&str>,
    root: Option<&str>,
    usual: Option<PathBuf>,
) -> Result<(SslMode, Trust), DatabaseError> {
    let system = root == Some("system");
    let roots = match root {
        Some("system") => Some(Roots::System),
        Some(file) => Some(Roots::File(file.into())),
        None => usual.map(Roots::File),
    };
    // libpq: with the platform's roots anybody can have a certificate, so the name must be compared.
    let mode = mode.unwrap_or(if system { "verify-full" } else { "prefer" });
    if system && mode != "verify-full" {
        return Err(wrong(format!(
            "`sslmode={mode}` is too weak for `sslrootcert=system`: write `sslmode=verify-full`"
        )));
    }
    let needed = || {
        roots.clone().ok_or_else(|| {
            wrong(format!(
                "`sslmode={mode}` needs the certificates that sign the server's: `sslrootcert=FILE`, or `sslrootcert=system`"
            ))
        })
    };
    Ok(match mode {
        "disable" => (SslMode::Disable, Trust::Anybody),
        "prefer" => (SslMode::Prefer, Trust::Anybody),
        "require" => {
            let trust = roots.clone().map_or(Trust::Anybody, Trust::Signed);
            (SslMode::Require, trust)
        }
        "verify-ca" => (SslMode::Require, Trust::Signed(needed()?)),
        "verify-full" => (SslMode::Require, Trust::Host(needed()?)),
        other => {
            return Err(wrong(format!(
                "`sslmode={other}` is none of disable, prefer, require, verify-ca, verify-full"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio_postgres::config::SslMode;

    use super::{Roots, Trust, split, trust};

    #[test]
    fn the_settings_of_tls_are_taken_out_of_the_url() {
        let url = "postgresql://u:p%40@h:1/d?connect_timeout=3&sslmode=verify-ca&sslrootcert=%2Fa%20b.pem";
        let parts = split(url).expect("right");
        assert_eq!(parts.url, "postgresql://u:p%40@h:1/d?connect_timeout=3");
        assert_eq!(parts.mode.as_deref(), Some("verify-ca"));
        assert_eq!(parts.root.as_deref(), Some("/a b.pem"));
        let plain = "postgres://u@h/d";
        assert_eq!(split(plain).expect("right").url, plain);
        for wrong in ["host=h dbname=d", "postgres://h/d?sslcert=x", "mysql://h/d"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_mean_what_libpq_says() {
        let file = || Roots::File("ca.pem".into());
        let usual = || Some(PathBuf::from("usual.crt"));
        for (mode, root, usual, meant) in [
            (None, None, None, (SslMode::Prefer, Trust::Anybody)),
            (
                Some("disable"),
                None,
                None,
                (SslMode::Disable, Trust::Anybody),
            ),
            (
                Some("require"),
                None,
                None,
                (SslMode::Require, Trust::Anybody),
            ),
            (
                Some("require"),
                Some("ca.pem"),
                None,
                (SslMode::Require, Trust::Signed(file())),
            ),
            (
                Some("require"),
                None,
                usual(),
                (
                    SslMode::Require,
                    Trust::Signed(Roots::File("usual.crt".into())),
                ),
            ),
            (
                Some("verify-ca"),
                Some("ca.pem"),
                None,
                (SslMode::Require, Trust::Signed(file())),
            ),
            (
                Some("verify-full"),
                Some("ca.pem"),
                None,
                (SslMode::Require, Trust::Host(file())),
            ),
            (
                None,
                Some("system"),
                None,
                (SslMode::Require, Trust::Host(Roots::System)),
            ),
        ] {
            assert_eq!(trust(mode, root, usual), Ok(meant), "{mode:?} {root:?}");
        }
        for (mode, root) in [
            ("verify-ca", None),
            ("verify-full", None),
            ("require", Some("system")),
            ("allow", None),
            ("on", None),
        ] {
            assert!(trust(Some(mode), root, None).is_err(), "{mode} {root:?}");
        }
    }
}
