//! Finding the ends of records, 64 bytes at a time.
//!
//! A line feed ends a record unless it stands between quotes. Which bytes stand between quotes
//! follows from the parity of the quotes before them (a doubled quote flips it twice), and the
//! parity of 64 bytes at once is a prefix XOR over the mask of their quotes: the approach of
//! Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1.1.

use wide::u8x16;

/// What one pass has seen so far. Starts as if a record had just ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner {
    /// All ones between quotes, else zero.
    inside: u64,
    /// Whether a record ended one byte ago (bit 0) and two bytes ago (bit 1).
    ended: u64,
    last_byte: u8,
    records: u64,
}

const BLOCK: usize = 64;

impl Scanner {
    /// The state behind the end of a record.
    pub(super) const fn after_record() -> Self {
        Self {
            inside: 0,
            ended: 1,
            last_byte: b'\n',
            records: 0,
        }
    }

    /// Records that have ended; empty lines are none.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Whether the next byte stands between quotes.
    pub(super) const fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    /// Takes the next bytes; returns where behind the last line end in them the open record
    /// begins, if a line ends in them.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut open = None;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (at, block) in blocks.iter().enumerate() {
            let ends = self.block(block, BLOCK as u32);
            if ends != 0 {
                open = Some(at * BLOCK + (BLOCK - ends.leading_zeros() as usize));
            }
        }
        if !rest.is_empty() {
            let mut padded = [0; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            let ends = self.block(&padded, rest.len() as u32);
            if ends != 0 {
                let start = blocks.len() * BLOCK;
                open = Some(start + (BLOCK - ends.leading_zeros() as usize));
            }
        }
        open
    }

    /// Takes the first `length` bytes of a block whose other bytes are zero.
    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK], length: u32) -> u64 {
        let (quotes, feeds) = masks(block);
        let inside = prefix_xor(quotes) ^ self.inside;
        // The top bit, spread: what follows is inside if the last byte was.
        self.inside = ((inside as i64) >> 63) as u64;
        let ends = feeds & !inside;
        let follows_end = (ends << 1) | (self.ended & 1);
        let second_after_end = (ends << 2) | ((self.ended & 1) << 1) | (self.ended >> 1);
        let mut empty = ends & follows_end;
        let mut suspects = ends & second_after_end & !empty;
        while suspects != 0 {
            let at = suspects.trailing_zeros() as usize;
            let before = if at == 0 {
                self.last_byte
            } else {
                block[at - 1]
            };
            if before == b'\r' {
                empty |= 1 << at;
            }
            suspects &= suspects - 1;
        }
        self.records += u64::from((ends & !empty).count_ones());
        let last = (ends >> (length - 1)) & 1;
        let second_last = match length {
            1 => self.ended & 1,
            _ => (ends >> (length - 2)) & 1,
        };
        self.ended = last | (second_last << 1);
        self.last_byte = block[length as usize - 1];
        ends
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            let mut scanner = Scanner::after_record();
            let mut open = None;
            let mut from = 0;
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            for cut in cuts {
                open = scanner.scan(&bytes[from..cut]).map(|at| from + at).or(open);
                from = cut;
            }
            prop_assert_eq!((scanner.records(), scanner.is_inside_quotes(), open), plain(bytes));
        }
    }
}
