//! The conformance suite for the sinks that need nothing outside this process.

use std::sync::Arc;

use tulip_core::ObjectKey;
use tulip_core::sink::conformance::{self, Failure, Fixture};
use tulip_core::sink::{Sink, async_trait};

use crate::support::connect;

#[cfg(feature = "fs")]
mod fs {
    use std::path::Path;

    use tempfile::TempDir;
    use tulip_core::sink::SinkUrl;

    use super::*;

    struct Folder {
        folder: TempDir,
        sink: Arc<dyn Sink>,
    }

    #[async_trait]
    impl Fixture for Folder {
        fn sink(&self) -> Arc<dyn Sink> {
            self.sink.clone()
        }

        async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
            Ok(std::fs::read(self.folder.path().join(key.as_str())).ok())
        }

        async fn leftovers(&self) -> Result<Vec<String>, Failure> {
            Ok(staged(self.folder.path()))
        }

        /// Makes the objects' folder a dangling link, which shows only when an object is created.
        #[cfg(unix)]
        async fn failing(&self, folder: &ObjectKey) -> Option<Arc<dyn Sink>> {
            let folder = self.folder.path().join(folder.as_str());
            std::os::unix::fs::symlink("nowhere", folder).ok()?;
            Some(self.sink.clone())
        }
    }

    fn staged(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true => found.extend(staged(&path)),
                false if name.contains(".partial") => found.push(name),
                false => {}
            }
        }
        found
    }

    #[tokio::test]
    async fn local_files_keep_the_contract() {
        let folder = TempDir::new().unwrap();
        let url = SinkUrl::from_path(folder.path()).unwrap();
        let sink = connect(url.expose().as_str(), &[]).await.unwrap();
        let report = conformance::run(&Folder { folder, sink }).await;
        report.assert_passed();
    }
}

#[cfg(feature = "s3")]
mod s3 {
    use tulip_core::sink::WriteMode;
    use tulip_test_s3::{KEY_ID, S3Server, S3ServerBuilder, SECRET};

    use super::*;

    struct Bucket {
        server: S3Server,
        sink: Arc<dyn Sink>,
    }

    #[async_trait]
    impl Fixture for Bucket {
        fn sink(&self) -> Arc<dyn Sink> {
            self.sink.clone()
        }

        async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
            Ok(self.server.object(&format!("tulip/{key}")))
        }

        async fn leftovers(&self) -> Result<Vec<String>, Failure> {
            Ok(self.server.uploads())
        }

        /// Makes the server refuse all parts below this prefix.
        async fn failing(&self, folder: &ObjectKey) -> Option<Arc<dyn Sink>> {
            let folder = folder.to_string();
            self.server.refuse(move |seen| {
                let refused =
                    seen.is_part() && folder.split('/').all(|name| seen.target.contains(name));
                refused.then_some((403, "AccessDenied"))
            });
            Some(self.sink.clone())
        }
    }

    async fn bucket(server: S3Server) -> Bucket {
        let options = [
            ("endpoint", server.endpoint.as_str()),
            ("access_key_id", KEY_ID),
            ("secret_access_key", SECRET),
        ];
        let sink = connect("s3://lake/tulip", &options).await.unwrap();
        Bucket { server, sink }
    }

    #[tokio::test]
    async fn a_server_that_keeps_conditions_keeps_the_contract() {
        let bucket = bucket(S3Server::start().await).await;
        conformance::run(&bucket).await.assert_passed();
        assert!(bucket.sink.capabilities().atomic_create);
    }

    #[cfg(feature = "gcs")]
    #[tokio::test]
    async fn googles_protocol_keeps_the_contract() {
        let server = S3ServerBuilder::default().google().start().await;
        let options = [
            ("endpoint", server.endpoint.as_str()),
            ("anonymous", "true"),
        ];
        let sink = connect("gs://lake/tulip", &options).await.unwrap();
        let bucket = Bucket { server, sink };
        conformance::run(&bucket).await.assert_passed();
        assert!(bucket.sink.capabilities().atomic_create);
        // Objects that were staged under another name are gone.
        assert_eq!(bucket.server.staged(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_server_that_forgets_conditions_keeps_the_rest() {
        let server = S3ServerBuilder::default().forgets_conditions();
        let bucket = bucket(server.start().await).await;
        conformance::run(&bucket).await.assert_passed();
        let probed = bucket.sink.probe(WriteMode::Create).await.unwrap();
        assert!(!probed.capabilities.atomic_create);
    }
}
