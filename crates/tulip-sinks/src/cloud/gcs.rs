//! Google Cloud Storage.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderValue};
use object_store::StaticCredentialProvider;
use object_store::client::HttpRequest;
use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey as Key,
};
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, ConnectOptions, Sink, SinkError, SinkFactory, SinkOption, SinkUrl,
};
use url::Url;

use super::common::{self, ALLOW_HTTP, ANONYMOUS, CloudUrl, ENDPOINT};
use super::uploads::{self, Listing, Uploads};
use super::{CloudSink, CreateOnly, Probe};
use crate::object::settings::{self, Settings, invalid};
use crate::object::store::Store;

tulip_core::register_sink!(GcsFactory);

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
    common::STORAGE_CLASS,
    common::METADATA,
    common::CREATE_ONLY,
    ALLOW_HTTP,
    settings::MEMORY,
    settings::PART_SIZE,
];

struct GcsFactory;

#[async_trait]
impl SinkFactory for GcsFactory {
    fn scheme(&self) -> &str {
        "gs"
    }

    fn summary(&self) -> &str {
        "Google Cloud Storage"
    }

    fn example(&self) -> &str {
        "gs://bucket/prefix"
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
        Some("gcs")
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &ConnectOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let target = CloudUrl(url);
        target.check_metadata_names()?;
        let builder = builder(target)?;
        let is_google = builder.get_config_value(&Key::BaseUrl).is_none();
        let bucket = bucket_url(target, &builder)?;
        let connector = common::connector(options, None)?;
        let builder = builder.with_http_connector(connector.clone());
        let build = |builder: GoogleCloudStorageBuilder| builder.build().map_err(common::refused);
        let probe = build(builder.clone().with_retry(common::probe_retries()))?;
        let shared = builder
            .with_credentials(probe.credentials().clone())
            .with_retry(common::retries());
        let store = Arc::new(build(shared)?);
        let listing = GcsListing {
            bucket,
            credentials: store.credentials().clone(),
        };
        let uploads = Uploads::new(store.clone(), listing, connector);
        let buffering = Settings::of(url).buffering(common::BUFFERING)?;
        Ok(Arc::new(CloudSink {
            scheme: "gs",
            shown: common::shown(url),
            store: Store::new(store.clone(), target.prefix()?, buffering),
            create: CreateOnly {
                rule: target.create_rule(is_google)?,
                store,
                // The end of an upload takes no condition; a copy does.
                parts_staged: true,
                kept: OnceCell::new(),
            },
            probe: Probe {
                store: Arc::new(probe),
                needs_part: false,
            },
            uploads: Some(uploads),
            kept: target.kept(true),
        }))
    }
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
        // The store library asks for a token all the same; an empty one is none.
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
        common::check_endpoint(&endpoint, target.flag(ALLOW_HTTP)? == Some(true))?;
    }
    Ok(builder)
}

/// The URL of the bucket, for what the store library has no call for.
fn bucket_url(target: CloudUrl<'_>, builder: &GoogleCloudStorageBuilder) -> Result<Url, SinkError> {
    let base = builder.get_config_value(&Key::BaseUrl);
    let base = base.unwrap_or_else(|| "https://storage.googleapis.com".to_owned());
    let url = format!("{}/{}", base.trim_end_matches('/'), target.bucket()?);
    Url::parse(&url).map_err(|error| invalid(ENDPOINT.name, &error.to_string()))
}

/// Where the unfinished uploads of a bucket are listed.
struct GcsListing {
    bucket: Url,
    credentials: GcpCredentialProvider,
}

#[async_trait]
impl Listing for GcsListing {
    async fn request(&self, query: &[(&str, &str)]) -> object_store::Result<HttpRequest> {
        let mut url = self.bucket.clone();
        url.query_pairs_mut().extend_pairs(query);
        let mut request = uploads::get(url.as_str())?;
        let bearer = &self.credentials.get_credential().await?.bearer;
        if !bearer.is_empty() {
            let value = HeaderValue::try_from(format!("Bearer {bearer}"));
            let mut value = value.map_err(uploads::unusable)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}
