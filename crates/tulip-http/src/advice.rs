//! What to do about a failed call.

use std::fmt;

/// What to do about an [`Error`](crate::Error).
///
/// `Display` addresses developers who embed this crate, and names the builder's methods. A command
/// that has other names for these should match on the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Check that this machine can reach the host that the error names.
    CheckHost,
    /// Check the base URL, the network and the proxy variables.
    CheckConnection,
    /// Trust the private authority, the self-signed certificate or the proxy that re-signs TLS.
    SetCaFile,
    /// Check in Tulip whether the archive was started before starting another.
    LookForArchive,
    /// Try again later.
    TryLater,
    /// Check the API key and secret.
    CheckCredentials,
    /// Check the secret, the token's scopes and its kind.
    CheckScopes,
    /// Check the id, the workspace and the base URL.
    CheckId,
    /// Run fewer exports at once.
    ReduceLoad,
    /// Set the base URL to the instance's real address.
    CorrectBaseUrl,
    /// Check that the base URL is a Tulip instance and that its allowlist includes this machine.
    CheckInstance,
    /// Ask the operator of the archive's host, or Tulip's support.
    AskHost,
    /// Allow archives on `http`.
    AllowHttpAssets,
    /// Allow the network that the archive is in.
    AllowNetwork,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckHost => "check that this machine can reach the host",
            Self::CheckConnection => "check the base URL, the network and the proxy variables",
            Self::SetCaFile => "to trust a private CA, a self-signed certificate or a TLS proxy, set Settings::ca_file",
            Self::LookForArchive => "look in Tulip before you start another archive",
            Self::TryLater => "try again later",
            Self::CheckCredentials => {
                "check TULIP_API_KEY and TULIP_API_SECRET, or TULIP_AUTH"
            }
            Self::CheckScopes => {
                "check the secret, the token's scopes, and whether it is a workspace or an account token"
            }
            Self::CheckId => "check the id, the workspace and the base URL",
            Self::ReduceLoad => "run fewer exports at once, or try again later",
            Self::CorrectBaseUrl => "set the base URL to the address that the instance really has",
            Self::CheckInstance => {
                "check that the base URL is a Tulip instance and that this machine is on its allowlist"
            }
            Self::AskHost => "ask who runs that host, or Tulip's support",
            Self::AllowHttpAssets => {
                "on a network that you trust, allow it with ClientBuilder::allow_http_assets"
            }
            Self::AllowNetwork => {
                "if archives are kept there, allow it with ClientBuilder::allow_network"
            }
        })
    }
}
