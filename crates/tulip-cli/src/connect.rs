//! The client of the instance that flags and environment name.

use std::env::VarError;
use std::time::Duration;

use tulip_core::CredentialsError;
use tulip_http::{Client, ClientBuilder, Settings, SettingsError};

use crate::args::Connection;
use crate::failure::Failure;
use crate::values;

/// How long a download may be slower than `--min-rate`.
const RATE_WINDOW: Duration = Duration::from_secs(300);

/// Makes the client: flags first, then the environment.
pub(crate) fn client(connection: &Connection) -> Result<Client, Failure> {
    let mut settings = Settings::from_vars(|name| variable(connection, name))
        .map_err(|error| named_as_given(connection, error))?;
    if let Some(file) = &connection.ca_file {
        settings.ca_file = Some(values::unwrapped_path(file.as_os_str()));
    }
    let mut builder = Client::builder(settings)
        .product(concat!("tulip-cli/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connection.connect_timeout)
        .stall_timeout(connection.stall_timeout)
        .connections(connection.connections)
        .allow_http_assets(connection.allow_http);
    if let Some(rate) = connection.min_rate {
        builder = builder.minimum_rate(Some(rate).filter(|rate| *rate > 0), RATE_WINDOW);
    }
    let allowed = connection.allow_network.iter().copied();
    Ok(allowed
        .fold(builder, ClientBuilder::allow_network)
        .build()?)
}

fn flag<'a>(connection: &'a Connection, name: &str) -> Option<&'a String> {
    match name {
        "TULIP_BASE_URL" => connection.base_url.as_ref(),
        "TULIP_API_KEY" => connection.api_key.as_ref(),
        "TULIP_WORKSPACE_ID" => connection.workspace.as_ref(),
        _ => None,
    }
}

/// A variable, unless a flag gives the value: then the flag, and nothing that contradicts it.
fn variable(connection: &Connection, name: &str) -> Result<Option<String>, SettingsError> {
    if let Some(value) = flag(connection, name) {
        return Ok(Some(values::unwrapped(value).to_owned()));
    }
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    let is_overridden = flag(connection, plain).is_some()
        || (plain == "TULIP_AUTH" && connection.api_key.is_some());
    if is_overridden {
        return Ok(None);
    }
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(SettingsError::NotUnicode {
            name: name.to_owned(),
        }),
    }
}

/// Names a wrong value as it was given: by its flag, or by its variable.
fn named_as_given(connection: &Connection, error: SettingsError) -> Failure {
    match error {
        SettingsError::Instance(error) if connection.base_url.is_some() => {
            Failure::usage(format!("--base-url: {error}"))
        }
        SettingsError::Workspace if connection.workspace.is_some() => {
            Failure::usage("--workspace is not a workspace id, which is one word without slashes")
        }
        SettingsError::Credentials(CredentialsError::Half { .. })
            if connection.api_key.is_some() =>
        {
            Failure::usage("--api-key is given but TULIP_API_SECRET is not set; both are needed")
        }
        other => other.into(),
    }
}
