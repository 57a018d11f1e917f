//! Google Cloud Storage.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderValue};
use object_store::StaticCredentialProvider;
use object_store::client::HttpRequest;
use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey as Key,
};
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkError, SinkOption};
use url::Url;

use super::clients::{Clients, CreateOnlyClient};
use super::connection::{self, connector};
use super::destination::StoreClient;
use super::factory::Cloud;
use super::options::{self, ALLOW_HTTP, ANONYMOUS, CloudUrl, ENDPOINT, invalid};
use super::stale_uploads::{self, Listing, StaleUploads};

tulip_core::register_sink!(Cloud {
    scheme: "gs",
    summary: "Google Cloud Storage",
    example: "gs://bucket/prefix",
    options: OPTIONS,
    clients,
});

const SERVICE_ACCOUNT: SinkOption = SinkOption::new(
    "service_account",
    "the file of a service account's key; else GOOGLE_SERVICE_ACCOUNT",
)
.public();
const APPLICATION_CREDENTIALS: SinkOption = SinkOption::new(
    "application_credentials",
    "the file of application default credentials; else GOOGLE_APPLICATION_CREDENTIALS, or gcloud's",
)
.public();

const OPTIONS: &[SinkOption] = &[
    SERVICE_ACCOUNT,
    APPLICATION_CREDENTIALS,
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
    let builder = builder(target)?;
    let is_google = builder.get_config_value(&Key::BaseUrl).is_none();
    let bucket = bucket_url(target, &builder)?;
    let connector = connector(options, None)?;
    let builder = builder.with_http_connector(connector.clone());
    let build = |builder: GoogleCloudStorageBuilder| builder.build().map_err(connection::refused);
    let fail_fast = build(builder.clone().with_retry(connection::fail_fast_retries()))?;
    let shared = builder
        .with_credentials(fail_fast.credentials().clone())
        .with_retry(connection::retries());
    let store = Arc::new(build(shared)?);
    let listing = GcsListing {
        bucket,
        credentials: store.credentials().clone(),
    };
    let uploads = StaleUploads::new(store.clone(), listing, connector);
    let client = StoreClient {
        objects: store.clone(),
        uploads: Some((store.clone(), uploads.clone())),
    };
    Ok(Clients {
        store: client.clone(),
        lister: store,
        fail_fast: Arc::new(fail_fast),
        probe_needs_part: false,
        create_only: CreateOnlyClient {
            rule: target.create_rule(is_google)?,
            store: client,
            // Completing an upload takes no condition; a copy does.
            copies: true,
        },
        stale_uploads: Some(uploads),
        hyphens: true,
    })
}

fn builder(target: CloudUrl<'_>) -> Result<GoogleCloudStorageBuilder, SinkError> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(target.bucket()?);
    if let Some(path) = target.text(SERVICE_ACCOUNT) {
        builder = builder.with_service_account_path(path);
    }
    if let Some(path) = target.text(APPLICATION_CREDENTIALS) {
        builder = builder.with_application_credentials(path);
    }
    if target.flag(ANONYMOUS)? == Some(true) {
        // `object_store` still asks for a token, but does not send an empty one.
        let nobody = GcpCredential {
            bearer: String::new(),
        };
        let nobody = StaticCredentialProvider::new(nobody);
        builder = builder.with_credentials(Arc::new(nobody));
    }
    if let Some(endpoint) = target.text(ENDPOINT) {
        builder = builder.with_base_url(&endpoint);
    }
    if let Some(endpoint) = builder.get_config_value(&Key::BaseUrl) {
        connection::check_endpoint(&endpoint, target.flag(ALLOW_HTTP)? == Some(true))?;
    }
    Ok(builder)
}

/// The URL of the bucket, for requests that `object_store` has no call for.
fn bucket_url(target: CloudUrl<'_>, builder: &GoogleCloudStorageBuilder) -> Result<Url, SinkError> {
    let base = builder.get_config_value(&Key::BaseUrl);
    let base = base.unwrap_or_else(|| "https://storage.googleapis.com".to_owned());
    let url = format!("{}/{}", base.trim_end_matches('/'), target.bucket()?);
    Url::parse(&url).map_err(|error| invalid(ENDPOINT.name, &error.to_string()))
}

/// Requests the unfinished uploads of a bucket.
struct GcsListing {
    bucket: Url,
    credentials: GcpCredentialProvider,
}

#[async_trait]
impl Listing for GcsListing {
    async fn request(&self, query: &[(&str, &str)]) -> object_store::Result<HttpRequest> {
        let mut url = self.bucket.clone();
        url.query_pairs_mut().extend_pairs(query);
        let mut request = stale_uploads::get(url.as_str())?;
        let bearer = &self.credentials.get_credential().await?.bearer;
        if !bearer.is_empty() {
            let value = HeaderValue::try_from(format!("Bearer {bearer}"));
            let mut value = value.map_err(stale_uploads::unusable)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}
