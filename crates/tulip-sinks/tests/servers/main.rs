//! The conformance suite against third-party stores, which `scripts/servers.sh` starts:
//!
//! ```sh
//! scripts/servers.sh cargo test -p tulip-sinks --all-features --test servers -- --ignored --skip garage
//! ```
//!
//! Garage has its own script, whose first run takes long:
//!
//! ```sh
//! scripts/servers.sh scripts/garage.sh cargo test -p tulip-sinks --all-features --test servers -- --ignored garage
//! ```
#![cfg(all(feature = "s3", feature = "gcs", feature = "azure"))]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::conformance::{self, Failure, Fixture, Report};
use tulip_core::sink::{Sink, SinkRegistry, async_trait};
use tulip_sinks as _;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/servers.sh"))
}

async fn sink(url: &str, options: &[(&str, &str)]) -> Arc<dyn Sink> {
    let mut url: tulip_core::sink::SinkUrl = url.parse().unwrap();
    for (name, value) in options {
        url = url.with_option(name, value);
    }
    let registry = SinkRegistry::linked().unwrap();
    let sink = registry.connect(&url, &NetworkOptions::default()).await;
    sink.unwrap()
}

/// A store whose objects are files in a local folder.
struct InFolder {
    sink: Arc<dyn Sink>,
    folder: PathBuf,
}

#[async_trait]
impl Fixture for InFolder {
    fn sink(&self) -> Arc<dyn Sink> {
        self.sink.clone()
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
        Ok(std::fs::read(self.folder.join(key.as_str())).ok())
    }
}

/// A store that is read by another client, rclone.
struct ByRclone {
    sink: Arc<dyn Sink>,
    remote: String,
}

#[async_trait]
impl Fixture for ByRclone {
    fn sink(&self) -> Arc<dyn Sink> {
        self.sink.clone()
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
        let object = format!("{}/{key}", self.remote);
        // `rclone cat` treats a missing object as an empty folder.
        if rclone("lsf", &object)?.is_empty() {
            return Ok(None);
        }
        rclone("cat", &object).map(Some)
    }
}

fn rclone(command: &str, object: &str) -> Result<Vec<u8>, Failure> {
    let output = Command::new(variable("TULIP_TEST_RCLONE"))
        .args(["--config", "", "--retries", "1", command, object])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(output.stdout),
        false if said.contains("not found") => Ok(Vec::new()),
        false => Err(said.into()),
    }
}

#[expect(clippy::print_stdout, reason = "somebody ran it to see this")]
fn shown(report: &Report) {
    println!("{report}");
    report.assert_passed();
}

#[tokio::test]
#[ignore = "needs the servers of scripts/servers.sh"]
async fn rclones_s3_server() {
    let endpoint = variable("TULIP_TEST_S3_ENDPOINT");
    let id = variable("TULIP_TEST_S3_ACCESS_KEY_ID");
    let secret = variable("TULIP_TEST_S3_SECRET_ACCESS_KEY");
    let options = [
        ("endpoint", endpoint.as_str()),
        ("access_key_id", &id),
        ("secret_access_key", &secret),
    ];
    let sink = sink("s3://lake/a tulip", &options).await;
    let folder = PathBuf::from(variable("TULIP_TEST_S3_DATA")).join("lake/a tulip");
    shown(&conformance::run(&InFolder { sink, folder }).await);
}

#[tokio::test]
#[ignore = "needs the servers of scripts/servers.sh"]
async fn googles_protocol_at_rclone() {
    let endpoint = variable("TULIP_TEST_GCS_ENDPOINT");
    let options = [("endpoint", endpoint.as_str()), ("anonymous", "true")];
    let sink = sink("gs://lake/a tulip", &options).await;
    let folder = PathBuf::from(variable("TULIP_TEST_GCS_DATA")).join("lake/a tulip");
    shown(&conformance::run(&InFolder { sink, folder }).await);
}

#[tokio::test]
#[ignore = "needs the servers of scripts/servers.sh"]
async fn azurite() {
    let endpoint = variable("TULIP_TEST_AZURE_ENDPOINT");
    let account = variable("TULIP_TEST_AZURE_ACCOUNT");
    let key = variable("TULIP_TEST_AZURE_KEY");
    let options = [
        ("endpoint", endpoint.as_str()),
        ("account", &account),
        ("access_key", &key),
    ];
    let sink = sink("az://lake/a tulip", &options).await;
    let remote = format!(
        ":azureblob,account='{account}',key='{key}',endpoint='{endpoint}',use_emulator=false:lake/a tulip"
    );
    let azure = ByRclone { sink, remote };
    shown(&conformance::run(&azure).await);
    assert!(azure.sink.capabilities().atomic_create);
}

/// Three nodes that each keep every object.
#[tokio::test]
#[ignore = "needs the nodes of scripts/garage.sh"]
async fn garage() {
    let endpoint = variable("TULIP_TEST_GARAGE_ENDPOINT");
    let region = variable("TULIP_TEST_GARAGE_REGION");
    let id = variable("TULIP_TEST_GARAGE_ACCESS_KEY_ID");
    let secret = variable("TULIP_TEST_GARAGE_SECRET_ACCESS_KEY");
    let options = [
        ("endpoint", endpoint.as_str()),
        ("region", &region),
        ("access_key_id", &id),
        ("secret_access_key", &secret),
    ];
    let sink = sink("s3://lake/a tulip", &options).await;
    let remote = format!(
        ":s3,provider=Other,access_key_id='{id}',secret_access_key='{secret}',region='{region}',\
         endpoint='{endpoint}':lake/a tulip"
    );
    shown(&conformance::run(&ByRclone { sink, remote }).await);
}
