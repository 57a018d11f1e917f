//! Amazon S3, and what speaks its protocol.

mod config;
mod hook;
mod process;
mod profile;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpRequest;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer as _};
use tokio::sync::OnceCell;
use tulip_core::sink::{
    Capabilities, ConnectOptions, Sink, SinkError, SinkFactory, SinkOption, SinkUrl,
};

use super::common::{self, CloudUrl};
use super::uploads::{self, Listing, Uploads};
use super::{CloudSink, CreateOnly, Probe};
use crate::object::settings::{self, Settings};
use crate::object::store::Store;
use config::Config;
use hook::S3Hook;

tulip_core::register_sink!(S3Factory { scheme: "s3" });
// What Hadoop and Spark call it.
tulip_core::register_sink!(S3Factory { scheme: "s3a" });

struct S3Factory {
    scheme: &'static str,
}

const OPTIONS: &[SinkOption] = &[
    config::REGION,
    common::ENDPOINT,
    config::PATH_STYLE,
    config::PROFILE,
    config::ACCESS_KEY_ID,
    config::SECRET_ACCESS_KEY,
    config::SESSION_TOKEN,
    common::ANONYMOUS,
    config::SSE,
    config::SSE_KMS_KEY_ID,
    config::SSE_BUCKET_KEY,
    config::SSE_CUSTOMER_KEY,
    common::STORAGE_CLASS,
    common::METADATA,
    config::CHECKSUM,
    config::UNSIGNED_PAYLOAD,
    config::REQUEST_PAYER,
    common::CREATE_ONLY,
    common::ALLOW_HTTP,
    settings::MEMORY,
    settings::PART_SIZE,
];

#[async_trait]
impl SinkFactory for S3Factory {
    fn scheme(&self) -> &str {
        self.scheme
    }

    fn summary(&self) -> &str {
        match self.scheme {
            "s3" => "Amazon S3 and what speaks its protocol",
            _ => "the same as s3",
        }
    }

    fn example(&self) -> &str {
        match self.scheme {
            "s3" => "s3://bucket/prefix",
            _ => "s3a://bucket/prefix",
        }
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
        Some("s3")
    }

    async fn connect(
        &self,
        url: &SinkUrl,
        options: &ConnectOptions,
    ) -> Result<Arc<dyn Sink>, SinkError> {
        let target = CloudUrl(url);
        let config = Config::of(target, &config::process_variable)?;
        let connector = common::connector(options, config.ca_file.clone())?;
        let build = |builder: AmazonS3Builder| builder.build().map_err(common::refused);
        let plain = connector.clone().with_hook(S3Hook { creates: false });
        let probe = config
            .builder
            .clone()
            .with_http_connector(plain.clone())
            .with_retry(common::probe_retries());
        let probe = build(probe)?;
        // One set of credentials, renewed once for all.
        let shared = config
            .builder
            .with_credentials(probe.credentials().clone())
            .with_retry(common::retries());
        let store = Arc::new(build(shared.clone().with_http_connector(plain))?);
        let uploads = Uploads::new(store.clone(), S3Listing(store.clone()), connector.clone());
        let creating = connector.with_hook(S3Hook { creates: true });
        let creating = build(shared.with_http_connector(creating))?;
        let buffering = Settings::of(url).buffering(common::BUFFERING)?;
        Ok(Arc::new(CloudSink {
            scheme: self.scheme,
            shown: common::shown(url),
            store: Store::new(store, target.prefix()?, buffering),
            create: CreateOnly {
                rule: target.create_rule(config.is_amazon)?,
                store: Arc::new(creating),
                parts_staged: false,
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

/// Where the unfinished uploads of a bucket are listed.
struct S3Listing(Arc<AmazonS3>);

#[async_trait]
impl Listing for S3Listing {
    async fn request(&self, query: &[(&str, &str)]) -> object_store::Result<HttpRequest> {
        let options = SignedUrlOptions::new().with_query(query.iter().copied());
        let bucket = Path::default();
        let signed = self.0.signed_url_opts(Method::GET, &bucket, SOON, &options);
        uploads::get(signed.await?.as_str())
    }
}

/// How long a request that is sent at once stays valid.
const SOON: Duration = Duration::from_secs(300);
