//! The download of an archive, over as many connections as it takes.

use std::fmt;

use bytes::Bytes;
use tracing::{debug, info};
use tulip_core::{JobId, ResourceUrl};

use crate::Endpoint;
use crate::asset::{Answer, AssetBody, Position};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::retry::Tries;

/// So many new bytes show that a download moves: the count of failures begins again. With less, a
/// host that ends every connection at once could keep a download for ever.
const PROGRESS: u64 = 64 * 1024;

/// What comes next of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// The bytes that follow.
    Bytes(Bytes),
    /// What came before is void: the archive has changed, or its host cannot continue where the
    /// connection broke. The first byte comes next, and [`Download::length`] and
    /// [`Download::etag`] are those of what comes.
    StartedOver,
}

/// The open download of a job's archive.
///
/// Where a connection breaks, stalls or is refused, the download goes on at the byte that it has
/// reached, if the host keeps ranges and the archive has a strong entity tag; otherwise it starts
/// over and says so. Where the signed URL is refused, the job is asked for a fresh one. Failures
/// are counted, by the client's [`RetryPolicy`](crate::RetryPolicy), since the last 64 KiB that
/// were new.
///
/// The next bytes are only read from the network when they are asked for, so a slow reader slows
/// the host down.
///
/// # Cancellation
/// [`Download::next`] can be dropped and called again: no bytes are lost. Dropping the download
/// closes its connection.
pub struct Download {
    client: Client,
    job: JobId,
    resource: ResourceUrl,
    body: Option<AssetBody>,
    length: Option<u64>,
    etag: Option<String>,
    /// Bytes handed out since the last start.
    at: u64,
    /// Where the count of failures began.
    counted_from: u64,
    tries: Tries,
    attempts: u32,
    /// A fresh URL was taken since the count of failures began.
    refreshed: bool,
    /// What came before is void, and whoever reads does not know yet.
    void: bool,
    /// Whether the host may be asked to continue.
    continues: bool,
}

impl Download {
    pub(crate) async fn open(
        client: Client,
        job: JobId,
        resource: ResourceUrl,
        position: Option<Position>,
    ) -> Result<Self, Error> {
        let at = position.as_ref().map_or(0, |position| position.bytes);
        let mut download = Self {
            tries: client.asset_tries(),
            client,
            job,
            resource,
            body: None,
            length: position.as_ref().and_then(|position| position.length),
            etag: position.map(|position| position.etag),
            at,
            counted_from: at,
            attempts: 0,
            refreshed: false,
            void: false,
            continues: true,
        };
        if !download.is_complete() {
            download.void = download.connect().await?;
        }
        Ok(download)
    }

    fn is_complete(&self) -> bool {
        self.at > 0 && self.length == Some(self.at)
    }

    /// Where another download can go on; `None` where nothing tells whether it would get the same
    /// bytes, or none have been handed out.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let etag = self.etag.as_ref().filter(|etag| is_strong(etag))?;
        (self.at > 0).then(|| Position {
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

    /// How often the host was asked; 1 when nothing went wrong.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What comes next, or `None` after the last byte.
    ///
    /// # Errors
    /// The last failure, when trying again was given up: [`ErrorKind::Timeout`] when nothing came
    /// for longer than the stall timeout, [`ErrorKind::Interrupted`] when the connection broke,
    /// [`ErrorKind::AssetRefused`] when fresh URLs were refused as well,
    /// [`ErrorKind::AssetChanged`] when the archive kept changing; or any of a call for its status.
    pub async fn next(&mut self) -> Result<Option<Piece>, Error> {
        if std::mem::take(&mut self.void) {
            return Ok(Some(Piece::StartedOver));
        }
        loop {
            let Some(body) = &mut self.body else {
                if self.is_complete() {
                    return Ok(None);
                }
                if self.connect().await? {
                    return Ok(Some(Piece::StartedOver));
                }
                continue;
            };
            let failed = match body.chunk().await {
                Ok(Some(chunk)) => {
                    self.advance(chunk.len() as u64);
                    return Ok(Some(Piece::Bytes(chunk)));
                }
                Ok(None) if self.length.is_none_or(|length| length == self.at) => return Ok(None),
                Ok(None) => {
                    let endpoint = Endpoint::asset(&self.resource);
                    Error::new(ErrorKind::Interrupted, endpoint).with_cause("the reply ended early")
                }
                Err(error) => error,
            };
            self.body = None;
            // Until this first failure nothing was being retried, however long the reader took.
            self.tries.begin_if_unfailed();
            self.recover(failed).await?;
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.at += bytes;
        if self.at >= self.counted_from.saturating_add(PROGRESS) {
            self.counted_from = self.at;
            self.refreshed = false;
            self.tries.begin_again();
        }
    }

    /// Opens a reply; tells whether what was handed out is void by that.
    async fn connect(&mut self) -> Result<bool, Error> {
        loop {
            self.attempts = self.attempts.saturating_add(1);
            let wanted = self.position().filter(|_| self.continues);
            let answer = self.client.ask_asset(&self.resource, wanted.as_ref());
            match answer.await {
                Ok(Answer::Rest(body)) => {
                    info!(job = %self.job, at = self.at, "the download goes on where it broke off");
                    self.length = body.length;
                    self.body = Some(body);
                    return Ok(false);
                }
                Ok(Answer::Whole(body)) => {
                    let starts_over = self.at > 0;
                    if starts_over {
                        info!(job = %self.job, at = self.at, "the download starts over");
                    }
                    self.at = 0;
                    self.length = body.length;
                    self.etag.clone_from(&body.etag);
                    self.body = Some(body);
                    return Ok(starts_over);
                }
                Ok(Answer::Changed) => {
                    self.etag = None;
                    let changed = self.changed("its entity tag or its length is another");
                    self.tries.count(changed).await?;
                }
                Ok(Answer::Unfit) => {
                    self.continues = false;
                    let unfit = self.changed("the range in the reply is not the one asked for");
                    self.tries.count(unfit).await?;
                }
                Err(error) => self.recover(error).await?,
            }
        }
    }

    fn changed(&self, why: &str) -> Error {
        let endpoint = Endpoint::asset(&self.resource);
        Error::new(ErrorKind::AssetChanged, endpoint).with_cause(why)
    }

    /// Waits until the host may be asked again, with a fresh URL where this one was refused.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        if error.kind() != ErrorKind::AssetRefused {
            return self.tries.failed(error).await;
        }
        let status = error.status();
        // The first refusal is most likely an expiry, which a fresh URL mends at once.
        if self.refreshed {
            self.tries.count(error).await?;
        }
        self.refreshed = true;
        self.refresh(status).await
    }

    /// Asks the job for another URL.
    async fn refresh(&mut self, refused: Option<u16>) -> Result<(), Error> {
        debug!(job = %self.job, "the signed URL was refused; asking for a fresh one");
        let job = self.client.archive_status(&self.job).await?;
        let resource = job.resource.filter(|_| job.status.is_complete());
        let Some(resource) = resource else {
            let mut error = Error::new(ErrorKind::AssetRefused, Endpoint::asset(&self.resource));
            error.inner_mut().status = refused;
            let found = format!("the job, which is {} now, has no other", job.status);
            return Err(error.with_found(found));
        };
        self.resource = resource.parse().map_err(|error| {
            Error::new(ErrorKind::InvalidReply, Endpoint::ArchiveStatus(job.id))
                .with_found(error.to_string())
        })?;
        Ok(())
    }
}

/// Only a strong tag tells that every byte is the same (RFC 9110, section 8.8.1).
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

impl fmt::Debug for Download {
    /// Leaves out the reply, which knows the signed URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("job", &self.job)
            .field("resource", &self.resource)
            .field("length", &self.length)
            .field("etag", &self.etag)
            .field("at", &self.at)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
