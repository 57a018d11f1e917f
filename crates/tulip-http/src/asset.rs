//! The download of an archive.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, ETAG, TRANSFER_ENCODING};

use crate::error::{Error, ErrorKind};
use crate::{Endpoint, failure, reply};

/// An open download: what the host announced, then the bytes, in order.
///
/// The next chunk is only read from the network when it is asked for, so a slow reader slows the
/// host down. Dropping it closes the connection.
pub struct Asset {
    response: Response,
    endpoint: Endpoint,
    length: Option<u64>,
    etag: Option<String>,
    attempts: u32,
    stall_timeout: Duration,
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

impl Asset {
    pub(crate) async fn from_response(
        response: Response,
        endpoint: Endpoint,
        stall_timeout: Duration,
    ) -> Result<Self, Error> {
        if response.status().as_u16() != 200 {
            return Err(reply::refusal(response, &endpoint, &str::to_owned).await);
        }
        let invalid = |found: String| {
            let mut error = Error::new(ErrorKind::InvalidReply, endpoint.clone()).with_found(found);
            error.inner_mut().status = Some(200);
            error
        };
        if reply::is_html(response.headers()) {
            return Err(invalid("it is an HTML page, not a CSV".to_owned()));
        }
        let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok());
        if let Some(encoding) =
            header(CONTENT_ENCODING).filter(|e| !e.eq_ignore_ascii_case("identity"))
        {
            let known = encoding
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(20);
            let encoding: String = known.collect();
            return Err(invalid(format!(
                "it is compressed ({encoding}) although that was not asked for"
            )));
        }
        let length = response.content_length();
        if length.is_none() && header(TRANSFER_ENCODING).is_none() {
            // It would end where the connection ends, wherever that is.
            let found = "it announces neither its length nor chunks, so nothing would tell whether it arrived whole";
            return Err(invalid(found.to_owned()));
        }
        Ok(Self {
            length,
            etag: header(ETAG).map(str::to_owned),
            response,
            endpoint,
            attempts: 1,
            stall_timeout,
        })
    }

    /// How many bytes the host announced; `None` for a chunked reply.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The `ETag` as it was sent.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How often the download was asked for until it began.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The next bytes, or `None` after the last.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when nothing came for longer than the stall timeout,
    /// [`ErrorKind::Interrupted`] when the connection broke or ended before the announced length.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let endpoint = self.endpoint.clone();
        let next = self.response.chunk();
        let next = async { next.await.map_err(|e| failure::from_transport(e, endpoint)) };
        within(self.stall_timeout, &self.endpoint, next).await
    }
}

impl fmt::Debug for Asset {
    /// Leaves out the reply, which knows the signed URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asset")
            .field("endpoint", &self.endpoint)
            .field("length", &self.length)
            .field("etag", &self.etag)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
