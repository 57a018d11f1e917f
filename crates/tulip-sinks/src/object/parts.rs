//! How an object is cut into parts, and how many bytes of them are held in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) const MIB: u64 = 1024 * 1024;

/// The most parts that S3 and Google allow in one upload; Azure allows more.
const MAX_PARTS: u64 = 10_000;

/// Behind this many parts of an object of unknown size, parts double.
const DOUBLE_EVERY: u64 = 1000;

/// How much of objects is held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffering {
    /// Bytes of the first part, and of an object that is put whole.
    pub(crate) part: u64,
    /// Bytes that one writer may hold: the part that is being filled and those on their way.
    pub(crate) memory: u64,
}

impl Buffering {
    /// The bytes of the part with the given number, counted from 0. Where the object's size is
    /// known, all parts are equal, as some stores want them.
    pub(crate) fn part_size(self, number: u64, object: Option<u64>) -> u64 {
        let known = object.filter(|size| number * self.part <= *size);
        match known {
            Some(size) => size
                .div_ceil(MAX_PARTS)
                .next_multiple_of(MIB)
                .max(self.part),
            // Stores take parts of up to 5 GiB (Azure 4000 MiB); 2 GiB parts are reached behind
            // 4 TiB.
            None => self.part << (number / DOUBLE_EVERY).min(8),
        }
    }

    /// Whether a part may be filled while another of `size` bytes is on its way.
    pub(crate) fn overlaps(self, size: u64) -> bool {
        2 * size <= self.memory
    }
}

/// The bytes that may be on their way at once, for all writers of a sink together.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// One permit per MiB.
    free: Arc<Semaphore>,
    size: u32,
}

impl Window {
    pub(crate) fn new(buffering: Buffering) -> Self {
        let bytes = buffering
            .memory
            .saturating_sub(buffering.part)
            .max(buffering.part);
        let size = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX);
        let size = size.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self {
            free: Arc::new(Semaphore::new(size as usize)),
            size,
        }
    }

    /// Waits until `bytes` may go on their way. A part that is larger than the window goes alone.
    pub(crate) async fn admit(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX);
        let free = self.free.clone();
        free.acquire_many_owned(wanted.clamp(1, self.size))
            .await
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: Buffering = Buffering {
        part: 8 * MIB,
        memory: 40 * MIB,
    };
    const TIB: u64 = 1024 * 1024 * MIB;

    #[test]
    fn parts_are_equal_where_the_size_is_known_and_5_tib_fit() {
        assert_eq!(DEFAULT.part_size(0, Some(1)), 8 * MIB);
        assert_eq!(DEFAULT.part_size(9_999, Some(10_000 * 8 * MIB)), 8 * MIB);
        let part = DEFAULT.part_size(0, Some(5 * TIB));
        assert_eq!(part, 525 * MIB);
        assert!(part * MAX_PARTS >= 5 * TIB);
        assert_eq!(DEFAULT.part_size(9_000, Some(5 * TIB)), part);
    }

    #[test]
    fn of_unknown_size_5_tib_fit_as_well() {
        let total: u64 = (0..MAX_PARTS).map(|n| DEFAULT.part_size(n, None)).sum();
        assert!(total >= 5 * TIB, "{total}");
        let smallest = Buffering {
            part: 5 * MIB,
            memory: 10 * MIB,
        };
        assert!((0..MAX_PARTS).all(|n| smallest.part_size(n, None) <= 2048 * MIB));
    }

    proptest! {
        #[test]
        fn whatever_the_size_it_fits_and_no_part_is_smaller_than_the_first(
            size in 1..=5 * TIB, part in 5..=64_u64
        ) {
            let buffering = Buffering { part: part * MIB, memory: 40 * MIB };
            let equal = buffering.part_size(0, Some(size));
            prop_assert!(equal >= buffering.part && equal * MAX_PARTS >= size);
        }
    }

    #[tokio::test]
    async fn the_window_bounds_what_is_on_its_way_and_lets_a_larger_part_go_alone() {
        let window = Window::new(DEFAULT);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(window.admit(8 * MIB).await.unwrap());
        }
        let mut fifth = Box::pin(window.admit(1));
        assert!(futures_now(&mut fifth).is_none());
        held.clear();
        assert!(fifth.await.is_some());
        assert!(window.admit(500 * MIB).await.is_some());
    }

    fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }
}
