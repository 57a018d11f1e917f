//! Replies of an asset's host that do not bring the asset.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::HeaderMap;

use crate::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::transport::{code_of_xml, element, read, retry_after};

/// How much of an error's body is read, and how long to wait for it. If it does not arrive, the
/// status alone is enough.
const MAX_ERROR: usize = 64 * 1024;
pub(super) const ERROR_TIMEOUT: Duration = Duration::from_secs(10);

/// Turns a response that is not a success into an error.
pub(super) async fn refusal(response: Response, endpoint: &Endpoint) -> Error {
    let status = response.status().as_u16();
    let mut error = Error::new(kind_of(status), endpoint.clone()).with_status(status);
    error.inner_mut().retry_after = retry_after(response.headers());
    let region = region(response.headers());
    let body = tokio::time::timeout(ERROR_TIMEOUT, read(response, MAX_ERROR)).await;
    let body = body.map_or_else(|_| Vec::new(), |read| read.unwrap_or_default().0);
    let body = String::from_utf8_lossy(&body);
    let found = match error.kind() {
        ErrorKind::Redirect => Some(whereabouts(&body, region)),
        _ => code_of_xml(&body).map(str::to_owned),
    };
    match found {
        Some(found) => error.with_found(found),
        None => error,
    }
}

fn kind_of(status: u16) -> ErrorKind {
    match status {
        400 | 401 | 403 => ErrorKind::AssetRefused,
        404 | 410 => ErrorKind::NotFound,
        412 => ErrorKind::AssetChanged,
        429 => ErrorKind::RateLimited,
        300..=399 => ErrorKind::Redirect,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::UnexpectedStatus,
    }
}

/// Returns the region of a bucket, from S3's own header.
fn region(headers: &HeaderMap) -> Option<String> {
    let region = headers.get("x-amz-bucket-region")?.to_str().ok()?;
    // Only a plain word is shown.
    let document = format!("<Region>{region}</Region>");
    element(&document, "Region").map(str::to_owned)
}

/// Says where the archive is, after a redirect without a location. S3 sends these if the bucket is
/// in another region.
fn whereabouts(body: &str, region: Option<String>) -> String {
    let region = region.or_else(|| element(body, "Region").map(str::to_owned));
    let endpoint = element(body, "Endpoint");
    match (region, endpoint) {
        (Some(region), Some(endpoint)) => {
            format!("the bucket is in the region {region}, at {endpoint}")
        }
        (Some(region), None) => format!("the bucket is in the region {region}"),
        (None, Some(endpoint)) => format!("the bucket is at {endpoint}"),
        (None, None) => "it has no Location".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_redirect_names_the_region_or_the_endpoint() {
        let body = "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
        assert_eq!(
            whereabouts(body, None),
            "the bucket is at b.s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            whereabouts("", Some("eu-west-1".to_owned())),
            "the bucket is in the region eu-west-1"
        );
        let wrong =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-2</Region></Error>";
        assert_eq!(
            whereabouts(wrong, None),
            "the bucket is in the region us-east-2"
        );
        assert_eq!(
            whereabouts("<Endpoint>a b</Endpoint>", None),
            "it has no Location"
        );
    }

    #[test]
    fn only_a_plain_word_is_taken_as_a_region() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-bucket-region", "eu-west-1".parse().unwrap());
        assert_eq!(region(&headers).as_deref(), Some("eu-west-1"));
        headers.insert("x-amz-bucket-region", "https://h/?sig=5ig".parse().unwrap());
        assert_eq!(region(&headers), None);
    }
}
