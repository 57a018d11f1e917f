//! S3's additions to requests and responses.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HeaderValue, IF_NONE_MATCH};
use http::{Method, Uri};
use object_store::client::{HttpError, HttpRequest};
use tulip_core::{Checksum, ChecksumAlgorithm};

use crate::cloud::connector::Interceptor;
use crate::cloud::destination::StoreChecksum;
use crate::cloud::error_codes::tag;

/// Keeps the checksum that S3 computed for an object and, if `creates`, makes the completion of an
/// upload create-only.
#[derive(Debug)]
pub(super) struct S3Interceptor {
    pub(super) creates: bool,
}

#[async_trait]
impl Interceptor for S3Interceptor {
    /// The condition needs no signature: S3 requires one only for its own headers.
    async fn request(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        if self.creates && ends_upload(request) {
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_NONE_MATCH, any);
        }
        Ok(())
    }

    fn reads(&self, request: &HttpRequest) -> bool {
        ends_upload(request)
    }

    fn response(&self, head: &mut http::response::Parts, body: Option<&Bytes>) {
        let checksum = match body {
            Some(body) => std::str::from_utf8(body).ok().and_then(of_upload),
            None => head
                .headers
                .get("x-amz-checksum-crc64nvme")
                .and_then(|value| crc64nvme(value.to_str().ok()?)),
        };
        if let Some(checksum) = checksum {
            head.extensions.insert(StoreChecksum(checksum));
        }
    }
}

fn ends_upload(request: &HttpRequest) -> bool {
    request.method() == Method::POST && has_upload_id(request.uri())
}

fn has_upload_id(uri: &Uri) -> bool {
    uri.query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("uploadId=")))
}

/// Returns the checksum of a completed upload if it covers the whole object, not only its parts'
/// checksums.
fn of_upload(answer: &str) -> Option<Checksum> {
    let value = crc64nvme(tag(answer, "ChecksumCRC64NVME")?)?;
    match tag(answer, "ChecksumType") {
        Some("COMPOSITE") => None,
        _ => Some(value),
    }
}

fn crc64nvme(base64: &str) -> Option<Checksum> {
    let bytes = STANDARD.decode(base64).ok()?;
    Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-64/NVME of "123456789".
    const CRC: &str = "rosUhgp5mIg=";

    #[test]
    fn checksums_of_whole_objects_are_taken_and_others_are_not() {
        let crc = crc64nvme(CRC).unwrap();
        assert_eq!(crc.to_string(), "crc64nvme:ae8b14860a799888");
        let answer = |kind: &str| {
            format!(
                "<R><ChecksumCRC64NVME>{CRC}</ChecksumCRC64NVME><ChecksumType>{kind}</ChecksumType></R>"
            )
        };
        assert_eq!(of_upload(&answer("FULL_OBJECT")), Some(crc));
        assert_eq!(of_upload(&answer("COMPOSITE")), None);
        assert_eq!(of_upload("<R></R>"), None);
        assert_eq!(crc64nvme("rosUhgp5mIg=-3"), None);
        assert_eq!(crc64nvme("AAAA"), None);
    }

    #[tokio::test]
    async fn only_the_end_of_an_upload_becomes_create_only() {
        let interceptor = S3Interceptor { creates: true };
        for (method, uri, conditional) in [
            (Method::POST, "https://b.s3/k?uploadId=x", true),
            (Method::POST, "https://b.s3/k?uploads=", false),
            (Method::PUT, "https://b.s3/k?partNumber=1&uploadId=x", false),
        ] {
            let mut request = HttpRequest::new(Bytes::new().into());
            *request.method_mut() = method;
            *request.uri_mut() = uri.parse().unwrap();
            interceptor.request(&mut request).await.unwrap();
            assert_eq!(
                request.headers().contains_key(IF_NONE_MATCH),
                conditional,
                "{uri}"
            );
        }
    }
}
