//! Unfinished uploads: our own, whose process was killed, or anybody's.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::client::HttpRequest;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _};
use serde::Deserialize;
use tracing::{debug, warn};
use tulip_core::Timestamp;
use tulip_core::sink::{SinkError, StaleUpload, staged_target};

use super::connector::Connector;
use super::error::{cleaned, from_store};
use super::error_codes;
use super::pages::BrokenList;

/// How far a store's clock may be behind ours: an upload that seems older than its writer by no
/// more than this can be its own.
const CLOCKS_DIFFER: std::time::Duration = std::time::Duration::from_secs(300);

/// Requests the unfinished uploads of a bucket, which `object_store` has no call for.
#[async_trait]
pub(super) trait Listing: Send + Sync + 'static {
    /// Builds a request for the bucket itself with this query.
    async fn request(&self, query: &[(&str, &str)]) -> object_store::Result<HttpRequest>;
}

/// The unfinished uploads of a store.
#[derive(Clone)]
pub(super) struct StaleUploads {
    store: Arc<dyn MultipartStore>,
    objects: Arc<dyn ObjectStore>,
    listing: Arc<dyn Listing>,
    connector: Connector,
}

impl fmt::Debug for StaleUploads {
    /// Leaves out the stores: some show their credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaleUploads")
    }
}

/// An unfinished upload.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: Timestamp,
}

/// One page of the list of unfinished uploads.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    #[serde(rename = "Upload")]
    uploads: Vec<Upload>,
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
}

impl StaleUploads {
    pub(super) fn new(
        store: Arc<impl MultipartStore + ObjectStore>,
        listing: impl Listing,
        connector: Connector,
    ) -> Self {
        Self {
            objects: store.clone(),
            store,
            listing: Arc::new(listing),
            connector,
        }
    }

    /// Aborts what a writer of the object at `path` has left.
    pub(super) async fn discard(
        &self,
        path: &Path,
        left: &StaleUpload,
        location: &str,
    ) -> Result<(), SinkError> {
        let failed = |error| {
            let what = format!("cannot remove the unfinished upload of {location}");
            from_store(error, what)
        };
        // A resume token is an upload's id or, after a blank, the path of the staged object.
        match left
            .resume_token
            .as_deref()
            .map(|token| (token, token.strip_prefix(' ')))
        {
            Some((_, Some(staged))) => {
                let staged = Path::parse(staged).map_err(|error| failed(error.into()))?;
                if staged.filename().and_then(staged_target).is_none() {
                    return Ok(());
                }
                self.abort_all(&staged).await.map_err(failed)?;
                return match self.objects.delete(&staged).await {
                    Err(StoreError::NotFound { .. }) => Ok(()),
                    deleted => deleted.map_err(failed),
                };
            }
            Some((id, None)) => return self.abort(path, id).await.map_err(failed),
            None => {}
        }
        // The store's answer with the id never came, or was not stored.
        let earliest = Timestamp::from(left.opened.as_system_time() - CLOCKS_DIFFER);
        self.abort_since(path, Some(earliest)).await.map_err(failed)
    }

    /// Aborts all uploads to `path`.
    pub(super) async fn abort_all(&self, path: &Path) -> object_store::Result<()> {
        self.abort_since(path, None).await
    }

    async fn abort_since(
        &self,
        path: &Path,
        earliest: Option<Timestamp>,
    ) -> object_store::Result<()> {
        for upload in self.open(path.as_ref()).await? {
            let old = earliest.is_some_and(|earliest| upload.initiated < earliest);
            if upload.key == path.as_ref() && !old {
                self.abort(path, &upload.upload_id).await?;
            }
        }
        Ok(())
    }

    /// Aborts all uploads below `root` that were created before `before`, and returns how many.
    pub(super) async fn sweep(
        &self,
        root: &Path,
        before: Timestamp,
        shown: &str,
    ) -> Result<u64, SinkError> {
        let failed = |error| {
            let what = format!("cannot remove the unfinished uploads below {shown}");
            from_store(error, what)
        };
        let prefix = match root.as_ref() {
            "" => String::new(),
            root => format!("{root}/"),
        };
        let mut aborted = 0;
        for upload in self.open(&prefix).await.map_err(failed)? {
            if upload.initiated >= before {
                continue;
            }
            let Ok(path) = Path::parse(&upload.key) else {
                let key = cleaned(&upload.key);
                warn!(
                    key,
                    "cannot remove the unfinished upload of {key:?}: no archive has such a name"
                );
                continue;
            };
            self.abort(&path, &upload.upload_id).await.map_err(failed)?;
            debug!(key = upload.key, "aborted an unfinished upload");
            aborted += 1;
        }
        Ok(aborted)
    }

    /// Aborts an upload. One that is gone is no error: stores report that in many ways, so the list
    /// of uploads decides.
    pub(super) async fn abort(&self, path: &Path, id: &str) -> object_store::Result<()> {
        let error = match self.store.abort_multipart(path, &id.to_owned()).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => return Ok(()),
            Err(error) => error,
        };
        match self.open(path.as_ref()).await {
            Ok(open) if !open.iter().any(|upload| upload.upload_id == id) => Ok(()),
            _ => Err(error),
        }
    }

    /// Lists all uploads whose keys begin with `prefix`.
    async fn open(&self, prefix: &str) -> object_store::Result<Vec<Upload>> {
        let mut found = Vec::new();
        let mut markers = HashSet::new();
        let (mut key, mut id) = (String::new(), String::new());
        loop {
            let mut query = vec![("uploads", ""), ("prefix", prefix)];
            if !key.is_empty() {
                query.extend([("key-marker", key.as_str()), ("upload-id-marker", &id)]);
            }
            let page = self.page(self.listing.request(&query).await?).await?;
            found.extend(page.uploads);
            if !page.is_truncated {
                return Ok(found);
            }
            if page.next_key_marker.is_empty() {
                return Err(BrokenList::NoToken.into());
            }
            if !markers.insert((
                page.next_key_marker.clone(),
                page.next_upload_id_marker.clone(),
            )) {
                return Err(BrokenList::Repeats.into());
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    async fn page(&self, request: HttpRequest) -> object_store::Result<Page> {
        let answered = self.connector.ask(request).await;
        let (status, body) = answered.map_err(unusable)?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            let said = error_codes::said(&text).unwrap_or_else(|| format!("HTTP {status}"));
            let said = cleaned(&said);
            let refused = format!("the list of uploads was refused: {said}");
            let source = refused.into();
            return Err(match status.as_u16() {
                // Some compatible stores have no such list.
                501 => StoreError::NotSupported { source },
                401 | 403 => StoreError::PermissionDenied {
                    path: "?uploads".to_owned(),
                    source,
                },
                _ => unusable(source),
            });
        }
        quick_xml::de::from_reader(body.as_ref()).map_err(unusable)
    }
}

/// A GET of `url`.
pub(super) fn get(url: &str) -> object_store::Result<HttpRequest> {
    let mut request = HttpRequest::new(Bytes::new().into());
    *request.uri_mut() = url.parse().map_err(unusable)?;
    Ok(request)
}

/// An error of our own on the way to a store.
pub(super) fn unusable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Generic {
        store: "uploads",
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_with_and_without_uploads() {
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Bucket>lake</Bucket><KeyMarker></KeyMarker><IsTruncated>true</IsTruncated>
  <NextKeyMarker>b.csv</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>
  <Upload><Key>a &amp; b.csv</Key><UploadId>1</UploadId><Initiated>2026-11-23T01:02:03.000Z</Initiated>
    <Owner><ID>x</ID></Owner></Upload>
  <Upload><Key>b.csv</Key><UploadId>2</UploadId><Initiated>2026-11-23T01:02:04Z</Initiated></Upload>
</ListMultipartUploadsResult>"#;
        let page: Page = quick_xml::de::from_reader(xml.as_bytes()).unwrap();
        let upload = |key: &str, id: &str, initiated: &str| Upload {
            key: key.to_owned(),
            upload_id: id.to_owned(),
            initiated: initiated.parse().unwrap(),
        };
        let expected = Page {
            uploads: vec![
                upload("a & b.csv", "1", "2026-11-23T01:02:03Z"),
                upload("b.csv", "2", "2026-11-23T01:02:04Z"),
            ],
            is_truncated: true,
            next_key_marker: "b.csv".to_owned(),
            next_upload_id_marker: "2".to_owned(),
        };
        assert_eq!(page, expected);
        let empty = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
        let page: Page = quick_xml::de::from_reader(empty.as_bytes()).unwrap();
        assert_eq!(page, Page::default());
    }
}
