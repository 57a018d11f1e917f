//! Which servers are trusted, and that encryption is never dropped.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tulip_core::{Credentials, ResourceUrl};
use tulip_http::{Advice, Client, ErrorKind, Settings};

use crate::server::{Server, json, reply};

/// A server with a certificate of its own authority. Every connection gets one reply.
struct TlsServer {
    url: String,
    ca_file: PathBuf,
    _folder: TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl TlsServer {
    async fn start(answer: Vec<u8>) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        Self::with(&certificate, &key, &ca.pem(), answer).await
    }

    /// A server with a self-signed certificate, which its clients trust directly.
    async fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem();
        Self::with(&certificate, &key, &pem, json("200 OK", "[]")).await
    }

    async fn with(
        certificate: &Certificate,
        key: &KeyPair,
        trusted: &str,
        answer: Vec<u8>,
    ) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                // A client that does not trust the certificate leaves here.
                let Ok(mut socket) = acceptor.accept(socket).await else {
                    continue;
                };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(socket.read_u8().await.unwrap());
                }
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            }
        });
        let folder = TempDir::new().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, trusted).unwrap();
        Self {
            url,
            ca_file,
            _folder: folder,
            task,
        }
    }

    fn settings(&self) -> Settings {
        let credentials = Credentials::new("apikey.2_a", "s3cret").unwrap();
        Settings::new(self.url.parse().unwrap(), credentials)
    }

    /// A client that trusts this server's authority.
    fn client(&self) -> Client {
        let mut settings = self.settings();
        settings.ca_file = Some(self.ca_file.clone());
        Client::builder(settings).build().unwrap()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_its_file_alone() {
    let server = TlsServer::start(json("200 OK", "[]")).await;
    assert!(server.client().machines().await.unwrap().is_empty());
    let stranger = Client::builder(server.settings()).build().unwrap();
    let error = stranger.machines().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Tls, 1));
    assert_eq!(error.advice(), Some(Advice::SetCaFile));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("certificate"), "{cause}");
}

/// The certificate that `openssl req -x509` makes for a name: its own authority.
fn as_openssl_does(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_named() {
    let plain = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let mut leaf = plain.clone();
    leaf.is_ca = IsCa::ExplicitNoCa;
    for params in [as_openssl_does("127.0.0.1"), plain, leaf] {
        let server = TlsServer::self_signed(params).await;
        assert!(server.client().machines().await.unwrap().is_empty());
        let stranger = Client::builder(server.settings()).build().unwrap();
        let error = stranger.machines().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("UnknownIssuer"), "{cause}");
        // The file of another server does not help.
        let other = TlsServer::self_signed(as_openssl_does("127.0.0.1")).await;
        let mut settings = server.settings();
        settings.ca_file = Some(other.ca_file.clone());
        let client = Client::builder(settings).build().unwrap();
        assert_eq!(client.machines().await.unwrap_err().kind(), ErrorKind::Tls);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_good_for_its_name_and_its_time_alone() {
    let elsewhere = as_openssl_does("elsewhere.example");
    let mut expired = as_openssl_does("127.0.0.1");
    expired.not_after = date_time_ymd(2020, 1, 1);
    for (params, why) in [(elsewhere, "name"), (expired, "expired")] {
        let server = TlsServer::self_signed(params).await;
        let error = server.client().machines().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(why), "{cause}");
    }
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let thief = Server::start([reply("200 OK", "", "State\n")]).await;
    let location = format!("Location: {}/x?sig=5ig\r\n", thief.url);
    let server = TlsServer::start(reply("302 Found", &location, "")).await;
    let resource = ResourceUrl::parse(&format!("{}/x", server.url)).unwrap();
    let error = server
        .client()
        .download(&"j".parse().unwrap(), resource)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(format!("{error:?}").contains("leaves https"), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("5ig"));
    assert!(thief.requests().is_empty());
}
