//! Ranges of an archive that are fetched at the same time and handed over in order.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use crate::asset::{AssetBody, Wanted};
use crate::download::block::{BLOCK, Gatherer, Pool};
use crate::download::budget::{Budget, Share};
use crate::download::flow::Flow;
use crate::download::origin::Origin;
use crate::download::pace::Pace;
use crate::download::range::{self, Ended};
use crate::error::ErrorKind;

/// A range has no more blocks than this: a larger one would not make the requests cheaper.
const LARGEST: u32 = 8;

/// Nor more than this part of the budget, which leaves one to each of so many connections. Where larger
/// ones would be faster, because the host takes long to answer, more connections are as well.
const SHARE: u32 = 16;

/// A block that waits while another is being filled is all that is held of a range without a share
/// of the budget: the first in the row, when other downloads have all of it.
const WITHOUT_SHARE: usize = 1;

/// An archive on several connections.
///
/// What may lie here is bounded by the client's [`Budget`], of which every range takes its share
/// before it begins, so that those behind can never keep the first one from its end.
pub(super) struct Ahead {
    origin: Arc<Origin>,
    etag: String,
    length: u64,
    budget: Budget,
    pool: Arc<Pool>,
    pace: Pace,
    flow: Arc<Flow>,
    /// The failures that the pace knows of.
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
    blocks: Receiver<Result<Bytes, Ended>>,
    /// What of the range has not been handed over.
    left: u64,
    share: Option<Share>,
}

impl Ahead {
    /// Begins with a reply that brings the first range of an archive of `length` bytes.
    pub(super) fn new(origin: Arc<Origin>, reply: AssetBody, etag: String, length: u64) -> Self {
        let splitting = origin.client().splitting();
        let mut ahead = Self {
            pace: Pace::new(splitting.connections, Instant::now()),
            flow: Arc::default(),
            budget: splitting.budget.clone(),
            failures: origin.failures(),
            told: 0,
            origin,
            etag,
            length,
            pool: Arc::default(),
            next: reply.start,
            ranges: VecDeque::new(),
            tasks: JoinSet::new(),
        };
        let end = reply.end.unwrap_or(length).min(length);
        ahead.begin(end, Some(reply), None);
        ahead.fill();
        ahead
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
                    Some(Ok(block)) => {
                        first.handed(block.len() as u64);
                        let now = Instant::now();
                        self.pace.handed(self.flow.brought(), now - asked, now);
                        self.tell();
                        return Ok(Some(block));
                    }
                    Some(Err(ended)) => return Err(ended),
                    None if first.left == 0 => drop(self.ranges.pop_front()),
                    None => {
                        let why = "the task that fetched it has ended";
                        return Err(Ended::Failed(self.origin.error(ErrorKind::Interrupted, why)));
                    }
                },
                // There is a connection for another range.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Begins as many ranges as the pace and the budget allow.
    fn fill(&mut self) {
        let failures = self.origin.failures();
        if failures != self.failures {
            self.failures = failures;
            self.pace.troubled(self.flow.brought(), Instant::now());
            self.tell();
        }
        while self.tasks.try_join_next().is_some() {}
        while self.next < self.length && self.has_a_place() {
            let most = self.largest();
            // Half a range at least, or a slow reader would see requests for single blocks.
            let share = self.budget.share(most.div_ceil(2), most);
            if share.is_none() && !self.ranges.is_empty() {
                return;
            }
            let blocks = share.as_ref().map_or(LARGEST, Share::blocks);
            let end = (self.next / BLOCK + u64::from(blocks)) * BLOCK;
            self.begin(end.min(self.length), None, share);
        }
    }

    /// Whether there may be another range: a connection is free, and no more than one range has come
    /// whole before its turn. Where more have, it is not the connections that are waited for. One that
    /// is next always may begin: the task that was before it has done its work, if not ended.
    fn has_a_place(&self) -> bool {
        let connections = self.pace.connections();
        let is_free = self.tasks.len() < connections && self.ranges.len() <= connections;
        is_free || self.ranges.is_empty()
    }

    /// The blocks of a range, so that every connection can have one.
    fn largest(&self) -> u32 {
        let connections = u32::try_from(self.pace.connections()).unwrap_or(u32::MAX);
        let blocks = self.budget.blocks();
        (blocks / connections).min(blocks / SHARE).clamp(1, LARGEST)
    }

    /// Has a range fetched, up to `end`.
    fn begin(&mut self, end: u64, reply: Option<AssetBody>, share: Option<Share>) {
        let wanted = Wanted {
            start: self.next,
            end: Some(end),
            etag: Some(self.etag.clone()),
            length: Some(self.length),
        };
        let held = share.as_ref().map(Share::blocks);
        let held = held.and_then(|blocks| usize::try_from(blocks).ok());
        let (sender, blocks) = mpsc::channel(held.unwrap_or(WITHOUT_SHARE));
        self.ranges.push_back(Fetching {
            blocks,
            left: end - self.next,
            share,
        });
        self.next = end;
        let (origin, flow) = (self.origin.clone(), self.flow.clone());
        let gatherer = Gatherer::new(self.pool.clone(), wanted.start);
        let fetching = range::fetch(origin, wanted, reply, gatherer, flow, sender);
        self.tasks.spawn(fetching);
    }

    /// Tells how many connections there are, where that has changed.
    fn tell(&mut self) {
        let connections = self.pace.connections();
        if connections != self.told {
            self.told = connections;
            debug!(job = %self.origin.job, connections, at = self.next, "connections");
        }
    }
}

impl Fetching {
    fn handed(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        if let Some(share) = &mut self.share {
            let held = self.left.div_ceil(BLOCK);
            share.shrink(u32::try_from(held).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tulip_core::{Credentials, ResourceUrl};

    use super::*;
    use crate::asset::{self, Answer};
    use crate::{Client, Endpoint, Settings};

    const LENGTH: u64 = 2 * BLOCK;

    /// The head and the body of a reply with one block.
    fn block(start: u64) -> (http::response::Builder, Bytes) {
        let range = format!("bytes {start}-{}/{LENGTH}", start + BLOCK - 1);
        let head = http::Response::builder()
            .status(206)
            .header("etag", "\"tag\"")
            .header("content-range", range)
            .header("content-length", BLOCK);
        (head, vec![b'x'; BLOCK as usize].into())
    }

    /// Answers one request with the second block.
    async fn serve_second(listener: TcpListener) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(socket.read_u8().await.unwrap());
        }
        let (head, body) = block(BLOCK);
        let mut reply = b"HTTP/1.1 206 Partial Content\r\n".to_vec();
        for (name, value) in head.headers_ref().unwrap() {
            reply.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        reply.extend(b"\r\n");
        reply.extend(body);
        socket.write_all(&reply).await.unwrap();
    }

    /// An archive of two blocks on one connection, of which a reply brings the first.
    async fn ahead(server: &TcpListener) -> Ahead {
        let url = format!("http://{}", server.local_addr().unwrap());
        let credentials = Credentials::new("key", "secret").unwrap();
        let settings = Settings::new(url.parse().unwrap(), credentials);
        let client = Client::builder(settings).connections(NonZeroUsize::MIN);
        let client = client.build().unwrap();
        let resource = ResourceUrl::parse(&format!("{url}/a.csv")).unwrap();
        let endpoint = Endpoint::asset(&resource);
        let origin = Origin::new(client, "job1".parse().unwrap(), resource);
        let (head, body) = block(0);
        let reply = head.body(body).unwrap().into();
        let wanted = Wanted {
            end: Some(BLOCK),
            ..Wanted::WHOLE
        };
        let answer = asset::answer(reply, &endpoint, Duration::from_secs(60), &wanted).await;
        let Ok(Answer::Part(reply)) = answer else {
            panic!("{answer:?}");
        };
        Ahead::new(Arc::new(origin), reply, "\"tag\"".into(), LENGTH)
    }

    /// A task hands over its last block before it has ended, and on several threads that is seen.
    #[tokio::test]
    async fn what_is_left_is_fetched_though_the_only_connection_is_not_free_yet() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut ahead = ahead(&server).await;
        let serving = tokio::spawn(serve_second(server));
        ahead.tasks.spawn(std::future::pending());
        let mut bytes = 0;
        while let Some(block) = ahead.next().await.unwrap() {
            bytes += block.len() as u64;
        }
        assert_eq!(bytes, LENGTH);
        serving.await.unwrap();
    }
}
