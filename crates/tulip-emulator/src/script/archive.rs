//! What the archive of a job holds, and how it is served.

use bytes::Bytes;

use super::JobScript;
use super::asset::IfMatch;
use crate::content::FixedContent;
use crate::fault::ContentFault;

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
    /// `Content-Encoding` for an encoding that is only pretended, `Content-Type` for another type.
    /// A `Transfer-Encoding` is only pretended too: the body is framed as it would be without it.
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
