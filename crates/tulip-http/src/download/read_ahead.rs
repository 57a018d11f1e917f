//! The read-ahead budget: how many bytes a client's downloads may hold before it is their turn.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::block::BLOCK;

/// When and how the downloads of a client are split.
#[derive(Debug)]
pub(crate) struct Splitting {
    /// The maximum number of connections of one download.
    pub(crate) connections: usize,
    /// Archives of at most this many bytes are not split.
    pub(crate) above: u64,
    pub(crate) budget: ReadAheadBudget,
}

impl Splitting {
    /// Whether there can be more than one connection.
    pub(super) fn is_possible(&self) -> bool {
        self.connections > 1 && self.budget.blocks() > 1
    }
}

/// How many blocks all downloads of a client may have read ahead.
#[derive(Debug, Clone)]
pub(crate) struct ReadAheadBudget {
    free: Arc<Semaphore>,
    blocks: u32,
}

/// Some blocks of the budget, which are given back on drop.
#[derive(Debug)]
pub(super) struct Permit(OwnedSemaphorePermit);

impl ReadAheadBudget {
    /// Creates a budget of `bytes`, rounded down to whole blocks.
    pub(crate) fn new(bytes: u64) -> Self {
        let blocks = u32::try_from(bytes / BLOCK).unwrap_or(u32::MAX);
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let blocks = blocks.min(most);
        Self {
            free: Arc::new(Semaphore::new(blocks as usize)),
            blocks,
        }
    }

    /// Returns the whole budget, in blocks.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Whether `blocks` are free. Another download may take them.
    pub(super) fn has(&self, blocks: u32) -> bool {
        self.free.available_permits() >= blocks as usize
    }

    /// Acquires a permit for `blocks`, or for the whole budget if it has fewer. Waiters are served
    /// in order.
    pub(super) async fn acquire(&self, blocks: u32) -> Option<Permit> {
        let permits = self
            .free
            .clone()
            .acquire_many_owned(blocks.min(self.blocks));
        permits.await.ok().map(Permit)
    }
}

impl Permit {
    /// Splits off a permit for one block, if any is left.
    pub(super) fn block(&mut self) -> Option<Self> {
        self.0.split(1).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_is_given_out_than_there_is_and_all_comes_back() {
        let budget = ReadAheadBudget::new(10 * BLOCK + 5);
        assert_eq!(budget.blocks(), 10);
        let mut first = budget.acquire(8).await.unwrap();
        assert!(budget.has(2) && !budget.has(3));
        let block = first.block().unwrap();
        drop(first);
        assert!(budget.has(9) && !budget.has(10));
        drop(block);
        let mut all = budget.acquire(99).await.unwrap();
        assert!(!budget.has(1));
        let blocks: Vec<_> = std::iter::from_fn(|| all.block()).collect();
        assert_eq!(blocks.len(), 10);
    }
}
