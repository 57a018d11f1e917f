//! Amazon S3, and stores that speak its protocol.

mod config;
mod interceptor;
mod process;
mod profile;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpRequest;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use tulip_core::NetworkOptions;
use tulip_core::sink::{SinkError, SinkOption};

use super::clients::{Clients, CreateOnlyClient};
use super::connection::{self, connector};
use super::destination::StoreClient;
use super::factory::Cloud;
use super::options::{self, CloudUrl};
use super::stale_uploads::{self, Listing, StaleUploads};
use config::Config;
use interceptor::S3Interceptor;
use variables::Variables;

tulip_core::register_sink!(S3);
// Hadoop's and Spark's name for it.
tulip_core::register_sink!(Cloud {
    scheme: "s3a",
    summary: "the same as s3",
    example: "s3a://bucket/prefix",
    ..S3
});

const S3: Cloud = Cloud {
    scheme: "s3",
    summary: "Amazon S3 and compatible stores",
    example: "s3://bucket/prefix",
    options: OPTIONS,
    clients,
};

const OPTIONS: &[SinkOption] = &[
    config::REGION,
    options::ENDPOINT,
    config::PATH_STYLE,
    config::PROFILE,
    config::ACCESS_KEY_ID,
    config::SECRET_ACCESS_KEY,
    config::SESSION_TOKEN,
    options::ANONYMOUS,
    config::SSE,
    config::SSE_KMS_KEY_ID,
    config::SSE_BUCKET_KEY,
    config::SSE_CUSTOMER_KEY,
    options::STORAGE_CLASS,
    options::METADATA,
    config::CHECKSUM,
    config::UNSIGNED_PAYLOAD,
    config::REQUEST_PAYER,
    options::CREATE_ONLY,
    options::ALLOW_HTTP,
    options::MEMORY,
    options::PART_SIZE,
];

fn clients(target: CloudUrl<'_>, options: &NetworkOptions) -> Result<Clients, SinkError> {
    let config = Config::of(target, &Variables::of_process())?;
    let connector = connector(options, config.ca_file.clone())?;
    let build = |builder: AmazonS3Builder| builder.build().map_err(connection::refused);
    let plain = connector
        .clone()
        .intercepted(S3Interceptor { creates: false });
    let fail_fast = config
        .builder
        .clone()
        .with_http_connector(plain.clone())
        .with_retry(connection::fail_fast_retries());
    let fail_fast = build(fail_fast)?;
    // One set of credentials, renewed once for all.
    let shared = config
        .builder
        .with_credentials(fail_fast.credentials().clone())
        .with_retry(connection::retries());
    let store = Arc::new(build(shared.clone().with_http_connector(plain))?);
    let listing = S3Listing(store.clone());
    let uploads = StaleUploads::new(store.clone(), listing, connector.clone());
    let creating = connector.intercepted(S3Interceptor { creates: true });
    let creating = Arc::new(build(shared.with_http_connector(creating))?);
    Ok(Clients {
        store: StoreClient {
            objects: store.clone(),
            uploads: Some((store.clone(), uploads.clone())),
        },
        lister: store,
        fail_fast: Arc::new(fail_fast),
        probe_needs_part: false,
        create_only: CreateOnlyClient {
            rule: target.create_rule(config.is_amazon)?,
            store: StoreClient {
                objects: creating.clone(),
                uploads: Some((creating, uploads.clone())),
            },
            copies: false,
        },
        stale_uploads: Some(uploads),
        hyphens: true,
    })
}

/// Requests the unfinished uploads of a bucket.
struct S3Listing(Arc<AmazonS3>);

#[async_trait]
impl Listing for S3Listing {
    async fn request(&self, query: &[(&str, &str)]) -> object_store::Result<HttpRequest> {
        let options = SignedUrlOptions::new().with_query(query.iter().copied());
        let bucket = Path::default();
        let signed = self.0.signed_url_opts(Method::GET, &bucket, SOON, &options);
        stale_uploads::get(signed.await?.as_str())
    }
}

/// How long a request that is sent at once stays valid.
const SOON: Duration = Duration::from_secs(300);
