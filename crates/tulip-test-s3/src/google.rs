//! The differences between the XML protocol of Google Cloud Storage and S3's: header names, and
//! conditions only on puts and copies.

use std::path::Path;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use percent_encoding::percent_decode_str;

use crate::{Body, refused};

/// Translates a request to S3's protocol, or answers it if its condition does not hold.
pub(crate) fn translate(
    request: &mut Request<Incoming>,
    files: &Path,
) -> Result<(), Box<Response<Body>>> {
    let key = percent_decode_str(request.uri().path().trim_start_matches('/'));
    let there = files.join(key.decode_utf8().unwrap().as_ref()).exists();
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    let condition = headers.remove("x-goog-if-generation-match");
    if condition.is_some_and(|generation| generation == "0") && there {
        return Err(Box::new(refused(412, "PreconditionFailed")));
    }
    let theirs: Vec<(HeaderName, HeaderValue)> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-goog-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in theirs {
        headers.remove(&name);
        let name = name.as_str().replacen("x-goog-", "x-amz-", 1);
        headers.insert(HeaderName::try_from(name).unwrap(), value);
    }
    // Google's protocol has no condition on other requests.
    debug_assert!(
        request.method() != Method::POST || !request.headers().contains_key("if-none-match")
    );
    Ok(())
}

/// Renames metadata headers to Google's names.
pub(crate) fn translate_back(headers: &mut HeaderMap) {
    let metadata: Vec<(HeaderName, HeaderValue)> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in metadata {
        headers.remove(&name);
        let name = name.as_str().replacen("x-amz-", "x-goog-", 1);
        headers.insert(HeaderName::try_from(name).unwrap(), value);
    }
}
