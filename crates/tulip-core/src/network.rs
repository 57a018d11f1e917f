//! How the network is reached.

use std::path::PathBuf;
use std::time::Duration;

/// How a program reaches the network, whatever it talks to: Tulip's API, the hosts of archives, and
/// the stores of its sinks. A sink that does not need it ignores it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// More certificate authorities to trust, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// What the program calls itself.
    pub user_agent: Option<String>,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a server may send nothing, or take nothing of what is sent.
    pub read_timeout: Duration,
}

impl Default for NetworkOptions {
    /// No further authority, no name, 10 s to connect and 60 s for the next bytes.
    fn default() -> Self {
        Self {
            ca_file: None,
            user_agent: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
        }
    }
}
