//! The checks.

use serde::Serialize;

/// A check. Its name in JSON is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    Config,
    BaseUrl,
    Credentials,
    CaFile,
    Proxy,
    Connection,
    Tls,
    Api,
    Workspace,
    ReadScope,
    WriteScope,
    Clock,
    Target,
    State,
    Ledger,
    FileLimit,
}

impl Check {
    /// All checks, in the order in which they are shown.
    pub(super) const ALL: [Self; 16] = [
        Self::Config,
        Self::BaseUrl,
        Self::Credentials,
        Self::CaFile,
        Self::Proxy,
        Self::Connection,
        Self::Tls,
        Self::Api,
        Self::Workspace,
        Self::ReadScope,
        Self::WriteScope,
        Self::Clock,
        Self::Target,
        Self::State,
        Self::Ledger,
        Self::FileLimit,
    ];

    /// The checks of the instance. Each needs the ones before it.
    pub(super) const OF_INSTANCE: [Self; 11] = [
        Self::BaseUrl,
        Self::Credentials,
        Self::CaFile,
        Self::Proxy,
        Self::Connection,
        Self::Tls,
        Self::Api,
        Self::Workspace,
        Self::ReadScope,
        Self::WriteScope,
        Self::Clock,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Config => "config file",
            Self::BaseUrl => "base URL",
            Self::Credentials => "credentials",
            Self::CaFile => "CA file",
            Self::Proxy => "proxy",
            Self::Connection => "connection",
            Self::Tls => "TLS",
            Self::Api => "API",
            Self::Workspace => "workspace",
            Self::ReadScope => "read scope",
            Self::WriteScope => "write scope",
            Self::Clock => "clock",
            Self::Target => "target",
            Self::State => "state",
            Self::Ledger => "ledger",
            Self::FileLimit => "file limit",
        }
    }

    /// What to do if it fails and the error itself has no hint.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Config => "correct the file, name another with --config, or use --no-config",
            Self::BaseUrl => {
                "set TULIP_BASE_URL or --base-url to the instance, such as https://acme.tulip.co"
            }
            Self::Credentials => {
                "set TULIP_API_KEY and TULIP_API_SECRET as Tulip shows them when a token is created"
            }
            Self::CaFile => {
                "name a readable PEM file with --ca-file or TULIP_CA_FILE, or leave it out"
            }
            Self::Proxy => "correct the proxy variable, or unset it where no proxy is needed",
            Self::Connection => "check the base URL, the network, and the firewall of this machine",
            Self::Tls => "add the certificate authority of the server with --ca-file",
            Self::Api => "check that the base URL is the address of a Tulip instance",
            Self::Workspace => "set TULIP_WORKSPACE_ID to the workspace of an account token",
            Self::ReadScope | Self::WriteScope => {
                "check the secret, and the scopes of the token in Tulip"
            }
            Self::Clock => "synchronize the clock of this machine, for example with NTP",
            Self::Target => "check the target with `tulip sinks check`, and its options",
            Self::State => "set --state or TULIP_STATE to a folder that can be written",
            Self::Ledger => "the state cannot be read; run `tulip runs repair`",
            Self::FileLimit => "raise the limit of open files",
        }
    }
}
