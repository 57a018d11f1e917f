//! The hosts and lifetimes of a job's signed URLs.

use std::time::Duration;

use super::JobScript;
use crate::fault::Reply;

/// The hosts and lifetimes of signed URLs.
impl JobScript {
    /// Signed URLs are for this host, with a port if needed, instead of the asset host: for example
    /// a host that does not answer, or another name for the asset host.
    #[must_use]
    pub fn url_host(mut self, host: impl Into<String>) -> Self {
        self.asset.host = Some(host.into());
        self
    }

    /// Signed URLs are for a host name that no resolver knows.
    #[must_use]
    pub fn unresolvable(self) -> Self {
        self.url_host("assets.invalid")
    }

    /// Signed URLs begin with `https://`, although the asset host does not speak TLS.
    #[must_use]
    pub fn url_https(mut self) -> Self {
        self.asset.https = true;
        self
    }

    /// How long a signed URL works, in whole seconds, instead of 15 minutes. With zero, URLs have
    /// already expired when they are handed out.
    #[must_use]
    pub fn url_lifetime(mut self, lifetime: Duration) -> Self {
        self.asset.url_lifetime = lifetime;
        self
    }

    /// How many requests a signed URL serves before it counts as expired.
    #[must_use]
    pub fn url_requests(mut self, requests: u32) -> Self {
        self.asset.url_requests = Some(requests);
        self
    }

    /// The first `requests` requests to each signed URL get a 404, as if the object were not yet
    /// visible in the whole store. They also count towards [`Self::url_requests`].
    #[must_use]
    pub fn url_not_found(mut self, requests: u32) -> Self {
        self.asset.url_not_found = requests;
        self
    }

    /// How many body bytes a signed URL serves, over all its requests. After the last byte, the URL
    /// counts as expired, and the connection is closed if there is more to send.
    #[must_use]
    pub fn url_bytes(mut self, bytes: u64) -> Self {
        self.asset.url_bytes = Some(bytes);
        self
    }

    /// The first `urls` signed URLs are already revoked when they are handed out.
    #[must_use]
    pub fn revoked_urls(mut self, urls: usize) -> Self {
        self.asset.revoked_urls = urls;
        self
    }

    /// The reply to a URL that has expired or been revoked, instead of 403 with S3's XML; see
    /// [`Reply::expired`].
    #[must_use]
    pub fn url_refusal(mut self, reply: Reply) -> Self {
        self.asset.refusal = Some(reply);
        self
    }
}
