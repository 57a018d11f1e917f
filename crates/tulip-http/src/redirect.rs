//! Where the host of an asset sends us.

use reqwest::Response;
use reqwest::header::LOCATION;
use tulip_core::{ResourceUrl, ResourceUrlError};

use crate::Endpoint;
use crate::error::{Error, ErrorKind};

/// How many redirects one request follows.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Where `response` sends the one who asked for `from`, if anywhere.
pub(crate) fn target(
    from: &ResourceUrl,
    response: &Response,
) -> Result<Option<ResourceUrl>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let joined = location.to_str().ok();
    let joined = joined.and_then(|location| from.expose().join(location).ok());
    let found = match joined.map(|url| ResourceUrl::parse(url.as_str())) {
        Some(Ok(next)) if from.is_https() && !next.is_https() => "it leaves https",
        Some(Ok(next)) => return Ok(Some(next)),
        Some(Err(ResourceUrlError::UserInfo { .. })) => "it carries a user name or password",
        Some(Err(ResourceUrlError::Scheme { .. })) => "it leaves http and https",
        Some(Err(_)) | None => "it leads to no URL",
    };
    let mut error = Error::new(ErrorKind::Redirect, Endpoint::asset(from)).with_found(found);
    error.inner_mut().status = Some(response.status().as_u16());
    Err(error)
}
