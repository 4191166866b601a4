//! Whom TLS connections trust: a file of certificates, the platform's, or nobody in particular (libpq's weaker modes).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

/// A TLS connection can't be set up as it is wanted.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct TlsSetupError(pub(super) String);

/// Which certificates are trusted to sign a server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// The platform's.
    System,
    /// Those of a PEM file, and no others.
    File(PathBuf),
}

/// How a server's certificate is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Not at all: whoever answers is believed.
    Anybody,
    /// It must be signed by one of the roots; the name in it does not matter.
    Signed(Roots),
    /// It must be signed, and for the host that was asked.
    Host(Roots),
}

/// A client's side of TLS.
pub(super) fn client_config(trust: &Trust) -> Result<ClientConfig, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anybody => Arc::new(AnyName {
            provider,
            chain: None,
        }),
        Trust::Signed(roots) => Arc::new(AnyName {
            chain: Some(chain(roots, &provider)?),
            provider,
        }),
        Trust::Host(roots) => chain(roots, &provider)?,
    };
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn failed(error: impl std::fmt::Display) -> TlsSetupError {
    TlsSetupError(error.to_string())
}

fn chain(
    roots: &Roots,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsSetupError> {
    match roots {
        Roots::System => {
            let verifier = Verifier::new(Arc::clone(provider)).map_err(failed)?;
            Ok(Arc::new(verifier))
        }
        Roots::File(file) => {
            let store = Arc::new(read(file)?);
            let verifier =
                WebPkiServerVerifier::builder_with_provider(store, Arc::clone(provider)).build();
            Ok(verifier.map_err(failed)?)
        }
    }
}

/// The certificates of a PEM file.
fn read(file: &Path) -> Result<RootCertStore, TlsSetupError> {
    let named = |why: &dyn std::fmt::Display| TlsSetupError(format!("{}: {why}", file.display()));
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| named(&error))? {
        let certificate = certificate.map_err(|error| named(&error))?;
        store.add(certificate).map_err(|error| named(&error))?;
    }
    if store.is_empty() {
        return Err(named(&"it holds no certificate"));
    }
    Ok(store)
}

/// Doesn't compare names, and without a chain nothing but the handshake's signature.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<dyn ServerCertVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is compared last.
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
