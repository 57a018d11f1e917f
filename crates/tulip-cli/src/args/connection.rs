//! The instance, the credentials and the network, and how archives are downloaded.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tulip_http::Cidr;

use crate::values;

/// A secret that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The instance, the credentials and the network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// URL of the instance [env: TULIP_BASE_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// API key; its secret comes from the environment [env: TULIP_API_KEY]
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// File that holds the API secret [env: TULIP_API_SECRET_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) api_secret_file: Option<PathBuf>,
    /// The secret of the config file: there is no option for it.
    #[arg(skip)]
    pub(crate) api_secret: Option<Secret>,
    /// Workspace, for an account token [env: TULIP_WORKSPACE_ID]
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// Certificate authorities to trust in addition, as PEM [env: TULIP_CA_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Timeout for making a connection
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::some_time)]
    pub(crate) connect_timeout: Duration,
    /// Timeout for the next bytes of a reply
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::some_time)]
    pub(crate) read_timeout: Duration,
    /// Allow an http instance on another host; the API key and secret are sent unencrypted
    #[arg(long)]
    pub(crate) allow_insecure_http: bool,
}

/// How archives are downloaded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct DownloadSettings {
    /// Maximum number of connections for one archive. Large archives use as many as make the
    /// download faster; 1 downloads the whole archive with one request
    #[arg(long, value_name = "N", default_value = "32", value_parser = values::at_least_one)]
    pub(crate) connections: NonZeroUsize,
    /// Minimum rate of a download per second, for example 10kB, measured over five minutes; 0 for
    /// none
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) min_rate: Option<u64>,
    /// Allow downloads over http from an instance on https
    #[arg(long)]
    pub(crate) allow_http: bool,
    /// Allow downloads from this network, for example 10.20.0.0/16, in addition to public addresses
    /// and to networks of the API's kind; can be repeated
    #[arg(
        long,
        value_name = "NETWORK",
        env = "TULIP_ALLOW_NETWORK",
        value_delimiter = ',',
        value_parser = values::network
    )]
    pub(crate) allow_network: Vec<Cidr>,
}
