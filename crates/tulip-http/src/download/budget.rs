//! How many bytes the downloads of a client hold that are not their turn yet.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::download::block::BLOCK;

/// When and how the downloads of a client are split.
#[derive(Debug)]
pub(crate) struct Splitting {
    /// The most connections of one download.
    pub(crate) connections: usize,
    /// Archives with no more bytes are not split.
    pub(crate) above: u64,
    pub(crate) budget: Budget,
}

impl Splitting {
    /// Whether there can be more than one connection.
    pub(super) fn is_possible(&self) -> bool {
        self.connections > 1 && self.budget.blocks() > 1
    }
}

/// What all downloads of a client together may have read ahead, in blocks.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    blocks: u32,
}

/// A part of it, which is given back block by block.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

impl Budget {
    /// A budget of `bytes`, rounded down to whole blocks.
    pub(crate) fn new(bytes: u64) -> Self {
        let blocks = u32::try_from(bytes / BLOCK).unwrap_or(u32::MAX);
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let blocks = blocks.min(most);
        Self {
            free: Arc::new(Semaphore::new(blocks as usize)),
            blocks,
        }
    }

    /// All of it, in blocks.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// At most `most` blocks, as many as are free, or none where those would be fewer than `least`.
    pub(super) fn share(&self, least: u32, most: u32) -> Option<Share> {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        let blocks = free.min(most);
        if blocks < least.max(1) {
            return None;
        }
        // Somebody else may be quicker.
        let permits = self.free.clone().try_acquire_many_owned(blocks);
        permits.ok().map(Share)
    }
}

impl Share {
    pub(super) fn blocks(&self) -> u32 {
        u32::try_from(self.0.num_permits()).unwrap_or(u32::MAX)
    }

    /// Gives back what `held` blocks do not need.
    pub(super) fn shrink(&mut self, held: u32) {
        let surplus = self.blocks().saturating_sub(held);
        drop(self.0.split(surplus as usize));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_shared_out_than_there_is_and_all_comes_back() {
        let budget = Budget::new(10 * BLOCK + 5);
        assert_eq!(budget.blocks(), 10);
        let mut first = budget.share(1, 8).unwrap();
        assert_eq!(first.blocks(), 8);
        assert!(budget.share(3, 8).is_none());
        let second = budget.share(1, 8).unwrap();
        assert_eq!(second.blocks(), 2);
        assert!(budget.share(1, 1).is_none());
        first.shrink(3);
        assert_eq!(first.blocks(), 3);
        drop(second);
        assert_eq!(budget.share(7, 9).unwrap().blocks(), 7);
        drop(first);
        assert_eq!(budget.share(1, 99).unwrap().blocks(), 10);
        assert!(Budget::new(0).share(0, 1).is_none());
    }
}
