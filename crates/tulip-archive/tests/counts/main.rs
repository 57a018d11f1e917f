//! Guards the speed of the code that every byte passes through, by counting its allocations. A
//! separate test binary, because it replaces the allocator of the whole process.
#![expect(unsafe_code, reason = "the allocator is the system's, and counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tulip_archive::{ChecksumAlgorithm, FramingRules, Inspector};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_chunk_is_framed_and_summed_up_without_asking_for_memory() {
    let row = "Running,2026-11-24T09:00:00Z,12.5,\"oil, \"\"hot\"\"\"\r\n";
    let chunk = row.repeat(2500);
    for algorithm in [ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256] {
        let mut inspector = Inspector::new(algorithm, FramingRules::new());
        inspector
            .update(b"State,Start Time,Duration,Reason\r\n")
            .unwrap();
        let before = ALLOCATIONS.get();
        for cut in 0..100 {
            let (head, tail) = chunk.as_bytes().split_at(cut * 997);
            inspector.update(head).unwrap();
            inspector.update(tail).unwrap();
        }
        assert_eq!(ALLOCATIONS.get(), before, "{algorithm}");
        assert_eq!(inspector.records(), 250_000);
    }
}
