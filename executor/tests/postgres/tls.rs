//! `sslmode` and `sslrootcert`, against a server that has a certificate and lets the role `encrypted` in by TLS only.

use std::path::PathBuf;

use executor::live::{Layout, PostgresDatabase};
use executor::ports::{Database, DatabaseError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, IsCa, KeyPair};

use super::exchange::Exchange;
use super::server::Server;

async fn position(url: &str) -> Result<u64, DatabaseError> {
    let port = PostgresDatabase::from_url(url, Layout::default())?;
    Ok(port.position().await?.log_seq)
}

/// Whom the server's certificate is for.
const HOST: &str = "ledger.test";
/// Who must come how: one role by TLS, all others as they like.
const RULES: &str = "hostssl all encrypted 127.0.0.1/32 trust\nhost all encrypted 127.0.0.1/32 reject\n\
                     host all all 127.0.0.1/32 trust\n";

/// A certificate that may sign others, with its key.
fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// A server with a certificate, and the certificate of who signed it.
fn certified() -> Result<Option<(Server, String)>, String> {
    let signed = || -> Result<_, Error> {
        let authority = authority("its authority")?;
        let key = KeyPair::generate()?;
        let own = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &authority)?;
        Ok((authority.pem(), own.pem(), key.serialize_pem()))
    };
    let (authority, certificate, key) = signed().map_err(|error| error.to_string())?;
    let server = Server::start_with(
        "tls",
        &[
            ("server.crt", &certificate),
            ("server.key", &key),
            ("pg_hba.conf", RULES),
            ("postgresql.auto.conf", "ssl = on\n"),
        ],
    )?;
    Ok(server.map(|server| (server, authority)))
}

/// A file of the test's own.
fn written(name: &str, text: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("firedrill-{name}-{}.pem", std::process::id()));
    std::fs::write(&file, text).expect("written");
    file
}

pub(super) async fn is_as_the_url_says() {
    let server = certified().expect("a server").expect("PostgreSQL is here");
    let (server, signer) = (&server.0, &server.1);
    let exchange = Exchange::create(server, "tls").await;
    let owner = exchange.owner().await;
    owner
        .batch_execute("CREATE ROLE encrypted LOGIN SUPERUSER")
        .await
        .expect("a role");
    let signer = written("signer", signer);
    let authority_file = format!("sslrootcert={}", signer.display());
    let port = server.config("encrypted").get_ports()[0];
    // By its address, and by the name that its certificate is for.
    let address = format!("postgresql://encrypted@127.0.0.1:{port}/tls");
    let name = format!("postgresql://encrypted@{HOST}:{port}/tls?hostaddr=127.0.0.1");

    for (url, what) in [
        (
            address.clone(),
            "the default is to encrypt if the server can",
        ),
        (format!("{address}?sslmode=prefer"), "prefer"),
        (format!("{address}?sslmode=require"), "require"),
        (
            format!("{address}?sslmode=require&{authority_file}"),
            "require, signed",
        ),
        (
            format!("{address}?sslmode=verify-ca&{authority_file}"),
            "verify-ca",
        ),
        (
            format!("{name}&sslmode=verify-full&{authority_file}"),
            "verify-full",
        ),
    ] {
        assert_eq!(position(&url).await, Ok(0), "{what}");
    }
    for (url, said) in [
        (format!("{address}?sslmode=disable"), "no encryption"),
        (
            format!("{address}?sslmode=verify-full&{authority_file}"),
            "not valid for name",
        ),
        (format!("{name}&sslrootcert=system"), "UnknownIssuer"),
        (
            format!("{address}?sslmode=verify-ca&sslrootcert=/nowhere.pem"),
            "/nowhere.pem",
        ),
    ] {
        let refused = position(&url).await.expect_err(said).to_string();
        assert!(refused.contains(said), "{said}: {refused}");
    }
    // Another authority has signed nothing here, whatever is asked of the name.
    let other = authority("another authority").expect("a key");
    let other = written("another", &other.pem());
    let another_file = format!("sslrootcert={}", other.display());
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{name}&sslmode={mode}&{another_file}");
        let refused = position(&url).await.expect_err(mode).to_string();
        assert!(refused.contains("UnknownIssuer"), "{mode}: {refused}");
    }
    for file in [signer, other] {
        std::fs::remove_file(file).expect("removed");
    }
}
