//! What the archive of a job holds, and how it is served.

use std::time::Duration;

use bytes::Bytes;

use super::JobScript;
use crate::content::FixedContent;
use crate::fault::{ContentFault, Reply};

/// What the asset host does with `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Kept,
    Ignored,
    /// It refuses its own tag too.
    Refused,
}

/// How the asset host serves a job's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssetScript {
    pub(crate) rows: Option<u64>,
    pub(crate) content: Option<FixedContent>,
    pub(crate) fault: Option<ContentFault>,
    pub(crate) truncate: Option<u64>,
    pub(crate) declared_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) gzip: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) ranges: bool,
    pub(crate) etag: bool,
    pub(crate) etag_per_request: bool,
    pub(crate) if_match: IfMatch,
    pub(crate) replacement: Option<FixedContent>,
    pub(crate) host: Option<String>,
    pub(crate) https: bool,
    pub(crate) url_lifetime: Duration,
    pub(crate) url_requests: Option<u32>,
    pub(crate) url_not_found: u32,
    pub(crate) url_bytes: Option<u64>,
    pub(crate) revoked_urls: usize,
    pub(crate) refusal: Option<Reply>,
}

impl Default for AssetScript {
    fn default() -> Self {
        Self {
            rows: None,
            content: None,
            fault: None,
            truncate: None,
            declared_length: None,
            chunked: false,
            gzip: false,
            headers: Vec::new(),
            ranges: true,
            etag: true,
            etag_per_request: false,
            if_match: IfMatch::Kept,
            replacement: None,
            host: None,
            https: false,
            url_lifetime: Duration::from_secs(900),
            url_requests: None,
            url_not_found: 0,
            url_bytes: None,
            revoked_urls: 0,
            refusal: None,
        }
    }
}

/// What the archive holds, and how the asset host serves it.
impl JobScript {
    /// The archive has this many data records, instead of the emulator's default; no more than
    /// [`CsvArchive::MAX_ROWS`](crate::CsvArchive::MAX_ROWS).
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.asset.rows = Some(rows);
        self
    }

    /// The archive is exactly these bytes.
    #[must_use]
    pub fn content(mut self, content: impl Into<Bytes>) -> Self {
        self.asset.content = Some(FixedContent::new(content.into()));
        self
    }

    /// The bytes of the archive are not what they should be, see [`ContentFault`].
    #[must_use]
    pub fn content_fault(mut self, fault: ContentFault) -> Self {
        self.asset.fault = Some(fault);
        self
    }

    /// The archive ends after `bytes`, and everything that announces its length agrees: only its
    /// content can show that something is missing.
    #[must_use]
    pub fn truncated(mut self, bytes: u64) -> Self {
        self.asset.truncate = Some(bytes);
        self
    }

    /// A reply with the whole archive announces `bytes` as its length, whatever it is. Ranges
    /// are not changed. Without effect on a chunked reply.
    #[must_use]
    pub fn declared_length(mut self, bytes: u64) -> Self {
        self.asset.declared_length = Some(bytes);
        self
    }

    /// Replies come in chunks and announce no `Content-Length`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.asset.chunked = true;
        self
    }

    /// The archive lies there compressed: `Content-Encoding: gzip`, and lengths, ranges and
    /// `ETag` are those of the compressed bytes. They are made in memory for each request: for
    /// small archives.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.asset.gzip = true;
        self.asset_header("Content-Encoding", "gzip")
    }

    /// Replies with the archive carry this header, in place of one that they would have:
    /// `Content-Encoding` for an encoding that is only pretended, `Content-Type` for another type. A
    /// `Transfer-Encoding` is only pretended too: the body is framed as it would be without it.
    #[must_use]
    pub fn asset_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.asset.headers.push((name.into(), value.into()));
        self
    }

    /// `Range` is ignored: every reply is 200 with the whole archive.
    #[must_use]
    pub fn without_ranges(mut self) -> Self {
        self.asset.ranges = false;
        self
    }

    /// Replies carry no `ETag`, and `If-Match` is ignored.
    #[must_use]
    pub fn without_etag(mut self) -> Self {
        self.asset.etag = false;
        self
    }

    /// Each reply has another `ETag` for the same bytes, as from replicas that each make their own,
    /// of which any request can meet any. What `If-Match` names is never the tag of the replica
    /// that is asked: 412, unless it is ignored ([`Self::without_if_match`]).
    #[must_use]
    pub fn etag_per_request(mut self) -> Self {
        self.asset.etag_per_request = true;
        self
    }

    /// Every `If-Match` is refused with 412, also one with the very tag that the host sent.
    #[must_use]
    pub fn refusing_if_match(mut self) -> Self {
        self.asset.if_match = IfMatch::Refused;
        self
    }

    /// `If-Match` is ignored, as by a host that does not know it: a request for one object can
    /// get another, whose `ETag` tells.
    #[must_use]
    pub fn without_if_match(mut self) -> Self {
        self.asset.if_match = IfMatch::Ignored;
        self
    }

    /// What a request gets that meets [`Fault::Replaced`](crate::Fault::Replaced): exactly these
    /// bytes.
    #[must_use]
    pub fn replacement(mut self, content: impl Into<Bytes>) -> Self {
        self.asset.replacement = Some(FixedContent::new(content.into()));
        self
    }
}

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
