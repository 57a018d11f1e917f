//! Ranges of an archive that are fetched at the same time and handed over in order.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::debug;

use super::block::{BLOCK, BlockAssembler, Pool};
use super::concurrency::ConcurrencyController;
use super::range::{self, Ended, HeldBlock, Reservation};
use super::read_ahead::{ReadAheadBudget, Splitting};
use super::request::RangeRequest;
use super::response::AssetBody;
use super::source::AssetSource;
use super::throughput::ThroughputMeter;
use crate::error::ErrorKind;

/// A range has no more blocks than this: a larger one would not make the requests cheaper.
const LARGEST: u32 = 8;

/// Nor more than this part of the budget, which leaves one to each of 16 connections. Where
/// larger ones would be faster, because the host takes long to answer, more connections are as
/// well.
const LARGEST_PART: u32 = 16;

/// A block that waits while another is being filled is all that is held of what is handed over as
/// it comes: one request for all that is left, and the first reply.
const AS_IT_COMES: usize = 1;

/// An archive on several connections.
///
/// What is held is bounded by the client's [`ReadAheadBudget`]. Every range takes a permit of it
/// when it is answered; until then it holds nothing. The first in order needs none, so that those
/// behind it can never keep it from its end.
pub(super) struct Prefetcher {
    source: Arc<AssetSource>,
    etag: String,
    length: u64,
    budget: ReadAheadBudget,
    pool: Arc<Pool>,
    controller: ConcurrencyController,
    meter: Arc<ThroughputMeter>,
    /// The failures that the controller knows of.
    failures: u32,
    /// The connections that were told of last.
    told: usize,
    /// Where the next range begins.
    next: u64,
    /// In order: the first is the one that is being handed over.
    ranges: VecDeque<Fetching>,
    tasks: JoinSet<()>,
}

struct Fetching {
    blocks: Receiver<Result<HeldBlock, Ended>>,
    /// Tells the task that it is first in the row.
    turn: Arc<Notify>,
    task: AbortHandle,
    /// What of the range has not been handed over.
    left: u64,
    extent: Extent,
}

impl Prefetcher {
    /// Begins with a reply that brings the first range of an archive of `length` bytes.
    pub(super) fn new(
        source: Arc<AssetSource>,
        reply: AssetBody,
        etag: String,
        length: u64,
    ) -> Self {
        let splitting = source.splitting();
        let mut prefetcher = Self {
            controller: ConcurrencyController::new(
                splitting.connections,
                reach(splitting),
                Instant::now(),
            ),
            meter: Arc::new(ThroughputMeter::new()),
            budget: splitting.budget.clone(),
            failures: source.failures(),
            told: 0,
            source,
            etag,
            length,
            pool: Arc::default(),
            next: reply.start,
            ranges: VecDeque::new(),
            tasks: JoinSet::new(),
        };
        let end = reply.end.unwrap_or(length).min(length);
        prefetcher.begin(end, Extent::Range, Some(reply), None);
        prefetcher.fill();
        prefetcher
    }

    /// The next bytes in order, or `None` after the last. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Ended> {
        let asked = Instant::now();
        loop {
            self.fill();
            let Some(first) = self.ranges.front_mut() else {
                return Ok(None);
            };
            tokio::select! {
                biased;
                block = first.blocks.recv() => match block {
                    Some(Ok(HeldBlock { bytes: block, .. })) => {
                        first.left = first.left.saturating_sub(block.len() as u64);
                        let now = Instant::now();
                        self.controller.handed(self.meter.sample(), now - asked, now);
                        self.tell();
                        self.cut();
                        return Ok(Some(block));
                    }
                    Some(Err(ended)) => return Err(ended),
                    None if first.left == 0 => {
                        self.ranges.pop_front();
                        if let Some(first) = self.ranges.front() {
                            first.turn.notify_one();
                        }
                    }
                    None if first.extent == Extent::Cut => {
                        self.next -= first.left;
                        self.ranges.pop_front();
                    }
                    None => {
                        let why = "the task that fetched it has ended";
                        return Err(Ended::Failed(self.source.error(ErrorKind::ConnectionLost, why)));
                    }
                },
                // There is a connection for another range.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Begins as many ranges as the controller and the budget allow.
    fn fill(&mut self) {
        let failures = self.source.failures();
        if failures != self.failures {
            self.failures = failures;
            self.controller
                .troubled(self.meter.sample(), Instant::now());
            self.tell();
        }
        while self.tasks.try_join_next().is_some() {}
        while self.next < self.length && self.has_a_place() {
            if self.controller.is_single_stream() {
                self.begin(self.length, Extent::Rest, None, None);
                return;
            }
            let blocks = self.largest();
            // Without room for it, it would be answered and not read.
            if !self.ranges.is_empty() && !self.budget.has(blocks) {
                return;
            }
            let end = (self.next / BLOCK + u64::from(blocks)) * BLOCK;
            self.begin(end.min(self.length), Extent::Range, None, Some(blocks));
        }
    }

    /// Whether there may be another range: a connection is free, and no more than one range has
    /// come whole before its turn. Where more have, it is not the connections that are waited for.
    /// One that is next always may begin: the task that was before it has done its work, if not
    /// ended.
    fn has_a_place(&self) -> bool {
        let connections = self.connections();
        let is_free = self.tasks.len() < connections && self.ranges.len() <= connections;
        is_free || self.ranges.is_empty()
    }

    fn connections(&self) -> usize {
        match self.controller.is_single_stream() {
            true => 1,
            false => self.controller.connections(),
        }
    }

    /// The blocks of a range, so that every connection can have one.
    fn largest(&self) -> u32 {
        largest(self.budget.blocks(), self.controller.connections())
    }

    /// Has a range fetched, up to `end`, with this many blocks of read-ahead, or none.
    fn begin(&mut self, end: u64, extent: Extent, reply: Option<AssetBody>, held: Option<u32>) {
        let request = RangeRequest {
            start: self.next,
            end: Some(end),
            etag: Some(self.etag.clone()),
            length: Some(self.length),
        };
        let (sender, blocks) = mpsc::channel(held.map_or(AS_IT_COMES, |blocks| blocks as usize));
        let turn = Arc::new(Notify::new());
        if self.ranges.is_empty() {
            turn.notify_one();
        }
        let reservation = held.map(|blocks| Reservation {
            budget: self.budget.clone(),
            blocks,
            turn: turn.clone(),
        });
        let (source, meter) = (self.source.clone(), self.meter.clone());
        let assembler = BlockAssembler::new(self.pool.clone(), request.start);
        let fetching = range::fetch(
            source,
            request,
            reply,
            assembler,
            meter,
            reservation,
            sender,
        );
        self.ranges.push_back(Fetching {
            blocks,
            turn,
            task: self.tasks.spawn(fetching),
            left: end - self.next,
            extent,
        });
        self.next = end;
    }

    /// Ends the request for all that is left where there are to be several instead. No range can be
    /// behind it.
    fn cut(&mut self) {
        let rest = self.ranges.back_mut();
        if let Some(rest) = rest.filter(|range| range.extent == Extent::Rest)
            && !self.controller.is_single_stream()
        {
            rest.extent = Extent::Cut;
            rest.task.abort();
        }
    }

    /// Tells how many connections there are, where that has changed.
    fn tell(&mut self) {
        let connections = self.connections();
        if connections != self.told {
            self.told = connections;
            let at = self.next - self.ranges.iter().map(|range| range.left).sum::<u64>();
            debug!(job = %self.source.job, connections, at, "connections");
        }
    }
}

/// The blocks of a range, so that every connection can have one.
fn largest(budget: u32, connections: usize) -> u32 {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    (budget / connections)
        .min(budget / LARGEST_PART)
        .clamp(1, LARGEST)
}

/// The bytes that all connections that there may be can have asked for at once.
fn reach(splitting: &Splitting) -> u64 {
    let connections = splitting.connections;
    let blocks = largest(splitting.budget.blocks(), connections);
    connections as u64 * u64::from(blocks) * BLOCK
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// So much as may be held of it, or little more.
    Range,
    /// All that is left of the archive.
    Rest,
    /// It was all that is left, and ends wherever it has got to.
    Cut,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{MemoryHost, archive};
    use super::*;

    /// Has the controller see some rounds from `now` on, each with as many bytes. What there really
    /// is before they are over takes no time.
    fn see(
        prefetcher: &mut Prefetcher,
        now: &mut Instant,
        rounds: u32,
        bytes: usize,
        took: Duration,
    ) {
        for _ in 0..rounds {
            *now += took;
            prefetcher.meter.add(bytes, took);
            let sample = prefetcher.meter.sample();
            prefetcher.controller.handed(sample, took, *now);
        }
    }

    /// A task hands over its last block before it has ended, and on several threads that is seen.
    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_fetched_though_the_only_connection_is_not_free_yet() {
        let host = MemoryHost::new(2 * BLOCK, 1);
        let mut prefetcher = host.prefetcher(1, 16 * BLOCK).await;
        prefetcher.tasks.spawn(std::future::pending());
        let mut bytes = 0;
        while let Some(block) = prefetcher.next().await.unwrap() {
            bytes += block.len() as u64;
        }
        assert_eq!(bytes, 2 * BLOCK);
    }

    #[tokio::test(start_paused = true)]
    async fn while_nothing_is_answered_more_is_asked_for_than_may_be_held() {
        // Answers nothing before it was asked for eight ranges.
        let host = MemoryHost::new(64 * BLOCK, 8);
        let mut prefetcher = host.prefetcher(8, 2 * BLOCK).await;
        let mut now = Instant::now();
        while prefetcher.controller.connections() < 8 {
            let bytes = prefetcher.controller.connections() << 30;
            see(&mut prefetcher, &mut now, 1, bytes, Duration::from_secs(1));
        }
        let mut bytes = Vec::new();
        while let Some(block) = prefetcher.next().await.unwrap() {
            bytes.extend_from_slice(&block);
        }
        assert!(bytes == archive(0..64 * BLOCK));
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_for_all_that_is_left_can_be_cut_and_what_follows_comes_in_ranges() {
        let length = 96 * BLOCK + 5;
        let host = MemoryHost::new(length, 1);
        let mut prefetcher = host.prefetcher(2, 16 * BLOCK).await;
        let mut now = Instant::now();
        let mut bytes = Vec::new();
        while let Some(block) = prefetcher.next().await.unwrap() {
            bytes.extend_from_slice(&block);
            match bytes.len() as u64 / BLOCK {
                8 => {
                    // Next to nothing may be asked for at once.
                    prefetcher.controller = ConcurrencyController::new(2, 1000, now);
                    see(
                        &mut prefetcher,
                        &mut now,
                        4,
                        1 << 40,
                        Duration::from_secs(1),
                    );
                    assert!(prefetcher.controller.is_single_stream());
                }
                32 => {
                    see(&mut prefetcher, &mut now, 200, 1, Duration::from_secs(10));
                    assert!(!prefetcher.controller.is_single_stream());
                }
                _ => {}
            }
        }
        assert!(bytes == archive(0..length));
        let asked = host.asked();
        let rest = asked.iter().position(|range| range.end == length);
        let (before, behind) = asked.split_at(rest.unwrap());
        assert!(
            before.iter().all(|range| range.end <= 16 * BLOCK),
            "{before:?}"
        );
        assert!(behind.len() > 16, "{behind:?}");
        let longest = behind[1..].iter().map(|range| range.end - range.start);
        assert!(longest.max() <= Some(BLOCK), "{behind:?}");
    }
}
