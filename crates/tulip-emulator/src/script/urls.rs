//! Where the signed URLs of a job lead, and how long they work.

use std::time::Duration;

use super::JobScript;
use crate::fault::Reply;

/// Where its signed URLs lead, and how long they work.
impl JobScript {
    /// Signed URLs are for this host, with a port where one is needed, instead of the asset
    /// host: one that does not answer, or another name of it.
    #[must_use]
    pub fn url_host(mut self, host: impl Into<String>) -> Self {
        self.asset.host = Some(host.into());
        self
    }

    /// Signed URLs are for a host whose name no resolver knows.
    #[must_use]
    pub fn unresolvable(self) -> Self {
        self.url_host("assets.invalid")
    }

    /// Signed URLs begin with `https://`, while the asset host does not speak TLS.
    #[must_use]
    pub fn url_https(mut self) -> Self {
        self.asset.https = true;
        self
    }

    /// How long a signed URL works, in whole seconds, instead of 15 minutes. With zero, a URL
    /// has expired when it is handed out.
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

    /// The first `requests` to each signed URL find nothing there, 404, as where an object is not
    /// yet seen by all of a store. They count for [`Self::url_requests`] too.
    #[must_use]
    pub fn url_not_found(mut self, requests: u32) -> Self {
        self.asset.url_not_found = requests;
        self
    }

    /// How many bytes of bodies a signed URL brings, in all its requests together. With the last
    /// one the connection is closed, if there is more to send, and the URL counts as expired.
    #[must_use]
    pub fn url_bytes(mut self, bytes: u64) -> Self {
        self.asset.url_bytes = Some(bytes);
        self
    }

    /// The first `urls` signed URLs are revoked by the time they are handed out.
    #[must_use]
    pub fn revoked_urls(mut self, urls: usize) -> Self {
        self.asset.revoked_urls = urls;
        self
    }

    /// What the host says of a URL that has expired or been revoked, instead of 403 and S3's
    /// XML; see [`Reply::expired`].
    #[must_use]
    pub fn url_refusal(mut self, reply: Reply) -> Self {
        self.asset.refusal = Some(reply);
        self
    }
}
