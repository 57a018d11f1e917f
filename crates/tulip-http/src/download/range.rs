//! One range of an archive, fetched by its own task.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::block::BlockAssembler;
use super::minimum_rate::RateWatch;
use super::read_ahead::{Permit, ReadAheadBudget};
use super::request::RangeRequest;
use super::response::{AssetBody, RangeResponse};
use super::retry_budget::RetryBudget;
use super::source::AssetSource;
use super::throughput::ThroughputMeter;
use crate::error::Error;

/// A block that fills slowly is handed over in pieces, at most this often.
const SLOW: Duration = Duration::from_millis(250);

/// Why a range ended before its last byte.
#[derive(Debug)]
pub(super) enum Ended {
    /// The archive has changed since the download began.
    Changed,
    /// The host does not support ranges after all.
    Unsupported,
    /// Retrying was given up.
    Failed(Error),
}

/// Some bytes, and their share of the budget until they are handed over.
pub(super) struct HeldBlock {
    pub(super) bytes: Bytes,
    _permit: Option<Permit>,
}

pub(super) type Blocks = mpsc::Sender<Result<HeldBlock, Ended>>;

/// The budget of a range that is read before its turn.
pub(super) struct Reservation {
    pub(super) budget: ReadAheadBudget,
    pub(super) blocks: u32,
    /// Notified when the turn has come: then no permit is needed.
    pub(super) turn: Arc<Notify>,
}

/// Fetches what `request` asks for and hands it over in blocks. Its reply may be there already.
/// Every range has its own retry budget.
pub(super) async fn fetch(
    source: Arc<AssetSource>,
    request: RangeRequest,
    reply: Option<AssetBody>,
    assembler: BlockAssembler,
    meter: Arc<ThroughputMeter>,
    reservation: Option<Reservation>,
    blocks: Blocks,
) {
    let end = request.end.unwrap_or(request.start);
    let mut range = Range {
        retry: RetryBudget::new(source.retry_loop(), request.start),
        watch: RateWatch::new(source.minimum_rate()),
        assembler,
        meter,
        source,
        request,
        end,
        reservation,
        permit: None,
        blocks,
    };
    if let Err(ended) = range.run(reply).await {
        // If the receiver has closed the channel, it does not need the rest.
        let _ = range.blocks.send(Err(ended)).await;
    }
}

struct Range {
    source: Arc<AssetSource>,
    /// The part that is left to fetch.
    request: RangeRequest,
    end: u64,
    retry: RetryBudget,
    watch: RateWatch,
    assembler: BlockAssembler,
    meter: Arc<ThroughputMeter>,
    /// Waited for before bytes are read.
    reservation: Option<Reservation>,
    permit: Option<Permit>,
    blocks: Blocks,
}

impl Range {
    async fn run(&mut self, mut reply: Option<AssetBody>) -> Result<(), Ended> {
        while self.request.start < self.end {
            let signed = self.source.signed_url();
            let answer = match reply.take() {
                Some(body) => Ok(RangeResponse::Part(body)),
                None => {
                    let asked = Instant::now();
                    let answer = self.source.fetch(&signed, &self.request).await;
                    self.meter.add_answer(asked.elapsed());
                    answer
                }
            };
            let failed = match answer {
                Ok(RangeResponse::Part(mut body)) => match self.read(&mut body).await {
                    Ok(()) => continue,
                    Err(error) => {
                        self.retry.interrupted();
                        error
                    }
                },
                Ok(RangeResponse::Changed) => return Err(Ended::Changed),
                Ok(RangeResponse::Whole(_) | RangeResponse::Unsupported) => {
                    return Err(Ended::Unsupported);
                }
                Err(error) => error,
            };
            let recovered = match self.watch.is_too_slow() {
                true => Err(failed),
                false => self.retry.recover(&self.source, &signed, failed).await,
            };
            if let Err(error) = recovered {
                self.flush().await;
                return Err(Ended::Failed(error));
            }
        }
        self.flush().await;
        Ok(())
    }

    /// Reads a reply to its end.
    async fn read(&mut self, body: &mut AssetBody) -> Result<(), Error> {
        self.wait_for_permit().await;
        let mut handed = Instant::now();
        loop {
            let asked = Instant::now();
            let Some(mut chunk) = body.chunk().await? else {
                break;
            };
            let waited = asked.elapsed();
            self.meter.add(chunk.len(), waited);
            let watched = self.watch.add(chunk.len(), waited);
            watched.map_err(|few| self.source.too_slow(few))?;
            self.request.start += chunk.len() as u64;
            self.retry.advance(self.request.start);
            while !chunk.is_empty() {
                if let Some(block) = self.assembler.take(&mut chunk) {
                    let permit = self.permit.as_mut().and_then(Permit::block);
                    self.hand_over(block, permit).await;
                    handed = Instant::now();
                }
            }
            if handed.elapsed() >= SLOW {
                self.flush().await;
                handed = Instant::now();
            }
        }
        match self.request.start >= self.end || body.is_range_complete() {
            true => Ok(()),
            false => Err(self.source.ended_early()),
        }
    }

    /// Waits for a permit, or for the range's turn. Until then nothing is read, which holds the
    /// host back.
    async fn wait_for_permit(&mut self) {
        let Some(reservation) = self.reservation.take() else {
            return;
        };
        tokio::select! {
            biased;
            permit = reservation.budget.acquire(reservation.blocks) => self.permit = permit,
            () = reservation.turn.notified() => {}
        }
    }

    async fn flush(&mut self) {
        if let Some(piece) = self.assembler.flush() {
            self.hand_over(piece, None).await;
        }
    }

    async fn hand_over(&mut self, bytes: Bytes, permit: Option<Permit>) {
        let held = HeldBlock {
            bytes,
            _permit: permit,
        };
        // A receiver that closes the channel also ends this task.
        let _ = self.blocks.send(Ok(held)).await;
    }
}
