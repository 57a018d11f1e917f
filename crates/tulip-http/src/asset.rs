//! One reply of an asset's host: its head checked, its body read.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, TRANSFER_ENCODING};

use crate::error::{Error, ErrorKind};
use crate::{Endpoint, failure, reply};

/// Where a download has got to, and what it must still be for another to go on there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Bytes from the first one on.
    pub bytes: u64,
    /// The archive's strong entity tag.
    pub etag: String,
    /// The bytes of the whole, where they are known.
    pub length: Option<u64>,
}

/// What a host is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The first byte.
    pub(crate) start: u64,
    /// The end behind the last byte; `None` for all that follows.
    pub(crate) end: Option<u64>,
    /// The strong entity tag of the archive that is wanted, where some of it is there already.
    pub(crate) etag: Option<String>,
    /// The bytes of that archive, where they are known.
    pub(crate) length: Option<u64>,
}

impl Wanted {
    /// The whole archive, by a request that names no range: every host understands it.
    pub(crate) const WHOLE: Self = Self {
        start: 0,
        end: None,
        etag: None,
        length: None,
    };

    /// Where it ends in an archive of `length` bytes.
    fn end_within(&self, length: u64) -> u64 {
        self.end.map_or(length, |end| end.min(length))
    }

    /// `Range`, where the request has one.
    pub(crate) fn range(&self) -> Option<String> {
        match (self.start, self.end) {
            (0, None) => None,
            (start, None) => Some(format!("bytes={start}-")),
            (start, Some(end)) => Some(format!("bytes={start}-{}", end.saturating_sub(1))),
        }
    }
}

/// What a host answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The archive from its first byte, in a reply that is no range.
    Whole(AssetBody),
    /// A range of the archive that begins where it should, and may end early.
    Part(AssetBody),
    /// It is another archive by now.
    Changed,
    /// The host does not continue as it should: it has another range than the one asked for, or
    /// does not say what it has.
    Unfit,
}

/// A body that is being read.
pub(crate) struct AssetBody {
    response: Response,
    endpoint: Endpoint,
    stall_timeout: Duration,
    /// Bytes of the whole archive, where the host tells.
    pub(crate) length: Option<u64>,
    /// The first byte of the archive that it brings.
    pub(crate) start: u64,
    /// The end of the range behind its last byte, where it is one.
    pub(crate) end: Option<u64>,
    pub(crate) etag: Option<String>,
    /// What may still come; `None` where chunks tell the end.
    left: Option<u64>,
    /// It is less than was asked for, and next to nothing.
    scanty: bool,
}

/// A host may give less than it is asked for; one that gives less than this, again and again, gets
/// nowhere.
const SCANTY: u64 = 1024 * 1024;

/// Gives up a wait for a silent host.
pub(crate) async fn within<T>(
    limit: Duration,
    endpoint: &Endpoint,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let silent = format!("nothing came for {} s", limit.as_secs_f32());
        Err(Error::new(ErrorKind::Timeout, endpoint.clone()).with_cause(silent))
    })
}

/// Checks what a host answered.
pub(crate) async fn answer(
    response: Response,
    endpoint: &Endpoint,
    stall_timeout: Duration,
    wanted: &Wanted,
) -> Result<Answer, Error> {
    let ranged = wanted.range().is_some();
    match response.status().as_u16() {
        200 => {}
        206 if ranged => {}
        412 if wanted.etag.is_some() => return Ok(Answer::Changed),
        416 if ranged => return Ok(Answer::Unfit),
        _ => return Err(reply::refusal(response, endpoint, &str::to_owned, None).await),
    }
    check_head(&response, endpoint)?;
    let etag = header(&response, &ETAG).map(str::to_owned);
    let announced = response.content_length();
    let whole = |response| AssetBody {
        response,
        endpoint: endpoint.clone(),
        stall_timeout,
        length: announced,
        start: 0,
        end: None,
        etag: etag.clone(),
        left: announced,
        scanty: false,
    };
    if response.status().as_u16() == 200 {
        if announced.is_none() && header(&response, &TRANSFER_ENCODING).is_none() {
            // It would end where the connection ends, wherever that is.
            let found = "it announces neither its length nor chunks, so nothing would tell whether it arrived whole";
            return Err(invalid(&response, endpoint, found.to_owned()));
        }
        return Ok(Answer::Whole(whole(response)));
    }
    let range = header(&response, &CONTENT_RANGE).and_then(ContentRange::parse);
    let is_wanted = |range: &ContentRange| {
        range.start == wanted.start && wanted.end.is_none_or(|end| range.end <= end)
    };
    let Some(range) = range.filter(is_wanted) else {
        return Ok(Answer::Unfit);
    };
    let other_length = wanted.length.is_some_and(|length| length != range.total);
    let other_tag = wanted.etag.is_some() && wanted.etag != etag;
    if other_tag || other_length {
        return Ok(match etag {
            Some(_) => Answer::Changed,
            None => Answer::Unfit,
        });
    }
    let bytes = range.end - range.start;
    match announced {
        Some(announced) if announced != bytes => Ok(Answer::Unfit),
        _ => Ok(Answer::Part(AssetBody {
            length: Some(range.total),
            start: range.start,
            end: Some(range.end),
            left: Some(bytes),
            scanty: bytes < SCANTY && range.end < wanted.end_within(range.total),
            ..whole(response)
        })),
    }
}

fn check_head(response: &Response, endpoint: &Endpoint) -> Result<(), Error> {
    if reply::is_html(response.headers()) {
        let found = "it is an HTML page, not a CSV";
        return Err(invalid(response, endpoint, found.to_owned()));
    }
    let encoding = header(response, &CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|e| !e.eq_ignore_ascii_case("identity")) {
        let known = encoding.chars().filter(char::is_ascii_alphanumeric);
        let known: String = known.take(20).collect();
        let found = format!("it is compressed ({known}) although that was not asked for");
        return Err(invalid(response, endpoint, found));
    }
    Ok(())
}

fn invalid(response: &Response, endpoint: &Endpoint, found: String) -> Error {
    let mut error = Error::new(ErrorKind::InvalidReply, endpoint.clone()).with_found(found);
    error.inner_mut().status = Some(response.status().as_u16());
    error
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

impl fmt::Debug for AssetBody {
    /// Leaves out the reply, which knows the signed URL.
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
    /// Whether a range has come to its own end, from where the next request can go on.
    pub(crate) fn has_ended_well(&self) -> bool {
        self.left == Some(0) && !self.scanty
    }

    /// The next bytes, or `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let endpoint = &self.endpoint;
        let next = self.response.chunk();
        let failed = |error| failure::from_transport(error, endpoint.clone());
        let next = async { next.await.map_err(failed) };
        let chunk = within(self.stall_timeout, endpoint, next).await?;
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

/// `bytes start-last/total`, with the end behind the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ContentRange {
    start: u64,
    end: u64,
    total: u64,
}

impl ContentRange {
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
