//! A host in memory, for tests on paused time.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tulip_core::ResourceUrl;

use super::block::BLOCK;
use super::minimum_rate::MinimumRate;
use super::prefetcher::Prefetcher;
use super::read_ahead::{ReadAheadBudget, Splitting};
use super::request::RangeRequest;
use super::response::{self, RangeResponse};
use super::source::{AssetSource, DownloadOptions, RangeFetcher, Renewal, UrlRenewer};
use super::{Checkpoint, Download, Piece};
use crate::Endpoint;
use crate::error::Error;
use crate::retry::ExponentialBackoff;
use crate::transport::RateLimitGates;

/// Returns a range of an archive in which no two blocks are the same: lines of one letter each.
pub(super) fn archive(range: Range<u64>) -> Vec<u8> {
    const LINE: u64 = 4096;
    let mut bytes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let end = ((at / LINE + 1) * LINE).min(range.end);
        let letter = b'A' + (at / LINE % 26 * 7 + at / BLOCK) as u8 % 26;
        bytes.resize(bytes.len() + (end - at) as usize, letter);
        at = end;
    }
    bytes
}

/// Answers requests for ranges of an archive.
pub(super) struct MemoryHost {
    length: u64,
    /// Answers nothing before this many requests have come.
    patience: usize,
    asked: Mutex<Vec<Range<u64>>>,
    was_asked: Notify,
}

impl MemoryHost {
    pub(super) fn new(length: u64, patience: usize) -> Arc<Self> {
        Arc::new(Self {
            length,
            patience,
            asked: Mutex::default(),
            was_asked: Notify::new(),
        })
    }

    pub(super) fn asked(&self) -> Vec<Range<u64>> {
        self.asked.lock().unwrap().clone()
    }

    async fn asked_often_enough(&self) {
        loop {
            let again = self.was_asked.notified();
            if self.asked().len() >= self.patience {
                return;
            }
            again.await;
        }
    }

    fn response(&self, range: &Range<u64>) -> reqwest::Response {
        let content = format!("bytes {}-{}/{}", range.start, range.end - 1, self.length);
        let head = http::Response::builder()
            .status(206)
            .header("etag", "\"tag\"")
            .header("content-range", content);
        head.body(Bytes::from(archive(range.clone())))
            .unwrap()
            .into()
    }

    /// Returns a prefetcher with this many connections, and a response with the first block.
    pub(super) async fn prefetcher(
        self: &Arc<Self>,
        connections: usize,
        read_ahead: u64,
    ) -> Prefetcher {
        let options = options(MemoryFetcher(self.clone()), connections, read_ahead);
        let source = AssetSource::new(options, job(), url(), Box::new(NoOther));
        let request = RangeRequest {
            end: Some(BLOCK),
            ..RangeRequest::WHOLE
        };
        let response = checked(self.response(&(0..BLOCK)), &request).await;
        let Ok(RangeResponse::Part(reply)) = response else {
            panic!("{response:?}");
        };
        Prefetcher::new(Arc::new(source), reply, "\"tag\"".into(), self.length)
    }
}

struct MemoryFetcher(Arc<MemoryHost>);

#[async_trait]
impl RangeFetcher for MemoryFetcher {
    async fn fetch(&self, _: &ResourceUrl, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let range = request.start..request.end.unwrap_or(self.0.length).min(self.0.length);
        self.0.asked.lock().unwrap().push(range.clone());
        self.0.was_asked.notify_waiters();
        self.0.asked_often_enough().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        checked(self.0.response(&range), request).await
    }
}

/// Offers no URL other than the first.
pub(super) struct NoOther;

#[async_trait]
impl UrlRenewer for NoOther {
    async fn renew(&self) -> Result<Renewal, Error> {
        Ok(Renewal::Url(url()))
    }
}

pub(super) fn options(
    fetcher: impl RangeFetcher + 'static,
    connections: usize,
    read_ahead: u64,
) -> DownloadOptions {
    DownloadOptions {
        fetcher: Arc::new(fetcher),
        gates: Arc::new(RateLimitGates::default()),
        retry: Arc::new(ExponentialBackoff::default()),
        splitting: Arc::new(Splitting {
            connections,
            above: 32 * BLOCK,
            budget: ReadAheadBudget::new(read_ahead),
        }),
        minimum_rate: Some(MinimumRate::DEFAULT),
        deadline: None,
    }
}

pub(super) fn job() -> tulip_core::JobId {
    "job1".parse().unwrap()
}

pub(super) fn url() -> ResourceUrl {
    ResourceUrl::parse("https://host.example/a.csv?sig=5ig").unwrap()
}

pub(super) async fn checked(
    response: reqwest::Response,
    request: &RangeRequest,
) -> Result<RangeResponse, Error> {
    let limit = Duration::from_secs(60);
    response::check(response, &Endpoint::asset(&url()), limit, request).await
}

/// A host whose answers come from a function of the request's number and the request.
pub(super) struct ScriptedHost<F> {
    answer: F,
    asked: Arc<Mutex<Vec<RangeRequest>>>,
}

impl<F> ScriptedHost<F>
where
    F: Fn(usize, &RangeRequest) -> http::Response<reqwest::Body> + Send + Sync + 'static,
{
    /// Downloads everything from the host. Returns the bytes, the requests, and the error, if any.
    pub(super) async fn download(answer: F) -> (Vec<u8>, Vec<RangeRequest>, Option<Error>) {
        Self::resume(answer, None).await
    }

    pub(super) async fn resume(
        answer: F,
        checkpoint: Option<Checkpoint>,
    ) -> (Vec<u8>, Vec<RangeRequest>, Option<Error>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let host = Self {
            answer,
            asked: asked.clone(),
        };
        let options = options(host, 4, 16 * BLOCK);
        let opened = Download::open(options, job(), url(), Box::new(NoOther), checkpoint).await;
        let (mut bytes, mut failed) = (Vec::new(), None);
        match opened {
            Ok(mut download) => loop {
                match download.next().await {
                    Ok(Some(Piece::Bytes(more))) => bytes.extend_from_slice(&more),
                    Ok(Some(Piece::Restarted)) => bytes.clear(),
                    Ok(None) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            },
            Err(error) => failed = Some(error),
        }
        let asked = asked.lock().unwrap().clone();
        (bytes, asked, failed)
    }
}

#[async_trait]
impl<F> RangeFetcher for ScriptedHost<F>
where
    F: Fn(usize, &RangeRequest) -> http::Response<reqwest::Body> + Send + Sync + 'static,
{
    async fn fetch(&self, _: &ResourceUrl, request: &RangeRequest) -> Result<RangeResponse, Error> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.clone());
            asked.len()
        };
        checked((self.answer)(number, request).into(), request).await
    }
}
