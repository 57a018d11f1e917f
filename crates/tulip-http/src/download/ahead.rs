//! Ranges of an archive that are fetched at the same time and handed over in order.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::debug;

use crate::asset::{AssetBody, Wanted};
use crate::download::block::{BLOCK, Gatherer, Pool};
use crate::download::budget::{Budget, Splitting};
use crate::download::flow::Flow;
use crate::download::origin::Origin;
use crate::download::pace::Pace;
use crate::download::range::{self, Ended, Held, Room};
use crate::error::ErrorKind;

/// A range has no more blocks than this: a larger one would not make the requests cheaper.
const LARGEST: u32 = 8;

/// Nor more than this part of the budget, which leaves one to each of so many connections. Where larger
/// ones would be faster, because the host takes long to answer, more connections are as well.
const SHARE: u32 = 16;

/// A block that waits while another is being filled is all that is held of what is handed over as it comes:
/// one request for all that is left, and the first reply.
const AS_IT_COMES: usize = 1;

/// An archive on several connections.
///
/// What may lie here is bounded by the client's [`Budget`], of which every range takes its share
/// when it is answered; until then it holds nothing. The first one in the row needs none, so that those behind
/// can never keep it from its end.
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
    blocks: Receiver<Result<Held, Ended>>,
    /// Tells the task that it is first in the row.
    turn: Arc<Notify>,
    task: AbortHandle,
    /// What of the range has not been handed over.
    left: u64,
    extent: Extent,
}

impl Ahead {
    /// Begins with a reply that brings the first range of an archive of `length` bytes.
    pub(super) fn new(origin: Arc<Origin>, reply: AssetBody, etag: String, length: u64) -> Self {
        let splitting = origin.client().splitting();
        let mut ahead = Self {
            pace: Pace::new(splitting.connections, reach(splitting), Instant::now()),
            flow: Arc::new(Flow::new()),
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
        ahead.begin(end, Extent::Range, Some(reply), None);
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
                    Some(Ok(Held { bytes: block, .. })) => {
                        first.left = first.left.saturating_sub(block.len() as u64);
                        let now = Instant::now();
                        self.pace.handed(self.flow.brought(), now - asked, now);
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
            if self.pace.is_alone() {
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

    /// Whether there may be another range: a connection is free, and no more than one range has come
    /// whole before its turn. Where more have, it is not the connections that are waited for. One that
    /// is next always may begin: the task that was before it has done its work, if not ended.
    fn has_a_place(&self) -> bool {
        let connections = self.connections();
        let is_free = self.tasks.len() < connections && self.ranges.len() <= connections;
        is_free || self.ranges.is_empty()
    }

    fn connections(&self) -> usize {
        match self.pace.is_alone() {
            true => 1,
            false => self.pace.connections(),
        }
    }

    /// The blocks of a range, so that every connection can have one.
    fn largest(&self) -> u32 {
        largest(self.budget.blocks(), self.pace.connections())
    }

    /// Has a range fetched, up to `end`, of which so many blocks wait for their turn, or none.
    fn begin(&mut self, end: u64, extent: Extent, reply: Option<AssetBody>, held: Option<u32>) {
        let wanted = Wanted {
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
        let room = held.map(|blocks| Room {
            budget: self.budget.clone(),
            blocks,
            turn: turn.clone(),
        });
        let (origin, flow) = (self.origin.clone(), self.flow.clone());
        let gatherer = Gatherer::new(self.pool.clone(), wanted.start);
        let fetching = range::fetch(origin, wanted, reply, gatherer, flow, room, sender);
        self.ranges.push_back(Fetching {
            blocks,
            turn,
            task: self.tasks.spawn(fetching),
            left: end - self.next,
            extent,
        });
        self.next = end;
    }

    /// Ends the request for all that is left where there are to be several instead. No range can be behind it.
    fn cut(&mut self) {
        let rest = self.ranges.back_mut();
        if let Some(rest) = rest.filter(|range| range.extent == Extent::Rest)
            && !self.pace.is_alone()
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
            debug!(job = %self.origin.job, connections, at, "connections");
        }
    }
}

/// The blocks of a range, so that every connection can have one.
fn largest(budget: u32, connections: usize) -> u32 {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    (budget / connections).min(budget / SHARE).clamp(1, LARGEST)
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
    use std::num::NonZeroUsize;
    use std::ops::Range;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;
    use tulip_core::{Credentials, ResourceUrl};

    use super::*;
    use crate::asset::{self, Answer};
    use crate::{Client, Endpoint, Settings};

    /// The bytes of an archive at a place, of which no two blocks are the same.
    fn archive(range: Range<u64>) -> Vec<u8> {
        range.map(|at| (at % 251 + at / BLOCK) as u8).collect()
    }

    fn head(range: &Range<u64>, length: u64) -> http::response::Builder {
        let content = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        http::Response::builder()
            .status(206)
            .header("etag", "\"tag\"")
            .header("content-range", content)
            .header("content-length", range.end - range.start)
    }

    /// Answers requests for ranges of an archive of `length` bytes.
    struct Server {
        listener: TcpListener,
        length: u64,
        /// Answers nothing before it was asked so often.
        patient: usize,
        asked: Mutex<Vec<Range<u64>>>,
        was_asked: Notify,
    }

    impl Server {
        async fn new(length: u64, patient: usize) -> Arc<Self> {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Arc::new(Self {
                listener,
                length,
                patient,
                asked: Mutex::default(),
                was_asked: Notify::new(),
            })
        }

        async fn asked_often_enough(&self) {
            loop {
                let again = self.was_asked.notified();
                if self.asked().len() >= self.patient {
                    return;
                }
                again.await;
            }
        }

        async fn run(self: Arc<Self>) {
            loop {
                let (socket, _) = self.listener.accept().await.unwrap();
                let server = self.clone();
                tokio::spawn(async move { server.serve(socket).await });
            }
        }

        /// Until the client has enough.
        async fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
            loop {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await?);
                }
                let request = String::from_utf8(request).unwrap();
                let (_, range) = request.split_once("range: bytes=").unwrap();
                let (start, end) = range.lines().next().unwrap().split_once('-').unwrap();
                let range = start.parse().unwrap()..end.parse::<u64>().unwrap() + 1;
                self.asked.lock().unwrap().push(range.clone());
                self.was_asked.notify_waiters();
                self.asked_often_enough().await;
                let mut reply = b"HTTP/1.1 206 Partial Content\r\n".to_vec();
                let head = head(&range, self.length);
                for (name, value) in head.headers_ref().unwrap() {
                    let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
                    reply.extend(line.concat());
                }
                reply.extend(b"\r\n");
                reply.extend(archive(range));
                socket.write_all(&reply).await?;
            }
        }

        fn asked(&self) -> Vec<Range<u64>> {
            self.asked.lock().unwrap().clone()
        }

        /// A download on so many connections, of which a reply brings the first block.
        async fn ahead(&self, connections: usize, read_ahead: u64) -> Ahead {
            let url = format!("http://{}", self.listener.local_addr().unwrap());
            let credentials = Credentials::new("key", "secret").unwrap();
            let settings = Settings::new(url.parse().unwrap(), credentials);
            let connections = NonZeroUsize::new(connections).unwrap();
            let client = Client::builder(settings).connections(connections);
            let client = client.read_ahead(read_ahead).build().unwrap();
            let resource = ResourceUrl::parse(&format!("{url}/a.csv")).unwrap();
            let endpoint = Endpoint::asset(&resource);
            let origin = Origin::new(client, "job1".parse().unwrap(), resource);
            let body = Bytes::from(archive(0..BLOCK));
            let reply = head(&(0..BLOCK), self.length).body(body).unwrap().into();
            let wanted = Wanted {
                end: Some(BLOCK),
                ..Wanted::WHOLE
            };
            let answer = asset::answer(reply, &endpoint, Duration::from_secs(60), &wanted).await;
            let Ok(Answer::Part(reply)) = answer else {
                panic!("{answer:?}");
            };
            Ahead::new(Arc::new(origin), reply, "\"tag\"".into(), self.length)
        }
    }

    /// Has the pace see so many rounds from `now` on, each with so many bytes. What there really is before
    /// they are over takes no time.
    fn see(ahead: &mut Ahead, now: &mut Instant, rounds: u32, bytes: usize, took: Duration) {
        for _ in 0..rounds {
            *now += took;
            ahead.flow.add(bytes, took);
            ahead.pace.handed(ahead.flow.brought(), took, *now);
        }
    }

    /// A task hands over its last block before it has ended, and on several threads that is seen.
    #[tokio::test]
    async fn what_is_left_is_fetched_though_the_only_connection_is_not_free_yet() {
        let server = Server::new(2 * BLOCK, 1).await;
        let mut ahead = server.ahead(1, 16 * BLOCK).await;
        let serving = tokio::spawn(server.clone().run());
        ahead.tasks.spawn(std::future::pending());
        let mut bytes = 0;
        while let Some(block) = ahead.next().await.unwrap() {
            bytes += block.len() as u64;
        }
        assert_eq!(bytes, server.length);
        serving.abort();
    }

    #[tokio::test]
    async fn while_nothing_is_answered_more_is_asked_for_than_may_be_held() {
        let server = Server::new(64 * BLOCK, 8).await;
        let mut ahead = server.ahead(8, 2 * BLOCK).await;
        let serving = tokio::spawn(server.clone().run());
        let mut now = Instant::now();
        while ahead.pace.connections() < 8 {
            let bytes = ahead.pace.connections() << 30;
            see(&mut ahead, &mut now, 1, bytes, Duration::from_secs(1));
        }
        let mut bytes = Vec::new();
        // Otherwise nothing would ever be answered.
        let limit = Duration::from_secs(60);
        while let Some(block) = timeout(limit, ahead.next()).await.unwrap().unwrap() {
            bytes.extend_from_slice(&block);
        }
        assert!(bytes == archive(0..server.length));
        serving.abort();
    }

    #[tokio::test]
    async fn one_request_for_all_that_is_left_can_be_cut_and_what_follows_comes_in_ranges() {
        let server = Server::new(96 * BLOCK + 5, 1).await;
        let mut ahead = server.ahead(2, 16 * BLOCK).await;
        let serving = tokio::spawn(server.clone().run());
        let mut now = Instant::now();
        let mut bytes = Vec::new();
        while let Some(block) = ahead.next().await.unwrap() {
            bytes.extend_from_slice(&block);
            match bytes.len() as u64 / BLOCK {
                8 => {
                    // Next to nothing may be asked for at once.
                    ahead.pace = Pace::new(2, 1000, now);
                    see(&mut ahead, &mut now, 4, 1 << 40, Duration::from_secs(1));
                    assert!(ahead.pace.is_alone());
                }
                32 => {
                    see(&mut ahead, &mut now, 200, 1, Duration::from_secs(10));
                    assert!(!ahead.pace.is_alone());
                }
                _ => {}
            }
        }
        assert!(bytes == archive(0..server.length));
        let asked = server.asked();
        let rest = asked.iter().position(|range| range.end == server.length);
        let (before, behind) = asked.split_at(rest.unwrap());
        assert!(
            before.iter().all(|range| range.end <= 16 * BLOCK),
            "{before:?}"
        );
        assert!(behind.len() > 16, "{behind:?}");
        let longest = behind[1..].iter().map(|range| range.end - range.start);
        assert!(longest.max() <= Some(BLOCK), "{behind:?}");
        serving.abort();
    }
}
