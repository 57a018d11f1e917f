//! The client of the instance that options and environment name.

use std::borrow::Cow;
use std::env::VarError;
use std::time::Duration;

use tulip_core::CredentialsError;
use tulip_http::{Client, ClientBuilder, Settings, SettingsError};

use crate::args::{Connection, DownloadSettings};
use crate::failure::Failure;
use crate::values;

/// How long a download may be slower than `--min-rate`.
const RATE_WINDOW: Duration = Duration::from_secs(300);

/// Creates the client. Options override the environment.
pub(crate) fn client(connection: &Connection) -> Result<Client, Failure> {
    Ok(checked_builder(connection)?.build()?)
}

/// Creates the client of a command that downloads archives.
pub(crate) fn downloading_client(
    connection: &Connection,
    downloads: &DownloadSettings,
) -> Result<Client, Failure> {
    let mut builder = checked_builder(connection)?
        .connections(downloads.connections)
        .allow_http_assets(downloads.allow_http);
    if let Some(rate) = downloads.min_rate {
        builder = builder.minimum_rate(Some(rate).filter(|rate| *rate > 0), RATE_WINDOW);
    }
    let allowed = downloads.allow_network.iter().copied();
    Ok(allowed
        .fold(builder, ClientBuilder::allow_network)
        .build()?)
}

fn checked_builder(connection: &Connection) -> Result<ClientBuilder, Failure> {
    let settings = settings(connection).map_err(|error| named_as_given(connection, error))?;
    Ok(builder(settings, connection))
}

/// The settings of the instance, from options and environment.
pub(crate) fn settings(connection: &Connection) -> Result<Settings, SettingsError> {
    let mut settings = Settings::from_vars(|name| variable(connection, name))?;
    if let Some(file) = &connection.ca_file {
        settings.ca_file = Some(values::unwrapped_path(file.as_os_str()));
    }
    Ok(settings)
}

/// A client builder for `settings`, with the limits of the command line.
pub(crate) fn builder(settings: Settings, connection: &Connection) -> ClientBuilder {
    Client::builder(settings)
        .product(concat!("tulip-cli/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connection.connect_timeout)
        .read_timeout(connection.read_timeout)
        .allow_insecure_http(connection.allow_insecure_http)
}

/// The value that an option gives for a variable. It may come from the config file.
fn option<'a>(connection: &'a Connection, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "TULIP_BASE_URL" => connection.base_url.as_deref().map(unwrapped),
        "TULIP_API_KEY" => connection.api_key.as_deref().map(unwrapped),
        "TULIP_API_SECRET" => connection
            .api_secret
            .as_ref()
            .map(|secret| secret.expose().into()),
        "TULIP_API_SECRET_FILE" => {
            let path = connection.api_secret_file.as_ref();
            path.map(|path| path.to_string_lossy())
        }
        "TULIP_WORKSPACE_ID" => connection.workspace.as_deref().map(unwrapped),
        _ => None,
    }
}

fn unwrapped(text: &str) -> Cow<'_, str> {
    values::unwrapped(text).into()
}

/// The value of a variable, or of the option that overrides it. Variables that would contradict an
/// option are ignored.
fn variable(connection: &Connection, name: &str) -> Result<Option<String>, SettingsError> {
    if let Some(value) = option(connection, name) {
        return Ok(Some(value.into_owned()));
    }
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    let is_given = |plain: &str| {
        let file = format!("{plain}_FILE");
        option(connection, plain).is_some() || option(connection, &file).is_some()
    };
    let is_overridden = is_given(plain)
        || (plain == "TULIP_AUTH" && (is_given("TULIP_API_KEY") || is_given("TULIP_API_SECRET")));
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

/// Reports a wrong value under the name it was given by: its option or its variable. Values of a
/// config file were checked when it was read.
pub(crate) fn named_as_given(connection: &Connection, error: SettingsError) -> Failure {
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
            let what = "there is an API key but no secret; both are needed";
            Failure::usage(what).with_hint("set TULIP_API_SECRET, or name a --api-secret-file")
        }
        SettingsError::Credentials(CredentialsError::Half { .. })
            if connection.api_secret.is_some() || connection.api_secret_file.is_some() =>
        {
            let what = "there is an API secret but no key; both are needed";
            Failure::usage(what).with_hint("set TULIP_API_KEY, or give --api-key")
        }
        SettingsError::File { path, reason, .. } if connection.api_secret_file.is_some() => {
            let path = path.display();
            Failure::usage(format!("cannot read the API secret from {path}: {reason}"))
        }
        SettingsError::EmptyFile { path, .. } if connection.api_secret_file.is_some() => {
            Failure::usage(format!("the API secret file {} is empty", path.display()))
        }
        other => other.into(),
    }
}
