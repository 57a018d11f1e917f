//! Certificates that servers have signed themselves, as `openssl req -x509` makes them.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Verifies as `inner` does, and takes a server's own certificate where it is one of those that
/// the user trusts.
///
/// OpenSSL marks a self-signed certificate as that of an authority unless it is told otherwise, and
/// `inner` never takes an authority's for a server's. Naming exactly this certificate means
/// it.
#[derive(Debug)]
pub(super) struct SelfSigned {
    inner: Arc<dyn ServerCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl SelfSigned {
    pub(super) fn new(
        inner: Arc<dyn ServerCertVerifier>,
        trusted: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { inner, trusted }
    }
}

impl ServerCertVerifier for SelfSigned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if is_of_an_authority(&error) => {}
            verified => return verified,
        }
        if !self.trusted.iter().any(|known| known == end_entity) {
            return Err(CertificateError::UnknownIssuer.into());
        }
        // Its dates have been looked at before it was found to be an authority's.
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate was refused because it is an authority's, and for nothing else. The error
/// is one of webpki's, which rustls hands on without its type.
fn is_of_an_authority(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(cause)) => {
            cause.0.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}
