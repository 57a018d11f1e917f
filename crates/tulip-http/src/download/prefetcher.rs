//! Ranges of an archive that are fetched concurrently and handed over in order.

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

/// The maximum number of blocks of a range: a larger one would not make the requests cheaper.
const LARGEST: u32 = 8;

/// A range has at most the budget divided by this, which leaves one range to each of 16
/// connections. If larger ranges would be faster, because the host is slow to answer, so are more
/// connections.
const LARGEST_PART: u32 = 16;

/// One request for the rest, and the first reply, are handed over as they come. They hold only one
/// block, which waits while another is being filled.
const AS_IT_COMES: usize = 1;

/// The download of an archive on several connections.
///
/// The client's [`ReadAheadBudget`] limits what is held. Every range takes a permit when it is
/// answered, and holds nothing before. The first in order needs none, so that those behind it can
/// never block it.
pub(super) struct Prefetcher {
    source: Arc<AssetSource>,
    etag: String,
    length: u64,
    budget: ReadAheadBudget,
    pool: Arc<Pool>,
    controller: ConcurrencyController,
    meter: Arc<ThroughputMeter>,
    /// The failures that the controller knows about.
    failures: u32,
    /// The number of connections that was last logged.
    told: usize,
    /// Where the next range begins.
    next: u64,
    /// In order: the first one is being handed over.
    ranges: VecDeque<Fetching>,
    tasks: JoinSet<()>,
}

struct Fetching {
    blocks: Receiver<Result<HeldBlock, Ended>>,
    /// Notified when this range is the first in order.
    turn: Arc<Notify>,
    task: AbortHandle,
    /// How many bytes of the range have not been handed over.
    left: u64,
    extent: Extent,
}

impl Prefetcher {
    /// Starts with a reply that brings the first range of an archive of `length` bytes.
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

    /// Returns the next bytes in order, or `None` after the last. Can be dropped and called again.
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
                // A connection is free for another range.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Starts as many ranges as the controller and the budget allow.
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
            // Without room in the budget, it would be answered but not read.
            if !self.ranges.is_empty() && !self.budget.has(blocks) {
                return;
            }
            let end = (self.next / BLOCK + u64::from(blocks)) * BLOCK;
            self.begin(end.min(self.length), Extent::Range, None, Some(blocks));
        }
    }

    /// Whether another range may start: a connection is free, and at most one range is complete
    /// before its turn. If more are, the connections are not the bottleneck. The next range in
    /// order may always start: the task before it has done its work, even if it has not ended.
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

    /// Returns how many blocks a range has, so that every connection can have one.
    fn largest(&self) -> u32 {
        largest(self.budget.blocks(), self.controller.connections())
    }

    /// Starts a task that fetches a range up to `end`, with `held` blocks of read-ahead, or none.
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

    /// Ends the request for the rest if several are to replace it. No range can be behind it.
    fn cut(&mut self) {
        let rest = self.ranges.back_mut();
        if let Some(rest) = rest.filter(|range| range.extent == Extent::Rest)
            && !self.controller.is_single_stream()
        {
            rest.extent = Extent::Cut;
            rest.task.abort();
        }
    }

    /// Logs the number of connections if it has changed.
    fn tell(&mut self) {
        let connections = self.connections();
        if connections != self.told {
            self.told = connections;
            let at = self.next - self.ranges.iter().map(|range| range.left).sum::<u64>();
            debug!(job = %self.source.job, connections, at, "connections");
        }
    }
}

/// Returns how many blocks a range has, so that every connection can have one.
fn largest(budget: u32, connections: usize) -> u32 {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    (budget / connections)
        .min(budget / LARGEST_PART)
        .clamp(1, LARGEST)
}

/// Returns how many bytes the maximum number of connections can request at once.
fn reach(splitting: &Splitting) -> u64 {
    let connections = splitting.connections;
    let blocks = largest(splitting.budget.blocks(), connections);
    connections as u64 * u64::from(blocks) * BLOCK
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// As much as may be held, or little more.
    Range,
    /// The rest of the archive.
    Rest,
    /// It was the rest, and ends where it was cut.
    Cut,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{MemoryHost, archive};
    use super::*;

    /// Shows the controller some rounds from `now` on, each with as many bytes. Real blocks that
    /// arrive before they are over take no time.
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

    /// A task hands over its last block before it ends, and with several threads this can be seen.
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
        // Answers nothing before eight ranges are requested.
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
                    // Next to nothing may be requested at once.
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
