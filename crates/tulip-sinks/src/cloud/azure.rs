//! Azure Blob Storage.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, HeaderValue, IF_NONE_MATCH};
use object_store::ObjectStore;
use object_store::azure::{
    AzureAuthorizer, AzureConfigKey as Key, AzureCredential, AzureCredentialProvider,
    MicrosoftAzureBuilder,
};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest};
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, ConnectOptions, Sink, SinkError, SinkErrorKind, SinkFactory, SinkOption, SinkUrl,
};

use super::common::{self, ALLOW_HTTP, ANONYMOUS, CloudUrl, ENDPOINT};
use super::service::Hook;
use super::{CloudSink, CreateOnly, Probe};
use crate::object::settings::{self, Settings, invalid};
use crate::object::store::Store;

tulip_core::register_sink!(AzureFactory);

const ACCOUNT: SinkOption = SinkOption::new(
    "account",
    "the storage account; else AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_ACCOUNT_NAME",
)
.public();
const ACCESS_KEY: SinkOption = SinkOption::new(
    "access_key",
    "the account's key; better AZURE_STORAGE_KEY or AZURE_STORAGE_ACCOUNT_KEY",
);
const SAS_TOKEN: SinkOption = SinkOption::new(
    "sas_token",
    "a shared access signature; better AZURE_STORAGE_SAS_TOKEN",
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
    common::STORAGE_CLASS,
    common::METADATA,
    common::CREATE_ONLY,
    ALLOW_HTTP,
    settings::MEMORY,
    settings::PART_SIZE,
];

struct AzureFactory;

#[async_trait]
impl SinkFactory for AzureFactory {
    fn scheme(&self) -> &str {
        "az"
    }

    fn summary(&self) -> &str {
        "Azure Blob Storage"
    }

    fn example(&self) -> &str {
        "az://container/prefix?account=NAME"
    }

    fn options(&self) -> &[SinkOption] {
        OPTIONS
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .with_lookup()
            .with_atomic_create()
            .with_read()
    }

    fn feature(&self) -> Option<&str> {
        Some("azure")
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &ConnectOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let target = CloudUrl(url);
        target.check_metadata_names()?;
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (builder, account) = builder(target, &variable)?;
        let connector = common::connector(options, None)?;
        let build = |builder: MicrosoftAzureBuilder| builder.build().map_err(common::refused);
        let plain = builder.with_http_connector(connector.clone());
        let probe = build(plain.clone().with_retry(common::probe_retries()))?;
        let credentials = probe.credentials().clone();
        let shared = plain
            .with_credentials(credentials.clone())
            .with_retry(common::retries());
        let store: Arc<dyn ObjectStore> = Arc::new(build(shared.clone())?);
        let creating = connector.with_hook(CreateHook {
            account,
            credentials,
        });
        let creating = build(shared.with_http_connector(creating))?;
        let buffering = Settings::of(url).buffering(common::BUFFERING)?;
        Ok(Arc::new(CloudSink {
            scheme: "az",
            shown: common::shown(url),
            store: Store::new(store, target.prefix()?, buffering),
            create: CreateOnly {
                // Conditions are an old part of the protocol.
                rule: target.create_rule(true)?,
                store: Arc::new(creating),
                parts_staged: false,
                kept: OnceCell::new(),
            },
            probe: Probe {
                store: Arc::new(probe),
                needs_part: true,
            },
            // Blocks of which nothing is made are dropped after a week.
            uploads: None,
            kept: target.kept(false),
        }))
    }
}

/// The settings, and the account's name.
fn builder(
    target: CloudUrl<'_>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<(MicrosoftAzureBuilder, String), SinkError> {
    let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(target.bucket()?);
    // As the az command calls them.
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
        common::check_endpoint(&endpoint, target.flag(ALLOW_HTTP)? == Some(true))?;
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

/// Makes the end of an upload create-only. The condition is part of what a shared key signs, so
/// the request is signed again.
struct CreateHook {
    account: String,
    credentials: AzureCredentialProvider,
}

#[async_trait]
impl Hook for CreateHook {
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

    fn reads(&self, _: &HttpRequest) -> bool {
        false
    }

    fn response(&self, _: &mut http::response::Parts, _: Option<&Bytes>) {}
}
