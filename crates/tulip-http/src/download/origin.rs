//! Where the bytes of a download come from.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::debug;
use tulip_core::{JobId, ResourceUrl, ResourceUrlError};

use crate::Endpoint;
use crate::asset::{Answer, Wanted};
use crate::client::Client;
use crate::download::patience::Patience;
use crate::error::{Error, ErrorKind};

/// The archive of a job behind a signed URL, which all connections of a download share.
pub(super) struct Origin {
    client: Client,
    pub(super) job: JobId,
    current: Mutex<Signed>,
    refreshing: tokio::sync::Mutex<()>,
    failures: AtomicU32,
}

/// A signed URL, and which one of the job's it is.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    number: u32,
    pub(super) url: ResourceUrl,
}

impl Origin {
    pub(super) fn new(client: Client, job: JobId, url: ResourceUrl) -> Self {
        Self {
            client,
            job,
            current: Mutex::new(Signed { number: 0, url }),
            refreshing: tokio::sync::Mutex::default(),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The patience with what begins at byte `at`.
    pub(super) fn patience(&self, at: u64) -> Patience {
        Patience::new(self.client.asset_tries(), at)
    }

    /// The URL to use now.
    pub(super) fn signed(&self) -> Signed {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn ask(&self, signed: &Signed, wanted: &Wanted) -> Result<Answer, Error> {
        self.client.ask_asset(&signed.url, wanted).await
    }

    /// An error of the asset's host.
    pub(super) fn error(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, Endpoint::asset(&self.signed().url)).with_cause(why)
    }

    pub(super) fn ended_early(&self) -> Error {
        self.error(ErrorKind::Interrupted, "the reply ended early")
    }

    /// Counts a request that has to be made once more.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests had to be made once more.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Asks the job for another URL than `refused`; once, whoever else finds the same one refused.
    pub(super) async fn refresh(&self, refused: &Signed, status: Option<u16>) -> Result<(), Error> {
        let _alone = self.refreshing.lock().await;
        if self.signed().number != refused.number {
            return Ok(());
        }
        debug!(job = %self.job, "the signed URL was refused; asking for a fresh one");
        let job = self.client.archive_status(&self.job).await?;
        let resource = job.resource.filter(|_| job.status.is_complete());
        let Some(resource) = resource else {
            let mut error = Error::new(ErrorKind::AssetRefused, Endpoint::asset(&refused.url));
            error.inner_mut().status = status;
            let found = format!("the job, which is {} now, has no other", job.status);
            return Err(error.with_found(found));
        };
        let url = resource.parse().map_err(|error: ResourceUrlError| {
            let endpoint = Endpoint::ArchiveStatus(job.id);
            Error::new(ErrorKind::InvalidReply, endpoint).with_found(error.to_string())
        })?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Signed {
            number: refused.number.wrapping_add(1),
            url,
        };
        Ok(())
    }
}
