//! The part of a script about the job's archive.

use std::time::Duration;

use crate::content::FixedContent;
use crate::fault::{ContentFault, Reply};

/// What the asset host does with `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Kept,
    Ignored,
    /// Even its own tag is refused.
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
