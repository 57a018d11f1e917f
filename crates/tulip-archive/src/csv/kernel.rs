//! What the processor at hand does best with 64 bytes.

use wide::u8x16;

use super::scan::{BLOCK, Scanner};

/// [`Scanner::scan_with`] by the fastest means there is.
#[inline]
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "the features were found on this processor just before"
    )
)]
pub(super) fn scan(scanner: &mut Scanner, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if x86::has_avx512() {
        return unsafe { x86::by_64(scanner, bytes) };
    } else if x86::has_avx2() {
        return unsafe { x86::by_32(scanner, bytes) };
    }
    portable(scanner, bytes)
}

/// For every processor: 16 bytes at a time, which x86-64 and AArch64 always can.
pub(super) fn portable(scanner: &mut Scanner, bytes: &[u8]) -> Option<usize> {
    scanner.scan_with(bytes, masks, prefix_xor)
}

/// Bit *i* is set where byte *i* is a quote, or a line feed.
#[inline(always)]
fn masks(block: &[u8; BLOCK]) -> (u64, u64) {
    let mut quotes = 0;
    let mut feeds = 0;
    for (at, lane) in block.as_chunks::<16>().0.iter().enumerate() {
        let lane = u8x16::new(*lane);
        quotes |= u64::from(lane.simd_eq(u8x16::splat(b'"')).to_bitmask()) << (16 * at);
        feeds |= u64::from(lane.simd_eq(u8x16::splat(b'\n')).to_bitmask()) << (16 * at);
    }
    (quotes, feeds)
}

/// Bit *i* of the result is the XOR of the bits 0 to *i*.
#[inline(always)]
const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

/// 32 or 64 bytes at a time, and the prefix XOR as one carry-less multiplication by all ones.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set_epi64x, _mm256_set1_epi8,
        _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
    };

    use crate::csv::scan::{BLOCK, Scanner};

    #[inline]
    pub(super) fn has_avx512() -> bool {
        is_x86_feature_detected!("avx512bw") && has_bit_counts()
    }

    #[inline]
    pub(super) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2") && has_bit_counts()
    }

    #[inline]
    fn has_bit_counts() -> bool {
        is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("bmi1")
    }

    /// Processors since about 2013.
    #[target_feature(enable = "avx2,pclmulqdq,popcnt,lzcnt,bmi1")]
    pub(super) fn by_32(scanner: &mut Scanner, bytes: &[u8]) -> Option<usize> {
        scanner.scan_with(
            bytes,
            |block| {
                let (low, high) = (load_32(block, 0), load_32(block, 4));
                (mask(low, high, b'"'), mask(low, high, b'\n'))
            },
            |bits| prefix_xor(bits),
        )
    }

    /// Servers' processors since about 2017.
    #[target_feature(enable = "avx512bw,pclmulqdq,popcnt,lzcnt,bmi1")]
    pub(super) fn by_64(scanner: &mut Scanner, bytes: &[u8]) -> Option<usize> {
        scanner.scan_with(
            bytes,
            |block| {
                let bytes = load_64(block);
                let mask = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
                (mask(b'"'), mask(b'\n'))
            },
            |bits| prefix_xor(bits),
        )
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    /// 8 bytes; of several that follow each other the compiler makes one load.
    #[inline]
    fn word(block: &[u8; BLOCK], at: usize) -> i64 {
        i64::from_le_bytes(block.as_chunks::<8>().0[at])
    }

    /// 4 words.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_32(block: &[u8; BLOCK], at: usize) -> __m256i {
        let word = |n| word(block, at + n);
        _mm256_set_epi64x(word(3), word(2), word(1), word(0))
    }

    /// All words. Written out like the 4, the compiler makes several loads of it.
    #[inline]
    #[target_feature(enable = "avx512bw")]
    #[expect(
        unsafe_code,
        reason = "a reference to 64 bytes is one to 64 readable bytes"
    )]
    fn load_64(block: &[u8; BLOCK]) -> __m512i {
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(low: __m256i, high: __m256i, byte: u8) -> u64 {
        let wanted = _mm256_set1_epi8(byte as i8);
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) as u32;
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) as u32;
        u64::from(low) | (u64::from(high) << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Way = fn(&mut Scanner, &[u8]) -> Option<usize>;

    /// Every way that this processor can go, of which [`scan`] goes only the fastest.
    fn ways() -> Vec<Way> {
        let mut ways: Vec<Way> = vec![scan, portable];
        #[cfg(target_arch = "x86_64")]
        if x86::has_avx2() {
            #[expect(unsafe_code, reason = "the features were found just now")]
            ways.push(|scanner, bytes| unsafe { x86::by_32(scanner, bytes) });
        }
        ways
    }

    /// The same, byte by byte.
    fn plain(bytes: &[u8]) -> (u64, bool, Option<usize>) {
        let (mut records, mut inside, mut line, mut open) = (0, false, 0, None);
        for (at, byte) in bytes.iter().enumerate() {
            inside ^= *byte == b'"';
            if *byte == b'\n' && !inside {
                let content = bytes[line..at]
                    .strip_suffix(b"\r")
                    .unwrap_or(&bytes[line..at]);
                records += u64::from(!content.is_empty());
                line = at + 1;
                open = Some(line);
            }
        }
        (records, inside, open)
    }

    proptest! {
        #[test]
        fn blocks_find_what_single_bytes_find(
            text in "[a\n\r\",]{0,300}",
            cuts in proptest::collection::vec(0..300_usize, 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            for scan in ways() {
                let mut scanner = Scanner::after_record();
                let mut open = None;
                let mut from = 0;
                for &cut in &cuts {
                    open = scan(&mut scanner, &bytes[from..cut]).map(|at| from + at).or(open);
                    from = cut;
                }
                prop_assert_eq!((scanner.records(), scanner.is_inside_quotes(), open), plain(bytes));
            }
        }
    }
}
