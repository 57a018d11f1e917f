//! How an object is cut into parts, and how many bytes of them are held in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tulip_core::sink::{SinkError, SinkErrorKind};

pub(super) const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// The most parts that S3 and Google allow in one upload; Azure allows more.
const MAX_PARTS: u64 = 10_000;

/// The largest part that Azure takes; S3 and Google take 5 GiB.
const MAX_PART: u64 = 4000 * MIB;

/// If an object's size is unknown, its part size doubles each time this many parts were sent.
const DOUBLE_EVERY: u64 = 1000;

/// How much of an object is held in memory. Neither bound depends on the size that a host
/// announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemoryBudget {
    /// Bytes of the first part, and of the largest object that is put whole, unless the announced
    /// size requires larger parts.
    pub(super) part: u64,
    /// Bytes that one writer may hold: the part being filled and those in flight. Never less than a
    /// part.
    pub(super) memory: u64,
}

impl MemoryBudget {
    /// Returns the bytes of the part with the given number, counted from 0, or `None` if the object
    /// would need more parts than a store takes. If the object's size is known, all parts are
    /// equal, as some stores require.
    pub(super) fn part_size(self, number: u64, announced: Option<u64>) -> Option<u64> {
        if number >= MAX_PARTS {
            return None;
        }
        let equal = announced.map_or(self.part, |size| self.equal_parts(size));
        let equal = equal.min(self.largest_part());
        if announced.is_some_and(|size| number * equal <= size) {
            return Some(equal);
        }
        let grown = self.part << (number / DOUBLE_EVERY);
        Some(grown.min(self.largest_part()).max(equal))
    }

    /// Whether a part may be filled while another of `size` bytes is in flight.
    pub(super) fn overlaps(self, size: u64) -> bool {
        2 * size <= self.memory
    }

    /// Refuses an object of `announced` bytes whose parts do not fit into the memory.
    pub(super) fn admit(self, announced: u64, location: &str) -> Result<(), SinkError> {
        if self.equal_parts(announced) <= self.largest_part() {
            return Ok(());
        }
        Err(self.too_large(&format!("it is announced with {announced} bytes"), location))
    }

    /// Returns the error for an object that turns out larger than fits.
    pub(super) fn outgrown(self, written: u64, location: &str) -> SinkError {
        let how = format!("more comes after its first {written} bytes");
        self.too_large(&how, location)
    }

    fn too_large(self, how: &str, location: &str) -> SinkError {
        let largest = self.largest_part() * MAX_PARTS;
        let reason = format!(
            "{how}; with memory={}MiB at most {}GiB fit",
            self.memory / MIB,
            largest / GIB
        );
        let what = format!("cannot write {location}");
        SinkError::new(SinkErrorKind::TooLarge, what)
            .with_reason(reason, "raise the option memory or part_size")
    }

    /// Returns a part size at which [`MAX_PARTS`] equal parts can hold `size` bytes.
    fn equal_parts(self, size: u64) -> u64 {
        size.div_ceil(MAX_PARTS)
            .next_multiple_of(MIB)
            .max(self.part)
    }

    fn largest_part(self) -> u64 {
        (self.memory / MIB * MIB).min(MAX_PART).max(self.part)
    }
}

/// The bytes that may be in flight at once, for all writers of a sink together.
#[derive(Debug, Clone)]
pub(super) struct InFlightLimit {
    /// One permit per MiB.
    free: Arc<Semaphore>,
    size: u32,
}

impl InFlightLimit {
    pub(super) fn new(budget: MemoryBudget) -> Self {
        let bytes = budget.memory.saturating_sub(budget.part).max(budget.part);
        let size = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX);
        let size = size.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self {
            free: Arc::new(Semaphore::new(size as usize)),
            size,
        }
    }

    /// Waits until `bytes` may be sent. A part that is larger than the limit is sent alone.
    pub(super) async fn acquire(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
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

    const DEFAULT: MemoryBudget = MemoryBudget {
        part: 8 * MIB,
        memory: 40 * MIB,
    };
    const TIB: u64 = 1024 * GIB;

    #[test]
    fn parts_are_equal_where_the_size_is_known() {
        assert_eq!(DEFAULT.part_size(0, Some(1)), Some(8 * MIB));
        let size = Some(10_000 * 8 * MIB);
        assert_eq!(DEFAULT.part_size(9_999, size), Some(8 * MIB));
        let size = Some(10_000 * 40 * MIB);
        assert_eq!(DEFAULT.part_size(0, size), Some(40 * MIB));
        assert_eq!(DEFAULT.part_size(9_000, size), Some(40 * MIB));
        assert_eq!(DEFAULT.part_size(10_000, size), None);
    }

    #[test]
    fn what_does_not_fit_into_the_memory_is_refused_with_the_largest_that_does() {
        DEFAULT.admit(10_000 * 40 * MIB, "s3://b/a.csv").unwrap();
        for announced in [10_000 * 40 * MIB + 1, 1 << 50, u64::MAX] {
            let error = DEFAULT.admit(announced, "s3://b/a.csv").unwrap_err();
            assert_eq!(error.kind(), SinkErrorKind::TooLarge);
            assert_eq!(
                error.to_string(),
                format!(
                    "cannot write s3://b/a.csv: it is announced with {announced} bytes; with \
                     memory=40MiB at most 390GiB fit (raise the option memory or part_size)"
                )
            );
        }
        let larger = MemoryBudget {
            memory: 1024 * MIB,
            ..DEFAULT
        };
        larger.admit(5 * TIB, "x").unwrap();
    }

    proptest! {
        #[test]
        fn no_part_is_larger_than_the_memory_whatever_is_announced(
            announced in proptest::option::of(any::<u64>()),
            part in 5..=64_u64, memory in 5..=512_u64, number in 0..20_000_u64,
        ) {
            let budget = MemoryBudget { part: part * MIB, memory: part.max(memory) * MIB };
            match budget.part_size(number, announced) {
                Some(size) => prop_assert!((budget.part..=budget.memory).contains(&size)),
                None => prop_assert!(number >= MAX_PARTS),
            }
        }

        #[test]
        fn what_is_admitted_fits_into_the_parts_that_a_store_takes(
            announced in 1..=5 * TIB, memory in 8..=1024_u64,
        ) {
            let budget = MemoryBudget { memory: memory * MIB, ..DEFAULT };
            if budget.admit(announced, "x").is_ok() {
                let equal = budget.part_size(0, Some(announced)).unwrap();
                prop_assert!(equal * MAX_PARTS >= announced);
            }
        }
    }

    #[tokio::test]
    async fn the_limit_bounds_what_is_in_flight_and_lets_a_larger_part_go_alone() {
        let limit = InFlightLimit::new(DEFAULT);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(limit.acquire(8 * MIB).await.unwrap());
        }
        let mut fifth = Box::pin(limit.acquire(1));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(fifth.as_mut().poll(&mut context).is_pending());
        held.clear();
        assert!(fifth.await.is_some());
        assert!(limit.acquire(500 * MIB).await.is_some());
    }
}
