//! The content of a job's archive, and how it is served.

use bytes::Bytes;

use super::JobScript;
use super::asset::IfMatch;
use crate::content::FixedContent;
use crate::fault::ContentFault;

/// The content of the archive, and how the asset host serves it.
impl JobScript {
    /// The archive has this many data records, instead of the emulator's default, but at most
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

    /// The bytes of the archive are wrong; see [`ContentFault`].
    #[must_use]
    pub fn content_fault(mut self, fault: ContentFault) -> Self {
        self.asset.fault = Some(fault);
        self
    }

    /// The archive ends after `bytes`, and every announced length agrees: only the content can show
    /// that something is missing.
    #[must_use]
    pub fn truncated(mut self, bytes: u64) -> Self {
        self.asset.truncate = Some(bytes);
        self
    }

    /// A reply with the whole archive announces `bytes` as its length, whatever the real length is.
    /// Ranges are not changed. No effect on chunked replies.
    #[must_use]
    pub fn declared_length(mut self, bytes: u64) -> Self {
        self.asset.declared_length = Some(bytes);
        self
    }

    /// Replies are chunked and have no `Content-Length`.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.asset.chunked = true;
        self
    }

    /// The archive is stored gzipped: replies have `Content-Encoding: gzip`, and lengths, ranges
    /// and `ETag` are those of the compressed bytes. They are made in memory for each request, so
    /// use it with small archives.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.asset.gzip = true;
        self.asset_header("Content-Encoding", "gzip")
    }

    /// Replies with the archive have this header, replacing one of the same name: for example a
    /// `Content-Encoding` or `Content-Type` that is not true. A `Transfer-Encoding` does not change
    /// how the body is framed.
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

    /// Replies have no `ETag`, and `If-Match` is ignored.
    #[must_use]
    pub fn without_etag(mut self) -> Self {
        self.asset.etag = false;
        self
    }

    /// Each reply has another `ETag` for the same bytes, as if each request reached another replica
    /// with its own tags. So `If-Match` never names the right tag: 412, unless it is ignored
    /// ([`Self::without_if_match`]).
    #[must_use]
    pub fn etag_per_request(mut self) -> Self {
        self.asset.etag_per_request = true;
        self
    }

    /// Every `If-Match` is refused with 412, even with the tag that the host sent.
    #[must_use]
    pub fn refusing_if_match(mut self) -> Self {
        self.asset.if_match = IfMatch::Refused;
        self
    }

    /// `If-Match` is ignored, as by a host that does not know it: a request for one object can get
    /// another, which only its `ETag` shows.
    #[must_use]
    pub fn without_if_match(mut self) -> Self {
        self.asset.if_match = IfMatch::Ignored;
        self
    }

    /// Requests with [`Fault::Replaced`](crate::Fault::Replaced) get exactly these bytes.
    #[must_use]
    pub fn replacement(mut self, content: impl Into<Bytes>) -> Self {
        self.asset.replacement = Some(FixedContent::new(content.into()));
        self
    }
}
