//! The checks of the instance: its settings, the proxy, and one call to it.

use tokio::net::TcpStream;
use tulip_core::InstanceUrl;
use tulip_http::{BuildError, Client, EnvProxy, NeverRetry, Settings, SettingsError};

use super::check::Check;
use super::findings::Findings;
use super::{api, token};
use crate::args::Connection;
use crate::connect;
use crate::failure::Failure;
use crate::shutdown::Shutdown;

/// The prefix of API keys that live for 30 seconds.
const ONE_TIME: &str = "onetime.";

/// Checks the instance step by step, until a step fails.
pub(super) async fn check(
    connection: &Connection,
    findings: &mut Findings,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let Some(settings) = settings(connection, findings) else {
        return Ok(());
    };
    let Some(client) = client(&settings, connection, findings) else {
        return Ok(());
    };
    if !check_proxy(&client, connection, findings, shutdown).await? {
        return Ok(());
    }
    let probe = shutdown.guard(client.probe()).await?;
    if let Some(skew) = probe.clock_skew {
        api::check_clock(skew, findings);
    }
    match probe.machines {
        Ok(types) => {
            api::passed(&settings.instance, findings);
            token::accepted(&settings, &types, findings);
        }
        Err(error) => {
            if let Some(refusal) = api::failed(error, &client, findings) {
                let accepted = accepted_workspace(&settings, connection, shutdown).await?;
                token::refused(&settings, refusal, accepted, findings);
            }
        }
    }
    Ok(())
}

fn settings(connection: &Connection, findings: &mut Findings) -> Option<Settings> {
    let settings = match connect::settings(connection) {
        Ok(settings) => settings,
        Err(error) => {
            let check = check_of_settings(&error);
            findings.fail(check, &connect::named_as_given(connection, error));
            return None;
        }
    };
    check_base_url(&settings.instance, findings);
    match settings.credentials.key() {
        key if key.starts_with(ONE_TIME) => findings.warn(
            Check::Credentials,
            format!("API key {key}, which expires 30 seconds after it is issued"),
            "create an API token in Tulip, whose key begins with apikey.",
        ),
        key => findings.ok(Check::Credentials, format!("API key {key}, with a secret")),
    }
    Some(settings)
}

fn check_base_url(instance: &InstanceUrl, findings: &mut Findings) {
    match instance.is_https() || instance.is_loopback() {
        true => findings.ok(Check::BaseUrl, instance.to_string()),
        false => findings.warn(
            Check::BaseUrl,
            format!("{instance} is not https: the API key and secret are sent in clear"),
            "use https, unless you trust the network",
        ),
    }
}

/// The check that an error of the settings fails.
fn check_of_settings(error: &SettingsError) -> Check {
    match error {
        SettingsError::NoInstance | SettingsError::Instance(_) => Check::BaseUrl,
        SettingsError::Workspace => Check::Workspace,
        SettingsError::Twice { name }
        | SettingsError::NotUnicode { name }
        | SettingsError::EmptyFile { name, .. }
        | SettingsError::Quote { name }
        | SettingsError::File { name, .. } => match name.as_str() {
            name if name.starts_with("TULIP_BASE_URL") => Check::BaseUrl,
            name if name.starts_with("TULIP_WORKSPACE_ID") => Check::Workspace,
            name if name.starts_with("TULIP_CA_FILE") => Check::CaFile,
            _ => Check::Credentials,
        },
        _ => Check::Credentials,
    }
}

fn client(settings: &Settings, connection: &Connection, findings: &mut Findings) -> Option<Client> {
    let builder = connect::builder(settings.clone(), connection).retry(NeverRetry);
    let check = match builder.build() {
        Ok(client) => {
            check_ca_file(settings, findings);
            return Some(client);
        }
        Err(error) => {
            let check = match error {
                BuildError::CaFile { .. } => Check::CaFile,
                BuildError::Proxy { .. } => Check::Proxy,
                BuildError::InsecureHttp { .. } => Check::BaseUrl,
                BuildError::Header(_) => Check::Credentials,
                _ => Check::Tls,
            };
            findings.fail(check, &Failure::from(error));
            check
        }
    };
    // The CA file is read before the proxy variables, so it was fine.
    if check == Check::Proxy {
        check_ca_file(settings, findings);
    }
    None
}

fn check_ca_file(settings: &Settings, findings: &mut Findings) {
    match &settings.ca_file {
        Some(path) => {
            let found = format!("{}, in addition to those of the system", path.display());
            findings.ok(Check::CaFile, found);
        }
        None => findings.ok(Check::CaFile, "none: those of the system are trusted"),
    }
}

/// Checks that the proxy, if one is used, accepts connections. Returns whether to continue.
async fn check_proxy(
    client: &Client,
    connection: &Connection,
    findings: &mut Findings,
    shutdown: &Shutdown,
) -> Result<bool, Failure> {
    let Some(proxy) = client.proxy() else {
        findings.ok(Check::Proxy, "none is used for this URL");
        return Ok(true);
    };
    let connecting = TcpStream::connect((proxy.host.as_str(), proxy.port));
    let connecting = tokio::time::timeout(connection.connect_timeout, connecting);
    let reason = match shutdown.guard(connecting).await? {
        Ok(Ok(_)) => {
            findings.ok(Check::Proxy, proxy.to_string());
            return Ok(true);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!(
            "no answer for {} s",
            connection.connect_timeout.as_secs_f32()
        ),
    };
    let EnvProxy { variable, .. } = proxy;
    let advice = format!("correct {variable}, or name the instance in NO_PROXY");
    let found = format!("cannot connect to {proxy}: {reason}");
    findings.fail_with(Check::Proxy, found, &advice);
    Ok(false)
}

/// The form of the API's URLs, other than the configured one, with which Tulip accepts the token.
async fn accepted_workspace(
    settings: &Settings,
    connection: &Connection,
    shutdown: &Shutdown,
) -> Result<Option<token::Form>, Failure> {
    for form in token::other_forms(settings) {
        let mut settings = settings.clone();
        settings.workspace.clone_from(&form);
        let builder = connect::builder(settings, connection).retry(NeverRetry);
        let Ok(client) = builder.build() else {
            continue;
        };
        if shutdown.guard(client.probe()).await?.machines.is_ok() {
            return Ok(Some(form));
        }
    }
    Ok(None)
}
