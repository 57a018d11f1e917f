//! Azure Blob Storage.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use object_store::azure::{
    AzureAuthorizer, AzureConfigKey as Key, AzureCredential, AzureCredentialProvider,
    MicrosoftAzureBuilder,
};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkOption};

use super::clients::{Clients, CreateOnlyClient};
use super::connection::{self, connector};
use super::connector::Interceptor;
use super::destination::StoreClient;
use super::factory::Cloud;
use super::options::{self, ALLOW_HTTP, ANONYMOUS, CloudUrl, ENDPOINT, invalid};

tulip_core::register_sink!(Cloud {
    scheme: "az",
    summary: "Azure Blob Storage",
    example: "az://container/prefix?account=NAME",
    options: OPTIONS,
    clients,
});

const ACCOUNT: SinkOption = SinkOption::new(
    "account",
    "the storage account; else AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_ACCOUNT_NAME",
)
.public();
const ACCESS_KEY: SinkOption = SinkOption::new(
    "access_key",
    "the account's key; prefer AZURE_STORAGE_KEY or AZURE_STORAGE_ACCOUNT_KEY",
);
const SAS_TOKEN: SinkOption = SinkOption::new(
    "sas_token",
    "a shared access signature; prefer AZURE_STORAGE_SAS_TOKEN",
);
const CLIENT_ID: SinkOption = SinkOption::new(
    "client_id",
    "an Entra application, or a managed identity; else AZURE_CLIENT_ID",
)
.public();
const TENANT_ID: SinkOption = SinkOption::new(
    "tenant_id",
    "the application's tenant; else AZURE_TENANT_ID",
)
.public();
const USE_AZURE_CLI: SinkOption =
    SinkOption::new("use_azure_cli", "true asks the az command for a token").public();

const OPTIONS: &[SinkOption] = &[
    ACCOUNT,
    ACCESS_KEY,
    SAS_TOKEN,
    CLIENT_ID,
    TENANT_ID,
    USE_AZURE_CLI,
    ANONYMOUS,
    ENDPOINT,
    options::STORAGE_CLASS,
    options::METADATA,
    options::CREATE_ONLY,
    ALLOW_HTTP,
    options::MEMORY,
    options::PART_SIZE,
];

fn clients(target: CloudUrl<'_>, options: &NetworkOptions) -> Result<Clients, SinkError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (builder, account) = builder(target, &variable)?;
    let connector = connector(options, None)?;
    let build = |builder: MicrosoftAzureBuilder| builder.build().map_err(connection::refused);
    let plain = builder.with_http_connector(connector.clone());
    let fail_fast = build(plain.clone().with_retry(connection::fail_fast_retries()))?;
    let credentials = fail_fast.credentials().clone();
    let shared = plain
        .with_credentials(credentials.clone())
        .with_retry(connection::retries());
    let store = Arc::new(build(shared.clone())?);
    let creating = connector.intercepted(CreateInterceptor {
        account,
        credentials,
    });
    let creating = build(shared.with_http_connector(creating))?;
    Ok(Clients {
        store: StoreClient {
            objects: store.clone(),
            uploads: None,
        },
        lister: store,
        fail_fast: Arc::new(fail_fast),
        probe_needs_part: true,
        create_only: CreateOnlyClient {
            // Conditions are an old part of the protocol, so every endpoint is trusted with them.
            rule: target.create_rule(true)?,
            store: StoreClient {
                objects: Arc::new(creating),
                uploads: None,
            },
            copies: false,
        },
        // Azure drops uncommitted blocks after a week.
        stale_uploads: None,
        hyphens: false,
    })
}

/// Returns the settings and the account's name.
fn builder(
    target: CloudUrl<'_>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<(MicrosoftAzureBuilder, String), SinkError> {
    let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(target.bucket()?);
    // The az command's names.
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", Key::AccountName),
        ("AZURE_STORAGE_KEY", Key::AccessKey),
    ] {
        if let Some(value) = var(name)
            && builder.get_config_value(&key).is_none()
        {
            builder = builder.with_config(key, value);
        }
    }
    for (option, key) in [
        (ACCOUNT, Key::AccountName),
        (ACCESS_KEY, Key::AccessKey),
        (SAS_TOKEN, Key::SasKey),
        (CLIENT_ID, Key::ClientId),
        (TENANT_ID, Key::AuthorityId),
        (ENDPOINT, Key::Endpoint),
    ] {
        if let Some(value) = target.text(option) {
            builder = builder.with_config(key, value);
        }
    }
    if target.flag(USE_AZURE_CLI)? == Some(true) {
        builder = builder.with_use_azure_cli(true);
    }
    if target.flag(ANONYMOUS)? == Some(true) {
        builder = builder.with_skip_signature(true);
    }
    if let Some(endpoint) = builder.get_config_value(&Key::Endpoint) {
        connection::check_endpoint(&endpoint, target.flag(ALLOW_HTTP)? == Some(true))?;
    }
    let account = builder.get_config_value(&Key::AccountName).ok_or_else(|| {
        let reason = "no storage account is named: give it, or set AZURE_STORAGE_ACCOUNT";
        invalid(ACCOUNT.name, reason)
    })?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if !account.bytes().all(plain) {
        let what = "an Azure storage account's name is lower case letters and digits";
        return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
    }
    Ok((builder, account))
}

/// Makes the completion of an upload create-only. A shared key signs the condition too, so the
/// request is signed again.
struct CreateInterceptor {
    account: String,
    credentials: AzureCredentialProvider,
}

#[async_trait]
impl Interceptor for CreateInterceptor {
    async fn request(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let ends_upload = query.split('&').any(|pair| pair == "comp=blocklist");
        if request.method() != Method::PUT || !ends_upload {
            return Ok(());
        }
        let any = HeaderValue::from_static("*");
        request.headers_mut().insert(IF_NONE_MATCH, any);
        if !request.headers().contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let unsigned = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let credential = self.credentials.get_credential().await.map_err(unsigned)?;
        if let AzureCredential::AccessKey(_) = *credential {
            request.headers_mut().remove(AUTHORIZATION);
            AzureAuthorizer::new(&credential, &self.account)
                .try_authorize(request)
                .map_err(unsigned)?;
        }
        Ok(())
    }
}
