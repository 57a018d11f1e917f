//! TLS, and which servers it trusts.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

use super::build_error::BuildError;
use super::self_signed::SelfSigned;

/// The platform's roots, or Mozilla's if it has none. They are read once per process: a hundred
/// certificates are the larger part of the cost of building a client.
static ROOTS: LazyLock<Result<Arc<Verifier>, String>> = LazyLock::new(|| {
    let verifier = verifier(&[], &provider()).map_err(|error| error.to_string());
    verifier.map(Arc::new)
});

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Returns a TLS configuration that trusts the platform's roots and the certificates in `ca_file`.
/// If the platform has no roots at all, as in an empty container, Mozilla's are used.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, BuildError> {
    let provider = provider();
    let (verifier, extra): (Arc<dyn ServerCertVerifier>, _) = match ca_file {
        None => {
            let roots = ROOTS.clone().map_err(BuildError::Tls)?;
            (roots, Vec::new())
        }
        Some(file) => {
            let extra = read_certificates(file)?;
            let verifier = verifier(&extra, &provider);
            let verifier = verifier.map_err(|error| BuildError::Tls(error.to_string()))?;
            (Arc::new(verifier), extra)
        }
    };
    let verifier = SelfSigned::new(verifier, extra);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Returns a verifier that trusts `extra` and the platform's roots, or Mozilla's if it has none.
fn verifier(
    extra: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    let with_extra = Verifier::new_with_extra_roots(extra.iter().cloned(), provider.clone());
    let platform_has_roots = if extra.is_empty() {
        with_extra.is_ok()
    } else {
        Verifier::new(provider.clone()).is_ok()
    };
    if platform_has_roots {
        return with_extra;
    }
    let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
    Verifier::new_with_extra_roots(extra.iter().cloned().chain(mozilla), provider.clone())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let refused = |reason: String| BuildError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refused("no PEM certificate in it".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_ca_file_is_named_with_its_reason() {
        let message = |path: &Path| config(Some(path)).unwrap_err().to_string();
        let missing = message(Path::new("/nowhere/ca.pem"));
        assert!(
            missing.contains("/nowhere/ca.pem") && missing.contains("No such file"),
            "{missing}"
        );
        let none = message(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/Cargo.toml"
        )));
        assert!(none.contains("no PEM certificate"), "{none}");
    }
}
