//! What the emulator was asked, for tests to look at.

use std::collections::{HashMap, VecDeque};

use tulip_core::JobId;

use crate::fault::Endpoint;

/// How many requests of each host are kept; the counts go on.
const KEPT: usize = 10_000;

/// A request to the API. Its secret is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiRequest {
    /// What it was for; `None` when there is no such path or method.
    pub endpoint: Option<Endpoint>,
    /// The method.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The status of the reply; `None` when the connection was closed without one.
    pub status: Option<u16>,
    /// Whether an `Authorization` header was there.
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
    /// The job whose archive was asked for; `None` when the path names none.
    pub job: Option<JobId>,
    /// The status of the reply; `None` when the connection was closed without one.
    pub status: Option<u16>,
    /// Whether an `Authorization` header was there.
    pub authorization: bool,
    /// Whether a `Cookie` header was there.
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
}

/// What the emulator was asked until now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// The newest requests to the API, oldest first, 10,000 at most.
    pub api: Vec<ApiRequest>,
    /// The newest requests to the asset host, oldest first, 10,000 at most.
    pub asset: Vec<AssetRequest>,
    /// Bytes of bodies that the asset host has handed to its connections.
    pub asset_bytes: u64,
    counts: HashMap<Endpoint, usize>,
}

impl Requests {
    /// How many requests there were for `endpoint`, refused and failed ones among them.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.counts.get(&endpoint).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    api: VecDeque<ApiRequest>,
    asset: VecDeque<AssetRequest>,
    counts: HashMap<Endpoint, usize>,
}

impl Log {
    pub(crate) fn api(&mut self, request: ApiRequest) {
        if let Some(endpoint) = request.endpoint {
            self.count(endpoint);
        }
        keep(&mut self.api, request);
    }

    pub(crate) fn asset(&mut self, request: AssetRequest) {
        self.count(Endpoint::Asset);
        keep(&mut self.asset, request);
    }

    fn count(&mut self, endpoint: Endpoint) {
        *self.counts.entry(endpoint).or_default() += 1;
    }

    pub(crate) fn requests(&self, asset_bytes: u64) -> Requests {
        Requests {
            api: self.api.iter().cloned().collect(),
            asset: self.asset.iter().cloned().collect(),
            asset_bytes,
            counts: self.counts.clone(),
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
                status: Some(200),
                authorization: true,
                user_agent: None,
                accept: None,
            });
        }
        let requests = log.requests(0);
        assert_eq!(requests.count(Endpoint::Status), KEPT + 1);
        assert_eq!(requests.count(Endpoint::Asset), 0);
        assert_eq!(
            (requests.api.len(), requests.api[0].path.as_str()),
            (KEPT, "1")
        );
    }
}
