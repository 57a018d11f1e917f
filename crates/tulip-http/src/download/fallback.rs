//! The fallback from ranges to the whole archive, if a host fails at ranges.

use crate::error::{Error, ErrorKind};

/// With failures that can pass, this many requests for a range must fail before one asks for the
/// whole, because a large archive would then come on one connection.
const PASSING: u32 = 3;

/// Firewalls, proxies and hosts refuse ranges in every possible way, including those that mean an
/// expired URL. So until something has come, requests for a range and for the whole alternate. A
/// resumed download would lose what it has, so it asks for the whole only if a range is refused.
#[derive(Debug)]
pub(super) struct RangeFallback {
    /// Whether some of the archive is there already.
    resumes: bool,
    /// Whether the next request is for the whole.
    whole: bool,
    /// How many requests for a range have failed.
    failures: u32,
    /// Whether the whole has been asked for.
    tried: bool,
}

/// What a failure can say about ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    /// The method or the header is refused.
    Ranges,
    /// The request is refused, because of its range or its URL.
    Request,
    /// It may pass.
    Passing,
    /// It has nothing to do with the request.
    None,
}

impl RangeFallback {
    pub(super) fn new(resumes: bool) -> Self {
        Self {
            resumes,
            whole: false,
            failures: 0,
            tried: false,
        }
    }

    /// Whether to ask for the whole now.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Records the failure of a request, for a range or not. Returns whether to ask for the whole
    /// at once, instead of handling the failure as usual.
    pub(super) fn failed(&mut self, ranged: bool, error: &Error) -> bool {
        if !ranged {
            self.whole = false;
            return false;
        }
        self.failures += 1;
        let needed = match (suspicion(error), self.resumes) {
            (Suspicion::None, _) | (Suspicion::Passing, true) => return false,
            (Suspicion::Passing, false) => PASSING,
            // A fresh URL is tried first.
            (Suspicion::Request, true) => 2,
            (Suspicion::Ranges, _) | (Suspicion::Request, false) => 1,
        };
        self.whole = self.failures >= needed;
        let is_first = self.whole && !self.tried;
        self.tried |= self.whole;
        is_first && suspicion(error) != Suspicion::Passing
    }

    /// Whether to ask for the whole before giving up because of `error`.
    pub(super) fn is_last_resort(&mut self, ranged: bool, error: &Error) -> bool {
        // If the host asks for a wait, the request for the whole would wait as long.
        let is_suspect = suspicion(error) != Suspicion::None && error.retry_after().is_none();
        let is_due = ranged && !self.tried && !self.resumes && is_suspect;
        self.whole |= is_due;
        self.tried |= is_due;
        is_due
    }
}

fn suspicion(error: &Error) -> Suspicion {
    match error.kind() {
        _ if !error.is_asset() => Suspicion::None,
        ErrorKind::UnexpectedStatus => Suspicion::Ranges,
        ErrorKind::Server if error.status() == Some(501) => Suspicion::Ranges,
        ErrorKind::AssetRefused
        | ErrorKind::NotFound
        | ErrorKind::InvalidReply
        | ErrorKind::AssetChanged => Suspicion::Request,
        ErrorKind::NotAnArchive if !error.is_retryable() => Suspicion::Request,
        ErrorKind::NotAnArchive
        | ErrorKind::Server
        | ErrorKind::RateLimited
        | ErrorKind::Timeout
        | ErrorKind::ConnectionLost => Suspicion::Passing,
        _ => Suspicion::None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::ScriptedHost;
    use super::*;
    use crate::download::Checkpoint;
    use crate::download::request::RangeRequest;

    const CSV: &str = "State\nDown\n";

    fn status(status: u16) -> http::Response<reqwest::Body> {
        let body = reqwest::Body::from("no");
        http::Response::builder().status(status).body(body).unwrap()
    }

    fn whole() -> http::Response<reqwest::Body> {
        http::Response::new(CSV.into())
    }

    /// A body that breaks before its first byte.
    fn broken() -> http::Response<reqwest::Body> {
        let broken = std::io::Error::other("reset");
        let body = one_frame(Err(broken));
        http::Response::builder()
            .header("content-length", "11")
            .body(body)
            .unwrap()
    }

    fn one_frame(item: std::io::Result<bytes::Bytes>) -> reqwest::Body {
        reqwest::Body::wrap(OneFrame(Some(item)))
    }

    struct OneFrame(Option<std::io::Result<bytes::Bytes>>);

    impl http_body::Body for OneFrame {
        type Data = bytes::Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<std::io::Result<http_body::Frame<bytes::Bytes>>>> {
            let item = self.0.take();
            std::task::Poll::Ready(item.map(|item| item.map(http_body::Frame::data)))
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(11)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_refuses_ranges_in_any_way_is_asked_for_the_whole() {
        for refused in [
            400, 401, 403, 404, 405, 406, 410, 412, 416, 429, 500, 501, 503,
        ] {
            let host = move |_, request: &RangeRequest| match request.range() {
                Some(_) => status(refused),
                None => whole(),
            };
            let (bytes, asked, failed) = ScriptedHost::download(host).await;
            assert!(failed.is_none(), "{refused}: {failed:?}");
            assert_eq!(bytes, CSV.as_bytes());
            let expected = if matches!(refused, 429 | 500 | 503) {
                4
            } else {
                2
            };
            assert_eq!(asked.len(), expected, "{refused}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_breaks_every_range_is_asked_for_the_whole() {
        let host = |_, request: &RangeRequest| match request.range() {
            Some(_) => broken(),
            None => whole(),
        };
        let (bytes, asked, failed) = ScriptedHost::download(host).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!((bytes.as_slice(), asked.len()), (CSV.as_bytes(), 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_passes_keeps_the_ranges() {
        let host = |number, _: &RangeRequest| match number {
            1 | 2 => status(503),
            _ => whole(),
        };
        let (_, asked, failed) = ScriptedHost::download(host).await;
        assert!(failed.is_none(), "{failed:?}");
        assert!(asked.iter().all(|request| request.range().is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_url_that_is_refused_for_good_takes_few_requests() {
        for (refused, kind) in [
            (403, ErrorKind::AssetRefused),
            (404, ErrorKind::NotFound),
            (405, ErrorKind::UnexpectedStatus),
            (503, ErrorKind::Server),
        ] {
            let (_, asked, failed) = ScriptedHost::download(move |_, _| status(refused)).await;
            let error = failed.unwrap();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(asked.len() <= 8, "{refused}: {}", asked.len());
            assert!(asked.iter().any(|request| request.range().is_none()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_already_is_not_lost_over_a_failure_that_passes() {
        let checkpoint = || {
            Some(Checkpoint {
                bytes: 6,
                etag: "\"a\"".to_owned(),
                length: Some(11),
            })
        };
        let host = |number, _: &RangeRequest| match number {
            1..=4 => status(503),
            _ => http::Response::builder()
                .status(206)
                .header("etag", "\"a\"")
                .header("content-range", "bytes 6-10/11")
                .body("Down\n".into())
                .unwrap(),
        };
        let (bytes, asked, failed) = ScriptedHost::resume(host, checkpoint()).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!((bytes.as_slice(), asked.len()), (b"Down\n".as_slice(), 5));
        assert!(asked.iter().all(|request| request.start == 6));
        // If ranges are refused for good, the whole is better than nothing.
        for refused in [403, 405] {
            let host = move |_, request: &RangeRequest| match request.range() {
                Some(_) => status(refused),
                None => whole(),
            };
            let (bytes, asked, failed) = ScriptedHost::resume(host, checkpoint()).await;
            assert!(failed.is_none(), "{failed:?}");
            assert_eq!(bytes, CSV.as_bytes());
            assert!(asked.len() <= 3, "{}", asked.len());
        }
    }
}
