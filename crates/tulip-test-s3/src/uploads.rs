//! The list of unfinished uploads, which the underlying server does not support.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Response};
use percent_encoding::percent_decode_str;

use crate::{BUCKET, Body, Seen};

/// Unfinished uploads by id.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<BTreeMap<String, Upload>>);

#[derive(Debug)]
struct Upload {
    key: String,
    initiated: SystemTime,
}

impl Uploads {
    /// Records the beginning or end of an upload from the answer to a request.
    pub(crate) async fn note(&self, seen: &Seen, answer: Response<s3s::Body>) -> Response<Body> {
        let ended = query(&seen.target, "uploadId").filter(|_| {
            let completed = seen.method == Method::POST && answer.status().is_success();
            completed || seen.method == Method::DELETE
        });
        if let Some(id) = ended {
            self.0.lock().unwrap().remove(&id);
        }
        if !seen.is_beginning() || !answer.status().is_success() {
            return answer.map(|body| body.map_err(Into::into).boxed_unsync());
        }
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        let (_, rest) = text.split_once("<UploadId>").unwrap();
        let (id, _) = rest.split_once("</UploadId>").unwrap();
        let path = seen.target.split('?').next().unwrap();
        // Through a proxy, this is the whole URL.
        let (_, key) = path.split_once(&format!("/{BUCKET}/")).unwrap();
        let key = percent_decode_str(key).decode_utf8().unwrap();
        self.insert(id, &key, SystemTime::now());
        Response::from_parts(head, full(body))
    }

    fn insert(&self, id: &str, key: &str, initiated: SystemTime) {
        let key = key.to_owned();
        let upload = Upload { key, initiated };
        self.0.lock().unwrap().insert(id.to_owned(), upload);
    }

    pub(crate) fn orphan(&self, key: &str, ago: Duration) {
        let id = format!("orphan-{}", self.0.lock().unwrap().len());
        self.insert(&id, key, SystemTime::now() - ago);
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let uploads = self.0.lock().unwrap();
        uploads.values().map(|upload| upload.key.clone()).collect()
    }

    /// Lists one upload per page, so that a client must request more pages.
    pub(crate) fn listed(&self, target: &str) -> Response<Body> {
        let prefix = query(target, "prefix").unwrap_or_default();
        let marker = (
            query(target, "key-marker"),
            query(target, "upload-id-marker"),
        );
        let uploads = self.0.lock().unwrap();
        let mut found: Vec<_> = uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(&prefix))
            .map(|(id, upload)| (&upload.key, id, upload.initiated))
            .collect();
        found.sort();
        if let (Some(key), Some(id)) = marker {
            found.retain(|entry| (entry.0, entry.1) > (&key, &id));
        }
        let more = found.len() > 1;
        let entry = found.first().map_or_else(String::new, |(key, id, initiated)| {
            let initiated = humantime::format_rfc3339_millis(*initiated);
            format!(
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{initiated}</Initiated></Upload>\
                 <NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>"
            )
        });
        let xml = format!(
            "<ListMultipartUploadsResult><IsTruncated>{more}</IsTruncated>{entry}</ListMultipartUploadsResult>"
        );
        Response::new(full(xml.into()))
    }
}

fn full(body: Bytes) -> Body {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn query(target: &str, name: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}
