//! The download of an archive, over one or more connections.

mod block;
mod concurrency;
mod content;
mod encoding;
mod fallback;
mod fetcher;
mod huge_pages;
mod minimum_rate;
mod prefetcher;
mod range;
mod read_ahead;
mod redirect;
mod refusal;
mod request;
mod response;
mod retry_budget;
#[cfg(test)]
mod simulation;
mod single_stream;
mod source;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod throughput;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::{debug, info};
use tulip_core::{JobId, ResourceUrl};

use crate::error::{Error, ErrorKind};
use block::BLOCK;
use fallback::RangeFallback;
pub(crate) use fetcher::HttpFetcher;
pub(crate) use minimum_rate::MinimumRate;
use minimum_rate::RateWatch;
use prefetcher::Prefetcher;
use range::Ended;
pub(crate) use read_ahead::{ReadAheadBudget, Splitting};
pub use request::Checkpoint;
use request::RangeRequest;
use response::{AssetBody, RangeResponse};
use retry_budget::RetryBudget;
use source::AssetSource;
pub(crate) use source::{DownloadOptions, Renewal, UrlRenewer};

/// After this many changes, the whole archive is requested without a condition: the host does not
/// know its own entity tags, or its replicas have different ones.
const CHANGES_UNTIL_WHOLE: u32 = 2;

/// The first request asks for at most this much: a small archive is complete with it, and for a
/// larger one the reply gives the length.
const FIRST: u64 = 8 * BLOCK;

/// The next part of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// The next bytes.
    Bytes(Bytes),
    /// Everything received so far must be discarded: the archive has changed, or its host cannot
    /// continue where the connection broke. The next piece starts at the first byte, and
    /// [`Download::length`] and [`Download::etag`] are those of the new reply.
    Restarted,
}

/// The open download of a job's archive.
///
/// An archive of up to 8 MiB takes one request. A large one is fetched in ranges on several
/// connections, as many as make it faster, or with one request for the rest if the host is slow to
/// answer. This requires that the host supports ranges and the archive has a strong entity tag (see
/// [`ClientBuilder::split_above`](crate::ClientBuilder::split_above) and
/// [`ClientBuilder::connections`](crate::ClientBuilder::connections)). Bytes are always returned in
/// order.
///
/// If a connection breaks, stalls or is refused, the download resumes at the byte that it has
/// reached, if the host supports ranges and the archive has a strong entity tag; otherwise it
/// starts over and reports that. If the signed URL is refused, the job is asked for a fresh one.
/// The client's [`RetryPolicy`](crate::RetryPolicy) counts the failures of each connection since
/// its last 64 KiB of new bytes.
///
/// A slow reader slows the host down:
/// [`ClientBuilder::read_ahead`](crate::ClientBuilder::read_ahead) limits how much is read before
/// it is asked for.
///
/// # Cancellation
/// [`Download::next`] can be dropped and called again: no bytes are lost. Dropping the download
/// closes its connections.
pub struct Download {
    source: Arc<AssetSource>,
    /// The reply with the next bytes, if there is only one.
    body: Option<AssetBody>,
    /// The replies with the next bytes and those after them, if there are several.
    prefetcher: Option<Prefetcher>,
    length: Option<u64>,
    etag: Option<String>,
    /// Bytes handed out since the last start.
    at: u64,
    retry: RetryBudget,
    /// Watches the rate of a single reply.
    watch: RateWatch,
    /// Whether the reader must discard what came before and does not know yet.
    discarded: bool,
    /// Whether the host may be asked for ranges.
    ranges: bool,
    /// How often the archive has changed.
    restarts: u32,
}

impl Download {
    pub(crate) async fn open(
        options: DownloadOptions,
        job: JobId,
        resource: ResourceUrl,
        renewer: Box<dyn UrlRenewer>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, Error> {
        let at = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.bytes);
        let source = Arc::new(AssetSource::new(options, job, resource, renewer));
        let mut download = Self {
            retry: RetryBudget::new(source.retry_loop(), at),
            watch: RateWatch::new(source.minimum_rate()),
            source,
            body: None,
            prefetcher: None,
            length: checkpoint.as_ref().and_then(|checkpoint| checkpoint.length),
            etag: checkpoint.map(|checkpoint| checkpoint.etag),
            at,
            discarded: false,
            ranges: true,
            restarts: 0,
        };
        if !download.is_complete() {
            download.discarded = download.connect().await?;
        }
        Ok(download)
    }

    fn is_complete(&self) -> bool {
        self.at > 0 && self.length == Some(self.at)
    }

    /// Returns where another download can continue, or `None` if no bytes have been returned, or if
    /// nothing guarantees that it would get the same ones.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let etag = self.etag.as_ref().filter(|etag| is_strong(etag))?;
        (self.at > 0).then(|| Checkpoint {
            bytes: self.at,
            etag: etag.clone(),
            length: self.length,
        })
    }

    /// Returns how many bytes the host announced, or `None` if it did not, as in a chunked reply.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the `ETag` as it was sent.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Returns 1 plus the number of requests that failed and had to be repeated.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.source.failures().saturating_add(1)
    }

    /// Returns the next piece, or `None` after the last byte.
    ///
    /// # Errors
    /// The last failure, when retries have been given up: [`ErrorKind::Timeout`] if nothing came
    /// within the read timeout, or less than the minimum rate, [`ErrorKind::ConnectionLost`] if the
    /// connection broke, [`ErrorKind::AssetRefused`] if fresh URLs were refused as well,
    /// [`ErrorKind::AssetChanged`] if the archive kept changing, [`ErrorKind::NotAnArchive`] if
    /// something else came instead; or any error of a call for the job's status.
    pub async fn next(&mut self) -> Result<Option<Piece>, Error> {
        if std::mem::take(&mut self.discarded) {
            return Ok(Some(Piece::Restarted));
        }
        loop {
            if let Some(body) = &mut self.body {
                let asked = Instant::now();
                let failed = match body.chunk().await {
                    Ok(Some(chunk)) => match self.watch.add(chunk.len(), asked.elapsed()) {
                        Ok(()) => return Ok(Some(self.hand_out(chunk))),
                        Err(few) => return Err(self.source.too_slow(few)),
                    },
                    Ok(None) if self.length.is_none_or(|length| length == self.at) => {
                        return Ok(None);
                    }
                    Ok(None) if body.is_range_complete() => {
                        self.body = None;
                        continue;
                    }
                    Ok(None) => self.source.ended_early(),
                    Err(error) => error,
                };
                self.body = None;
                self.retry.interrupted();
                let signed = self.source.signed_url();
                self.retry.recover(&self.source, &signed, failed).await?;
            } else if let Some(prefetcher) = &mut self.prefetcher {
                match prefetcher.next().await {
                    Ok(Some(block)) => return Ok(Some(self.hand_out(block))),
                    Ok(None) => return Ok(None),
                    Err(ended) => self.leave_prefetcher(ended).await?,
                }
            } else if self.is_complete() {
                return Ok(None);
            } else if self.connect().await? {
                return Ok(Some(Piece::Restarted));
            }
        }
    }

    fn hand_out(&mut self, bytes: Bytes) -> Piece {
        self.at += bytes.len() as u64;
        self.retry.advance(self.at);
        Piece::Bytes(bytes)
    }

    /// Opens a reply. Returns whether that discards what was returned before.
    async fn connect(&mut self) -> Result<bool, Error> {
        let mut fallback = RangeFallback::new(self.at > 0);
        loop {
            let request = match fallback.is_whole() {
                true => RangeRequest::WHOLE,
                false => self.request(),
            };
            let ranged = request.range().is_some();
            let signed = self.source.signed_url();
            match self.source.fetch(&signed, &request).await {
                Ok(RangeResponse::Part(body)) if is_dead_end(&body) => self.ask_for_the_whole(),
                Ok(RangeResponse::Part(body) | RangeResponse::Whole(body)) => {
                    return Ok(self.take_up(body));
                }
                Ok(RangeResponse::Changed) => self.changed().await?,
                Ok(RangeResponse::Unsupported) => self.ask_for_the_whole(),
                Err(error) if fallback.failed(ranged, &error) => self.source.count_failure(),
                Err(error) => {
                    let recovered = self.retry.recover(&self.source, &signed, error).await;
                    if let Err(error) = recovered
                        && !fallback.is_last_resort(ranged, &error)
                    {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Returns what to ask the host for now.
    fn request(&self) -> RangeRequest {
        let splitting = self.source.splitting();
        let first = FIRST.min(splitting.above).max(BLOCK);
        match self.checkpoint().filter(|_| self.ranges) {
            Some(Checkpoint {
                bytes,
                etag,
                length,
            }) => RangeRequest {
                start: bytes,
                end: match length {
                    Some(length) if length.saturating_sub(bytes) <= splitting.above => None,
                    _ if !splitting.is_possible() => None,
                    _ => Some((bytes / BLOCK * BLOCK).saturating_add(first)),
                },
                etag: Some(etag),
                length,
            },
            None if self.ranges && splitting.is_possible() => RangeRequest {
                end: Some(first),
                ..RangeRequest::WHOLE
            },
            None => RangeRequest::WHOLE,
        }
    }

    /// Continues with a reply. Returns whether that discards what was returned before.
    fn take_up(&mut self, body: AssetBody) -> bool {
        let starts_over = body.start < self.at;
        if body.start == 0 {
            self.etag.clone_from(&body.etag);
        }
        let (job, at) = (&self.source.job, self.at);
        if starts_over {
            info!(%job, at, "the download starts over");
        } else if at > 0 {
            debug!(%job, at, "the download is resumed");
        }
        self.at = body.start;
        self.length = body.length;
        match &self.etag {
            Some(etag) if self.is_to_be_split(&body) => {
                let (source, etag) = (self.source.clone(), etag.clone());
                let length = body.length.unwrap_or_default();
                self.prefetcher = Some(Prefetcher::new(source, body, etag, length));
            }
            _ => self.body = Some(body),
        }
        starts_over
    }

    /// Whether enough follows a reply to fetch it on several connections. The reply must not be a
    /// dead end.
    fn is_to_be_split(&self, body: &AssetBody) -> bool {
        let splitting = self.source.splitting();
        match (body.end, body.length) {
            (Some(end), Some(length)) => {
                end < length && length - body.start > splitting.above && splitting.is_possible()
            }
            _ => false,
        }
    }

    async fn leave_prefetcher(&mut self, ended: Ended) -> Result<(), Error> {
        self.prefetcher = None;
        match ended {
            Ended::Changed => self.changed().await,
            Ended::Unsupported => {
                self.ask_for_the_whole();
                Ok(())
            }
            Ended::Failed(error) => Err(error),
        }
    }

    fn ask_for_the_whole(&mut self) {
        self.prefetcher = None;
        self.ranges = false;
    }

    async fn changed(&mut self) -> Result<(), Error> {
        self.prefetcher = None;
        self.etag = None;
        self.restarts += 1;
        if self.restarts >= CHANGES_UNTIL_WHOLE {
            self.ask_for_the_whole();
        }
        let why = "its entity tag or length has changed";
        let changed = self.source.error(ErrorKind::AssetChanged, why);
        self.retry.count(&self.source, changed).await
    }
}

/// Whether nothing could show that what follows this range belongs to the same archive.
fn is_dead_end(body: &AssetBody) -> bool {
    body.end < body.length && !body.etag.as_deref().is_some_and(is_strong)
}

/// Whether the tag is strong. Only strong tags guarantee that every byte is the same (RFC 9110,
/// section 8.8.1).
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

impl fmt::Debug for Download {
    /// Leaves out the replies, which hold the signed URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("job", &self.source.job)
            .field("resource", &self.source.signed_url().url)
            .field("length", &self.length)
            .field("etag", &self.etag)
            .field("at", &self.at)
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
