//! The memory of blocks.

use std::mem::MaybeUninit;

use bytes::BytesMut;

/// The size of a huge page on most processors. A block must fit in.
const HUGE_PAGE: usize = 2 * 1024 * 1024;

/// Allocates memory for a few blocks, each with a capacity of `size` bytes and aligned to `size`.
/// It is freed when none of them is left.
///
/// They share a huge page if the system has one: a disk that reads from it takes one piece, instead
/// of hundreds that the kernel has to look up and list each time.
pub(super) fn blocks(size: usize) -> impl Iterator<Item = BytesMut> {
    // This much always contains a whole huge page, wherever it begins. What is not touched of the
    // rest costs only addresses.
    let mut memory = BytesMut::with_capacity(2 * HUGE_PAGE);
    let before = memory.as_ptr().align_offset(HUGE_PAGE);
    let mut page = memory.split_off(before);
    drop(page.split_off(HUGE_PAGE));
    ask_for_huge_page(page.spare_capacity_mut());
    (0..HUGE_PAGE / size).map(move |_| {
        let rest = page.split_off(size);
        std::mem::replace(&mut page, rest)
    })
}

/// Asks for `memory` to become a huge page when it is touched. If there are none, or none is free,
/// it consists of small pages as usual.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system is told of memory by its address")]
fn ask_for_huge_page(memory: &mut [MaybeUninit<u8>]) {
    let (address, length) = (memory.as_mut_ptr().cast(), memory.len());
    // SAFETY: this advice changes neither the contents of the memory nor who may use it.
    let _ = unsafe { libc::madvise(address, length, libc::MADV_HUGEPAGE) };
}

/// Other systems decide for themselves.
#[cfg(not(target_os = "linux"))]
fn ask_for_huge_page(_memory: &mut [MaybeUninit<u8>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_and_aligned_and_do_not_overlap() {
        let size = HUGE_PAGE / 4;
        let mut blocks: Vec<BytesMut> = blocks(size).collect();
        assert_eq!(blocks.len(), 4);
        for (block, byte) in blocks.iter_mut().zip(1..) {
            let place = block.as_ptr();
            assert_eq!(place as usize % size, 0);
            block.extend_from_slice(&vec![byte; size]);
            assert_eq!(block.as_ptr(), place, "it was moved");
        }
        for (block, byte) in blocks.iter().zip(1..) {
            assert!(block.iter().all(|found| *found == byte));
        }
    }

    /// Returns the kernel's flags of the mapping that contains `address`.
    #[cfg(target_os = "linux")]
    fn flags(address: usize) -> String {
        let mappings = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lies_there = false;
        for line in mappings.lines() {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            if let Some((start, end)) = range {
                let [start, end] = [start, end].map(|hex| usize::from_str_radix(hex, 16).unwrap());
                lies_there = (start..end).contains(&address);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| lies_there) {
                return flags.to_owned();
            }
        }
        panic!("nothing lies at {address:x}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_is_asked_for_huge_pages_where_it_has_any() {
        let block = blocks(HUGE_PAGE).next().unwrap();
        let has_any = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        let flags = flags(block.as_ptr() as usize);
        assert_eq!(
            flags.split(' ').any(|flag| flag == "hg"),
            has_any,
            "{flags}"
        );
    }
}
