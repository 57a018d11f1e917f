//! The client of the instance that flags and environment name.

use std::env::VarError;

use tulip_http::{Client, Settings, SettingsError};

use crate::args::Connection;
use crate::failure::Failure;

/// Makes the client: flags first, then the environment.
pub(crate) fn client(connection: &Connection) -> Result<Client, Failure> {
    let flag = |name: &str| match name {
        "TULIP_BASE_URL" => connection.base_url.clone(),
        "TULIP_API_KEY" => connection.api_key.clone(),
        "TULIP_WORKSPACE_ID" => connection.workspace.clone(),
        _ => None,
    };
    let mut settings = Settings::from_vars(|name| {
        if let Some(value) = flag(name) {
            return Ok(Some(value));
        }
        // A flag also outdoes the _FILE form of its variable.
        if name.strip_suffix("_FILE").and_then(flag).is_some() {
            return Ok(None);
        }
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(SettingsError::NotUnicode {
                name: name.to_owned(),
            }),
        }
    })?;
    if let Some(file) = &connection.ca_file {
        settings.ca_file = Some(file.clone());
    }
    let client = Client::builder(settings)
        .product(concat!("tulip-cli/", env!("CARGO_PKG_VERSION")))
        .allow_http_assets(connection.allow_http)
        .build()?;
    Ok(client)
}
