//! Why a client cannot be made.

use std::path::PathBuf;

use tulip_core::sink::{SinkError, SinkErrorKind};

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The CA file cannot be used.
    #[error("cannot use the CA file {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// A value has characters that an HTTP header cannot have.
    #[error("the {0} has characters that an HTTP header cannot have")]
    Header(&'static str),
    /// A variable that names a proxy cannot be used. Its value is not shown, because it can hold a
    /// password.
    #[error("{variable}: not a usable proxy: {reason}")]
    Proxy {
        /// The variable, such as `HTTPS_PROXY`.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The credentials would be sent over `http` to another machine. Use `https`, or
    /// [`ClientBuilder::allow_insecure_http`](crate::ClientBuilder::allow_insecure_http) if nobody
    /// else can read the network.
    #[error("{url} is not https: the API key and secret would be sent in clear")]
    InsecureHttp {
        /// The instance's URL.
        url: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Http(String),
}

impl BuildError {
    pub(crate) fn http(error: reqwest::Error) -> Self {
        Self::Http(error.without_url().to_string())
    }
}

/// For sinks that build a [`Transport`](crate::Transport).
impl From<BuildError> for SinkError {
    fn from(error: BuildError) -> Self {
        let advice = "check the CA file and the variables that name proxies";
        Self::new(SinkErrorKind::InvalidTarget, "cannot use the network")
            .with_reason(error.to_string(), advice)
    }
}
