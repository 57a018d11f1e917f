//! Downloads from simulated hosts on paused time: how long they take, compared with an ideal
//! client.
//!
//! Time passes only while everything waits, so the figures are the same on every machine. They
//! cover the decisions of the concurrency controller, not the processor time of the bytes.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};
use tulip_core::ResourceUrl;

use super::request::RangeRequest;
use super::response::RangeResponse;
use super::source::{DownloadOptions, RangeFetcher};
use super::testing::{NoOther, archive, checked, job, options, url};
use super::{Download, Piece};
use crate::error::Error;
use crate::transport::RateLimitGates;

const MIB: u64 = 1024 * 1024;

/// The defaults of a client.
const CONNECTIONS: usize = 32;
const READ_AHEAD: u64 = 16 * MIB;

/// How many bytes a body delivers at once.
const CHUNK: usize = 64 * 1024;

/// How far a sender may lag behind its rate and still catch up, as if it had buffers: the timers of
/// paused time have a resolution of one millisecond.
const SLACK: Duration = Duration::from_millis(2);

/// A host and the way to it. Rates are bytes per second.
#[derive(Debug, Clone, Copy)]
struct Host {
    /// From a request to its answer.
    latency: Duration,
    /// The rate of all connections together.
    line: f64,
    /// The rate of each connection after the first `burst` bytes of a reply.
    each: f64,
    burst: u64,
    /// More concurrent requests than this are answered with status 429.
    most: usize,
}

/// Fast and near: one connection fills the line.
const NEAR: Host = Host {
    latency: Duration::from_millis(1),
    line: 1200e6,
    each: f64::INFINITY,
    burst: 0,
    most: usize::MAX,
};

impl Host {
    /// Returns the shortest time in which `bytes` can arrive.
    fn ideal(self, bytes: u64) -> Duration {
        let connections = self.most.min(CONNECTIONS) as f64;
        let rate = self.line.min(self.each * connections);
        self.latency + Duration::from_secs_f64(bytes as f64 / rate)
    }
}

struct Simulation {
    host: Host,
    length: u64,
    chunk: Bytes,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the line will have sent everything queued so far.
    line_free: Option<Instant>,
    refused: usize,
    /// Requests that are not over.
    open: usize,
    most_open: usize,
}

/// The answer to one request.
struct Reply {
    simulation: Arc<Simulation>,
    left: u64,
    sent: u64,
    /// When this connection will have sent everything queued so far.
    free: Instant,
    /// Lasts until the next chunk is there.
    wait: Option<Pin<Box<Sleep>>>,
}

impl Reply {
    /// Returns when the next `bytes` will have arrived.
    fn due(&mut self, bytes: u64) -> Instant {
        let host = self.simulation.host;
        let earliest = Instant::now() - SLACK;
        let each = match self.sent < host.burst {
            true => f64::INFINITY,
            false => host.each,
        };
        self.free = self.free.max(earliest) + Duration::from_secs_f64(bytes as f64 / each);
        let mut state = self.simulation.state.lock().unwrap();
        let line = state.line_free.unwrap_or(earliest).max(earliest);
        let line = line + Duration::from_secs_f64(bytes as f64 / host.line);
        state.line_free = Some(line);
        self.free.max(line)
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let bytes = self.left.min(CHUNK as u64);
        if bytes == 0 {
            return Poll::Ready(None);
        }
        if self.wait.is_none() {
            let due = self.due(bytes);
            self.wait = Some(Box::pin(tokio::time::sleep_until(due)));
        }
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(cx));
        }
        self.wait = None;
        self.left -= bytes;
        self.sent += bytes;
        let chunk = self.simulation.chunk.slice(..bytes as usize);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.simulation.state.lock().unwrap().open -= 1;
    }
}

struct SimulatedFetcher {
    simulation: Arc<Simulation>,
    gates: Arc<RateLimitGates>,
}

#[async_trait]
impl RangeFetcher for SimulatedFetcher {
    async fn fetch(
        &self,
        url: &ResourceUrl,
        request: &RangeRequest,
    ) -> Result<RangeResponse, Error> {
        self.gates.of(url.authority()).pass().await;
        let simulation = &self.simulation;
        let is_refused = {
            let mut state = simulation.state.lock().unwrap();
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
            let is_refused = state.open > simulation.host.most;
            state.refused += usize::from(is_refused);
            is_refused
        };
        let end = request.end_within(simulation.length);
        let reply = Reply {
            simulation: simulation.clone(),
            left: end - request.start,
            sent: 0,
            free: Instant::now() + simulation.host.latency,
            wait: None,
        };
        tokio::time::sleep(simulation.host.latency).await;
        let head = http::Response::builder();
        let response = if is_refused {
            head.status(429).body("".into()).unwrap()
        } else {
            let content = format!("bytes {}-{}/{}", request.start, end - 1, simulation.length);
            let head = head.status(206).header("etag", "\"tag\"");
            let head = head.header("content-range", content);
            head.body(reqwest::Body::wrap(reply)).unwrap()
        };
        checked(response.into(), request).await
    }
}

/// The outcome of a download.
#[derive(Debug)]
struct Outcome {
    took: Duration,
    refused: usize,
    most_open: usize,
    /// Requests that were open when each quarter had arrived.
    open: Vec<usize>,
}

/// Downloads `length` bytes for a reader that takes `reader` bytes per second.
async fn download(host: Host, length: u64, reader: f64) -> Outcome {
    // The waits between attempts are random.
    fastrand::seed(1);
    let simulation = Arc::new(Simulation {
        host,
        length,
        chunk: archive(0..CHUNK as u64).into(),
        state: Mutex::default(),
    });
    let gates = Arc::new(RateLimitGates::default());
    let fetcher = SimulatedFetcher {
        simulation: simulation.clone(),
        gates: gates.clone(),
    };
    let options = DownloadOptions {
        gates,
        ..options(fetcher, CONNECTIONS, READ_AHEAD)
    };
    let began = Instant::now();
    let opened = Download::open(options, job(), url(), Box::new(NoOther), None);
    let mut download = opened.await.unwrap();
    let (mut bytes, mut open, mut free) = (0, Vec::new(), began);
    while let Some(piece) = download.next().await.unwrap() {
        let Piece::Bytes(piece) = piece else {
            panic!("{piece:?}");
        };
        bytes += piece.len() as u64;
        while bytes * 4 > length * (open.len() as u64 + 1) {
            open.push(simulation.state.lock().unwrap().open);
        }
        let earliest = Instant::now() - SLACK;
        free = free.max(earliest) + Duration::from_secs_f64(piece.len() as f64 / reader);
        tokio::time::sleep_until(free).await;
    }
    assert_eq!(bytes, length);
    let state = simulation.state.lock().unwrap();
    Outcome {
        took: began.elapsed(),
        refused: state.refused,
        most_open: state.most_open,
        open,
    }
}

const FAST_READER: f64 = f64::INFINITY;

/// Downloads this many MiB, in at most this many times the time of an ideal client.
async fn takes_at_most(limits: [(u64, f64); 2], host: Host, reader: f64) -> Outcome {
    let [small, large] = limits.map(|(mib, limit)| (mib * MIB, limit));
    check(small, host, reader).await;
    check(large, host, reader).await
}

async fn check((length, limit): (u64, f64), host: Host, reader: f64) -> Outcome {
    let outcome = download(host, length, reader).await;
    let ideal = host
        .ideal(length)
        .max(Duration::from_secs_f64(length as f64 / reader));
    let times = outcome.took.as_secs_f64() / ideal.as_secs_f64();
    println!(
        "{} MiB: {times:.2} times the shortest, {outcome:?}",
        length / MIB
    );
    assert!(times < limit, "{times}: {outcome:?}");
    outcome
}

#[tokio::test(start_paused = true)]
async fn a_near_host_is_read_as_fast_as_its_line() {
    takes_at_most([(64, 1.05), (1024, 1.1)], NEAR, FAST_READER).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_waits_for_nothing_and_needs_one_connection() {
    let outcome = takes_at_most([(64, 1.05), (1024, 1.05)], NEAR, 200e6).await;
    assert!(outcome.open.iter().all(|open| *open <= 1), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_is_full() {
    let host = Host {
        latency: Duration::from_millis(20),
        line: 100e6,
        ..NEAR
    };
    takes_at_most([(256, 1.3), (1024, 1.15)], host, FAST_READER).await;
}

/// nginx's `limit_rate`: the first second of a reply is not limited.
#[tokio::test(start_paused = true)]
async fn a_host_that_limits_long_replies_is_read_as_fast_as_its_line() {
    let host = Host {
        each: 90e6,
        burst: 90_000_000,
        ..NEAR
    };
    takes_at_most([(64, 1.05), (1024, 1.25)], host, FAST_READER).await;
}

const LIMITED: Host = Host {
    line: 3000e6,
    each: 90e6,
    ..NEAR
};

#[tokio::test(start_paused = true)]
async fn a_host_that_limits_connections_gets_as_many_as_there_may_be() {
    let outcome = takes_at_most([(256, 4.3), (1024, 2.7)], LIMITED, FAST_READER).await;
    assert_eq!(outcome.most_open, CONNECTIONS);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_slow_to_answer_is_not_waited_for_range_by_range() {
    for (milliseconds, limits) in [
        (30, [(256, 3.0), (1024, 2.1)]),
        (8, [(256, 1.9), (1024, 1.6)]),
    ] {
        let host = Host {
            latency: Duration::from_millis(milliseconds),
            ..NEAR
        };
        takes_at_most(limits, host, FAST_READER).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_slow_to_answer_and_limits_connections_gets_many() {
    let host = Host {
        latency: Duration::from_millis(30),
        ..LIMITED
    };
    takes_at_most([(256, 6.8), (1024, 5.5)], host, FAST_READER).await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_refuses_many_requests_at_once_is_asked_for_fewer() {
    for (most, limits) in [
        (4, [(256, 4.5), (1024, 2.7)]),
        (12, [(256, 5.5), (1024, 3.7)]),
    ] {
        let host = Host {
            latency: Duration::from_millis(10),
            most,
            ..LIMITED
        };
        let outcome = takes_at_most(limits, host, FAST_READER).await;
        assert!((1..25).contains(&outcome.refused), "{outcome:?}");
    }
}
