//! One response of an asset's host: its head checked, its body read.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue};

use super::content::{self, Finding, NotCsv};
use super::encoding::{self, BodyEnd};
use super::refusal::{self, refusal};
use super::request::RangeRequest;
use crate::Endpoint;
use crate::error::{Error, ErrorKind};
use crate::transport::{Failure, read};

/// A host's answer.
#[derive(Debug)]
pub(crate) enum RangeResponse {
    /// The archive from its first byte, in a reply that is not a range.
    Whole(AssetBody),
    /// A range of the archive that begins where it should, but may end early.
    Part(AssetBody),
    /// The archive has changed.
    Changed,
    /// The host does not continue as it should: it sends another range than the one requested, or
    /// does not say which.
    Unsupported,
}

/// A body that is being read.
pub(crate) struct AssetBody {
    response: Response,
    endpoint: Endpoint,
    read_timeout: Duration,
    /// The length of the whole archive, if the host gives it.
    pub(crate) length: Option<u64>,
    /// The position in the archive of the body's first byte.
    pub(crate) start: u64,
    /// The end of the range, after its last byte; `None` if the reply is not a range.
    pub(crate) end: Option<u64>,
    pub(crate) etag: Option<String>,
    /// How many bytes may still come; `None` if chunks mark the end.
    left: Option<u64>,
    /// Whether the HTTP library reads to the end of the connection, which is later than the body's.
    is_unframed: bool,
    /// The first bytes, which have been inspected but not returned.
    first: Option<Bytes>,
    /// Whether it is shorter than requested, and shorter than [`SCANTY`].
    is_scanty: bool,
}

/// A host may send less than requested, but one that sends less than this again and again makes no
/// progress.
const SCANTY: u64 = 1024 * 1024;

/// Awaits `work`, or fails with [`ErrorKind::Timeout`] if the host is silent for `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    endpoint: &Endpoint,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let silent = format!("no data arrived for {} s", limit.as_secs_f32());
        Err(Error::new(ErrorKind::Timeout, endpoint.clone()).with_cause(silent))
    })
}

/// Checks a host's answer.
pub(crate) async fn check(
    response: Response,
    endpoint: &Endpoint,
    read_timeout: Duration,
    request: &RangeRequest,
) -> Result<RangeResponse, Error> {
    let ranged = request.range().is_some();
    let range = header(&response, &CONTENT_RANGE).and_then(ContentRange::parse);
    let is_partial = match response.status().as_u16() {
        200 => false,
        206 if ranged => true,
        // Some hosts answer everything with 206.
        206 if range.is_some_and(|range| range.is_all()) => false,
        412 if request.etag.is_some() => return Ok(RangeResponse::Changed),
        416 if ranged => return Ok(RangeResponse::Unsupported),
        _ => return Err(refusal(response, endpoint).await),
    };
    let content_type = response.headers().get(CONTENT_TYPE);
    if !content::is_tolerable(content_type.map(HeaderValue::as_bytes)) {
        return Err(not_an_archive(response, endpoint).await);
    }
    if let Some(coding) = encoding::coding(response.headers()) {
        let found = format!("it is compressed ({coding}) although the request did not allow that");
        return Err(invalid(&response, endpoint, found));
    }
    let etag = header(&response, &ETAG).map(str::to_owned);
    let end = encoding::end(response.headers(), response.content_length());
    let announced = match end {
        BodyEnd::Length(length) => Some(length),
        BodyEnd::Chunks(length) => length,
        BodyEnd::Connection => None,
    };
    let is_unframed = matches!(end, BodyEnd::Length(_)) && response.content_length().is_none();
    let whole = |response| AssetBody {
        response,
        endpoint: endpoint.clone(),
        read_timeout,
        length: announced,
        start: 0,
        end: None,
        etag: etag.clone(),
        left: announced,
        is_unframed,
        is_scanty: false,
        first: None,
    };
    if !is_partial {
        if end == BodyEnd::Connection {
            // It would end with the connection, even if that is too early.
            let found = "it has neither a Content-Length nor chunked encoding, so a truncated body could not be detected";
            return Err(invalid(&response, endpoint, found.to_owned()));
        }
        return Ok(RangeResponse::Whole(whole(response)));
    }
    let is_asked_for = |range: &ContentRange| {
        range.start == request.start && request.end.is_none_or(|end| range.end <= end)
    };
    let Some(range) = range.filter(is_asked_for) else {
        return Ok(RangeResponse::Unsupported);
    };
    let other_length = request.length.is_some_and(|length| length != range.total);
    let other_tag = request.etag.is_some() && request.etag != etag;
    if other_tag || other_length {
        return Ok(match etag {
            Some(_) => RangeResponse::Changed,
            None => RangeResponse::Unsupported,
        });
    }
    let bytes = range.end - range.start;
    match announced {
        Some(announced) if announced != bytes => Ok(RangeResponse::Unsupported),
        _ => Ok(RangeResponse::Part(AssetBody {
            length: Some(range.total),
            start: range.start,
            end: Some(range.end),
            left: Some(bytes),
            is_scanty: bytes < SCANTY && range.end < request.end_within(range.total),
            ..whole(response)
        })),
    }
}

/// Creates the error for a body with a type that no CSV has.
async fn not_an_archive(response: Response, endpoint: &Endpoint) -> Error {
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).cloned();
    let content_type = content_type.as_ref().map(HeaderValue::as_bytes);
    let read = read(response, content::MOST);
    let read = tokio::time::timeout(refusal::ERROR_TIMEOUT, read).await;
    let bytes = read.map_or_else(|_| Vec::new(), |read| read.unwrap_or_default().0);
    not_csv(content::describe(content_type, &bytes), endpoint).with_status(status)
}

fn not_csv(found: NotCsv, endpoint: &Endpoint) -> Error {
    let mut error = Error::new(ErrorKind::NotAnArchive, endpoint.clone()).with_found(found.what);
    error.inner_mut().transient = found.is_transient;
    error
}

fn invalid(response: &Response, endpoint: &Endpoint, found: String) -> Error {
    Error::new(ErrorKind::InvalidReply, endpoint.clone())
        .with_found(found)
        .with_status(response.status().as_u16())
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

impl fmt::Debug for AssetBody {
    /// Leaves out the reply, which holds the signed URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssetBody")
            .field("endpoint", &self.endpoint)
            .field("length", &self.length)
            .field("etag", &self.etag)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl AssetBody {
    /// Whether a range is complete, so that the next request can continue after it.
    pub(crate) fn is_range_complete(&self) -> bool {
        self.left == Some(0) && !self.is_scanty
    }

    /// Inspects the first bytes of an archive.
    ///
    /// # Errors
    /// [`ErrorKind::NotAnArchive`] if they cannot be a CSV, or the failure to read them.
    pub(crate) async fn inspect(&mut self) -> Result<(), Error> {
        if self.start > 0 {
            return Ok(());
        }
        let mut first = Bytes::new();
        loop {
            let chunk = self.receive().await?;
            let is_all = chunk.is_none();
            match chunk {
                Some(chunk) if first.is_empty() => first = chunk,
                Some(chunk) => first = [first, chunk].concat().into(),
                None => {}
            }
            match content::look_at(&first, is_all) {
                Finding::Unclear => {}
                Finding::NotCsv(found) => return Err(not_csv(found, &self.endpoint)),
                Finding::Csv => {
                    self.first = Some(first).filter(|first| !first.is_empty());
                    return Ok(());
                }
            }
        }
    }

    /// Returns the next bytes, or `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_unframed && self.left == Some(0) {
            return Ok(None);
        }
        let endpoint = &self.endpoint;
        let next = self.response.chunk();
        let failed = |error| Error::from_failure(Failure::new(error), endpoint.clone());
        let next = async { next.await.map_err(failed) };
        let chunk = within(self.read_timeout, endpoint, next).await?;
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match self.left {
            Some(left) if length > left => {
                let found = "it has more bytes than it announces".to_owned();
                Err(invalid(&self.response, &self.endpoint, found))
            }
            Some(left) => {
                self.left = Some(left - length);
                Ok(chunk)
            }
            None => Ok(chunk),
        }
    }
}

/// `bytes start-last/total`, with the end after the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    start: u64,
    end: u64,
    total: u64,
}

impl ContentRange {
    fn is_all(&self) -> bool {
        self.start == 0 && self.end == self.total
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (start, last) = range.split_once('-')?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u64>().ok(),
            false => None,
        };
        let (start, last, total) = (number(start)?, number(last)?, number(total)?);
        (start <= last && last < total).then_some(Self {
            start,
            end: last + 1,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_full_content_range_is_read() {
        let range = ContentRange {
            start: 5,
            end: 10,
            total: 10,
        };
        assert_eq!(ContentRange::parse("bytes 5-9/10"), Some(range));
        for other in [
            "bytes 5-10/10",
            "bytes 9-5/10",
            "bytes 5-9/*",
            "bytes */10",
            "bytes +5-9/10",
            "bytes 5-9",
            "lines 5-9/10",
            "",
        ] {
            assert_eq!(ContentRange::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_lies_inside(text in "bytes [0-9]{0,20}-[0-9]{0,20}/[0-9]{0,20}") {
            if let Some(range) = ContentRange::parse(&text) {
                prop_assert!(range.start < range.end && range.end <= range.total);
            }
        }
    }
}
