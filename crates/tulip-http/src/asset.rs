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

/// What a host answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The archive from its first byte.
    Whole(AssetBody),
    /// The archive from where it was to be continued.
    Rest(AssetBody),
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
    pub(crate) etag: Option<String>,
    /// What may still come; `None` where chunks tell the end.
    left: Option<u64>,
}

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

/// Checks what a host answered to a plain request, or to one for the rest of an archive.
pub(crate) async fn answer(
    response: Response,
    endpoint: &Endpoint,
    stall_timeout: Duration,
    wanted: Option<&Position>,
) -> Result<Answer, Error> {
    match (response.status().as_u16(), wanted) {
        (200, _) | (206, Some(_)) => {}
        (412, Some(_)) => return Ok(Answer::Changed),
        (416, Some(_)) => return Ok(Answer::Unfit),
        _ => return Err(reply::refusal(response, endpoint, &str::to_owned).await),
    }
    check_head(&response, endpoint)?;
    let etag = header(&response, &ETAG).map(str::to_owned);
    let announced = response.content_length();
    let body = |response, length, left| AssetBody {
        response,
        endpoint: endpoint.clone(),
        stall_timeout,
        length,
        etag: etag.clone(),
        left,
    };
    let Some(wanted) = wanted.filter(|_| response.status().as_u16() == 206) else {
        if announced.is_none() && header(&response, &TRANSFER_ENCODING).is_none() {
            // It would end where the connection ends, wherever that is.
            let found = "it announces neither its length nor chunks, so nothing would tell whether it arrived whole";
            return Err(invalid(&response, endpoint, found.to_owned()));
        }
        return Ok(Answer::Whole(body(response, announced, announced)));
    };
    let range = header(&response, &CONTENT_RANGE).and_then(ContentRange::parse);
    let Some(range) = range.filter(|range| range.start == wanted.bytes) else {
        return Ok(Answer::Unfit);
    };
    let is_other = |length| length != range.total;
    if etag.as_ref() != Some(&wanted.etag) || wanted.length.is_some_and(is_other) {
        return Ok(match etag {
            Some(_) => Answer::Changed,
            None => Answer::Unfit,
        });
    }
    let bytes = range.end - range.start;
    match announced {
        Some(announced) if announced != bytes => Ok(Answer::Unfit),
        _ => Ok(Answer::Rest(body(response, Some(range.total), Some(bytes)))),
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
    /// The next bytes, or `None` after the last.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let endpoint = self.endpoint.clone();
        let next = self.response.chunk();
        let next = async { next.await.map_err(|e| failure::from_transport(e, endpoint)) };
        let chunk = within(self.stall_timeout, &self.endpoint, next).await?;
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
