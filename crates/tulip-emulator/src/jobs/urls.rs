//! The signed URLs of a job, and how long each one works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::script::AssetScript;

/// The number of bytes that may still be sent, shared by all senders.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes the bytes that are left, but at most `max`.
    pub(crate) fn take(&self, max: u64) -> u64 {
        let take = |left: u64| Some(left - left.min(max));
        let left = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        left.unwrap_or_else(|left| left).min(max)
    }

    /// Gives back bytes that were taken but not sent.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Lowers the budget to `bytes` if it is higher.
    pub(crate) fn shrink(&self, bytes: u64) {
        self.0.fetch_min(bytes, Ordering::AcqRel);
    }

    fn is_spent(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

#[derive(Debug)]
struct Url {
    requests: u32,
    budget: Budget,
}

/// What a request to a URL gets.
#[derive(Debug, Clone)]
pub(crate) enum Visit {
    /// The archive, as far as the budget goes.
    Open(Budget),
    /// A 404: the object is not visible yet.
    NotFound,
    /// A refusal: the URL no longer works.
    Expired,
}

/// The URLs of a job, by number.
#[derive(Debug, Default)]
pub(crate) struct Urls {
    list: Vec<Url>,
    /// URLs below this number have been made to expire.
    first_valid: usize,
}

impl Urls {
    /// Adds a URL and returns its number.
    pub(crate) fn sign(&mut self, script: &AssetScript) -> usize {
        self.list.push(Url {
            requests: 0,
            budget: Budget::new(script.url_bytes.unwrap_or(u64::MAX)),
        });
        self.list.len() - 1
    }

    pub(crate) fn expire(&mut self) {
        self.first_valid = self.list.len();
    }

    /// Counts a request to URL `number` and returns what it gets.
    pub(crate) fn visit(&mut self, number: usize, script: &AssetScript) -> Visit {
        let first_valid = self.first_valid.max(script.revoked_urls);
        let Some(url) = self.list.get_mut(number) else {
            return Visit::Expired;
        };
        url.requests = url.requests.saturating_add(1);
        let works = number >= first_valid
            && url.requests <= script.url_requests.unwrap_or(u32::MAX)
            && !url.budget.is_spent();
        match works {
            true if url.requests <= script.url_not_found => Visit::NotFound,
            true => Visit::Open(url.budget.clone()),
            false => Visit::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::JobScript;

    fn visit(urls: &mut Urls, number: usize, script: &AssetScript) -> Option<Budget> {
        match urls.visit(number, script) {
            Visit::Open(budget) => Some(budget),
            Visit::NotFound | Visit::Expired => None,
        }
    }

    #[test]
    fn nothing_is_found_at_a_new_url_until_it_was_asked_for_often_enough() {
        let script = JobScript::new().url_not_found(2).asset;
        let mut urls = Urls::default();
        for _ in 0..2 {
            let number = urls.sign(&script);
            for _ in 0..2 {
                assert!(matches!(urls.visit(number, &script), Visit::NotFound));
            }
            assert!(visit(&mut urls, number, &script).is_some());
        }
        urls.expire();
        assert!(matches!(urls.visit(0, &script), Visit::Expired));
    }

    #[test]
    fn a_url_ends_with_its_requests_or_when_made_to() {
        let script = JobScript::new().url_requests(1).asset;
        let mut urls = Urls::default();
        let first = urls.sign(&script);
        assert!(visit(&mut urls, first, &script).is_some());
        assert!(visit(&mut urls, first, &script).is_none());
        let second = urls.sign(&script);
        urls.expire();
        assert!(visit(&mut urls, second, &script).is_none());
        let third = urls.sign(&script);
        assert!(visit(&mut urls, third, &script).is_some());
        assert!(visit(&mut urls, 99, &script).is_none());
    }

    #[test]
    fn a_url_ends_with_its_bytes_whoever_took_them() {
        let script = JobScript::new().url_bytes(10).asset;
        let mut urls = Urls::default();
        let number = urls.sign(&script);
        let (one, two) = (
            visit(&mut urls, number, &script),
            visit(&mut urls, number, &script),
        );
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.take(4), two.take(4), one.take(4)), (4, 4, 2));
        assert!(visit(&mut urls, number, &script).is_none());
        two.give_back(1);
        assert!(visit(&mut urls, number, &script).is_some());
        assert_eq!((one.take(4), two.take(4)), (1, 0));
    }

    #[test]
    fn the_first_urls_can_be_revoked_from_the_start() {
        let script = JobScript::new().revoked_urls(1).asset;
        let mut urls = Urls::default();
        let (first, second) = (urls.sign(&script), urls.sign(&script));
        assert!(visit(&mut urls, first, &script).is_none());
        assert!(visit(&mut urls, second, &script).is_some());
    }
}
