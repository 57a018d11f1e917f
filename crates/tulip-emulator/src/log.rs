//! A log of the requests, for tests to inspect.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tulip_core::{JobId, MachineId};

use crate::fault::Endpoint;

/// How many requests to each host are kept; the counts include older ones.
const KEPT: usize = 10_000;

/// A request to the API. Its secret is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiRequest {
    /// The endpoint; `None` if there is no such path or method.
    pub endpoint: Option<Endpoint>,
    /// The method.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The machine in the path of a start.
    pub machine: Option<MachineId>,
    /// The job in the path of a status call.
    pub job: Option<JobId>,
    /// The status of the reply; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
}

/// A request to the asset host. Its query, which holds the signature, is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssetRequest {
    /// The method.
    pub method: String,
    /// The job whose archive was requested; `None` if the path names none.
    pub job: Option<JobId>,
    /// The status of the reply; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// Whether there was a `Cookie` header.
    pub cookie: bool,
    /// `Range`.
    pub range: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Referer`.
    pub referer: Option<String>,
    /// Bytes of the archive that have been handed to the connection.
    pub bytes: u64,
}

/// The requests for one job, including refused and failed ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobRequests {
    /// Status calls.
    pub status: usize,
    /// Requests for its archive.
    pub asset: usize,
    /// Bytes of its archive that have been handed to connections.
    pub asset_bytes: u64,
}

/// The requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// The newest requests to the API, at most 10,000, oldest first.
    pub api: Vec<ApiRequest>,
    /// The newest requests to the asset host, at most 10,000, oldest first.
    pub asset: Vec<AssetRequest>,
    /// Bytes of archives that the asset host has handed to its connections.
    pub asset_bytes: u64,
    /// When each start request was answered, including refused ones.
    pub start_times: Vec<Instant>,
    counts: HashMap<Endpoint, usize>,
    starts: HashMap<MachineId, usize>,
    jobs: HashMap<JobId, JobRequests>,
}

impl Requests {
    /// The number of requests to `endpoint`, including refused and failed ones.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }

    /// The number of jobs that calls have started for `machine`, whether or not the replies
    /// arrived.
    #[must_use]
    pub fn starts(&self, machine: &MachineId) -> usize {
        self.starts.get(machine).copied().unwrap_or(0)
    }

    /// The requests for `job`; all zero if there is no such job.
    #[must_use]
    pub fn of_job(&self, job: &JobId) -> JobRequests {
        self.jobs.get(job).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    api: VecDeque<ApiRequest>,
    asset: VecDeque<(AssetRequest, Arc<AtomicU64>)>,
    start_times: Vec<Instant>,
    counts: HashMap<Endpoint, usize>,
    starts: HashMap<MachineId, usize>,
}

impl Log {
    pub(crate) fn api(&mut self, request: ApiRequest) {
        if let Some(endpoint) = request.endpoint {
            self.count(endpoint);
        }
        if request.endpoint == Some(Endpoint::Start) {
            self.start_times.push(Instant::now());
        }
        keep(&mut self.api, request);
    }

    /// Logs a request; `bytes` counts the bytes sent.
    pub(crate) fn asset(&mut self, request: AssetRequest, bytes: Arc<AtomicU64>) {
        self.count(Endpoint::Asset);
        keep(&mut self.asset, (request, bytes));
    }

    pub(crate) fn start(&mut self, machine: &MachineId) {
        *self.starts.entry(machine.clone()).or_default() += 1;
    }

    fn count(&mut self, endpoint: Endpoint) {
        *self.counts.entry(endpoint).or_default() += 1;
    }

    pub(crate) fn requests(&self, asset_bytes: u64, jobs: HashMap<JobId, JobRequests>) -> Requests {
        let asset = self.asset.iter().map(|(request, sent)| AssetRequest {
            bytes: sent.load(Ordering::Relaxed),
            ..request.clone()
        });
        Requests {
            api: self.api.iter().cloned().collect(),
            asset: asset.collect(),
            asset_bytes,
            start_times: self.start_times.clone(),
            counts: self.counts.clone(),
            starts: self.starts.clone(),
            jobs,
        }
    }

    pub(crate) fn count_of(&self, endpoint: Endpoint) -> usize {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }
}

fn keep<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == KEPT {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_requests_are_forgotten_but_counted() {
        let mut log = Log::default();
        for nth in 0..=KEPT {
            log.api(ApiRequest {
                endpoint: Some(Endpoint::Status),
                method: "GET".to_owned(),
                path: nth.to_string(),
                machine: None,
                job: None,
                status: Some(200),
                authorization: true,
                user_agent: None,
                accept: None,
            });
        }
        let requests = log.requests(0, HashMap::new());
        assert_eq!(requests.count(Endpoint::Status), KEPT + 1);
        assert_eq!(requests.count(Endpoint::Asset), 0);
        assert_eq!(
            (requests.api.len(), requests.api[0].path.as_str()),
            (KEPT, "1")
        );
    }
}
