//! Options for network access.

use std::path::PathBuf;
use std::time::Duration;

/// How a program accesses the network for any purpose: Tulip's API, the hosts of archives, and the
/// stores of its sinks. Sinks that do not need the options ignore them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// Additional certificate authorities to trust, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The program's user agent.
    pub user_agent: Option<String>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a server may send nothing, or accept nothing.
    pub read_timeout: Duration,
}

impl Default for NetworkOptions {
    /// No additional authorities, no user agent, 10 s to connect and 60 s for the next bytes.
    fn default() -> Self {
        Self {
            ca_file: None,
            user_agent: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
        }
    }
}
