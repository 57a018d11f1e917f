//! The sink against a third-party WebDAV server, which `scripts/servers.sh` starts:
//!
//! ```sh
//! scripts/servers.sh cargo test -p tulip-sink-webdav -- --ignored
//! ```
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::PathBuf;
use std::sync::Arc;

use tulip_core::sink::conformance::{self, Failure, Fixture};
use tulip_core::sink::{OpenOptions, Sink, SinkErrorKind, SinkRegistry, WriteMode, async_trait};
use tulip_core::{NetworkOptions, ObjectKey};
use tulip_http::{Transport, http::Request};
use tulip_sink_webdav as _;

/// A sink, and the server's folder that it writes to.
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

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/servers.sh"))
}

/// Creates a folder on the server, and a sink for it.
async fn fixture(name: &str) -> InFolder {
    let url = format!("{}/{name}", variable("TULIP_TEST_WEBDAV_ENDPOINT"));
    let network = NetworkOptions::default();
    let make = Request::builder().method("MKCOL").uri(&url);
    let made = Transport::new(&network).unwrap().request(make).await;
    made.unwrap();
    let url = url.replacen("http", "webdav", 1).parse().unwrap();
    let sink = SinkRegistry::linked()
        .unwrap()
        .connect(&url, &network)
        .await;
    InFolder {
        sink: sink.unwrap(),
        folder: PathBuf::from(variable("TULIP_TEST_WEBDAV_DATA")).join(name),
    }
}

#[tokio::test]
#[ignore = "needs scripts/servers.sh"]
async fn the_sink_keeps_the_contract() {
    let report = conformance::run(&fixture("conforms").await).await;
    println!("{report}");
    report.assert_passed();
}

#[tokio::test]
#[ignore = "needs scripts/servers.sh"]
async fn what_is_refused_or_aborted_is_removed() {
    let InFolder { sink, folder } = fixture("removes").await;
    let key = ObjectKey::new("a.csv").unwrap();
    let create = OpenOptions::default().with_mode(WriteMode::Create);
    let open = async || {
        let mut writer = sink.open(&key, &create).await.unwrap();
        // More than a connection buffers, so that the server has some of it.
        writer.write(vec![b'x'; 16 << 20].into()).await.unwrap();
        writer
    };
    open().await.close().await.unwrap();
    let refused = open().await.close().await.unwrap_err();
    assert_eq!(refused.kind(), SinkErrorKind::AlreadyExists, "{refused}");
    open().await.abort().await.unwrap();
    let names = std::fs::read_dir(&folder).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.csv"]);
}
