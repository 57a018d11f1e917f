//! Vectorized search for the bytes that matter, in blocks of 64.

use wide::u8x16;

use super::scan::{BLOCK, Masks, Scan, Scanner};

/// Runs [`Scanner::scan_with`] with the fastest instructions that this processor supports.
#[inline]
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls what needs features of the processor")
)]
pub(super) fn scan(scanner: &mut Scanner, bytes: &[u8]) -> Scan {
    #[cfg(target_arch = "x86_64")]
    if x86::is_supported() {
        // SAFETY: `is_supported` has found all features that it is compiled for.
        return unsafe { x86::scan(scanner, bytes) };
    }
    portable(scanner, bytes)
}

/// The portable version, 16 bytes at a time, which every x86-64 and AArch64 processor supports.
pub(super) fn portable(scanner: &mut Scanner, bytes: &[u8]) -> Scan {
    scanner.scan_with(bytes, masks, prefix_xor)
}

#[inline(always)]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let (mut quotes, mut commas, mut breaks, mut nuls) = (0, 0, 0, 0);
    for (at, lane) in block.as_chunks::<16>().0.iter().enumerate() {
        let lane = u8x16::new(*lane);
        let equal = |byte| lane.simd_eq(u8x16::splat(byte));
        let mask = |found: u8x16| u64::from(found.to_bitmask()) << (16 * at);
        quotes |= mask(equal(b'"'));
        commas |= mask(equal(b','));
        breaks |= mask(equal(b'\n') | equal(b'\r'));
        nuls |= mask(equal(0));
    }
    Masks {
        quotes,
        commas,
        breaks,
        nuls,
    }
}

/// Bit *i* of the result is the XOR of bits 0 to *i*.
#[inline(always)]
const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

/// The version for processors since about 2013: 32 bytes at a time, and the prefix XOR as one
/// carry-less multiplication by all ones.
#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set_epi64x, _mm256_set1_epi8,
    };

    use super::{BLOCK, Masks, Scan, Scanner};

    /// Whether this processor has the features that [`scan`] is compiled for.
    #[inline]
    pub(super) fn is_supported() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("bmi1")
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,lzcnt,bmi1")]
    pub(super) fn scan(scanner: &mut Scanner, bytes: &[u8]) -> Scan {
        scanner.scan_with(bytes, |block| masks(block), |bits| prefix_xor(bits))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let halves = [load(block, 0), load(block, 4)];
        let least = _mm256_min_epu8(halves[0], halves[1]);
        Masks {
            quotes: mask(halves.map(|half| equal(half, b'"'))),
            commas: mask(halves.map(|half| equal(half, b','))),
            breaks: mask(
                halves.map(|half| _mm256_or_si256(equal(half, b'\n'), equal(half, b'\r'))),
            ),
            nuls: mask([equal(least, 0); 2]),
        }
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    /// Loads 32 bytes from word `at`. The compiler merges adjacent words into one load.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(block: &[u8; BLOCK], at: usize) -> __m256i {
        let word = |n| i64::from_le_bytes(block.as_chunks::<8>().0[at + n]);
        _mm256_set_epi64x(word(3), word(2), word(1), word(0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask([low, high]: [__m256i; 2]) -> u64 {
        let [low, high] = [low, high].map(|half| _mm256_movemask_epi8(half) as u32);
        u64::from(low) | (u64::from(high) << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_processors_find_the_same(
            text in "[a\n\r\",\x00]{0,300}|([a-z]{0,40}[,\n\"]{1,3}){0,12}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut scanners = [Scanner::new(); 2];
            for piece in [head, tail] {
                let found = [scan(&mut scanners[0], piece), portable(&mut scanners[1], piece)];
                prop_assert_eq!(found[0], found[1]);
                prop_assert_eq!(scanners[0], scanners[1]);
            }
        }
    }
}
