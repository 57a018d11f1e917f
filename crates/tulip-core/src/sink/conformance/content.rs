//! Test content that shows where its bytes come from.

use bytes::Bytes;

/// Larger than one part of any built-in sink, and not a multiple of one.
pub(super) const LARGE: usize = 9 * 1024 * 1024 + 17;

/// Returns `length` bytes that differ for each seed, in blocks that start with their number.
pub(super) fn bytes(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut block = Vec::with_capacity(4096);
    while block.len() < 4096 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    let mut bytes = Vec::with_capacity(length + block.len());
    for number in 0_u64.. {
        if bytes.len() >= length {
            break;
        }
        block[..8].copy_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&block);
    }
    bytes.truncate(length);
    bytes.into()
}

/// Describes the first difference between two contents; `None` if they are equal.
pub(super) fn difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    if expected.len() != found.len() {
        let (expected, found) = (expected.len(), found.len());
        return Some(format!("it has {found} bytes, not {expected}"));
    }
    let at = expected.iter().zip(found).position(|(a, b)| a != b);
    Some(format!("it differs at byte {}", at.unwrap_or_default()))
}
