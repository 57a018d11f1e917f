//! The download of an archive, over as many connections as it takes.

mod block;
mod concurrency;
mod content;
mod encoding;
mod fallback;
mod fetcher;
mod memory;
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

/// A host whose archive changes this often is asked for the whole, without a condition: it does not
/// know its own entity tags, or each of its replicas has others.
const CHANGES_UNTIL_WHOLE: u32 = 2;

/// The first request asks for no more than this: a small archive comes with it, of a larger one
/// only its end is needed to know its length.
const FIRST: u64 = 8 * BLOCK;

/// What comes next of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// The bytes that follow.
    Bytes(Bytes),
    /// Everything received so far is to be discarded: the archive has changed, or its host cannot
    /// continue where the connection broke. The next piece starts at the first byte, and
    /// [`Download::length`] and [`Download::etag`] are those of the new reply.
    Restarted,
}

/// The open download of a job's archive.
///
/// An archive of up to 8 MiB is one request. A large one is asked for in ranges on several
/// connections, as many as make it faster, or from a host that is slow to answer by one request for
/// the rest, if the host keeps ranges and the archive has a strong entity tag (see
/// [`ClientBuilder::split_above`](crate::ClientBuilder::split_above) and
/// [`ClientBuilder::connections`](crate::ClientBuilder::connections)). Bytes are handed out in
/// order all the same.
///
/// Where a connection breaks, stalls or is refused, the download resumes at the byte that it has
/// reached, if the host keeps ranges and the archive has a strong entity tag; otherwise it starts
/// over and says so. Where the signed URL is refused, the job is asked for a fresh one. Failures
/// are counted, by the client's [`RetryPolicy`](crate::RetryPolicy), for each connection since the
/// last 64 KiB that were new.
///
/// A slow reader slows the host down: what is read before it is asked for is bounded by
/// [`ClientBuilder::read_ahead`](crate::ClientBuilder::read_ahead).
///
/// # Cancellation
/// [`Download::next`] can be dropped and called again: no bytes are lost. Dropping the download
/// closes its connections.
pub struct Download {
    source: Arc<AssetSource>,
    /// The reply that brings the next bytes, where there is one alone.
    body: Option<AssetBody>,
    /// Those that bring the next bytes and what follows, where there are several.
    prefetcher: Option<Prefetcher>,
    length: Option<u64>,
    etag: Option<String>,
    /// Bytes handed out since the last start.
    at: u64,
    retry: RetryBudget,
    /// Watches the reply that comes alone.
    watch: RateWatch,
    /// What came before is discarded, and the reader does not know yet.
    discarded: bool,
    /// Whether the host may be asked for ranges.
    ranges: bool,
    /// How often the archive was another one.
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

    /// Where another download can continue; `None` where nothing tells whether it would get the
    /// same bytes, or none have been handed out.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let etag = self.etag.as_ref().filter(|etag| is_strong(etag))?;
        (self.at > 0).then(|| Checkpoint {
            bytes: self.at,
            etag: etag.clone(),
            length: self.length,
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

    /// 1, and one more for each request that failed and had to be made once more.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.source.failures().saturating_add(1)
    }

    /// What comes next, or `None` after the last byte.
    ///
    /// # Errors
    /// The last failure, when trying again was given up: [`ErrorKind::Timeout`] when nothing came
    /// for longer than the read timeout, or less than the minimum rate;
    /// [`ErrorKind::ConnectionLost`] when the connection broke, [`ErrorKind::AssetRefused`] when
    /// fresh URLs were refused as well, [`ErrorKind::AssetChanged`] when the archive kept changing,
    /// [`ErrorKind::NotAnArchive`] when something else came instead; or any of a call for its
    /// status.
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

    /// Opens a reply; tells whether what was handed out is discarded by that.
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

    /// What to ask the host for now.
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

    /// Goes on with a reply; tells whether what was handed out is discarded by that.
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

    /// Whether enough follows a reply to fetch it on several connections. The reply can be
    /// continued.
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

/// Nothing would tell whether what follows this range belongs to it.
fn is_dead_end(body: &AssetBody) -> bool {
    body.end < body.length && !body.etag.as_deref().is_some_and(is_strong)
}

/// Only a strong tag tells that every byte is the same (RFC 9110, section 8.8.1).
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

impl fmt::Debug for Download {
    /// Leaves out the replies, which know the signed URL.
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
